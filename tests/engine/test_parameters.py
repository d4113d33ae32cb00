"""Parameters are described once: the same description checks, fills forms and makes options."""

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_utile.engine.parameters import Bounds, check_bounds, describe, from_json, to_json


@dataclass(frozen=True)
class Inner:
    level: Annotated[int, Bounds(0, 5)] = 2

    def __post_init__(self):
        check_bounds(self)


@dataclass(frozen=True)
class Outer:
    share: Annotated[float, Bounds(0, 1, unit="%", label="A share")] = 0.5
    size: Annotated[int | None, Bounds(1)] = None
    mode: Annotated[str, Bounds(choices=("slow", "fast"), option="how")] = "slow"
    on: bool = True
    channels: tuple[int, ...] = ()
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self):
        check_bounds(self)


def test_fields_are_described_in_order_without_nested_dataclasses():
    described = describe(Outer)
    assert [(p.name, p.kind, p.optional, p.default) for p in described] == [
        ("share", float, False, 0.5),
        ("size", int, True, None),
        ("mode", str, False, "slow"),
        ("on", bool, False, True),
        ("channels", tuple, False, ()),
    ]
    assert [p.label for p in described[:2]] == ["A share", "Size"]
    assert [p.option for p in described[:3]] == ["--share", "--size", "--how"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"share": 1.1}, "share must be at most 1; got 1.1"),
        ({"share": -0.1}, "share must be at least 0"),
        ({"share": float("nan")}, "share must be a number"),
        ({"share": "half"}, "share must be a number; got 'half'"),
        ({"share": None}, "share must be given"),
        ({"size": 0}, "size must be at least 1"),
        ({"size": 1.5}, "size must be a whole number"),
        ({"mode": "medium"}, "mode must be one of slow, fast; got 'medium'"),
    ],
)
def test_values_out_of_bounds_are_named_with_what_is_allowed(values, words):
    with pytest.raises(ValueError, match=words):
        Outer(**values)


@pytest.mark.parametrize("given", [3, 3.0, np.int32(3), np.float32(3), np.array(3), np.array(3.0)])
def test_whole_numbers_of_any_type_become_integers(given):
    made = Outer(
        size=given, channels=(given, given), share=np.float32(0.5), on=np.bool_(True), mode=np.str_("fast")
    )
    assert to_json(made) == {**to_json(Outer()), "size": 3, "channels": [3, 3], "mode": "fast"}
    values = made.size, made.share, made.on, made.mode, *made.channels
    assert [type(value) for value in values] == [int, float, bool, str, int, int]
    assert isinstance(made.channels, tuple)


@pytest.mark.parametrize("truth", [True, np.True_, np.array(True)])
@pytest.mark.parametrize("name", ["share", "size", "channels"])
def test_truth_values_are_no_numbers(name, truth):
    with pytest.raises(ValueError, match=f"{name} must be a number; got .*True"):
        Outer(**{name: [truth] if name == "channels" else truth})


@given(
    st.floats(0, 1), st.none() | st.integers(1), st.sampled_from(["slow", "fast"]), st.booleans(),
    st.lists(st.integers()).map(tuple), st.integers(0, 5),
)  # fmt: skip
def test_json_and_back_gives_the_same_parameters(share, size, mode, on, channels, level):
    params = Outer(share, size, mode, on, channels, Inner(level))
    assert from_json(Outer, to_json(params)) == params


def test_unknown_names_and_bad_values_in_json_are_refused():
    with pytest.raises(ValueError, match="Outer has no parameter shape"):
        from_json(Outer, {"shape": 1})
    with pytest.raises(ValueError, match="level must be at most 5"):
        from_json(Outer, {"inner": {"level": 9}})
