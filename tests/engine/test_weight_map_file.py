import json
import shlex

import numpy as np
import pytest
import tifffile

from napari_utile.cli import main
from napari_utile.engine.files.images import read_image, write_labels
from napari_utile.engine.provenance.command import weight_map_command
from napari_utile.engine.weights.weight_map import WeightMapParams, weight_map
from napari_utile.engine.weights.weight_map_file import weigh_planes, write_weight_map


def two_cells():
    labels = np.zeros((40, 50), np.int32)
    labels[10:30, 10:22] = 1
    labels[10:30, 24:40] = 70000
    return labels


def test_the_command_writes_the_map_with_its_parameters(tmp_path, capsys):
    source, target = tmp_path / "labels.tif", tmp_path / "weights.tif"
    write_labels(source, two_cells(), pixel_size=(0.4, 0.2), unit="µm")
    assert main(["weight-map", str(source), "-o", str(target), "--w0", "20", "--no-balance"]) == 0
    assert "weights.tif: total from 1 to" in capsys.readouterr().out
    written = read_image(target)
    expected = weight_map(two_cells(), w0=20, balance=False, pixel_size=(0.4, 0.2))
    np.testing.assert_array_equal(written.data, expected.total)
    assert written.data.dtype == np.float32
    assert written.pixel_size == pytest.approx((0.4, 0.2))
    described = json.loads(written.description)["weight_map"]
    assert (described["w0"], described["sigma"], described["balance"]) == (20, 5, False)


@pytest.mark.parametrize("pixel_size", [0.4, 1e-7], ids=["ImageJ", "OME, as ImageJ cannot hold such pixels"])
def test_the_parameters_are_where_the_page_says(tmp_path, pixel_size):
    target = tmp_path / "weights.tif"
    weights = np.ones((8, 9), np.float32)
    write_weight_map(target, weights, WeightMapParams(w0=20), pixel_size=(pixel_size, pixel_size), unit="µm")
    with tifffile.TiffFile(target) as file:
        if file.imagej_metadata is not None:
            text = file.imagej_metadata["Info"]
        else:
            text = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Description"]
        assert file.is_ome == (pixel_size < 1e-6)
    written = text if isinstance(text, dict) else json.loads(text)
    assert written["weight_map"]["w0"] == 20
    assert read_image(target).description == text


def test_the_copied_command_gives_the_same_bytes_as_the_function(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = WeightMapParams(w0=8, sigma=3, balance_limit=4, everywhere=True)
    source, by_hand, by_command = (tmp_path / name for name in ("l.tif", "a.tif", "weights.tif"))
    write_labels(source, two_cells())
    write_weight_map(by_hand, weigh_planes(two_cells(), params, term="border"), params, term="border")
    command = shlex.split(weight_map_command(source, params, "border"))
    assert command[0] == "utile"
    assert main(command[1:]) == 0
    assert by_hand.read_bytes() == by_command.read_bytes()


def test_every_plane_of_a_stack_is_weighed_by_itself(tmp_path):
    stack = np.stack([two_cells(), np.zeros_like(two_cells()), two_cells()[::-1]])
    source, target = tmp_path / "stack.tif", tmp_path / "out.tif"
    write_labels(source, stack, axes="TYX")
    assert main(["weight-map", str(source), "-o", str(target)]) == 0
    written = read_image(target)
    assert written.axes == "TYX"
    for plane, labels in zip(written.data, stack, strict=True):
        np.testing.assert_array_equal(plane, weight_map(labels).total)


def test_a_missing_file_and_a_bad_value_end_in_one_sentence(tmp_path, capsys):
    assert main(["weight-map", str(tmp_path / "no.tif"), "-o", str(tmp_path / "o.tif")]) == 1
    assert "no.tif" in capsys.readouterr().err
    source = tmp_path / "labels.tif"
    write_labels(source, two_cells())
    with pytest.raises(SystemExit) as end:
        main(["weight-map", str(source), "-o", str(tmp_path / "o.tif"), "--sigma", "-1"])
    assert end.value.code == 2
    assert "sigma" in capsys.readouterr().err
    assert not (tmp_path / "o.tif").exists()


def test_an_unknown_term_is_refused():
    with pytest.raises(ValueError, match="d3"):
        weigh_planes(two_cells(), WeightMapParams(), term="d3")
