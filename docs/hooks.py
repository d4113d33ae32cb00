"""What the site generates from the source: both references, the changelog, contributing, and the notebooks as pages."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import napari_utile
from napari_utile.cli import make_parser

TOP = Path(__file__).parents[1]


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
    """List the public names with their docstrings."""
    lines = ["# Every function", "", "What `import napari_utile` offers, generated from the docstrings.", ""]
    for name, module in napari_utile._PUBLIC.items():
        lines += [f"::: napari_utile.{module}.{name}", ""]
    return "\n".join(lines)


def as_page(notebook: dict[str, Any]) -> str:
    """Write a notebook as Markdown: its text, its code, and what it prints as text."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", []):
            parts.append(f"```text\n{''.join(output.get('text', [])).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"
