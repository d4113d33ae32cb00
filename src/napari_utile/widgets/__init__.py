"""The docks: they show state and emit intent."""
