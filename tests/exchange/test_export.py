import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml

from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.export import export_model
from napari_utile.engine.exchange.graph import Exported, declared_halo, smallest_input, source_of
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.fused import folded
from napari_utile.engine.models.library import load_model
from napari_utile.engine.models.outputs import class_output
from napari_utile.engine.networks import extra
from napari_utile.engine.networks.onnx_writer import graph_of
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.training.fine_tune import new_model

KINDS = ("distances", "three-classes", "fcn")


def ours(model, image: np.ndarray) -> np.ndarray:
    """Compute all outputs (K, Y, X) of an image as U-Tile does, by the percentiles that packages name."""
    low, high = np.percentile(
        image, (model.card.normalization.low, model.card.normalization.high), axis=(1, 2)
    )
    channels = tuple(range(len(image)))
    params = SegmentParams(channels=channels, diameter=None, device="cpu", precision="float32")
    plane = ImagePlane(image, name="image")
    return Run(Field(plane, model, params, limits=IntensityLimits(tuple(low), tuple(high))).tiles()).result


def as_python(network) -> str:
    return source_of(Exported(network, (class_output(2),)))[0]


def as_onnx(network) -> bytes:
    return graph_of(folded(network))


@pytest.mark.parametrize("kind", KINDS)
def test_the_field_s_program_computes_the_same_whole_and_in_blocks(exchanged, kind):
    each = exchanged[kind]
    expected = ours(each.model, each.image)
    halo = declared_halo(each.model.network.geometry)
    inner = (..., slice(halo, -halo), slice(halo, -halo))
    assert expected[inner].size > 1000
    assert np.ptp(expected[inner]) > 0.05, "an even field shows nothing"
    for outputs in each.outputs:
        assert np.abs(outputs[inner] - expected[inner]).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_whole_images_are_the_same_up_to_their_border(exchanged, kind):
    each = exchanged[kind]
    assert np.abs(each.outputs[0] - ours(each.model, each.image)).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_says_what_goes_in_and_what_comes_out(packaged, kind):
    each = packaged[kind]
    card, geometry = each.model.card, each.model.network.geometry
    with zipfile.ZipFile(each.package) as package:
        said = yaml.safe_load(package.read("rdf.yaml"))
        names = set(package.namelist())
        text = package.read("README.md").decode()
    assert {
        "weights.onnx",
        "weights.pt",
        "network.py",
        "cover.png",
        "test_input.npy",
        "test_output.npy",
    } <= names
    channels, rows, columns = said["inputs"][0]["axes"][1:]
    assert channels["channel_names"] == [channel.name for channel in card.inputs]
    assert rows["size"] == {"min": smallest_input(geometry), "step": geometry.grid}
    assert said["outputs"][0]["axes"][2]["halo"] >= max(geometry.halo, *geometry.support)
    assert len(said["outputs"][0]["axes"][1]["channel_names"]) == card.output_channels
    assert columns.get("scale") == card.pixel_size
    assert said["cite"][0]["doi"]
    assert "## Validation" in text
    assert ("LICENCE.txt" in names) == bool(card.licence)


def test_an_image_of_one_s_own_makes_test_tensors_and_cover(packaged):
    with zipfile.ZipFile(packaged["three-classes"].package) as parts:
        with parts.open("test_input.npy") as file:
            tensor = np.load(file)
        said = yaml.safe_load(parts.read("rdf.yaml"))
    own = np.random.default_rng(1).random((90, 70)).astype(np.float32)
    assert np.array_equal(tensor[0, 0, :90, :70], own)
    assert said["authors"] == [{"name": "A. Author"}]


@pytest.mark.parametrize("kind", KINDS)
def test_the_source_in_a_package_needs_torch_alone_and_computes_the_same(packaged, kind, tmp_path):
    import torch

    model = packaged[kind].model
    with zipfile.ZipFile(packaged[kind].package) as parts:
        source = parts.read("network.py").decode()
        parts.extract("weights.pt", tmp_path)
    imported = [line for line in source.splitlines() if line.startswith(("import", "from"))]
    assert imported == ["import torch", "from torch import nn"]
    names = {}
    exec(source, names)
    network = names["Network"]()
    network.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    side = smallest_input(model.network.geometry)
    image = torch.rand(1, len(model.card.inputs), side, side + model.network.geometry.grid)
    expected = Exported(model.network, model.card.outputs)(image)
    assert torch.allclose(network.eval()(image), expected, atol=1e-6)


@pytest.mark.parametrize("write", [as_python, as_onnx])
def test_other_threads_compute_on_while_a_network_is_written_down(write):
    import torch

    network, other = (new_model("small", width=4, depth=2).network.eval() for _ in range(2))
    other = Exported(other, (class_output(2),))
    expected = write(network)
    image = torch.rand(1, 1, 64, 64)
    done = threading.Event()

    def compute() -> int:
        passes = 0
        with torch.inference_mode():
            right = other(image)
            while not done.is_set() or passes < 2:
                assert torch.equal(other(image), right)
                passes += 1
        return passes

    with ThreadPoolExecutor(1) as threads:
        computing = threads.submit(compute)
        try:
            written = {write(network) for _ in range(100) if not computing.done()}
        finally:
            done.set()
        assert computing.result() > 1
    assert written == {expected}


def test_a_missing_extra_is_one_sentence_with_the_line_that_installs_it(tmp_path, monkeypatch, bright_nuclei):
    monkeypatch.setattr(extra, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(UtileError, match=r'pip install "napari-utile\[exchange\]"'):
        export_model(load_model("nuclei"), tmp_path / "nuclei.zip")
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_no_package_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UtileError, match=r"must end in \.zip"):
        export_model("nuclei", tmp_path / "nuclei.tif")
