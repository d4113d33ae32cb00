"""U-Tile: seamless tiled U-Net segmentation of microscope images in napari."""

__version__ = "0.1.0"
