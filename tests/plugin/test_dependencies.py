import ast
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

TOP = Path(__file__).parents[2]
SOURCES = sorted((TOP / "src/napari_utile").rglob("*.py"))
DISTRIBUTION_OF = {"skimage": "scikit-image", "PIL": "pillow"}
OF_ITS_DEPENDENCIES = {"vispy": "napari"}
"""Modules that come with a dependency, whose version they must match."""


def project() -> dict:
    return tomllib.loads((TOP / "pyproject.toml").read_text())["project"]


def imported_distributions() -> set[str]:
    """Return the distributions that the package imports anywhere, by the names of their modules."""
    modules = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").partition(".")[0])
    return {
        DISTRIBUTION_OF.get(name, name) for name in modules - set(sys.stdlib_module_names) - {"napari_utile"}
    }


def test_what_the_package_imports_is_what_it_depends_on():
    extras = project()["optional-dependencies"]
    lines = [*project()["dependencies"], *extras["formats"], *extras["tables"]]
    declared = {Requirement(line).name for line in lines}
    imported = imported_distributions()
    assert {name for name in imported if name not in OF_ITS_DEPENDENCIES} <= declared
    assert {OF_ITS_DEPENDENCIES[name] for name in imported & set(OF_ITS_DEPENDENCIES)} <= declared


def test_the_pinned_versions_satisfy_the_lower_bounds():
    lines = [line for line in (TOP / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {pin.name: pin for pin in map(Requirement, lines)}
    optional = [line for extra in project()["optional-dependencies"].values() for line in extra]
    for line in [*project()["dependencies"], *optional]:
        wanted = Requirement(line)
        if wanted.name != "napari-utile":
            (version,) = pinned[wanted.name].specifier
            assert wanted.specifier.contains(version.version), line
