import subprocess
import sys

import pytest

import napari_utile

HEAVY = {"torch", "napari", "qtpy", "scipy", "skimage", "dask", "zarr", "matplotlib", "PyQt6"}


def modules_after(program: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has imported after `program`."""
    report = f"{program}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert not modules_after("import napari_utile") & (HEAVY | {"numpy"})


def test_reading_the_manifest_and_its_commands_imports_no_torch():
    program = """
from npe2 import PluginManager
manager = PluginManager()
manager.discover()
assert manager.get_manifest("napari-utile").display_name == "U-Tile"
"""
    loaded = modules_after(program)
    assert "npe2" in loaded
    assert not loaded & {"torch", "napari", "scipy", "skimage"}


def test_asking_the_command_line_for_its_version_imports_no_torch():
    program = """
from napari_utile.cli import main
try:
    main(["--version"])
except SystemExit as end:
    assert end.code == 0
"""
    assert "torch" not in modules_after(program)


def test_loading_a_model_does_not_load_the_compiler_of_torch():
    program = """
import sys
from napari_utile.engine.models.library import load_model
assert load_model("nuclei").network.has_values
assert "torch._dynamo" not in sys.modules
"""
    assert "torch" in modules_after(program)


@pytest.mark.parametrize("name", sorted(set(napari_utile.__all__)))
def test_every_public_name_is_there_and_keeps_its_name(name):
    value = getattr(napari_utile, name)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__module__ == f"napari_utile.{napari_utile._PUBLIC[name]}"


def test_the_public_names_are_listed_before_they_are_used():
    program = "import napari_utile; assert set(napari_utile.__all__) <= set(dir(napari_utile))"
    assert "torch" not in modules_after(program)
    assert {*napari_utile._PUBLIC, "__version__"} == set(napari_utile.__all__)


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    misspelt = "sgement"
    with pytest.raises(AttributeError, match="'napari_utile' has no attribute 'sgement'"):
        getattr(napari_utile, misspelt)
