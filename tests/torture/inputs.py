"""Files of every kind, made hostile: a right result or one sentence; nothing else, in bounded time and memory."""

import io
import json
import resource
import shutil
import signal
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tifffile
import torch
import yaml
import zarr

from napari_utile.engine.clicks.markers import read_markers
from napari_utile.engine.errors import UtileError, sentence_of
from napari_utile.engine.exchange.export import export_model
from napari_utile.engine.exchange.importing import import_model
from napari_utile.engine.files.boxes_file import read_boxes
from napari_utile.engine.files.images import read_image
from napari_utile.engine.files.label_planes import labels_of
from napari_utile.engine.files.label_reading import read_labels
from napari_utile.engine.models.catalogue import user_model_folder
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.provenance.recipe import load_recipe
from napari_utile.engine.provenance.settings import load_settings
from napari_utile.engine.training.state import (
    RunState,
    copy_weights,
    read_checkpoint,
    steps_of,
    write_checkpoint,
)
from torture.mutations import mutate_bytes, mutate_json, mutate_json_text, mutate_table
from torture.runs import Case, some
from torture.stores import begin_stores, finish, finish_rightly, journal, unfinished

SECONDS = 10
BYTES = 2 << 30
SIDE = 40
COMPRESSIONS = (None, "zlib", "lzw", "packbits", "zstd", "jpeg")

Make = Callable[[Path, np.random.Generator], Path]


def tiff(folder: Path, rng: np.random.Generator) -> Path:
    """Write a TIFF of a random layout, then change its bytes."""
    path = folder / "a.tif"
    planes = int(rng.integers(1, 4))
    dtype = str(rng.choice(["uint8", "uint16", "int32", "float32", "float64"]))
    pixels = rng.integers(0, 99, (planes, SIDE, SIDE)).astype(dtype)
    compression = COMPRESSIONS[rng.integers(len(COMPRESSIONS))]
    compression = None if compression == "jpeg" and dtype != "uint8" else compression
    compression = None if compression == "packbits" and dtype == "float64" else compression
    kind = rng.integers(3)
    options: dict[str, Any] = {"compression": compression, "photometric": "minisblack"}
    if kind == 0:
        tifffile.imwrite(path, pixels, ome=True, metadata={"axes": "ZYX"}, **options)
    elif kind == 1 and dtype in ("uint8", "uint16", "float32"):
        tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "TYX"}, **options)
    else:
        tifffile.imwrite(path, pixels, tile=(16, 16) if rng.random() < 0.5 else None, **options)
    content = path.read_bytes()
    if rng.random() < 0.3:  # a tag that announces absurd sizes
        with tifffile.TiffFile(path) as tif:
            tags = list(tif.pages.first.tags)
            tag = tags[int(rng.integers(len(tags)))]
            order = tif.byteorder
        value = struct.pack(f"{order}I", int(rng.choice([0, 1, 65535, 2**31, 2**32 - 1])))
        content = content[: tag.valueoffset] + value + content[tag.valueoffset + 4 :]
    else:
        content = mutate_bytes(content, rng)
    path.write_bytes(content)
    return path


def picture(folder: Path, rng: np.random.Generator) -> Path:
    """Write a PNG, JPEG, BMP or GIF and change its bytes."""
    ending = str(rng.choice(["png", "jpg", "bmp", "gif"]))
    path = folder / f"a.{ending}"
    shape = (SIDE, SIDE, 3) if ending != "gif" and rng.random() < 0.5 else (SIDE, SIDE)
    PIL.Image.fromarray(rng.integers(0, 255, shape).astype(np.uint8)).save(path)
    path.write_bytes(mutate_bytes(path.read_bytes(), rng))
    return path


