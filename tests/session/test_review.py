"""The queue of a batch's results: its order, where images are found, what is decided, what is refused."""

import json

import numpy as np
import pytest
import zarr

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.images import write_image, write_labels
from napari_utile.engine.steps import Run
from napari_utile.session.review import DECISIONS, Decisions, review_job, reviewed_path, stores_apart


def decide(folder, item, decision):
    decisions = Decisions(folder)
    decisions.unwritten[item.labels.name] = decision
    decisions.write()


def listed(folder):
    run = Run(review_job(folder))
    for _ in run:
        pass
    return run.result


@pytest.fixture
def batch(tmp_path):
    """Three images in a folder, their results in one below, with a table of fields."""
    results = tmp_path / "results"
    results.mkdir()
    for name in ("one", "two", "three"):
        write_image(tmp_path / f"{name}.tif", np.zeros((8, 9), np.uint8))
        write_labels(results / f"{name}_labels.tif", np.ones((8, 9), np.int32))
    (results / "fields.csv").write_text("image,cells,confidence\none.tif,1,0.9\nplate/two.ome.tif,1,0.3\n")
    return results


def test_what_nobody_rated_comes_first_then_the_least_sure(batch):
    items = listed(batch)
    assert [item.name for item in items] == ["three", "two", "one"]
    assert [item.confidence for item in items] == [None, 0.3, 0.9]
    assert all(item.image == batch.parent / f"{item.name}.tif" for item in items)


def test_a_table_that_a_spreadsheet_saved_says_how_sure_the_model_was(batch):
    table = batch / "fields.csv"
    table.write_text(table.read_text(), encoding="utf-8-sig")
    assert [item.confidence for item in listed(batch)] == [None, 0.3, 0.9]


def test_images_are_found_where_recipes_say(batch, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "one.tif").rename(elsewhere / "one.tif")
    assert {item.name: item.image for item in listed(batch)}["one"] is None
    (batch / "one_recipe.json").write_text(json.dumps({"source": str(elsewhere / "one.tif")}))
    assert {item.name: item.image for item in listed(batch)}["one"] == elsewhere / "one.tif"


def test_decisions_are_kept(batch):
    for item, decision in zip(listed(batch), DECISIONS, strict=False):
        decide(batch, item, decision)
    assert [item.decision for item in listed(batch)] == ["accepted", "corrected", "rejected"]


def test_what_cannot_be_written_is_written_with_what_comes_next(batch):
    one, two, _ = listed(batch)
    decisions = Decisions(batch)
    (batch / "review.json").mkdir()
    decisions.unwritten[one.labels.name] = "accepted"
    with pytest.raises(UtileError, match=r"Cannot write .*review\.json"):
        decisions.write()
    (batch / "review.json").rmdir()
    decisions.unwritten[two.labels.name] = "rejected"
    decisions.write()
    assert [item.decision for item in listed(batch)] == ["accepted", "rejected", ""]
    assert not decisions.unwritten


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"images": 3}', "[" * 100_000])
def test_damaged_progress_is_said_and_nothing_is_lost(batch, content):
    (batch / "review.json").write_text(content)
    with pytest.raises(UtileError, match="damaged"):
        listed(batch)
    assert (batch / "review.json").read_text() == content


def test_a_decision_that_nobody_can_make_counts_as_none(batch):
    (batch / "review.json").write_text(
        '{"images": {"two_labels.tif": ["accepted"], "one_labels.tif": "deleted"}}'
    )
    assert all(item.decision == "" for item in listed(batch))


def test_a_file_that_no_review_wrote_is_not_replaced(batch):
    [item, *_] = listed(batch)
    target = reviewed_path(batch, item)
    assert target == batch / "reviewed" / "three_labels.tif"
    target.write_bytes(b"mine")
    with pytest.raises(UtileError, match="does not say that it was reviewed"):
        reviewed_path(batch, item)
    for decision in ("accepted", "rejected"):  # which may be accepted again
        decide(batch, item, decision)
        assert reviewed_path(batch, listed(batch)[0]) == target


def test_a_folder_without_results_is_said(tmp_path):
    with pytest.raises(UtileError, match="no results of a batch"):
        listed(tmp_path)


def test_results_that_are_not_in_the_queue_are_said(tmp_path):
    assert stores_apart(tmp_path) == ""
    (tmp_path / "large.ome.zarr" / ".utile").mkdir(parents=True)
    (tmp_path / "large.ome.zarr" / ".utile" / "plan.json").write_text("{}")
    (tmp_path / "image.zarr").mkdir()
    assert stores_apart(tmp_path).startswith("1 large image is not finished and not in this queue")
    with pytest.raises(UtileError, match="--resume"):
        listed(tmp_path)


def test_stores_are_in_the_queue_with_their_images(batch, bright_nuclei):
    source = batch.parent / "large.ome.zarr"
    zarr.create_array(source, data=np.ones((8, 9), np.uint8), dimension_names=["y", "x"])
    words = ["segment", str(source), "-o", str(batch / "large.ome.zarr"), "--diameter", "none", "--quiet"]
    assert main(words) == 0
    [item] = [item for item in listed(batch) if item.is_store]
    assert (item.name, item.image) == ("large", source)
    decide(batch, item, "accepted")
    assert {each.name: each.decision for each in listed(batch)}["large"] == "accepted"
    assert reviewed_path(batch, item) == batch / "reviewed" / "large_labels.tif"
