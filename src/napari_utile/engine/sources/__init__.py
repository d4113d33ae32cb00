"""What is read: the axes of an array, and which of its planes are meant."""
