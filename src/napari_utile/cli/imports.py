"""`python -m napari_utile.cli.imports`: names the modules of the package that cannot be imported here."""

import importlib
import pkgutil
import sys
import traceback

import napari_utile


def import_all() -> dict[str, str]:
    """Import every module of the package, those of the window included.

    Returns
    -------
    dict of str to str
        What is wrong, each fault once -> the module in which it arose; empty where all can be imported.
    """
    faults: dict[str, str] = {}
    for found in pkgutil.walk_packages(napari_utile.__path__, "napari_utile.", onerror=lambda _: None):
        try:
            importlib.import_module(found.name)
        except Exception as error:  # noqa: BLE001 - other versions of what it needs fail in any way
            passed = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)][1:]
            ours = [name for name in passed if name.startswith("napari_utile.")]
            said = " ".join(f"{type(error).__name__}: {error}".split())
            faults.setdefault(said, ours[-1] if ours else found.name)
    return faults


if __name__ == "__main__":
    found_faults = import_all()
    print(*(f"{module}: {fault}" for fault, module in found_faults.items()), sep="\n")
    sys.exit(bool(found_faults))
