import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from napari.components import ViewerModel
from onnx import TensorProto, helper, numpy_helper

from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.checkpoint import read_state_dict
from napari_utile.engine.exchange.export import export_model
from napari_utile.engine.exchange.importing import import_model
from napari_utile.engine.files.images import read_image, write_image
from napari_utile.engine.inference.field import Field
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment import segment
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.widgets.viewer.layers import session_of
from pages import page_of

FIELD = Path(sys.prefix) / "bioimageio"
EDGE = 24


def values_of(model, image: np.ndarray) -> np.ndarray:
    params = SegmentParams(diameter=None, device="cpu", precision="float32", tile=48)
    return Run(Field(ImagePlane(image, name="image"), model, params).tiles()).result


def inside(values: np.ndarray) -> np.ndarray:
    return values[..., EDGE:-EDGE, EDGE:-EDGE]


@pytest.fixture(scope="session")
def foreign(tmp_path_factory) -> Path:
    """A folder with packages that the field's own library made of a plain U-Net."""
    if not FIELD.is_dir():
        pytest.skip(f"bioimageio.spec is not in {FIELD}: make test installs it")
    folder = tmp_path_factory.mktemp("foreign")
    program = Path(__file__).with_name("plain_unet.py")
    environment = {**os.environ, "PYTHONPATH": str(FIELD)}
    subprocess.run([sys.executable, "-W", "ignore", program, folder], check=True, env=environment)
    return folder


@pytest.mark.parametrize("name", ["foreign", "state_dict"])
def test_a_package_made_by_others_tools_gives_its_own_outputs_tile_by_tile(foreign, name):
    taken = import_model(foreign / f"{name}.zip")
    assert taken.seam is not None
    assert taken.seam <= 1e-4
    assert any("package's own test output (within" in note for note in taken.notes), taken.notes
    model = load_model(taken.path)
    assert [each.name for each in model.card.classes] == ["background", "nucleus"]
    assert model.card.licence == "MIT"
    image, expected = np.load(foreign / "image.npy")[0], np.load(foreign / f"{name}_expected.npy")[0]
    assert np.ptp(inside(expected)) > 0.05
    assert np.abs(inside(values_of(model, image)) - inside(expected)).max() < 1e-4


def test_dock_and_command_take_the_same_packages_and_segment_with_them(foreign, tmp_path, qtbot):
    viewer = ViewerModel()
    page = page_of(viewer, "models", qtbot)
    image = np.load(foreign / "image.npy")[0, 0]
    write_image(tmp_path / "cells.tif", image)
    for name in ("foreign", "state_dict"):
        page.import_file(str(foreign / f"{name}.zip"))
        qtbot.waitUntil(
            lambda name=name: f"Imported as A network ({name})" in page.form.status.text(), timeout=60_000
        )
        assert "package's own test output" in page.form.status.text()
        assert main(["models", "import", str(foreign / f"{name}.zip"), "--name", f"by command {name}"]) == 0
        found = []
        for model in (session_of(viewer).model, f"by-command-{name}"):
            options = [
                "--model",
                model,
                "--diameter",
                "none",
                "--precision",
                "float32",
                "--probability",
                "--quiet",
            ]
            assert main(["segment", str(tmp_path / "cells.tif"), "-o", str(tmp_path / model), *options]) == 0
            found.append(read_image(tmp_path / model / "cells_probability.tif").data)
        ours = segment(image, model=session_of(viewer).model, diameter=None, precision="float32").foreground
        assert np.ptp(ours) > 0.01
        for probability in found:
            np.testing.assert_array_equal(probability, ours)


def test_the_dock_says_what_a_checkpoint_does_not(foreign, qtbot):
    page = page_of(ViewerModel(), "models", qtbot)
    fields = page.form.import_fields
    fields.grey.setCurrentIndex(fields.grey.findData("mean"))
    page.import_file(str(foreign / "foreign.pt"))
    qtbot.waitUntil(lambda: "Imported as foreign" in page.form.status.text(), timeout=60_000)
    assert "the mean becomes 0" in page.form.status.text()
    image, expected = np.load(foreign / "image.npy")[0], np.load(foreign / "foreign_expected.npy")[0]
    assert np.abs(inside(values_of(load_model("foreign"), image)) - inside(expected)).max() < 1e-4