def store(folder: Path, rng: np.random.Generator) -> Path:
    """Write an OME-Zarr and change its metadata or a chunk."""
    path = folder / "a.zarr"
    version = int(rng.choice([2, 3]))
    group = zarr.open_group(path, mode="w", zarr_format=version)
    array = group.create_array("0", shape=(2, SIDE, SIDE), chunks=(1, 16, 16), dtype="uint16")
    array[...] = rng.integers(0, 999, array.shape).astype(np.uint16)
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    scale = [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    metadata = {"multiscales": [{"version": "0.5", "axes": axes, "datasets": datasets}]}
    group.attrs.update(metadata if version == 2 else {"ome": metadata})
    files = [each for each in sorted(path.rglob("*")) if each.is_file()]
    chosen = files[int(rng.integers(len(files)))]
    texts = [each for each in files if each.name in ("zarr.json", ".zattrs", ".zarray", ".zgroup")]
    if rng.random() < 0.8:
        chosen = texts[int(rng.integers(len(texts)))]
        chosen.write_bytes(mutate_json_text(chosen.read_text(), rng))
    else:
        chosen.write_bytes(mutate_bytes(chosen.read_bytes(), rng))
    return path


def model(folder: Path, rng: np.random.Generator) -> Path:
    """Write a model and change its card, its header or its weights."""
    path = folder / "m.safetensors"
    path.write_bytes(_with_header((folder.parent / "valid.safetensors").read_bytes(), rng))
    return path


def _with_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the JSON in the header of a safetensors file, that header, or bytes anywhere."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    key = next(iter(header["__metadata__"]))
    if rng.random() < 0.8:
        header["__metadata__"][key] = json.dumps(mutate_json(json.loads(header["__metadata__"][key]), rng))
    else:
        header = mutate_json(header, rng)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def recipe(folder: Path, rng: np.random.Generator) -> Path:
    """Change a recipe."""
    path = folder / "a_recipe.json"
    path.write_bytes(mutate_json_text((folder.parent / "valid_recipe.json").read_text(), rng))
    return path


def settings(folder: Path, rng: np.random.Generator) -> Path:
    """Change fitted settings."""
    values = {
        "format": "napari-utile settings 1",
        "segment": {"model": "nuclei", "diameter": 20.0, "channels": [0], "preprocess": "invert,smooth:1"},
        "instances": {"threshold": 0.5, "minimum_size": 30},
    }
    path = folder / "s.json"
    path.write_bytes(mutate_json_text(json.dumps(values), rng))
    return path


def markers(folder: Path, rng: np.random.Generator) -> Path:
    """Change a table of markers."""
    rows = ("0,20,22,cell,1,1,", "1,5,3,split,2,2,0.5", "2,2,4,background,1,3,")
    text = "\n".join(["index,axis-0,axis-1,kind,cell,order,threshold", *rows])
    path = folder / "points.csv"
    path.write_bytes(mutate_table(text, rng))
    return path


def boxes(folder: Path, rng: np.random.Generator) -> Path:
    """Change a table of boxes."""
    corners = ("2,2", "2,30", "30,30", "30,2")
    rows = [f"0,rectangle,{number},{corner}" for number, corner in enumerate(corners)]
    path = folder / "boxes.csv"
    path.write_bytes(mutate_table("\n".join(["index,shape-type,vertex-index,axis-0,axis-1", *rows]), rng))
    return path


def checkpoint(folder: Path, rng: np.random.Generator) -> Path:
    """Write the checkpoint of a training run, and change its header or its bytes."""
    path = folder / "a.checkpoint"
    network, optimizer = _run()
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    write_checkpoint(path, RunState(), {"network": copy_weights(network)}, optimizer, IDENTITY)
    path.write_bytes(_with_header(path.read_bytes(), rng))
    return path


def package(folder: Path, rng: np.random.Generator) -> Path:
    """Change what is in a bioimage.io package, how it is packed, or its bytes."""
    path = folder / "p.zip"
    content = (folder.parent / "valid.zip").read_bytes()
    if rng.random() < 0.3:
        path.write_bytes(mutate_bytes(content, rng))
        return path
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    chosen = sorted(parts)[int(rng.integers(len(parts)))]
    kind = rng.integers(6)
    if kind <= 1 and "rdf.yaml" in parts:
        said = mutate_json(yaml.safe_load(parts["rdf.yaml"]), rng)
        parts["rdf.yaml"] = json.dumps(said).encode()  # JSON is YAML
    elif kind == 2:
        parts[chosen] = mutate_bytes(parts[chosen], rng)
    elif kind == 3:
        parts[str(rng.choice(["../outside", "/outside", "a\\..\\..\\outside", "C:outside"]))] = b"x"
    elif kind == 4:
        parts[chosen] = bytes(int(rng.choice([0, 1, 1 << 22, 1 << 25])))
    else:
        del parts[chosen]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name, part)
    return path


