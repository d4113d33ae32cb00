"""Whether the model of a finished store looks right for its image, by windows of the image."""

from pathlib import Path

from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit, fit_at, overall
from napari_utile.engine.inference.size import rate_at_size
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.store.durable import reading
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.sources import planes_of
from napari_utile.engine.store.work import MODEL


def fit_of_store(place: Path, size: CellSize | None = None) -> Fit:
    """Rate the model of a finished store by what it sees in windows of the image.

    Parameters
    ----------
    place : Path
    size : CellSize, optional
        What was measured of the image before.
    """
    plan = load_plan(place)
    with reading(f"The model of {place.name}"):
        [path] = (place / HOME).glob(f"{MODEL}.*")
    model = load_model(path)
    if size is not None and size.trials:
        return fit_at(size, model.card)
    planes, fits = planes_of(plan), []
    for number in spread(len(planes)):
        limits = plan.limits[number]
        seen = rate_at_size([planes[number]], model, plan.params, compute=plan.compute, limits=limits)
        fits.append(fit_at(seen, model.card))
    return overall(fits)
