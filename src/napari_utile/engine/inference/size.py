"""How large the cells of an image are, measured: the magnification at which a model is surest of them.

A network knows cells of about one size. Windows of the image are segmented at magnifications from 1/8 to 2, the coarse
ones, which cost little, first; at the right one the model is sure of its cells, and they have the size that it learnt.
Where the windows lie depends on the shape of the image and on what it shows, never on a region or a view, so that a
click, a preview and the whole image are seen at the same size.
"""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_utile.engine.cells.instances import CutSides, InstanceParams
from napari_utile.engine.cells.uncertainty import confidences, depth_score, depths, score_of
from napari_utile.engine.inference.cell_size import CellSize, SizeTrial, best_of
from napari_utile.engine.inference.decode import decode_steps, foreground_of
from napari_utile.engine.inference.device import Compute, choose_compute
from napari_utile.engine.inference.field import Field, scale_factors, zoom_of
from napari_utile.engine.inference.limits import limits_of, seen_plane
from napari_utile.engine.inference.tiling import plan_tiles
from napari_utile.engine.models.library import Model
from napari_utile.engine.models.outputs import EDGE_DISTANCE, channels_of
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.planes.normalize import IntensityLimits
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.planes.units import micrometres
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.engine.words import rescaled, three_digits

OCTAVES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0)
"""Magnifications that are tried first; then those between the best ones and their neighbours."""
MOST_PIXELS = 2_000_000
"""The network's output for a measurement, in pixels, at most."""
MOST_OF_ONCE = 0.4
"""Of the arithmetic of segmenting the image once, as it is, at most; but always a window of `SIDES[-1]`."""
SIDES = (320, 288, 256, 224, 192)
"""Sides of a window as the network sees it, the largest first that the cost allows. Pixels."""
MOST_WINDOWS = 4

LEAST_SCORE = 0.58
"""Below it the size says nothing: nuclei of all stains have 0.60 or more, other kinds of images 0.56 or less."""
MEASURED_BELOW = 0.23
"""So far below the confidence that a card asks for, the size of the cells is still better measured than not."""
NEAR = 0.1
"""Magnifications that fit less well than the best by no more than this are looked around; two that fit less well by
more than it, behind a good one, end the search."""
ENOUGH, MOST_LOOKS = 12, 4
"""The best magnification is looked at again in twice as many windows until it has this many cells, as a few may be sure
by chance; again this often at most."""
GOOD, LEAST_CELLS = 0.6, 5
"""A good magnification has this score and this many cells."""
SAME_SIZE = 0.1
"""Cells are as the model knows them where they differ by less than this; the image is then used as it is. Octaves."""


_OWN_SIZE = "the model was trained on images of its own size"
_OWN_ZOOM = "the model was trained on images that were rescaled like this"


def measure_size(
    planes: ImagePlane | Sequence[ImagePlane],
    model: Model,
    params: SegmentParams | None = None,
    *,
    compute: Compute | None = None,
    limits: IntensityLimits | None = None,
    own_size: bool = False,
) -> Run[SizeTrial, CellSize]:
    """Measure the diameter of the cells of an image or a stack; each trial is a point to cancel at.

    Parameters
    ----------
    planes : ImagePlane or sequence of ImagePlane
        Of a stack, all planes: up to `MOST_PLANES` of them, evenly spread, are looked at.
    model : Model
    params : SegmentParams, optional
        Channels, device and precision are used.
    compute : Compute, optional
        Chosen by the parameters by default.
    limits : IntensityLimits, optional
        Of the plane, or of the whole stack; by default those of each plane.
    own_size : bool
        Whether a model that was trained on images of its own size, and uses others as they are, is tried too, at that
        size: to be compared with others.

    Returns
    -------
    Run
        Yields `SizeTrial`; its result is a `CellSize`.

    Raises
    ------
    UtileError
        If channels or device do not fit.
    """
    params = params or SegmentParams()
    every = [planes] if isinstance(planes, ImagePlane) else list(planes)
    compute = compute or choose_compute(params.device, params.precision)
    return Run(_measure(every, model, params, compute, limits, own_size))


