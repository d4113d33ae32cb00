"""Results of large images as OME-Zarr, made block by block, resumed after anything that stops them."""
