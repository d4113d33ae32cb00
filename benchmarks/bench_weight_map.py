"""Weight maps: time beside ten lines of scipy, growth with size and with cells, and local updates."""

import time

import numpy as np
from scipy import ndimage
from timing import best_of, in_turns, options

from napari_utile.engine.weights.live_weight_map import LiveWeightMap
from napari_utile.engine.weights.weight_map import weight_map

CELL_RADIUS = 25


def touching_discs(side: int, count: int) -> np.ndarray:
    """Draw cells of 8 to 22 pixels radius, many of which touch."""
    rng = np.random.default_rng(0)
    labels = np.zeros((side, side), np.int32)
    yy, xx = np.mgrid[-CELL_RADIUS : CELL_RADIUS + 1, -CELL_RADIUS : CELL_RADIUS + 1]
    for i in range(1, count + 1):
        y, x = rng.integers(CELL_RADIUS, side - CELL_RADIUS - 1, 2)
        radius = rng.uniform(8, 22)
        around = labels[y - CELL_RADIUS : y + CELL_RADIUS + 1, x - CELL_RADIUS : x + CELL_RADIUS + 1]
        around[(yy**2 + xx**2 < radius**2) & (around == 0)] = i
    return labels


def by_scipy(labels: np.ndarray, w0: float = 10, sigma: float = 5, reach: int = 24) -> np.ndarray:
    """Give the term of the borders by a distance transform in a window of each cell's reach."""
    near, next_near = np.full(labels.shape, np.inf), np.full(labels.shape, np.inf)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            window = tuple(slice(max(0, part.start - reach), part.stop + reach) for part in box)
            distance = ndimage.distance_transform_edt(labels[window] != label)
            next_near[window] = np.minimum(next_near[window], np.maximum(near[window], distance))
            near[window] = np.minimum(near[window], distance)
    return np.where(labels == 0, w0 * np.exp(-((near + next_near) ** 2) / (2 * sigma**2)), 0)


def main() -> None:
    quick = options(__doc__).parse_args().quick
    labels = touching_discs(2048, 1000)
    print("2048 x 2048 pixels, 1000 cells", flush=True)
    both = {"ours": lambda: weight_map(labels), "ten lines of scipy": lambda: by_scipy(labels)}
    taken = in_turns(both, 2 if quick else 5)
    whole, other = taken["ours"], taken["ten lines of scipy"]
    print(
        f"  ours {whole:.3f} s, {whole / other:.2f} of what scipy takes, which opens no gap between touching cells",
        flush=True,
    )

    print("growth with size, cells as dense throughout")
    for side in (1024, 2048) if quick else (1024, 2048, 3072, 4096):
        labels = touching_discs(side, round(1000 * (side / 2048) ** 2))
        seconds = best_of(3, lambda labels=labels: weight_map(labels))
        print(
            f"  {side**2 / 1e6:5.1f} Mpixel  {seconds:6.3f} s  {seconds / (side**2 / 1e6):.3f} s per megapixel",
            flush=True,
        )

    print("growth with cells, 2048 x 2048 pixels")
    for count in (10, 1000) if quick else (10, 100, 1000, 3000):
        labels = touching_discs(2048, count)
        seconds = best_of(3, lambda labels=labels: weight_map(labels))
        print(f"  {count:5} cells   {seconds:6.3f} s", flush=True)

    labels = touching_discs(2048, 1000)
    live = LiveWeightMap(labels)
    rng = np.random.default_rng(1)
    times = []
    for _ in range(50):
        y, x = rng.integers(0, 2038, 2)
        labels[y : y + 10, x : x + 10] = rng.integers(0, 1000)
        start = time.perf_counter()
        live.update((slice(y, y + 10), slice(x, x + 10)))
        times.append(time.perf_counter() - start)
    times.sort()
    print("update after a stroke of 10 x 10 pixels, 2048 x 2048 pixels, 1000 cells")
    print(
        f"  median {1e3 * times[25]:.1f} ms, {whole / times[25]:.0f} times less than the whole map; "
        f"worst of 50 {1e3 * times[-1]:.1f} ms"
    )


if __name__ == "__main__":
    main()
