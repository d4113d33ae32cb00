"""Results as layer descriptions, which know neither Qt nor napari, and how a new one joins an old one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from napari_utile.engine.arrays import IntArray
from napari_utile.engine.windows import Window
from napari_utile.session.plane_rows import ids_start_again, names_of_ids, of_other_planes, with_index


@dataclass(frozen=True)
class LayerSpec:
    """One layer to show.

    Attributes
    ----------
    kind : "image", "glow" or "labels"
        The type of layer; a glow is an image of values that lie over another one.
    name : str
        Name to show; layers the user already has keep theirs.
    data : (Y, X) array
        One plane. In a source with more axes it becomes the plane on which the viewer stands.
    role : str
        What the layer is to the plugin, for example ``"instances"``; with the source it identifies the
        layer that a later result replaces.
    options : mapping
        Further layer arguments that are set when the layer is made and left to the user afterwards,
        for example ``colormap``, ``opacity``, ``visible``.
    metadata : mapping
        Kept in the layer's metadata. ``recipe`` is that of the plane; the layer keeps those of all its planes
        under ``recipes``.
    features : mapping of str to (N,) arrays, optional
        Columns of a Labels layer's feature table. The column ``index`` holds the label of each row.
        Labels with features are instances: their ids are kept distinct from those already in the layer.
    window : Window, optional
        The rows and columns of the plane that `data` covers; all by default. The rest of the plane stays.
    """

    kind: Literal["image", "glow", "labels"]
    name: str
    data: np.ndarray[Any, Any]
    role: str
    options: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, np.ndarray[Any, Any]] | None = None
    window: Window | None = None


def merged_labels(
    plane: IntArray, labels: IntArray, window: Window | None, above: int = 0
) -> tuple[IntArray, int, IntArray]:
    """Renumber new instances so that they do not take the ids of those that stay.

    Parameters
    ----------
    plane : (Y, X) integer array
        The labels now in the layer.
    labels : (h, w) integer array
        New instances 1..N, 0 = background, that replace what is in `window`.
    window : Window or None
        Where `labels` go; None is the whole plane.
    above : int
        Ids up to this one are taken elsewhere.

    Returns
    -------
    labels : (h, w) integer array
        With every id raised by `first`.
    first : int
        0 where nothing stays and nothing is taken, so that a result alone in its layer keeps its ids.
    kept : (M,) integer array
        Ids that stay in the plane, outside the window.
    """
    kept: IntArray = np.zeros(0, dtype=plane.dtype)
    if window is not None:
        rest = plane.copy()
        rest[window] = 0
        kept = np.unique(rest)
        kept = kept[kept != 0]
    first = max(above, int(kept.max(initial=0)))
    if first == 0:
        return labels, 0, kept
    return np.where(labels > 0, labels + labels.dtype.type(first), 0).astype(labels.dtype), first, kept


def merged_features(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    first: int,
    gone: IntArray,
    where: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray[Any, Any]]:
    """Join the feature tables of instances that stay and of new ones.

    Parameters
    ----------
    old : mapping of str to (N,) arrays
        The table so far; may be empty.
    new : mapping of str to (M,) arrays or scalars
        The new rows, with a column ``index``; a scalar is the value of all rows.
    first : int
        Added to ``index``, as by `merged_labels`.
    gone : (K,) integer array
        Ids whose old rows are dropped.
    where : mapping of str to int, optional
        As for `remeasured`: the new rows say that they are of this plane, and rows of other planes stay.

    Returns
    -------
    dict of str to arrays
        ``index`` first, as napari's table wants it, and the same as ``label``, as other programs do. A column that one
        table lacks is NaN in its rows, one of words empty.
    """
    index = np.asarray(new["index"], dtype=int) + first
    new = {**(where or {}), **new}
    columns = {name: np.broadcast_to(np.asarray(column), index.shape) for name, column in new.items()}
    columns = {"index": index, "label": index} | {
        name: column for name, column in columns.items() if name not in ("index", "label")
    }
    old = with_index(old)
    if not len(old.get("index", ())):
        return {name: np.array(column) for name, column in columns.items()}
    old = {"label": old["index"], **old}
    columns |= dict.fromkeys(names_of_ids(old), index)
    if "roi_id" in old and "roi_id" in columns:  # one for all rows, as other programs want it
        columns["roi_id"] = np.broadcast_to(np.asarray(old["roi_id"])[:1], index.shape)
    stays = ~np.isin(np.asarray(old["index"]), gone) | of_other_planes(old, where or {})
    if not stays.any():
        return {name: np.array(column) for name, column in columns.items()}
    joined = {}
    for name in [*columns, *(name for name in old if name not in columns)]:
        above = np.asarray(old[name])[stays] if name in old else None
        below = columns.get(name)
        if above is None:
            above = _nothing_like(below, int(stays.sum()))
        if below is None:
            below = _nothing_like(above, index.size)
        joined[name] = np.concatenate([above, below])
    return joined


def remeasured(
    old: Mapping[str, Any], new: Mapping[str, Any], where: Mapping[str, int]
) -> dict[str, np.ndarray[Any, Any]] | None:
    """Bring the rows of one plane up to date with what was measured now.

    Parameters
    ----------
    old : mapping of str to (N,) arrays
        The table so far.
    new : mapping of str to (M,) arrays
        All cells of the plane; columns that the table does not have are left out.
    where : mapping of str to int
        The columns that say which plane a row belongs to, and their values for this one; empty for a plain image.

    Returns
    -------
    dict of str to arrays, or None
        Sorted by ``index``, and by planes before that where ids start again on each; None where nothing has changed.
        What was added to the row of a cell stays, but for a confidence, which was that of other pixels.
    """
    table = {name: np.asarray(column) for name, column in old.items()}
    labels, ids = np.asarray(new["index"], dtype=int), table["index"].astype(int)
    here = np.ones(ids.size, dtype=bool)
    for name, step in where.items():
        if name in table:
            here &= table[name] == step
    columns = {
        name: np.asarray(new[name]) for name in new if name in table and name not in ("index", "label")
    }
    rows = {int(ids[row]): int(row) for row in np.flatnonzero(~of_other_planes(table, where))}
    before = np.array([rows.get(int(label), -1) for label in labels], dtype=int)
    differs = before < 0
    for name, column in columns.items():
        was = _rows(table[name], before)
        differs |= (was != column) & ~((was != was) & (column != column))
    gone = ids[here & ~np.isin(ids, labels)]
    if not differs.any() and not gone.size:
        return None
    fresh: dict[str, Any] = {
        "index": labels[differs],
        **{k: column[differs] for k, column in columns.items()},
        **where,
    }
    known = before[differs]
    for name, column in table.items():
        if name not in (*fresh, "label", "confidence"):
            fresh[name] = _rows(column, known)
    joined = merged_features(table, fresh, 0, np.concatenate([gone, labels[differs]]), where)
    planes = [joined[name] for name in [*where][::-1]] if ids_start_again(joined) else []
    order = np.lexsort((joined["index"], *planes))
    return {name: column[order] for name, column in joined.items()}


def _rows(column: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Take rows of a column; -1 stands for a row of nothing."""
    if (places >= 0).all():
        return np.asarray(column[places])
    return np.asarray(np.concatenate([column, _nothing_like(column, 1)])[places])


