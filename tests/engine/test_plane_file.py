"""Planes that wait on disk for the last one give the same file as a stack in memory."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_utile.engine.files import plane_file
from napari_utile.engine.files.plane_file import PlaneFile
from napari_utile.engine.files.tiff import write_image, write_labels


@st.composite
def stacks(draw):
    axes = "".join(draw(st.lists(st.sampled_from("TZC"), unique=True, max_size=3)))
    sizes = tuple(draw(st.integers(1, 3)) for _ in axes)
    dtype = draw(st.sampled_from([np.int32, np.float32, bool]))
    largest = draw(st.sampled_from([1, 300, 70_000]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return axes, rng.integers(0, largest + 1, (*sizes, 4, 5)).astype(dtype)


@given(stacks(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_file_is_that_of_the_stack_in_memory(tmp_path_factory, drawn, on_disk):
    (axes, stack), folder = drawn, tmp_path_factory.mktemp("stack")
    write = write_labels if stack.dtype.kind == "i" else write_image
    write(folder / "whole.tif", stack, axes + "YX", (0.5, 0.25), "µm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plane_file, "IN_MEMORY", 1 if on_disk else 1 << 20)
        with PlaneFile(folder, axes, stack.shape[:-2]) as kept:
            for position in itertools.product(*(range(size) for size in stack.shape[:-2])):
                kept.put(position, stack[position])
            write(folder / "planes.tif", kept.planes, pixel_size=(0.5, 0.25), unit="µm")
    assert (folder / "planes.tif").read_bytes() == (folder / "whole.tif").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["planes.tif", "whole.tif"]


@pytest.mark.parametrize("other", [np.zeros((4, 6), np.int32), np.zeros((4, 5), np.int16)])
def test_a_plane_of_another_shape_or_type_is_refused(tmp_path, other):
    with PlaneFile(tmp_path, "T", (2,)) as kept:
        kept.put((0,), np.zeros((4, 5), np.int32))
        with pytest.raises(ValueError, match="the same shape and type"):
            kept.put((1,), other)
