"""A U-Net as most people write it, and a package of it made with the field's own library: a program of its own.

    python plain_unet.py FOLDER

Writes ``foreign.zip`` (ONNX and TorchScript), ``state_dict.zip`` (a state dict whose skips come last), ``plain.pt``,
``image.npy`` (1, C, Y, X) and ``expected.npy``.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


def double(inputs: int, outputs: int) -> nn.Sequential:
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class PlainUNet(nn.Module):
    """Two levels below the full resolution."""

    def __init__(self, classes: int = 2, skip_first: bool = True) -> None:
        super().__init__()
        self.encoder1, self.encoder2, self.bottom = double(1, 4), double(4, 8), double(8, 16)
        self.up2, self.decoder2 = nn.ConvTranspose2d(16, 8, 2, stride=2), double(16, 8)
        self.up1, self.decoder1 = nn.ConvTranspose2d(8, 4, 2, stride=2), double(8, 4)
        self.last = nn.Conv2d(4, classes, 1)
        self.pool, self.skip_first = nn.MaxPool2d(2), skip_first

    def joined(self, skip: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([skip, x] if self.skip_first else [x, skip], dim=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.encoder1(x)
        second = self.encoder2(self.pool(first))
        x = self.bottom(self.pool(second))
        x = self.decoder2(self.joined(second, self.up2(x)))
        return self.last(self.decoder1(self.joined(first, self.up1(x))))


def made(seed: int, **options: object) -> PlainUNet:
    """Make one with weights and batch normalisations that are not even."""
    torch.manual_seed(seed)
    network = PlainUNet(**options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval().requires_grad_(False)


def main(folder: Path) -> None:
    from bioimageio.spec import ValidationContext, build_description, save_bioimageio_package

    image = np.random.default_rng(3).gamma(2.0, 100.0, (1, 1, 128, 160)).astype(np.float32)
    np.save(folder / "image.npy", image)
    seen = torch.from_numpy((image - image.mean()) / (image.std() + 1e-6))
    for name, network in (("foreign", made(1)), ("state_dict", made(2, skip_first=False))):
        np.save(folder / f"{name}_expected.npy", network(seen).softmax(1).numpy())
        torch.save(network.state_dict(), folder / f"{name}.pt")
    torch.jit.save(torch.jit.trace(made(1), seen), folder / "script.pt")
    free = {"x": {2: "height", 3: "width"}, "y": {2: "height", 3: "width"}}
    torch.onnx.export(
        made(1),
        (seen,),
        folder / "foreign.onnx",
        dynamo=False,
        input_names=["x"],
        output_names=["y"],
        dynamic_axes=free,
    )
    script = {"source": "script.pt", "pytorch_version": "2.6", "parent": "onnx"}
    onnx = {"source": "foreign.onnx", "opset_version": 17}
    (folder / "code.py").write_text("class Net: ...\n")
    state = {
        "source": "state_dict.pt",
        "pytorch_version": "2.6",
        "architecture": {"source": "code.py", "callable": "Net"},
    }
    packages = {
        "foreign": {"onnx": onnx, "torchscript": script},
        "state_dict": {"pytorch_state_dict": state},
        "script": {"torchscript": {**script, "parent": None}},
    }
    (folder / "README.md").write_text("# A network\n\n## Validation\n\nNone.\n")
    for name, weights in packages.items():
        expected = f"{'state_dict' if name == 'state_dict' else 'foreign'}_expected.npy"
        size = {"min": 32, "step": 4}
        values = {
            "type": "model",
            "format_version": "0.5.4",
            "name": f"A network ({name})",
            "description": "Made to be taken elsewhere.",
            "authors": [{"name": "A. Stranger"}],
            "cite": [{"text": "none", "url": "https://example.com"}],
            "license": "MIT",
            "documentation": {"source": "README.md"},
            "inputs": [
                {
                    "id": "x",
                    "axes": [
                        {"type": "batch"},
                        {"type": "channel", "channel_names": ["grey"]},
                        {"type": "space", "id": "y", "size": size},
                        {"type": "space", "id": "x", "size": size},
                    ],
                    "test_tensor": {"source": "image.npy"},
                    "preprocessing": [
                        {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["channel", "y", "x"]}}
                    ],
                }
            ],
            "outputs": [
                {
                    "id": "probabilities",
                    "axes": [
                        {"type": "batch"},
                        {"type": "channel", "channel_names": ["background", "nucleus"]},
                        {"type": "space", "id": "y", "size": {"tensor_id": "x", "axis_id": "y"}, "halo": 8},
                        {"type": "space", "id": "x", "size": {"tensor_id": "x", "axis_id": "x"}, "halo": 8},
                    ],
                    "test_tensor": {"source": expected},
                    "postprocessing": [{"id": "softmax"}],
                }
            ],
            "weights": {
                key: {part: value for part, value in each.items() if value is not None}
                for key, each in weights.items()
            },
        }
        described = build_description(values, context=ValidationContext(root=folder, perform_io_checks=False))
        if described.validation_summary.status == "failed":
            sys.exit(described.validation_summary.format())
        save_bioimageio_package(described, output_path=folder / f"{name}.zip")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
