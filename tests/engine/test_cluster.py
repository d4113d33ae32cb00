"""The same bits on any number of workers of a Dask cluster."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import write_image
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.jobs.cluster import OnCluster, cluster_jobs
from napari_utile.engine.jobs.here import Here
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.run import store_steps

# What Dask leaves open when its processes end.
pytestmark = pytest.mark.usefixtures("bright_nuclei")


def square(job, stopped=None):
    return job * job, os.getpid()


def fails(job, stopped=None):
    raise UtileError("The image is gone.")


@pytest.fixture(scope="module")
def jobs():
    with cluster_jobs(workers=2) as made:
        yield made


@pytest.mark.parametrize("from_file", [True, False])
def test_labels_are_those_of_this_process(tmp_path: Path, jobs: OnCluster, from_file) -> None:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((150, 190)), 4)
    data = ((smooth - smooth.min()) / np.ptp(smooth) * 60000).astype(np.uint16)
    source = tmp_path / "image.tif"
    if from_file:
        write_image(source, data)
    plane, model, compute = ImagePlane(data[None]), load_model("nuclei"), choose_compute("cpu", "float32")
    params = SegmentParams(
        diameter=None, device="cpu", precision="float32", instances=InstanceParams(minimum_size=5)
    )
    plan = plan_store([plane], model, params, compute, source, side=64)
    for name, where in (("here", Here(2)), ("there", OnCluster(jobs.client))):
        begin_store(tmp_path / name, plan, model)
        assert Run(store_steps(tmp_path / name, jobs=where, planes=[plane])).result.cells[0] > 3
    here, there = (
        zarr.open_array(tmp_path / name / "labels/cells/0", mode="r")[...] for name in ("here", "there")
    )
    np.testing.assert_array_equal(here, there)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_workers_leave_ctrl_c_to_whoever_started_them(jobs: OnCluster) -> None:
    workers = set(jobs.client.run(os.getpid).values())
    for worker in workers:
        os.kill(worker, signal.SIGINT)
    done = dict(jobs.run(square, list(range(20))))
    assert {process for _, process in done.values()} <= workers
    assert set(jobs.client.run(os.getpid).values()) == workers


def test_every_worker_does_some_and_an_error_is_the_workers_sentence(jobs: OnCluster) -> None:
    done = dict(jobs.run(square, list(range(40))))
    assert {job: result for job, (result, _) in done.items()} == {job: job * job for job in range(40)}
    assert os.getpid() not in {process for _, process in done.values()}
    with pytest.raises(UtileError, match=r"The image is gone\."):
        list(jobs.run(fails, [1]))


def test_a_scheduler_that_is_not_there_is_said() -> None:
    with (
        pytest.raises(UtileError, match="No Dask scheduler answers"),
        cluster_jobs("tcp://127.0.0.1:9", timeout=2),
    ):
        pass


def who_computes(job, stopped=None):
    """Say what would compute a lazy array inside a job."""
    import dask.base

    return dask.base.get_scheduler().__module__


def test_lazy_images_are_read_by_the_job_itself_not_by_tasks_behind_all_others(jobs: OnCluster) -> None:
    assert set(dict(jobs.run(who_computes, list(range(4)))).values()) == {"dask.local"}


def killed_once(job, stopped=None):
    """Kill the process that does the job, the first time that it is done."""
    mark = Path(job)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def slow(job, stopped=None):
    time.sleep(0.2)
    return job


def test_the_work_of_a_killed_worker_is_done_again(tmp_path: Path, jobs: OnCluster) -> None:
    todo = [str(tmp_path / "a"), str(tmp_path / "b")]
    (tmp_path / "b").touch()
    assert dict(jobs.run(killed_once, todo)) == dict.fromkeys(todo, "done")


def close_half_way(cluster):
    """Let a scheduler go while it has work."""
    with cluster_jobs(cluster.scheduler_address) as jobs:
        steps = jobs.run(slow, list(range(50)))
        assert next(steps)[0] in range(50)
        cluster.sync(cluster.scheduler.close)
        list(steps)


def test_a_scheduler_that_goes_away_is_said_and_what_is_done_is_kept() -> None:
    import dask
    import distributed

    one = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    said = r"scheduler or its workers are gone.*finish it with --resume"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "2s"}),  # Dask looks for it for 30 s
        distributed.LocalCluster(**one) as cluster,
        pytest.raises(UtileError, match=said),
    ):
        close_half_way(cluster)