def rate_at_size(
    planes: Sequence[ImagePlane],
    model: Model,
    params: SegmentParams,
    *,
    compute: Compute | None = None,
    limits: IntensityLimits | None = None,
) -> CellSize:
    """Rate how sure a model is of windows of an image at the size that it is told, where nothing is measured.

    Parameters
    ----------
    planes, model, compute, limits
        As for `measure_size`.
    params : SegmentParams
        Their diameter is used.
    """
    compute = compute or choose_compute(params.device, params.precision)
    ready = [seen_plane(planes[index], params, model.card) for index in spread(len(planes))]
    largest = max((each.shape for each in ready), key=math.prod)
    side, count = _affordable(largest, model, compute, len(ready))
    known = SegmentParams(diameter=params.known_diameter)
    scale = max(scale_factors(ready[0], model.card, params.known_diameter))
    found, windows = [], []
    for plane in ready:
        view = _View(plane, limits or limits_of([plane], params, model.card), model, compute)
        view.look_at()
        windows.append(view.windows(scale, side, count))
        found.append(view.cells(windows[-1], known))
    share = _share(windows, sum(math.prod(each.shape) for each in ready))
    seen = _trial(scale, found, model.card.object_diameter, share)
    return CellSize(params.known_diameter, (seen,), "given")


def _share(windows: Sequence[Sequence[Window]], pixels: int) -> float:
    return min(1.0, sum(window.size for each in windows for window in each) / pixels)


def _measure(
    planes: list[ImagePlane],
    model: Model,
    params: SegmentParams,
    compute: Compute,
    limits: IntensityLimits | None,
    own_size: bool,
) -> Generator[SizeTrial, None, CellSize]:
    card, expected = model.card, model.card.object_diameter
    zoom = zoom_of(planes[0], card) if planes else 1.0

    def unsized(origin: str, *trials: SizeTrial) -> CellSize:
        return CellSize(None, trials, origin, zoom=zoom)

    if expected is None or not planes:
        return unsized("the model does not say how large its cells are")
    of_its_own = _OWN_ZOOM if rescaled(zoom) else _OWN_SIZE
    if card.own_size and not own_size:
        return unsized(of_its_own)
    some = [planes[index] for index in spread(len(planes))]
    ready = [seen_plane(each, params, card) for each in some]
    # one of several planes may be missing
    alone = params if len(planes) == 1 else replace(params, limits="plane")
    views = [_View(plane, limits or limits_of([plane], alone, card), model, compute) for plane in ready]
    largest = max((each.shape for each in ready), key=lambda shape: shape[0] * shape[1])
    side, count = _affordable(largest, model, compute, len(ready))
    for view in views:
        view.look_at()
    trials: dict[float, SizeTrial] = {}
    pixels = sum(math.prod(each.shape) for each in ready)

    def attempt(magnification: float, count: int = count) -> SizeTrial | None:
        if min(max(each.shape) for each in ready) * magnification < 2 * expected:
            return None  # no room for cells as the model knows them
        windows = [view.windows(magnification, side, count) for view in views]
        known = SegmentParams(diameter=expected / magnification)
        found = [view.cells(each, known) for view, each in zip(views, windows, strict=True)]
        return _trial(magnification, found, expected, _share(windows, pixels))

    if card.own_size:
        own = attempt(card.scale)
        if own is not None:
            yield own
        return unsized(of_its_own, *(() if own is None else (own,)))
    for magnification in OCTAVES:
        trial = attempt(magnification)
        if trial is not None:
            trials[magnification] = trial
            yield trial
            if _is_past_best([trials[each] for each in sorted(trials)]):
                break
    for magnification in _between(tuple(trials.values())):
        trial = attempt(magnification)
        if trial is not None:
            trials[magnification] = trial
            yield trial
    looked = dict.fromkeys(trials, count)
    for _ in range(MOST_LOOKS):
        best = best_of(tuple(trials.values()))
        if best is None or best.cells >= ENOUGH or looked[best.magnification] >= MOST_WINDOWS:
            break
        looked[best.magnification] = min(2 * looked[best.magnification], MOST_WINDOWS)
        trial = attempt(best.magnification, looked[best.magnification])
        if trial is None or trial.cells == best.cells:
            break
        trial = replace(trial, looks=looked[best.magnification] / count)
        trials[trial.magnification] = trial
        yield trial
    tried = tuple(trials[each] for each in sorted(trials))
    least = LEAST_SCORE if card.confidence is None else min(LEAST_SCORE, card.confidence - MEASURED_BELOW)
    diameter = _diameter(tried, expected, least)
    by_pixels = _by_pixel_size(ready[0], model)
    if by_pixels is not None and by_pixels > min(ready[0].shape):
        said = f"by its pixel size cells would be {three_digits(by_pixels)} px across, more than the image"
        # Without a diameter the pixel size would decide, which is not believed.
        how = "as the model knows them" if diameter is None else "measured"
        return CellSize(diameter or expected, tried, f"{how}; {said}")
    if by_pixels is not None and (diameter is None or max(by_pixels / diameter, diameter / by_pixels) <= 1.5):
        return CellSize(by_pixels, tried, "by the pixel size")
    if by_pixels is not None:
        return CellSize(
            diameter, tried, f"measured; by the pixel size they would be {three_digits(by_pixels)} px"
        )
    if diameter is None:
        return unsized(
            "no cells that the model is sure of" if best_of(tried) else "no cells to measure", *tried
        )
    return CellSize(diameter, tried)


