"""The papers' tables: folders of the Cell Tracking Challenge as they are downloaded, and how membranes are judged."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_utile.engine.errors import UtileError
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.training.fine_tune import new_model
from simulation.film import simulate_film
from simulation.simulate import SimulationParams

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def papers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("papers")


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """Two simulated sequences in the challenge's layout: markers in every cell, gold outlines of two frames of four."""
    folder = tmp_path / "Fluo-N2DL-SIM"
    for seed, name in enumerate(("01", "02")):
        film = simulate_film(SimulationParams(height=80, width=96, cells=9, diameter=15, seed=seed), frames=4)
        for kind in (name, f"{name}_GT/SEG", f"{name}_GT/TRA", f"{name}_ST/SEG"):
            (folder / kind).mkdir(parents=True)
        for frame, (image, truth) in enumerate(
            zip(film.images[:, 0], film.nuclei.astype(np.uint16), strict=True)
        ):
            tifffile.imwrite(folder / name / f"t{frame:03d}.tif", image)
            tifffile.imwrite(folder / f"{name}_GT" / "TRA" / f"man_track{frame:03d}.tif", truth)
            tifffile.imwrite(folder / f"{name}_ST" / "SEG" / f"man_seg{frame:03d}.tif", truth)
            if frame % 2:
                tifffile.imwrite(folder / f"{name}_GT" / "SEG" / f"man_seg{frame:03d}.tif", truth)
    return folder


def test_seg_is_reported_after_training_on_the_other_sequence(
    papers, download, make_bright_model, capsys
) -> None:
    make_bright_model(download / "base.safetensors")
    papers.main([str(download), "--model", str(download / "base.safetensors"), "--minutes", "0.01"])
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| 0")]
    assert [line[1].strip() for line in lines] == ["01", "02"]
    assert [line[5].split(",")[1].strip() for line in lines] == ["2 frames of 02", "2 frames of 01"]
    for line in lines:
        assert int(line[2]) > 8
        assert all(0 < float(each) <= 1 for each in line[3:5])


def test_training_starts_from_the_model_that_finds_the_outlined_cells_best(
    papers, download, make_bright_model, monkeypatch, capsys
) -> None:
    good = make_bright_model(download / "good.safetensors")
    made = new_model("blind", width=4, depth=2)
    blind = save_model(made.card, made.network, download / "blind.safetensors")
    monkeypatch.setattr(papers, "candidates", lambda: [blind.path, good.path])
    papers.main([str(download), "--minutes", "0.01"])
    said = [line.split("|")[5] for line in capsys.readouterr().out.splitlines() if line.startswith("| 0")]
    assert [each.split(",")[0].strip() for each in said] == [f"from {good.card.name}"] * 2


def test_seg_counts_every_cell_of_the_gold_frames_once(papers, download, make_bright_model) -> None:
    tracking = papers.tracking
    model = make_bright_model(download / "base.safetensors")
    first, _ = tracking.recordings(download)
    truths = [tifffile.imread(path) for path in first.outlines().values()]
    value, cells = tracking.seg(load_model(model.path), first)
    assert cells == sum(np.unique(truth[truth > 0]).size for truth in truths)
    assert 0 < value <= 1


def test_cells_with_a_marker_and_no_outline_are_no_background(papers, download) -> None:
    (first, _) = papers.tracking.recordings(download)
    labels = first.outlines()["001"]
    truth = tifffile.imread(labels)
    forgotten = np.unique(truth[truth > 0])[0]
    tifffile.imwrite(labels, np.where(truth == forgotten, 0, truth).astype(np.uint16))
    frame = first.frame("001", labels)
    objects, annotated = frame.annotation.split(frame.labels)
    assert not annotated[truth == forgotten].any()
    assert annotated[objects > 0].all()
    assert annotated.mean() > 0.5


def test_within_the_border_only_outlined_cells_are_learnt_from(papers, download) -> None:
    first, _ = papers.tracking.recordings(download)
    frame = first.frame("001", first.outlines()["001"], border=10)
    objects, annotated = frame.annotation.split(frame.labels)
    rim = np.ones(objects.shape, bool)
    rim[10:-10, 10:-10] = False
    assert (annotated[rim] == (objects[rim] > 0)).all()
    assert annotated[~rim].all()


def test_silver_outlines_are_learnt_from_where_asked(papers, download) -> None:
    first, _ = papers.tracking.recordings(download)
    assert len(papers.tracking.training_frames(first, 10)) == 2
    assert len(papers.tracking.training_frames(first, 3, silver=True)) == 3


def test_one_sequence_or_volumes_are_refused_in_a_sentence(papers, download) -> None:
    for path in (download / "02_GT" / "SEG").iterdir():
        path.unlink()
    with pytest.raises(UtileError, match="needs two sequences"):
        papers.tracking.recordings(download)
    (download / "01_GT" / "SEG" / "man_seg_001_004.tif").write_bytes(b"")
    with pytest.raises(UtileError, match="a plane of a volume"):
        papers.tracking.recordings(download)


def test_the_way_back_undoes_each_turn(papers) -> None:
    image = np.arange(12).reshape(3, 4)
    seen = set()
    for there, back in papers.membranes._turns():
        np.testing.assert_array_equal(back(there(image)), image)
        seen.add(there(image).tobytes() + bytes(there(image).shape))
    assert len(seen) == 8


def test_each_score_of_membranes_is_the_best_of_all_thresholds(papers, make_bright_model, tmp_path) -> None:
    membranes = np.zeros((40, 40), bool)
    membranes[:, 20] = membranes[20] = True
    image = np.where(membranes, 40, 200).astype(np.uint8)
    slices = [papers.membranes.Slice("a", image, membranes)]
    model = load_model(make_bright_model(tmp_path / "m.safetensors").path)
    one = papers.membranes.judge(model, slices, turned=False, thresholds=(0.5,))
    more = papers.membranes.judge(model, slices, turned=True, thresholds=(0.1, 0.5, 0.9))
    assert one.pixel_error == more.pixel_error == 0
    assert one.rand_error == pytest.approx(0)
    assert more.v_rand == pytest.approx(1)


def test_without_slices_it_says_so(papers, tmp_path, capsys) -> None:
    papers.main(["--data", str(tmp_path)])
    assert capsys.readouterr().out.startswith("skipped")
