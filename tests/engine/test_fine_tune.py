"""Fine-tuning: the scale is matched, tiles are held out, the model is better or it is not kept silently."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.models.library import Model, load_model, save_model
from napari_utile.engine.models.outputs import ModelClass
from napari_utile.engine.planes.axes import plane_from_array
from napari_utile.engine.segment import segment
from napari_utile.engine.steps import Run
from napari_utile.engine.training import reference
from napari_utile.engine.training.augment_params import AugmentParams
from napari_utile.engine.training.bases import rank_bases
from napari_utile.engine.training.data import (
    AnnotatedImage,
    hold_out,
    matching_scale,
    training_planes,
    typical_diameter,
)
from napari_utile.engine.training.distances import distance_targets
from napari_utile.engine.training.fine_tune import FineTuned, FineTuneParams, FineTuning, fine_tune, new_model
from napari_utile.engine.training.learned import Scores, predictions, score
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.training.recipes import TrainingRecipe
from napari_utile.engine.weights.annotation import Annotation

RECIPE = TrainingRecipe("test", tile=20, batch=2, rate=1e-2, warm_up=0, validate_every=10, average=0.8)
RECIPE = dataclasses.replace(RECIPE, augment=AugmentParams(elastic=2, scale=1.1))


def pair(seed: int = 0, side: int = 96, radius: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Bright discs on a lattice, shaken."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((side, side), np.uint16)
    y, x = np.mgrid[:side, :side]
    step = 4 * radius
    for index, (cy, cx) in enumerate(np.ndindex(side // step, side // step), start=1):
        dy, dx = rng.integers(-3, 4, 2)
        cell = (y - (cy + 0.5) * step - dy) ** 2 + (x - (cx + 0.5) * step - dx) ** 2 < radius**2
        labels[cell] = index
    return ((labels > 0) * 1000 + rng.normal(300, 60, labels.shape)).astype(np.uint16), labels


def base(**card: object) -> Model:
    torch.manual_seed(0)
    made = new_model("base", "unet", width=4, depth=1, batch_norm=True, dropout=0.0)
    return dataclasses.replace(made, card=dataclasses.replace(made.card, **card))


def tuned(steps: int = 80, **params: object) -> FineTuned:
    images, labels = zip(pair(0), pair(1), strict=True)
    return fine_tune(images, labels, base(), recipe=RECIPE, name="discs", steps=steps, device="cpu", **params)


@pytest.fixture(scope="module")
def learnt() -> FineTuned:
    return tuned()


def test_a_model_learns_cells_it_has_never_seen(learnt: FineTuned) -> None:
    assert (learnt.verdict, learnt.improved) == ("few", None)  # too few cells are held out to tell
    assert learnt.after.ap50 > 0.7 > learnt.before.ap50
    image, truth = pair(7)
    labels = segment(image, learnt.model, device="cpu").labels
    assert abs(int(labels.max()) - int(truth.max())) <= 3


def test_an_image_without_a_number_is_not_learnt_from() -> None:
    image, labels = pair()
    lost = np.full(image.shape, np.nan, np.float32)
    with pytest.raises(UtileError, match="2: image has no finite values: all its pixels are NaN or infinite"):
        fine_tune([image, lost], [labels, labels], base(), steps=1, device="cpu")


def test_a_learnt_model_is_saved_and_loaded_like_any_other(learnt: FineTuned, tmp_path: Path) -> None:
    path = tmp_path / "discs.safetensors"
    save_model(learnt.model.card, learnt.model.network, path)
    loaded = load_model(path)
    assert loaded.fingerprint == learnt.model.fingerprint
    card = loaded.card
    assert card.training["recipe"]["name"] == "test"
    assert card.training["seed"] == 0
    assert len(card.training["data"]) == 2
    assert card.metrics["held-out tiles"]["after"]["ap50"] == learnt.after.ap50
    image, _ = pair(7)
    assert np.array_equal(segment(image, loaded).labels, segment(image, learnt.model).labels)


def test_the_base_is_not_changed() -> None:
    start = base()
    before = {key: value.clone() for key, value in start.network.state_dict().items()}
    fine_tune(*zip(pair(0), strict=True), start, recipe=RECIPE, steps=2, device="cpu")
    assert all(torch.equal(value, before[key]) for key, value in start.network.state_dict().items())


def test_what_the_base_left_to_specialists_the_new_model_does_itself() -> None:
    start = base(specialists=("phase",), failures="Much.", teaching=True)
    card = fine_tune(*zip(pair(0), strict=True), start, recipe=RECIPE, steps=1, device="cpu").model.card
    assert (card.specialists, card.failures, card.teaching) == ((), "", False)
    assert card.own_size


def test_of_a_model_that_was_trained_some_is_kept_and_of_random_weights_nothing(learnt: FineTuned) -> None:
    images = [AnnotatedImage(plane_from_array(image, "YX"), labels) for image, labels in (pair(0), pair(1))]
    keeping = dataclasses.replace(RECIPE, keep=0.4)
    assert FineTuning(images, learnt.model, recipe=keeping).recipe.keep == 0.4
    assert FineTuning(images, base(), recipe=keeping).recipe.keep == 0.0


def test_what_was_known_is_kept_where_cells_look_alike_and_not_where_they_are_dark(learnt: FineTuned) -> None:
    images, labels = zip(pair(0), pair(1), strict=True)
    keeping = dataclasses.replace(RECIPE, keep=0.4)
    kept = {}
    for name, shown in (("alike", images), ("dark", [2000 - image for image in images])):
        made = fine_tune(shown, labels, learnt.model, recipe=keeping, steps=60, device="cpu")
        kept[name] = made.model.card.training["kept"]
        assert made.after.ap50 > 0.9
    assert kept == {"alike": 0.4, "dark": 0.0}


def test_a_second_fine_tuning_is_judged_by_its_own_network(learnt: FineTuned) -> None:
    """Networks are kept warm by their fingerprints: two trainings in one process must not share one."""
    images, labels = zip(pair(0), pair(1), strict=True)
    poor = fine_tune(
        images, [0 * each + (each == 1) for each in labels], base(), recipe=RECIPE, steps=5, device="cpu"
    )
    assert learnt.after.ap50 > 0.7
    again = predictions(poor.model, poor.held_out, choose_compute("cpu"))
    params = InstanceParams(**poor.model.card.instances)
    assert score(again, poor.held_out, params) == poor.after


def test_a_model_in_memory_is_trained_further_as_one_from_a_file(learnt: FineTuned, tmp_path: Path) -> None:
    image, labels = pair(3)
    saved = save_model(learnt.model.card, learnt.model.network, tmp_path / "discs.safetensors")
    cards = [
        fine_tune([image], [labels], model, recipe=RECIPE, steps=2, device="cpu").model.card
        for model in (learnt.model, saved)
    ]
    assert cards[0] == cards[1]
    assert cards[0].title == "discs, fine-tuned"
    assert cards[0].description == "discs, trained further on 1 image."
    assert cards[0].training["base"]["name"] == "discs"
    assert not learnt.base.has_learnt


def test_what_a_model_in_memory_lost_elsewhere_is_scored(learnt: FineTuned, monkeypatch) -> None:
    image, labels = pair(7)
    monkeypatch.setattr(
        reference, "reference_images", lambda: (AnnotatedImage(plane_from_array(image), labels),)
    )
    compute = choose_compute("cpu", "auto")
    again = dataclasses.replace(learnt, base=learnt.model)
    assert Run(reference.reference_steps(again, compute)).result
    assert not Run(reference.reference_steps(learnt, compute)).result


@pytest.mark.parametrize(
    ("before", "after", "cells", "verdict"),
    [
        ((0.86, 0.926), (0.86, 0.936), 20, "same"),
        ((0.86, 0.926), (0.86, 0.936), 200, "better"),
        ((0.86, 0.936), (0.86, 0.926), 200, "worse"),
        ((0.86, 0.80), (0.86, 0.90), 20, "better"),
        ((0.80, 0.90), (0.86, 0.90), 20, "better"),
        ((0.80, 0.90), (0.84, 0.90), 20, "same"),
        ((0.86, 0.80), (0.80, 0.90), 20, "worse"),
        ((0.80, 0.90), (0.86, 0.90), 9, "few"),
        ((0.0, 0.1), (0.0, 0.5), 20, "nothing"),
    ],
)
def test_a_gain_of_less_than_one_of_the_held_out_cells_is_none(learnt, before, after, cells, verdict) -> None:
    judged = dataclasses.replace(learnt, before=Scores(*before, cells), after=Scores(*after, cells))
    assert judged.verdict == verdict


def test_the_seed_decides_the_model() -> None:
    first, second, third = (tuned(steps=2, seed=seed).model.fingerprint for seed in (0, 0, 1))
    assert first == second != third


def test_without_held_out_tiles_nobody_says_that_it_improved() -> None:
    result = tuned(steps=1, held_out=0.0)
    assert result.before is None
    assert result.improved is None


def test_large_cells_are_shrunk_to_a_size_that_the_base_knows_and_back_again() -> None:
    image, labels = pair(0, side=192, radius=20)
    given = AnnotatedImage(plane_from_array(image), labels)
    assert typical_diameter([given]) == pytest.approx(40, rel=0.03)
    start = base(object_diameter=10.0)
    assert matching_scale([given], start.card) == pytest.approx(10 / 40, rel=0.05)
    tuning = FineTuning([given], start, FineTuneParams(steps=60, device="cpu"), recipe=RECIPE)
    run = Run(tuning.steps())
    for _ in range(3):
        next(run)
    assert tuning.present().card.scale == tuning.scale
    result = run.result
    assert result.model.card.object_diameter == pytest.approx(10, rel=0.1)
    found = segment(image, result.model, device="cpu")
    assert found.labels.shape == image.shape
    sizes = np.bincount(found.labels.ravel())[1:]
    assert np.median(sizes) == pytest.approx(np.median(np.bincount(labels.ravel())[1:]), rel=0.5)


def test_cells_of_about_the_right_size_are_left_alone() -> None:
    given = AnnotatedImage(plane_from_array(pair(0)[0]), pair(0)[1])
    assert matching_scale([given], base(object_diameter=9.0).card) == 1.0
    assert matching_scale([given], base().card) == 1.0


def test_the_model_that_finds_the_annotated_cells_best_is_trained_further(learnt: FineTuned) -> None:
    image, labels = pair(0)
    given = [AnnotatedImage(plane_from_array(image), labels)]
    blind, good = base(), learnt.model
    colours = new_model("colours", "unet", width=4, depth=1, in_channels=3)
    ranked = rank_bases(given, [blind, colours, good], FineTuneParams(device="cpu")).result
    assert [each.model for each in ranked] == [good, blind]
    assert ranked[0].scores.ap50 > ranked[1].scores.ap50
    with pytest.raises(UtileError, match=r"No model reads images of 1 channel"):
        list(rank_bases(given, [colours]))
    painted = AnnotatedImage(plane_from_array(np.stack([image] * 3, axis=-1), "YXS"), labels)
    stains = new_model("stains", "unet", width=4, depth=1, in_channels=2)  # nobody said which colour is which
    ranked = rank_bases([painted], [stains, colours, good], FineTuneParams(device="cpu")).result
    assert {each.model.card.name for each in ranked} == {"colours", good.card.name}


def test_held_out_tiles_are_never_trained_on() -> None:
    given = [AnnotatedImage(plane_from_array(image), labels) for image, labels in (pair(0), pair(1))]
    planes = training_planes(given, base().card, RECIPE, 1.0)
    kept, apart = hold_out(planes, 0.3, seed=4)
    by_name = {plane.name: plane for plane in apart}
    assert apart
    for plane in kept:
        if plane.name in by_name:
            other = by_name[plane.name]
            assert ((plane.target == IGNORE) ^ (other.target == IGNORE)).all()
            assert not plane.weight[other.target != IGNORE].any()
    again = hold_out(planes, 0.3, seed=4)[1]
    assert all(np.array_equal(a.target, b.target) for a, b in zip(apart, again, strict=True))


def test_one_painted_cell_is_trained_on_rather_than_held_out() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[2:6, 2:6] = 1
    given = AnnotatedImage(plane_from_array(pair(0)[0][:64, :64]), labels, Annotation("sparse"))
    kept, _ = hold_out(training_planes([given], base().card, RECIPE, 1.0), 0.15)
    assert (kept[0].target == 1).any()


def test_a_model_without_background_is_refused() -> None:
    image, labels = pair(0)
    classes = (ModelClass("round", "foreground"), ModelClass("flat", "foreground"))
    with pytest.raises(UtileError, match="no background class"):
        fine_tune([image], [labels], base(classes=classes), steps=1)


def test_a_model_of_several_kinds_of_cells_and_background_learns_where_cells_are() -> None:
    torch.manual_seed(0)
    roles = ("background", "foreground", "background", "foreground")
    classes = tuple(ModelClass(f"class {index}", role) for index, role in enumerate(roles))
    start = new_model("kinds", width=4, depth=1, batch_norm=True, dropout=0.0, classes=4)
    card = dataclasses.replace(start.card, classes=classes, outputs=())
    images, labels = zip(pair(0), pair(1), strict=True)
    model = dataclasses.replace(start, card=card)
    result = fine_tune(images, labels, model, recipe=RECIPE, steps=80, device="cpu")
    assert result.after.ap50 > 0.7 > result.before.ap50
    image, truth = pair(7)
    found = segment(image, result.model, device="cpu")
    assert found.probabilities.shape[0] == 4
    assert abs(int(found.labels.max()) - int(truth.max())) <= 3


def touching_pair(seed: int = 0, side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Squares of 12 pixels that touch one another in pairs, with a dark line of one pixel between the two."""
    rng = np.random.default_rng(seed)
    image, labels = np.zeros((side, side)), np.zeros((side, side), np.uint16)
    number = 0
    for top, left in np.ndindex(side // 24, side // 32):
        y, x = top * 24 + rng.integers(2, 10), left * 32 + rng.integers(1, 7)
        for half in (0, 1):
            number += 1
            labels[y : y + 12, x + 12 * half : x + 12 * half + 12] = number
        image[y : y + 12, x : x + 24] = 1
        image[y : y + 12, x + 11 : x + 13] = 0.8
    return (image * 1000 + rng.normal(300, 40, image.shape)).astype(np.uint16), labels


def test_a_model_with_distances_learns_them_and_keeps_them_in_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = new_model("crowded", distances=True, width=6, depth=2, batch_norm=True, dropout=0.0)
    images, labels = zip(*(touching_pair(seed) for seed in range(3)), strict=True)
    result = fine_tune(images, labels, start, recipe=RECIPE, steps=120, device="cpu", scale=1.0)
    save_model(result.model.card, result.model.network, tmp_path / "crowded.safetensors")
    model = load_model(tmp_path / "crowded.safetensors")
    assert model.card.relief == "distances"
    image, truth = touching_pair(9)
    found = segment(image, model, device="cpu")
    inside = ndimage.binary_erosion(truth > 0, iterations=2)
    wanted = distance_targets(truth, np.ones(truth.shape, bool))
    for index, name in enumerate("BC"):
        predicted = found.outputs[name]
        assert np.corrcoef(predicted[inside], wanted[index][inside])[0, 1] > 0.6
    assert result.after.ap50 > 0.7


def test_of_a_sparse_annotation_only_painted_cells_teach_distances() -> None:
    """A model with distances is trained further on four painted cells and a stroke of background."""
    torch.manual_seed(0)
    start = new_model("crowded", distances=True, width=4, depth=1, batch_norm=True, dropout=0.0)
    image, labels = touching_pair(0)
    painted = np.where(np.isin(labels, [3, 4, 9, 10]), labels, 0).astype(np.uint16)
    painted[0:2, :] = 99
    given = AnnotatedImage(plane_from_array(image), painted, Annotation("sparse", background=99))
    tuning = FineTuning([given], start, FineTuneParams(steps=30, device="cpu", scale=1.0), recipe=RECIPE)
    for plane in (*tuning.planes, *tuning.held_out):
        learnt = plane.distances[2] > 0
        assert not learnt[(plane.target == IGNORE)].any()
        assert np.isin(painted[learnt], [3, 4, 9, 10, 99]).all()
    before = start.network.state_dict()["head.weight"].clone()
    result = Run(tuning.steps()).result
    assert result.model.card.has_distances
    moved = (result.model.network.state_dict()["head.weight"] - before).abs().amax((1, 2, 3))
    assert (moved > 1e-4).all()  # the two classes, B and C have all been taught


@pytest.mark.parametrize("annotation", [Annotation("dense"), Annotation("sparse", background=1)])
def test_labels_without_cells_are_refused_before_the_plan(annotation: Annotation) -> None:
    pixels, labels = pair()
    empty = labels * 0 if annotation.kind == "dense" else (labels > 0).astype(np.uint16)
    with pytest.raises(UtileError, match="no cells"):
        FineTuning([AnnotatedImage(plane_from_array(pixels), empty, annotation)], base())


def test_labels_of_another_size_are_refused() -> None:
    image, labels = pair(0)
    with pytest.raises(UtileError, match="96 x 96"):
        fine_tune([image], [labels[:50]], base(), steps=1)


def test_channels_that_the_base_does_not_read_are_refused() -> None:
    image, labels = pair(0)
    torch.manual_seed(0)
    with pytest.raises(UtileError, match="2 channel"):
        fine_tune([image], [labels], new_model("two", in_channels=2, width=2, depth=1), steps=1)


def test_annotation_is_rescaled_with_its_image() -> None:
    image, labels = pair(0, side=160, radius=10)
    mask = np.zeros(labels.shape, bool)
    mask[:20] = True
    for annotation, row in (
        (Annotation("boxes", boxes=[(40, 0, 80, 160)]), 30),
        (Annotation("sparse", background_mask=mask), 5),
    ):
        given = AnnotatedImage(plane_from_array(image), labels, annotation)
        (plane,) = training_planes([given], base().card, RECIPE, 0.5)
        assert plane.size == (80, 80)
        assert (plane.target[row] != IGNORE).all()
        assert (plane.target[75] == IGNORE).any()
        assert plane.image.shape == (1, 80, 80)


@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_the_rim_of_painted_cells_is_as_wide_as_it_was_painted_at_any_scale(scale: float) -> None:
    image = np.zeros((120, 120), np.uint16)
    labels = np.zeros((120, 120), np.uint8)
    labels[40:80, 40:80] = 1
    image[labels > 0] = 1000
    given = AnnotatedImage(plane_from_array(image), labels, Annotation("sparse", rim=6))
    _, said = given.annotation.split(labels)
    (plane,) = training_planes([given], base().card, RECIPE, scale)
    assert (plane.target != IGNORE).mean() == pytest.approx(said.mean(), rel=0.05)
    across = plane.target[round(60 * scale)]
    assert (across == 0).sum() == pytest.approx(2 * 6 * scale, abs=1)


def test_an_interrupted_fine_tuning_resumes_to_the_same_model(tmp_path: Path) -> None:
    image, labels = pair(0)
    prints = []
    for interrupted in (False, True):
        given = [AnnotatedImage(plane_from_array(image), labels)]
        checkpoint = tmp_path / f"{interrupted}.checkpoint"
        tuning = FineTuning(given, base(), FineTuneParams(steps=6, device="cpu"), recipe=RECIPE)
        steps = tuning.steps(checkpoint)
        if interrupted:
            for _ in range(3):
                next(steps)
            steps.close()
            tuning = FineTuning(given, base(), FineTuneParams(steps=6, device="cpu"), recipe=RECIPE)
            steps = tuning.steps(checkpoint, resume=True)
        prints.append(Run(steps).result.model.fingerprint)
    assert prints[0] == prints[1]


OTHER = {
    "base": lambda given: {"base": dataclasses.replace(base(), fingerprint="of other weights")},
    "held-out tiles": lambda given: {"params": {"held_out": 0.6}},
    "annotation": lambda given: {
        "images": [dataclasses.replace(given, annotation=Annotation("sparse", rim=2))]
    },
    "annotation, held-out tiles": lambda given: {
        "images": [dataclasses.replace(given, labels=np.roll(given.labels, 40, 0))]
    },
    "images": lambda given: {
        "images": [dataclasses.replace(given, plane=plane_from_array(given.plane.data[0] + 1))]
    },
    "scale": lambda given: {"params": {"scale": 1.5}},
    "seed": lambda given: {"params": {"seed": 1}},
}


@pytest.mark.parametrize("what", OTHER)
def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, what: str) -> None:
    image, labels = pair(0)
    given = AnnotatedImage(plane_from_array(image), labels)
    usual = {"images": [given], "base": base(), "params": {}}

    def tuning(images, base, params):
        return FineTuning(images, base, FineTuneParams(steps=6, device="cpu", **params), recipe=RECIPE)

    steps = tuning(**usual).steps(tmp_path / "kept.checkpoint")
    next(steps)
    steps.close()
    other = tuning(**{**usual, **OTHER[what](given)}).steps(tmp_path / "kept.checkpoint", resume=True)
    with pytest.raises(UtileError, match=f"belongs to a run with other .*{what}.*: it cannot be continued"):
        next(other)


def test_a_checkpoint_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    image, labels = pair(0)
    given = [AnnotatedImage(plane_from_array(image), labels)]
    params = FineTuneParams(steps=6, device="cpu")
    earlier = FineTuning(given, base(), params, recipe=RECIPE)
    earlier.run.identity = {"recipe": {}, "seed": 0, "data": []}
    steps = earlier.steps(tmp_path / "kept.checkpoint")
    next(steps)
    steps.close()
    with pytest.raises(UtileError, match="belongs to a run of another version of U-Tile"):
        next(
            FineTuning(given, base(), params, recipe=RECIPE).steps(tmp_path / "kept.checkpoint", resume=True)
        )
