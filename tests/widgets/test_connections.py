import gc

import pytest
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QWidget

from napari_utile.widgets.connections import Connections, when_deleted


def deleted_by_qt() -> None:
    QCoreApplication.sendPostedEvents(None, int(QEvent.Type.DeferredDelete))


@pytest.mark.parametrize("collected_before", [True, False])
def test_what_waits_for_a_widget_is_called_once_when_qt_deletes_it(qapp, collected_before):
    calls = []
    widget = QWidget()
    widget.itself = widget
    when_deleted(widget, lambda: calls.append("gone"))
    widget.deleteLater()
    del widget
    if collected_before:
        gc.collect()
    deleted_by_qt()
    assert calls == ["gone"]


def test_a_widget_without_references_is_still_deleted(qapp):
    calls = []
    widget = QWidget()
    when_deleted(widget, lambda: calls.append("gone"))
    del widget
    gc.collect()
    deleted_by_qt()
    assert calls == ["gone"]


def test_connections_end_with_their_widget(qapp):
    from psygnal import Signal

    class Source:
        changed = Signal(int)

    heard, source, widget = [], Source(), QWidget()
    connections = Connections(widget)
    connections.connect(source.changed, heard.append)
    source.changed.emit(1)
    widget.deleteLater()
    deleted_by_qt()
    source.changed.emit(2)
    assert heard == [1]