def test_a_plain_checkpoint_is_placed_by_its_shapes_and_what_they_do_not_tell_is_said(foreign):
    taken = import_model(foreign / "foreign.pt", "my-net", grey="mean")
    assert taken.path.stem == "my-net"
    assert "padded U-Net of 3 levels (4, 8, 16 channels)" in taken.notes[0]
    assert any("Shapes do not say everything" in note for note in taken.notes)
    image, expected = np.load(foreign / "image.npy")[0], np.load(foreign / "foreign_expected.npy")[0]
    assert np.abs(inside(values_of(load_model("my-net"), image)) - inside(expected)).max() < 1e-4


def test_code_is_refused_in_a_sentence_that_names_onnx(foreign, tmp_path):
    class Anything:
        pass

    torch.save(torch.nn.Conv2d(1, 1, 3), tmp_path / "module.pt")
    for path in (foreign / "script.zip", foreign / "script.pt", tmp_path / "module.pt"):
        with pytest.raises(UtileError, match="is code and is not run here: ask its authors for ONNX"):
            import_model(path)
    assert not list(user_model_folder().glob("*.safetensors"))


def graph_of(nodes: list, weights: dict[str, np.ndarray], channels: int = 1, size: object = None) -> bytes:
    """Write an ONNX graph from ``x`` to ``y``."""
    shape = ["n", 1, size or "h", size or "w"]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, *shape[2:]])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def one_convolution(**options) -> bytes:
    """Blur, then the logistic function: a foreground probability."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[2, 2, 2, 2]),
        helper.make_node("Sigmoid", ["c"], ["y"]),
    ]
    return graph_of(nodes, {"w": np.full((1, 1, 5, 5), 0.1, np.float32)}, **options)


def test_a_bare_onnx_file_is_understood_by_running_it(tmp_path):
    (tmp_path / "blur.onnx").write_bytes(one_convolution())
    taken = import_model(tmp_path / "blur.onnx")
    assert any("It sees 2 px around" in note for note in taken.notes)
    assert any("read as: foreground" in note for note in taken.notes)
    assert taken.seam == 0
    image = np.random.default_rng(0).random((1, 90, 80)).astype(np.float32)
    values = values_of(load_model("blur"), image)
    assert values.shape == (2, 90, 80)
    assert np.allclose(values.sum(0), 1, atol=1e-5)
    low, high = np.percentile(image, (1, 99.8))
    scaled = (image[0, 40:45, 40:45] - low) / (high - low)
    assert values[1, 42, 42] == pytest.approx(1 / (1 + np.exp(-0.1 * scaled.sum())), abs=1e-5)


def test_grey_values_can_be_divided_by_a_number(tmp_path):
    (tmp_path / "blur.onnx").write_bytes(one_convolution())
    import_model(tmp_path / "blur.onnx", grey="255")
    values = values_of(load_model("blur"), np.full((1, 70, 70), 51, np.uint8))
    assert values[1, 35, 35] == pytest.approx(1 / (1 + np.exp(-0.1 * 25 * 0.2)), abs=1e-5)


def test_a_network_that_normalises_each_tile_has_seams_and_that_is_said(tmp_path):
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=1),
        helper.make_node("Sub", ["x", "m"], ["d"]),
        helper.make_node("Conv", ["d", "w"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["y"]),
    ]
    (tmp_path / "whole.onnx").write_bytes(graph_of(nodes, {"w": np.full((1, 1, 1, 1), 4, np.float32)}))
    taken = import_model(tmp_path / "whole.onnx")
    assert taken.seam > 1e-3
    assert any("sees each tile as a whole: seams may show" in note for note in taken.notes)


def test_an_imported_network_cannot_be_trained_or_exported_and_says_so(tmp_path):
    (tmp_path / "blur.onnx").write_bytes(one_convolution())
    import_model(tmp_path / "blur.onnx")
    with pytest.raises(UtileError, match="share the file that it came from"):
        export_model("blur", tmp_path / "blur.zip")


def test_a_model_goes_out_and_comes_back_with_its_card(tmp_path, make_bright_model):
    model = make_bright_model(tmp_path / "bright.safetensors", object_diameter=17.0)
    taken = import_model(export_model(model, tmp_path / "bright.zip"), "back")
    back = load_model(taken.path)
    assert back.card.object_diameter == 17.0
    assert back.fingerprint == model.fingerprint


def package(path: Path, said: object = None, **parts: bytes) -> Path:
    """Write a package that may be anything."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        if said is not None:
            file.writestr("rdf.yaml", said if isinstance(said, str) else yaml.safe_dump(said))
        for name, content in parts.items():
            file.writestr(name, content)
    return path


