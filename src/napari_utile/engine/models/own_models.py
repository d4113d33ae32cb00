"""The user's own models: imported, renamed, copied, deleted and taken back; nothing is ever lost for good.

In the folder of `user_model_folder`: ``NAME.safetensors``, earlier versions in ``versions/NAME/N.safetensors``, and
what was deleted in ``trash``. One lock keeps several programs apart.
"""

import contextlib
import json
import os
import re
import shutil
import struct
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.targets import check_writable
from napari_utile.engine.models.card import ModelCard, read_card
from napari_utile.engine.models.catalogue import BUNDLED_FOLDER, SUFFIX, find_model, user_model_folder

LOCK_SECONDS = 10
_LETTERS, _BYTES = (
    80,
    200,
)  # of a name, with room for what is added to it within the 255 bytes that disks allow


def safe_name(title: str) -> str:
    """Give a title as the name of a file: letters, digits, dots, dashes and underscores.

    Letters lose their accents; those of other alphabets stay as they are.

    Raises
    ------
    UtileError
        If nothing is left of it.

    Examples
    --------
    >>> safe_name("Dr. Müller's cells, 40x"), safe_name("细胞, 40x")
    ('Dr.-Mullers-cells-40x', '细胞-40x')
    """
    plain = unicodedata.normalize("NFKD", title)
    if any(letter.isalpha() and not letter.isascii() for letter in plain):
        plain = unicodedata.normalize("NFKC", title)
    else:
        plain = plain.encode("ascii", "ignore").decode()
    name = re.sub(r"[^\w.-]+", "-", plain.replace("'", "")).strip("-._")
    name = _cut(name[:_LETTERS])
    if not name:
        raise UtileError(
            f"{title!r} cannot be the name of a model: use at least one letter from a to z, or a digit."
        )
    return name


def _cut(name: str) -> str:
    return name.encode()[:_BYTES].decode(errors="ignore")


@contextlib.contextmanager
def library_lock() -> Iterator[Path]:
    """Keep other programs from changing the user's models; give their folder, which is made where it is missing.

    Raises
    ------
    UtileError
        If the folder cannot be written in, or another program does not let go of it.
    """
    folder = user_model_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UtileError(f"Cannot create the folder {folder}: {error.strerror or error}.") from error
    check_writable(folder)
    try:
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            yield folder
    except Timeout as error:
        raise UtileError(f"Another program is changing the models in {folder}: try again later.") from error


def import_model(file: str | Path, name: str | None = None) -> Path:
    """Copy a model file into the library.

    Parameters
    ----------
    file : str or Path
    name : str, optional
        Its title here; that of the file by default.

    Returns
    -------
    Path
        Its file in the library.

    Raises
    ------
    UtileError
        If it is not a model file, or there is a model of this name already.
    """
    card = read_card(Path(file))
    with library_lock() as folder:
        return _copy(Path(file), folder, card, name or card.name)


def duplicate_model(name: str, new: str) -> Path:
    """Copy a model, also a bundled one, into the library under another name."""
    path = find_model(name)
    with library_lock() as folder:
        return _copy(path, folder, replace(read_card(path), title=new), new)


def rename_model(name: str, new: str) -> Path:
    """Give one of the user's models another name, or another title of the same name; its versions go with it.

    Raises
    ------
    UtileError
        If it is none of the user's models, or the name is taken, also by earlier versions of a model that is gone.
    """
    with library_lock() as folder:
        path = _own(name, folder)
        renamed = new_place(folder, new, before=path)
        versions, there = versions_folder(path), versions_folder(renamed)
        own = versions.is_dir() and there.exists() and there.samefile(versions)
        if not own and there.is_dir() and any(there.iterdir()):
            raise UtileError(
                f"{there} holds versions of a model that is gone: move this folder away, or choose another name."
            )
        write_named(path, renamed, replace(read_card(path), title=new))
        if not renamed.samefile(path):  # as where some disks do not tell capitals apart
            path.unlink()
        if versions.is_dir():
            os.replace(versions, there)
        return renamed


def delete_model(name: str) -> Path:
    """Move one of the user's models, with its versions, to the trash; return where it lies there."""
    with library_lock() as folder:
        path = _own(name, folder)
        thrown = _place_in_trash(path)
        if versions_folder(path).is_dir():
            os.replace(versions_folder(path), thrown.with_suffix(""))
        os.replace(path, thrown)
        return thrown


def _place_in_trash(path: Path) -> Path:
    """Return where a model of the library goes in the trash, under its name and the time."""
    trash = path.parent / "trash"
    trash.mkdir(exist_ok=True)
    stem = f"{_cut(path.stem)}-{time.strftime('%Y%m%d-%H%M%S')}"
    return trash / f"{free_stem(trash, stem)}{SUFFIX}"


