"""Models: a network with its card, loaded and saved. One model is one safetensors file."""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.atomic import atomic_path
from napari_utile.engine.files.names import as_path
from napari_utile.engine.late import torch
from napari_utile.engine.models.card import ModelCard, read_card
from napari_utile.engine.models.catalogue import SUFFIX, find_model, user_model_folder
from napari_utile.engine.models.own_models import keep_version, library_lock
from napari_utile.engine.parameters import shown

if TYPE_CHECKING:
    from torch import Tensor

    from napari_utile.engine.networks.network import Network


@dataclass(frozen=True, eq=False)
class Model:
    """A network and its card.

    Attributes
    ----------
    card : ModelCard
    network : Network
        In evaluation mode, float32, on the CPU; not to be changed.
    fingerprint : str
        SHA-256 of the weights and of all that the card says about results, see `fingerprint_of`: equal fingerprints
        give equal results.
    path : Path or None
        The file it came from.
    """

    card: ModelCard
    network: "Network"
    fingerprint: str
    path: Path | None = None

    @property
    def has_learnt(self) -> bool:
        """Whether somebody trained it, as files are taken to be; else its weights are random."""
        return self.path is not None or bool(self.card.training)


def load_model(name: str | Path = "nuclei") -> Model:
    """Load a model by name, or from a file.

    Parameters
    ----------
    name : str or Path
        Name or title of a bundled or own model, or a file that ends in ``.safetensors``.

    Returns
    -------
    Model
        Its ``card``, its ``network`` ready to predict, and the ``fingerprint`` of what results depend on.

    Raises
    ------
    UtileError
        If there is no such model, or its file is truncated, of another kind, or its weights do not fit its card.

    Examples
    --------
    >>> model = load_model("nuclei")
    >>> model.card.title, [each.name for each in model.card.classes]
    ('Nuclei in fluorescence', ['background', 'nucleus'])
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from napari_utile.engine.networks.families import build_network

    path = find_model(name)
    card = read_card(path)
    try:
        with torch.device("meta"):  # shapes only: a lying card must not fill the memory
            network = build_network(card.family, card.config)
    except (ValueError, TypeError) as error:
        raise UtileError(f"The card of {path.name} cannot be used: {error}") from error
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UtileError(f"{path.name} is not a readable model file ({error}).") from error
    _check_weights(network, weights, card, path)
    weights = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    network.load_state_dict(weights, assign=True)
    network.requires_grad_(False)
    network.eval()
    return Model(card, network, fingerprint_of(card, network), path)


def _check_weights(network: "Network", weights: "dict[str, Tensor]", card: ModelCard, path: Path) -> None:
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    wrong = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if wrong:
        raise UtileError(
            f"The weights in {path.name} do not fit its card, first at {wrong[0]!r}: the file is damaged."
        )
    if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
        raise UtileError(f"{path.name} holds weights that are not finite: the file is damaged.")
    if card.output_channels != network.config.classes:
        raise UtileError(
            f"The card of {path.name} describes {card.output_channels} output channels, "
            f"the network has {network.config.classes}."
        )


def save_model(
    card: ModelCard, network: "Network", path: str | Path, dtype: "torch.dtype | None" = None
) -> Model:
    """Write a model's file, beside and renamed into place, and return the model as `load_model` would.

    In the user's library the file that was there before is kept as an earlier version, see `revert_model`.

    Parameters
    ----------
    card : ModelCard
    network : Network
        Of the card's family and configuration.
    path : str or Path
        With the ending ``.safetensors``.
    dtype : torch.dtype, optional
        What the weights are stored as: float32 by default, float64, or float16 or bfloat16, which halve the file.

    Returns
    -------
    Model
        As it was read back from the file.

    Raises
    ------
    ValueError
        If the path has another ending, the card names a family that does not exist, or `dtype` is another one.
    UtileError
        If the network is not the one that the card describes.

    Examples
    --------
    >>> import tempfile
    >>> model = load_model("nuclei")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     half = save_model(model.card, model.network, f"{folder}/half.safetensors", torch.float16)
    >>> half.card == model.card
    True
    """
    from safetensors.torch import save

    from napari_utile.engine.networks.families import FAMILIES

    path = as_path(path, "a model")
    if path.suffix != SUFFIX:
        raise ValueError(f"A model's file ends with {SUFFIX}; got {path.name}.")
    parts: tuple[Any, Any] = (card, network)  # scripts are not checked for types
    if not (isinstance(parts[0], ModelCard) and isinstance(parts[1], torch.nn.Module)):
        given = " and ".join(type(part).__name__ for part in parts)
        raise UtileError(f"A model is saved from its card and its network; got {given}.")
    if card.family not in FAMILIES:
        raise ValueError(f"There is no network family {card.family!r}.")
    kinds = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    if dtype is not None and dtype not in kinds:
        raise ValueError(f"dtype must be one of {', '.join(map(str, kinds))}; got {shown(dtype)}.")
    weights = {
        key: value.detach()
        .cpu()
        .to(dtype or torch.float32 if value.is_floating_point() else value.dtype)
        .contiguous()
        for key, value in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if path.resolve().parent == user_model_folder().resolve():
            stack.enter_context(library_lock())
            keep_version(path)
        with atomic_path(path) as temporary:
            # `save_file` would make a file that nobody else may read
            temporary.write_bytes(save(weights, card.to_header()))
    return load_model(path)


def fingerprint_of(card: ModelCard, network: "Network") -> str:
    """Return the SHA-256 of weights, outputs, scale, diameter and what else of a card the results depend on."""
    roles = [each.role for each in card.classes]
    sizes = (card.object_diameter, card.pixel_size, card.scale)
    said = repr((weights_fingerprint_of(card, network), roles, sizes, card.relief))
    return hashlib.sha256(said.encode()).hexdigest()


def weights_fingerprint_of(card: ModelCard, network: "Network") -> str:
    """Return the SHA-256 of family, configuration, normalisation, outputs other than classes, and weights.

    It is what the first recipes hold.
    """
    scaled = card.normalization
    percentiles = (
        f"Normalization(low={scaled.low!r}, high={scaled.high!r})"  # in the words of the first version
    )
    digest = hashlib.sha256(f"({card.family!r}, {sorted(card.config.items())!r}, {percentiles})".encode())
    if scaled.rule != "robust":
        digest.update(scaled.rule.encode())
    if len(card.outputs) > 1:
        digest.update(repr([(each.name, each.channels, each.activation) for each in card.outputs]).encode())
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