def tensor(axes: str) -> dict:
    return {"axes": axes, "shape": {"min": [1] * len(axes), "step": [0] * len(axes)}}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (": : :", "cannot be understood"),
        ("[1, 2]", "cannot be understood"),
        ({"type": "dataset"}, "not a model"),
        ({"type": "model"}, "cannot be understood"),
        ({"inputs": [tensor("bczyx")], "outputs": [tensor("bczyx")], "weights": {}}, "networks over planes"),
        ({"inputs": [tensor("byxc")], "outputs": [tensor("byxc")], "weights": {}}, "order byxc"),
        ({"inputs": [tensor("bcyx")], "outputs": [tensor("bcyx")], "weights": {}}, "holds no weights"),
        (
            {
                "inputs": [tensor("bcyx")],
                "outputs": [tensor("bcyx")],
                "weights": {"onnx": {"source": "../../x.onnx"}},
            },
            "which it does not hold",
        ),
        (
            {
                "inputs": [tensor("bcyx")],
                "outputs": [tensor("bcyx")],
                "weights": {"keras_hdf5": {"source": "k.h5"}},
            },
            "is code and is not run here: ask its authors for ONNX",
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_refused_in_one_sentence(tmp_path, said, sentence):
    with pytest.raises(UtileError, match=sentence):
        import_model(package(tmp_path / "odd.zip", said))


def test_zip_bombs_links_and_odd_paths_are_refused(tmp_path):
    bomb = package(tmp_path / "bomb.zip", {}, **{"weights.onnx": bytes(50 << 20)})
    with pytest.raises(UtileError, match="times smaller than what it holds"):
        import_model(bomb)
    for name in ("../outside", "/etc/outside", "a/../../outside", "C:\\outside"):
        with pytest.raises(UtileError, match="outside it"):
            import_model(package(tmp_path / "path.zip", {}, **{name: b"1"}))
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as file:
        link = zipfile.ZipInfo("rdf.yaml")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    with pytest.raises(UtileError, match="holds a link"):
        import_model(tmp_path / "link.zip")
    with pytest.raises(UtileError, match="that is not a model"):
        import_model(package(tmp_path / "many.zip", {}, **{f"{n}": b"" for n in range(1001)}))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.zip", b"PK\x03\x04 nothing", "cannot be opened as a zip file"),
        ("a.pt", b"\x80\x02nothing", "not a readable checkpoint|pickled"),
        ("a.pth", b"", "not a model in a known format"),
        ("a.onnx", b"nothing", "ONNX Runtime cannot use"),
    ],
)
def test_damaged_files_are_refused_in_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UtileError, match=sentence) as found:
        import_model(tmp_path / name)
    assert "\n" not in str(found.value)


def test_a_network_of_one_size_is_refused(tmp_path):
    (tmp_path / "fixed.onnx").write_bytes(one_convolution(size=64))
    with pytest.raises(UtileError, match="64 x 64 pixels only"):
        import_model(tmp_path / "fixed.onnx")


def test_weights_of_another_network_are_refused_with_the_reason(tmp_path):
    torch.save(
        {"a.weight": torch.zeros(4, 1, 3, 3), "b.weight": torch.zeros(2, 4, 1, 1)}, tmp_path / "small.pt"
    )
    with pytest.raises(UtileError, match=r"2 layers in all\): ask for ONNX"):
        import_model(tmp_path / "small.pt")
    torch.save({"steps": 3}, tmp_path / "none.pt")
    with pytest.raises(UtileError, match="holds no weights"):
        import_model(tmp_path / "none.pt")
    torch.save({"a.weight": torch.full((4, 1, 3, 3), torch.nan)}, tmp_path / "nan.pt")
    with pytest.raises(UtileError, match="not finite"):
        read_state_dict((tmp_path / "nan.pt").read_bytes(), "nan.pt")


def test_a_name_that_is_taken_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "blur.onnx").write_bytes(one_convolution())
    import_model(tmp_path / "blur.onnx", "Blur")
    with pytest.raises(UtileError, match="already: choose another name"):
        import_model(tmp_path / "blur.onnx")
