"""Clicks: how long one takes on a 16384 x 16384 image, and how good one, two and three clicks are.

Run with ``python benchmarks/bench_clicks.py`` for the times and, with the annotated images beside the
checkout, ``python benchmarks/bench_clicks.py --data ../shared/data`` for the quality as well.
"""

import resource
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np
import torch
import zarr
from one_image import KINDS, read_images
from scipy import ndimage
from timing import options
from torch import nn
from torch.nn import functional

from napari_utile.engine.clicks.markers import Marker, cells_from_markers
from napari_utile.engine.inference.field import Field
from napari_utile.engine.inference.sized import with_choice
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.models.library import load_model
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.session.clicks.actions import Clicks
from napari_utile.session.clicks.label_plane import LabelPlane
from napari_utile.session.clicks.outcome import Outcome

sys.path.append(str(Path(__file__).parents[1] / "training"))
from simulation.simulate import simulate

SIZE, BLOCK = 16384, 1024
load = cache(load_model)


def finish(action) -> Outcome:
    """Carry out an action here and now."""
    run = Run(action)
    for work in run:
        run.answer = Run(work).result
    return run.result


def large_image(folder: Path):
    """Write cells, over and over, to a chunked image of 16384 x 16384 pixels; returns it and the cells' centres."""
    sample = simulate("nuclei", height=BLOCK, width=BLOCK, cells=600, seed=1)
    image = zarr.create_array(
        folder / "large.zarr", shape=(SIZE, SIZE), chunks=(512, 512), dtype=sample.image.dtype
    )
    for top in range(0, SIZE, BLOCK):
        image[top : top + BLOCK] = np.tile(sample.image, (1, SIZE // BLOCK))
    labels = sample.labels
    centres = ndimage.center_of_mass(labels > 0, labels, np.unique(labels)[1:])
    return image, [(round(y), round(x)) for y, x in centres if labels[round(y), round(x)]]


def latency(clicks: int) -> dict[str, float]:
    """Time first clicks at places never seen, clicks where the tile is there, and previews."""
    with tempfile.TemporaryDirectory() as folder:
        image, centres = large_image(Path(folder))
        model = load_model("nuclei")
        start = time.perf_counter()
        field = Field(plane_from_array(image, "YX"), model, cache=TileCache())
        warm_network(model, field.compute)
        ready = time.perf_counter() - start
        labels = np.zeros((SIZE, SIZE), np.int32)
        actions = Clicks(
            LabelPlane(labels, (slice(None),) * 2),
            field,
            suggested_instances(model.card),
            radius=field.click_radius,
        )
        rng = np.random.default_rng(0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        times: dict[str, list[float]] = {"first": [], "cached": [], "preview": []}
        for number in range(clicks + 2):
            y, x = centres[rng.integers(len(centres))]
            row, column = (BLOCK * int(place) for place in rng.integers(0, SIZE // BLOCK, 2))
            for kind, offset in (("first", 0), ("preview", 3), ("cached", 3)):
                point = (row + y + offset * (kind != "first"), column + x)
                start = time.perf_counter()
                outcome = finish(actions.take(point))
                edit = outcome.edit
                if kind != "preview" and edit is not None:
                    labels[edit.rows, edit.columns] = edit.values
                if number >= 2:
                    times[kind].append(time.perf_counter() - start)
                if kind != "preview" and edit is not None:
                    labels[edit.rows, edit.columns] = 0
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        found = {kind: 1000 * float(np.median(values)) for kind, values in times.items()}
        return {**found, "ready": 1000 * ready, "grown_mb": grown / 1024}


class SamEncoder(nn.Module):
    """The image encoder of Segment Anything ViT-B, with random weights and without relative positions."""

    def __init__(self, width: int = 768, depth: int = 12, heads: int = 12) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, 16, 16)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False).layers
        self.neck = nn.Sequential(nn.Conv2d(width, 256, 1), nn.Conv2d(256, 256, 3, padding=1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.embed(image).permute(0, 2, 3, 1)  # (1, 64, 64, width)
        side, width = x.shape[1], x.shape[3]
        for number, block in enumerate(self.blocks):
            if number in (2, 5, 8, 11):  # these look at the whole image, the others at windows of 14 x 14
                x = block(x.reshape(1, side**2, width)).reshape(x.shape)
                continue
            n = -(-side // 14)
            x = functional.pad(x, (0, 0, 0, 14 * n - side, 0, 14 * n - side))
            x = x.reshape(n, 14, n, 14, width).permute(0, 2, 1, 3, 4).reshape(n * n, 14**2, width)
            x = block(x).reshape(n, n, 14, 14, width).permute(0, 2, 1, 3, 4)
            x = x.reshape(1, 14 * n, 14 * n, width)[:, :side, :side]
        return self.neck(x.permute(0, 3, 1, 2))


def sam_milliseconds() -> float:
    """Time one embedding of a 1024 x 1024 image."""
    encoder = SamEncoder().eval()
    with torch.inference_mode():
        start = time.perf_counter()
        encoder(torch.rand(1, 3, 1024, 1024))
        return 1000 * (time.perf_counter() - start)


def made(field: Field, markers: list[Marker], params, window) -> np.ndarray:
    """Return the pixels (h, w) of cell 1 in a window that the markers make."""
    cell = Run(cells_from_markers(field, markers, params, radius=field.click_radius)).result.get(1)
    found = np.zeros([part.stop - part.start for part in window], dtype=bool)
    if cell is not None:
        rows, columns = cell.indices()
        rows, columns = rows - window[0].start, columns - window[1].start
        inside = (rows >= 0) & (rows < found.shape[0]) & (columns >= 0) & (columns < found.shape[1])
        found[rows[inside], columns[inside]] = True
    return found


def deepest(mask: np.ndarray) -> tuple[tuple[int, int], float]:
    """Return the pixel of a mask that is farthest from its border, and how far that is."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), mask.shape)
    return (int(y), int(x)), float(depth.max())


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Return the overlap (intersection over union) of two masks."""
    return np.count_nonzero(one & other) / max(1, np.count_nonzero(one | other))


def simulated_user(field: Field, truth: np.ndarray, params) -> list[list[float]]:
    """Click on every cell: at its centre, then twice at the largest error; returns the IoU after each click."""
    found = []
    for number, box in enumerate(ndimage.find_objects(truth), start=1):
        if box is None:
            continue
        window = tuple(
            slice(max(part.start - 64, 0), min(part.stop + 64, size))
            for part, size in zip(box, truth.shape, strict=True)
        )
        cell = truth[window] == number
        corner = window[0].start, window[1].start
        point, _ = deepest(cell)
        markers = [Marker((point[0] + corner[0], point[1] + corner[1]), 1)]
        mask = made(field, markers, params, window)
        scores, tried = [iou(mask, cell)], set()
        for _ in range(2):
            (more, missing), (less, excess) = deepest(cell & ~mask), deepest(mask & ~cell)
            errors = sorted([(missing, more, True), (excess, less, False)], reverse=True)
            errors = [each for each in errors if each[0] > 1 and each[1:] not in tried]
            if not errors:  # a person sees nothing left to correct
                scores.append(scores[-1])
                continue
            _, (y, x), positive = errors[0]
            tried.add(errors[0][1:])
            longer = [
                *markers,
                Marker((y + corner[0], x + corner[1]), 1, "cell" if positive else "background"),
            ]
            corrected = made(field, longer, params, window)
            if iou(corrected, cell) >= scores[-1]:
                markers, mask = longer, corrected
            scores.append(iou(mask, cell))  # a click that made it worse is undone, and counts
        found.append(scores)
    return found


def quality(data: Path, most: int) -> None:
    """Print the share of cells with IoU of at least 0.5 and 0.75 after one, two and three clicks, the size measured."""
    print(f"\n{'images, model':54s} cells   IoU >= 0.5: 1, 2, 3 clicks   IoU >= 0.75: 1, 2, 3 clicks")
    for kind in KINDS:
        nuclei = kind.title.startswith("fluorescence nuclei")
        name = "nuclei" if nuclei else "tissue" if "H&E" in kind.title else "cells"
        scores, used = [], []
        for image in read_images(data, kind, "val")[:most]:
            asked = SegmentParams(model=name, channels=kind.channels)
            params, _ = Run(with_choice(asked, image.plane, load)).result
            used.append(params.model)
            field = Field(image.plane, load(params.model), params, cache=TileCache())
            instances = suggested_instances(field.model.card, params.known_diameter)
            scores += simulated_user(field, np.asarray(image.labels, np.int32), instances)
        if not scores:
            continue
        table = np.array(scores)
        shares = [
            " ".join(f"{np.mean(table[:, click] >= level):6.1%}" for click in range(3))
            for level in (0.5, 0.75)
        ]
        title = f"{kind.title}, {' and '.join(dict.fromkeys(used))}"
        print(f"{title:54s} {len(table):5d}   {shares[0]:26s}   {shares[1]}", flush=True)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, help="folder with the annotated images")
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--images", type=int, default=1000, help="at most so many of each kind")
    parser.add_argument("--only-quality", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.clicks, args.images = min(args.clicks, 5), min(args.images, 2)
    if not args.only_quality:
        times = latency(args.clicks)
        sam = sam_milliseconds()
        print(
            f"zarr image of {SIZE} x {SIZE}, medians of {args.clicks} clicks; ready in {times['ready']:.0f} ms"
        )
        print(f"  first click at a place never seen   {times['first']:8.1f} ms")
        print(f"  click where the tile is there       {times['cached']:8.1f} ms")
        print(f"  preview under the mouse             {times['preview']:8.1f} ms")
        print(f"  memory grown by all of them         {times['grown_mb']:8.1f} MB")
        print(
            f"Segment Anything ViT-B, one embedding {sam:8.0f} ms: {sam / times['first']:.0f} times a first click"
        )
    if args.data:
        quality(args.data, args.images)


if __name__ == "__main__":
    main()
