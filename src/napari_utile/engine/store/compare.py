"""A store beside what its plan gives: in which blocks which of its images are others, and how far outputs differ."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_utile.engine.store.durable import reading
from napari_utile.engine.store.layout import levels_in
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted

TOLERANCE = 1e-4
"""Outputs agree within this, whatever the tiles."""


@dataclass(frozen=True)
class StoreProof:
    """What computing some blocks of a store again shows.

    Attributes
    ----------
    blocks : int
        How many were looked at.
    identical : int
        Of which outputs, and all that the store keeps, have the same bits.
    difference : float
        The largest, of an output (0..1) as the store keeps it.
    changed_images : int
        Blocks whose pixels in the image are others now.
    changed : mapping of str to int
        In how many blocks an image of the store is another one than its plan gives, by more than the last digits.
    """

    blocks: int
    identical: int
    difference: float
    changed_images: int
    changed: Mapping[str, int]

    @property
    def holds(self) -> bool:
        """Whether the store holds what its plan gives."""
        return not self.changed_images and not self.changed

    def __str__(self) -> str:
        """Say it in one line."""
        said = [f"{self.identical} of {self.blocks} blocks identical to the last bit"]
        if self.difference:
            said.append(f"outputs of others differ by up to {self.difference:.2g}")
        elif self.holds and self.identical < self.blocks:
            said.append("outputs of others in digits that are not kept")
        if self.changed_images:
            said.append(f"the image has changed in {counted(self.changed_images, 'block')}")
        said += [f"{name} differs in {counted(many, 'block')}" for name, many in self.changed.items()]
        return ", ".join(said)


class Comparison:
    """Blocks of a store beside what its plan gives."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._blocks = self._identical = self._images = 0
        self._difference = 0.0
        self._changed: Counter[str] = Counter()

    def add(
        self,
        index: Sequence[int],
        block: Window,
        images: Mapping[str, NDArray[Any]],
        *,
        same_outputs: bool,
        same_image: bool = True,
        changed: Collection[str] = (),
    ) -> None:
        """Take in a block.

        Parameters
        ----------
        index : sequence of int
            Of its plane along the stacked axes.
        block : Window
        images : mapping of str to array
            What all images hold there, by their groups.
        same_outputs, same_image : bool
            Whether the outputs have the bits, and the image the pixels, that the store was made of.
        changed : collection of str
            Groups that are known to hold something else.
        """
        found = {
            group: _difference(self._place, group, index, block, image) for group, image in images.items()
        }
        self._difference = max(
            [self._difference, *(each for group, each in found.items() if _is_output(group))]
        )
        others = {group for group, each in found.items() if each > _allowed(group, images[group])} | {
            *changed
        }
        self._changed.update(_NAME.get(group, group) for group in images if group in others)
        self._blocks += 1
        self._images += not same_image
        self._identical += same_outputs and not others and not any(found.values())

    @property
    def proof(self) -> StoreProof:
        """What they show."""
        return StoreProof(self._blocks, self._identical, self._difference, self._images, dict(self._changed))


_NAME = {"": "the probability (0)"}
"""What images are called whose group says nothing."""


def _is_output(group: str) -> bool:
    """Tell whether an image holds outputs, which may differ in their last digits, or labels."""
    return not group.startswith("labels/")


def _allowed(group: str, image: NDArray[Any]) -> float:
    """Return how far an image may differ: outputs as far as machines do, and by a step of what they are kept in."""
    return TOLERANCE + _step(image) if _is_output(group) else 0.0


def _step(image: NDArray[Any]) -> float:
    return 0.0 if image.dtype.kind == "f" else 1 / np.iinfo(image.dtype).max


def _difference(place: Path, group: str, index: Sequence[int], block: Window, image: NDArray[Any]) -> float:
    """Return how far a block of a store is from what it should be, over all levels; infinite where it is not there.

    Labels differ by 1 or not at all.
    """
    largest = 0.0 if (place / group / "0").is_dir() else np.inf
    for folder, where, again in levels_in(place, group, block, image):
        with reading(str(folder)):
            stored = np.asarray(zarr.open_array(folder, mode="r")[(*index, ..., *where)])
        other = (stored != again) & ~((stored != stored) & (again != again))  # NaN are alike
        if not _is_output(group):
            largest = max(largest, float(other.any()))
        elif other.any():
            far = np.abs(stored[other].astype(float) - again[other]) * (_step(image) or 1)
            largest = max(largest, float(np.nan_to_num(far, nan=np.inf, posinf=np.inf).max()))
    return largest
