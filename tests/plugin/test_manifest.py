from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest
from npe2.manifest.utils import import_python_name

from napari_utile.widgets.workbench.dock import PAGES

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    """The manifest as napari finds it: through the installed distribution."""
    manager = PluginManager()
    manager.discover()
    return manager.get_manifest("napari-utile")


def test_the_manifest_that_napari_finds_is_the_top_level_file(manifest):
    installed = files("napari_utile") / "napari.yaml"
    assert installed.read_bytes() == (TOP / "napari.yaml").read_bytes()
    assert manifest.contributions == PluginManifest.from_file(TOP / "napari.yaml").contributions
    assert manifest.package_version == distribution("napari-utile").version


def test_the_manifest_is_valid_and_all_that_it_names_can_be_imported(manifest):
    manifest.validate_imports()
    for command in manifest.contributions.commands or ():
        assert callable(import_python_name(command.python_name)), command.id


def test_every_command_has_a_place_where_a_user_finds_it(manifest):
    contributions = manifest.contributions
    offered = {widget.command for widget in contributions.widgets or ()}
    offered |= {sample.command for sample in contributions.sample_data or () if hasattr(sample, "command")}
    offered |= {each.command for each in [*(contributions.readers or ()), *(contributions.writers or ())]}
    offered |= {item.command for items in (contributions.menus or {}).values() for item in items}
    assert {command.id for command in contributions.commands or ()} == offered


def test_every_page_has_a_command_and_the_dock_is_one(manifest):
    folders = {path.parent.name for path in (TOP / "src/napari_utile/widgets/pages").glob("*/page.py")}
    commands = {command.id.partition(".")[2] for command in manifest.contributions.commands or ()}
    assert set(PAGES) == folders <= commands
    assert len(manifest.contributions.widgets) == 1


def test_the_samples_live_beside_the_package_and_at_the_top_level():
    installed = files("napari_utile") / "sample_data"
    here = {path.name for path in (TOP / "sample_data").iterdir()}
    assert here
    assert {path.name for path in installed.iterdir()} == here
