"""Label images in files: which belongs to which."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.names import (
    LABEL_BEGINNINGS,
    LABEL_ENDINGS,
    PICTURE_ENDINGS,
    as_path,
    beginning_and_name,
    name_and_ending,
)
from napari_utile.engine.files.ome_zarr import is_zarr
from napari_utile.engine.files.plates import plate_fields, results_of_plates

_PREFERRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "prediction": (LABEL_ENDINGS, ("_mask",), ("",), ("_truth",)),
    "reference": (("_truth",), LABEL_ENDINGS, ("_mask",), ("",)),
    "image": (("",), (*PICTURE_ENDINGS, "_mask", "_truth", *LABEL_ENDINGS)),
}
"""Which of several files with the same name is meant, by the ending that follows the name."""


@dataclass(frozen=True)
class _Named:
    """A file, what it is called without what tools append, and that ending; of a field of a plate, with its well."""

    path: Path
    name: str
    ending: str
    of_plate: bool = False


@dataclass(frozen=True)
class FilePair:
    """Two files of the same image: `first` and `second`, and the name that they share."""

    name: str
    first: Path
    second: Path


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

    Two single files are paired whatever they are called. Else names must be equal, up to suffixes of the file type and
    endings such as ``_labels`` or ``_masks``; what has no partner then is paired where it has one without regard to
    capitals, or to beginnings such as ``mask_``, ``img_`` and those of the Cell Tracking Challenge (``t000``,
    ``mask000``, ``man_seg000``). Where a folder holds several files with the same name,
    as `utile segment` writes them, the one that is meant is taken and the others are ignored: of a prediction
    ``cells_labels.tif`` before ``cells_mask.tif`` before ``cells.tif``, of a reference ``cells_truth.tif``
    before these, of an image ``cells.tif``. Probabilities are not labels. Results of a plate, which lie in folders of
    its wells, are paired with its fields, and with each other, by plate, well and field.

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
    ours, theirs = _listed(first), _listed(second)
    if any(each.of_plate for each in (*ours, *theirs)):
        ours, theirs = _with_fields(ours), _with_fields(theirs)
    elif len(ours) == len(theirs) == 1:
        return Pairing((FilePair(theirs[0].name, ours[0].path, theirs[0].path),), (), ())
    (one, beside_one), (other, beside_other) = _by_name(ours, first_is), _by_name(theirs, second_is)
    ignored = beside_one + beside_other
    if len(one) == len(other) == 1:
        (ours_left,), ((name, theirs_left),) = one.values(), other.items()
        return Pairing((FilePair(name, ours_left, theirs_left),), (), (), ignored)
    partners = _partners(list(one), list(other))
    return Pairing(
        tuple(FilePair(name, one[partners[name]], other[name]) for name in other if name in partners),
        tuple(path for name, path in one.items() if name not in partners.values()),
        tuple(path for name, path in other.items() if name not in partners),
        ignored,
    )


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
    found = _listed(labels)
    if len(found) == 1:
        return {found[0].name: found[0].path}, ()
    return _by_name(found, "prediction")


def _listed(item: str | Path) -> list[_Named]:
    """List the files that a file, folder or pattern stands for, and the results of plates in folders below it."""
    listed, path = [], as_path(item)
    of_plates = [] if path.is_file() or is_zarr(path) else results_of_plates(path)
    try:
        listed = [_Named(path, *name_and_ending(path)) for path in find_images([item])]
    except UtileError:
        if not of_plates:
            raise
    here = {each.path for each in listed}  # also where it is the folder of one well
    for path, place in of_plates:
        if path not in here:
            name, ending = name_and_ending(path)
            listed.append(_Named(path, f"{place}/{name}", ending, of_plate=True))
    return listed


def _with_fields(found: Sequence[_Named]) -> list[_Named]:
    """Put in the place of each plate its fields."""
    named = []
    for each in found:
        fields = plate_fields(each.path)
        named += [
            _Named(
                field.path,
                f"{field.plate}/{field.row}/{field.column}/{field.field.replace('/', '_')}",
                "",
                True,
            )
            for field in fields
        ] or [each]
    return named


def _by_name(found: Sequence[_Named], kind: str) -> tuple[dict[str, Path], tuple[Path, ...]]:
    """Choose one file of each name; return them by name, and the others."""
    groups: dict[str, list[tuple[int, Path]]] = {}
    for each in found:
        ranks = [rank for rank, endings in enumerate(_PREFERRED[kind]) if each.ending in endings]
        if ranks:
            groups.setdefault(each.name, []).append((ranks[0], each.path))
    named: dict[str, Path] = {}
    for name, group in groups.items():
        best = min(rank for rank, _ in group)
        chosen = [path for rank, path in group if rank == best]
        if len(chosen) > 1:
            what = "images called" if kind == "image" else "labels of"
            raise UtileError(
                f"{chosen[0].name} and {chosen[1].name} are both {what} {name}: keep one of them."
            )
        named[name] = chosen[0]
    named = _of_kind(named, labels=kind != "image")
    kept = set(named.values())
    return named, tuple(each.path for each in found if each.path not in kept)


def _of_kind(named: dict[str, Path], *, labels: bool) -> dict[str, Path]:
    """Where ``img_1`` and ``mask_1`` lie in one folder, keep those that hold labels, or those that do not."""
    kinds: dict[str, set[bool]] = {}
    for name in named:
        beginning, number = beginning_and_name(name)
        kinds.setdefault(number, set()).add(beginning in LABEL_BEGINNINGS)

    def is_meant(name: str) -> bool:
        beginning, number = beginning_and_name(name)
        return len(kinds[number]) == 1 or (beginning in LABEL_BEGINNINGS) == labels

    return {name: path for name, path in named.items() if is_meant(name)}
