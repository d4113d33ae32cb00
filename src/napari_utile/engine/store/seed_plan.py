"""What is planned of the seeds of a store."""

from dataclasses import dataclass, field

from napari_utile.engine.cells.seeds import Stain, reach_in_model, reach_in_stain


@dataclass(frozen=True)
class SeedPlan:
    """The seeds of a store.

    Attributes
    ----------
    path : str
        Their file.
    seen : str
        SHA-256 of some windows of them, by which changed ones are noticed.
    distance : float or None
        Pixels that a cell reaches beyond its seed at most; None: as far as the model's foreground.
    diameter : float or None
        Of the cells (pixels), where a model sees them and knows it.
    cells : tuple of int
        How many seeds there are in each plane.
    stains : tuple of Stain
        Of each plane, where they grow in intensities.
    """

    path: str
    seen: str
    distance: float | None
    # Stores of earlier versions have none: they went by the relief alone.
    diameter: float | None = field(default=None, kw_only=True)
    cells: tuple[int, ...]
    stains: tuple[Stain, ...] = ()

    def reach(self, relief_limit: int, by_height: bool) -> int:
        """Return how many pixels around a block matter for its relief; the parameters are those of the decoder."""
        if self.stains:
            assert self.distance is not None
            return reach_in_stain(self.distance)
        return reach_in_model(relief_limit, self.distance, self.diameter, by_height=by_height)
