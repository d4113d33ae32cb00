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
    seen : float
        How many pixels the network sees for one of the image: below 1 where cells are larger than those that the model
        knows.
    """

    tiles: int
    gflop: float
    bytes: int
    seconds: float
    device: str
    precision: str
    seen: float = 1.0

    def __str__(self) -> str:
        """Say it in one line."""
        memory = f"{self.bytes / 2**30:.1f} GB" if self.bytes >= 2**30 else f"{max(1, self.bytes >> 20)} MB"
        tiles = counted(self.tiles, "tile")
        where = f"({self.device}, {self.precision})"
        return f"{tiles}, {memory}, about {duration(self.seconds)} {where}{seen_in_words(self.seen)}"


def seen_in_words(share: float) -> str:
    """Say of how many pixels the image is for the network, where that makes it clearly cheaper or dearer.

    Examples
    --------
    >>> seen_in_words(1 / 25), seen_in_words(1.02), seen_in_words(4)
    ('; the model sees 4 % of the pixels', '', '; the model sees 4 times as many pixels')
    """
    if 0.8 < share < 1.25:
        return ""
    many = f"{100 * share:.2g} % of the" if share < 1 else f"{share:.2g} times as many"
    return f"; the model sees {many} pixels"


def duration(seconds: float) -> str:
    """Say a time span in words, as precisely as an estimate deserves."""
    if seconds < 1:
        return "1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
