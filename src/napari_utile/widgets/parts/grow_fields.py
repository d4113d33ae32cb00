"""What cells grow from, in what, and how far."""

from dataclasses import dataclass
from typing import Annotated

import napari.viewer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_utile.engine.parameters import Bounds, describe
from napari_utile.session.chosen import ChosenGrowing
from napari_utile.widgets.parts.arrange import column, fields
from napari_utile.widgets.parts.button import push_button
from napari_utile.widgets.parts.forms import Number, choice
from napari_utile.widgets.parts.layer_combo import LayerCombo
from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.parts.status_line import StatusLine
from napari_utile.widgets.viewer.own_pictures import is_cells


@dataclass(frozen=True)
class _Reach:
    distance: Annotated[
        float | None,
        Bounds(
            0,
            10_000,
            1,
            "px",
            help="How far a cell reaches at most beyond its nucleus; by default half the diameter of the nuclei, "
            "or as far as the model sees cells.",
        ),
    ] = None


class GrowFields(QWidget):
    """The labels to grow, the image that they grow in, and how far.

    Parameters
    ----------
    chosen : ChosenGrowing
        What is chosen at first.

    Attributes
    ----------
    changed : Signal
        Emitted when something else is chosen.
    way : QComboBox
        Its data says whether they grow in what the model sees.
    """

    changed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer, chosen: ChosenGrowing) -> None:
        super().__init__()
        self.seeds = LayerCombo(viewer, ("Labels",), empty_text="no labels yet", accept=is_cells)
        self.seeds.setAccessibleName("Grow from")
        if chosen.layer is not None:
            self.seeds.set_layer(chosen.layer)
        self.way = choice(
            "Grow in",
            "The image and channel above show whole cells. Their grey values lead each nucleus to the edge of its "
            "cell; where the model finds such cells, it says where they end.",
            (("grey values of the channel", False), ("cells that the model sees", True)),
        )
        self.way.setCurrentIndex(self.way.findData(chosen.in_model))
        (reach,) = describe(_Reach)
        self.distance = Number(reach)
        self.distance.value = chosen.distance
        self.distance.box.setAccessibleName("At most")
        self.run_bar = RunBar(
            "Grow cells",
            "Grow each of these nuclei to its whole cell; it keeps its number, and both are measured.",
        )
        self.copy_command = push_button(
            "Copy command",
            "Copy the command line that grows these cells again; available once cells have grown.",
        )
        self.copy_command.setEnabled(False)
        self.status = StatusLine()
        rows = fields(("Grow from", self.seeds), ("In", self.way), ("At most", self.distance.native))
        column(rows, self.run_bar, self.copy_command, self.status, on=self)
        self.status.say("")
        for changed in (self.seeds.layer_changed, self.way.currentIndexChanged, self.distance.changed):
            changed.connect(lambda _: self.changed.emit())

    @property
    def chosen(self) -> ChosenGrowing:
        """What is chosen."""
        return ChosenGrowing(self.seeds.layer, bool(self.way.currentData()), self.distance.value)
