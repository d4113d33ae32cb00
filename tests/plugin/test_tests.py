"""The tests look at the program from outside."""

import ast
import re
from pathlib import Path

import napari_utile

TESTS = Path(__file__).parents[1]
PRIVATE = {
    name
    for path in Path(napari_utile.__file__).parent.rglob("*.py")
    for name in re.findall(
        r"\bself\.(_[a-z]\w*)|^\s*def (_[a-z]\w*)|^(_[A-Za-z]\w*)\b", path.read_text("utf-8"), re.M
    )
    for name in name
    if name
}
OTHERS = {
    "_qt_window",
    "_qt_viewer",
    "_undo_history",
    "_data",
    "_replace",
    "_exit",
    "_call",
    "_source",
    "_PUBLIC",
}
"""Of napari and of the standard library, although a thing of ours has the same name."""


def private_names(tree: ast.AST) -> set[str]:
    """Return the private names of the package that are read, or replaced, of anything but the test's own self."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id == "self"
        ):
            found.add(node.attr)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("napari_utile"):
            found |= {each.name for each in node.names}
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "setattr":
            found |= {each.value for each in node.args if isinstance(each, ast.Constant)}
    return (found & PRIVATE) - OTHERS


def test_nothing_private_is_looked_at() -> None:
    files = {path for path in TESTS.rglob("*.py") if path.parent.name != "benchmarks"}
    found = {path: private_names(ast.parse(path.read_text(encoding="utf-8"))) for path in files}
    assert {str(path.relative_to(TESTS)): names for path, names in found.items() if names} == {}