class _View:
    """Windows of a plane, segmented at any magnification."""

    def __init__(
        self,
        plane: ImagePlane,
        limits: IntensityLimits,
        model: Model,
        compute: Compute,
    ) -> None:
        self._plane, self._limits, self._model, self._compute = plane, limits, model, compute
        self._instances = InstanceParams(**model.card.instances).resized(model.card.scale)
        self._centres: list[tuple[float, float]] = []
        self._seen: dict[tuple[Window, float | None], _Found] = {}

    def look_at(self) -> None:
        """Choose where to look: at the places of a lattice where there is most to see."""
        height, width = self._plane.shape
        side = min(height, width, SIDES[-1])
        places = [(y, x) for y in _starts(height, side) for x in _starts(width, side)]
        shown = []
        for y, x in places:
            part = np.asarray(self._plane.data[:, y : y + side, x : x + side])
            shown.append(float(np.clip(self._limits.apply(part), 0, 1).std()) if len(places) > 1 else 0.0)
        most = sorted(range(len(places)), key=lambda place: (-round(shown[place], 3), place))
        chosen: list[tuple[float, float]] = []
        for place in most:
            centre = places[place][0] + side / 2, places[place][1] + side / 2
            if all(max(abs(centre[0] - y), abs(centre[1] - x)) >= side for y, x in chosen):
                chosen.append(centre)
        self._centres = chosen[:MOST_WINDOWS]

    def windows(self, magnification: float, side: int, count: int) -> list[Window]:
        """Return the windows that the network sees with this side, so many at most."""
        shape = self._plane.shape
        windows: list[Window] = []
        for y, x in self._centres[:count]:
            half = side / magnification / 2
            start = [
                max(0, min(round(c - half), size - round(2 * half)))
                for c, size in zip((y, x), shape, strict=True)
            ]
            window = Window.span(start, (first + round(2 * half) for first in start)).clipped(shape)
            if not any((window & other).size > window.size / 2 for other in windows):
                windows.append(window)
        return windows

    def cells(self, windows: Sequence[Window], params: SegmentParams) -> "list[_Found]":
        """Return, of each window, its whole cells; what was looked at before is remembered."""
        for window in windows:
            if (window, params.known_diameter) not in self._seen:
                self._seen[window, params.known_diameter] = self._cells_in(window, params)
        return [self._seen[window, params.known_diameter] for window in windows]

    def _cells_in(self, window: Window, params: SegmentParams) -> "_Found":
        card = self._model.card
        field = Field(self._plane, self._model, params, compute=self._compute, limits=self._limits)
        values = field.seen(window)
        _, labels = Run(decode_steps(values, card, self._instances)).result
        _, confidence = confidences(labels, foreground_of(values, card))
        area = np.bincount(labels.ravel(), minlength=confidence.size + 1)[1:]
        (top, left), (bottom, right) = window.start, window.stop
        height, width = self._plane.shape
        rim = CutSides(top > 0, bottom < height, left > 0, right < width).rim(labels.shape)
        whole = np.ones(confidence.size + 1, bool)
        whole[labels[rim]] = False
        kept = whole[1:]
        deep = None
        if card.has_distances:
            deep = depths(labels, values[channels_of(card.outputs, EDGE_DISTANCE)][0])[1][kept]
        return _Found(confidence[kept], area[kept].astype(np.float64), deep)


