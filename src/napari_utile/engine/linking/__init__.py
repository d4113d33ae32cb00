"""One id for one cell: sections of a stack become objects, frames of a time-lapse become tracks."""
