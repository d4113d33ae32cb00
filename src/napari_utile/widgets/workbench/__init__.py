"""The one dock: a header in which image, model and cells are chosen once, and pages that work on them."""
