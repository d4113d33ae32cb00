"""Models made elsewhere, taken into the library: bioimage.io packages, ONNX files, checkpoints of plain U-Nets."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_utile.engine.arrays import Float32Array
from napari_utile.engine.errors import UtileError
from napari_utile.engine.exchange.archive import LARGEST, Archive
from napari_utile.engine.exchange.checkpoint import IS_CODE, read_state_dict
from napari_utile.engine.exchange.description import Description, is_package, read_description
from napari_utile.engine.exchange.export import sample_image
from napari_utile.engine.exchange.graph import flat_name
from napari_utile.engine.exchange.grey_values import (
    GreyValues,
    as_they_are,
    by_percentiles,
    by_spread,
    grey_values_of,
)
from napari_utile.engine.exchange.measured import largest_seam, reading_of
from napari_utile.engine.exchange.onnx_file import onnx_network, with_external_data
from napari_utile.engine.exchange.shapes import alternatives, plain_unet_of
from napari_utile.engine.files.names import as_path
from napari_utile.engine.models.card import CARD_KEY, ModelCard, card_from_json
from napari_utile.engine.models.catalogue import SUFFIX
from napari_utile.engine.models.library import Model, fingerprint_of, save_model
from napari_utile.engine.models.outputs import InputChannel, ModelClass
from napari_utile.engine.models.own_models import import_model as copy_model
from napari_utile.engine.models.own_models import library_lock, new_place
from napari_utile.engine.networks.families import build_network
from napari_utile.engine.networks.foreign import ForeignNetwork
from napari_utile.engine.networks.plain_unet import PlainUNet
from napari_utile.engine.networks.readings import READINGS
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.mirror import mirror_window
from napari_utile.engine.planes.normalize import measure_limits
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted

SEAMLESS = 1e-4
SAMPLE_SIDE = 384


@dataclass(frozen=True)
class Imported:
    """A model that was taken into the library.

    Attributes
    ----------
    path : Path
        Its file there.
    notes : tuple of str
        How it was understood, and what is not exact, a sentence each.
    seam : float or None
        The largest difference of a probability between large and small tiles of a test image; None for U-Tile's own.
    """

    path: Path
    notes: tuple[str, ...] = ()
    seam: float | None = None


def import_model(
    file: str | Path, name: str | None = None, *, reading: str | None = None, grey: str | float | None = None
) -> Imported:
    """Take a model into the library: one of U-Tile, a bioimage.io package, an ONNX file or a U-Net's checkpoint.

    Nothing in the file is run but the network itself, whose graph or weights are numbers.

    Parameters
    ----------
    file : str or Path
    name : str, optional
        Its title here; the one in the file by default.
    reading : str, optional
        What the network's channels are, one of `READINGS`; found out by running it by default.
    grey : {"percentiles", "mean"} or float, optional
        Where the file does not say how grey values are scaled: by percentiles (the default), by the mean and the
        standard deviation, or divided by a number.

    Returns
    -------
    Imported

    Raises
    ------
    UtileError
        In one sentence, where the file is none of these, is code, or cannot be run exactly enough to be of use.

    Examples
    --------
    >>> from napari_utile import import_model  # doctest: +SKIP
    >>> import_model("affable-shark.zip").notes  # doctest: +SKIP
    """
    path = as_path(file, "a model")
    if not path.is_file():
        raise UtileError(f"There is no file {path}.")
    if path.stat().st_size > LARGEST:
        raise UtileError(f"{path.name} is larger than any model ({path.stat().st_size >> 20} MB).")
    if reading is not None and reading not in READINGS:
        raise UtileError(f"reading must be one of {', '.join(READINGS)}; got {reading!r}.")
    if path.suffix.lower() == SUFFIX:
        return Imported(copy_model(path, name))
    if path.suffix.lower() == ".onnx":
        asked = _grey_values(grey)
        return _Import(path, name or path.stem, reading).of_graph(path.read_bytes(), None, asked)
    if zipfile.is_zipfile(path):
        archive = Archive(path)
        try:
            if is_package(archive):
                return _of_package(archive, path, name, reading)
        finally:
            archive.close()
        if not any(part.endswith("data.pkl") for part in archive.parts):
            raise UtileError(f"{path.name} is a zip file without a model's description (rdf.yaml).")
    elif path.suffix.lower() == ".zip":
        raise UtileError(
            f"{path.name} cannot be opened as a zip file: it is damaged, or was not copied to its end."
        )
    weights = read_state_dict(path.read_bytes(), path.name)
    return _Import(path, name or path.stem, reading).of_weights(weights, None, _grey_values(grey))


def _of_package(archive: Archive, path: Path, name: str | None, reading: str | None) -> Imported:
    """Take a bioimage.io package."""
    said = read_description(archive)
    title = name or said.name
    if CARD_KEY in said.config and "pytorch_state_dict" in said.weights:
        weights = read_state_dict(archive.read(_source(said, "pytorch_state_dict")), path.name)
        return _of_utile(said.config[CARD_KEY], weights, path, name)
    if said.order != "bcyx":
        raise UtileError(
            f"The network in {path.name} has its axes in the order {said.order}; U-Tile needs bcyx."
        )
    tests = [_tensor(archive, part) for part in said.tests]
    work = _Import(path, title, reading, said, tests)
    if "onnx" in said.weights:
        graph = archive.read(_source(said, "onnx"))
        if beside := said.weights["onnx"].get("external_data"):
            graph = with_external_data(graph, str(beside["source"]), archive.read(str(beside["source"])))
        return work.of_graph(graph, said, None)
    if "pytorch_state_dict" in said.weights:
        return work.of_weights(
            read_state_dict(archive.read(_source(said, "pytorch_state_dict")), path.name), said, None
        )
    if not said.weights:
        raise UtileError(f"{path.name} holds no weights.")
    raise UtileError(f"{path.name} holds its network as {' and '.join(said.weights)}, {IS_CODE}")


def _of_utile(values: Any, weights: dict[str, torch.Tensor], path: Path, name: str | None) -> Imported:
    """Take back a model that U-Tile exported, card and all."""
    try:
        card = card_from_json(values)
        with torch.device("meta"):
            network = build_network(card.family, card.config)
        own = {key: weights[flat_key(key)] for key in network.state_dict()}
        network.load_state_dict(own, assign=True)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        raise UtileError(f"The model in {path.name} does not fit its card ({str(error)[:120]}).") from error
    place = _place(name or card.name)
    card = replace(card, name=place.stem, title=name or card.title)
    return Imported(
        save_model(card, network, place).path or place, ("It was made with U-Tile: its card came along.",)
    )


def flat_key(key: str) -> str:
    """Return the name that a weight has in an exported package."""
    layer, _, kind = key.rpartition(".")
    return f"{flat_name(layer)}.{kind}"


class _Import:
    """One foreign network on its way into the library."""

    def __init__(
        self,
        path: Path,
        title: str,
        reading: str | None,
        said: Description | None = None,
        tests: Sequence[Float32Array] = (),
    ) -> None:
        self.path, self.title, self.reading, self.said, self.tests = path, title, reading, said, tests
        self.place = _place(title)
        self.notes: list[str] = []

    def of_graph(self, graph: bytes, said: Description | None, grey: GreyValues | None) -> Imported:
        """Take a network in ONNX."""
        network, notes = onnx_network(graph, said, self.path.name)
        self.notes += notes
        return self._finish(network, grey)

    def of_weights(
        self, weights: dict[str, torch.Tensor], said: Description | None, grey: GreyValues | None
    ) -> Imported:
        """Take the weights of a U-Net."""
        config, named = plain_unet_of(weights, self.path.name)
        candidates = [PlainUNet(each) for each in alternatives(config)]
        for each in candidates:
            try:
                each.load_state_dict(named)
            except RuntimeError as error:
                raise UtileError(
                    f"The weights in {self.path.name} do not fit a U-Net: ask for ONNX."
                ) from error
            each.eval().requires_grad_(False)
        network = candidates[0]
        if len(self.tests) == 2 and said is not None:
            differences = [
                self._difference(each, grey_values_of(said.before, config.in_channels)) for each in candidates
            ]
            network = candidates[int(np.argmin(differences))]
        else:
            self.notes.append(
                "Shapes do not say everything: skips are assumed to come before the features from below"
                + (", and features to be upsampled bilinearly." if config.up != "transposed" else ".")
            )
        levels = ", ".join(map(str, config.widths))
        self.notes.insert(
            0,
            f"By its shapes it is a padded U-Net of {counted(len(config.widths), 'level')} ({levels} channels).",
        )
        return self._finish(network, grey)

    def _finish(self, network: ForeignNetwork, grey: GreyValues | None) -> Imported:
        """Find out what the channels are, prove the seams, and save the model."""
        channels = network.config.in_channels
        if self.said is not None:
            grey = grey_values_of(self.said.before, channels)
        elif grey is None:
            grey = by_percentiles(channels)
            self.notes.append("The file does not say how grey values are scaled.")
        grey = _for_channels(grey, channels)
        self.notes.append(f"Grey values: {grey.said}.")
        if self.said is not None and len(self.tests) == 2:
            self._compare(network, grey)
        image = self._image(channels)
        after = [each.name for each in self.said.after] if self.said else []
        names = self.said.channel_names if self.said else ()
        about = f"{self.said.name} {self.said.text}" if self.said else self.title
        raw = network.raw(torch.from_numpy(_prepared(image, grey))[None]).numpy()
        reading = self.reading or reading_of(raw, after, names, about)
        config = replace(
            network.config,
            classes=len(READINGS[reading].classes) or raw.shape[1],
            gain=grey.gain,
            offset=grey.offset,
            ends=grey.ends,
            reading=reading,
        )
        ready = build_network(network.family, to_json(config))
        ready.load_state_dict(network.state_dict())
        self.notes.append(f"Its channels are read as: {reading}.")
        card = self._card(network.family, to_json(config), reading, raw.shape[1], grey)
        model = Model(card, ready.eval().requires_grad_(False), fingerprint_of(card, ready))
        seam = largest_seam(model, image)
        self.notes.append(_seam_words(seam))
        self.notes.append(
            "At the border of an image U-Tile mirrors it, where the network's own padding would count."
        )
        return Imported(save_model(card, ready, self.place).path or self.place, tuple(self.notes), seam)

    def _card(
        self, family: str, config: dict[str, Any], reading: str, count: int, grey: GreyValues
    ) -> ModelCard:
        classes = READINGS[reading].classes
        if not classes:
            said = self.said.channel_names if self.said and len(self.said.channel_names) == count else ()
            names = [str(each) for each in said] or [f"class {index}" for index in range(count)]
            back = next((i for i, each in enumerate(names) if "back" in each.lower()), 0)
            classes = tuple(
                (each, "background" if i == back else "foreground") for i, each in enumerate(names)
            )
        return ModelCard(
            name=self.place.stem,
            family=family,
            config=config,
            classes=tuple(ModelClass(*each) for each in classes),
            inputs=(InputChannel("any"),) * int(config["in_channels"]),
            title=self.title,
            description=self.said.text if self.said else "",
            pixel_size=self.said.pixel_size if self.said else None,
            normalization=grey.rule,
            licence=self.said.licence if self.said else "",
            training={"imported from": self.path.name, "notes": list(self.notes)},
        )

    def _image(self, channels: int) -> Float32Array:
        """Return a test image (C, Y, X): the package's own, or a sample, mirrored to some size."""
        image = (
            self.tests[0][0] if self.tests and self.tests[0].ndim == 4 else sample_image(True, channels).data
        )
        return np.asarray(
            mirror_window(image, Window(slice(0, SAMPLE_SIDE), slice(0, SAMPLE_SIDE))), np.float32
        )

    def _difference(self, network: ForeignNetwork, grey: GreyValues) -> float:
        """Return by how much a network misses the package's test output, as a share of its range."""
        given, expected = self.tests
        found = network.raw(torch.from_numpy(_prepared(given[0], grey))[None]).numpy()
        after = {each.name for each in self.said.after} if self.said else set()
        if "sigmoid" in after:
            found = 1 / (1 + np.exp(-found))
        elif "softmax" in after:
            found = torch.from_numpy(found).softmax(1).numpy()
        if found.shape != expected.shape:
            return float("inf")
        return float(np.abs(found - expected).max() / max(float(np.ptp(expected)), 1e-6))

    def _compare(self, network: ForeignNetwork, grey: GreyValues) -> None:
        try:
            missed = self._difference(network, grey)
        except RuntimeError:
            missed = float("inf")
        if missed <= 1e-3:
            self.notes.append(f"It gives the package's own test output (within {missed:.1g} of its range).")
        else:
            self.notes.append(
                f"It misses the package's own test output by {missed:.2g} of its range: check it on your images."
                if np.isfinite(missed)
                else "The package's own test output has another shape: check it on your images."
            )


