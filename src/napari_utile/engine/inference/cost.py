"""What a segmentation costs, in numbers and words; known without torch."""

from dataclasses import dataclass

from napari_utile.engine.words import counted


@dataclass(frozen=True)
class Estimate:
    """The cost of a segmentation.

    Attributes
    ----------
    tiles : int
    gflop : float
        10^9 floating point operations in all.
    bytes : int
        Peak memory: the features of one tile, and the probability map.
    seconds : float
    device, precision : str
    """

    tiles: int
    gflop: float
    bytes: int
    seconds: float
    device: str
    precision: str

    def __str__(self) -> str:
        """Say it in one line."""
        memory = f"{self.bytes / 2**30:.1f} GB" if self.bytes >= 2**30 else f"{max(1, self.bytes >> 20)} MB"
        tiles = counted(self.tiles, "tile")
        return f"{tiles}, {memory}, about {duration(self.seconds)} ({self.device}, {self.precision})"


def duration(seconds: float) -> str:
    """Say a time span in words, as precisely as an estimate deserves."""
    if seconds < 1:
        return "1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
