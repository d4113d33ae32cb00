"""Images, labels and weight maps in files."""
