"""Files one after the other: what fails in one of them is one sentence, and the others are done."""

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.files.names import image_name
from napari_utile.engine.inference.confidence import WHAT_TO_DO, Fit


class Batch:
    """Counts what failed, and for what the model does not look right.

    Attributes
    ----------
    said : dict of str to str
        Why, by what failed.
    """

    def __init__(self) -> None:
        self.failed = self.doubtful = 0
        self.said: dict[str, str] = {}

    @contextlib.contextmanager
    def each(self, path: Path | str) -> Iterator[None]:
        """Leave the block at its first exception, say it in one sentence, and continue after the block."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a file may be damaged in any way, and others wait
            self.fail(path, sentence_of(error))

    def fail(self, path: Path | str, sentence: str) -> None:
        """Count a file that cannot be used, and say why."""
        self.failed += 1
        self.said[str(path)] = sentence
        print(f"{path}: {sentence}", file=sys.stderr)

    def judge(self, name: str, fit: Fit, *, whole: bool = True) -> None:
        """Say in one line on standard error where a model does not look right for an image, and count it.

        Parameters
        ----------
        name : str
            Of the image.
        whole : bool
            Whether all of the image was segmented, so that a single cell says something about the cell size.
        """
        if fit.looks_right is False:
            self.doubtful += 1
            print(f"{name}: {fit}: {WHAT_TO_DO}", file=sys.stderr)
        elif fit.too_few and whole:
            print(f"{name}: {fit} (--diameter PIXELS sets it)", file=sys.stderr)

    def status(self, images: int, strict: bool) -> int:
        """Say how many images failed; return the exit status: 1 where one did, 3 where a doubt counts, else 0."""
        if self.failed:
            print(f"{self.failed} of {images} images failed.", file=sys.stderr)
        return 1 if self.failed else 3 if self.doubtful and strict else 0


def say_left_out(what: str, paths: Sequence[Path]) -> None:
    """Say which files are left out, the first three by name."""
    if paths:
        names = ", ".join(path.name for path in paths[:3])
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        print(f"{what}: {names}{more}", file=sys.stderr)


def refuse_same_names(paths: Sequence[Path]) -> None:
    """Refuse images whose results would have the same names."""
    counts = Counter(image_name(path).lower() for path in paths)  # some disks do not tell capitals apart
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise UtileError(
            f"{counts[repeated[0]]} images are named {repeated[0]} and would overwrite each other's results: "
            "segment them into different folders."
        )
