from pathlib import Path

import pytest

from napari_utile import cli

MODULES = {path.stem: path for path in Path(cli.__file__).parent.glob("*.py")}


def test_every_module_that_adds_a_parser_is_a_command():
    adding = {
        name for name, path in MODULES.items() if "\ndef add_parser(" in path.read_text(encoding="utf-8")
    }
    assert adding == set(cli.COMMANDS) & set(MODULES)
    assert {"segment", "models", "doctor", "demo"} <= adding


@pytest.mark.parametrize("name", sorted(set(cli.COMMANDS) & set(MODULES)))
def test_every_command_says_what_it_does(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([name.replace("_", "-"), "--help"])
    assert end.value.code == 0
    assert f"usage: utile {name.replace('_', '-')}" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["sgement"])
    assert end.value.code == 2
    assert "segment" in capsys.readouterr().err


def test_help_names_a_default_only_where_it_is_one(capsys):
    def said(*words):
        with pytest.raises(SystemExit):
            cli.main([*words, "--help"])
        return " ".join(capsys.readouterr().out.split())

    assert "higher values split more. Default: what the model suggests." in said("segment")
    assert "path of a .safetensors file. Default: nuclei." in said("segment")
    assert "path of a .safetensors file. Default: each that could read the image." in said("fit")


def test_a_wrong_ending_of_an_export_names_those_of_cells_and_of_tracks(tmp_path, capsys):
    assert cli.main(["export", str(tmp_path / "a.tif"), "-o", str(tmp_path / "a.roi")]) == 1
    assert ".zip or .geojson for cells, in .geff or _RES for tracks" in capsys.readouterr().err
