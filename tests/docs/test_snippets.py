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
