"""What the output channels of a network made elsewhere may be; known without torch, as forms and commands name them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """How channels become classes.

    Attributes
    ----------
    channels : int or None
        How many channels it reads; None: as many as there are classes.
    classes : tuple of (name, role)
        Empty where each channel is a class of its own.
    """

    channels: int | None
    classes: tuple[tuple[str, str], ...] = ()


_CELL, _BACKGROUND, _BORDER = ("cell", "foreground"), ("background", "background"), ("border", "background")
READINGS: dict[str, Reading] = {
    "logits": Reading(None),
    "probabilities": Reading(None),
    "foreground logit": Reading(1, (_BACKGROUND, _CELL)),
    "foreground": Reading(1, (_BACKGROUND, _CELL)),
    "border logit": Reading(1, (_BORDER, _CELL)),
    "border": Reading(1, (_BORDER, _CELL)),
    "foreground and border logits": Reading(2, (_BACKGROUND, _CELL, _BORDER)),
    "foreground and border": Reading(2, (_BACKGROUND, _CELL, _BORDER)),
}
"""What the channels of a foreign network may be; a logit becomes a probability by the logistic function."""
