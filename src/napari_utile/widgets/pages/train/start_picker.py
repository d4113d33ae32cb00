"""What a training starts from: the model of the header, the one that it was trained from, or a new network."""

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QWidget

from napari_utile.engine.models.origin import Origin, origin_of
from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.forms import choice
from napari_utile.widgets.parts.words import Words

_FAMILIES = (
    ("From scratch: a new U-Net", "unet"),
    ("From scratch: a new FCN-32s", "fcn32s"),
    ("From scratch: a new FCN-16s", "fcn16s"),
    ("From scratch: a new FCN-8s", "fcn8s"),
)
_BASE = "\0base"


class StartPicker(QWidget):
    """A combo box, and a sentence on a model that was itself trained further."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._training_set = ""
        self.origin: Origin | None = None
        self.combo = choice(
            "Start from",
            "Starting from a model takes minutes and a few cells; starting from scratch takes hours and many.",
            (("The model above", ""), *_FAMILIES),
        )
        self.about = Words()
        self.about.hide()
        column(self.combo, self.about, on=self, spacing=2)
        self._connections = Connections(self)
        self._connections.connect(session.events.model, self._look)
        self._connections.connect(session.events.models, self._look)
        self.combo.currentIndexChanged.connect(lambda _: self._say())
        self._look()

    @property
    def family(self) -> str:
        """The family of a new network; empty to start from `model`."""
        data = str(self.combo.currentData())
        return "" if data == _BASE else data

    @property
    def model(self) -> str:
        """Name or path of the model to start from."""
        if self.combo.currentData() == _BASE and self.origin is not None:
            return self.origin.first
        return self._session.model

    @property
    def title(self) -> str:
        """Title of the model of the header."""
        listed = self._session.listed(self._session.model)
        return self._session.model if listed is None else listed.title

    @property
    def continues(self) -> bool:
        """Whether the model of the header itself is trained further."""
        return not self.combo.currentData()

    def follow_set(self, title: str) -> None:
        """Start from the base where a training set is chosen: it holds all that was learnt since."""
        self._training_set = title
        base = self.combo.findData(_BASE)
        if base >= 0:
            self.combo.setCurrentIndex(base if title else 0)
        self._say()

    def _look(self, _: object = None) -> None:
        listed = self._session.listed(self._session.model)
        card = None if listed is None or listed.bundled else listed.card
        self.origin = None if card is None else origin_of(card)
        reachable = self.origin is not None and self._session.listed(self.origin.first) is not None
        with QSignalBlocker(self.combo):
            base = self.combo.findData(_BASE)
            if base >= 0:
                if self.combo.currentIndex() == base:
                    self.combo.setCurrentIndex(0)  # Qt would go on to the next one: a new network
                self.combo.removeItem(base)
            self.combo.setItemText(
                0, "The model above" if self.origin is None else f"{self.title}, trained further"
            )
            if reachable and self.origin is not None:
                self.combo.insertItem(1, f"{self.origin.first}, its base", _BASE)
        self.follow_set(self._training_set)

    def _say(self) -> None:
        text = ""
        if self.origin is not None and not self.combo.currentData():
            text = f"It continues a training: the model was {self.origin}."
        elif self.combo.currentData() == _BASE and self.origin is not None:
            text = f"It starts again from {self.origin.first}, without what the model above learnt."
            if self._training_set:
                text = f"It starts again from {self.origin.first}, on the whole set."
        self.about.setText(text)
        self.about.setVisible(bool(text))
