"""What a microscopist is told of a result before it is believed: whether the model fits the image."""

from collections.abc import Sequence
from dataclasses import replace

from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.confidence import Fit, fit_at, overall
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model
from napari_utile.engine.words import capitalised
from napari_utile.session.results import SegmentResult
from napari_utile.session.state import ChosenImage


def doubt(size: CellSize | None, model: Model, image: ChosenImage) -> str:
    """Say that the model does not look right for the image, where the measurement of the cells shows it."""
    if size is None:
        return ""

    fit = fit_at(size, model.card)
    return _in_the_window(fit, model.card, "below", image) if fit.looks_right is False else ""


def _in_the_window(fit: Fit, card: ModelCard, where: str, image: ChosenImage) -> str:
    """Say how well a model fits, and what to do where it does not, by buttons that are above or below."""
    said = str(replace(fit, model=f"“{card.title}”") if card.title else fit)
    text = f"{capitalised(said)}{'' if said.endswith('?') else '.'}"
    if fit.looks_right is False:
        text += _name_a_channel(card, image) + (
            " See which model fits, fit it to a few cells, or train it on a few painted ones: "
            f"buttons {where}."
        )
    return text


def _name_a_channel(card: ModelCard, image: ChosenImage) -> str:
    """Ask for a channel that the model would read, where the image has channels and none is named as that."""
    unnamed = card.inputs[len(image.channels or ()) :]
    if image.channel_axis is None or not unnamed or not unnamed[0].optional:
        return ""
    return f" If a channel shows {unnamed[0].name}, choose it above: it helps this model."


def before_it_is_believed(result: SegmentResult, fits: Sequence[Fit], image: ChosenImage) -> tuple[str, str]:
    """Give what is to be known of a result, and its kind for the status line; "" where all is well.

    Parameters
    ----------
    result : SegmentResult
        The last that was made.
    fits : sequence of Fit
        Of all planes of this run: they are judged together, as a plane at the end of a stack says little.
    image : ChosenImage
        With the channels that are named.
    """
    card, fit = result.segmentation.model.card, overall(fits)
    if fit.looks_right is False:
        return _in_the_window(fit, card, "above", image), "problem"
    if fit.confidence is None or (fit.too_few and result.request.region is None):
        return _in_the_window(fit, card, "above", image), "info"
    if result.located is None and result.request.path:
        return (
            "The file holds different pixels from those this layer shows: the result is recorded as that of the layer, "
            "and cannot be made again from the file."
        ), "info"
    return "", "info"
