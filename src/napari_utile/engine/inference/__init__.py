"""Tiled inference: where to compute, the plan of the tiles, and carrying it out."""
