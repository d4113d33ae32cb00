"""Cells block by block, the same labels to the bit as of the whole plane in one piece."""
