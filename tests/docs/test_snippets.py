"""What the README and the docs say can be done, can be done."""

import re
import shlex
from pathlib import Path

import pytest

from napari_utile.cli import make_parser

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_page_is_understood(page: Path) -> None:
    parser = make_parser()
    for line in "".join(blocks(page, "sh")).splitlines():
        if line.startswith("utile "):
            parser.parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_snippets_of_the_python_page_run_one_after_the_other(monkeypatch, capsys) -> None:
    monkeypatch.chdir(TOP)
    names: dict[str, object] = {}
    snippets = blocks(TOP / "docs" / "python_api.md", "python")
    assert len(snippets) >= 8
    for snippet in snippets:
        exec(compile(snippet, "docs/python_api.md", "exec"), names)
    assert names["result"].labels.shape == (512, 512)
    assert names["labels"].max() == names["result"].labels.max() > 50
    assert "tiles" in capsys.readouterr().out


def test_what_the_architecture_page_names_is_there() -> None:
    page = (TOP / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = TOP / "src" / "napari_utile"
    source = "\n".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    named = set(re.findall(r"`([^`\n]+)`", page))
    paths = {name for name in named if "/" in name}
    assert len(paths) > 30
    assert not {name for name in paths if not ((package / name).exists() or (TOP / name).exists())}
    words = {name for name in named - paths if re.fullmatch(r"[A-Za-z_]+(\.[a-z_]+)?", name)}
    missing = {
        name
        for name in words - {"auto", "napari_utile.segment", "result"}
        for part in name.split(".")
        if not re.search(rf"\b(class|def) {part}\b", source)
    }
    assert not missing
