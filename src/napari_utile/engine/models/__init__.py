"""Models: a network with its card, in files and in the library."""
