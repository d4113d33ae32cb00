"""The settings under which a model finds the cells that a user painted: chosen by trying, without training."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.instances import CutSides, InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.decode import decode_steps
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.sized import with_size
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.preprocessing import parse_steps
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted, three_digits

FITTED = {"threshold": "threshold", "split": "split", "minimum_size": "smallest size"}
"""Instance parameters that are chosen, and how they are called."""
LEAST_CELLS = 3
MOST_CELLS = 12
"""Of more cells, that many are looked at, evenly spread over their ids."""
TIE = 0.005
"""Settings that are this much better or less are as good as those nearer to the card's."""
AROUND = 1.5
"""Diameters of a cell that are looked at around it."""
SIZES = (1 / 1.25, 1.25)
"""Sizes tried besides that of the given cells, as shares of it."""
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SPLITS = (0.0, 0.4, 0.6, 0.8, 0.95)
SMALLEST = (0.25, 0.5)
"""Smallest sizes tried, as shares of the smallest given cell."""


@dataclass(frozen=True)
class CellFit:
    """The settings that find the given cells best.

    Attributes
    ----------
    params : SegmentParams
        Complete: model, diameter, preprocessing, instances.
    iou : float
        Mean best IoU of the given cells with them, 0..1; with a dense annotation less for cells that are none.
    before : float
        The same with what the card suggests at the measured size, of the best of the models.
    cells : int
        Given cells that were looked at.
    changed : tuple of str
        What differs from the card's values at the measured size, in words; empty where nothing does.
    """

    params: SegmentParams
    iou: float
    before: float
    cells: int
    changed: tuple[str, ...]

    @property
    def for_others(self) -> SegmentParams:
        """The settings for other images: those of the card, at the size of each, where nothing fits better."""
        if self.changed:
            return self.params
        sized = self.params.known_diameter is not None
        return replace(self.params, diameter="auto" if sized else None, instances=None)

    @property
    def fitted(self) -> str:
        """What the settings were fitted to, as recipes say it."""
        return f"{self.cells} cells (mean IoU {self.iou:.2f})"

    def __str__(self) -> str:
        """Say it as a user is told."""
        if not self.changed:
            suggested = f"what {self.params.model} suggests (mean IoU {self.iou:.2f})"
            return f"nothing fits the {self.cells} cells better than {suggested}"
        changes = ", ".join(self.changed)
        return f"{changes}: mean IoU of the {self.cells} cells {self.iou:.2f}, was {self.before:.2f}"


@dataclass(frozen=True, eq=False)
class Trial:
    """Settings, how many of them differ from the card's, the score of each given cell, what the card suggests."""

    params: SegmentParams
    changes: int
    scores: NDArray[np.float64]
    suggested: InstanceParams


@dataclass(frozen=True, eq=False)
class _Seen:
    """A model at one size and contrast: its outputs around each given cell."""

    model: Model
    params: SegmentParams
    changes: int
    values: list[NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Target:
    """A given cell: its pixels in a window, what is labelled there, and which pixels lie where the window is cut."""

    window: Window
    labels: Labels
    number: int
    rim: NDArray[np.bool_]
    truth: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "truth", self.labels == self.number)

    def score(self, found: NDArray[np.int32], dense: bool) -> float:
        """Return the best IoU of any found cell; where dense, times the share of cells that are real."""
        shared = np.bincount(found[self.truth], minlength=int(found.max(initial=0)) + 1)
        areas = np.bincount(found.ravel(), minlength=shared.size)
        shared[0] = 0
        best = float((shared / np.maximum(areas + self.truth.sum() - shared, 1)).max())
        if not dense:
            return best
        empty = np.bincount(found[self.labels == 0], minlength=shared.size) > areas / 2
        empty[0] = False
        empty[np.unique(found[self.rim])] = False
        given = np.unique(self.labels[self.labels > 0]).size
        return best * given / (given + int(empty.sum()))


