"""How the planes of a result were linked, as recipes keep it, and the same once more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.plane_file import Planes, stacked_labels
from napari_utile.engine.linking.links import Links, link_planes
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.pixels import sha256_of
from napari_utile.engine.provenance.recorded_params import reason_of


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
    """

    params: LinkParams
    total: int
    parents: dict[int, int]
    labels: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {
            "parameters": to_json(self.params),
            "total": self.total,
            "parents": {str(track): parent for track, parent in self.parents.items()},
            "labels": list(self.labels),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LinkRecord":
        """Read what `to_json` gave."""
        return cls(
            from_json(LinkParams, values["parameters"]),
            int(values["total"]),
            {int(track): int(parent) for track, parent in values["parents"].items()},
            tuple(str(each) for each in values.get("labels", ())),  # stores keep theirs block by block
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
        params, links.total, dict(links.parents), tuple(sha256_of(plane) for plane in planes.read())
    )


def difference_of_links(
    record: LinkRecord, labels: Sequence[NDArray[np.int32]], indices: Sequence[Mapping[str, int]]
) -> str | None:
    """Link planes again, and say where the result differs from what was recorded; None where it does not."""
    planes = stacked_labels(labels, indices)
    links = link_planes(planes, record.params)
    again = record_links(links, links.of_planes(planes), record.params)
    if again == record:
        return None
    what = "objects" if record.params.axis == "Z" else "tracks"
    if again.total != record.total:
        return f"The planes link differently: {again.total} {what}, there were {record.total}."
    return f"The planes link differently, to {record.total} {what} in both."
