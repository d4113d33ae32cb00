"""Where in its file the plane of a layer lies, so that the command line and a replay read the same pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.arrays import letter_of
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image, series_of
from napari_utile.engine.files.tiff_series import series_to_ask_for
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.naming import LETTERS
from napari_utile.engine.planes.selection import SelectedPlanes, Selection

_MOST_SERIES = 16
_WHOLE_PIXELS = 1 << 24
_BLOCK, _BLOCKS = 256, 8


@dataclass(frozen=True)
class LayerAxis:
    """An axis of a layer, colours among them.

    Attributes
    ----------
    name : str
        Its label.
    size : int
    role : {"Y", "X", "C", "S", "Z", "T", ""}
        Rows, columns, channels, colours; the axis that a layer was projected along; empty for a slider.
    entry : int or None
        Where the slider stands.
    step : (float, str or None), optional
        From one entry to the next, and its unit; None where it has none.
    """

    name: str
    size: int
    role: str = ""
    entry: int | None = None
    step: tuple[float, str | None] | None = None


@dataclass(frozen=True)
class Located:
    """Which pixels of a file a plane is: the selection that reads it; its index, with C where it is one of channels."""

    selection: Selection
    index: dict[str, int]

    def all_planes(self) -> "Located":
        """Give the same for all planes of the stack."""
        return replace(self, selection=replace(self.selection, z=None, t=None))

    def along(self, axis: str = "", entries: tuple[int, int] | None = None) -> "Located":
        """Give the same for a stack, whose axis a file may leave unnamed.

        Parameters
        ----------
        axis : {"", "Z", "T"}
            What the axis is where planes are linked along it.
        entries : (int, int), optional
            First one, and the one after the last, of the first axis of the stack; all by default.
        """
        letters = [letter for letter in self.index if letter in "ZT"]
        selection = replace(self.selection, z=None, t=None)
        if axis and axis not in letters and len(letters) == 1 and selection.axes:
            selection = replace(selection, axes=selection.axes.replace(letters[0], axis))
            letters = [axis]
        if entries is not None and letters:
            taken = f"{entries[0]}:{entries[1]}"
            selection = replace(selection, z=taken) if letters[0] == "Z" else replace(selection, t=taken)
        return replace(self, selection=selection)

    def channels(self, chosen: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Give the channels of the file that are the chosen ones of the plane."""
        return (self.index["C"],) if "C" in self.index else chosen


def sliders_of(axes: Sequence[LayerAxis]) -> dict[str, int]:
    """Name the sliders of a layer without a file, by the labels, else T and Z in turn: letter -> number of the axis."""
    found: dict[str, int] = {}
    for number, axis in enumerate(axes):
        if axis.entry is None or axis.size == 1:
            continue
        letter = letter_of(axis.name)
        if letter is None or letter in found or letter in "YXS":
            letter = next((each for each in "TZC" if each not in found), axis.name)
        found[letter] = number
    return found


def index_of(axes: Sequence[LayerAxis]) -> dict[str, int]:
    """Name where a plane lies in a layer without a file: see `sliders_of`."""
    entries = ((letter, axes[number].entry) for letter, number in sliders_of(axes).items())
    return {letter: entry for letter, entry in entries if entry is not None}


def standing_at(axes: Sequence[LayerAxis], entries: Sequence[int]) -> tuple[LayerAxis, ...]:
    """Return the axes of a layer with its sliders at other entries."""
    given = iter(entries)
    return tuple(each if each.entry is None else replace(each, entry=next(given)) for each in axes)


def locate(
    path: str | Path,
    plane: ImagePlane,
    axes: Sequence[LayerAxis],
    project: str | None = None,
    others: Sequence[tuple[ImagePlane, Sequence[LayerAxis]]] = (),
) -> Located | None:
    """Find the plane of a layer in its file, by the pixels.

    Parameters
    ----------
    path : str or Path
    plane : ImagePlane
        With all channels that the layer has.
    axes : sequence of LayerAxis
    project : str, optional
        How the plane was made of a stack, such as ``"z:max"``; `axes` has that axis, too.
    others : sequence of (ImagePlane, sequence of LayerAxis)
        Other planes of the layer, with the axes as they stand there. A plane that is even, such as an empty one at the
        end of a stack, looks the same in every channel: then one of them says which it is.

    Returns
    -------
    Located or None
        None where the file cannot be read, or what is read of it is never the same pixels.
    """
    how = Selection(project=project)
    try:
        for file, series in _files(Path(path)):
            for one, asked in _readings(file, axes):
                found = _matching(one, axes, plane, how)
                several = found is not None and (found.channel is not None or len(one.series) > 1)
                if several and others and _is_even(plane):
                    other, at = next(((each, at) for each, at in others if not _is_even(each)), (plane, axes))
                    found = _matching(one, at, other, how)
                if found is not None:
                    index = index_in(one, axes) or {}
                    selection = Selection(
                        axes=asked,
                        series=series,
                        z=None if "Z" not in index else str(index["Z"]),
                        t=None if "T" not in index else str(index["T"]),
                        project=project,
                    )
                    channel = {} if found.channel is None else {"C": found.channel}
                    return Located(selection, {**index, **channel})
    except (UtileError, ValueError, OSError):
        return None
    return None


