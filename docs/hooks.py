"""What the site generates from the source: both references, the changelog, contributing, and the notebooks as pages."""

import argparse
import json
import re
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import napari_utile
from napari_utile.cli import make_parser
from napari_utile.engine.parameters import Parameter, describe

TOP = Path(__file__).parents[1]
PARAMETERS = {
    "SegmentParams": "napari_utile.engine.segment_params",
    "FineTuneParams": "napari_utile.engine.training.fine_tune_params",
}
"""Parameter dataclasses that are not public names themselves."""


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that have no file in the folder."""
    pages = {
        "reference/cli.md": cli_reference(),
        "reference/api.md": api_reference(),
        "changelog.md": (TOP / "CHANGELOG.md").read_text(encoding="utf-8"),
        "contributing.md": (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    }
    for notebook in sorted((TOP / "docs" / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{notebook.stem}.md"] = as_page(json.loads(notebook.read_text(encoding="utf-8")))
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name files of the repository that are no pages, instead of linking them; pages lie in `docs`."""
    markdown = markdown.replace("](docs/", "](")
    return re.sub(r"\[([^\]]+)\]\(((?:\.\./)+(?:training|src|benchmarks|README)[^)]*)\)", r"\1", markdown)


def cli_reference() -> str:
    """Write every command with its help, as `--help` prints it."""
    lines = [
        "# Every command and option",
        "",
        "Generated from the program: `utile COMMAND --help` prints the same.",
        "",
    ]

    def add(parser: argparse.ArgumentParser, depth: int) -> None:
        parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=110)
        lines.extend(
            [f"{'#' * depth} {parser.prog}", "", "```text", parser.format_help().rstrip(), "```", ""]
        )
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for each in action.choices.values():
                    add(each, depth + 1)

    add(make_parser(), 2)
    return "\n".join(lines)


def api_reference() -> str:
    """List the public names with their docstrings, then what else the page on Python imports."""
    lines = ["# Every function", "", "What `import napari_utile` offers, generated from the docstrings.", ""]
    for name, module in napari_utile._PUBLIC.items():
        lines += [f"::: napari_utile.{module}.{name}", "", *fields_of(name, f"napari_utile.{module}")]
    lines += ["# Further functions", "", "What [Python](../python_api.md) imports from the engine.", ""]
    shown = set(napari_utile._PUBLIC)
    page = (TOP / "docs" / "python_api.md").read_text(encoding="utf-8")
    for module, names in re.findall(r"^from (napari_utile\.engine[\w.]+) import (.+)$", page, re.MULTILINE):
        for name in names.split(", "):
            if name not in shown:
                lines += [f"::: {module}.{name}", "", *fields_of(name, module)]
                shown.add(name)
    lines += ["# Parameters", "", "The keywords that `segment` and `fine_tune` take.", ""]
    for name, module in PARAMETERS.items():
        lines += [f"## {name}", "", *fields_of(name, module)]
    return "\n".join(lines)


def fields_of(name: str, module: str) -> list[str]:
    """Tabulate the fields of a parameter dataclass by the one description of them; nothing for other names."""
    cls = getattr(import_module(module), name)
    described = describe(cls) if isinstance(cls, type) and is_dataclass(cls) else ()
    rows = [
        f"| `{each.name}` | {each.default!r} | {_bounds(each)} | {each.bounds.help} |"
        for each in described
        if each.bounds.help
    ]
    return ["| field | by default | may be | what it does |", "|---|---|---|---|", *rows, ""] if rows else []


def _bounds(parameter: Parameter) -> str:
    bounds = parameter.bounds
    if bounds.choices:
        return ", ".join(bounds.choices)
    ends = [f"{end:g}" for end in (bounds.minimum, bounds.maximum) if end is not None]
    said = " to ".join(ends) if len(ends) == 2 else parameter.kind.__name__
    return " or ".join([f"{said} {bounds.unit}".strip(), *bounds.words])


def as_page(notebook: dict[str, Any]) -> str:
    """Write a notebook as Markdown: its text, its code, and what it prints as text."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", []):
            parts.append(f"```text\n{''.join(output.get('text', [])).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"
