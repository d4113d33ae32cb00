"""What the fields of a form have in common that are made of several of Qt's widgets."""

from typing import Any

from magicgui.widgets.bases import ValuedContainerWidget

from napari_utile.engine.parameters import Parameter


class ParameterField(ValuedContainerWidget[Any]):
    """A field without margins, named and explained as its parameter is.

    Parameters
    ----------
    parameter : Parameter
        Its value is the field's.
    layout : "horizontal" or "vertical"
        Of what is added to it.
    """

    def __init__(self, parameter: Parameter, layout: str) -> None:
        super().__init__(
            layout=layout,
            labels=False,
            name=parameter.name,
            label=parameter.label,
            tooltip=parameter.bounds.help,
        )
        self.margins = (0, 0, 0, 0)
