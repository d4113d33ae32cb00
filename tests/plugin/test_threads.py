"""CONTRIBUTING says who starts threads; the source agrees."""

import ast
from pathlib import Path

import napari_utile

SOURCE = Path(napari_utile.__file__).parent
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


def test_threads_are_started_by_the_worker_or_end_with_the_call():
    lasting = {}
    for path in SOURCE.rglob("*.py"):
        found = [name for name, ends in starters(ast.parse(path.read_text(encoding="utf-8"))) if not ends]
        if found:
            lasting[path.relative_to(SOURCE).as_posix()] = found
    # The worker's second sees to it that jobs end with the program.
    # Those of a store listen to its process, and to the window that started it, as long as both are there.
    assert lasting == {
        "widgets/worker.py": ["Thread", "Thread"],
        "engine/store/apart.py": ["Thread", "Thread"],
    }
