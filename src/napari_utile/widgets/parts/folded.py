"""What is seldom needed, folded under a title."""

from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QLayout, QWidget
from superqt import QCollapsible

from napari_utile.widgets.parts.arrange import column

_ANY_HEIGHT = (1 << 24) - 1


class _Inside(QWidget):
    """What is folded: hidden, or as high as it wants to be, also where a sentence in it becomes longer later."""

    def setMaximumHeight(self, height: int) -> None:
        """Take any height for the one that was right when it was unfolded."""
        super().setMaximumHeight(_ANY_HEIGHT if height else 0)


def folded(title: str, *content: QWidget | QLayout) -> QCollapsible:
    """Put widgets and layouts below each other, out of sight until the title is clicked."""
    inside = _Inside()
    column(*content, on=inside)
    made = QCollapsible(expandedIcon=QIcon(), collapsedIcon=QIcon())  # its own are black in every theme

    def name(unfolded: bool) -> None:
        made.setText(f"{'▾' if unfolded else '▸'} {title}")

    name(False)
    made.toggled.connect(name)
    around = made.layout()
    if around is not None:
        around.setContentsMargins(0, 0, 0, 0)
        around.setSpacing(0)
    made.setDuration(0)
    made.setContent(inside)
    made.collapse(animate=False)
    inside.hide()  # else the Tab key would go through what nobody sees
    made.toggled.connect(inside.setMaximumHeight)  # an animation sets it past the method
    made.toggled.connect(inside.setVisible)
    return made
