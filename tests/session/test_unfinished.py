"""Trainings kept on disk while they are under way."""

import json
import os
import time

import numpy as np
import psutil
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from napari_utile.engine.errors import UtileError
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.session import unfinished
from napari_utile.session.fine_tune_request import FineTuneRequest, PaintedPlane, PlaneRead
from napari_utile.session.plane_index import PlaneIndex

IDENTITY = {"data": [{"name": "field", "image": "1", "labels": "2"}], "base": "3"}


@pytest.fixture
def request_of_two():
    """A request with both kinds of partial annotation."""
    first, second = np.zeros((6, 8), np.uint16), np.arange(20, dtype=np.int32).reshape(4, 5)
    first[1:3, 2:4] = 7
    whole = slice(None)
    painted = (
        PaintedPlane(
            AnnotatedImage(
                plane_from_array(np.ones((6, 8)), name="a"), first, Annotation("boxes", boxes=[(0, 1, 5, 6)])
            ),
            PlaneRead(PlaneIndex((whole, whole), (0, 1))),
        ),
        PaintedPlane(
            AnnotatedImage(
                plane_from_array(np.ones((4, 5)), name="b"),
                second,
                Annotation("sparse", background=3, background_mask=second > 10),
            ),
            PlaneRead(PlaneIndex((7, whole, whole, whole), (1, 3)), (1, 0)),
        ),
    )
    return FineTuneRequest(painted, "nuclei", "", FineTuneParams(minutes=2.0, channels=(0,), seed=5))


def listed():
    job = unfinished.unfinished_job()
    next(job)
    with pytest.raises(StopIteration) as end:
        next(job)
    return end.value.value


@pytest.fixture
def folder(request_of_two):
    folder = unfinished.new_folder()
    unfinished.hold(folder, request_of_two, IDENTITY)
    yield folder
    unfinished.remove(folder)


def change(folder, changed):
    """Change the header of a training."""
    path = folder / "request.safetensors"
    with safe_open(path, framework="np") as file:
        header = changed(json.loads(file.metadata()["utile"]))
        keys = file.keys()
        tensors = {key: file.get_tensor(key) for key in keys}
    save_file(tensors, path, metadata={"utile": json.dumps(header)})


def claim(folder, pid, created):
    """Let the training belong to another process."""
    change(folder, lambda header: header | {"process": [pid, created]})


def test_of_trainings_that_do_not_say_where_they_were_read_plain_images_are_known(folder):
    unfinished.release(folder)
    new = ("index", "axes", "channels")

    def old(header):
        kept = [{key: each[key] for key in each if key not in new} for each in header["images"]]
        return header | {"images": kept}

    change(folder, old)
    (found,) = listed()
    assert found.images[0].read == PlaneRead(PlaneIndex((slice(None), slice(None)), (0, 1)))


def test_what_was_asked_for_comes_back_as_it_was(folder, request_of_two):
    unfinished.release(folder)
    (found,) = listed()
    reads = [each.read for each in request_of_two.painted]
    assert (found.folder, found.steps) == (folder, 0)
    assert [(each.name, each.shape) for each in found.images] == [("a", (6, 8)), ("b", (4, 5))]
    assert [each.read for each in found.images] == reads
    assert reads[1].index.channel_axis == 2
    again = unfinished.request_of(found, [image.plane for image in request_of_two.images])
    assert (again.base, again.family, again.params) == ("nuclei", "", request_of_two.params)
    assert [each.read for each in again.painted] == reads
    for new, old in zip(again.images, request_of_two.images, strict=True):
        for got, wanted in zip(
            new.annotation.split(new.labels), old.annotation.split(old.labels), strict=True
        ):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "changed",
    [
        lambda header: 3,
        lambda header: {},
        lambda header: header | {"process": "x"},
        lambda header: header | {"by a later version": 1},
        lambda header: header | {"images": [{"name": "a"}]},
        lambda header: (
            header | {"images": [*header["images"], header["images"][0]]}
        ),  # its labels are not there
    ],
)
def test_a_training_that_cannot_be_understood_does_not_hide_the_others(folder, request_of_two, changed):
    other = unfinished.new_folder()
    unfinished.hold(other, request_of_two, IDENTITY)
    unfinished.release(other)
    unfinished.release(folder)
    change(folder, changed)
    assert [each.folder for each in listed()] == [other]
    with pytest.raises(UtileError, match="is damaged"):
        unfinished.hold(folder, request_of_two, IDENTITY)
    unfinished.remove(other)


def test_a_training_that_a_dock_has_in_hand_is_not_offered(folder):
    assert listed() == ()


def test_a_training_of_another_living_process_is_not_offered_but_that_of_a_dead_one_is(folder):
    unfinished.release(folder)
    parent = psutil.Process(os.getppid())
    claim(folder, parent.pid, parent.create_time())
    assert listed() == ()
    claim(folder, parent.pid, parent.create_time() - 1000)  # the number was given out again
    assert [each.folder for each in listed()] == [folder]


def test_other_data_cannot_continue_a_training(folder, request_of_two):
    with pytest.raises(UtileError, match="not the one used in that training"):
        unfinished.hold(folder, request_of_two, IDENTITY | {"base": "4"})
    unfinished.hold(folder, request_of_two, IDENTITY)


def test_damaged_trainings_are_not_offered_but_kept_and_long_forgotten_ones_go(folder, request_of_two):
    old = unfinished.new_folder()
    unfinished.hold(old, request_of_two, IDENTITY)
    month_ago = time.time() - 31 * 86400
    os.utime(old / "request.safetensors", (month_ago, month_ago))
    (folder / "request.safetensors").write_bytes(b"half a file")
    unfinished.release(folder)
    unfinished.release(old)
    assert listed() == ()
    assert (folder / "request.safetensors").read_bytes() == b"half a file"
    assert not old.exists()
