"""The settings under which a model finds the cells that a user painted: chosen by trying, without training."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.arrays import Labels
from napari_utile.engine.cells.instances import CutSides, InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.cell_size import CellSize
from napari_utile.engine.inference.choice import measured_and_chosen
from napari_utile.engine.inference.decode import decode_steps
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.size import measure_size
from napari_utile.engine.models.library import Model
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.preprocessing import parse_steps
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.provenance.settings import Settings, settings_of
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.engine.words import counted, three_digits

FITTED = {"threshold": "threshold", "split": "split", "minimum_size": "smallest size"}
"""Instance parameters that are chosen, and how they are called."""
LEAST_CELLS = 3
MOST_CELLS = 12
"""Of more cells, that many are looked at, evenly spread over their ids."""
OTHERWISE, SIZED, VALUE = 0.05, 0.05, 0.02
"""What the mean IoU must gain by another model or inverting, by a diameter instead of measuring each image, and by each
other value: what suits some cells of one image need not suit the next. Chosen on other images than those that
were fitted to (training images of 14 kinds; training/README.md)."""
AROUND = 1.5
"""Diameters of a cell that are looked at around it."""
LEAST = 0.005
"""A mean IoU below it is none."""
MOST_REFINED = 2
"""Of so many models and sizes threshold, split and smallest size are tried."""
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
    before_model : str
        That model.
    cells : int
        Given cells that were looked at.
    changed : tuple of str
        What differs, besides the model, from the card's values at the measured size, in words.
    measured : bool
        Whether the diameter is the one that is measured anyway: then other images are measured, too.
    values : mapping
        Instance parameters that differ from those that the card suggests at the diameter.
    """

    params: SegmentParams
    iou: float
    before: float
    before_model: str
    cells: int
    changed: tuple[str, ...] = ()
    measured: bool = False
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def asked(self) -> SegmentParams:
        """What to ask for, for this image and others: where it is measured anyway, the size of each."""
        return replace(self.params, diameter="auto") if self.measured else self.params

    @property
    def settings(self) -> Settings:
        """The settings for other images: what was chosen, and nothing that models suggest for the size of each."""
        settings = settings_of(replace(self.asked, instances=None), self.fitted)
        return replace(settings, instances=dict(self.values))

    @property
    def fitted(self) -> str:
        """What the settings were fitted to, as recipes say it."""
        return f"{self.cells} cells (mean IoU {self.iou:.2f})"

    def __str__(self) -> str:
        """Say it as a user is told."""
        suggested = f"what {self.before_model} suggests"
        if not self.changed and self.params.model == self.before_model:
            return f"nothing fits the {self.cells} cells better than {suggested} (mean IoU {self.iou:.2f})"
        used = ", ".join((self.params.model, *self.changed))
        return f"{used}: mean IoU of the {self.cells} cells {self.iou:.2f}; {suggested}: {self.before:.2f}"


@dataclass(frozen=True, eq=False)
class Trial:
    """Settings, the score of each given cell, and what differs from one press with that model.

    Attributes
    ----------
    params : SegmentParams
        Complete.
    scores : (n,) array
    suggested : InstanceParams
        By the card at the diameter.
    measured : bool
        Whether a press measures that diameter, and keeps to the model.
    """

    params: SegmentParams
    scores: NDArray[np.float64]
    suggested: InstanceParams
    measured: bool = True

    @property
    def values(self) -> dict[str, float]:
        """Instance parameters that differ from the suggested ones."""
        ours, theirs = to_json(self.params.instances), to_json(self.suggested)
        return {name: ours[name] for name in FITTED if ours[name] != theirs[name]}

    def less_price(self, base: SegmentParams) -> NDArray[np.float64]:
        """Return the score of each cell, less what the differences from `base` must gain."""
        price = SIZED * (not self.measured) + VALUE * len(self.values)
        if (self.params.model, self.params.preprocess) != (base.model, base.preprocess):
            price += OTHERWISE
        return self.scores - price


