"""Two writers of one place, and machines that are unlike the usual one."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import zarr

from napari_utile.cli import main
from napari_utile.engine.models.catalogue import list_models
from napari_utile.engine.models.library import load_model, save_model
from torture.runs import Case, in_a_child, is_whole, segment, some, status_of


def two_writers(seed: int, folder: Path, right: np.ndarray) -> str:
    """Let two commands write one result, and two processes one library, at once."""
    out = folder / f"two-{seed}"
    os.environ["UTILE_MODELS"] = str(folder / f"library-{seed}")
    (folder / f"library-{seed}").mkdir()

    def work() -> int:
        status = segment(folder, out)
        for version in range(4):
            model = load_model(folder / "valid.safetensors")
            save_model(model.card, model.network, folder / f"library-{seed}" / f"m{version % 2}.safetensors")
        return status

    statuses = [status_of(child) for child in [in_a_child(work) for _ in range(2)]]
    if statuses != [0, 0]:
        return f"statuses {statuses}"
    if wrong := is_whole(out, right):
        return wrong
    if status_of(in_a_child(lambda: main(["replay", str(out / "cells_recipe.json"), "--quiet"]))):
        return "recipe and labels do not belong together"
    broken = [each.name for each in list_models() if each.card is None]
    return f"broken models: {broken}" if broken else "right"


def two_runs_of_a_store(seed: int, folder: Path) -> str:
    """Let two commands fill one store at once: one does, the other says so or finds it finished."""
    place = folder / f"shared-{seed}.ome.zarr"
    words = [
        "segment",
        str(folder / "cells.tif"),
        "-o",
        str(place),
        "--resume",
        "--diameter",
        "none",
        "--quiet",
    ]

    def work() -> int:
        return main([*words, "--model", str(folder / "valid.safetensors")])

    statuses = sorted(status_of(child) for child in [in_a_child(work) for _ in range(2)])
    if statuses not in ([0, 0], [0, 1]):
        return f"statuses {statuses}"
    alone = folder / "alone.ome.zarr"
    if not alone.exists():
        words[3] = str(alone)
        if status_of(in_a_child(work)):
            return "a run by itself failed"
    one, other = (zarr.open_array(each / "labels/cells/0", mode="r")[...] for each in (place, alone))
    if not np.array_equal(one, other):
        return "other labels"
    return "right" if statuses == [0, 0] else "said"


def odd_machine(where: str, folder: Path, right: np.ndarray) -> str:
    """Segment on a machine that is unlike the usual one."""
    import locale

    def work() -> int:
        out = folder / "out"
        if where == "a path with umlauts and spaces":
            out = folder / "Zellen für Özgür (1)"
        elif where == "one core":
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        elif where == "a home that cannot be written":
            for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "UTILE_LOG"):
                os.environ[name] = "/proc/self/nowhere"
        elif where in ("a Turkish locale", "a German locale"):
            try:
                locale.setlocale(locale.LC_ALL, "tr_TR.UTF-8" if "Turkish" in where else "de_DE.UTF-8")
            except locale.Error:
                return 77
        elif where == "a clock gone back":
            os.utime(folder / "cells.tif", (2e9, 2e9))
            os.utime(folder / "valid.safetensors", (2e9, 2e9))
        status = segment(folder, out)
        return status or (3 if is_whole(out, right) else 0)

    status = status_of(in_a_child(work))
    return {0: "right", 77: "not possible here"}.get(status, f"status {status}")


MACHINES = (
    "a path with umlauts and spaces",
    "one core",
    "a home that cannot be written",
    "a Turkish locale",
    "a German locale",
    "a clock gone back",
)


def cases(folder: Path, right: np.ndarray, scale: float) -> Iterator[Case]:
    """Give all of them."""
    for seed in some(10, scale):
        yield (
            "concurrency: one result, one library",
            str(seed),
            lambda seed=seed: two_writers(seed, folder, right),
        )
    for seed in some(10, scale):
        yield "concurrency: one store", str(seed), lambda seed=seed: two_runs_of_a_store(seed, folder)
    for where in MACHINES:
        yield "any machine", where, lambda where=where: odd_machine(where, folder, right)
