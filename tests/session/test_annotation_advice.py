"""What is said of an annotation before it is trained on."""

import numpy as np
import pytest

from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.training.annotated_image import AnnotatedImage
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.session.annotation_advice import annotation_warning
from napari_utile.session.fine_tune_request import FineTuneRequest, PaintedPlane, PlaneRead
from napari_utile.session.plane_index import PlaneIndex

WHOLE = PlaneRead(PlaneIndex((slice(None), slice(None)), (0, 1)))


@pytest.mark.parametrize(("background", "missing"), [(9, True), (2, False), (None, False)])
def test_a_label_of_background_that_no_pixel_has_is_said(background: int | None, missing: bool) -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[:20, :20], labels[30:, 30:] = 1, 2
    plane = plane_from_array(np.ones((40, 40)), name="field")
    image = AnnotatedImage(plane, labels, Annotation("sparse", background=background))
    request = FineTuneRequest((PaintedPlane(image, WHOLE),), "nuclei", "", FineTuneParams())
    said = annotation_warning(request)
    assert ("field: no pixel has the label 9 that marks background." in said) == missing
