"""Named classes: a network gets as many as were painted, sees the same cells first, and learns to tell them apart."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_utile.engine.cells.classes import area_fractions, cells_of_classes, class_layer, classes_of_cells
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.decode import foreground_of
from napari_utile.engine.models.card import card_from_json
from napari_utile.engine.models.library import load_model, save_model
from napari_utile.engine.models.outputs import DISTANCES
from napari_utile.engine.parameters import to_json
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment
from napari_utile.engine.steps import Run
from napari_utile.engine.training.annotated_image import AnnotatedImage, class_names
from napari_utile.engine.training.augment_params import AugmentParams
from napari_utile.engine.training.classes import (
    class_targets,
    with_classes,
)
from napari_utile.engine.training.data import balanced
from napari_utile.engine.training.fine_tune import FineTuneParams, FineTuning, new_model
from napari_utile.engine.training.objective import Objective
from napari_utile.engine.training.recipes import TrainingRecipe
from napari_utile.engine.training.samples import training_plane

RECIPE = TrainingRecipe("test", tile=20, batch=4, rate=1e-2, warm_up=0, validate_every=10, average=0.8)
RECIPE = dataclasses.replace(RECIPE, augment=AugmentParams())
small = hnp.arrays(np.uint8, (6, 7), elements=st.integers(0, 3))


@given(small)
def test_every_cell_has_one_class_and_the_pixels_stay(painted: np.ndarray) -> None:
    cells, classes = cells_of_classes(painted, {1: "one", 2: "two"})
    assert ((cells > 0) == (painted > 0)).all()
    assert sorted(classes) == list(range(1, int(cells.max()) + 1))
    names = {1: "one", 2: "two", 3: "class 3"}
    for cell, name in classes.items():
        assert {names[int(number)] for number in np.unique(painted[cells == cell])} == {name}


def test_the_number_that_marks_background_is_no_class_and_stays_as_it_was_painted() -> None:
    cells, classes = cells_of_classes(np.array([[1, 0, 1, 2, 0, 2]]), {1: "one"}, background=2)
    assert cells.tolist() == [[1, 0, 3, 2, 0, 2]], "the second cell leaves the 2 to the background"
    assert classes == {1: "one", 3: "one"}


def test_targets_say_the_class_where_it_is_known() -> None:
    labels = np.array([[0, 1, 2, 3]], np.int32)
    classes = {1: "a", 2: "b"}
    assert class_targets(labels, classes, ["a", "b"]).tolist() == [[0, 2, 3, 1]]
    assert class_targets(labels, classes, ["cell"]).tolist() == [[0, 1, 1, 1]]


def test_a_rare_class_weighs_four_times_as_much_at_most() -> None:
    labels = np.zeros((40, 40), int)
    labels[:20], labels[30, :4] = 1, 2  # of 800 and 4 pixels
    targets = class_targets(labels, {1: "a", 2: "b"}, ["a", "b"])
    plane = training_plane("a", np.zeros((1, 40, 40), np.float32), labels, targets=targets)
    (made,) = balanced([plane], 2)
    for target, factor in ((0, 1), (2, 402 / 800), (3, 4)):
        here = plane.target == target
        np.testing.assert_allclose(made.weight[here], factor * plane.weight[here], rtol=1e-5)


@pytest.mark.parametrize("distances", [False, True])
def test_a_network_with_more_classes_sees_the_same_objects_at_first(distances: bool) -> None:
    torch.manual_seed(1)
    before = new_model("m", "unet", distances=distances, width=3, depth=1, dropout=0.0)
    after = with_classes(before, ["tumour", "lymphocyte", "stroma"])
    assert [each.name for each in after.card.classes] == ["background", "tumour", "lymphocyte", "stroma"]
    assert after.card.outputs[1:] == before.card.outputs[1:] == (DISTANCES if distances else ())
    image = torch.rand(1, 1, 60, 60)
    old, new = (model.network(image)[0] for model in (before, after))
    probabilities = [
        raw[: len(model.card.classes)].softmax(0) for raw, model in ((old, before), (new, after))
    ]
    seen = [
        foreground_of(p.numpy(), model.card) for p, model in zip(probabilities, (before, after), strict=True)
    ]
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-5)
    np.testing.assert_allclose(old[2:].numpy(), new[4:].numpy(), rtol=1e-4, atol=1e-6)
    again = with_classes(after, ["stroma", "vessel"])
    assert [each.name for each in again.card.classes][1:] == ["tumour", "lymphocyte", "stroma", "vessel"]
    assert with_classes(after, ["stroma"]) is after
    assert card_from_json(to_json(after.card)) == after.card


def test_only_a_network_with_one_last_layer_is_given_classes() -> None:
    with pytest.raises(UtileError, match="cannot be given other classes"):
        with_classes(new_model("m", "fcn32s", width=1), ["a", "b"])


@given(hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(-5, 5, width=32)))
def test_the_loss_of_a_told_class_is_that_of_the_whole_softmax(raw: np.ndarray) -> None:
    model = with_classes(new_model("m", "unet", width=2, depth=1), ["a", "b"])
    logits = torch.tensor(raw)[None]
    target = torch.full((1, 4, 5), 3, dtype=torch.uint8)  # class b everywhere
    loss = Objective(model.card, RECIPE).cross_entropy(logits, target, torch.ones(1, 4, 5))
    wanted = -logits.log_softmax(1)[:, 2].mean()
    assert float(loss.weighted) == pytest.approx(float(wanted), rel=1e-4, abs=1e-5)


@given(small, small)
def test_fractions_of_the_area_add_up_to_the_mask(kinds: np.ndarray, mask: np.ndarray) -> None:
    probabilities = np.stack([(kinds % 3) == k for k in range(3)]).astype(np.float32)
    layer = class_layer(probabilities, mask > 0)
    shares = area_fractions(layer, ["a", "b", "c"])
    assert sum(shares.values()) == pytest.approx((mask > 0).mean())
    ids, classes = classes_of_cells(probabilities, mask)
    assert ids.tolist() == [each for each in np.unique(mask) if each]
    assert classes.size == ids.size


def two_kinds(seed: int) -> AnnotatedImage:
    """Bright discs, and dim ones, which are of another class."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :96]
    labels = np.zeros((96, 96), np.int32)
    image = rng.normal(100, 20, labels.shape)
    classes = {}
    for index, (cy, cx) in enumerate(np.ndindex(4, 4), start=1):
        disc = (y - 12 - 24 * cy) ** 2 + (x - 12 - 24 * cx) ** 2 < 50
        labels[disc] = index
        classes[index] = ("bright", "dim")[int(rng.integers(2))]
        image[disc] += 900 if classes[index] == "bright" else 350
    return AnnotatedImage(plane_from_array(image.astype(np.uint16)), labels, classes=classes)


def test_a_network_learns_to_tell_the_classes_apart_and_its_results_name_them(tmp_path) -> None:
    torch.manual_seed(0)
    start = new_model("base", "unet", width=4, depth=1, batch_norm=True, dropout=0.0)
    images = [two_kinds(0), two_kinds(1)]
    assert class_names(images) == ("bright", "dim")
    tuning = FineTuning(images, start, FineTuneParams(steps=120, device="cpu", scale=1.0), recipe=RECIPE)
    tuned = Run(tuning.steps()).result
    assert tuned.after.classes > 0.8
    model = tuned.model
    save_model(model.card, model.network, tmp_path / "kinds.safetensors")
    result = segment(
        two_kinds(5).plane, load_model(tmp_path / "kinds.safetensors"), device="cpu", diameter=None
    )
    assert result.classes.names == ("bright", "dim")
    truth = two_kinds(5)
    wanted = [
        truth.classes[int(truth.labels[result.labels == cell].max())]
        for cell in range(1, result.labels.max() + 1)
    ]
    assert np.mean(result.classes.of_cells == np.array(wanted, object)) > 0.8
    assert sum(result.classes.covered.values()) == pytest.approx(result.mask.mean())
    assert set(np.unique(result.classes.layer)) <= {0, 1, 2}
