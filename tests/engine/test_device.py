"""What this computer cannot do is said before use; a device that computes something other than the CPU is found."""

import json
import math
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from napari_utile.cli import doctor
from napari_utile.engine.errors import UtileError, UtileWarning
from napari_utile.engine.inference import device, device_check, fused
from napari_utile.engine.inference.device import choose_compute, training_compute
from napari_utile.engine.inference.device_check import TOLERANCE, DeviceCheck, check_device
from napari_utile.engine.inference.exact import exact_float32

PINNED = Path(__file__).parents[2] / "constraints.txt"


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Pretend that there is a graphics card; set what it is found to do, and see what was measured."""
    measured = []
    outcome = {"float32": 1e-6, "bfloat16": 1e-2}

    def measure(name, precision):
        measured.append((name, precision))
        if isinstance(outcome[precision], Exception):
            raise outcome[precision]
        return DeviceCheck(outcome[precision], TOLERANCE[precision], 1000.0)

    monkeypatch.setattr(device_check, "measure_device", measure)
    monkeypatch.setattr(device_check, "checks_file", lambda: tmp_path / "cache" / "devices.json")
    monkeypatch.setattr(device_check, "found_here", {})
    for module in (device, doctor):
        monkeypatch.setattr(module, "available_devices", lambda: ("mps", "cpu"))
    outcome["measured"] = measured
    return outcome


def test_a_right_device_is_taken_and_checked_once(card, monkeypatch):
    assert choose_compute().key == ("mps", "float32")
    assert choose_compute("mps").key == ("mps", "float32")
    monkeypatch.setattr(device_check, "found_here", {})  # the next start of the program
    assert choose_compute().key == ("mps", "float32")
    assert card["measured"] == [("mps", "float32")]


def test_another_version_of_torch_is_checked_anew(card, monkeypatch):
    choose_compute()
    monkeypatch.setattr(torch, "__version__", "99.0")
    choose_compute()
    assert len(card["measured"]) == 2


@pytest.mark.parametrize("damaged", ["", "[]", '{"key": 3}', '{"key": {"difference": "x"}}'])
def test_a_damaged_file_of_outcomes_is_made_anew(card, damaged):
    path = device_check.checks_file()
    path.parent.mkdir()
    path.write_text(damaged)
    assert choose_compute().device == "mps"
    assert len(json.loads(path.read_text())) == 1


def test_a_folder_that_cannot_be_written_only_costs_the_next_check(card, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert choose_compute().device == "mps"


@pytest.mark.parametrize("wrong", [0.3, math.nan])
def test_auto_passes_over_a_device_that_computes_something_else_and_says_so(card, wrong):
    card["float32"] = wrong
    with pytest.warns(
        UtileWarning, match=r"mps in float32 gives different results.*The CPU in float32 is used"
    ):
        assert choose_compute().key == ("cpu", "float32")


def test_a_device_asked_for_by_name_is_used_with_a_warning(card):
    card["float32"] = 0.3
    with pytest.warns(UtileWarning, match=r"differs by 0\.3.*or choose cpu"):
        assert choose_compute("mps").key == ("mps", "float32")


def test_auto_passes_over_a_device_that_cannot_compute(card):
    card["float32"] = RuntimeError(
        "no kernel image is available for execution on the device\nCompile with ..."
    )
    with pytest.warns(UtileWarning, match="no kernel image is available for execution on the device"):
        assert choose_compute().key == ("cpu", "float32")


def test_what_a_device_asked_for_cannot_do_is_one_sentence(card):
    card["bfloat16"] = TypeError("BFloat16 is not supported on MPS")
    with pytest.raises(UtileError, match=r"^The device mps .* cannot compute in bfloat16 \(BFloat16 is not"):
        choose_compute("mps", "bfloat16")
    assert choose_compute("mps").precision == "float32"


def test_a_card_slow_or_wrong_in_bfloat16_computes_in_float32(card, monkeypatch):
    monkeypatch.setattr(device, "fast_bfloat16", lambda name: name == "mps")
    card["bfloat16"] = 0.5
    with pytest.warns(UtileWarning, match="mps in float32 is used instead"):
        assert choose_compute().key == ("mps", "float32")


@pytest.mark.parametrize("wish", ["auto", "cpu"])
def test_a_cpu_without_the_instructions_refuses_bfloat16_in_one_sentence(wish, monkeypatch):
    monkeypatch.setattr(device, "available_devices", lambda: ("cpu",))
    monkeypatch.setattr(device_check, "joins", lambda dtype: dtype == torch.float32)
    with pytest.raises(UtileError, match=r"^This computer's CPU has no instructions for bfloat16"):
        choose_compute(wish, "bfloat16")
    assert choose_compute(wish).precision == "float32"


def test_the_fixed_picture_tells_a_wrong_device_from_rounding(monkeypatch):
    assert check_device("cpu", "float32").difference < 1e-4
    right = fused.fused

    def wrong(network, *where):
        made = right(network, *where)
        made.head.bias.data += torch.tensor([0.01, 0.0])  # as a device would that drops the last digits
        return made

    monkeypatch.setattr(device_check, "fused", wrong)
    assert not check_device("cpu", "float32").agrees


def test_the_doctor_shows_difference_and_speed_of_every_device(card, capsys):
    card["float32"] = 0.3
    with pytest.warns(UtileWarning):
        lines = [str(finding) for finding in doctor.compute()]
    assert "mps float32" in lines[0]
    assert "1000 GFLOP/s, probabilities within 0.3" in lines[0]
    assert "-> update torch" in lines[0]
    assert lines[1].startswith("ok")
    assert any(line.split()[1] == "auto" and "cpu, float32" in line for line in lines)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN joins them on x86")
def test_the_joined_convolution_is_found_in_the_pinned_torch():
    """The operation is private: when the pin moves and it is gone, this says so instead of a slower program."""
    pinned = next(line for line in PINNED.read_text().splitlines() if line.startswith("torch=="))
    if version("torch").split("+")[0] != pinned.removeprefix("torch==").split("+")[0]:
        pytest.skip(f"another torch than {pinned} is installed")
    assert fused.joins(torch.float32)


def test_nobody_else_computes_in_another_precision_because_of_us():
    backends = torch.backends
    owners = [backends.mkldnn.conv, backends.mkldnn.matmul]
    if torch.cuda.is_available():
        owners += [backends.cudnn.conv, backends.cuda.matmul]
    before = [owner.fp32_precision for owner in owners]
    backends.mkldnn.matmul.fp32_precision = "tf32"
    try:
        with exact_float32():
            with exact_float32():  # another thread's
                pass
            assert {owner.fp32_precision for owner in owners} == {"ieee"}
        assert backends.mkldnn.matmul.fp32_precision == "tf32"
    finally:
        backends.mkldnn.matmul.fp32_precision = before[1]
    assert [owner.fp32_precision for owner in owners] == before


def test_without_a_card_whoever_asks_for_its_precision_is_answered_meanwhile(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = torch.backends.cudnn.allow_tf32
    with exact_float32():
        assert torch.backends.cudnn.allow_tf32 == before


AVX2_ONLY = """
import sys
import numpy as np, tifffile
from napari_utile.cli import main
from napari_utile.engine.errors import UtileError
from napari_utile.engine.inference.device import choose_compute

