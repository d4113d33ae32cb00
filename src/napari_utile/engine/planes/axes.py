"""Image axes: from any array to the one plane (C, Y, X) that is segmented."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.arrays import as_array
from napari_utile.engine.planes.computed import computed
from napari_utile.engine.planes.naming import asked_axes, name_axes
from napari_utile.engine.planes.narrowed import narrowed
from napari_utile.engine.words import counted

PIXEL_KINDS = "buif"
"""NumPy kinds of numbers that an image may hold: bool, unsigned, signed, float."""
LARGEST_RGB = 4


@dataclass(frozen=True, eq=False)
class ImagePlane:
    """One plane of an image, as the engine wants it.

    Attributes
    ----------
    data : (C, Y, X) array-like
        NumPy, zarr, or of dask what is `Computed`; read by windows only.
    name : str
        What results are named after.
    rgb : bool
        Whether the channels are red, green and blue.
    pixel_size : (float, float) or None
        Of a pixel along y and x.
    unit : str or None
        Of the pixel size.
    """

    data: Any
    name: str = "image"
    rgb: bool = False
    pixel_size: tuple[float, float] | None = None
    unit: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", computed(self.data))
        if len(self.data.shape) != 3:
            raise ValueError(f"A plane has the axes (C, Y, X); got the shape {tuple(self.data.shape)}.")
        if 0 in self.data.shape:
            raise UtileError(f"{self.name} is empty: it has the shape {tuple(self.data.shape)}.")
        if np.dtype(self.data.dtype).kind not in PIXEL_KINDS:
            raise UtileError(f"{self.name} holds {self.data.dtype} values; an image holds real numbers.")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.data.shape[1]), int(self.data.shape[2])

    def with_channels(self, channels: Sequence[int]) -> "ImagePlane":
        """Return the plane with some of its channels, in the order given."""
        count = self.data.shape[0]
        if wrong := [channel for channel in channels if not 0 <= channel < count]:
            raise UtileError(
                f"{self.name} has {counted(count, 'channel')}, counted from 0; there is no channel {wrong[0]}."
            )
        if list(channels) == list(range(count)):
            return self
        return replace(self, data=_take_channels(self.data, list(channels)), rgb=False)

    def for_network(
        self, in_channels: int, channels: Sequence[int] | None = None, optional: int = 0
    ) -> "ImagePlane":
        """Return the plane with as many channels as the network reads.

        Parameters
        ----------
        in_channels : int
        channels : sequence of int, optional
            The ones to use. By default all where the number fits, the mean of red, green and blue where the network
            reads one, and else the first; optional ones only where they are chosen.
        optional : int
            How many of the network's channels, the last ones, may be missing: they are 0 everywhere then.

        Raises
        ------
        UtileError
            If the number does not fit, or two of the colours of an image would be read unasked.
        """
        needed = in_channels - optional
        if channels:
            chosen = self.with_channels(channels)
        elif self.data.shape[0] == needed:
            chosen = self
        elif needed == 1 and self.rgb:
            chosen = replace(self, data=MeanOfChannels(self.data), rgb=False)
        elif self.rgb and needed == 2:
            # nobody has said which stain is red and which is green
            raise UtileError(
                f"This model reads 2 channels, and {self.name} is a colour image: choose them, red is 0, "
                "green 1 and blue 2."
            )
        else:
            chosen = self.with_channels(range(min(needed, self.data.shape[0])))
        count = chosen.data.shape[0]
        if not needed <= count <= in_channels:
            reads = f"{needed} to {in_channels} channels" if optional else counted(in_channels, "channel")
            given = f"{counted(count, 'channel')} of {self.name} {'is' if count == 1 else 'are'} chosen"
            raise UtileError(f"This model reads {reads}, and {given}.")
        if count < in_channels:
            chosen = replace(chosen, data=WithZeros(chosen.data, in_channels - count))
        return chosen


class MeanOfChannels:
    """A colour image as grey values, read window by window: (1, Y, X) float32, the mean of the first three."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.shape = (1, *data.shape[1:])
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, index: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
        index = index if isinstance(index, tuple) else (index,)
        channel, window = index[0], index[1:]
        colours = np.asarray(self._data[(slice(0, 3), *window)])
        grey = narrowed(colours.mean(axis=0, dtype=np.float64))  # their sum can be too large for float32
        return grey if isinstance(channel, int) else grey[np.newaxis][channel]


