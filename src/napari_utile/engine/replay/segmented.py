"""Reproduce a result from its recipe, and say where the two first differ."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.inference.predict import Progress
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, weights_fingerprint_of
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.provenance.linked import difference_of_links
from napari_utile.engine.provenance.pixel_runs import mask_of
from napari_utile.engine.provenance.recipe import PlaneRecord, Recipe, hash_of, record_plane, versions
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.segmentation import Segmentation, planes_of_volume
from napari_utile.engine.volumes.segment import (
    SegmentedVolume,
    groups_along_z,
    segment_volume_steps,
    volume_of,
)
from napari_utile.engine.windows import Window


@dataclass(frozen=True, eq=False)
class Replay:
    """What a replay found.

    Attributes
    ----------
    difference : str or None
        One sentence on the first difference; None where all labels are identical.
    rounding : tuple of str
        Planes whose labels are identical while their probabilities differ in the last digits.
    segmentations : tuple of Segmentation
        The results made again, up to the first difference.
    changed : tuple of str
        Versions that are not those of the recipe, for example ``"torch 2.13.0, was 2.6.0"``.
    """

    difference: str | None
    rounding: tuple[str, ...]
    segmentations: tuple[Segmentation, ...]
    changed: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether labels and probabilities are the same to the last bit."""
        return self.difference is None and not self.rounding


def replay_steps(recipe: Recipe, image: ImageFile, model: Model) -> Generator[Progress, None, Replay]:
    """Make a result again, stopping at the first difference; every yield is a point to cancel at.

    Parameters
    ----------
    recipe : Recipe
    image : ImageFile
        Where the recipe's image is now.
    model : Model
        The recipe's model.

    Yields
    ------
    Progress

    Returns
    -------
    Replay

    Raises
    ------
    UtileError
        If this computer has no such device.
    """
    rounding: list[str] = []
    made: list[Segmentation] = []
    difference = None
    if recipe.fingerprint not in (
        model.fingerprint,
        weights_fingerprint_of(model.card, model.network),  # in older recipes
    ):
        difference = (
            f"The model {model.card.name} is not that of the recipe "
            f"(SHA-256 {model.fingerprint[:12]}, was {recipe.fingerprint[:12]})."
        )
    above = 0
    for records in _together(recipe) if difference is None else ():
        planes = [plane_of(image, record, recipe, model.card) for record in records]
        names = [plane_name(image, record) for record in records]
        pixels = zip(planes, records, names, strict=True)
        changed = [where for plane, record, where in pixels if hash_of(plane, record.hashed) != record.pixels]
        if changed:
            difference = f"The pixels of {changed[0]} are not those of the recipe."
            break
        if recipe.views is None:
            segmentation = yield from _segment_again(planes[0], records[0], recipe, model)
            done = [(segmentation, record_plane(segmentation, records[0].index))]
        else:
            volume = yield from _volume_again(planes, records[0], recipe, model, above)
            above += volume.count
            done = [
                (plane, record_plane(plane, record.index, volume.cells_in(number)))
                for number, (plane, record) in enumerate(zip(planes_of_volume(volume), records, strict=True))
            ]
        for record, where, (segmentation, again) in zip(records, names, done, strict=True):
            made.append(segmentation)
            difference = first_difference(record, again, where)
            if difference is not None:
                break
            if again.probabilities != record.probabilities:
                rounding.append(where)
        if difference is not None:
            break
    if (
        difference is None and recipe.linking is not None and recipe.views is None
    ):  # views give one id at once
        labels, indices = [each.labels for each in made], [record.index for record in recipe.planes]
        corner = made[0].region.start if made else (0, 0)
        difference = difference_of_links(recipe.linking, labels, indices, corner)
    return Replay(difference, tuple(rounding), tuple(made), changed_versions(recipe))


def _together(recipe: Recipe) -> list[list[PlaneRecord]]:
    """Group the planes that were segmented together: those of a volume, else each by itself."""
    if recipe.views is None:
        return [[record] for record in recipe.planes]
    groups = groups_along_z([record.index for record in recipe.planes])
    return [[recipe.planes[place] for place in group] for group in groups]


def plane_of(image: ImageFile, record: PlaneRecord, recipe: Recipe, card: ModelCard) -> ImagePlane:
    """Take the plane, with the channels that the network reads, out of the image.

    Raises
    ------
    UtileError
        If the image has no such plane.
    """
    if recipe.selection is None and image.guessed:
        image = replace(image, axes=_axes_of_old(image))
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    for axis, number in record.index.items():
        if not 0 <= number < sizes.get(axis, 1):  # files leave out axes of one entry
            raise UtileError(f"{image.path.name} has no plane {axis} = {number}.")
    plane = SelectedPlanes(image, recipe.selection or Selection()).plane(record.index)
    return card.shown(plane, recipe.params.channels)


