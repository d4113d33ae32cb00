"""Packages that strangers made: looked at before anything is taken out of them."""

import stat
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from napari_utile.engine.errors import UtileError
from napari_utile.engine.words import counted

LARGEST = 4 << 30
"""Bytes of all parts together, unpacked."""
MOST_PARTS = 1000
MOST_PACKED = 200
"""How many times smaller a part may be packed; weights hardly shrink at all."""


class Archive:
    """The parts of a zip file, read one at a time; nothing is written to the disk.

    Parameters
    ----------
    path : Path

    Raises
    ------
    UtileError
        If it is not a zip file, or not one that a person packed in good faith.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._file = ZipFile(path)
            parts = self._file.infolist()
        except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise UtileError(f"{path.name} is not a readable zip file ({error}).") from error
        if len(parts) > MOST_PARTS:
            raise UtileError(f"{path.name} holds {counted(len(parts), 'file')}: that is not a model.")
        if sum(part.file_size for part in parts) > LARGEST:
            raise UtileError(f"{path.name} unpacks to more than {LARGEST >> 30} GB: that is not a model.")
        for part in parts:
            self._check(part)
        self.parts = {str(PurePosixPath(part.filename)): part for part in parts if not part.is_dir()}

    def _check(self, part: ZipInfo) -> None:
        path = PurePosixPath(part.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in part.filename or "\0" in part.filename:
            raise UtileError(
                f"{self.name} has a file outside its own folder ({part.filename[:60]!r}): it is not used."
            )
        if stat.S_ISLNK(part.external_attr >> 16):
            raise UtileError(f"{self.name} holds a link ({part.filename[:60]!r}): it is not used.")
        if part.flag_bits & 1:
            raise UtileError(f"{self.name} is locked with a password.")
        if part.file_size > MOST_PACKED * max(part.compress_size, 1) and part.file_size > 1 << 20:
            raise UtileError(
                f"{self.name} is packed {part.file_size // max(part.compress_size, 1)} times smaller than what it "
                "holds: that is not a model."
            )

    def read(self, name: str) -> bytes:
        """Return the bytes of a part.

        Raises
        ------
        UtileError
            If there is no such part, or it is damaged.
        """
        part = self.parts.get(str(PurePosixPath(name)))
        if part is None:
            raise UtileError(f"{self.name} names {name[:80]!r}, which it does not hold.")
        try:
            with self._file.open(part) as file:
                content = file.read(part.file_size + 1)
        except (BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise UtileError(f"{self.name} is damaged ({error}).") from error
        except Exception as error:  # zlib, bz2 and lzma have errors of their own
            raise UtileError(f"{self.name} is damaged ({error}).") from error
        if len(content) != part.file_size:
            raise UtileError(f"{self.name} is damaged: {name} is not as long as it says.")
        return content

    def close(self) -> None:
        """Close the file."""
        self._file.close()