tifffile.imwrite("cells.tif", np.random.default_rng(0).integers(0, 999, (40, 50), np.uint16))
assert choose_compute().precision == "float32"
assert main(["segment", "cells.tif", "-o", "out", "--quiet"]) == 0
print("before", file=sys.stderr)
print(main(["segment", "cells.tif", "-o", "out", "--quiet", "--device", "cpu", "--precision", "bfloat16"]))
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the variable is read on x86")
def test_on_a_cpu_of_avx2_auto_segments_and_bfloat16_is_refused_in_one_sentence(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", AVX2_ONLY],
        cwd=tmp_path,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "1"
    assert done.stderr.split("before\n")[-1].splitlines() == [
        "utile segment: This computer's CPU has no instructions for bfloat16; choose float32, or auto."
    ]


@pytest.mark.parametrize(
    ("has_instructions", "usable", "asked", "expected"),
    [
        (True, True, "auto", "bfloat16"),
        (True, True, "float32", "float32"),
        (True, False, "auto", "float32"),
        (False, True, "auto", "float32"),
    ],
)
def test_training_is_in_bfloat16_where_the_processor_multiplies_it(
    monkeypatch, has_instructions, usable, asked, expected
):
    def difference(name, precision):
        if precision == "bfloat16" and not usable:
            raise UtileError("no such path")

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_instructions, raising=False)
    monkeypatch.setattr(device, "has_amx", lambda: False)
    monkeypatch.setattr(device, "difference_from_cpu", difference)
    assert training_compute("cpu", asked).precision == expected
    assert choose_compute("cpu", asked).precision == "float32"
