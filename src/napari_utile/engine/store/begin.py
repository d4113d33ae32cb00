"""Begin a store: its empty arrays, its plan and its model, under another name until all is there."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from napari_utile.engine.files.targets import check_space
from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.models.catalogue import SUFFIX
from napari_utile.engine.models.library import Model, save_model
from napari_utile.engine.store.durable import make_durable
from napari_utile.engine.store.layout import create_arrays
from napari_utile.engine.store.memory import check_memory
from napari_utile.engine.store.plan import StorePlan, save_plan
from napari_utile.engine.store.rating import save_rating
from napari_utile.engine.store.remove import remove_store, size_of
from napari_utile.engine.store.work import MASK, MODEL


def begin_store(
    place: Path,
    plan: StorePlan,
    model: Model | None,
    mask: "np.ndarray[Any, Any] | None" = None,
    *,
    size: CellSize | None = None,
    replacing: bool = False,
) -> None:
    """Make an empty store with a plan, under another name until it is there as a whole.

    Parameters
    ----------
    place : Path
        Does not exist yet, unless a store is replaced.
    plan : StorePlan
    model : Model or None
        The plan's; it is copied into the store, so that whoever resumes it has the same weights.
    mask : (y, x) bool array, optional
        The pixels of the image that count, at any resolution.
    size : CellSize, optional
        What was measured of the image, by which the model is rated.
    replacing : bool
        Delete the store that is there, when nothing can keep the new one from beginning any more.

    Raises
    ------
    UtileError
        If disk or memory do not hold it.
    """
    before = size_of(place) if replacing else 0
    check_space(place.parent, plan.stored_bytes + plan.scratch_bytes - before)
    check_memory(plan)
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        create_arrays(part, plan, () if model is None else model.card.outputs)
        (part / HOME).mkdir(exist_ok=True)
        if model is None:
            pass  # seeds in intensities need none
        elif model.path is not None:
            shutil.copyfile(model.path, part / HOME / f"{MODEL}{model.path.suffix}")
        else:
            save_model(model.card, model.network, part / HOME / f"{MODEL}{SUFFIX}")
        if model is not None:
            save_rating(part / HOME, size, model.card)
        if mask is not None:
            np.save(part / HOME / MASK, mask.astype(bool), allow_pickle=False)
        save_plan(plan, part)
        make_durable(part.rglob("*.*"))
        if replacing:
            remove_store(place)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
