"""Many images segmented in one go."""
