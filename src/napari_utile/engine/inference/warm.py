"""Networks ready to run: batch normalisation folded, on their device, in their precision, kept warm.

A job asks for the network of a (model, device, precision) and gets the one that ran last time.
"""

import copy
import functools
import threading
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_utile.engine.inference.device import Compute, release_memory
from napari_utile.engine.models.library import Model
from napari_utile.engine.networks.network import Network

MOST_WARM = 2
_warm: OrderedDict[tuple[str, str, str], Network] = OrderedDict()
_lock = threading.Lock()


def warm_network(model: Model, compute: Compute) -> Network:
    """Return the model's network on its device, folded and in channels-last order; made once, then kept.

    The `MOST_WARM` networks used last stay in memory; `forget_networks` gives it back.
    """
    key = (model.fingerprint, *compute.key)
    with _lock:
        if key in _warm:
            _warm.move_to_end(key)
            return _warm[key]
    network = folded(model.network).to(device=compute.device, dtype=compute.dtype).requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    if compute.device == "cpu":
        rectify_at_once(network)
    with _lock:
        _warm[key] = network
        while len(_warm) > MOST_WARM:
            _warm.popitem(last=False)
    return network


def forget_networks() -> None:
    """Drop the warm networks and give their memory back."""
    with _lock:
        devices = {device for _, device, _ in _warm}
        _warm.clear()
    for device in devices:
        release_memory(device)


def folded(network: Network) -> Network:
    """Return a copy of a network whose batch normalisations are folded into the convolutions before them.

    At inference a batch normalisation is a scale and a shift a channel, so the outputs stay the same but for
    rounding, and one pass over the features is saved.
    """
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            convolution, normalization = module[index], module[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d):
                module[index] = fuse_conv_bn_eval(convolution, normalization)
                module[index + 1] = nn.Identity()
    return network


class RectifiedConvolution(nn.Module):
    """A convolution and its ReLU in one pass over the features, as torch's compiler joins them on a CPU."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Tensor) -> Tensor:
        """Return what the convolution and then the ReLU would."""
        c = self.convolution
        sizes = (c.padding, c.stride, c.dilation, c.groups)
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(x, c.weight, c.bias, *sizes, "relu", [], "")
        return result


def rectify_at_once(network: nn.Module) -> None:
    """Join each convolution of a folded network with its ReLU, where this build of torch can (oneDNN)."""
    if not _can_join():
        return
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        waiting: tuple[int, nn.Conv2d] | None = None  # the convolution that no other layer followed yet
        for index, layer in enumerate(module):
            if isinstance(layer, nn.Conv2d):
                waiting = index, layer
            elif not isinstance(layer, nn.Identity):
                if isinstance(layer, nn.ReLU) and waiting:
                    module[waiting[0]], module[index] = RectifiedConvolution(waiting[1]), nn.Identity()
                waiting = None


@functools.cache
def _can_join() -> bool:
    """Try it: the operation is not part of torch's public interface, so another version may lack it."""
    convolution, image = (
        nn.Conv2d(1, 2, 3).requires_grad_(False),
        torch.linspace(-1, 1, 25).reshape(1, 1, 5, 5),
    )
    try:
        joined = RectifiedConvolution(convolution)(image)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return torch.allclose(joined, convolution(image).relu(), atol=1e-5)
