"""How the planes of a result were linked, as recipes keep it, and the same once more."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import Planes, stacked_labels
from napari_utile.engine.linking.links import Links, divisions_left, link_planes
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.provenance.command import command_options
from napari_utile.engine.provenance.recorded_params import LINKS_FORMAT, reason_of


@dataclass(frozen=True)
class LinkRecord:
    """How the planes were linked, and what came out.

    Attributes
    ----------
    params : LinkParams
    total : int
        Objects or tracks.
    parents : dict of int to int
        Track -> the track that it divided from.
    labels : tuple of str
        SHA-256 of the labels of each plane, with the ids of objects or tracks; in the order of the label file.
    kept : tuple of int
        Ids that were corrected by hand: linking again leaves them as they are.
    by_hand : bool
        Whether a user painted or corrected some of what was linked, so that linking again gives something else.
    """

    params: LinkParams
    total: int
    parents: dict[int, int]
    labels: tuple[str, ...] = ()
    kept: tuple[int, ...] = ()
    by_hand: bool = False

    def of(self, planes: Planes) -> "LinkRecord":
        """Say the same of labels as they are now, which a user may have corrected; reads every pixel."""
        labels: list[str] = []
        there: set[int] = set()
        for plane in planes.read():
            labels.append(hash_of_ids(plane))
            there.update(np.unique(plane[plane > 0]).tolist())
        return replace(
            self,
            total=len(there),
            parents=divisions_left(self.parents, there),
            labels=tuple(labels),
            kept=tuple(cell for cell in self.kept if cell in there),
            by_hand=self.by_hand or tuple(labels) != self.labels,
        )

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "parameters": to_json(self.params),
            "total": self.total,
            "parents": {str(track): parent for track, parent in self.parents.items()},
            "labels": list(self.labels),
            **({"kept": list(self.kept)} if self.kept else {}),
            **({"by_hand": True} if self.by_hand else {}),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LinkRecord":
        """Read what `to_json` gave."""
        return cls(
            from_json(LinkParams, values["parameters"]),
            int(values["total"]),
            {int(track): int(parent) for track, parent in values["parents"].items()},
            tuple(str(each) for each in values.get("labels", ())),  # stores keep theirs block by block
            tuple(int(each) for each in values.get("kept", ())),
            bool(values.get("by_hand", False)),
        )


def linking_in(recipe: Any, name: str) -> LinkRecord | None:
    """Read how planes were linked from a recipe of any kind, also of stores and grown cells; None where they were not.

    Parameters
    ----------
    recipe : mapping
        As JSON has it.
    name : str
        Of the file, or of the layer that carries it, for messages.

    Raises
    ------
    UtileError
        If it is not a recipe.
    """
    try:
        linking = recipe.get("linking")
        return LinkRecord.from_json(linking) if linking else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UtileError(f"{name} is not a usable recipe: {reason_of(error)}.") from error


def with_linking(recipe: Mapping[str, Any] | None, record: LinkRecord) -> dict[str, Any]:
    """Add how planes were linked to the recipe that made them, as JSON; of labels of a user it is all that is known."""
    made = dict(recipe or {"format": LINKS_FORMAT})
    words = shlex.split(str(made.get("command", "")))
    if words and not {"--link", "--three-views"} & {*words}:
        made["command"] = shlex.join([*words, *command_options(LinkParams, record.params)])
    return {**made, "linking": record.to_json()}


def hash_of_ids(plane: NDArray[Any]) -> str:
    """Return the SHA-256 of the labels of a plane, whatever the type of their numbers."""
    return sha256_of(np.asarray(plane).astype(np.int32))


def record_links(links: Links, planes: Planes, params: LinkParams) -> LinkRecord:
    """Record how planes were linked; reads every pixel.

    Parameters
    ----------
    links : Links
    planes : Planes
        With the ids of objects or tracks: see `Links.of_planes`.
    params : LinkParams
    """
    return LinkRecord(
        params, links.total, dict(links.parents), tuple(hash_of_ids(plane) for plane in planes.read())
    )


def difference_of_links(
    record: LinkRecord,
    labels: Sequence[NDArray[np.int32]],
    indices: Sequence[Mapping[str, int]],
    corner: tuple[int, ...],
) -> str | None:
    """Link planes again, and say where the result differs from what was recorded; None where it does not.

    What a user corrected by hand is not made again.
    """
    if record.by_hand:
        return None
    if len(labels) != len(record.labels):
        return f"The recipe makes {len(labels)} of the {len(record.labels)} planes that were linked."
    planes = stacked_labels(labels, indices, corner)
    links = link_planes(planes, record.params)
    again = record_links(links, links.of_planes(planes), record.params)
    if replace(again, kept=record.kept) == record:
        return None
    what = "objects" if record.params.axis == "Z" else "tracks"
    if again.total != record.total:
        return f"The planes link differently: {again.total} {what}, there were {record.total}."
    return f"The planes link differently, to {record.total} {what} in both."