def revert_model(name: str, version: int | None = None) -> Path:
    """Take back an earlier version of a model; the present one goes to the trash, other versions stay.

    Parameters
    ----------
    name : str
    version : int, optional
        The number of its file, see `kept_versions`; the highest by default.

    Raises
    ------
    UtileError
        If it is none of the user's models, or has no such version.
    """
    with library_lock() as folder:
        path = _own(name, folder)
        kept = [each for each in kept_versions(path) if version in (None, int(each.stem))]
        if not kept:
            which = "earlier version" if version is None else f"version {version}"
            raise UtileError(f"There is no {which} of {path.stem}.")
        shutil.copyfile(path, _place_in_trash(path))
        # It may have had another name, and was numbered when it was kept where its card did not say which it is.
        write_named(kept[-1], path, replace(read_card(kept[-1]), version=kept[-1].stem))
        kept[-1].unlink()
        return path


def disk_use() -> tuple[int, int]:
    """Return how many bytes the user's models and training sets take, and how many of them lie in the trash."""
    folder = user_model_folder()
    taken, thrown = (
        sum(path.stat().st_size for path in place.rglob(f"*{SUFFIX}") if path.is_file())
        for place in (folder, folder / "trash")
    )
    return taken, thrown


def empty_trash() -> Path:
    """Delete what lies in the trash for good; return the folder."""
    with library_lock() as folder:
        shutil.rmtree(folder / "trash", ignore_errors=True)
        return folder / "trash"


def keep_version(path: Path) -> Path | None:
    """Keep a model of the library that is about to be replaced; return where, None where there is nothing to keep."""
    if not path.is_file() or path.resolve().parent != user_model_folder().resolve():
        return None
    versions = versions_folder(path)
    versions.mkdir(parents=True, exist_ok=True)
    kept = versions / f"{version_of(path)}{SUFFIX}"
    with atomic_path(kept) as temporary:
        shutil.copyfile(path, temporary)
    return kept


def version_of(path: Path) -> int:
    """Return the number of a model of the library: its card's, or the next one where an earlier version has that."""
    numbers = [int(each.stem) for each in kept_versions(path)]
    with contextlib.suppress(UtileError):  # a damaged file is numbered, too
        said = read_card(path).version
        if said.isdecimal() and int(said) > 0 and int(said) not in numbers:
            return int(said)
    return max(numbers, default=0) + 1


def kept_versions(path: Path) -> list[Path]:
    """List the earlier versions of a model of the library, the oldest first."""
    found = [each for each in versions_folder(path).glob(f"*{SUFFIX}") if each.stem.isdecimal()]
    return sorted(found, key=lambda each: int(each.stem))


def versions_folder(path: Path) -> Path:
    """Return where the earlier versions of a model of the library lie."""
    return path.parent / "versions" / path.stem


def check_not_bundled(title: str) -> None:
    """Refuse the name of a bundled model: it would be used in its place wherever that is named.

    Raises
    ------
    UtileError
    """
    name = safe_name(title)
    if name.lower() in {path.stem.lower() for path in BUNDLED_FOLDER.glob(f"*{SUFFIX}")}:
        raise UtileError(f"There is a model named {name} already: choose another name.")


def check_no_bundled_place(path: Path) -> None:
    """Refuse a file of the library that would be used in place of a bundled model.

    Raises
    ------
    UtileError
    """
    if path.resolve().parent == user_model_folder().resolve():
        check_not_bundled(path.stem)


def _own(name: str, folder: Path) -> Path:
    path = find_model(name)
    if path.resolve().parent != folder.resolve():
        raise UtileError(f"{path.stem} is not one of your models: duplicate it first, or import its file.")
    return path


def free_stem(folder: Path, stem: str, suffix: str = SUFFIX) -> str:
    """Add a number where a file with this name is there."""
    names = [stem, *(f"{stem}-{number}" for number in range(2, 10_000))]
    return next(name for name in names if not os.path.lexists(folder / f"{name}{suffix}"))


def new_place(folder: Path, title: str, before: Path | None = None) -> Path:
    """Return where a model of this title lies in the library: a new one, or one that lay elsewhere before.

    Raises
    ------
    UtileError
        If there is a model of this name already, also a bundled one.
    """
    check_not_bundled(title)
    name = safe_name(title)
    others = (path for path in folder.glob(f"*{SUFFIX}") if before is None or path.name != before.name)
    taken = {path.stem.lower() for path in others}  # some disks do not tell capitals apart
    if name.lower() in taken:
        raise UtileError(f"There is a model named {name} already: choose another name.")
    return folder / f"{name}{SUFFIX}"


def _copy(source: Path, folder: Path, card: ModelCard, title: str) -> Path:
    """Copy a model file into the library under another name."""
    target = new_place(folder, title)
    write_named(source, target, replace(card, title=title if title != target.stem else card.title))
    return target


def write_named(source: Path, target: Path, card: ModelCard) -> None:
    """Write a model's file, also over itself, with its file name on the card: a new header, the same weights."""
    new = replace(card, name=target.stem)
    with atomic_path(target) as temporary, source.open("rb") as old, temporary.open("wb") as file:
        (length,) = struct.unpack("<Q", old.read(8))
        header = json.loads(old.read(length))
        header["__metadata__"] = {**header.get("__metadata__", {}), **new.to_header()}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        file.write(struct.pack("<Q", len(text)) + text)
        shutil.copyfileobj(old, file)
