"""napari's viewer and layers, as the docks use them."""
