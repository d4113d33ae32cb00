"""Batches that another process segments."""

import time

from napari_utile.engine.files.images import write_image
from napari_utile.engine.steps import Run
from napari_utile.session.batch import BatchRequest, batch_job
from torture.runs import picture


def test_results_are_found_whatever_the_clock_of_their_disk_says(
    tmp_path, monkeypatch, bright_nuclei
) -> None:
    images, results = tmp_path / "images", tmp_path / "results"
    for folder in (images, results):
        folder.mkdir()
    for number in range(2):
        write_image(images / f"{number}.tif", picture())
    (results / "1_labels.tif").write_bytes(b"of an earlier day")
    ahead = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: ahead)
    finished = Run(batch_job(BatchRequest((images,), (), results, ("--diameter", "none")))).result
    assert [image.failed for image in finished.images] == ["", ""]
    assert finished.sheet is not None
