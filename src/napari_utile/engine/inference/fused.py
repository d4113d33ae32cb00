"""Networks made quick: batch normalisation folded into the convolutions, each convolution joined with its ReLU."""

import copy
import functools
from typing import TYPE_CHECKING

from napari_utile.engine.errors import UtileError
from napari_utile.engine.late import torch

if TYPE_CHECKING:
    from torch import nn

    from napari_utile.engine.networks.network import Network


def fused(network: "Network", device: str, dtype: "torch.dtype") -> "Network":
    """Return a copy of a network that is ready to run: folded, on its device, in its precision, channels last.

    Raises
    ------
    UtileError
        Where ONNX Runtime is asked for what it cannot do.
    """
    if device == "onnx":
        if dtype != torch.float32:
            raise UtileError("ONNX Runtime computes in float32 only; choose that precision, or auto.")
        from napari_utile.engine.networks.onnx_writer import in_onnx_runtime

        return in_onnx_runtime(folded(network))
    ready = folded(network).to(device=device, dtype=dtype).requires_grad_(False)
    ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    if device == "cpu" and joins(dtype):
        rectify_at_once(ready)
    return ready


def folded(network: "Network") -> "Network":
    """Return a copy of a network whose batch normalisations are folded into the convolutions before them.

    At inference a batch normalisation is a scale and a shift a channel, so the outputs stay the same but for
    rounding, and one pass over the features is saved.
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

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


def rectify_at_once(network: "nn.Module") -> None:
    """Join each convolution of a folded network with its ReLU; only where `joins` says so."""
    from torch import nn

    from napari_utile.engine.networks.rectified import RectifiedConvolution

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
def joins(dtype: "torch.dtype") -> bool:
    """Say whether this torch joins a convolution and its ReLU on this CPU, in this precision.

    Found by trying: the operation (oneDNN) is not part of torch's public interface, so another version may lack it,
    and in bfloat16 it needs instructions that not every CPU has.
    """
    from napari_utile.engine.networks.rectified import RectifiedConvolution

    convolution = torch.nn.Conv2d(1, 2, 3).requires_grad_(False).to(dtype)
    image = torch.linspace(-1, 1, 25).reshape(1, 1, 5, 5).to(dtype)
    try:
        joined = RectifiedConvolution(convolution)(image)
    except (AttributeError, RuntimeError, TypeError):
        return False
    close = 1e-5 if dtype == torch.float32 else 2e-2
    return torch.allclose(joined.float(), convolution(image).relu().float(), atol=close)