@dataclass(frozen=True, eq=False)
class _Found:
    """Cells of a window: their confidences, areas (pixels of the network), and how deep the model sees them."""

    confidence: NDArray[np.float64]
    area: NDArray[np.float64]
    depth: NDArray[np.float64] | None


def _affordable(shape: tuple[int, int], model: Model, compute: Compute, planes: int) -> tuple[int, int]:
    """Return the side of a window, and how many a plane, that a measurement may cost."""
    network = model.network
    once = plan_tiles(shape, network, compute.tile_budget).gflop
    trials = len(OCTAVES) + 1  # two more are tried between octaves, and the coarsest cost next to nothing
    for count in range(MOST_WINDOWS, 0, -1):
        for side in SIDES:
            output = network.geometry.output_at_least(side)
            gflop = network.flops((output, output)) / 1e9 * trials * count * planes
            if side**2 * trials * count * planes <= MOST_PIXELS and gflop <= MOST_OF_ONCE * once * planes:
                return side, count
    return SIDES[-1], 1


def _trial(
    magnification: float,
    found: Sequence[Sequence[_Found]],
    expected: float | None,
    share: float,
) -> SizeTrial:
    windows = [each for view in found for each in view]
    confidence = np.concatenate([each.confidence for each in windows])
    area = np.concatenate([each.area for each in windows])
    deep = [each.depth for each in windows if each.depth is not None]
    if confidence.size == 0:
        return SizeTrial(magnification, 0, 0.0, None, 0.0)
    score, diameter = score_of(confidence, area, expected, share)
    depth = depth_score(np.concatenate(deep), share) if deep else None
    octaves = 0.0 if expected is None else abs(math.log2(diameter / expected))
    return SizeTrial(
        magnification, area.size, float(confidence.mean()), diameter / magnification, score, depth, octaves
    )


def _between(trials: Sequence[SizeTrial]) -> list[float]:
    """Return the magnifications half an octave from those that fit best, the coarsest first."""
    best = best_of(trials)
    if best is None:
        return []
    near = [each for each in trials if each.cells and each.fit >= best.fit - NEAR]
    halves = {round(2 * math.log2(each.magnification)) + step for each in near for step in (-1, 1)}
    within = range(round(2 * math.log2(OCTAVES[0])), round(2 * math.log2(OCTAVES[-1])) + 1)
    return [2.0 ** (half / 2) for half in sorted(halves) if half in within]


def _is_past_best(trials: Sequence[SizeTrial]) -> bool:
    """Whether the last two magnifications are clearly worse than a good one before."""
    best = best_of(trials[:-2])
    return (
        best is not None
        and best.cells >= LEAST_CELLS
        and best.score >= GOOD
        and all(each.fit < best.fit - NEAR for each in trials[-2:])
    )


def _diameter(trials: Sequence[SizeTrial], expected: float, least: float) -> float | None:
    best = best_of(trials)
    if best is None or best.diameter is None or max(each.score for each in trials) < least:
        return None
    seen = expected / best.magnification  # what the magnification stands for
    diameter = min(max(best.diameter, seen / 2), seen * 2)
    return expected if abs(math.log2(diameter / expected)) < SAME_SIZE else float(f"{diameter:.3g}")


def _by_pixel_size(plane: ImagePlane, model: Model) -> float | None:
    """Return the diameter (pixels) that the pixel sizes of image and model give, where both are known."""
    card, unit = model.card, micrometres(plane.unit)
    if card.pixel_size is None or card.object_diameter is None or plane.pixel_size is None or unit is None:
        return None
    pixel = unit * math.sqrt(plane.pixel_size[0] * plane.pixel_size[1])
    return float(f"{card.object_diameter * card.pixel_size / pixel:.3g}")


def _starts(length: int, side: int) -> list[int]:
    """Return where windows of a side begin along an axis: side by side, or spread where they are too many."""
    count = min(max(1, length // side), 2 * MOST_WINDOWS)
    return (
        [round(index * (length - side) / max(count - 1, 1)) for index in range(count)]
        if count > 1
        else [(length - side) // 2]
    )
