"""Some of many planes or files, evenly spread."""

MOST_PLANES = 3
"""Of a stack, on which the size of its cells is measured."""
MOST_SEEN = 12
"""Of a stack, on which its grey limits are measured."""


def spread(count: int, most: int = MOST_PLANES) -> list[int]:
    """Return up to `most` of `count` places, evenly spread.

    Examples
    --------
    >>> spread(2), spread(9), spread(9, 1)
    ([0, 1], [1, 4, 7], [4])
    """
    if count <= most:
        return list(range(count))
    return [round((index + 0.5) * count / most - 0.5) for index in range(most)]
