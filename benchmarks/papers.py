"""The tables of the U-Net paper: membranes of ISBI 2012, and SEG on downloads of the Cell Tracking Challenge.

    python benchmarks/papers.py --data ../shared/data --minutes 30
    python benchmarks/papers.py PhC-C2DH-U373 DIC-C2DH-HeLa --minutes 10 --frames 10

Without folders: a U-Net by the paper's recipe, one by ours and one fine-tuned from `cells` learn from the training
slices of ISBI 2012 in `--data` for `--minutes` each, and are judged on the slices after them, beside the published
rows. `--ways` chooses among them; with `--paper-width 64` the first is the paper's network: use a graphics card.

With folders of the Cell Tracking Challenge as they are downloaded (`01/`, `01_GT/SEG`, `02/`, `02_GT/SEG`): the bundled
model that finds the outlined cells best, or `--model`, is trained further on `--frames` outlined frames of one sequence
for `--minutes` and judged by SEG on all outlined frames of the other one, both ways round. Before is one press with
that model, the size measured. `--silver` learns from the outlines in `01_ST`.
"""

import time
from pathlib import Path

import numpy as np
from papers_runs import membranes, tracking
from timing import options

from napari_utile.engine.metrics.boundaries import THRESHOLDS
from napari_utile.engine.models.catalogue import candidates
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.bases import rank_bases
from napari_utile.engine.training.fine_tune import FineTuning, new_model
from napari_utile.engine.training.fine_tune_params import FineTuneParams


def membranes_table(
    data: Path,
    names: list[str],
    minutes: float,
    width: int,
    *,
    slices: int | None,
    seed: int,
    output: Path | None,
) -> None:
    """Train in each of the ways, judge, and print the table."""
    training = membranes.read_slices(data, "train", slices)
    judged = membranes.read_slices(data, "val", slices)
    rows = list(membranes.PUBLISHED)
    thresholds = THRESHOLDS if slices is None else (0.3, 0.5, 0.7)
    for name, way in membranes.ways(width).items():
        if name not in names:
            continue
        made = membranes.train_on(training, way, minutes, seed)
        if output is not None:
            save_model(made.model.card, made.model.network, output / f"isbi2012-{name}.safetensors")
        said = f"{made.result.steps} steps in {made.result.seconds / 60:.1f} min"
        for turned in (False, True):
            score = membranes.judge(made.model, judged, turned=turned, thresholds=thresholds)
            rows.append((f"{way.title}: {said}{', 8 turns averaged' if turned else ''}", score))
            print(membranes.table(rows[-1:]).splitlines()[-1], flush=True)
    print(
        f"\nISBI 2012, {len(judged)} slices after the {len(training)} trained on\n\n{membranes.table(rows)}"
    )
    print(membranes.DIFFERENCES)


def tracking_table(
    folder: Path,
    model: str,
    minutes: float,
    *,
    frames: int,
    silver: bool,
    border: int | None,
    seed: int,
    most: int | None,
) -> None:
    """Train on one sequence and judge the other, both ways round."""
    found = tracking.recordings(folder)
    border = tracking.border_of(folder) if border is None else border
    print(
        f"\n## {folder.resolve().name}\n\n| SEG on | cells | before | after | trained on |\n|---|---|---|---|---|"
    )
    after = []
    for judged in found:
        (other,) = [each for each in found if each != judged][:1]
        images = tracking.training_frames(other, frames, border=border, silver=silver)
        params = FineTuneParams(
            minutes=minutes, seed=seed, recipe="default" if model == "new" else "fine-tune"
        )
        base = _base(model, images, params)
        tuning = FineTuning(images, base, params, name="tracking")
        started = time.perf_counter()
        made = Run(tuning.steps()).result
        spent = (time.perf_counter() - started) / 60
        before, _ = tracking.seg(base, judged, most)
        score, cells = tracking.seg(made.model, judged, most)
        after.append(score)
        said = f"from {base.card.name}, {len(images)} frames of {other.name}, "
        said += f"{made.result.steps} steps in {spent:.1f} min"
        print(f"| {judged.name} | {cells} | {before:.4f} | {score:.4f} | {said} |", flush=True)
    print(f"| mean | | | {np.mean(after):.4f} | |")
    for title, value in tracking.PUBLISHED.get(folder.resolve().name, {}).items():
        print(f"| {title} (hidden sequences, trained on both) | | | {value:.4f} | |")


def _base(name: str, images: list[AnnotatedImage], params: FineTuneParams) -> Model:
    if name == "new":
        return new_model("unet", distances=True, width=24, batch_norm=True, dropout=0.0)
    if name == "auto":
        return rank_bases(images, [load_model(each) for each in candidates()], params).result[0].model
    return load_model(name)


def main(arguments: list[str] | None = None) -> None:
    """Make the tables."""
    parser = options(__doc__)
    parser.add_argument(
        "folders", nargs="*", type=Path, help="of the Cell Tracking Challenge; none: ISBI 2012"
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", nargs="*", default=["paper", "ours", "fine-tuned"])
    parser.add_argument("--paper-width", type=int, default=16)
    parser.add_argument("--slices", type=int, help="at most this many, to train on and to judge")
    parser.add_argument(
        "--model",
        default="auto",
        help="what is trained further; auto: what finds the outlined cells best; new: a U-Net from nothing",
    )
    parser.add_argument("--frames", type=int, default=10, help="outlined frames that are learnt from")
    parser.add_argument("--judged", type=int, help="judge at most this many frames of each sequence")
    parser.add_argument("--silver", action="store_true", help="learn from outlines by programs (01_ST)")
    parser.add_argument("--border", type=int, help="pixels in which cells may lack an outline; by the name")
    parser.add_argument("-o", "--output", type=Path, help="folder for the models")
    args = parser.parse_args(arguments)
    if args.quick:
        args.minutes, args.slices, args.ways = 0.2, 1, ["ours"]
    for folder in args.folders:
        tracking_table(
            folder,
            args.model,
            args.minutes,
            frames=args.frames,
            silver=args.silver,
            border=args.border,
            seed=args.seed,
            most=args.judged,
        )
    if args.folders:
        return
    if not (args.data / membranes.FOLDER).is_dir():
        print(f"skipped: there are no slices of ISBI 2012 in {args.data} (--data)")
        return
    membranes_table(
        args.data,
        args.ways,
        args.minutes,
        args.paper_width,
        slices=args.slices,
        seed=args.seed,
        output=args.output,
    )


if __name__ == "__main__":
    main()
