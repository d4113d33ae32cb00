"""Plans, recipes, cards and parameters come back from JSON as they were, also those of earlier versions."""

import dataclasses
import json
import types
from hashlib import sha256
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.cells.seeds import Stain
from napari_utile.engine.errors import UtileError
from napari_utile.engine.files.unfinished import HOME, PLAN
from napari_utile.engine.inference.device import Compute
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.card import DataSource, ModelCard, card_from_json
from napari_utile.engine.models.outputs import DISTANCES, InputChannel, ModelClass, Output, class_output
from napari_utile.engine.networks.unet import UNetConfig
from napari_utile.engine.parameters import Bounds, from_json, to_json
from napari_utile.engine.planes.normalize import IntensityLimits, Normalization
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.provenance.grown import GrownPlane, GrownRecipe, load_grown
from napari_utile.engine.provenance.recipe import PlaneRecord, Recipe, load_recipe, recipe_from_json
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.store.layout import Space
from napari_utile.engine.store.plan import StorePlan, load_plan, save_plan
from napari_utile.engine.store.seed_plan import SeedPlan
from napari_utile.engine.training.fine_tune_params import FineTuneParams
from napari_utile.engine.volumes.params import VolumeParams

NUMBERS = st.integers(0, 1 << 40)
REALS = st.floats(allow_nan=False)
SELECTIONS = st.sampled_from(
    [Selection(), Selection(axes="ZYX", z="1:3"), Selection(t="all", project="z:max")]
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=5),
    bool: st.booleans(),
    int: NUMBERS,
    float: REALS,
    type(None): st.none(),
    Any: st.none() | NUMBERS | st.text(max_size=3) | st.lists(NUMBERS, max_size=2),
    Selection: SELECTIONS,
    ModelClass: st.builds(ModelClass, st.text(max_size=5), st.sampled_from(["background", "foreground"])),
}


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Draw what a field may hold that declares this type."""
    kind, entries = get_origin(hint) or hint, get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if kind is Annotated:
        bare, bounds, *_ = entries
        assert isinstance(bounds, Bounds)
        return within(bare, bounds)
    if kind in (Union, types.UnionType):
        return st.one_of(*map(of_type, entries))
    if kind is dict:
        return st.dictionaries(*map(of_type, entries), max_size=3)
    if kind is tuple and ... in entries:
        return st.lists(of_type(entries[0]), max_size=3).map(tuple)
    if kind is tuple:
        return st.tuples(*map(of_type, entries))
    return instances_of(kind)


def within(hint: Any, bounds: Bounds) -> st.SearchStrategy[Any]:
    """Draw what a parameter may hold."""
    if bounds.choices:
        return st.sampled_from(bounds.choices)
    least, most = bounds.minimum, bounds.maximum
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    limited = {
        int: st.integers(int(least or 0), 100 if most is None else int(most)),
        float: st.floats(least or 0, 100 if most is None else most),
    }
    drawn = [limited[kind] if kind in limited else of_type(kind) for kind in kinds]
    return st.one_of(*drawn, *map(st.just, bounds.words))


@st.composite
def instances_of(draw: st.DrawFn, cls: type, **fields: st.SearchStrategy[Any]) -> Any:
    """Draw any instance that a dataclass allows."""
    hints = get_type_hints(cls, include_extras=True)
    values = {
        field.name: draw(fields[field.name] if field.name in fields else of_type(hints[field.name]))
        for field in dataclasses.fields(cls)
    }
    try:
        return cls(**values)
    except (ValueError, UtileError):
        reject()


def through_text(values: Any) -> Any:
    return json.loads(json.dumps(values))


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data())
@pytest.mark.parametrize(
    "cls",
    [Selection, Normalization, InstanceParams, LinkParams, VolumeParams, FineTuneParams, UNetConfig, Compute, Stain,
     SeedPlan, Space, IntensityLimits, PlaneRecord, GrownPlane, ModelClass, InputChannel, DataSource],
)  # fmt: skip
def test_what_was_written_along_the_types_is_read_as_it_was(cls, data) -> None:
    made = data.draw(of_type(cls))
    assert from_json(cls, through_text(to_json(made))) == made


PARAMS = instances_of(
    SegmentParams,
    model=st.just("nuclei"),
    channels=st.none() | st.just((0, 2)),
    preprocess=st.none() | st.just("invert"),
    percentiles=st.none() | st.just((1.0, 99.5)),
    diameter=st.sampled_from([None, "auto", 12.5]),
    instances=st.none() | instances_of(InstanceParams),
)
AS_LINKED = st.sampled_from(
    [LinkParams(), LinkParams("z", 0.25), LinkParams("t", link_distance=9.5, link_gap=0)]
)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    instances_of(StorePlan, params=PARAMS, linking=AS_LINKED, outputs=st.just("uint16"))
    | instances_of(
        StorePlan, params=PARAMS, linking=AS_LINKED, outputs=st.just(""), output_channels=st.just(0)
    )
)
def test_a_plan_is_read_as_it_was_written(tmp_path, plan) -> None:
    save_plan(plan, tmp_path)
    assert load_plan(tmp_path) == plan


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(instances_of(Recipe, model=st.just("nuclei"), params=PARAMS))
def test_a_recipe_is_read_as_it_was_written(recipe) -> None:
    assert recipe_from_json(through_text(recipe.to_json()), "a recipe") == recipe


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(instances_of(GrownRecipe, params=PARAMS), st.none() | st.tuples(st.text(), st.text()))
def test_a_recipe_of_seeds_is_read_as_it_was_written(tmp_path, recipe, model) -> None:
    name, fingerprint = model or (None, None)
    recipe = dataclasses.replace(recipe, model=name, fingerprint=fingerprint)
    (tmp_path / "a.json").write_text(json.dumps(recipe.to_json()))
    assert load_grown(tmp_path / "a.json") == recipe


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    instances_of(
        ModelCard,
        name=st.just("a-model_1.0"),
        config=st.just({"in_channels": 2}),
        classes=st.just((ModelClass("ground", "background"), ModelClass("cell", "foreground"))),
        outputs=st.sampled_from(
            [(), (class_output(2), *DISTANCES), (class_output(2), Output("x", 3, "clip"))]
        ),
        relief=st.just("probability"),
        inputs=st.sampled_from([(), (InputChannel("DAPI"), InputChannel("any", optional=True))]),
        object_diameter=st.none() | st.floats(1, 100),
        scale=st.floats(0.1, 10),
        format=st.just(2),
    )
)
def test_a_card_is_read_as_it_was_written(card) -> None:
    assert card_from_json(through_text(to_json(card))) == card


# What earlier versions wrote

PLANE = {
    "index": {"Z": 3}, "region": [[0, 40], [8, 60]], "pixels": "aa", "low": [0], "high": [250.5],
    "probabilities": "bb", "labels": "cc", "cells": 7,
}  # fmt: skip
RECIPE = {
    "format": "napari-utile recipe 1", "source": "a.tif", "command": "utile segment a.tif",
    "model": {"name": "nuclei", "sha256": "dd"}, "parameters": {"model": "nuclei.safetensors", "diameter": 20},
    "compute": {"device": "cpu", "precision": "float32", "memory_bytes": 1024, "most_gflop": 500},
    "planes": [PLANE], "versions": {"torch": "2.6.0"},
}  # fmt: skip
COMPUTE = Compute("cpu", "float32", 1024, 500.0)
PLAN_VALUES = {
    "format": "napari-utile store 1", "source": "/data/a.tif", "selection": {"z": "all"},
    "planes": [{"Z": 0}, {"Z": 1}], "limits": [{"low": [0], "high": [9.5]}, {"low": [1], "high": [9.5]}],
    "seen": "aa", "model": "nuclei", "fingerprint": "bb", "params": {"diameter": None, "instances": {"split": 0.5}},
    "compute": RECIPE["compute"], "region": [[0, 40], [8, 60]], "side": 64, "mask": None,
    "space": {"shape": [2, 40, 52], "axes": "ZYX", "scale": [1, 0.5, 0.5], "translation": [0, 0, 4],
              "units": [None, "um", "um"]},
}  # fmt: skip
PLANNED = StorePlan(
    "/data/a.tif",
    Selection(z="all"),
    ({"Z": 0}, {"Z": 1}),
    (IntensityLimits((0,), (9.5,)), IntensityLimits((1,), (9.5,))),
    "aa",
    "nuclei",
    "bb",
    SegmentParams(diameter=None, instances=InstanceParams(split=0.5)),
    COMPUTE,
    ((0, 40), (8, 60)),
    Space((2, 40, 52), "ZYX", (1, 0.5, 0.5), (0, 0, 4), (None, "um", "um")),
    side=64,
)
GROWN = {
    "format": "napari-utile seeds recipe 1", "source": "a.tif", "seeds": "b.tif", "command": "utile grow",
    "distance": 5, "model": None, "parameters": {}, "compute": None, "selection": {},
    "planes": [{"index": {}, "pixels": "aa", "seeds": "bb", "labels": "cc", "cells": 2}], "versions": {},
}  # fmt: skip


def test_a_recipe_of_the_first_version_is_read_and_what_is_not_known_left_out(tmp_path) -> None:
    later = {**RECIPE, "mood": "good", "planes": [{**PLANE, "mood": "good"}]}
    for values in (RECIPE, later):
        (tmp_path / "a.json").write_text(json.dumps(values))
        assert load_recipe(tmp_path / "a.json") == Recipe(
            source="a.tif",
            command="utile segment a.tif",
            model="nuclei",
            fingerprint="dd",
            params=SegmentParams(model="nuclei", diameter=20, limits="plane"),
            compute=COMPUTE,
            planes=(PlaneRecord({"Z": 3}, ((0, 40), (8, 60)), "aa", (0.0,), (250.5,), "bb", "cc", 7),),
            versions={"torch": "2.6.0"},
        )


@pytest.mark.parametrize("has_digest", [False, True])
@pytest.mark.parametrize("seeds", [None, {"distance": 8}, {"distance": None, "diameter": 20.5}])
def test_a_plan_of_the_first_version_is_read(tmp_path, seeds, has_digest) -> None:
    values, planned = PLAN_VALUES, PLANNED
    if seeds is not None:
        said = {
            "path": "b.tif",
            "seen": "cc",
            "cells": [2, 1],
            "stains": [{"strong": 1.5, "level": None}],
            **seeds,
        }
        values = {**values, "seeds": said}
        planned = dataclasses.replace(
            planned, seeds=SeedPlan("b.tif", "cc", seeds["distance"], (2, 1), (Stain(1.5, None),),
                                    diameter=seeds.get("diameter"))
        )  # fmt: skip
    if has_digest:  # of what that version wrote, which knew fewer fields, in another order
        values = {**values, "sha256": sha256(json.dumps(values, indent=1).encode()).hexdigest()}
    (tmp_path / HOME).mkdir()
    (tmp_path / HOME / PLAN).write_text(json.dumps(values))
    assert load_plan(tmp_path) == planned
    if has_digest:
        (tmp_path / HOME / PLAN).write_text(json.dumps({**values, "seen": "other"}))
        with pytest.raises(UtileError, match="is damaged"):
            load_plan(tmp_path)


def test_a_recipe_of_seeds_of_the_first_version_is_read_and_what_is_not_known_left_out(tmp_path) -> None:
    for values in (GROWN, {**GROWN, "mood": "good"}):
        (tmp_path / "a.json").write_text(json.dumps(values))
        assert load_grown(tmp_path / "a.json") == GrownRecipe(
            "a.tif", "b.tif", "utile grow", 5, None, None, SegmentParams(), None, Selection(),
            (GrownPlane({}, "aa", "bb", "cc", 2),), {},
        )  # fmt: skip


# What was damaged


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": 5}, "source must be a text; got 5"),
        ({"versions": []}, r"versions must be a JSON object; got \[\]"),
        ({"classes": "cell"}, "classes must be a list; got 'cell'"),
        ({"layer": "yes"}, "of_layer must be True or False; got 'yes'"),
        ({"planes": [{**PLANE, "cells": 1.5}]}, "cells must be a whole number; got 1.5"),
        ({"planes": [{**PLANE, "low": ["dark"]}]}, "low must be a number; got 'dark'"),
        ({"planes": [{**PLANE, "region": [[0, 40]]}]}, r"region must have 2 entries; got \[\[0, 40\]\]"),
        ({"planes": [{**PLANE, "hashed": [[0, 1, 2]]}]}, r"hashed must have 2 entries; got \[0, 1, 2\]"),
        ({"planes": [{"index": {}}]}, "it lacks 'region', 'pixels'"),
        ({"selection": {"mood": "good"}}, "Selection has no parameter mood"),
        ({"volume": [1]}, r"views must be made of JSON objects; got \[1\]"),
        ({"compute": {"device": "cpu"}}, "it lacks 'precision', 'memory_bytes'"),
    ],
)
def test_a_damaged_recipe_says_in_one_sentence_what_is_wrong(changes, words) -> None:
    with pytest.raises(UtileError, match=rf"^a\.json is not a usable recipe: {words}.*(?<!\.)\.$"):
        recipe_from_json({**RECIPE, **changes}, "a.json")


@pytest.mark.parametrize("without", ["source", "compute", "planes", "versions"])
def test_a_recipe_that_lacks_something_says_what(without) -> None:
    values = {name: value for name, value in RECIPE.items() if name != without}
    with pytest.raises(UtileError, match=rf"^a\.json is not a usable recipe: it lacks '{without}'\.$"):
        recipe_from_json(values, "a.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"planes": [{}]},
        {"planes": 5},
        {"distance": "far"},
        {"model": "nuclei"},
        {"compute": 5},
        {"selection": None},
    ],
)
def test_a_damaged_recipe_of_seeds_is_one_sentence(tmp_path, changes) -> None:
    (tmp_path / "a.json").write_text(json.dumps({**GROWN, **changes}))
    with pytest.raises(UtileError, match=r"^a\.json is not a usable recipe: [^.]+\.$"):
        load_grown(tmp_path / "a.json")


@pytest.mark.parametrize(
    "changes",
    [{"region": [[0, 40]]}, {"region": [[0], [8, 60]]}, {"limits": [{"low": [0]}]}, {"planes": {}}, {"mood": "good"},
     {"compute": {}}, {"space": {"axes": "YX"}}, {"seeds": {"path": "b.tif"}}, {"side": "large"}, {"linking": []}],
)  # fmt: skip
def test_a_damaged_plan_is_one_sentence(tmp_path, changes) -> None:
    (tmp_path / HOME).mkdir()
    (tmp_path / HOME / PLAN).write_text(json.dumps({**PLAN_VALUES, **changes}))
    with pytest.raises(
        UtileError, match=r"^The plan of .* is damaged or gone: start again with --overwrite\.$"
    ):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": 5}, "title must be a text; got 5"),
        ({"teaching": "yes"}, "teaching must be True or False; got 'yes'"),
        ({"config": [1]}, r"config must be a JSON object; got \[1\]"),
        ({"instances": None}, "instances must be a JSON object; got None"),
        ({"data": {}}, r"data must be a list; got \{\}"),
        ({"inputs": ["DAPI"]}, "inputs must be made of JSON objects; got 'DAPI'"),
        ({"specialists": [1]}, "specialists must be a text; got 1"),
        ({"object_diameter": "large"}, "object_diameter must be a number; got 'large'"),
        ({"normalization": 5}, "normalization must be made of JSON objects; got 5"),
        ({"classes": [{"name": "cell"}]}, "it lacks 'role'"),
        ({"format": 1, "config": 5}, "config must be a JSON object; got 5"),
    ],
)
def test_a_damaged_card_says_what_is_wrong(changes, words) -> None:
    card = ModelCard("a", "unet", {})
    with pytest.raises(ValueError, match=words):
        card_from_json({**through_text(to_json(card)), **changes})
