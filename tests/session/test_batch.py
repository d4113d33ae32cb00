"""Batches that another process segments."""

import os
import signal
import subprocess
import time

import pytest

from napari_utile.engine.files.images import write_image
from napari_utile.engine.files.result_files import LABELS
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
    request = BatchRequest((images,), (), results, ("--diameter", "none"))
    assert Run(batch_job(request)).result.failed == 0, "of an earlier day"
    ahead = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: ahead)
    finished = Run(batch_job(request)).result
    assert [image.failed for image in finished.images] == ["", ""]
    assert finished.sheet is not None


def test_images_of_earlier_batches_are_in_the_table_and_not_in_what_a_batch_did(
    tmp_path, bright_nuclei
) -> None:
    paths = [tmp_path / f"{number}.tif" for number in range(4)]
    for path in paths:
        write_image(path, picture())
    paths[1].write_bytes(b"II*\0 nothing")
    results, options = tmp_path / "results", ("--diameter", "none")
    first = Run(batch_job(BatchRequest(tuple(paths[:3]), (), results, options))).result
    assert sorted((image.name, bool(image.failed)) for image in first.images) == [
        ("0.tif", False), ("1.tif", True), ("2.tif", False)]  # fmt: skip
    second = Run(batch_job(BatchRequest(tuple(paths[2:]), (), results, options))).result
    assert sorted(image.name for image in second.images) == ["2.tif", "3.tif"]
    assert second.failed == 0
    write_image(paths[1], picture())
    third = Run(batch_job(BatchRequest((paths[1],), (), results, options))).result
    assert [(image.name, image.failed) for image in third.images] == [("1.tif", "")]
    assert len((results / "fields.csv").read_text().splitlines()) == 5
    paths[1].write_bytes(b"II*\0 nothing")
    fourth = Run(batch_job(BatchRequest((paths[1], paths[3]), (), results, options))).result
    assert sorted((image.name, bool(image.failed)) for image in fourth.images) == [
        ("1", True),
        ("3.tif", False),
    ]
    assert "truncated" in next(image.failed for image in fourth.images if image.failed)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_the_first_signal_ends_a_batch_also_where_ctrl_c_is_ignored(
    tmp_path, monkeypatch, bright_nuclei
) -> None:
    images, sent, send = tmp_path / "images", [], subprocess.Popen.send_signal
    images.mkdir()
    for number in range(40):
        write_image(images / f"{number}.tif", picture())

    def noted(process, number):
        sent.append(number)
        send(process, number)

    monkeypatch.setattr(subprocess.Popen, "send_signal", noted)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as what a script starts in the background has it
    try:
        job = batch_job(BatchRequest((images,), (), tmp_path / "results", ("--diameter", "none")))
        next(step for step in job if step.done)
        job.close()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(sent) == 1
    assert len(list((tmp_path / "results").glob(f"*{LABELS}"))) < 40
