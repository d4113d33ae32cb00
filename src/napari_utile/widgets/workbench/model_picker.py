"""Choose a model: bundled, the user's own, or any file; the choice is shared by the docks of a viewer."""

from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_utile.engine.models.catalogue import ListedModel
from napari_utile.session.state import Session
from napari_utile.widgets.connections import Connections
from napari_utile.widgets.parts.arrange import column
from napari_utile.widgets.parts.forms import choice

_PICK_FILE = "\0file"


class ModelPicker(QWidget):
    """A combo box of models; hovering says what the chosen one is for.

    It shows and sets `Session.model`; listen to ``session.events.model``.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._models: dict[str, ListedModel] = {}
        self.combo = choice("Model", "The trained network that finds the cells.")
        column(self.combo, on=self)
        self.combo.activated.connect(self._chosen)
        self._connections = Connections(self)
        self._connections.connect(session.events.model, self._show_choice)
        self._connections.connect(session.events.models, self._list)
        self._list()

    def _list(self, _: object = None) -> None:
        # A user's model goes before a bundled one of the same name.
        self._models = {model.name: model for model in self._session.models}
        with QSignalBlocker(self.combo):
            self.combo.clear()
            for name, model in self._models.items():
                self.combo.addItem(model.title if model.bundled else f"{model.title} (yours)", name)
                if model.problem:
                    last, items = self.combo.count() - 1, self.combo.model()
                    item = items.item(last) if isinstance(items, QStandardItemModel) else None
                    if item is not None:
                        item.setEnabled(False)
                    self.combo.setItemData(last, model.problem, Qt.ItemDataRole.ToolTipRole)
            self.combo.addItem("Choose a file…", _PICK_FILE)
        self._show_choice()

    def _show_choice(self, _: str = "") -> None:
        name = self._session.model
        index = self.combo.findData(name)
        with QSignalBlocker(self.combo):
            if index < 0:
                self.combo.insertItem(0, Path(name).name, name)
                index = 0
            self.combo.setCurrentIndex(index)
        model = self._models.get(name)
        card = model.card if model else None
        self.combo.setToolTip(card.description if card and card.description else str(name))

    def _chosen(self, index: int) -> None:
        name = self.combo.itemData(index)
        if name != _PICK_FILE:
            self._session.model = name
            return
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", "U-Tile models (*.safetensors)")
        if path:
            self._session.model = path
        else:
            self._show_choice()
