"""Label images in files: which belongs to which."""

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.image_file import name_of_series
from napari_utile.engine.files.images import series_of
from napari_utile.engine.files.names import (
    LABEL_BEGINNINGS,
    LABEL_ENDINGS,
    PICTURE_ENDINGS,
    as_path,
    beginning_and_name,
    name_and_ending,
)
from napari_utile.engine.files.ome_zarr import is_zarr
from napari_utile.engine.files.plates import PlateField, plate_fields, results_of_plates, well_of_folder
from napari_utile.engine.files.tiff_series import series_to_ask_for

_PREFERRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "prediction": (LABEL_ENDINGS, ("_mask",), ("",), ("_truth",)),
    "reference": (("_truth",), LABEL_ENDINGS, ("_mask",), ("",)),
    "image": (("",), (*PICTURE_ENDINGS, "_mask", "_truth", *LABEL_ENDINGS)),
}
"""Which of several files with the same name is meant, by the ending that follows the name."""


@dataclass(frozen=True)
class _Named:
    """A file, or one image in it, what it is called without what tools append, and that ending.

    ``well`` is plate, row and column where it lies in the folder of a well; ``below`` says that this folder was found
    below the given one; ``field`` and ``series`` are as those of `FilePair`.
    """

    path: Path
    name: str
    ending: str
    well: str = ""
    below: bool = False
    field: PlateField | None = None
    series: str | None = None

    def in_plate(self) -> "_Named":
        """Call it by plate, well and field, where it has a well."""
        return replace(self, name=f"{self.well}/{self.name}") if self.well else self


@dataclass(frozen=True)
class FilePair:
    """Two files of the same image: `first` and `second`, and the name that they share.

    Attributes
    ----------
    field : PlateField or None
        Of the plate that one of them lies in.
    series : str or None
        By which the image is asked for in its file, where both are of one of several.
    """

    name: str
    first: Path
    second: Path
    field: PlateField | None = None
    series: str | None = None


@dataclass(frozen=True)
class Pairing:
    """Files paired by name, those of each side that found no partner, and those that lay beside what was meant."""

    pairs: tuple[FilePair, ...]
    first_alone: tuple[Path, ...]
    second_alone: tuple[Path, ...]
    ignored: tuple[Path, ...] = ()


def pair_files(
    first: str | Path,
    second: str | Path,
    first_is: str = "prediction",
    second_is: str = "reference",
) -> Pairing:
    """Pair two files, or the files of two folders or patterns by their names.

    Two files that are given themselves are paired whatever they are called. Else names must be equal, up to suffixes
    of the file type and endings such as ``_labels`` or ``_masks``; what has no partner then is paired where it has
    one without regard to capitals, or to beginnings such as ``mask_``, ``img_`` and those of the Cell Tracking
    Challenge (``t000``, ``mask000``, ``man_seg000``). Where a folder holds several files with the same name, as
    `utile segment` writes them, the one that is meant is taken and the others are ignored: of a prediction
    ``cells_labels.tif`` before ``cells_mask.tif`` before ``cells.tif``, of a reference ``cells_truth.tif`` before
    these, of an image ``cells.tif``. Probabilities are not labels. Results of a plate, which lie in folders of its
    wells, are paired with its fields, and with each other, by plate, well and field. Labels of several images of one
    file, ``file_image_labels.tif``, are paired with these.

    Parameters
    ----------
    first, second
        File, folder or pattern.
    first_is, second_is : {"prediction", "reference", "image"}
        What each side holds.

    Raises
    ------
    UtileError
        If one side does not exist or holds no image, or two files of one side are equally good.
    """
    ours, theirs, aside = _both_sides(first, second)
    if _is_file(first) and _is_file(second) and _are_two(ours, theirs):
        return Pairing((_pair(theirs[0].name, ours[0], theirs[0]),), (), (), aside)
    (one, beside_one), (other, beside_other) = _by_name(ours, first_is), _by_name(theirs, second_is)
    ignored = aside + beside_one + beside_other
    one, other = (
        _with_series(one, other) if first_is == "image" else one,
        _with_series(other, one) if second_is == "image" else other,
    )
    partners = _partners(list(one), list(other))
    return Pairing(
        tuple(_pair(name, one[partners[name]], other[name]) for name in other if name in partners),
        tuple(each.path for name, each in one.items() if name not in partners.values()),
        tuple(each.path for name, each in other.items() if name not in partners),
        ignored,
    )


def _pair(name: str, one: _Named, other: _Named) -> FilePair:
    return FilePair(name, one.path, other.path, one.field or other.field, one.series or other.series)


def _is_file(item: str | Path) -> bool:
    path = as_path(item)
    return os.path.isfile(path) or is_zarr(path)


def _are_two(ours: Sequence[_Named], theirs: Sequence[_Named]) -> bool:
    """Say whether there is one image on each side, not both called by their wells."""
    every = (*ours, *theirs)
    return len(ours) == len(theirs) == 1 and not all("/" in each.name for each in every)


def _both_sides(first: str | Path, second: str | Path) -> tuple[list[_Named], list[_Named], tuple[Path, ...]]:
    """List the files of both sides, called by their wells where a plate is meant; and those that are left aside.

    A plate is meant where one side is one, or has results of several wells or below its folder. Such results beside
    others are left aside where the other side has no well at all: they are a copy, or of another plate.
    """
    ours, theirs = _listed(first), _listed(second)
    if any(each.well for each in (*ours, *theirs)):
        ours, theirs = _with_fields(ours), _with_fields(theirs)
    aside: set[_Named] = set()
    for side, others in ((ours, theirs), (theirs, ours)):
        if not any(each.well for each in others) and not all(each.below for each in side):
            aside |= {each for each in side if each.below}
    left_aside = tuple(each.path for each in (*ours, *theirs) if each in aside)
    ours, theirs = ([each for each in side if each not in aside] for side in (ours, theirs))
    if any(_is_of_plate(side) for side in (ours, theirs)):
        ours, theirs = ([each.in_plate() for each in side] for side in (ours, theirs))
    return ours, theirs, left_aside


