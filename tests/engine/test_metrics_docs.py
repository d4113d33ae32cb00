"""The documentation names every score, as files, docks and the glossary do."""

from pathlib import Path

import pytest

from napari_utile.engine.metrics.glossary import GLOSSARY

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.mark.parametrize("name", GLOSSARY)
def test_a_score_is_documented_as_the_dock_explains_it(name: str) -> None:
    page, score = PAGE.read_text(encoding="utf-8"), GLOSSARY[name]
    assert f"| {score.label} | `{name}` | {score.explanation} |" in page
    assert score.formula.replace("|", "\\|") in page
