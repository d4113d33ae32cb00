"""Words on screen, in errors and in docs are those that a native scientist would write."""

import ast
import functools
import re
from pathlib import Path

import pytest

import napari_utile

TOP = Path(__file__).parents[2]
SOURCES = sorted((TOP / "src/napari_utile").rglob("*.py"))
LOG = TOP / "docs/english.md"
"""What was said before, and what is said now."""
PAGES = sorted(
    {
        *TOP.glob("*.md"),
        *TOP.glob("*/*.md"),
        *TOP.glob("docs/*/*.md"),
        *TOP.glob("src/napari_utile/models/*.md"),
    }
    - {LOG}
)

WOODEN = {
    r"(?<!there )(?<!here )\b(is|are) no (?!longer|more|telling)[a-z]": "is not a ...",
    r"memory (is not enough|does not (hold|suffice))": "not enough memory",
    r"\b(go|goes|going|went) on\b(?! to| the| it)": "resume, continue",
    r"\ball the same\b": "anyway",
    r"\bcells go to\b": "output layer",
    r"\bnot cell\b": "background",
    r"\bchanged meanwhile\b|\bmeanwhile changed\b": "has changed since",
    r"\bputs? (\w+ ){0,6}right\b": "fix",
    r"\bso many\b": "this many",
    r"\ba mpixels?\b|\b(s|ms|[kmg]b|seconds?) a megapixel\b": "per megapixel",
    r"\bfilms?\b(?!_)": "time-lapse",
    r"\bnot looked at\b": "ignored",
    r"\bupon\b": "on",
    r"\banew\b": "again",
    r"\bparted\b": "separated",
    r"\bdifferences? to (the|each|names?)\b": "difference from",
    r"\b(is|are) few\b": "is not many",
    r"\btoo little to\b": "not enough to",
    r"\b(is|was|are|were) of another\b": "comes from another",
    r"\banother \w+ than\b": "a different ... from",
    r"\bnobody (can|knows)\b": "there is no telling",
    r"\bmake the folder\b": "create the folder",
    r"\bhang together\b": "touch",
    r"\bat the most\b": "at most",
    r"\b(labels|seeds|boxes|image|images|file) of (this|its) name\b": "with this name",
    r"\bother (pixels|results|values|numbers) than\b": "different ... from",
    r"\bput (\w+ )?(\w+'s? )?\w+ in place of\b": "replace ... with",
    r"\b(GFLOP|pixels|image|images|one image) an? (step|row|line)\b": "per step, per row",
    r"\bwins? over (it|them)\b": "override",
    r"\b(in|the other|all) docks\b(?! of)": "pages",
    r"\b(takes?|taken|taking) (it |them |a model )?into your library\b": "add to your library",
    r"(?<!the )\b(in|out)side of\b(?! one)": "inside, outside",
    r"\b(of|have) one (shape|length|name)\b": "the same shape, length, name",
    r"\bbeg[aiu]n again\b|\b(was|were|is) begun\b": "start again, was started",
    r"\bnamed wrong\b": "wrongly named",
    r"\b(package|model)s? of bioimage": "bioimage.io package",
    r"\b(lie|lies|lay) in (the (library|trash)|\{)": "is in",
    r"\b(is|are) to be shown\b": "should be shown",
    r"\bwithout a word\b": "without saying why",
    r"\b(put|go) into (it|the set)\b(?! now)": "added",
    r"\b(version|model) before\b(?! the)": "previous version",
}
"""What is not said -> what is said instead."""


def texts_of(path: Path) -> list[tuple[int, str]]:
    """Return the line and the words of every text of a module but its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            known |= {id(part) for part in node.values}
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            texts.append((node.lineno, "".join(parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in known:
            texts.append((node.lineno, node.value))
    return texts


@functools.cache
def written() -> list[tuple[str, str]]:
    """Return where, and what, of everything that users read."""
    texts = [(f"{path.relative_to(TOP)}:{line}", text) for path in SOURCES for line, text in texts_of(path)]
    for page in [*PAGES, TOP / "napari.yaml"]:
        texts.append((str(page.relative_to(TOP)), " ".join(page.read_text(encoding="utf-8").split())))
    for name in napari_utile._PUBLIC:  # their docstrings are a page of the site
        texts.append((name, " ".join(str(getattr(napari_utile, name).__doc__).split())))
    return texts


@pytest.mark.parametrize(("wooden", "better"), WOODEN.items())
def test_what_users_read_is_english(wooden: str, better: str) -> None:
    found = [
        f"{where}: ...{text[max(hit.start() - 30, 0) : hit.end() + 30]}..."
        for where, text in written()
        for hit in re.finditer(wooden, text, re.IGNORECASE)
    ]
    assert not found, f"write {better!r}"


def test_the_words_of_an_annotation_are_those_of_the_docs() -> None:
    from napari_utile.widgets.pages.train import form

    texts = {text for _, text in texts_of(Path(form.__file__))}
    assert "Fully annotated" in texts
    assert "Everywhere" not in texts