def _is_of_plate(side: Sequence[_Named]) -> bool:
    several = len({each.well for each in side} - {""}) > 1
    return several or any(each.below or each.field is not None for each in side)


def _partners(ours: list[str], theirs: list[str]) -> dict[str, str]:
    """Give the name of ours that belongs to each of theirs: the same, else but for capitals, else for beginnings."""
    partners: dict[str, str] = {}
    for key in (str, str.lower, lambda name: beginning_and_name(name)[1]):
        left = _unique(key, [name for name in ours if name not in partners.values()])
        for shared, name in _unique(key, [name for name in theirs if name not in partners]).items():
            if shared in left:
                partners[name] = left[shared]
    return partners


def _unique(key: Callable[[str], str], names: list[str]) -> dict[str, str]:
    counts = Counter(map(key, names))
    return {key(name): name for name in names if counts[key(name)] == 1}


def find_labels(labels: str | Path) -> tuple[dict[str, Path], tuple[Path, ...]]:
    """List by name the label images that a file, folder or pattern stands for, and what lies beside them and is none.

    Raises
    ------
    UtileError
        If there is none, or two files are equally good for one name.
    """
    found = [each.in_plate() for each in _listed(labels)]
    if len(found) == 1:
        return {found[0].name: found[0].path}, ()
    named, beside = _by_name(found, "prediction")
    return {name: each.path for name, each in named.items()}, beside


def _listed(item: str | Path) -> list[_Named]:
    """List the files that a file, folder or pattern stands for, and the results of plates in folders below it."""
    path = as_path(item)
    below = results_of_plates(path) if os.path.isdir(path) and not is_zarr(path) else []
    try:
        here = find_images([item])
    except UtileError:
        if not below:
            raise
        here = []
    return [
        _Named(path, *name_and_ending(path), well_of_folder(path.parent), is_below)
        for paths, is_below in ((here, False), (below, True))
        for path in paths
    ]


def _with_fields(found: Sequence[_Named]) -> list[_Named]:
    """Put in the place of each plate its fields."""
    named = []
    for each in found:
        named += [
            _Named(
                field.path,
                field.field.replace("/", "_"),
                "",
                f"{field.plate}/{field.row}/{field.column}",
                field=field,
            )
            for field in plate_fields(each.path)
        ] or [each]
    return named


def _with_series(images: dict[str, _Named], labels: Collection[str]) -> dict[str, _Named]:
    """Put in the place of a file of several images those of which there are labels: ``file_image`` of ``file``."""
    wanted: dict[str, list[str]] = {}
    for label in labels:
        parts = [] if label in images else label.split("_")
        for count in range(1, len(parts)):
            wanted.setdefault("_".join(parts[:count]), []).append(label)
    named: dict[str, _Named] = {}
    for name, image in images.items():
        series: tuple[str, ...] = ()
        if name in wanted:
            with suppress(UtileError):  # said where it is read
                series = series_of(image.path)
        of_labels = {
            called: replace(image, name=called, series=series_to_ask_for(number, series))
            for number in range(len(series))
            if (called := name_of_series(image.path, series, number)) in wanted[name]
        }
        named |= of_labels
        if not of_labels or name in labels:
            named[name] = image
    return named


def _by_name(found: Sequence[_Named], kind: str) -> tuple[dict[str, _Named], tuple[Path, ...]]:
    """Choose one file of each name; return them by name, and the others."""
    groups: dict[str, list[tuple[int, _Named]]] = {}
    for each in found:
        ranks = [rank for rank, endings in enumerate(_PREFERRED[kind]) if each.ending in endings]
        if ranks:
            groups.setdefault(each.name, []).append((ranks[0], each))
    named: dict[str, _Named] = {}
    for name, group in groups.items():
        best = min(rank for rank, _ in group)
        chosen = [each for rank, each in group if rank == best]
        if len(chosen) > 1:
            what = "images called" if kind == "image" else "labels of"
            raise UtileError(_alike(chosen[0].path, chosen[1].path, f"{what} {name}"))
        named[name] = chosen[0]
    named = _of_kind(named, labels=kind != "image")
    kept = {each.path for each in named.values()}
    return named, tuple(each.path for each in found if each.path not in kept)


def _alike(one: Path, other: Path, what: str) -> str:
    """Say that two files are equally good for a name, by the parts of their paths that differ, and what helps."""
    common = os.path.commonpath([one.parent, other.parent])
    both = " and ".join(str(path.relative_to(common)) for path in (one, other))
    if one.parent != other.parent:
        return f"{both} are both {what}: give one folder at a time."
    rest = max((path.name[len(name_and_ending(path)[0]) :] for path in (one, other)), key=len)
    return f"{both} are both {what}: say which kind of file is meant by a pattern, such as '*{rest}'."


def _of_kind(named: dict[str, _Named], *, labels: bool) -> dict[str, _Named]:
    """Where ``img_1`` and ``mask_1`` lie in one folder, keep those that hold labels, or those that do not."""
    kinds: dict[str, set[bool]] = {}
    for name in named:
        beginning, number = beginning_and_name(name)
        kinds.setdefault(number, set()).add(beginning in LABEL_BEGINNINGS)

    def is_meant(name: str) -> bool:
        beginning, number = beginning_and_name(name)
        return len(kinds[number]) == 1 or (beginning in LABEL_BEGINNINGS) == labels

    return {name: each for name, each in named.items() if is_meant(name)}
