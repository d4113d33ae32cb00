"""Put the top-level `napari.yaml` and `sample_data` where the package looks for them.

Builds copy them into the wheel. Editable installs, which read `src/napari_utile`, see them through the links
committed there; where the system could not make those links (git on Windows writes a small text file
instead), copies take their place.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "napari_utile"
TOP_LEVEL = ("napari.yaml", "sample_data")


class TopLevelFiles(BuildHookInterface):
    """Copy the top-level files into wheels, link them into editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before the wheel is built; `version` is "standard" or "editable"."""
        for name in TOP_LEVEL:
            source = Path(self.root, name)
            if version == "editable":
                link_or_copy(source, Path(self.root, "src", PACKAGE, name))
            else:
                build_data["force_include"][str(source)] = f"{PACKAGE}/{name}"
        if version != "editable":
            # The pages that the dock shows, see widgets/help.py. Editable installs read them where they are.
            docs = Path(self.root, "docs")
            for page in docs.rglob("*.md"):
                place = f"{PACKAGE}/docs/{page.relative_to(docs).as_posix()}"
                build_data["force_include"][str(page)] = place


def link_or_copy(source: Path, place: Path) -> None:
    """Make `place` a relative link to `source`, or a copy of it where links fail."""
    if place.is_symlink() and place.exists() and place.samefile(source):
        return
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    try:
        place.symlink_to(os.path.relpath(source, place.parent), target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            shutil.copyfile(source, place)
