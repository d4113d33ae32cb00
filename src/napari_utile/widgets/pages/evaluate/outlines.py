"""Compared labels as outlines in two fixed colours and widths, which the colour-blind tell apart as well."""

from collections.abc import Sequence
from typing import Any

from napari.utils.colormaps import DirectLabelColormap

PREDICTION, REFERENCE = "#ffb000", "#648fff"
"""Amber and blue, which differ in lightness too."""
_FURTHER = ("#dc267f", "#fe6100", "#785ef0")
_THIN, _WIDE = 1, 3
_LOOKS = ("contour", "colormap", "opacity", "visible")


class Outlines:
    """Shows layers as outlines, and gives them back as they looked before."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, dict[str, Any]]] = []

    def show(self, predictions: Sequence[Any], reference: Any) -> None:
        """Outline predictions thinly and the reference widely; layers that are outlined stay as they look now."""
        wanted = [*predictions, reference]
        if len(wanted) == len(self._before) and all(
            layer is before[0] for layer, before in zip(wanted, self._before, strict=True)
        ):
            return
        self.give_back()
        colours = (PREDICTION, *_FURTHER)
        for number, layer in enumerate(predictions):
            self._outline(layer, colours[number % len(colours)], _THIN)
        self._outline(reference, REFERENCE, _WIDE)

    def _outline(self, layer: Any, colour: str, width: int) -> None:
        self._before.append((layer, {name: getattr(layer, name) for name in _LOOKS}))
        layer.colormap = DirectLabelColormap(color_dict={None: colour, 0: "transparent"})
        layer.contour, layer.opacity, layer.visible = width, 1.0, True

    def give_back(self) -> None:
        """Draw the layers as before; twice does nothing."""
        while self._before:
            layer, looks = self._before.pop()
            for name, value in looks.items():
                setattr(layer, name, value)
