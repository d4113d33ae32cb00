"""CONTRIBUTING says who starts threads; the source agrees."""

import ast
from pathlib import Path

import pytest

import napari_utile

SOURCE = Path(napari_utile.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
STARTERS = {
    "Thread",
    "Timer",
    "QThread",
    "ThreadPoolExecutor",
    "thread_worker",
    "create_worker",
    "start_new_thread",
}


def starters(tree):
    """Yield (what starts threads, whether they end with the block that they are started in)."""
    scoped = {
        id(item.context_expr) for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in STARTERS:
                yield name, id(node) in scoped


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_threads_are_started_by_the_worker_or_end_with_the_call(path):
    found = list(starters(ast.parse(path.read_text(encoding="utf-8"))))
    if path.relative_to(SOURCE) != Path("widgets/worker.py"):
        assert all(ends for _, ends in found), found
    else:
        assert found == [("Thread", False)]
