"""Annotations, training planes, and the samples drawn from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.outputs import DISTANCES, class_output
from napari_utile.engine.training.augment import draw_deformation
from napari_utile.engine.training.augment_params import NO_AUGMENTATION, AugmentParams
from napari_utile.engine.training.loss import IGNORE
from napari_utile.engine.training.recipes import FINE_TUNE, RONNEBERGER2015, TrainingRecipe
from napari_utile.engine.training.samples import HeldPlane, Sampler, cut_sample, hold, training_plane
from napari_utile.engine.training.validation import held_out_samples
from napari_utile.engine.weights.annotation import Annotation
from napari_utile.engine.weights.weight_map import WeightMapParams

LABELS = np.zeros((40, 60), np.uint16)
LABELS[5:15, 5:20] = 1
LABELS[5:15, 20:40] = 2  # touches 1
LABELS[30:34, 50:55] = 7
IMAGE = np.random.default_rng(0).random((1, 40, 60)).astype(np.float32)


def test_touching_objects_get_a_ridge_of_background_with_the_largest_weight() -> None:
    plane = training_plane("a", IMAGE, LABELS)
    assert not plane.target[8, 19:21].all()
    assert plane.target[8, 10] == 1
    ridge = (plane.target == 0) & (LABELS > 0)
    assert plane.weight[ridge].min() > 5 > plane.weight[LABELS == 7].max() / 2
    assert set(np.unique(plane.objects)) == {0, 1, 2, 7}


def test_sparse_labels_say_nothing_of_unpainted_pixels() -> None:
    painted = LABELS.copy()
    painted[20:25, 0:30] = 9
    plane = training_plane("a", IMAGE, painted, Annotation("sparse", background=9))
    assert (plane.target[painted == 0] == IGNORE).all()
    assert not plane.weight[painted == 0].any()
    assert (plane.target[painted == 9] == 0).all()
    assert (plane.weight[painted == 9] > 0).all()
    assert plane.target[31, 52] == 1


def test_background_may_come_from_a_layer_of_its_own() -> None:
    mask = np.zeros(LABELS.shape, bool)
    mask[36:, :] = True
    plane = training_plane("a", IMAGE, LABELS, Annotation("sparse", background_mask=mask))
    assert (plane.target[36:] == 0).all()
    assert (plane.target[16:29] == IGNORE).all()


def test_outside_of_the_boxes_nothing_counts_and_inside_zero_is_background() -> None:
    plane = training_plane("a", IMAGE, LABELS, Annotation("boxes", boxes=[(0, 0, 20, 30), (25, 45, 99, 99)]))
    assert plane.target[18, 5] == 0
    assert plane.target[8, 10] == 1
    assert plane.target[8, 35] == IGNORE
    assert plane.target[31, 52] == 1
    assert not plane.weight[:25, 30:].any()


def test_classes_are_balanced_over_the_annotated_pixels_alone() -> None:
    plane = training_plane(
        "a", IMAGE, LABELS, Annotation("boxes", boxes=[(28, 46, 36, 60)]), weights=WeightMapParams(0)
    )
    counted = plane.target != IGNORE
    totals = [plane.weight[counted & (plane.target == each)].sum() for each in (0, 1)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-4)


TWO_CLASSES, WITH_DISTANCES = (class_output(2),), (class_output(2), *DISTANCES)


@pytest.mark.parametrize(
    ("recipe", "outputs", "training", "most"),
    [
        (FINE_TUNE, WITH_DISTANCES, {}, 2),  # distances keep cells apart: a wide ridge is not wanted
        (FINE_TUNE, TWO_CLASSES, {}, 20),
        (FINE_TUNE, WITH_DISTANCES, {"recipe": {"weighting": "even"}}, 2),
        (FINE_TUNE, TWO_CLASSES, {"recipe": {"weighting": "even"}}, 2),
        (
            FINE_TUNE,
            WITH_DISTANCES,
            {"recipe": {"w0": 10.0}},
            20,
        ),  # its threshold suits the weights that it knows
        (FINE_TUNE, WITH_DISTANCES, {"made by": "hand"}, 20),
        (RONNEBERGER2015, WITH_DISTANCES, {}, 20),
        (TrainingRecipe(weighting="even"), TWO_CLASSES, {}, 2),
        (TrainingRecipe(weighting="paper", w0=3), WITH_DISTANCES, {}, 13),
    ],
)
def test_ridges_in_tissue_without_gaps_weigh_little_where_distances_keep_cells_apart(
    recipe, outputs, training, most
):
    tissue = np.ones((60, 60), np.uint16)
    tissue[:, 30:] = 2
    weights = recipe.suited(ModelCard("m", "unet", {}, outputs=outputs, training=training)).weights
    plane = training_plane("a", np.zeros((1, 60, 60), np.float32), tissue, weights=weights)
    ridge, cell = plane.weight[plane.target == 0], plane.weight[plane.target == 1]
    assert ridge.max() <= most
    assert ridge.min() > 0.9 * most * min(1, cell.max())


@pytest.mark.parametrize(
    ("labels", "annotation", "message"),
    [
        (np.zeros_like(LABELS), Annotation("sparse"), "a: nothing is annotated"),
        (LABELS.astype(float), Annotation(), "2-D integer"),
        (LABELS.astype(int) - 1, Annotation(), "from 0 .background. up"),
    ],
)
def test_annotations_that_cannot_be_used_are_refused(labels, annotation, message) -> None:
    with pytest.raises(ValueError, match=message):
        training_plane("a", IMAGE, labels, annotation)


def sampler(seed: int = 0, **options: float) -> Sampler:
    planes = [training_plane("a", IMAGE, LABELS), replace(training_plane("b", 1 - IMAGE, LABELS), share=3)]
    return Sampler(planes, 6, AugmentParams(), seed=seed, **options)


def test_samples_are_reproducible_in_any_order() -> None:
    first = sampler()
    batches = [first.batch(step, 2, 20) for step in (0, 1)]
    again = sampler()
    assert torch.equal(again.batch(1, 2, 20).image, batches[1].image)
    assert torch.equal(again.batch(0, 2, 20).weight, batches[0].weight)
    assert not torch.equal(batches[0].image, batches[1].image)
    assert not torch.equal(sampler(1).batch(0, 2, 20).image, batches[0].image)


def test_image_target_and_weight_move_together() -> None:
    """An image that shows its own target is deformed as the target is."""
    shown = training_plane("a", (LABELS > 0).astype(np.float32)[None], LABELS)
    params = AugmentParams(contrast=0, brightness=0, gamma=1, noise=0)
    for step in range(5):
        sample = Sampler([shown], 6, params, seed=3).sample(step, 0, 24)
        image = sample.image[0, 6:-6, 6:-6]
        sure = (image < 0.01) | (image > 0.99)
        ridge = (sample.target == 0) & (image > 0.5)
        assert bool((sample.target[sure & ~ridge] == (image[sure & ~ridge] > 0.5)).all())
        assert bool((sample.weight > 0).all())
        assert float(sure.float().mean()) > 0.5


def test_a_sample_reads_its_real_neighbourhood_as_context() -> None:
    plane = training_plane("a", IMAGE, LABELS)
    still = draw_deformation(np.random.default_rng(), (3.5, 30.5), NO_AUGMENTATION)
    sample = cut_sample(HeldPlane.of(plane), still, 12, 6)
    real = np.pad(IMAGE[0], 30, mode="reflect")[22:46, 49:73]  # rows -8 to 16, columns 19 to 43
    assert np.allclose(sample.image[0].numpy(), real, atol=1e-4)
    assert np.array_equal(sample.target[2:].numpy(), plane.target[:10, 25:37])


def test_an_image_that_cannot_be_written_to_is_held_without_a_warning() -> None:
    image = IMAGE.copy()
    image.flags.writeable = False
    held = HeldPlane.of(training_plane("a", image, LABELS))
    assert np.array_equal(held.image.numpy(), image)


def test_planes_are_held_where_a_card_has_room(monkeypatch) -> None:
    plane = training_plane("a", IMAGE, LABELS)
    held_on = HeldPlane.of

    def asked(plane, device="cpu"):
        return held_on(plane) if device == "cpu" else (plane.name, device.type)

    monkeypatch.setattr(HeldPlane, "of", asked)
    (here,) = hold([plane], torch.device("cpu"))
    assert np.shares_memory(here.image.numpy(), plane.image)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10_000, 20_000))
    (left,) = hold([plane], torch.device("cuda"))
    assert left.image.device.type == "cpu"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10_000_000, 20_000_000))
    assert hold([plane], torch.device("cuda")) == [("a", "cuda")]


def test_planes_are_drawn_by_their_shares() -> None:
    dark, light = (training_plane("a", np.full_like(IMAGE, grey), LABELS) for grey in (0, 1))
    drawer = Sampler([dark, replace(light, share=3)], 0)
    drawn = [float(drawer.sample(step, 0, 8).image.mean()) for step in range(200)]
    assert 0.65 < np.mean(drawn) < 0.85


def test_focus_finds_rare_objects() -> None:
    lonely = np.zeros((200, 200), np.uint8)
    lonely[100:104, 100:104] = 1
    plane = training_plane("a", np.zeros((1, 200, 200), np.float32), lonely)
    seen = {
        focus: sum(bool((s.sample(step, 0, 16).target == 1).any()) for step in range(40))
        for focus in (0.0, 1.0)
        for s in [Sampler([plane], 0, focus=focus)]
    }
    assert seen[1.0] == 40
    assert seen[0.0] < 10


def test_focus_finds_no_object_that_is_not_annotated() -> None:
    labels = np.zeros((120, 120), np.uint8)
    labels[20:24, 20:24], labels[90:94, 90:94] = 1, 2
    plane = training_plane("a", np.zeros((1, 120, 120), np.float32), labels)
    plane.target[60:] = IGNORE
    drawer = Sampler([plane], 0, focus=1.0)
    assert all(bool((drawer.sample(step, 0, 16).target == 1).any()) for step in range(20))


def test_a_sample_of_an_object_at_the_border_lies_inside_the_plane() -> None:
    corner = np.zeros((40, 60), np.uint8)
    corner[:3, :3] = 1
    drawer = Sampler([training_plane("a", IMAGE, corner)], 0, focus=1.0)
    for step in range(5):
        np.testing.assert_allclose(drawer.sample(step, 0, 16).image[0].numpy(), IMAGE[0, :16, :16], atol=1e-4)


def test_a_pixel_s_distances_are_learnt_or_not_and_nothing_between() -> None:
    plane = training_plane("a", IMAGE, LABELS, distances=True)
    drawer = Sampler([plane], 4, AugmentParams(), focus=1.0)
    for step in range(5):
        assert set(drawer.sample(step, 0, 24).distances[2].unique().tolist()) <= {0.0, 1.0}


def test_sparse_annotations_are_what_samples_are_centred_on() -> None:
    painted = np.zeros((200, 200), np.uint8)
    painted[150:152, 20:40] = 1
    plane = training_plane("a", np.zeros((1, 200, 200), np.float32), painted, Annotation("sparse"))
    drawer = Sampler([plane], 0, AugmentParams(shift=0, elastic=0))
    assert all(bool((drawer.sample(step, 0, 16).target == 1).any()) for step in range(30))


def test_density_lets_a_share_of_the_pixels_count() -> None:
    full, some = (sampler(density=density).batch(0, 4, 40).weight for density in (1.0, 0.25))
    assert 0.2 < float((some > 0).float().mean()) < 0.3
    assert torch.equal(some[some > 0], full[some > 0])


def test_held_out_tiles_count_each_annotated_pixel_once() -> None:
    plane = training_plane("a", IMAGE, LABELS, Annotation("boxes", boxes=[(0, 0, 40, 25)]))
    samples = held_out_samples([plane], 16, 6)
    assert sum(float(each.weight.sum()) for each in samples) == pytest.approx(
        float(plane.weight.sum()), rel=1e-5
    )
    assert (
        sum(int((each.target[each.weight > 0] == 1).sum()) for each in samples) == (plane.target == 1).sum()
    )


def test_planes_are_needed() -> None:
    with pytest.raises(ValueError, match="no annotated planes"):
        Sampler([], 0)


@pytest.mark.parametrize("first", [2**31, 2**32, 2**53, 2**63 + 2**40])
@pytest.mark.parametrize("kind", ["dense", "sparse", "boxes"])
def test_ids_beyond_int32_stay_apart(first, kind) -> None:
    labels = np.zeros((4, 6), np.uint64)
    labels[0, :2], labels[0, 3:], labels[2], labels[3, 0] = first, 1, first + 2**32, first + 7
    background = first + 7 if kind == "sparse" else None
    annotation = Annotation(kind, background=background, boxes=((0, 0, 4, 6),) if kind == "boxes" else ())
    objects, _ = annotation.split(labels)
    assert objects.dtype == np.int32
    kept = np.where(labels == background, 0, labels) if background else labels
    pairs = {(int(id_), int(number)) for id_, number in zip(kept.flat, objects.flat, strict=True)}
    assert len(pairs) == len({id_ for id_, _ in pairs}) == len({number for _, number in pairs})
    assert (0, 0) in pairs
    assert objects.min() == 0
