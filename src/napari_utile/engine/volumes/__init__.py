"""Volumes: three views of a stack, and cells that are decoded in three dimensions."""
