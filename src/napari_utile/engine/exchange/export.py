"""A model as a bioimage.io package, for DeepImageJ, ilastik, QuPath and whoever runs ``bioimageio.core``.

The description is written without the field's own library, whose versions leave little room beside napari's; the
tests check each package with it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.document import document
from napari_utile.engine.exchange.graph import (
    OPSET,
    Exported,
    declared_halo,
    onnx_bytes,
    smallest_input,
    source_of,
)
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.names import as_path
from napari_utile.engine.files.one_plane import plane_of
from napari_utile.engine.files.targets import check_target, identities
from napari_utile.engine.models.card import CARD_KEY, ModelCard
from napari_utile.engine.models.catalogue import BUNDLED_FOLDER
from napari_utile.engine.models.library import Model, load_model
from napari_utile.engine.networks.extra import exchange_module
from napari_utile.engine.networks.geometry import Geometry
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.mirror import mirror_window
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.windows import Window
from napari_utile.engine.words import unlike

FORMAT_VERSION = "0.5.4"
"""Of the description: as old as what it says allows, so that older programs read it."""
EPS = 1e-9
"""Keeps flat images from being divided by 0; small against any real range of grey values."""
COVER_SIDE = 256
SPDX = (
    "BSD-3-Clause",
    "BSD-2-Clause",
    "MIT",
    "Apache-2.0",
    "CC0-1.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "GPL-3.0-only",
)
"""Licences that packages name; of all others the text goes along."""
PAPERS = {
    "unet": (
        "Ronneberger, Fischer, Brox: U-Net: Convolutional networks for biomedical image segmentation. MICCAI 2015.",
        "10.1007/978-3-319-24574-4_28",
    ),
    "fcn": (
        "Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation. CVPR 2015.",
        "10.1109/CVPR.2015.7298965",
    ),
}


def export_model(
    model: str | Path | Model,
    path: str | Path,
    *,
    image: Any = None,
    authors: Sequence[str] = (),
) -> Path:
    """Write a model as a bioimage.io package, with ONNX weights and a state dict.

    Parameters
    ----------
    model : str, Path or Model
        A name, a model file, or a loaded model.
    path : str or Path
        The package to write; it ends in ``.zip``.
    image : path or (Y, X) or (C, Y, X) array, optional
        What the test tensors and the cover are made of; a sample image by default.
    authors : sequence of str
        Who made the model; the makers of U-Tile for a bundled one, by default.

    Returns
    -------
    Path
        The package.

    Raises
    ------
    UtileError
        If the model, the image or the name cannot be used, or the extra ``exchange`` is not installed.

    Examples
    --------
    >>> from napari_utile import export_model  # doctest: +SKIP
    >>> export_model("nuclei", "nuclei.zip")  # doctest: +SKIP
    """
    read = [image] if isinstance(image, (str, Path)) else []
    target = check_target(as_path(path, "a package"), identities(read), (".zip",))
    for name in ("onnx", "onnxscript"):
        exchange_module(name)
    yaml = exchange_module("yaml")
    loaded = model if isinstance(model, Model) else load_model(model)
    if loaded.card.family == "onnx":
        raise UtileError(f"{loaded.card.name} was imported as ONNX: share the file that it came from.")
    exported = Exported(loaded.network, loaded.card.outputs)
    picture = example_image(loaded, image)
    with TemporaryDirectory(prefix="utile-") as folder:
        root = Path(folder)
        _write_parts(root, exported, loaded.card, picture)
        described = _with_hashes(_description(loaded, authors), root)
        text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
        (root / "rdf.yaml").write_text(text, encoding="utf-8")
        with atomic_path(target) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as package:
            for part in sorted(root.iterdir()):
                package.write(part, part.name)
    return target


def example_image(model: Model, image: Any = None) -> NDArray[np.float32]:
    """Return grey values (C, y, x) of a size that fits the exported network, from an image or a sample."""
    card, geometry = model.card, model.network.geometry
    if image is None:
        shows_nuclei = any("nucle" in each.name for each in card.inputs if not each.optional)
        pixels = sample_image(shows_nuclei, card.needed_inputs)
    else:
        pixels = image
    plane = card.shown(plane_of(pixels))
    grid = geometry.grid
    side = max(smallest_input(geometry), -(-COVER_SIDE // grid) * grid)
    return np.asarray(mirror_window(plane.data, Window(slice(0, side), slice(0, side))), np.float32)


def sample_image(of_nuclei: bool, channels: int) -> ImagePlane:
    """Return a sample image of the package, the same in each of so many channels."""
    name = "nuclei.tif" if of_nuclei else "phase_contrast_cells.tif"
    with as_file(files("napari_utile") / "sample_data" / name) as sample:
        plane = plane_of(sample)
    return replace(plane, data=np.repeat(np.asarray(plane.data[:1]), channels, axis=0), rgb=False)


def normalized(picture: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """Scale grey values (C, Y, X) as the package says: by percentiles of all pixels of each channel."""
    wanted = (card.normalization.low, card.normalization.high)
    low, high = np.percentile(picture, wanted, axis=(1, 2))
    return IntensityLimits(tuple(low), tuple(high)).apply(picture)


def _write_parts(root: Path, exported: Exported, card: ModelCard, picture: NDArray[np.float32]) -> None:
    """Write weights, source, test tensors, cover and text."""
    source, weights = source_of(exported)
    (root / "network.py").write_text(source, encoding="utf-8")
    torch.save(weights, root / "weights.pt")
    (root / "weights.onnx").write_bytes(onnx_bytes(exported, picture.shape[0]))
    with torch.inference_mode():
        outputs = exported(torch.from_numpy(normalized(picture, card))[None])[0].numpy()
    np.save(root / "test_input.npy", picture[None])
    np.save(root / "test_output.npy", outputs[None])
    _write_cover(root / "cover.png", picture[0], outputs[list(card.foreground)].sum(0))
    (root / "README.md").write_text(document(card), encoding="utf-8")
    if card.licence:
        (root / "LICENCE.txt").write_text(f"{card.licence}\n", encoding="utf-8")


def _write_cover(path: Path, image: NDArray[np.float32], foreground: NDArray[np.float32]) -> None:
    """Draw the image and what the network makes of it, side by side."""
    from PIL import Image

    low, high = np.percentile(image, (1, 99.8))
    grey = np.clip((image - low) / max(high - low, EPS), 0, 1)
    both = np.concatenate([grey, foreground], axis=1)
    Image.fromarray((255 * both).astype(np.uint8)).save(path)


def _description(model: Model, authors: Sequence[str]) -> dict[str, Any]:
    """Return what stands in the package's ``rdf.yaml``."""
    card, geometry = model.card, model.network.geometry
    if not authors and model.path is not None and model.path.resolve().parent == BUNDLED_FOLDER.resolve():
        authors = ("the napari-utile developers",)
    text, doi = PAPERS["fcn" if card.family.startswith("fcn") else "unet"]
    values: dict[str, Any] = {
        "type": "model",
        "format_version": FORMAT_VERSION,
        "name": _plain(f"{card.title or card.name} (U-Tile)"),
        "description": (card.description or card.title or "A network that finds cells.")[:1024],
        "authors": [{"name": each.replace("/", " ")} for each in authors],
        "cite": [{"text": text, "doi": doi}],
        "license": _licence(card),
        "documentation": {"source": "README.md"},
        "covers": [{"source": "cover.png"}],
        "tags": ["segmentation", "cells", "u-net" if card.family == "unet" else "fcn", "2d", "utile"],
        "inputs": [_input(card, geometry)],
        "outputs": [_output(card, geometry)],
        "weights": {
            "pytorch_state_dict": {
                "source": "weights.pt",
                "pytorch_version": torch.__version__.partition("+")[0],
                "architecture": {"source": "network.py", "callable": "Network"},
            },
            "onnx": {"source": "weights.onnx", "opset_version": OPSET, "parent": "pytorch_state_dict"},
        },
        "config": {CARD_KEY: to_json(card)},
    }
    return {key: value for key, value in values.items() if value not in (None, [])}


