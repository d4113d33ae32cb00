"""The command lines that fill a store, and that finish one."""

from pathlib import Path

from napari_utile.engine.files.unfinished import HOME
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.provenance.command import grow_command, segment_command
from napari_utile.engine.segment_params import suggested_instances
from napari_utile.engine.store.durable import reading
from napari_utile.engine.store.layout import VERSIONS
from napari_utile.engine.store.plan import StorePlan
from napari_utile.engine.store.work import MODEL


def fill_command(plan: StorePlan, place: Path, mask: str | None = None) -> str:
    """Return the command that makes the labels of a store from the beginning.

    Parameters
    ----------
    plan : StorePlan
    place : Path
        The store, which was started: the model in it is known, whatever became of the one that was chosen.
    mask : str, optional
        The file that says which pixels count.
    """
    version = "" if plan.ome_zarr == VERSIONS[0] else f" --ome-zarr {plan.ome_zarr}"
    suggested = None
    if plan.fingerprint:
        with reading(f"The model of {place.name}"):
            [model] = (place / HOME).glob(f"{MODEL}.*")
        suggested = suggested_instances(card_of(model), plan.params.known_diameter)
    if plan.seeds is not None:
        command = grow_command(
            plan.source,
            plan.seeds.path,
            place,
            plan.params,
            suggested,
            distance=plan.seeds.distance,
            selection=plan.selection,
        )
        return f"{command}{version}"
    assert suggested is not None
    whole = plan.window.start == (0, 0) and plan.region == tuple((0, size) for size in plan.window.shape)
    command = segment_command(
        plan.source,
        plan.params,
        suggested,
        place,
        selection=plan.selection,
        region=None if whole else plan.window,
        linking=plan.linking,
        mask=mask,
    )
    outputs = f" --outputs {plan.outputs}" if plan.outputs else ""
    return f"{command}{outputs}{version}"


def finish_command(plan: StorePlan, place: Path) -> str:
    """Return the command that finishes a store, from a file, with what is in its plan."""
    return f"{fill_command(plan, place)}{' --measurements' if plan.measured else ''} --resume"
