"""Sequences of the Cell Tracking Challenge as they are downloaded: frames, their outlines, and SEG.

FOLDER/01/t000.tif ...                   frames
FOLDER/01_GT/SEG/man_seg000.tif ...      outlines by experts ("gold"), of some frames, sometimes of some cells
FOLDER/01_ST/SEG/man_seg000.tif ...      outlines by programs ("silver"), of all frames
FOLDER/01_GT/TRA/man_track000.tif ...    a marker in every cell of every frame
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from napari_utile.engine.errors import UtileError
from napari_utile.engine.metrics.cells import cell_jaccards
from napari_utile.engine.metrics.contingency import contingency
from napari_utile.engine.models.library import Model
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.planes.spread import spread
from napari_utile.engine.segment import segment
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.weights.annotation import Annotation

BORDERS = {
    25: ("BF-C2DL-HSC", "BF-C2DL-MuSC", "Fluo-N2DL-HeLa", "PhC-C2DL-PSC"),
    50: ("DIC-C2DH-HeLa", "Fluo-C2DL-Huh7", "Fluo-C2DL-MSC", "Fluo-N2DH-GOWT1", "PhC-C2DH-U373"),
}
"""Cells that lie wholly within this border (pixels) need not be outlined in these data sets."""
PUBLISHED = {
    "PhC-C2DH-U373": {"U-Net, 2015": 0.9203, "second best, 2015": 0.83, "KTH-SE, 2014": 0.7953},
    "DIC-C2DH-HeLa": {"U-Net, 2015": 0.7756, "second best, 2015": 0.46, "KTH-SE, 2014": 0.4607},
}
"""SEG of Table 2 of the U-Net paper: on the hidden sequences, trained on both public ones."""


@dataclass(frozen=True)
class Recording:
    """One sequence, such as 01, of a data set's folder."""

    folder: Path
    name: str

    def outlines(self, kind: str = "GT") -> dict[str, Path]:
        """Return the outlined frames: digits of the frame -> file of labels, ``GT`` gold or ``ST`` silver."""
        found = {}
        for path in sorted((self.folder / f"{self.name}_{kind}" / "SEG").glob("man_seg*.tif")):
            digits = path.stem.removeprefix("man_seg")
            if not digits.isdecimal():
                raise UtileError(f"{path} outlines a plane of a volume: only frames of one plane are read.")
            found[digits] = path
        return found

    def frame(self, digits: str, labels: Path, border: int = 0) -> AnnotatedImage:
        """Read a frame with its outlines; cells that nobody outlined are no background."""
        image, outlined = (
            np.asarray(tifffile.imread(path)) for path in (self.folder / self.name / f"t{digits}.tif", labels)
        )
        if image.ndim != 2 or image.shape != outlined.shape:
            raise UtileError(
                f"Frame {digits} of {self.name} has shape {image.shape}, its outlines {outlined.shape}: only frames of "
                "one plane are read."
            )
        inner = np.zeros(image.shape, bool)
        inner[border : image.shape[0] - border, border : image.shape[1] - border] = True
        background = inner & (outlined == 0) & ~self._not_outlined(digits, outlined)
        plane = plane_from_array(image, "YX", name=f"{self.name} t{digits}")
        return AnnotatedImage(
            plane, outlined.astype(np.int32), Annotation("sparse", background_mask=background)
        )

    def _not_outlined(self, digits: str, outlined: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Mark the surroundings, as wide as the outlined cells, of the markers in cells that have no outline."""
        tracks = self.folder / f"{self.name}_GT" / "TRA" / f"man_track{digits}.tif"
        nowhere = np.zeros(outlined.shape, bool)
        if not tracks.is_file():
            return nowhere
        markers = np.asarray(tifffile.imread(tracks))
        alone = np.setdiff1d(markers, markers[outlined > 0])
        marked = np.isin(markers, alone[alone > 0])
        if not marked.any():
            return nowhere
        areas = np.unique(outlined[outlined > 0], return_counts=True)[1]
        reach = np.sqrt(np.median(areas)) if areas.size else 0.0
        return np.asarray(ndimage.distance_transform_edt(~marked) <= reach)


def recordings(folder: Path) -> list[Recording]:
    """List the sequences of a data set that have frames and outlines.

    Raises
    ------
    UtileError
        Unless there are two, one to train on and one to judge by.
    """
    names = sorted(path.name for path in folder.glob("[0-9][0-9]") if path.is_dir())
    found = [Recording(folder, name) for name in names]
    found = [each for each in found if each.outlines()]
    if len(found) < 2:
        raise UtileError(
            f"{folder} needs two sequences with outlines, such as 01, 01_GT/SEG, 02 and 02_GT/SEG; it has "
            f"{', '.join(each.name for each in found) or 'none'}."
        )
    return found


def border_of(folder: Path) -> int:
    """Return the border of a data set by its name; 0 where nothing is known."""
    return next((border for border, names in BORDERS.items() if folder.resolve().name in names), 0)


def training_frames(
    recording: Recording, most: int, *, border: int = 0, silver: bool = False
) -> list[AnnotatedImage]:
    """Read at most this many outlined frames, spread over the sequence."""
    outlines = recording.outlines("ST" if silver else "GT")
    if not outlines:
        raise UtileError(
            f"{recording.folder} has no outlines in {recording.name}_{'ST' if silver else 'GT'}/SEG."
        )
    chosen = [list(outlines)[place] for place in spread(len(outlines), most)]
    return [recording.frame(digits, outlines[digits], border) for digits in chosen]


def seg(model: Model, recording: Recording, most: int | None = None) -> tuple[float, int]:
    """Return SEG on the gold outlines of a sequence, the mean over all its cells, and the number of cells.

    Of a long sequence at most this many frames are judged, spread over it.
    """
    outlines = recording.outlines()
    jaccards = []
    for place in spread(len(outlines), most or len(outlines)):
        digits, labels = list(outlines.items())[place]
        frame = recording.frame(digits, labels)
        found = segment(frame.plane, model).labels  # one that was trained further keeps its own size
        jaccards.append(cell_jaccards(contingency(found, np.asarray(frame.labels))))
    every = np.concatenate(jaccards)
    return float(every.mean()) if every.size else float("nan"), every.size
