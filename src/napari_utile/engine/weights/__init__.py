"""The loss weight map: made, explained, kept up to date while painting."""