def _nothing_like(column: Any, rows: int) -> np.ndarray[Any, Any]:
    """Make an empty column: of words empty, of numbers NaN."""
    words = column is not None and np.asarray(column).dtype.kind in "OUS"
    return np.full(rows, "", dtype=object) if words else np.full(rows, np.nan)


def merged_recipes(kept: Sequence[Mapping[str, Any]], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Add the recipe of a plane to those of the planes that a layer holds already.

    Parameters
    ----------
    kept : sequence of recipes
        As JSON has them, see `napari_utile.engine.provenance.recipe.Recipe.to_json`.
    new : recipe
        Of the result that is written now.

    Returns
    -------
    list of recipes
        Each can be replayed. What was made with the same model and parameters is one recipe of several planes;
        what the new result covers is left out.
    """
    recipes: list[dict[str, Any]] = []
    for recipe in (*kept, new):
        planes = list(recipe["planes"])
        if recipe is not new:
            planes = [plane for plane in planes if not any(_covers(one, plane) for one in new["planes"])]
        alike = next((one for one in recipes if {**one, "planes": ()} == {**recipe, "planes": ()}), None)
        if alike is not None:
            alike["planes"] += planes
        elif planes:
            recipes.append({**recipe, "planes": planes})
    return recipes


def _covers(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether one record of a plane replaces all that another one made."""
    inside = zip(new["region"], old["region"], strict=True)
    return (
        new["index"] == old["index"]
        and new["inside"] in (None, old["inside"])
        and all(there[0] <= part[0] and part[1] <= there[1] for there, part in inside)
    )