def fit_to_cells(
    plane: ImagePlane,
    labels: Labels,
    models: Sequence[Model],
    params: SegmentParams | None = None,
    *,
    dense: bool = False,
    compute: Compute | None = None,
) -> Run[str, CellFit]:
    """Choose model, size, contrast, threshold, split and smallest size by a few given cells.

    A network runs only in windows around the cells, once for each size. With few cells settings are judged by leaving
    one out: where those chosen on the others would hardly have helped the one left out, the card's are kept.

    Parameters
    ----------
    plane : ImagePlane
    labels : (Y, X) int array
        Painted or corrected cells, three or more; 0 is unknown.
    models : sequence of Model
        The first that is as good as any is taken.
    params : SegmentParams, optional
        Channels, preprocessing, device and precision are used.
    dense : bool
        Whether 0 is background: then cells found there count against settings.
    compute : Compute, optional

    Returns
    -------
    Run
        Yields what is tried, in words; its result is a `CellFit`.

    Raises
    ------
    UtileError
        If there are under three cells, no model reads the image, or none of the cells is found with any settings.
    """
    if labels.shape != plane.shape:
        raise UtileError(f"The labels have shape {labels.shape}, {plane.name} has {plane.shape}.")
    ids = np.unique(labels[labels > 0])
    if ids.size < LEAST_CELLS:
        cells = "1 cell is" if ids.size == 1 else f"{ids.size} cells are"
        raise UtileError(
            f"Fitting needs at least {LEAST_CELLS} cells, and {cells} labelled: paint some more."
        )
    params = params or SegmentParams()
    compute = compute or choose_compute(params.device, params.precision)
    return Run(_fit(plane, labels, ids, models, params, dense, compute))


def _fit(
    plane: ImagePlane,
    labels: Labels,
    ids: Labels,
    models: Sequence[Model],
    params: SegmentParams,
    dense: bool,
    compute: Compute,
) -> Generator[str, None, CellFit]:
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    across = round(float(2 * np.sqrt(np.median(areas) / np.pi)), 1)
    targets = _targets(plane, labels, ids, across)
    trials: list[Trial] = []
    seen: list[tuple[_Seen, Trial]] = []

    def look(model: Model, used: SegmentParams, changes: int) -> Generator[str, None, Trial]:
        yield f"{model.card.name}, {_size(used)}"
        values = []
        for target in targets:
            outputs = Run(Field(plane, model, used, compute=compute).outputs_steps(target.window))
            values.append((yield from outputs.yielding(model.card.name)))
        here = _Seen(model, used, changes, values)
        trial = attempt(here, suggested_instances(model.card, used.known_diameter))
        seen.append((here, trial))
        return trial

    def attempt(here: _Seen, instances: InstanceParams) -> Trial:
        suggested = suggested_instances(here.model.card, here.params.known_diameter)
        changes = sum(getattr(instances, name) != getattr(suggested, name) for name in FITTED)
        scores = [
            target.score(Run(decode_steps(values, here.model.card, instances)).result[1], dense)
            for target, values in zip(targets, here.values, strict=True)
        ]
        used = replace(here.params, instances=instances)
        made = Trial(used, here.changes + changes, np.array(scores), suggested)
        trials.append(made)
        return made

    for model in models:
        card = model.card
        if not card.reads(plane, params.channels):
            continue
        name = params.model if params.model.endswith(".safetensors") else card.name
        asked = replace(params, model=name, instances=None)
        measuring = Run(with_size(replace(asked, diameter="auto"), plane, model, compute=compute))
        usual = yield from measuring.yielding(f"{card.name}, size of the cells")
        yield from look(model, usual, 0)
        own = usual if card.object_diameter is None else replace(usual, diameter=across)
        if own != usual:
            yield from look(model, own, 1)
        if "invert" not in dict(parse_steps(params.preprocess)):
            steps = ",".join(filter(None, ["invert", params.preprocess]))
            yield from look(model, replace(own, preprocess=steps), 2)
    if not trials:
        if len(models) == 1:
            card = models[0].card
            plane.for_network(len(card.inputs), params.channels, card.optional_inputs)  # says why it cannot
        raise UtileError(f"No model reads an image of {counted(plane.data.shape[0], 'channel')}.")
    usual_trials = [trial for trial in trials if trial.changes == 0]
    base = max(usual_trials, key=lambda trial: float(trial.scores.mean()))
    best, _ = max(seen, key=lambda each: float(each[1].scores.mean()))
    if best.model.card.object_diameter is not None:
        for share in SIZES:
            resized = replace(best.params, diameter=max(1.0, round(across * share, 1)))
            yield from look(best.model, resized, max(best.changes, 1))
    for here, _ in sorted(seen, key=lambda each: -float(each[1].scores.mean()))[:2]:
        yield f"{here.model.card.name}, {_size(here.params)}: threshold, split, smallest size"
        instances = suggested_instances(here.model.card, here.params.known_diameter)
        for field_name in FITTED:
            smallest = tuple(round(share * int(areas.min())) for share in SMALLEST)
            values: Any = {"threshold": THRESHOLDS, "split": SPLITS, "minimum_size": smallest}[field_name]
            tried = [attempt(here, instances)]
            for value in values:
                tried.append(attempt(here, replace(instances, **{field_name: value})))
                yield FITTED[field_name]
            chosen = pick(tried).params.instances
            assert chosen is not None
            instances = chosen
    picked = proven(trials, base)
    if picked.scores.mean() < TIE:
        raise UtileError(
            f"None of the {len(targets)} cells is found with any settings: use another model, or train one."
        )
    return CellFit(
        picked.params,
        float(picked.scores.mean()),
        float(base.scores.mean()),
        len(targets),
        _changes(base.params, picked),
    )