def _import(path: Path) -> None:
    try:
        load_model(import_model(path).path)
    finally:
        for each in user_model_folder().glob("*.safetensors"):
            each.unlink()


IDENTITY = {"recipe": "default", "seed": 3}


def _run() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    network = torch.nn.Linear(3, 2)
    return network, torch.optim.AdamW(network.parameters())


def _resume(path: Path) -> None:
    steps_of(path)
    read_checkpoint(path, IDENTITY, _run()[1], torch.device("cpu"))


def _look(path: Path) -> None:
    for _, plane in SelectedPlanes(read_image(path)):
        np.asarray(plane.data[:, :64, :64])


def _look_at_labels(path: Path) -> None:
    for _ in labels_of(read_labels(path)):
        pass


KINDS: dict[str, tuple[Make, Callable[[Path], Any]]] = {
    "TIFF images": (tiff, _look),
    "TIFF labels": (tiff, _look_at_labels),
    "pictures": (picture, _look),
    "OME-Zarr": (store, _look),
    "models": (model, load_model),
    "checkpoints": (checkpoint, _resume),
    "recipes": (recipe, load_recipe),
    "settings": (settings, load_settings),
    "markers": (markers, read_markers),
    "boxes": (boxes, lambda path: read_boxes(path, (SIDE, SIDE))),
    "packages": (package, _import),
    "journals": (journal, finish_rightly),
    "unfinished stores": (unfinished, finish),
}


def prepare(folder: Path, save_bright_model: Callable[[Path], Any]) -> None:
    """Write what is changed many times: a model, the recipe of a result, a package, stores."""
    prepare_recipe(folder, save_bright_model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export_model(folder / "valid.safetensors", folder / "valid.zip")
    begin_stores(folder)


def prepare_recipe(folder: Path, save_bright_model: Callable[[Path], Any]) -> None:
    """Write a model, and the recipe of what it makes."""
    from napari_utile.cli import main

    save_bright_model(folder / "valid.safetensors")
    tifffile.imwrite(folder / "valid.tif", (np.indices((SIDE, SIDE)).sum(0) % 13 * 15).astype(np.uint8))
    words = ["segment", str(folder / "valid.tif"), "-o", str(folder), "--diameter", "none", "--quiet"]
    assert main([*words, "--model", str(folder / "valid.safetensors")]) == 0


def attempt(kind: str, seed: int, folder: Path) -> str:
    """Make one hostile file and open it; return "read", "refused", or what went wrong."""
    rng = np.random.default_rng([list(KINDS).index(kind), seed])
    make, look = KINDS[kind]
    here = folder / f"{kind.replace(' ', '-')}-{seed}"
    here.mkdir()
    path = make(here, rng)
    before = _content(here)
    try:
        with warnings.catch_warnings(), _bounded():
            warnings.simplefilter("ignore")
            look(path)
    except UtileError as error:
        said = sentence_of(error)
        if "\n" in said or len(said) > 600:
            return f"not one sentence: {said[:200]!r}"
        outcome = "refused"
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        return f"{type(error).__name__}: {str(error)[:200]}"
    else:
        outcome = "read"
    if _content(here) != before:
        return "the file was changed"
    shutil.rmtree(here)
    return outcome


def _content(folder: Path) -> dict[str, int]:
    return {str(each): each.stat().st_size for each in folder.rglob("*")}


@contextmanager
def _bounded() -> Iterator[None]:
    """Stop after some seconds, and let no more than some memory be taken."""

    def too_slow(*_: object) -> None:
        raise TimeoutError(f"took more than {SECONDS} s")

    usual = signal.signal(signal.SIGVTALRM, too_slow)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, hard))
    signal.setitimer(
        signal.ITIMER_VIRTUAL, SECONDS
    )  # processor time: other work on the machine does not count
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, usual)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def cases(folder: Path, scale: float) -> Iterator[Case]:
    """Give 1,112 mutated files of each kind."""
    for kind in KINDS:
        for seed in some(1112, scale):
            yield f"inputs: {kind}", str(seed), lambda kind=kind, seed=seed: attempt(kind, seed, folder)
