"""The one exception for what a user can put right."""


class UtileError(Exception):
    """A file, model or request that cannot be used; the message is one sentence that says what to do.

    It is deliberately no ``RuntimeError``: generator workers of napari and superqt lose those.
    """