def _targets(plane: ImagePlane, labels: Labels, ids: Labels, across: float) -> list[Target]:
    """Give the windows around some of the given cells."""
    chosen = [ids[place] for place in spread(ids.size, MOST_CELLS)]
    targets = []
    for number in chosen:
        rows, columns = (np.flatnonzero((labels == number).any(axis=axis)) for axis in (1, 0))
        span = Window.span((int(rows[0]), int(columns[0])), (int(rows[-1]) + 1, int(columns[-1]) + 1))
        window = span.grown(max(16, round(AROUND * across))).clipped(plane.shape)
        (top, left), (bottom, right) = window.start, window.stop
        cut = CutSides(top > 0, bottom < plane.shape[0], left > 0, right < plane.shape[1])
        targets.append(Target(window, labels[window], int(number), cut.rim((bottom - top, right - left))))
    return targets


def pick(trials: Sequence[Trial], but: int | None = None) -> Trial:
    """Return the best trial, all cells counting but one; of those about as good, that nearest to the card's values."""
    means = [
        float((trial.scores if but is None else np.delete(trial.scores, but)).mean()) for trial in trials
    ]
    good = [place for place, mean in enumerate(means) if mean >= max(means) - TIE]
    return trials[min(good, key=lambda place: (trials[place].changes, -means[place]))]


def left_out(trials: Sequence[Trial]) -> float:
    """Return the mean score of each cell under the settings that the other cells choose."""
    count = trials[0].scores.size
    return float(np.mean([pick(trials, but=place).scores[place] for place in range(count)]))


def proven(trials: Sequence[Trial], base: Trial) -> Trial:
    """Return the best trial where cells that did not choose it gain more than a tie, too; else `base`.

    Three cells are easily pleased: without the margin, a thousandth that was gained by one of 8 nuclei cost the other
    five a fifth of their overlap.
    """
    return pick(trials) if left_out(trials) > base.scores.mean() + TIE else base


def _size(params: SegmentParams) -> str:
    size = params.known_diameter
    said = "the image as it is" if size is None else f"cells {three_digits(size)} px across"
    return f"{said}, {params.preprocess}" if params.preprocess else said


def _changes(before: SegmentParams, picked: Trial) -> tuple[str, ...]:
    """Name what was chosen otherwise than the card and the measured size say."""
    said, after = [], picked.params
    if after.model != before.model:
        said.append(f"model {after.model}")
    if (after.diameter, after.preprocess) != (before.diameter, before.preprocess):
        said.append(_size(after))
    ours, theirs = (to_json(each) for each in (after.instances, picked.suggested))
    said += [f"{what} {ours[name]:g}" for name, what in FITTED.items() if ours[name] != theirs[name]]
    return tuple(said)