class _Channels:
    """Some channels of an array that cannot be indexed by a list without reading it, such as a zarr array."""

    def __init__(self, data: Any, channels: list[int]) -> None:
        self._data, self._channels = data, channels
        self.shape = (len(channels), *data.shape[1:])
        self.dtype = data.dtype

    def __getitem__(self, index: Any) -> Any:
        index = index if isinstance(index, tuple) else (index,)
        chosen = self._channels[index[0]]
        if isinstance(chosen, int):
            return np.asarray(self._data[(chosen, *index[1:])])
        return np.stack([np.asarray(self._data[(channel, *index[1:])]) for channel in chosen])


class WithZeros:
    """The channels of an array, and after them some that are 0 everywhere."""

    def __init__(self, data: Any, count: int) -> None:
        self.source = data
        self.shape = (data.shape[0] + count, *data.shape[1:])
        self.dtype = data.dtype

    def __getitem__(self, index: Any) -> Any:
        index = index if isinstance(index, tuple) else (index,)
        chosen, window = range(self.shape[0])[index[0]], index[1:]
        if isinstance(chosen, int):
            return self._channel(chosen, window)
        return np.stack([self._channel(channel, window) for channel in chosen])

    def _channel(self, channel: int, window: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        if channel < self.source.shape[0]:
            return np.asarray(self.source[(channel, *window)])
        parts = zip(self.shape[1:], (*window, slice(None), slice(None)), strict=False)
        return np.zeros([len(range(size)[part]) for size, part in parts], self.dtype)


def _take_channels(data: Any, channels: list[int]) -> Any:
    if isinstance(data, np.ndarray):
        return data[channels]
    return _Channels(data, channels)


def plane_from_array(
    image: Any,
    axes: str | None = None,
    *,
    index: dict[str, int] | None = None,
    name: str = "image",
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
) -> ImagePlane:
    """Take one plane out of an image array.

    Parameters
    ----------
    image : array-like
        NumPy, dask, zarr, xarray, torch, nested lists.
    axes : str, optional
        A letter for each axis, of ``TZCYXS`` (S: colour samples). Without it the names that the array has, else the
        rule of `naming`: (Y, X), (C, Y, X) of up to 4 channels, or (Y, X, S).
    index : dict, optional
        Which entry of each axis but Y and X; the first by default, and all channels.
    name, pixel_size, unit
        See `ImagePlane`.

    Returns
    -------
    ImagePlane

    Raises
    ------
    UtileError
        If the array is not an image.
    """
    image, names = as_array(image)
    axes = asked_axes(axes, image.shape, name) if axes else guess_axes(image, names, name)
    index = index or {}
    channel = "S" if "S" in axes else "C"
    if 0 in image.shape:
        raise UtileError(f"{name} is empty: it has the shape {tuple(image.shape)}.")
    sizes = dict(zip(axes, image.shape, strict=True))
    for letter, entry in index.items():
        if letter in sizes and not 0 <= entry < sizes[letter]:
            raise UtileError(
                f"{name} has {sizes[letter]} entries along {letter}, and none with the number {entry}."
            )
    chosen = tuple(slice(None) if letter in ("Y", "X", channel) else index.get(letter, 0) for letter in axes)
    plane = image[chosen] if any(each != slice(None) for each in chosen) else image
    left = [letter for letter in axes if letter in ("Y", "X", channel)]
    if channel in left:
        order = [left.index(letter) for letter in (channel, "Y", "X")]
        data = _transposed(plane, order)
    else:
        data = _transposed(plane, [left.index("Y"), left.index("X")])[None]
    made = ImagePlane(data, name, "S" in axes and data.shape[0] in (3, LARGEST_RGB), pixel_size, unit)
    return made.with_channels([index[channel]]) if channel in index else made


def _transposed(array: Any, order: list[int]) -> Any:
    return array if order == sorted(order) else array.transpose(order)


def guess_axes(image: Any, names: Sequence[object] | None = None, what: str = "the image") -> str:
    """Name the axes of an array for a call that makes one plane: see `naming`.

    Raises
    ------
    UtileError
        Where the rule cannot tell.
    """
    return name_axes(image.shape, names, what, pages=False)[0]