def _axes_of_old(image: ImageFile) -> str:
    """Name the axes as recipes meant them that do not say it: up to four pages were channels."""
    named = {axis: position for position, axis in enumerate(image.axes) if axis in "YXS"}
    letters = {position: axis for axis, position in named.items()}
    for position in reversed(range(len(image.axes))):
        if position not in letters:
            candidates = "CTZ" if image.data.shape[position] <= 4 else "TZC"
            letters[position] = next(axis for axis in candidates if axis not in letters.values())
    return "".join(letters[position] for position in sorted(letters))


def plane_name(image: ImageFile, record: PlaneRecord) -> str:
    """Name a plane of an image: ``film.tif (T 3)``."""
    index = ", ".join(f"{axis} {number}" for axis, number in record.index.items())
    return f"{image.path.name} ({index})" if index else image.path.name


def _segment_again(
    plane: ImagePlane, record: PlaneRecord, recipe: Recipe, model: Model
) -> Generator[Progress, None, Segmentation]:
    region, params, limits = _asked(plane, record, recipe)
    try:
        inside = None if record.inside is None else mask_of(record.inside, (region.shape[0], region.shape[1]))
    except ValueError as error:
        raise UtileError(f"The recipe of {plane.name} is damaged: {error}.") from error
    return (
        yield from segment_steps(
            plane, params, model=model, region=region, inside=inside, limits=limits, compute=recipe.compute
        )
    )


def _volume_again(
    planes: list[ImagePlane], record: PlaneRecord, recipe: Recipe, model: Model, above: int
) -> Generator[Progress, None, SegmentedVolume]:
    assert recipe.views is not None
    region, params, limits = _asked(planes[0], record, recipe)
    depth = recipe.views.plane_distance or 1.0
    volume = volume_of(planes, depth, params, model, limits, recipe.compute)
    return (yield from segment_volume_steps(volume, region, above))


def _asked(
    plane: ImagePlane, record: PlaneRecord, recipe: Recipe
) -> tuple[Window, SegmentParams, IntensityLimits]:
    """Return region, parameters and grey limits of a plane.

    Raises
    ------
    UtileError
        If the plane has no such region, or this computer no such device.
    """
    region = Window(*(slice(start, stop) for start, stop in record.region))
    if not (region.size and Window.whole(plane.shape).holds(region)):
        raise UtileError(f"The recipe's region lies outside {plane.name}.")
    choose_compute(recipe.compute.device, recipe.compute.precision)  # says so where the device is missing
    # The plane holds the chosen channels only, and the limits are right for its pixels however they were measured.
    params = replace(recipe.params, channels=tuple(range(plane.data.shape[0])))
    return region, params, IntensityLimits(record.low, record.high)


def first_difference(record: PlaneRecord, again: PlaneRecord, where: str) -> str | None:
    """Say where two runs first part: in the grey values' limits or in the labels; None where neither differs."""
    if (again.low, again.high) != (record.low, record.high):
        return (
            f"The intensity limits of {where} are {again.low} to {again.high}, "
            f"they were {record.low} to {record.high}."
        )
    if again.labels != record.labels:
        if again.cells != record.cells:
            return f"The labels of {where} differ: {again.cells} cells, there were {record.cells}."
        return f"The labels of {where} differ, with {again.cells} cells in both."
    return None


def changed_versions(recipe: Recipe) -> tuple[str, ...]:
    """List the versions that are not those of the recipe."""
    now = versions()
    return tuple(
        f"{name} {now.get(name, 'missing')}, was {then}"
        for name, then in recipe.versions.items()
        if now.get(name) != then
    )


def find_source(recipe: Recipe, recipe_path: Path) -> Path:
    """Find the recipe's image: where it was, else beside the recipe.

    Raises
    ------
    UtileError
        If it is in neither place.
    """
    source = Path(recipe.source)
    for candidate in (source, recipe_path.parent / source.name):
        if candidate.exists():
            return candidate
    raise UtileError(f"The recipe's image, {source}, is not there: say where it is with --image.")


def find_model(recipe: Recipe, recipe_path: Path) -> str:
    """Find the recipe's model: its name, or its file where it was, else beside the recipe or the folder above."""
    file = Path(recipe.model)
    if not file.suffix or file.is_file():
        return recipe.model
    for folder in (recipe_path.parent, recipe_path.parent.parent):
        for candidate in (folder / file, folder / file.name):
            if candidate.is_file():
                return str(candidate)
    return recipe.model
