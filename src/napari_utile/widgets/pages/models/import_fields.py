"""What a file made elsewhere does not say of its network, for the import."""

from typing import Any

from qtpy.QtWidgets import QWidget

from napari_utile.engine.networks.readings import READINGS
from napari_utile.widgets.parts.arrange import fields
from napari_utile.widgets.parts.forms import choice

_GREY = {
    "as the file says, else percentiles": None,
    "by percentiles": "percentiles",
    "by mean and standard deviation": "mean",
    "divided by 255": "255",
    "divided by 65535": "65535",
}
"""As a user reads it -> as `import_model` takes it."""


class ImportFields(QWidget):
    """Two choices that most files need not.

    Attributes
    ----------
    grey, reading : QComboBox
        Their data are what `import_model` takes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.grey = choice(
            "Grey values",
            "How the network's grey values were scaled in its training, where the file does not say.",
            _GREY.items(),
        )
        self.reading = choice(
            "Channels are",
            "What the network's output channels are, where U-Tile gets it wrong.",
            (("found by running it", None), *((name, name) for name in READINGS)),
        )
        fields(("Grey values", self.grey), ("Channels are", self.reading), on=self)

    def options(self) -> dict[str, Any]:
        """Return the choices as options of `import_model`."""
        return {"grey": self.grey.currentData(), "reading": self.reading.currentData()}