def _place(title: str) -> Path:
    with library_lock() as folder:
        return new_place(folder, title)


def _grey_values(asked: str | float | None) -> GreyValues | None:
    """Return the rule that the user asked for, of one channel."""
    if asked is None:
        return None
    if asked in ("percentiles", "mean"):
        return by_percentiles(1) if asked == "percentiles" else by_spread(1)
    try:
        factor = float(asked)
    except ValueError as error:
        raise UtileError(
            f"Grey values are scaled by percentiles, by mean, or divided by a number; got {asked!r}."
        ) from error
    if not 0 < factor < 1e12:
        raise UtileError(f"Grey values are divided by a number above 0; got {asked!r}.")
    return as_they_are((1 / factor,), (0.0,))


def _for_channels(grey: GreyValues, channels: int) -> GreyValues:
    """Use the rule of one channel for all."""
    if len(grey.gain) == channels:
        return grey
    return replace(grey, gain=grey.gain[:1] * channels, offset=grey.offset[:1] * channels)


def _prepared(image: Float32Array, grey: GreyValues) -> Float32Array:
    """Return what the foreign network reads of an image (C, Y, X)."""
    gain, offset = (np.asarray(each, np.float32)[:, None, None] for each in (grey.gain, grey.offset))
    values = measure_limits(image, grey.rule).apply(image) * gain + offset
    return np.clip(values, grey.ends[0], grey.ends[1]).astype(np.float32) if grey.ends else values


def _seam_words(seam: float) -> str:
    if seam <= SEAMLESS:
        return f"Seam proof: large and small tiles give the same probabilities (within {seam:.1g})."
    return (
        f"Seam proof: probabilities differ by up to {seam:.2g} between large and small tiles, because the network "
        "sees each tile as a whole: seams may show."
    )


def _source(said: Description, kind: str) -> str:
    return str(said.weights[kind]["source"])


def _tensor(archive: Archive, part: str) -> Float32Array:
    """Read a test tensor, which is never pickled."""
    try:
        return np.asarray(np.load(io.BytesIO(archive.read(part)), allow_pickle=False), np.float32)
    except (ValueError, EOFError, TypeError) as error:
        raise UtileError(f"The test tensor {part} in {archive.name} cannot be read.") from error
