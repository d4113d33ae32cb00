"""Memory, time and disk of stores as images grow: ``python benchmarks/blocks.py [16 64 256 ...]`` (megapixels).

The network is a cheap one of depth 1, so that all but the network is measured; the image is made where it is read. Each
size runs in a process of its own, on one thread.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage
from timing import options

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # for the network that is known exactly
PATCH = 1536


class Pattern:
    """Cells without end: a patch repeated, made where it is read."""

    def __init__(self, shape: tuple[int, int]) -> None:
        rng = np.random.default_rng(0)
        smooth = ndimage.gaussian_filter(rng.random((PATCH, PATCH)), 5, mode="wrap")
        # Darker in the middle, so that the bright spots are cells apart and not one web over the whole image.
        shown = ((smooth - smooth.min()) / np.ptp(smooth)) ** 1.5
        self._patch = (shown * 60000).astype(np.uint16)
        self.shape, self.dtype, self.ndim = (1, *shape), np.dtype(np.uint16), 3

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        channels, rows, columns = (*index, slice(None), slice(None))[:3]
        rows, columns = (
            np.arange(*part.indices(size)) % PATCH
            for part, size in zip((rows, columns), self.shape[1:], strict=True)
        )
        plane = self._patch[np.ix_(rows, columns)]
        return plane if isinstance(channels, int) else plane[None]


def memory_peak() -> int:
    """Return the most memory that this process had (kB), on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def measure(megapixels: int) -> dict[str, float]:
    """Run one size in this process."""
    import torch

    from bright_model import save_bright_model
    from napari_utile.engine.cells.instances import InstanceParams
    from napari_utile.engine.inference.device import choose_compute
    from napari_utile.engine.jobs.here import Here
    from napari_utile.engine.planes.axes import ImagePlane
    from napari_utile.engine.segment_params import SegmentParams
    from napari_utile.engine.steps import Run
    from napari_utile.engine.store.begin import begin_store
    from napari_utile.engine.store.make import plan_store
    from napari_utile.engine.store.remove import size_of
    from napari_utile.engine.store.run import store_steps

    torch.set_num_threads(1)
    side = round((megapixels * 2**20) ** 0.5)
    with tempfile.TemporaryDirectory() as folder:
        model = save_bright_model(Path(folder) / "bright.safetensors")
        plane = ImagePlane(Pattern((side, side)))
        params = SegmentParams(
            model=str(model.path), diameter=None, instances=InstanceParams(minimum_size=30)
        )
        compute = dataclasses.replace(choose_compute("cpu", "float32"))
        plan = plan_store([plane], model, params, compute, "pattern")
        place = Path(folder) / "a.zarr"
        begin_store(place, plan, model)
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from now on
        before = memory_peak()
        began, cpu, most, stages = time.perf_counter(), time.process_time(), 0, {}
        last = cpu
        run = Run(store_steps(place, jobs=Here(1), planes=[plane], model=model))
        for step in run:
            now = time.process_time()
            stages[step.stage] = stages.get(step.stage, 0.0) + now - last
            last = now
            if step.done % 64 == 0 or step.done == step.total:
                most = max(most, size_of(place))
        peak = memory_peak()
        return {
            "Mpx": megapixels,
            "cells": run.result.cells[0],
            "MB beyond the start": round((peak - before) / 1024),
            "estimated MB": plan.memory_bytes(1) >> 20,
            "CPU s/Mpx": round((time.process_time() - cpu) / megapixels, 3),
            "wall s/Mpx": round((time.perf_counter() - began) / megapixels, 3),
            **{f"CPU s/Mpx, {stage}": round(value / megapixels, 3) for stage, value in stages.items()},
            "disk B/px at most": round(most / side**2, 2),
            "estimated B/px": round((plan.scratch_bytes + plan.stored_bytes) / side**2, 2),
            "disk B/px at the end": round(size_of(place) / side**2, 2),
        }


def main() -> None:
    """Measure each size, the smallest first."""
    parser = options(__doc__)
    parser.add_argument("megapixels", nargs="*", type=int, help="16, 64 and 256 by default")
    parser.add_argument("--one", action="store_true", help="measure in this process, and print JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(*args.megapixels)))
        return
    for size in args.megapixels or ([4] if args.quick else [16, 64, 256]):
        made = subprocess.run(
            [sys.executable, __file__, "--one", str(size)],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        print(made.stdout.strip() or made.stderr, flush=True)


if __name__ == "__main__":
    main()
