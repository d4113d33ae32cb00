"""U-Net and FCNs side by side, on the same images: scores, and a picture.

    python training/side_by_side.py --data ../shared/data -o side_by_side.png

The bundled FCNs were trained alike, for teaching: the same images, steps, samples and seed. One line a model: average
precision at an overlap of 0.5 and 0.75 on the fluorescence images of BBBC038 that judge, with the size given. The
picture shows the most crowded of them: annotated outlines in green, found ones in magenta, white where they agree.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from bundled.models import PLANS, Part
from failure_pictures import GAP, Failure, picture
from napari_utile.engine.metrics.cells import average_precision
from napari_utile.engine.models.library import load_model
from score_model import cases_of, precisions, scores, segmented

JUDGES = (Part("dsb2018_stage1", "fl_"),)


def main() -> None:
    """Score the models and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=["nuclei", "fcn8s", "fcn16s", "fcn32s"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=int, help="at most this many images")
    parser.add_argument("-o", "--output", type=Path, help="picture (.png)")
    args = parser.parse_args()
    cases = list(cases_of(args.data, PLANS["nuclei"], JUDGES, args.images))
    crowded = max(cases, key=lambda case: np.unique(case.image.labels).size)
    pictures = []
    for name in args.models:
        model = load_model(name)
        found = [segmented(model, case, "given").labels for case in cases]
        line = scores([precisions(a, case.image.labels) for a, case in zip(found, cases, strict=True)])
        size = sum(each.numel() for each in model.network.parameters()) / 1e6
        print(f"{name:10} {size:5.2f} M parameters: AP50 {line['AP50']}, AP75 {line['AP75']}", flush=True)
        shown = found[cases.index(crowded)]
        reached = average_precision(shown, crowded.image.labels)
        pictures.append(picture(Failure(crowded, shown, reached), name, crowd=True))
    if args.output:
        width = sum(each.width + GAP for each in pictures) - GAP
        together = Image.new("RGB", (width, pictures[0].height), "white")
        for index, each in enumerate(pictures):
            together.paste(each, (index * (each.width + GAP), 0))
        together.quantize(96).save(args.output, optimize=True)


if __name__ == "__main__":
    main()
