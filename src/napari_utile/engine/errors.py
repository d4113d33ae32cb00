"""What a user is told in one sentence: an error that can be put right, a warning."""

import warnings


class UtileError(Exception):
    """A file, model or request that cannot be used; the message is one sentence that says what to do.

    It is deliberately no ``RuntimeError``: generator workers of napari and superqt lose those.
    """


class UtileWarning(UserWarning):
    """Something about a result that the user should know; napari shows it as a notification."""


def warn(sentence: str) -> None:
    """Tell the user once; the command line prints it as a line, napari shows a notification."""
    warnings.warn(sentence, UtileWarning, stacklevel=3)
