import ast
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

import napari_utile

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


def test_the_package_depends_on_what_it_imports_and_on_nothing_else():
    declared = {Requirement(line).name for line in project()["dependencies"]}
    at_run_time = {
        Requirement(line).name
        for extra, lines in project()["optional-dependencies"].items()
        for line in lines
        if extra not in ("test", "bench", "dev")
    }
    imported = {OF_ITS_DEPENDENCIES.get(name, name) for name in imported_distributions()}
    assert imported - at_run_time <= declared, "imported, not declared"
    assert declared <= imported, "declared, imported nowhere"


def test_the_pinned_versions_satisfy_the_lower_bounds():
    lines = [line for line in (TOP / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {pin.name: pin for pin in map(Requirement, lines)}
    optional = [line for extra in project()["optional-dependencies"].values() for line in extra]
    for line in [*project()["dependencies"], *optional]:
        wanted = Requirement(line)
        if wanted.name != "napari-utile":
            (version,) = pinned[wanted.name].specifier
            assert wanted.specifier.contains(version.version), line


def test_the_conda_recipe_wants_what_the_package_wants():
    names = {"dask[array]": "dask-core", "matplotlib": "matplotlib-base", "torch": "pytorch"}
    recipe = yaml.safe_load((TOP / "conda/recipe.yaml").read_text())
    run = {line.replace(" ", "") for line in recipe["requirements"]["run"]}
    run -= {"python>=${{python_min}}"}
    assert f">={recipe['context']['python_min']}" == project()["requires-python"]
    wanted = set()
    for line in project()["dependencies"]:
        requirement = Requirement(line)
        name = line.partition(">")[0]
        wanted.add(f"{names.get(name, name)}{requirement.specifier}")
    assert run == wanted
    assert recipe["package"]["name"] == project()["name"]


def test_the_citation_names_the_version_of_the_package():
    assert f"version: {napari_utile.__version__}\n" in (TOP / "CITATION.cff").read_text()
