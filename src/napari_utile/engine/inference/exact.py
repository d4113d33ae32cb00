"""float32 that is float32: no rounding to TF32 or bfloat16 in our own calls, and nobody's settings changed."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from napari_utile.engine.late import torch

_lock = threading.Lock()
_users = 0
_before: list[tuple[Any, str, Any]] = []


def _switches() -> list[tuple[Any, str, Any]]:
    """List torch's switches (owner, name, value for full precision); torch 2.9 renamed them and dislikes a mixture.

    Those of graphics cards only where there is one: meanwhile torch refuses to answer whoever asks by the old names.
    """
    backends: Any = torch.backends
    card = torch.cuda.is_available()
    if hasattr(backends.cuda.matmul, "fp32_precision"):
        owners = [backends.mkldnn.conv, backends.mkldnn.matmul]
        owners += [backends.cudnn.conv, backends.cuda.matmul] if card else []
        return [(owner, "fp32_precision", "ieee") for owner in owners]
    return [(owner, "allow_tf32", False) for owner in (backends.cudnn, backends.cuda.matmul) if card]


def _set(switches: list[tuple[Any, str, Any]]) -> None:
    for owner, name, value in switches:
        setattr(owner, name, value)


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """Compute float32 in full precision within the block; afterwards torch is set as it was.

    The switches belong to the process, so blocks that run at once share them: the first one in sets, the last one out
    puts back. Hold it around single calls only, never across a yield.
    """
    global _users, _before
    with _lock:
        _users += 1
        if _users == 1:
            switches = _switches()
            _before = [(owner, name, getattr(owner, name)) for owner, name, _ in switches]
            _set(switches)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _set(_before)
