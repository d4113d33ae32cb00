"""Whether the model of a store looks right for its image."""

import json
from dataclasses import asdict
from pathlib import Path

from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit, fit_at, overall
from napari_utile.engine.inference.size import rate_at_size
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.store.durable import reading
from napari_utile.engine.store.plan import load_plan
from napari_utile.engine.store.sources import planes_of
from napari_utile.engine.store.work import MODEL

RATING = "rating.json"
"""Beside the model in a store's folder of its own."""


def save_rating(home: Path, size: CellSize | None, card: ModelCard) -> None:
    """Keep how well a model fits an image, where that was measured with the size of its cells.

    Measuring looks at several magnifications, so it says more than a look at the known size does; whoever resumes the
    store is to be told the same.
    """
    if size is not None and size.trials:
        (home / RATING).write_text(json.dumps(asdict(fit_at(size, card))) + "\n", encoding="utf-8")


def fit_of_store(place: Path) -> Fit:
    """Say how well the model of a finished store fits: as it was rated before, or by windows of the image."""
    if (place / HOME / RATING).is_file():
        with reading(f"The rating of {place.name}"):
            return Fit(**json.loads((place / HOME / RATING).read_text(encoding="utf-8")))
    plan = load_plan(place)
    with reading(f"The model of {place.name}"):
        [path] = (place / HOME).glob(f"{MODEL}.*")
    model = load_model(path)
    planes, fits = planes_of(plan), []
    for number in spread(len(planes)):
        limits = plan.limits[number]
        seen = rate_at_size([planes[number]], model, plan.params, compute=plan.compute, limits=limits)
        fits.append(fit_at(seen, model.card))
    return overall(fits)
