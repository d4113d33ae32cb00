"""Two napari processes at once on one library: both train, keep, list, delete and segment, and no model is broken.

Run with ``xvfb-run -a python tests/torture/two_windows.py``, or without ``xvfb-run`` where there is a display.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "training")]
os.environ.setdefault("OMP_NUM_THREADS", "1")
logging.disable(logging.CRITICAL)

import numpy as np

from napari_utile.engine.models.catalogue import list_models, user_model_folder
from napari_utile.engine.models.library import load_model
from torture import user as people

SECTION = "two windows"


def one_of_two(library: Path, seed: int) -> None:
    """Work in a window for a while."""
    with tempfile.TemporaryDirectory() as text, people.answer_closing_questions():
        folder = Path(text)
        people.environment(folder, library)
        people.prepare(folder)
        user = people.User(folder, np.random.default_rng(seed))
        user.open_window()
        for _ in range(2):
            user.segment()
            user.train(1.0, "keep")
            user.page("models")
            people.wait(0.3)
        user.close_window()


def attempt(seed: int) -> str:
    """Let two processes work at once; return "right" or what is wrong."""
    with tempfile.TemporaryDirectory() as text:
        library = Path(text)
        people.environment(library, library)
        people.quick_model()
        words = [sys.executable, "-W", "ignore", __file__, "--library", text, "--seed"]
        both = [
            subprocess.Popen([*words, str(2 * seed + number)], stderr=subprocess.PIPE, text=True)
            for number in range(2)
        ]
        said = [each.communicate()[1] for each in both]
        if any(each.returncode for each in both):
            return f"statuses {[each.returncode for each in both]}: {' '.join(said)[-300:]}"
        for path in user_model_folder().rglob("*.safetensors"):
            load_model(path)
        if broken := [each.name for each in list_models() if each.card is None]:
            return f"broken models: {broken}"
        left = [path.name for path in library.rglob("*.tmp*")]
        kept = [path.stem for path in user_model_folder().glob("*.safetensors")]
        if left or len(kept) < 2:
            return f"left behind: {left}, kept: {kept}"
        return "right"


def main() -> int:
    """Run what was not run yet; the outcomes go to the state file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=float, default=10)
    parser.add_argument("--state", type=Path, default=Path("torture.jsonl"))
    parser.add_argument("--library", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.library:
        one_of_two(options.library, options.seed)
        return 0
    text = options.state.read_text(encoding="utf-8") if options.state.exists() else ""
    done = {name for section, name, *_ in map(json.loads, text.splitlines()) if section == SECTION}
    failed = 0
    with options.state.open("a") as state:
        for number in range(max(1, round(options.cases))):
            if str(number) not in done:
                outcome = attempt(number)
                failed += outcome != "right"
                print(json.dumps([SECTION, str(number), outcome, {}]), file=state, flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
