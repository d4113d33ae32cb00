"""The system libraries that Qt's windows and OpenGL need on Linux, and the packages that bring them."""

import ctypes
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

# File to load -> Debian package: what `ldd` names for the platform plugin and the libraries of Qt 6 under X11
# beyond what every Debian has. Names are those of Debian 12; Debian 13 and Ubuntu know them too.
DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
XVFB = "xvfb"


@dataclass(frozen=True)
class MissingFiles:
    """What the system lacks.

    Attributes
    ----------
    libraries : tuple of str
        Files that Qt cannot do without, such as ``libEGL.so.1``.
    xvfb : bool
        Whether the X server without a screen, which only tests and scripts use, is missing.
    """

    libraries: tuple[str, ...] = ()
    xvfb: bool = False

    @property
    def debian_packages(self) -> tuple[str, ...]:
        """The Debian packages that bring what is missing."""
        packages = tuple(DEBIAN_PACKAGES[library] for library in self.libraries)
        return (*packages, XVFB) if self.xvfb else packages


def find_missing() -> MissingFiles:
    """Try to load each library; on systems other than Linux nothing is missing, for Qt brings all."""
    if not sys.platform.startswith("linux"):
        return MissingFiles()
    return MissingFiles(
        libraries=tuple(library for library in DEBIAN_PACKAGES if not loads(library)),
        xvfb=shutil.which("Xvfb") is None,
    )


def loads(library: str) -> bool:
    """Return whether the dynamic loader finds `library` and all that it needs itself."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def install_line(packages: tuple[str, ...], system_release: Path = Path("/etc/os-release")) -> str:
    """Return the line that installs Debian packages, or says what to look for on another system."""
    try:
        is_debian = "debian" in system_release.read_text(encoding="utf-8").lower()
    except OSError:
        is_debian = False
    names = " ".join(packages)
    return f"sudo apt-get install {names}" if is_debian else f"install what Debian calls {names}"
