"""The images of a batch: of files, of files that hold several, and of plates; and the part of them that a call does."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from napari_utile.cli.batch import refuse_same_names, say_left_out
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.find import find_images
from napari_utile.engine.files.image_file import ImageFile, name_of_series
from napari_utile.engine.files.images import one_of_each_set, open_selected, series_of
from napari_utile.engine.files.names import image_name, results_apart, shown_name
from napari_utile.engine.files.ome_zarr import NoImageChosen
from napari_utile.engine.files.plates import PlateField, canonical_well, plate_fields, well_in_name
from napari_utile.engine.files.tiff_series import series_to_ask_for
from napari_utile.engine.planes.selection import Selection


@dataclass(frozen=True)
class Input:
    """One image of a batch.

    Attributes
    ----------
    selection : Selection
        Which pixels of the file.
    place : PlateField or None
        Where in a plate it lies.
    many : bool
        Whether others of the same file are read as well.
    of_many : str
        What it is called among them, where it was listed with them.
    one_of_all : bool
        Whether ``--series all`` would take all images of the file.
    """

    path: Path
    selection: Selection
    place: PlateField | None = None
    many: bool = False
    of_many: str = ""
    one_of_all: bool = False

    @property
    def name(self) -> str:
        """What people call it: ``cells.tif``, or ``plate A/1/0``."""
        return str(self.path) if self.place is None else self.place.name

    @property
    def shown_name(self) -> str:
        """What its image calls itself, see `ImageFile`."""
        return self.of_many or shown_name(self.path)

    @property
    def folder(self) -> Path:
        """Where below the target its results lie."""
        if self.place is None:
            return Path()
        return Path(self.place.plate, self.place.row, self.place.column)

    @property
    def given(self) -> Path:
        """Its file, or its plate."""
        place = self.place
        below = 0 if place is None else len(Path(place.row, place.column, place.field).parts)
        return (self.path, *self.path.parents)[below]

    def results(self, target: Path, image: ImageFile) -> str:
        """Give what the paths of its results begin with."""
        name = image.name if self.place is None else self.place.field.replace("/", "_")
        return str(target / self.folder / name)

    @property
    def well(self) -> str | None:
        """Its well, of its plate or in its name; None where it has none."""
        if self.place is not None:
            return canonical_well(self.place.well) or self.place.well
        return well_in_name(image_name(self.path))

    def open(self) -> ImageFile:
        """Read it.

        Raises
        ------
        UtileError
            If it cannot be read.
        """
        try:
            image = open_selected(self.path, self.selection)
        except NoImageChosen as error:
            if not self.one_of_all:
                raise
            raise UtileError(f"{error} --series all takes all of them.") from error
        return image.as_one_of_many() if self.many and len(image.series) > 1 else image


def images_among(given: Sequence[str], selection: Selection) -> tuple[list[Path], tuple[Path, ...]]:
    """Find the images of a batch, one file of each set; say what is left out.

    Returns
    -------
    paths, every : list of Path, tuple of Path
        What is to be done, and all images that were found.

    Raises
    ------
    UtileError
        If there is none, or results would overwrite each other.
    """
    found = results_apart(find_images(given))
    say_left_out("left out, as results of another image (give one alone to segment it)", found.results)
    if not found.images:
        raise UtileError("There is no image among these files: all are results, by their names.")
    paths, parts = one_of_each_set(found.images, every_image=selection.series is not None)
    for path, first in parts.items():
        print(f"{path}: part of the same image as {first.name}; done once", file=sys.stderr)
    refuse_same_names(paths)
    return paths, found.images


def inputs_of(paths: Sequence[Path], selection: Selection) -> list[Input]:
    """List the images that files stand for: all fields of a plate, all series where they are asked for.

    A file that cannot be read is listed as it is: it is said when its turn comes.
    """
    inputs = []
    for path in paths:
        fields: tuple[PlateField, ...] = ()
        series: tuple[str, ...] = ()
        with suppress(UtileError):
            if selection.series in (None, "all"):
                fields = plate_fields(path)
            if selection.series == "all" and not fields:
                series = series_of(path)
        one = replace(selection, series=None) if fields else selection
        inputs += [Input(field.path, one, field) for field in fields]
        for number in range(len(series)):
            one = replace(selection, series=series_to_ask_for(number, series))
            name = name_of_series(path, series, number) if len(series) > 1 else ""
            inputs.append(Input(path, one, many=True, of_many=name))
        if not fields and not series:
            inputs.append(Input(path, selection, one_of_all=True))
    return inputs


@dataclass(frozen=True)
class Shard:
    """Which part of a batch a call does: every n-th image."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read ``I/N``.

        Raises
        ------
        argparse.ArgumentTypeError
            If it is not such a part.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a part such as 1/8: I lies between 1 and N")
        return cls(int(number), int(of))

    def part(self, inputs: Sequence[Input]) -> list[Input]:
        """Return the images of this part: together the parts hold each image once."""
        return list(inputs[self.number - 1 :: self.of])

    @property
    def ending(self) -> str:
        """What its tables are called by."""
        return f"_{self.number}of{self.of}"

    @property
    def endings(self) -> set[str]:
        """What the tables of all parts are called by."""
        return {Shard(number, self.of).ending for number in range(1, self.of + 1)}
