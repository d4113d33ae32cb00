"""What the tests find around them: threads, a display, the annotated images, a model that takes no time."""

import functools
import gc
import os
from collections.abc import Iterator
from pathlib import Path

# Before torch or numpy start their thread pools: the arrays of tests are small, and wide pools only fight.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")

import hypothesis
import pytest
from npe2 import PluginManifest

from bright_model import save_bright_model
from napari_utile.widgets.viewer.offscreen import has_display, use_offscreen

# How long an example takes says more about the machine than about the law.
hypothesis.settings.register_profile("utile", deadline=None)
hypothesis.settings.load_profile("utile")

PATIENCE = 240_000
"""For what will come in any case, however busy the machine is; ms."""
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Fall back on Qt's off-screen platform where there is no display, after pytest-xvfb had its chance.

    Not in the process that only leads workers: each of them has a display of its own, and inherits what is set here.
    """
    leads = config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")
    if not leads and not has_display():
        use_offscreen()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, saying why, the tests that need what is not here."""
    if item.get_closest_marker("shared_data") and not SHARED_DATA.is_dir():
        pytest.skip("the annotated images in ../shared/data are not here")
    if item.get_closest_marker("real_window") and os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        pytest.skip("there is no X server: windows are off-screen and have no OpenGL")


@pytest.fixture
def shared_data() -> Path:
    """Folder of the annotated images beside the checkout; tests that ask for it bear the marker of the same name."""
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def _manifests_read_once() -> Iterator[None]:
    """Let not each window of napari read the manifests of all that is installed: they stay what they are."""
    plain = PluginManifest.discover
    found = functools.cache(lambda paths: tuple(plain(paths)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(found(tuple(paths))))
        yield


@pytest.fixture(autouse=True)
def _what_is_there_already_is_not_looked_through(request: pytest.FixtureRequest) -> None:
    """Spare Python's search for garbage, before a window opens, what was there before: mostly imported libraries.

    napari lets Python look through all objects whenever a layer or a window goes, a third of a second each time. What
    a test makes is looked at as ever.
    """
    if "make_napari_viewer" in request.fixturenames or request.node.get_closest_marker("real_window"):
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def own_model_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's library of models, and out of the log of what went wrong."""
    folder = tmp_path_factory.mktemp("models")
    monkeypatch.setenv("UTILE_MODELS", str(folder))
    monkeypatch.setenv("UTILE_LOG", str(folder / "utile.log"))


@pytest.fixture
def qtbot(qtbot):
    """Give Qt's hand, which waits for what will come: how long that takes says more about the machine."""
    wait = qtbot.waitUntil
    qtbot.waitUntil = lambda condition, timeout=0: wait(condition, timeout=max(timeout, PATIENCE))
    return qtbot


@pytest.fixture
def make_bright_model():
    """Give the function that saves such a model."""
    return save_bright_model


@pytest.fixture
def bright_nuclei(own_model_folder):
    """Put that model in the place of the bundled ``nuclei``."""
    from napari_utile.engine.models.catalogue import user_model_folder

    return save_bright_model(user_model_folder() / "nuclei.safetensors", object_diameter=20.0)
