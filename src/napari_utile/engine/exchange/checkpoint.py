"""The one place where files of torch are opened: tensors alone, nothing in them is run."""

import io
import pickle
import zipfile
from typing import Any

import torch
from torch import Tensor

from napari_utile.engine.errors import UtileError

IS_CODE = "which is code and is not run here: ask its authors for ONNX."
_INSIDE = (
    "state_dict",
    "model_state_dict",
    "model",
    "model_state",
    "state",
    "net",
    "network",
    "params",
    "ema",
)
"""Under which names checkpoints keep the weights among other things."""


def read_state_dict(content: bytes, name: str) -> dict[str, Tensor]:
    """Read the weights of a checkpoint.

    Parameters
    ----------
    content : bytes
        Of a file that ``torch.save`` made.
    name : str
        Of the file, for what is said.

    Returns
    -------
    dict of str to Tensor
        In the order in which the network's layers were made.

    Raises
    ------
    UtileError
        If the file holds code (TorchScript, pickled objects), or no weights.
    """
    if _is_torchscript(content):
        raise UtileError(f"{name} is TorchScript, {IS_CODE}")
    if not content.startswith(_STARTS):
        raise UtileError(f"{name} is not a model in a known format (U-Tile, bioimage.io, ONNX, PyTorch).")
    try:
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UtileError(f"{name} holds pickled Python objects, {IS_CODE}") from error
    except Exception as error:  # damaged files raise whatever the reader stumbled on
        raise UtileError(
            f"{name} is not a readable checkpoint ({' '.join(str(error).split())[:120]})."
        ) from error
    weights = _weights(found)
    if not weights:
        raise UtileError(f"{name} holds no weights of a network.")
    if not all(bool(torch.isfinite(value).all()) for value in weights.values() if value.is_floating_point()):
        raise UtileError(f"{name} holds weights that are not finite: it is damaged.")
    return weights


_STARTS = (b"PK", b"\x80")
"""How files of ``torch.save`` begin: as a zip, or, before version 1.6, as a pickle."""


def _is_torchscript(content: bytes) -> bool:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return False
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        names = file.namelist()
    return any(name.endswith("constants.pkl") or "/code/" in name for name in names)


def _weights(found: Any) -> dict[str, Tensor]:
    """Find the tensors by name, also where a checkpoint keeps them among other things."""
    for _ in range(3):
        if not isinstance(found, dict):
            return {}
        tensors = {str(key): value.detach() for key, value in found.items() if isinstance(value, Tensor)}
        if any(value.ndim == 4 for value in tensors.values()):
            return tensors
        inside = next((found[key] for key in _INSIDE if isinstance(found.get(key), dict)), None)
        if inside is None:
            return {}
        found = inside
    return {}
