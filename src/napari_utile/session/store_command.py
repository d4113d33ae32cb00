"""The command line that does what the dock does with a large image, or finishes what it has started."""

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.unfinished import is_complete, is_store
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.catalogue import card_of
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.command import finish_command
from napari_utile.engine.store.plan import load_plan
from napari_utile.session.results import SegmentRequest, command_of, what_the_command_lacks
from napari_utile.session.store_source import StoreSource, source_of


def store_command(
    requests: Sequence[SegmentRequest],
    source: StoreSource,
    params: SegmentParams,
    card: ModelCard,
    linking: LinkParams | None = None,
    place: Path | None = None,
) -> str:
    """Give the command that segments the planes of a file as `store_job` does.

    Parameters
    ----------
    requests : sequence of SegmentRequest
        The planes.
    source : StoreSource
        Where they lie.
    place : Path, optional
        Of the store; a folder by default.
    """
    located = source.located
    for each in source.stacked if located else ():
        assert located is not None
        first = min(request.axes[each.axis].entry or 0 for request in requests)
        every = each.count == requests[0].axes[each.axis].size
        taken: dict[str, Any] = {each.letter.lower(): None if every else f"{first}:{first + each.count}"}
        located = replace(located, selection=replace(located.selection, **taken))
    if place is None:
        return command_of(requests[0], params, card, located, linking=linking)
    command = command_of(requests[0], params, card, located, linking=linking, output=str(place))
    return f"{command} --measurements"


def store_command_job(
    requests: Sequence[SegmentRequest], place: Path, linking: LinkParams
) -> Generator[None, None, tuple[str, str]]:
    """Give the command that makes the store of some planes, or finishes it where it is started, and what is left to do.

    Raises
    ------
    UtileError
        Where a store was started from pixels that are in no file.
    """
    yield
    place = place.absolute()  # it is carried out in another folder
    if is_store(place) and not is_complete(place):
        plan = load_plan(place)
        if not Path(plan.source).exists():
            raise UtileError(
                f"{place.name} was started from a layer without a file: press Segment to finish it."
            )
        return finish_command(plan, place), "It finishes what is started."
    source, params = source_of(requests), requests[0].params
    command = store_command(requests, source, params, card_of(params.model), linking, place)
    return command, what_the_command_lacks(requests[0], source.located)
