"""Which pixels of an image are read: of its series, axes, planes and a projection; what was taken, in words."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Protocol

from napari_utile.engine.errors import UtileError
from napari_utile.engine.parameters import Bounds, check_bounds
from napari_utile.engine.planes.axes import ImagePlane, plane_from_array
from napari_utile.engine.planes.naming import checked_letters, order_to_show
from napari_utile.engine.planes.projection import PROJECTIONS, project_stack, projected
from napari_utile.engine.planes.spread import MOST_SEEN, spread
from napari_utile.engine.windows import Window


@dataclass(frozen=True)
class Selection:
    """Which pixels are read."""

    axes: Annotated[
        str | None,
        Bounds(
            label="Axes",
            help="A letter for each axis of the file, out of TCZYXS (S: colours), where the file does not name "
            "them or names them wrong.",
        ),
    ] = None
    series: Annotated[
        str | None,
        Bounds(
            label="Series",
            help="Number or name of the image, where a file holds several; 'all' takes every one.",
        ),
    ] = None
    z: Annotated[str | None, Bounds(label="Z", help="Planes along Z: N, A:B (without B) or all.")] = None
    t: Annotated[str | None, Bounds(label="T", help="Planes along T: N, A:B (without B) or all.")] = None
    project: Annotated[
        str | None,
        Bounds(
            label="Project",
            help="Make one plane of a stack: z:max, z:mean, or z:focus for the sharpest plane; t: likewise.",
        ),
    ] = None
    accept_missing: Annotated[
        bool,
        Bounds(label="Accept missing", help="Read planes that a file announces and that are lost as black."),
    ] = False

    def __post_init__(self) -> None:
        check_bounds(self)
        if self.axes is not None:
            checked_letters(self.axes)
        for axis in "ZT":
            _parsed(getattr(self, axis.lower()), axis)
        if self.project is not None:
            axis, _, how = self.project.partition(":")
            if axis.lower() not in ("z", "t") or how not in PROJECTIONS:
                raise ValueError(
                    f"project is z:max, z:mean, z:focus, or the same of t; got {self.project!r}."
                )

    @classmethod
    def of(
        cls,
        axes: str | None,
        series: str | int | None,
        z: str | int | None,
        t: str | int | None,
        project: str | None,
    ) -> "Selection":
        """Give what a call from Python says, where one series or plane may be a number."""
        series, z, t = (None if each is None else str(each) for each in (series, z, t))
        return cls(axes=axes, series=series, z=z, t=t, project=project)

    @property
    def projection(self) -> tuple[str, str] | None:
        """The axis and the way, such as ``("Z", "max")``."""
        if self.project is None:
            return None
        axis, _, how = self.project.partition(":")
        return axis.upper(), how

    def entries(self, axis: str, size: int, what: str) -> range:
        """Give the entries of an axis that are taken.

        Raises
        ------
        UtileError
            If there are no such entries.
        """
        chosen = _parsed(getattr(self, axis.lower(), None), axis) if axis in "ZT" else None
        if chosen is None:
            return range(size)
        start, stop = chosen
        stop = size if stop is None else stop
        if not 0 <= start < stop <= size:
            raise UtileError(
                f"{what} has {size} entr{'y' if size == 1 else 'ies'} along {axis}, counted from 0; "
                f"--{axis.lower()} {getattr(self, axis.lower())} asks for others."
            )
        return range(start, stop)


def _parsed(text: str | None, axis: str) -> tuple[int, int | None] | None:
    if text is None or text == "all":
        return None
    start, colon, stop = text.partition(":")
    try:
        first = int(start) if start or not colon else 0
        return (first, int(stop) if stop else None) if colon else (first, first + 1)
    except ValueError as error:
        raise ValueError(f"{axis.lower()} is N, A:B or all; got {text!r}.") from error


class _Image(Protocol):
    """What a file gives: see `files.image_file.ImageFile`."""

    data: Any
    axes: str
    pixel_size: tuple[float, float] | None
    unit: str | None
    notes: tuple[str, ...]
    guessed: bool

    @property
    def name(self) -> str: ...
    @property
    def shown_name(self) -> str: ...


@dataclass(frozen=True, eq=False)
class SelectedPlanes:
    """The planes of an image that a selection takes; iterate it for (index, plane).

    Attributes
    ----------
    image : ImageFile
    selection : Selection
    region : Window, optional
        The rows and columns that are taken; all by default.
    """

    image: Any
    selection: Selection = Selection()
    region: Window | None = None

    @cached_property
    def entries(self) -> dict[str, range]:
        """What is taken of each axis of planes that is longer than 1, in the order of the image."""
        channel = "S" if "S" in self.image.axes else "C"
        sizes = dict(zip(self.image.axes, self.image.data.shape, strict=True))
        for axis in "ZT":
            if sizes.get(axis, 1) == 1:  # refuses others than the one that there is
                self.selection.entries(axis, 1, self.image.name)
        return {
            axis: self.selection.entries(axis, size, self.image.name)
            for axis, size in sizes.items()
            if axis not in ("Y", "X", channel) and size > 1
        }

    @property
    def _stepped(self) -> dict[str, range]:
        projection = self.selection.projection
        if projection and projection[0] not in self.image.axes:
            raise UtileError(
                f"{self.image.name} has no axis {projection[0]} to project; its axes are {self.image.axes}."
            )
        return {
            axis: entries
            for axis, entries in self.entries.items()
            if projection is None or axis != projection[0]
        }

    @property
    def sliders(self) -> dict[str, int]:
        """The axes of planes that are longer than 1, without a projected one, and how long they are in the image."""
        sizes = dict(zip(self.image.axes, self.image.data.shape, strict=True))
        return {axis: int(sizes[axis]) for axis in self._stepped}

    @property
    def stacked(self) -> str:
        """The axes along which results are stacked before Y and X."""
        return "".join(axis for axis, entries in self._stepped.items() if len(entries) > 1)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many planes there are along them."""
        return tuple(len(entries) for entries in self._stepped.values() if len(entries) > 1)

    @property
    def indices(self) -> list[dict[str, int]]:
        """Where in the image each plane lies."""
        stepped = self._stepped
        return [dict(zip(stepped, each, strict=True)) for each in itertools.product(*stepped.values())]

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[tuple[dict[str, int], ImagePlane]]:
        for index in self.indices:
            yield index, self.plane(index)

    def check_several(self, axis: str, asked: str, spelled: str = "--{} {}") -> None:
        """Check that there are planes along an axis.

        Parameters
        ----------
        axis : {"Z", "T"}
        asked : str
            What needs them, as it was written.
        spelled : str
            How an option and its value are written; as in a command by default.

        Raises
        ------
        UtileError
            If there is one at most, with what to do.
        """
        if axis in self.stacked:
            return
        read, name, selection = self.image.axes, self.image.shown_name, self.selection
        if axis not in read:
            other = next(
                (each for each in self.stacked if getattr(selection, each.lower(), None) is None), ""
            )
            axes = spelled.format("axes", read.replace(other, axis))
            named = f", or say what they are, such as {axes}" if other else ""
            raise UtileError(
                f"{name} has no planes along {axis}, its axes are {read}: leave out {asked}{named}."
            )
        if axis not in self.entries:
            raise UtileError(f"{name} has one plane along {axis}, and {asked} needs several: leave it out.")
        option = "project" if axis in (selection.projection or ()) else axis.lower()
        chosen = spelled.format(option, getattr(selection, option))
        raise UtileError(
            f"{chosen} leaves one plane of {name} along {axis}, and {asked} needs several: leave out one of the two."
        )

    def measured_on(self, most: int = MOST_SEEN) -> list[ImagePlane]:
        """Give some planes of the whole stack, evenly spread, whatever is selected of it.

        What is measured on them, cell size and grey limits, is the same for one plane of the stack and for all.
        """
        axis = self.selection.projection[0] if self.selection.projection else ""
        selection = self.selection
        z, t = (getattr(selection, each.lower()) if each == axis else None for each in "ZT")
        whole = replace(self, selection=replace(selection, z=z, t=t), region=None)
        indices = whole.indices
        return [whole.plane(indices[place]) for place in spread(len(indices), most)]

    def plane(self, index: dict[str, int]) -> ImagePlane:
        """Give the plane of an index, projected where that is asked for."""
        projection = self.selection.projection
        if projection is None or projection[0] not in self.entries:
            plane = self._one(index)
        else:
            axis, how = projection
            plane = projected([self._one({**index, axis: entry}) for entry in self.entries[axis]], how)
        return plane if self.region is None else replace(plane, data=plane.data[(slice(None), *self.region)])

    def as_image(self) -> Any:
        """Give the image of these planes alone, in the order that viewers show; what is lazy stays so.

        Returns
        -------
        ImageFile
            Its axes are those that results are stacked along, rows, columns, and channels or colours.
        """
        order = order_to_show(self.image.axes)
        axes = "".join(self.image.axes[place] for place in order)
        parts = (self.entries.get(axis) for axis in axes)
        taken = tuple(slice(part.start, part.stop) if part else slice(None) for part in parts)
        data, projection = self.image.data.transpose(order)[taken], self.selection.projection
        if projection and projection[0] in self.entries:
            channel = next((axes.index(each) for each in "SC" if each in axes), None)
            data = project_stack(data, axes.index(projection[0]), projection[1], channel)
            axes = axes.replace(projection[0], "")
        region = dict(zip("YX", self.region or Window(), strict=False))
        kept = f"{self.stacked}{'S' if 'S' in axes else 'C'}YX"
        data = data[tuple(region.get(axis, slice(None)) if axis in kept else 0 for axis in axes)]
        return replace(self.image, data=data, axes="".join(axis for axis in axes if axis in kept))

    def _one(self, index: dict[str, int]) -> ImagePlane:
        image = self.image
        return plane_from_array(
            image.data,
            image.axes,
            index=index,
            name=image.name,
            pixel_size=image.pixel_size,
            unit=image.unit,
        )

    def taken(self, channels: Sequence[int] | None = None, needed: int = 1) -> str:
        """Say in a phrase which pixels were taken: ``"3 planes along Z, channel 0 of 2"``; empty for a plain plane.

        Parameters
        ----------
        channels : sequence of int, optional
            What was chosen.
        needed : int
            How many channels the network reads.
        """
        said = []
        if self.stacked:
            said.append(f"{len(self)} planes along {' and '.join(self.stacked)}")
        for axis, entries in self.entries.items():
            size = self.image.data.shape[self.image.axes.index(axis)]
            if self.selection.projection and axis == self.selection.projection[0]:
                said.append(
                    f"{PROJECTIONS[self.selection.projection[1]]} of {len(entries)} planes along {axis}"
                )
            elif len(entries) == 1:
                said.append(f"{axis} {entries[0]} of {size}")
            elif len(entries) < size:
                said.append(f"{axis} {entries.start} to {entries.stop - 1} of {size}")
        axes, shape = self.image.axes, self.image.data.shape
        count = next((shape[axes.index(axis)] for axis in "SC" if axis in axes), 1)
        said.append(channels_in_words(count, channels, needed, colours="S" in axes))
        if self.image.guessed:
            said.append(f"axes without names, read as {self.image.axes}: --axes says otherwise")
        return ", ".join(filter(None, [*said, *self.image.notes]))


