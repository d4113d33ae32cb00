"""What napari opens and saves through this plugin."""
