"""Which model, size and settings fit an image, and how well."""
