"""Image files: TIFF, PNG, JPEG and OME-Zarr in, TIFF out."""

from napari_utile.engine.atomic import atomic_path

__all__ = ["atomic_path"]