def _with_hashes(described: Any, root: Path) -> Any:
    """Add to each file that is named its SHA-256."""
    if isinstance(described, list):
        return [_with_hashes(each, root) for each in described]
    if not isinstance(described, dict):
        return described
    inner = {key: _with_hashes(value, root) for key, value in described.items()}
    if "source" in inner:
        inner["sha256"] = hashlib.sha256((root / inner["source"]).read_bytes()).hexdigest()
    return inner


def _input(card: ModelCard, geometry: Geometry) -> dict[str, Any]:
    size = {"min": smallest_input(geometry), "step": geometry.grid}
    percentiles = {"min_percentile": card.normalization.low, "max_percentile": card.normalization.high}
    names = [_plain(each.name) for each in card.inputs]
    return {
        "id": "image",
        "description": "Grey values; a channel that is optional is 0 everywhere where there is none.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "id": "channel", "channel_names": unlike(names)},
            *({"type": "space", "id": axis, "size": size, **_scale(card)} for axis in "yx"),
        ],
        "data": {"type": "float32"},
        "test_tensor": {"source": "test_input.npy"},
        "preprocessing": [
            {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}},
            {"id": "scale_range", "kwargs": {"axes": ["y", "x"], **percentiles, "eps": EPS}},
            {"id": "clip", "kwargs": {"min": -1.0, "max": 4.0}},
        ],
    }


def _output(card: ModelCard, geometry: Geometry) -> dict[str, Any]:
    names = [each.name for each in card.classes]
    for output in card.outputs[1:]:
        more = range(output.channels)
        names += [output.name] if output.channels == 1 else [f"{output.name} {index}" for index in more]
    return {
        "id": "outputs",
        "description": "Class probabilities, which sum to 1, then what else the network computes, from 0 to 1.",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "id": "channel", "channel_names": unlike([_plain(each) for each in names])},
            *(
                {
                    "type": "space",
                    "id": axis,
                    "size": {"tensor_id": "image", "axis_id": axis, "offset": 0},
                    "halo": declared_halo(geometry),
                    **_scale(card),
                }
                for axis in "yx"
            ),
        ],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": {"source": "test_output.npy"},
    }


def _scale(card: ModelCard) -> dict[str, Any]:
    """Say how large a pixel is, where the model knows it."""
    return {} if card.pixel_size is None else {"unit": "micrometer", "scale": card.pixel_size}


def _licence(card: ModelCard) -> Any:
    """Return the licence by the name that the field knows it by, else the file that holds its text."""
    if not card.licence:
        return None
    first = card.licence.partition(",")[0].strip()
    return first if first in SPDX else {"source": "LICENCE.txt"}


def _plain(name: str) -> str:
    """Write a name with the letters that packages allow."""
    plain = re.sub(r"[^A-Za-z0-9_+\- ()]+", " ", name).strip()[:64]
    return plain or "model"
