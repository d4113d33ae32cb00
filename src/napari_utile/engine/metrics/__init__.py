"""Scores that compare a segmentation with its ground truth."""
