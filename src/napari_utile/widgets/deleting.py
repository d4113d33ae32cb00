"""What cannot be taken back is asked about: one question, one way to say it."""

from qtpy.QtWidgets import QMessageBox, QWidget


def may_delete(parent: QWidget, what: str) -> bool:
    """Ask whether something is to be deleted for good; *Enter* and *Esc* keep it.

    Parameters
    ----------
    parent : QWidget
        In front of which the question appears.
    what : str
        What is deleted, as it stands after "Delete".
    """
    answer = QMessageBox.question(
        parent,
        "U-Tile",
        f"Delete {what}? This cannot be undone.",
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return answer == QMessageBox.StandardButton.Yes
