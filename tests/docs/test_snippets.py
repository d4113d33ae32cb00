"""What the README and the docs say can be done, can be done."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_utile.cli import main, make_parser
from napari_utile.engine.files.images import read_image, write_image

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]
NOTEBOOKS = sorted((TOP / "docs" / "notebooks").glob("*.ipynb"))
GENERATED = {
    TOP / "docs" / name
    for name in ("changelog.md", "contributing.md", "reference/cli.md", "reference/api.md")
} | {path.with_suffix(".md") for path in NOTEBOOKS}
"""Pages that `docs/hooks.py` makes."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_a_page_is_understood(page: Path) -> None:
    parser = make_parser()
    for line in "".join(blocks(page, "sh")).splitlines():
        if line.startswith("utile "):
            line = re.sub(r"\$\w+", "1", line)  # the shell puts something there, such as the number of a job
            parser.parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            place = (page.parent / target).resolve()
            assert place.exists() or place in GENERATED, target


def test_every_page_is_two_clicks_from_the_home() -> None:
    def linked(pages: set[Path]) -> set[Path]:
        return {
            (page.parent / target).resolve()
            for page in pages - GENERATED
            for target in re.findall(r"\]\(([^)#:]+\.md)[^)]*\)", page.read_text(encoding="utf-8"))
        }

    home = (TOP / "docs" / "index.md").resolve()
    first = linked({home})
    pages = {page.resolve() for page in (TOP / "docs").rglob("*.md")} | GENERATED
    assert not pages - {home} - first - linked(first)


def test_the_snippets_of_the_python_page_run_one_after_the_other(monkeypatch, capsys, tmp_path) -> None:
    shutil.copytree(TOP / "sample_data", tmp_path / "sample_data")
    for name in ("nuclei", "nuclei_truth"):  # a part of them takes less time
        path = tmp_path / "sample_data" / f"{name}.tif"
        image = read_image(path)
        write_image(path, np.asarray(image.data)[:200, :400], "YX", image.pixel_size, image.unit)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    snippets = blocks(TOP / "docs" / "python_api.md", "python")
    assert len(snippets) >= 8
    for snippet in snippets:
        exec(compile(snippet, "docs/python_api.md", "exec"), names)
    assert names["result"].labels.shape == (200, 400)
    assert names["labels"].max() == names["result"].labels.max() > 10
    assert "tiles" in capsys.readouterr().out


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_run(notebook: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(TOP)
    names: dict[str, object] = {}
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), notebook.name, "exec"), names)
    assert capsys.readouterr().out


def test_a_parquet_table_opens_in_pandas_as_the_page_says(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    labels = np.zeros((40, 60), np.uint16)
    labels[2:11, 2:12], labels[20:35, 30:40] = 1, 2
    for name in ("a", "ü"):
        write_image(tmp_path / f"{name}_labels.tif", labels, "YX")
    assert main(["measure", str(tmp_path), "-o", "cells.parquet"]) == 0
    (snippet,) = blocks(TOP / "docs" / "other_programs.md", "python")
    names: dict[str, object] = {}
    exec(compile(snippet, "other_programs.md", "exec"), names)
    images = ["a_labels.tif", "ü_labels.tif"]
    assert names["cells"].index.tolist() == [(image, cell) for image in images for cell in (1, 2)]
    assert names["cells"]["area_px"].tolist() == [90, 150, 90, 150]
    assert names["means"]["area_px"].to_dict() == dict.fromkeys(images, 150)


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
