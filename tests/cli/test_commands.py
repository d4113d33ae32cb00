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
