"""Long work as a value: iterate it for its progress, then ask for its result.

>>> def halves(n):
...     while n > 1:
...         n //= 2
...         yield n
...     return "done"
>>> run = Run(halves(8))
>>> list(run), run.result
([4, 2, 1], 'done')
"""

from collections.abc import Generator
from contextlib import closing
from typing import Any, TypeVar

P = TypeVar("P")
Q = TypeVar("Q")
T = TypeVar("T")


class Run(Generator[P, Any, T]):
    """A generator of progress, and the result it returns; itself a generator, so that others can delegate to it.

    Parameters
    ----------
    steps : generator
        Yields progress and returns the result; every yield is a point to stop at, with `close`.

    Attributes
    ----------
    answer : object
        What the generator is sent at the next step, where it asks for something.
    ended : bool
        Whether nothing is left to do.
    """

    def __init__(self, steps: Generator[P, Any, T]) -> None:
        self.answer: Any = None
        self._steps = steps
        self._results: list[T] = []
        self.ended = False

    @property
    def result(self) -> T:
        """What the work gives; what is left of it is done first.

        Raises
        ------
        RuntimeError
            If the work was stopped, or has failed.
        """
        for _ in self:
            pass
        if not self._results:
            raise RuntimeError("Work that was stopped, or has failed, has no result.")
        return self._results[0]

    def yielding(self, progress: Q) -> Generator[Q, None, T]:
        """Do the work for somebody with progress of another kind, which every step yields; return the result."""
        with closing(self):
            for _ in self:
                yield progress
            return self.result

    def send(self, value: Any) -> P:
        """Do the next step."""
        answer, self.answer = self.answer if value is None else value, None
        if self.ended:
            raise StopIteration(*self._results)
        try:
            return self._steps.send(answer)
        except BaseException as error:
            self._end(error)
            raise

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> P:
        """Raise an error where the work stands."""
        try:
            return self._steps.throw(typ if val is None else val)
        except BaseException as error:
            self._end(error)
            raise

    def _end(self, error: BaseException) -> None:
        self.ended = True
        if isinstance(error, StopIteration):
            self._results.append(error.value)