@dataclass(frozen=True, eq=False)
class _Seen:
    """A model at one size and contrast: its outputs around each given cell."""

    model: Model
    params: SegmentParams
    measured: bool
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

    A network runs only in windows around the cells, once for each size. What one press would do, with the model that
    finds the cells best so, stays where others gain little (see `OTHERWISE`) or help only cells that chose them.

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
    able = {_name(each, params): each for each in models if each.card.reads(plane, params.channels)}
    if not able:
        if len(models) == 1:
            models[0].card.shown(plane, params.channels)  # says why it cannot
        raise UtileError(f"No model reads an image of {counted(plane.data.shape[0], 'channel')}.")
    trials: list[Trial] = []
    seen: list[tuple[_Seen, Trial]] = []

    def look(model: Model, used: SegmentParams, measured: bool) -> Generator[str, None, None]:
        yield f"{model.card.name}, {_size(used)}"
        values = []
        for target in targets:
            outputs = Run(Field(plane, model, used, compute=compute).outputs_steps(target.window))
            values.append((yield from outputs.yielding(model.card.name)))
        here = _Seen(model, used, measured, values)
        seen.append((here, attempt(here, suggested_instances(model.card, used.known_diameter))))

    def attempt(here: _Seen, instances: InstanceParams) -> Trial:
        scores = [
            target.score(Run(decode_steps(values, here.model.card, instances)).result[1], dense)
            for target, values in zip(targets, here.values, strict=True)
        ]
        used = replace(here.params, instances=instances)
        suggested = suggested_instances(here.model.card, here.params.known_diameter)
        made = Trial(used, np.array(scores), suggested, here.measured)
        trials.append(made)
        return made

    asked = replace(params, diameter="auto", instances=None)
    sizes: dict[str, CellSize] = {}
    for name, model in able.items():
        measuring = measure_size(plane, model, replace(asked, model=name), compute=compute)
        sizes[name] = yield from measuring.yielding(f"{model.card.name}, size of the cells")
    for name, model in able.items():
        usual = replace(asked, model=name, diameter=sizes[name].diameter)
        yield from look(model, usual, keeps_to_itself(model, usual, sizes))
    pressed = [trial for trial in trials if trial.measured] or trials
    base = max(pressed, key=lambda trial: float(trial.scores.mean()))

    def gain(trial: Trial) -> float:
        return float(trial.less_price(base.params).mean())

    for name, model in able.items():
        own = replace(asked, model=name, diameter=sizes[name].diameter)
        if model.card.object_diameter is not None and own.diameter != across:
            own = replace(own, diameter=across)
            yield from look(model, own, False)
        if "invert" not in dict(parse_steps(params.preprocess)):
            steps = ",".join(filter(None, ["invert", params.preprocess]))
            yield from look(model, replace(own, preprocess=steps), False)
    best, _ = max(seen, key=lambda each: float(each[1].scores.mean()))
    if best.model.card.object_diameter is not None:
        for share in SIZES:
            resized = replace(best.params, diameter=max(1.0, round(across * share, 1)))
            yield from look(best.model, resized, False)
    for here, trial in sorted(seen, key=lambda each: -gain(each[1]))[:MOST_REFINED]:
        yield f"{here.model.card.name}, {_size(here.params)}: threshold, split, smallest size"
        for field_name in FITTED:
            smallest = tuple(round(share * int(areas.min())) for share in SMALLEST)
            values: Any = {"threshold": THRESHOLDS, "split": SPLITS, "minimum_size": smallest}[field_name]
            tried, instances = [trial], trial.params.instances
            assert instances is not None
            for value in values:
                tried.append(attempt(here, replace(instances, **{field_name: value})))
                yield FITTED[field_name]
            trial = max(tried, key=gain)
    picked = proven(trials, base)
    if picked.scores.mean() < LEAST:
        raise UtileError(
            f"None of {counted(len(targets), 'cell')} is found with any settings: use another model, or train one."
        )
    return CellFit(
        picked.params,
        float(picked.scores.mean()),
        float(base.scores.mean()),
        base.params.model,
        len(targets),
        _changes(base.params, picked),
        picked.measured,
        picked.values,
    )


def proven(trials: Sequence[Trial], base: Trial) -> Trial:
    """Return the trial that gains most where cells that did not choose it gain by it, too; else `base`.

    A few cells are easily pleased: each is left out once, and scored by what the others choose.
    """
    scores = np.array([trial.less_price(base.params) for trial in (base, *trials)])
    count = scores.shape[1]
    chosen = [int(np.delete(scores, place, axis=1).mean(axis=1).argmax()) for place in range(count)]
    left_out = scores[chosen, np.arange(count)].mean()
    best = (base, *trials)[int(scores.mean(axis=1).argmax())]
    return best if left_out > base.scores.mean() else base


def _name(model: Model, params: SegmentParams) -> str:
    """Return what `SegmentParams.model` calls a model: the file that was asked for, or its name."""
    return params.model if Path(params.model).expanduser() == model.path else model.card.name


def keeps_to_itself(model: Model, usual: SegmentParams, sizes: Mapping[str, CellSize]) -> bool:
    """Whether one press with a model that measures this size keeps to the model, and takes no specialist."""
    if not model.card.left_to:
        return True

    def known(wanted: SegmentParams) -> Generator[None, None, CellSize]:
        yield from ()
        if wanted.model not in sizes:
            raise UtileError(f"{wanted.model} cannot be used.")
        return sizes[wanted.model]

    return Run(measured_and_chosen(usual, known)).result.model == usual.model


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


def _size(params: SegmentParams) -> str:
    size = params.known_diameter
    said = "the image as it is" if size is None else f"cells {three_digits(size)} px across"
    return f"{said}, {params.preprocess}" if params.preprocess else said


def _changes(before: SegmentParams, picked: Trial) -> tuple[str, ...]:
    """Name what was chosen otherwise than the card and the measured size say, besides the model."""
    said, after = [], picked.params
    if (after.diameter, after.preprocess) != (before.diameter, before.preprocess):
        said.append(_size(after))
    said += [f"{FITTED[name]} {value:g}" for name, value in picked.values.items()]
    return tuple(said)
