"""Make the simulated images of `sample_data/`: ``python training/make_sample_data.py``.

The images are drawn by the simulator beside this file; the same versions of NumPy and SciPy give the same
files.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from napari_utile.engine.files.images import write_image, write_labels
from simulation.film import simulate_film
from simulation.simulate import PRESETS, simulate

FOLDER = Path(__file__).parents[1] / "sample_data"
PIXEL_SIZE = (0.5, 0.5)
UNIT = "µm"

# file name: preset, changes
FIELDS = {
    "nuclei": ("nuclei", {"seed": 11, "cells": 90, "touching": 0.25}),
    "nuclei_clustered": ("clustered_nuclei", {"seed": 5, "height": 384, "width": 384, "cells": 95}),
    "phase_contrast_cells": ("phase", {"seed": 3, "height": 352, "width": 352, "cells": 36}),
}


def make_sample_data(folder: Path) -> None:
    """Write every sample image and its truth into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (preset, changes) in FIELDS.items():
        field = simulate(preset, **changes)
        text = f"Simulated by napari-utile: {field.params}"
        write_image(folder / f"{name}.tif", field.image, None, PIXEL_SIZE, UNIT, text)
        write_labels(folder / f"{name}_truth.tif", field.labels, None, PIXEL_SIZE, UNIT, text)
    params = replace(PRESETS["nuclei"], seed=3, height=160, width=160, cells=11, touching=0.5)
    film = simulate_film(params, frames=6)
    text = f"Simulated by napari-utile: a film, {params}"
    write_image(folder / "film_two_channels.tif", film.images, "TCYX", PIXEL_SIZE, UNIT, text)
    write_labels(folder / "film_two_channels_truth.tif", film.nuclei, "TYX", PIXEL_SIZE, UNIT, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=FOLDER)
    make_sample_data(parser.parse_args().output)
