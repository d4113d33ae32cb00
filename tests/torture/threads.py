"""Threads that use what a session shares, all at once, changing places as often as they can."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.inference.tile_cache import TileCache
from napari_utile.engine.inference.warm import forget_networks, warm_network
from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.engine.windows import Window
from napari_utile.session.jobs import segment_job
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session
from torture.runs import Case, picture, some

THREADS = 8


def at_once(work: Callable[[int], str]) -> str:
    """Let threads do the same work at the same moment; return what is wrong, or nothing."""
    usual, start = sys.getswitchinterval(), threading.Barrier(THREADS)
    sys.setswitchinterval(1e-5)

    def run(number: int) -> str:
        start.wait()
        return work(number)

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            return "; ".join(each for each in pool.map(run, range(THREADS)) if each)
    finally:
        sys.setswitchinterval(usual)


def cache(seed: int, folder: Path) -> str:
    """Put, get, list and clear tiles: what comes back is what was put, and the bytes are counted right."""
    kept = TileCache(40_000)

    def work(number: int) -> str:
        rng = np.random.default_rng([seed, number])
        for _ in range(300):
            field, at = int(rng.integers(3)), int(rng.integers(20))
            window = Window(slice(at, at + 8), slice(0, 8))
            kept.put(field, window, np.full((2, 8, 8), field * 100 + at, np.float32), (8, 8))
            found = kept.get(field, window, (8, 8))
            if found is not None and not (found == field * 100 + at).all():
                return "another tile came back"
            if any(int(tile[0, 0, 0]) != field * 100 + place.start[0] for place, tile in kept.tiles(field)):
                return "a tile is listed where it does not lie"
            if rng.random() < 0.01:
                kept.clear()
        return ""

    wrong = at_once(work)
    held = sum(tile.nbytes for field in range(3) for _, tile in kept.tiles(field))
    if kept.nbytes != held or kept.nbytes > 40_000:
        wrong = f"{kept.nbytes} bytes are said to be held, {held} are"
    return wrong or "right"


def networks(seed: int, folder: Path) -> str:
    """Segment one image with two models in all threads, while networks are dropped: always the same labels."""
    session, forget_at = Session(), seed % THREADS
    models = [str(folder / "valid.safetensors"), str(folder / "second.safetensors")]
    plane = ImagePlane(picture()[None], name="cells")

    def labels(model: str) -> bytes:
        params = SegmentParams(model=model, diameter=None, device="cpu", precision="float32", tile=32)
        return Run(segment_job(session, SegmentRequest(plane, params))).result.segmentation.labels.tobytes()

    expected = {model: labels(model) for model in models}
    compute = choose_compute("cpu", "float32")

    def work(number: int) -> str:
        for turn in range(3):
            model = models[(number + turn) % 2]
            if number == forget_at:
                forget_networks()
                session.tile_cache.clear()
            if session.load_model(model) is not session.load_model(model):
                return "one model was loaded twice"
            warm_network(session.load_model(model), compute)
            if labels(model) != expected[model]:
                return "other labels"
        return ""

    wrong = at_once(work)
    session.close()
    return wrong or "right"


def cases(folder: Path, save_bright_model: Callable[..., object], scale: float) -> Iterator[Case]:
    """Give all of them."""
    save_bright_model(folder / "second.safetensors", object_diameter=15.0)
    for work in (cache, networks):
        for seed in some(40, scale):
            yield f"threads: {work.__name__}", str(seed), lambda work=work, seed=seed: work(seed, folder)
