"""Which values of a form a user chose: they stay, while the others follow what a model suggests."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams


class ChosenValues:
    """The instance parameters that a form shows: what is suggested, but for values that somebody chose.

    Parameters
    ----------
    read : callable
        Returns what the form shows.
    show : callable
        Shows instance parameters, and tells nobody.

    Attributes
    ----------
    suggested : InstanceParams
        For the model and the size of the cells that are shown.
    """

    def __init__(self, read: Callable[[], InstanceParams], show: Callable[[InstanceParams], object]) -> None:
        self._read, self._show = read, show
        self.suggested = InstanceParams()
        self._values: dict[str, Any] = {}
        self._last = asdict(read())

    @property
    def values(self) -> dict[str, Any]:
        """The chosen values by their names."""
        return dict(self._values)

    @property
    def shown(self) -> InstanceParams:
        """What the form shows."""
        return self._read()

    def show(self, suggested: InstanceParams, values: Mapping[str, Any]) -> None:
        """Show what is suggested but for chosen values."""
        self.suggested, self._values = suggested, dict(values)
        self._show(replace(suggested, **values))
        self._last = asdict(self._read())

    def forget(self) -> None:
        """Let nothing be chosen any more; what is shown stays until something else is."""
        self._values = {}

    def moved(self) -> None:
        """Remember what a user changed in the form; what is as suggested again follows the suggestions."""
        suggested, shown = asdict(self.suggested), asdict(self._read())
        for name, value in shown.items():
            if value == self._last[name]:
                continue
            if value == suggested[name]:
                self._values.pop(name, None)
            else:
                self._values[name] = value
        self._last = shown
