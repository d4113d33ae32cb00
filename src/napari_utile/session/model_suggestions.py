"""Which model fits an image, asked off the GUI thread; sizes that are known are not measured again."""

from collections.abc import Generator
from dataclasses import replace

from napari_utile.engine.fitting.ranking import Ratings, models_to_rate, ranked
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.session.cell_size import measured_steps
from napari_utile.session.measured import Stack
from napari_utile.session.state import Session


def channels_for(card: ModelCard, chosen: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Give a model the channels that were chosen for another one; those of the image as they come where it needs more.

    Examples
    --------
    >>> from napari_utile.engine.models.catalogue import card_of
    >>> nuclei = card_of("nuclei")
    >>> channels_for(nuclei, (2, 0)), channels_for(nuclei, None)
    ((2,), None)
    """
    needed = sum(not each.optional for each in card.inputs)
    return None if chosen is None or len(chosen) < needed else chosen[: len(card.inputs)]


def suggest_job(session: Session, params: SegmentParams, stack: Stack) -> Generator[Ratings, None, Ratings]:
    """Rate every model on the planes on which cells are measured.

    Parameters
    ----------
    params : SegmentParams
        Channels, device and precision are used.
    """

    def measure(name: str, card: ModelCard) -> Generator[None, None, CellSize]:
        wished = replace(params, model=name, channels=channels_for(card, params.channels), diameter="auto")
        return (yield from measured_steps(session, stack, wished, own_size=True))

    return (yield from ranked(models_to_rate(session.model), measure))
