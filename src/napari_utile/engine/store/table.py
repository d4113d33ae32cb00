"""The table of the cells of a store, summed up block by block."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.blocks.decoder import Facts
from napari_utile.engine.cells.label_runs import intensity_limits, intensity_sums, label_runs
from napari_utile.engine.cells.measure import Columns, length_suffix
from napari_utile.engine.windows import Window


def block_table(labels: NDArray[np.integer[Any]], pixels: NDArray[Any], block: Window) -> Facts:
    """Sum up what a block holds of each cell.

    Parameters
    ----------
    labels : (y, x) integer array
    pixels : (C, y, x) array
    block : Window
        Where the block lies in the plane of the store.

    Returns
    -------
    dict
        Of each cell in the block: its id, area, sums of y and x (whole numbers, so that blocks add up exactly), and
        sum, smallest and largest value of each channel.
    """
    runs = label_runs(labels)
    lengths = runs.last - runs.first + 1
    y = runs.total(lengths * (runs.y + block.start[0]))
    x = runs.total(lengths * (runs.first + runs.last + 2 * block.start[1])) / 2
    limits = [intensity_limits(runs, np.ascontiguousarray(channel)) for channel in pixels]
    return {
        "label": runs.ids,
        "area": runs.total(lengths),
        "y": y,
        "x": x,
        "sum": np.array([intensity_sums(runs, np.ascontiguousarray(channel)) for channel in pixels]),
        "low": np.array([low for low, _ in limits]),
        "high": np.array([high for _, high in limits]),
    }


def joined_table(
    blocks: Iterable[Facts],
    start: tuple[int, ...],
    pixel_size: tuple[float, float] | None = None,
    unit: str | None = None,
    classes: Sequence[str] = (),
) -> Columns:
    """Make the table of all cells.

    Parameters
    ----------
    blocks : iterable of dict
        From `block_table`.
    start : (int, int)
        Where the store's plane begins in the image: centroids are pixels of the image.
    pixel_size, unit
        As for `measure`.
    classes : sequence of str
        Names of the classes whose sums (K, N) blocks have in ``class``.

    Returns
    -------
    dict of str to (N,) array
        The columns of `measure` that are sums: ``index``, ``label``, ``area_px``, ``centroid_y`` ...
    """
    every = list(blocks)
    ids, which = np.unique(np.concatenate([each["label"] for each in every]), return_inverse=True)

    def total(name: str) -> NDArray[np.float64]:
        return np.bincount(which, np.concatenate([each[name] for each in every]), minlength=ids.size).astype(
            float
        )

    area = total("area")
    columns: Columns = {"index": ids, "label": ids, "area_px": area.astype(np.int64)}
    suffix = length_suffix(pixel_size, unit)
    if pixel_size is not None and suffix != "px":
        columns[f"area_{suffix}2"] = area * (pixel_size[0] * pixel_size[1])
    columns["centroid_y"] = total("y") / area + start[0]
    columns["centroid_x"] = total("x") / area + start[1]
    sums, low, high = (
        np.concatenate([each[name] for each in every], axis=1) for name in ("sum", "low", "high")
    )
    for channel in range(len(sums)):
        end = "" if len(sums) == 1 else f"_{channel}"
        smallest, largest = np.full(ids.size, np.inf), np.full(ids.size, -np.inf)
        np.minimum.at(smallest, which, low[channel])
        np.maximum.at(largest, which, high[channel])
        summed = np.bincount(which, sums[channel], minlength=ids.size).astype(float)
        columns |= {
            f"intensity_mean{end}": summed / area,
            f"intensity_min{end}": smallest,
            f"intensity_max{end}": largest,
            f"intensity_sum{end}": summed,
        }
    if classes:
        parts = np.concatenate([each["class"] for each in every], axis=1)
        likely = np.stack([np.bincount(which, part, minlength=ids.size) for part in parts]).argmax(axis=0)
        columns["class"] = np.array([classes[each] for each in likely], object)
    return columns


def path_of_table(place: Path, index: Mapping[str, int]) -> Path:
    """Return where the table of a store's plane lies, which has this index in the image."""
    name = "_".join(["cells", *(f"{axis}{entry}" for axis, entry in index.items())])
    return place / "tables" / f"{name}.csv"
