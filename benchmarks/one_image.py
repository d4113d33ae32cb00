"""What one annotated image teaches, for each kind of image: before, fitted, and fine-tuned.

    python benchmarks/one_image.py --data ../shared/data --minutes 10
    python benchmarks/one_image.py --only usiigaci yeast --steps 60 --judged 2 --cells 10
    python benchmarks/one_image.py --only usiigaci --images 10 --minutes 10

One training image of each data set is given with all its cells (`--cells 10`: a box of ten of them; `--images`: more
images). The other columns are the average precision TP / (TP + FP + FN) at an overlap of 0.5, as the mean over images
of the split `val`:

before      one press: the model that *Which model fits?* puts first on the given image, the size measured
fit only    that model, size and settings that `utile fit` chooses by the given cells, nothing is trained
fine-tuned  the model that finds the given cells best, trained further on them for `--minutes` or `--steps`

The last line has the means over the kinds. Rows are printed when they are known.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from timing import options

from napari_utile.engine.fitting.cells import LEAST_CELLS, fit_to_cells
from napari_utile.engine.fitting.ranking import suggest
from napari_utile.engine.inference.sized import with_size
from napari_utile.engine.metrics.cells import average_precision
from napari_utile.engine.models.catalogue import candidates
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.parameters import from_json, to_json
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.segment import segment_steps
from napari_utile.engine.segment_params import SegmentParams, suggested_instances
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.bases import rank_bases
from napari_utile.engine.training.fine_tune import FineTuning
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.training.recipes import RECIPES, TrainingRecipe
from napari_utile.engine.weights.annotation import Annotation

sys.path.append(str(Path(__file__).parents[1] / "training"))
from bundled.images import read_part
from bundled.models import Part


@dataclass(frozen=True)
class Kind:
    """A kind of image: its data set, how the names of its images start, the channels that are read."""

    title: str
    folder: str
    start: str = ""
    channels: tuple[int, ...] | None = None


KINDS = (
    Kind("fluorescence nuclei", "dsb2018_stage1", "fl_"),
    Kind("fluorescence nuclei, U2OS", "bbbc039_fluo_nuclei"),
    Kind("fluorescence nuclei, four cell lines", "mnfinder_fluo_nuclei"),
    Kind("nuclei in H&E", "dsb2018_stage1", "he_"),
    Kind("nuclei in brightfield smears", "dsb2018_stage1", "bf_"),
    Kind("phase contrast, thin cells", "usiigaci_phase"),
    Kind("DIC, round cells", "bbbc030_dic_cho"),
    Kind("quantitative phase", "cellphe_qpi"),
    Kind("phase contrast, yeast", "yeastvision_phase_yeast"),
    Kind("brightfield, yeast", "baby_yeast_brightfield"),
    Kind("phase contrast, E. coli", "trpl_phase_ecoli"),
    Kind("junctions of an epithelium", "mdck_zo1_membrane"),
    Kind("tissue, cytoplasm and nuclei", "codex_tissue_wholecell", "", (0, 2)),
    Kind("corneal endothelium", "corneal_endothelium_specular"),
    Kind("neurites in EM", "flyem_em_bodies"),
)


def read_images(data: Path, kind: Kind, split: str) -> list[AnnotatedImage]:
    """Read the annotated images of a kind."""
    return [each for each in read_part(data, Part(kind.folder, kind.start), split) if each.labels.any()]


def typical(images: Sequence[AnnotatedImage], count: int) -> list[AnnotatedImage]:
    """Choose images: the one with the median number of cells, or more that are spread over those numbers."""
    order = sorted(images, key=lambda each: (np.unique(each.labels).size, each.plane.name))
    return [order[place] for place in spread(len(order), count)]


def ten_cells(image: AnnotatedImage, count: int) -> AnnotatedImage:
    """Keep a box around the cell in the middle of an image and those nearest to it; every cell in it is painted."""
    labels = np.asarray(image.labels)
    ids = np.unique(labels[labels > 0])
    centres = np.array(ndimage.center_of_mass(np.ones_like(labels), labels, ids))
    middle = centres[np.argmin(np.hypot(*(centres - np.array(labels.shape) / 2).T))]
    near = ids[np.argsort(np.hypot(*(centres - middle).T))[:count]]
    rows, columns = np.nonzero(np.isin(labels, near))
    box = (int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
    return replace(image, annotation=Annotation("boxes", boxes=[box]))


def precision(
    images: Sequence[AnnotatedImage], model: Model, params: SegmentParams, values: Mapping[str, float] = {}
) -> float:
    """Return AP at IoU 0.5, the mean over images; `values` are instance parameters that the card does not suggest."""
    scores = []
    for image in images:
        sized = Run(with_size(replace(params, instances=None), image.plane, model)).result
        instances = suggested_instances(model.card, sized.known_diameter, **values)
        made = Run(segment_steps(image.plane, replace(sized, instances=instances), model=model)).result
        scores.append(average_precision(made.labels, image.labels))
    return float(np.mean(scores))


@dataclass(frozen=True)
class Row:
    """What one kind gives; NaN for what was not asked for."""

    base: str = ""
    before: float = float("nan")
    fitted: float = float("nan")
    tuned: float = float("nan")
    said: str = ""


def measure(
    shown: Sequence[AnnotatedImage],
    judged: Sequence[AnnotatedImage],
    models: Sequence[Model],
    params: FineTuneParams,
    *,
    recipe: TrainingRecipe,
    columns: Sequence[str],
    output: Path | None = None,
) -> Row:
    """Measure one kind: what models make of `judged` before and after they were shown `shown`."""
    seen = SegmentParams(channels=params.channels)
    row = Row()
    if "before" in columns:
        first = suggest(shown[0].plane, models, seen).result[0].card.name
        model = next(each for each in models if each.card.name == first)
        row = replace(row, before=precision(judged, model, seen), said=f"{first}; ")
    if "fit" in columns:
        objects, _ = shown[0].annotation.split(shown[0].labels)
        dense = shown[0].annotation.kind == "dense"
        if np.unique(objects).size > LEAST_CELLS:
            found = fit_to_cells(shown[0].plane, objects, models, seen, dense=dense).result
            model = next(each for each in models if each.card.name == found.params.model)
            row = replace(row, fitted=precision(judged, model, found.asked, found.values))
            row = replace(row, said=f"{row.said}{found}; ")
    if "tuned" in columns:
        started = time.perf_counter()
        base = rank_bases(shown, models, params).result[0].model
        chosen = time.perf_counter()
        made = Run(FineTuning(shown, base, params, recipe=recipe, name="one-image").steps()).result
        if output is not None:
            save_model(made.model.card, made.model.network, output)
        said = f"{row.said}{made.result.steps} steps, {(time.perf_counter() - chosen) / 60:.1f} min"
        said += f", choosing {chosen - started:.0f} s, settings {json.dumps(made.model.card.instances)}"
        tuned = precision(judged, made.model, replace(seen, diameter=None))
        row = replace(row, base=base.card.name, tuned=tuned, said=said)
    return row


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--only", nargs="*", default=[""], help="kinds whose title or folder has one of these words"
    )
    parser.add_argument("--columns", nargs="*", default=["before", "fit", "tuned"])
    parser.add_argument("--models", nargs="*", help="candidates; all that may be suggested by default")
    parser.add_argument("--images", type=int, default=1, help="annotated images that are given")
    parser.add_argument("--cells", type=int, help="of each, only a box of this many cells")
    parser.add_argument(
        "--judged", type=int, default=8, help="at most this many images are judged, spread over val"
    )
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--held-out", type=float, default=FineTuneParams().held_out)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", type=json.loads, default={}, help="fields of the recipe as JSON")
    parser.add_argument("-o", "--output", type=Path, help="folder for the models")
    args = parser.parse_args(arguments)
    if args.quick:
        args.only, args.steps, args.judged, args.columns = ["cornea"], 3, 1, ["tuned"]
    if not args.data.is_dir():
        print(f"skipped: there are no annotated images in {args.data} (--data)")
        return
    names = args.models or candidates()
    models = [load_model(name) for name in names]
    recipe = from_json(TrainingRecipe, {**to_json(RECIPES["fine-tune"]), **args.recipe})
    minutes = args.minutes if args.minutes or args.steps else 10.0
    print("| images | before | fit only | fine-tuned | from | | \n|---|---|---|---|---|---|")
    rows = []
    for kind in KINDS:
        if not any(word in f"{kind.title} {kind.folder}" for word in args.only):
            continue
        shown = typical(read_images(args.data, kind, "train"), args.images)
        if args.cells:
            shown = [ten_cells(each, args.cells) for each in shown]
        every = read_images(args.data, kind, "val")
        judged = [every[place] for place in spread(len(every), args.judged)]
        params = FineTuneParams(
            minutes=minutes, steps=args.steps, held_out=args.held_out, seed=args.seed, channels=kind.channels
        )
        output = args.output / f"{kind.folder}.safetensors" if args.output else None
        able = [each for each in models if len(each.card.inputs) >= len(kind.channels or ())]
        row = measure(shown, judged, able, params, recipe=recipe, columns=args.columns, output=output)
        rows.append(row)
        cells = sum(np.unique(each.annotation.split(each.labels)[0]).size - 1 for each in shown)
        print(f"{line(f'{kind.title} ({cells} cells given, {len(judged)} images judged)', row)}", flush=True)
    mean = [float(np.nanmean([getattr(row, name) for row in rows])) for name in ("before", "fitted", "tuned")]
    print(line("mean", Row("", *mean)))


def line(title: str, row: Row) -> str:
    """Lay out a row."""
    values = ["" if np.isnan(each) else f"{each:.3f}" for each in (row.before, row.fitted, row.tuned)]
    return f"| {title} | {' | '.join(values)} | {row.base} | {row.said} |"


if __name__ == "__main__":
    main()
