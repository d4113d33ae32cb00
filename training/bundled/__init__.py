"""The models that come with the program: what they are made of, and of which images."""
