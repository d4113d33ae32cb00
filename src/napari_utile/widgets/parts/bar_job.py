"""A job whose progress a bar shows."""

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from napari_utile.widgets.parts.run_bar import RunBar
from napari_utile.widgets.worker import OneJob, run_job

_Result = TypeVar("_Result")


class BarJob(OneJob):
    """Runs one job at a time under a bar, which is busy until the job ends, however it ends.

    Attributes
    ----------
    run_bar : RunBar
        To be set before the first job.
    """

    run_bar: RunBar

    def begin(
        self,
        generator: Generator[Any, Any, _Result],
        text: str,
        *,
        on_progress: Callable[[Any], object],
        on_done: Callable[[_Result], object],
        on_error: Callable[[Exception], object],
        on_cancelled: Callable[[], object] = lambda: None,
    ) -> None:
        """Run a job; `text` is shown until its first progress, callbacks as in `run_job`."""

        def after_idle(then: Callable[..., object]) -> Callable[..., None]:
            def call(*args: Any) -> None:
                self.run_bar.set_idle()
                then(*args)

            return call

        self.run_bar.set_busy(text)
        self.job = run_job(
            generator,
            on_progress=on_progress,
            on_done=after_idle(on_done),
            on_error=after_idle(on_error),
            on_cancelled=after_idle(on_cancelled),
            owner=self.run_bar,
        )

    def cancel(self) -> None:
        """Stop at the next point where that can be; what is finished is kept."""
        if self.running:
            self.run_bar.set_cancelling()
        super().cancel()