def first_of(indices: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Give where in their image stacked planes begin, along each axis that is not projected.

    Examples
    --------
    >>> first_of([{"T": 0, "Z": 2}, {"T": 0, "Z": 3}])
    {'T': 0, 'Z': 2}
    """
    return {axis: min(int(index[axis]) for index in indices) for axis in indices[0]}


def channels_in_words(
    count: int, channels: Sequence[int] | None = None, needed: int = 1, *, colours: bool = False
) -> str:
    """Say which channels of an image are read, see `ImagePlane.for_network`; empty where all are.

    Parameters
    ----------
    count : int
        How many it has.
    channels : sequence of int, optional
        What was chosen.
    needed : int
        How many the network reads.
    colours : bool
        Whether they are colours.

    Examples
    --------
    >>> channels_in_words(2), channels_in_words(3, (2, 0), 2), channels_in_words(3, colours=True)
    ('channel 0 of 2', 'channels 2, 0 of 3', 'mean of red, green and blue')
    """
    if channels:
        many = "channel" if len(channels) == 1 else "channels"
        return f"{many} {', '.join(map(str, channels))} of {count}" if count > 1 else ""
    if count in (1, needed):
        return ""
    if needed == 1 and colours and count in (3, 4):
        return "mean of red, green and blue"
    first = ", ".join(map(str, range(min(needed, count))))
    return f"channel{'s' if needed > 1 else ''} {first} of {count}"
