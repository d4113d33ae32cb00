"""Network families: which there are, and building one from its configuration."""
