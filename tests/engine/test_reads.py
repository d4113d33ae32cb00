"""A block of a lazy image reads what it needs and no more, in this process and in a worker.

Chunks smaller than 512 x 512 are read in groups of that size, see `image_file.LAZY_BLOCK`.
"""

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.image_file import LAZY_BLOCK
from napari_utile.engine.files.images import open_selected
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.selection import SelectedPlanes, Selection
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.plan import margin_of
from napari_utile.engine.store.work import Job, Work
from stores import image_of

pytestmark = pytest.mark.usefixtures("bright_nuclei")
CHUNK, SIDE, KEY = 128, 64, (3, 2)


def do(what, stopped=None):
    """Do a job of a store, as a worker does that was sent it."""
    place, digest, key = what
    return Work(place, digest)(Job("outputs", 0, key))["outputs"]


@pytest.fixture
def only_needed_chunks(tmp_path: Path) -> tuple[str, str, tuple[int, int]]:
    """A store whose image is damaged wherever one of its blocks needs nothing."""
    source, data = tmp_path / "image.zarr", image_of((1200, 1100))
    zarr.create_array(source, data=data, chunks=(CHUNK, CHUNK), dimension_names=["y", "x"])
    image = SelectedPlanes(open_selected(source, Selection()))
    model = load_model("nuclei")
    params = SegmentParams(diameter=None, device="cpu", precision="float32", instances=InstanceParams())
    [plane] = [plane for _, plane in image]
    plan = plan_store([plane], model, params, choose_compute("cpu", "float32"), source, side=SIDE)
    begin_store(tmp_path / "a", plan, model)
    needed = plan.grid.window(KEY).grown(margin_of(plane, model, params)).clipped(plane.shape)
    assert LAZY_BLOCK == 512
    assert needed.stop[0] <= 512
    assert needed.stop[1] <= 512
    damaged = [
        each for each in np.ndindex(*(-(-size // CHUNK) for size in data.shape)) if max(each) >= 512 // CHUNK
    ]
    for row, column in damaged:
        (source / "c" / str(row) / str(column)).write_bytes(b"damaged")
    assert len(damaged) == 10 * 9 - 16
    return str(tmp_path / "a"), plan.digest, KEY


def test_in_this_process(only_needed_chunks) -> None:
    place, digest, key = only_needed_chunks
    assert do((place, digest, key))
    with pytest.raises(UtileError, match="are damaged"):
        do((place, digest, (12, 12)))


def test_in_a_worker(only_needed_chunks) -> None:
    from napari_utile.engine.jobs.cluster import cluster_jobs

    with cluster_jobs(workers=1) as jobs:
        [(_, there)] = jobs.run(do, [only_needed_chunks])
    assert there == do(only_needed_chunks)
