"""The memory that linking the planes of a store takes, as the estimate says it."""

from pathlib import Path

import numpy as np
import pytest

from memory import peak_of
from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.tables import write_table
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.linking.links import link_counts
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.linking.sections import Counts
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.begin import begin_store
from napari_utile.engine.store.linked import write_link_tables
from napari_utile.engine.store.make import plan_store
from napari_utile.engine.store.table import path_of_table

PLANES, ACROSS, DIAMETER = 6, 36, 20


def planned(model, link, gap, planes=PLANES):
    side = ACROSS * DIAMETER
    images = [ImagePlane(np.zeros((1, side, side), np.uint8), pixel_size=(0.5, 0.5), unit="µm")] * planes
    params = SegmentParams(
        diameter=float(DIAMETER), device="cpu", precision="float32", instances=InstanceParams()
    )
    axis = link.upper()
    return images, plan_store(
        images,
        model,
        params,
        choose_compute("cpu", "float32"),
        "layer",
        indices=[{axis: number} for number in range(planes)],
        stacked=axis,
        sizes=(planes,),
        measured=True,
        linking=LinkParams(link, link_gap=gap),
    )


def counted(gap):
    """Count the same cells in all planes, side by side."""
    labels = np.arange(1, ACROSS**2 + 1)
    y, x = (DIAMETER * each + DIAMETER // 2 for each in np.divmod(labels - 1, ACROSS))
    ones, area, parts = np.ones_like(labels), np.full_like(labels, 300), []
    for plane in range(PLANES):
        objects = np.stack([plane * ones, labels, area, area * y, area * x, (y << 32) + x], axis=1)
        before = range(max(0, plane - gap - 1), plane)
        overlaps = [np.stack([each * ones, labels, plane * ones, labels, area], axis=1) for each in before]
        parts.append(Counts(objects, np.concatenate([np.zeros((0, 5), np.int64), *overlaps])))
    return parts


def write_tables(place, plan):
    """Write a table a plane, as a store has them before they are linked."""
    (place / "tables").mkdir(parents=True)
    ids = np.arange(1, ACROSS**2 + 1)
    numbers = np.random.default_rng(0).random((7, ids.size)) * 1000
    names = ("centroid_y", "centroid_x", "intensity_mean", "intensity_min", "intensity_max", "intensity_sum")
    columns = {"index": ids, "area_px": np.full_like(ids, 300), "area_um2": numbers[6]}
    for index in plan.planes:
        write_table(path_of_table(place, index), columns | dict(zip(names, numbers, strict=False)))


@pytest.mark.parametrize(("link", "gap"), [("z", 0), ("z", 1), ("t", 1), ("z", 3)])
def test_it_is_estimated_within_a_quarter(tmp_path: Path, small_model, link, gap) -> None:
    images, plan = planned(small_model, link, gap)
    write_tables(tmp_path, plan)

    def link_all():
        links = link_counts(counted(gap), plan.linking)
        write_link_tables(tmp_path, plan, links.parents, images[0])
        assert links.total == ACROSS**2

    peak = peak_of(link_all)
    disc = np.pi / 4 * DIAMETER**2  # the estimate is of cells without gaps between them
    estimated = plan.linking_bytes * disc / DIAMETER**2
    assert peak / 1.25 < estimated < peak * 1.25


def test_what_does_not_fit_is_refused_with_the_number(tmp_path: Path, small_model, monkeypatch) -> None:
    _, plan = planned(small_model, "t", 1)
    free = plan.block_bytes + 10**6
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": free})())
    begin_store(tmp_path / "a", plan, small_model)
    many = planned(small_model, "t", 1, planes=600)[1]
    with pytest.raises(UtileError, match=r"Linking 600 planes .* needs up to [\d.]+ GB"):
        begin_store(tmp_path / "b", many, small_model)
    assert not (tmp_path / "b").exists()
