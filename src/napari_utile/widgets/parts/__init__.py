"""Parts that several docks are made of."""
