"""`utile segment --link`: one id for one cell in the files that are written."""

import argparse
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_utile.engine.files.plane_file import Planes, file_order
from napari_utile.engine.linking.links import Links, link_planes, links_of_objects
from napari_utile.engine.linking.measure import ID_COLUMN, Spacing, link_table
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.planes.selection import SelectedPlanes
from napari_utile.engine.provenance.linked import LinkRecord, record_links
from napari_utile.engine.provenance.settings import Settings


@dataclass(frozen=True, eq=False)
class LinkedPlanes:
    """The label planes of an image with the ids of objects or tracks.

    Attributes
    ----------
    record : LinkRecord or None
        None where it is known from the planes how they were linked.
    """

    planes: Planes
    links: Links
    record: LinkRecord | None

    def tables(
        self, image: Any, indices: list[dict[str, int]], tables: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Give the cells of each plane their ids, in place, and return the table of objects or tracks.

        Parameters
        ----------
        indices, tables : lists
            Of each plane its place in the image and its cells.
        """
        column = ID_COLUMN[self.links.axis]
        order = file_order(indices)
        for number, place in enumerate(order):
            ids = self.links.relabelled(number, tables[place]["index"])
            tables[place] = {column: ids, **tables[place], "index": ids, "label": ids}
        cells = {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}
        spacing = Spacing(image.pixel_size, image.unit, image.steps)
        return link_table(self.links, [indices[place] for place in order], spacing, cells)


def linkable(planes: SelectedPlanes, asked: Settings, arguments: argparse.Namespace) -> Settings:
    """Give what is asked for of one image, before anything is computed.

    Where a file of settings links planes and an image has none to be linked, that is said, and each of its planes
    stays by itself.

    Raises
    ------
    UtileError
        If an option links planes, and there are none.
    """
    axis, views = asked.link_params.axis, asked.volume_params.three_views
    if axis and (arguments.three_views or arguments.link):
        planes.check_several(axis, "--three-views" if views else f"--link {axis.lower()}")
    elif axis and axis not in planes.stacked:
        does = f"sees planes along {axis} in three views" if views else f"links planes along {axis}"
        print(
            f"{planes.image.shown_name}: {arguments.settings.name} {does}, and there is at most one here: nothing is "
            "linked",
            file=sys.stderr,
        )
        return replace(asked, linking={}, views={})
    return asked


def linked(labels: Planes, params: LinkParams, of_volumes: bool) -> LinkedPlanes | None:
    """Link the labels of all planes, where those of volumes are linked already; None where nothing is to be linked."""
    if not params.axis:
        return None

    if of_volumes:
        return LinkedPlanes(labels, links_of_objects(labels), None)
    links = link_planes(labels, params)
    planes = links.of_planes(labels)
    return LinkedPlanes(planes, links, record_links(links, planes, params))
