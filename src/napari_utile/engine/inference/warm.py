"""Networks ready to run, kept warm on their device in their precision.

A job asks for the network of a (model, device, precision) and gets the one that ran last time.
"""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from napari_utile.engine.inference.device import Compute, release_memory
from napari_utile.engine.inference.fused import fused
from napari_utile.engine.inference.heap import give_back
from napari_utile.engine.models.library import Model

if TYPE_CHECKING:
    from napari_utile.engine.networks.network import Network

MOST_WARM = 2
_warm: "OrderedDict[tuple[str, str, str], Network]" = OrderedDict()
_lock = threading.Lock()


def warm_network(model: Model, compute: Compute) -> "Network":
    """Return the model's network on its device, folded and in channels-last order; made once, then kept.

    The `MOST_WARM` networks used last stay in memory; `forget_networks` gives it back.
    """
    key = (model.fingerprint, *compute.key)
    with _lock:  # also while one is made: two jobs that want the same must not make it twice
        if key not in _warm:
            _warm[key] = fused(model.network, compute.device, compute.dtype)
        _warm.move_to_end(key)
        while len(_warm) > MOST_WARM:
            _warm.popitem(last=False)
        return _warm[key]


def forget_networks() -> None:
    """Drop the warm networks and give their memory back."""
    with _lock:
        devices = {device for _, device, _ in _warm}
        _warm.clear()
    for device in devices:
        release_memory(device)
    give_back()
