"""How late a window's event loop is: what a user feels as stutter."""

import time

import numpy as np
from qtpy.QtCore import Qt, QTimer

PERIOD = 0.005
"""Seconds between two beats."""


class Heartbeat:
    """Measures how late a timer of 5 ms comes on the thread that makes it, from now on until `stop`.

    Attributes
    ----------
    last : float
        When it came last, as `time.perf_counter` has it.
    """

    def __init__(self) -> None:
        self._late: list[float] = []
        self.last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(round(PERIOD * 1000))

    def _beat(self) -> None:
        now = time.perf_counter()
        self._late.append(now - self.last - PERIOD)
        self.last = now

    def stop(self) -> np.ndarray:
        """Return how late each beat came, in seconds."""
        self._timer.stop()
        return np.array(self._late)


def summary(late: np.ndarray) -> str:
    """Say in one line how late beats came, in milliseconds."""
    middle, most, worst = np.percentile(late, (50, 99, 100)) * 1e3
    return f"{most:6.1f} ms late at the 99th percentile ({middle:.1f} median, {worst:.1f} worst, {late.size} beats)"
