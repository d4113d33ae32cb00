"""Whether another version gives the same results, on the sample images and `val` images of `../shared/data`.

    python benchmarks/same.py CHECKOUT [--every 12] [--data ../shared/data]

CHECKOUT is a folder with another version's `src`, for example of `git worktree add ../before COMMIT`. Both segment the
same images by CHECKOUT's bundled model, whole and in a box, in float32, each in a process of its own; labels, mask and
probabilities are compared byte by byte, the measurements to 1e-6 of their value. Prints a line an image, and ends with
1 where something differs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from timing import options

HERE = Path(__file__).resolve().parents[1]


def images(data: Path, every: int) -> list[Path]:
    """List the images that both versions segment."""
    samples = sorted((HERE / "src/napari_utile/sample_data").glob("*.tif"))
    found = [each for each in samples if "truth" not in each.name and "two_channels" not in each.name]
    for index in sorted(data.glob("*/index.csv")):
        names = [line.split(",")[0] for line in index.read_text().splitlines() if ",val," in line]
        found += [index.parent / "images" / f"{name}.tif" for name in names[::every]]
    return found


def write(model: Path, folder: Path, paths: list[Path]) -> None:
    """Segment with the version that this process imports, and keep all of the results."""
    import tifffile

    import napari_utile

    for number, path in enumerate(paths):
        image = tifffile.imread(path)
        image = image[0] if image.ndim == 3 and image.shape[-1] > 4 else image
        image = image.mean(axis=-1) if image.ndim == 3 else image
        made = {}
        for name, region in (("whole", None), ("box", (slice(20, 90), slice(30, 110)))):
            result = napari_utile.segment(
                image, model, axes="YX", diameter=None, precision="float32", tile=256, region=region
            )
            made |= {f"{name} {what}": getattr(result, what) for what in ("labels", "mask", "probabilities")}
        table = napari_utile.measure(made["whole labels"], image)
        made |= {f"measured {column}": np.asarray(values) for column, values in table.items()}
        np.savez(folder / f"{number}.npz", **made)


def differences(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> list[str]:
    """Name what differs."""
    if list(ours) != list(theirs):
        return [f"what there is: {sorted(set(ours) ^ set(theirs))}"]
    found = []
    for name, mine in ours.items():
        other = theirs[name]
        exact = not name.startswith("measured") or mine.dtype.kind not in "fc"
        if exact and (mine.dtype != other.dtype or mine.tobytes() != other.tobytes()):
            far = (
                np.abs(mine.astype(float) - other.astype(float)).max()
                if mine.shape == other.shape
                else "shape"
            )
            found.append(f"{name} ({mine.dtype}, {other.dtype}; {far})")
        elif not exact and not np.allclose(mine, other, rtol=1e-6, atol=0, equal_nan=True):
            found.append(name)
    return found


def main() -> int:
    """Compare; return 1 where something differs."""
    parser = options(__doc__)
    parser.add_argument("checkout", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, default=HERE.parent / "shared" / "data")
    parser.add_argument(
        "--every", type=int, default=12, metavar="N", help="take every N-th image of each set"
    )
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.checkout is None:
        print("skipped: name another checkout")
        return 0
    model = arguments.checkout / "src/napari_utile/models/nuclei.safetensors"
    paths = images(arguments.data, arguments.every)[: 2 if arguments.quick else None]
    if arguments.write:
        write(model, arguments.write, paths)
        return 0
    with tempfile.TemporaryDirectory() as text:
        results = []
        for name, version in (("ours", HERE), ("theirs", arguments.checkout)):
            folder = Path(text) / name
            folder.mkdir()
            environment = {**os.environ, "PYTHONPATH": str(version.resolve() / "src")}
            subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--write", folder], env=environment, check=True
            )
            results.append([dict(np.load(folder / f"{number}.npz")) for number in range(len(paths))])
        bad = 0
        for path, ours, theirs in zip(paths, *results, strict=True):
            found = differences(ours, theirs)
            bad += bool(found)
            print(f"{path.parents[1].name}/{path.stem}: {'; '.join(found) or 'the same'}", flush=True)
    print(f"{len(paths) - bad} of {len(paths)} images are the same")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
