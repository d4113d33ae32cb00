"""What a file says of its image: which images it holds, what its axes are, how large its pixels are."""

from collections.abc import Generator
from dataclasses import dataclass

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import read_image, series_of
from napari_utile.engine.words import counted, three_digits

_WORDS = {"T": "frame", "Z": "slice", "C": "channel"}
Step = tuple[float, str]


@dataclass(frozen=True)
class FileSpace:
    """What a file says of its first image.

    Attributes
    ----------
    series : tuple of str
        Names of the images in the file.
    shape : tuple of int
        Of the pixels, without colours.
    axes : str
        A letter an axis of `shape`; empty where the file does not name them.
    steps : tuple of ((float, str) or None)
        For each axis how far apart its entries are, and in which unit; None where the file does not say.
    """

    series: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    axes: str = ""
    steps: tuple[Step | None, ...] = ()

    def __str__(self) -> str:
        """Say it as a person does.

        Examples
        --------
        >>> str(FileSpace((), (3, 40, 50), "ZYX", ((0.5, "µm"), (0.325, "µm"), (0.325, "µm"))))
        '3 slices 0.5 µm apart, pixels of 0.325 µm'
        """
        said, pixel = [], ""
        for letter, size, step in zip(self.axes, self.shape, self.steps, strict=False):
            if letter in _WORDS and size > 1:
                apart = "" if step is None else f" {three_digits(step[0])} {step[1]} apart"
                said.append(f"{counted(size, _WORDS[letter])}{apart}")
        sides = [step for step in self.steps[-2:] if step is not None]
        if sides:
            lengths = dict.fromkeys(three_digits(length) for length, _ in sides)
            pixel = f"pixels of {' x '.join(lengths)} {sides[0][1]}"
        return ", ".join([*said, *([pixel] if pixel else [])])


def file_job(path: str) -> Generator[None, None, FileSpace]:
    """Read what a file says; nothing where it cannot be read."""
    yield
    try:
        series = series_of(path)
        yield
        image = read_image(path)
    except (UtileError, OSError):
        return FileSpace()
    axes = image.axes.replace("S", "")
    steps: dict[str, Step] = {axis: (step, unit) for axis, (step, unit) in image.steps.items() if unit}
    if image.pixel_size is not None and image.unit is not None:
        steps |= {axis: (size, image.unit) for axis, size in zip("YX", image.pixel_size, strict=True)}
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    return FileSpace(
        series,
        tuple(int(sizes[axis]) for axis in axes),
        "" if image.guessed else axes,
        tuple(steps.get(axis) for axis in axes),
    )
