"""Grow the cells of a recipe from their seeds again, and compare."""

from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.label_planes import planes_with_labels
from napari_utile.engine.files.label_reading import label_image
from napari_utile.engine.grow import grow_steps
from napari_utile.engine.inference.limits import limits_of_stack
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.provenance.grown import GrownRecipe, grown_plane
from napari_utile.engine.steps import Run


def difference_of_grown(recipe: GrownRecipe, image: ImageFile, model: Model | None) -> str | None:
    """Grow the seeds of a recipe again; return the first difference in one sentence, None where there is none.

    Raises
    ------
    UtileError
        If the file of seeds is missing, or does not pair with the image.
    """
    if model is not None and model.fingerprint != recipe.fingerprint:
        return f"The model {model.card.name} is not that of the recipe."
    records = {tuple(sorted(plane.index.items())): plane for plane in recipe.planes}
    planes = SelectedPlanes(image, recipe.selection)
    seeds_file = label_image(recipe.seeds, planes=planes)
    limits = None if model is None else limits_of_stack(planes.measured_on(), recipe.params, model.card)
    for _, index, plane, seeds in planes_with_labels(planes, seeds_file):
        steps = grow_steps(
            plane,
            seeds,
            recipe.params,
            model=model,
            distance=recipe.distance,
            limits=limits,
            compute=recipe.compute,
        )
        record = records.get(tuple(sorted(index.items())))
        again = grown_plane(index, plane, seeds, Run(steps).result)
        where = " ".join([plane.name, *(f"{axis} {number}" for axis, number in index.items())])
        if record is None:
            return f"The recipe does not know the plane {where}."
        for name, what in (("pixels", "pixels"), ("seeds", "seeds"), ("labels", "labels")):
            if getattr(again, name) != getattr(record, name):
                return f"The {what} of {where} are not those of the recipe."
    return None
