"""What clicks do to labels, without Qt and napari."""
