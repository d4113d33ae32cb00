"""Training: samples, loss, recipes and the loop."""
