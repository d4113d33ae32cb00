"""What a user may choose about where and how precisely to compute; known without torch."""

from typing import Annotated

from napari_utile.engine.parameters import Bounds

DEVICES = ("auto", "cuda", "mps", "cpu", "onnx")
PRECISIONS = ("auto", "float32", "bfloat16")

Device = Annotated[
    str,
    Bounds(
        choices=DEVICES,
        label="Device",
        help="auto takes the graphics card if there is one. onnx is ONNX Runtime on the CPU: utile doctor says "
        "whether it is faster here.",
    ),
]
Precision = Annotated[
    str,
    Bounds(
        choices=PRECISIONS,
        label="Precision",
        help="auto takes bfloat16 where the hardware is fast at it; float32 gives the same labels for any tile size.",
        advanced=True,
    ),
]
