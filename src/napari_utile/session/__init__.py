"""State and jobs that the docks of one viewer share; no Qt, no napari."""
