import os
import sys
from pathlib import Path

# Before torch or numpy start their thread pools: tests are small, and two pools on a few cores only fight.
os.environ.setdefault("OMP_NUM_THREADS", "2")
if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """Folder of the annotated images beside the checkout; the test is skipped where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the annotated images in ../shared/data are not here")
    return SHARED_DATA