def letters_in(file: ImageFile, axes: Sequence[LayerAxis]) -> dict[str, int] | None:
    """Name the sliders of a layer as its file does: letter -> number of the axis; None where they cannot be told."""
    numbers = [number for number, axis in enumerate(axes) if axis.entry is not None and axis.size > 1]
    sliders = [axes[number] for number in numbers]
    sizes = _sizes_of_sliders(file, axes)
    named = [letter_of(axis.name) for axis in sliders]
    for letters in (list(sizes), [each for each in sizes if each != "C"], named):
        if len(letters) == len(sliders) and all(
            letter is not None and sizes.get(letter) == axis.size
            for letter, axis in zip(letters, sliders, strict=True)
        ):
            return {str(letter): number for letter, number in zip(letters, numbers, strict=True)}
    return None


def index_in(file: ImageFile, axes: Sequence[LayerAxis]) -> dict[str, int] | None:
    """Give the entries of the file's axes at which the sliders stand; None where they cannot be told."""
    letters = letters_in(file, axes)
    if letters is None:
        return None
    at = {letter: int(axes[number].entry or 0) for letter, number in letters.items()}
    return {**{letter: 0 for letter in _sizes_of_sliders(file, axes) if letter != "C"}, **at}


def _sizes_of_sliders(file: ImageFile, axes: Sequence[LayerAxis]) -> dict[str, int]:
    """Return how long the file's axes are that the layer may have as sliders."""
    projected = [axis.role for axis in axes if axis.role in ("Z", "T")]
    return {
        letter: size
        for letter, size in zip(file.axes, file.data.shape, strict=True)
        if size > 1 and letter not in ("Y", "X", "S", *projected)
    }


def _files(path: Path) -> Iterator[tuple[ImageFile, str | None]]:
    """Open what the file gives by itself, then its other images."""
    try:
        first = read_image(path)
    except UtileError:
        first = None
    if first is not None:
        yield first, None
    names = series_of(path)
    for number in range(min(len(names), _MOST_SERIES)):
        if first is None or (len(first.series) > 1 and number != first.chosen):
            asked = series_to_ask_for(number, names)
            yield read_image(path, series=asked), asked


def _readings(file: ImageFile, axes: Sequence[LayerAxis]) -> Iterator[tuple[ImageFile, str | None]]:
    """Read the file's axes as the layer has them, where the shapes agree; else as the file names them."""
    longer = [axis for axis in axes if axis.size > 1]
    sizes = [size for size in file.data.shape if size > 1]
    if [axis.size for axis in longer] == sizes:
        letters = _as_the_layer(file, longer)
        same = letters == file.axes and not file.guessed
        yield replace(file, axes=letters, guessed=False), None if same else letters
    yield file, file.axes if file.guessed else None


def _as_the_layer(file: ImageFile, longer: Sequence[LayerAxis]) -> str:
    roles = iter(longer)
    letters: list[str] = []
    taken = {axis.role for axis in longer if axis.role}
    for letter, size in zip(file.axes, file.data.shape, strict=True):
        axis = None if size == 1 else next(roles)
        role = axis.role if axis else ""
        if not role:
            letter = (axis and letter_of(axis.name)) or letter
            usable = letter not in taken and letter in ("TZC" if size > 1 else LETTERS)
            free = "TZC" if letter != "S" else "CTZ"
            role = letter if usable else next(each for each in free + LETTERS if each not in taken)
            taken.add(role)
        letters.append(role)
    return "".join(letters)


@dataclass(frozen=True)
class _Match:
    """That a file holds a plane; and which of the channels there it is, where it is one of several."""

    channel: int | None = None


def _matching(file: ImageFile, axes: Sequence[LayerAxis], plane: ImagePlane, how: Selection) -> _Match | None:
    """Find the plane at which the sliders stand; None where that cannot be told, or the pixels differ."""
    index = index_in(file, axes)
    if index is None:
        return None
    read = SelectedPlanes(file, how).plane(index)
    if read.shape != plane.shape or np.dtype(read.data.dtype) != np.dtype(plane.data.dtype).newbyteorder("="):
        return None
    count, wanted = read.data.shape[0], plane.data.shape[0]
    if count == wanted or (read.rgb and plane.rgb):
        return _Match() if _same(read.data, plane.data) else None
    if wanted != 1 or count > _MOST_SERIES:
        return None
    channels = (each for each in range(count) if _same(read.with_channels([each]).data, plane.data))
    channel = next(channels, None)
    return None if channel is None else _Match(channel)


def _same(one: Any, other: Any) -> bool:
    """Compare the channels that both have: every pixel, of large planes blocks on a diagonal lattice."""
    channels = min(one.shape[0], other.shape[0])
    return all(
        np.array_equal(
            np.asarray(one[(slice(0, channels), *window)]),
            np.asarray(other[(slice(0, channels), *window)]),
            equal_nan=np.dtype(one.dtype).kind == "f",
        )
        for window in _windows(*one.shape[1:])
    )


def _is_even(plane: ImagePlane) -> bool:
    """Say whether what is compared of a plane has one value, NaN or another, in each channel."""
    for window in _windows(*plane.shape):
        part = np.asarray(plane.data[(slice(None), *window)])
        first = part[:, :1, :1]
        if not np.all((part == first) | ((part != part) & (first != first))):
            return False
    return True


def _windows(height: int, width: int) -> list[tuple[slice, slice]]:
    if height * width <= _WHOLE_PIXELS:
        return [(slice(None), slice(None))]
    return [
        (slice(y, y + _BLOCK), slice(x, x + _BLOCK))
        for y in range(0, height, max(_BLOCK, height // _BLOCKS))
        for x in range(0, width, max(_BLOCK, width // _BLOCKS))
    ]
