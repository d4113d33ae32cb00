"""Markdown tables of scores with their intervals."""

from collections.abc import Sequence

from accuracy_runs.intervals import Interval


def score_text(value: Interval, decimals: int = 3) -> str:
    """Write a score and its interval."""
    if value.value != value.value:
        return "–"
    return f"{value.value:.{decimals}f} ({value.low:.{decimals}f} to {value.high:.{decimals}f})"


def difference_text(value: Interval, decimals: int = 3) -> str:
    """Write a difference and its interval, bold where that leaves out 0."""
    if value.value != value.value:
        return "–"
    text = f"{value.value:+.{decimals}f}"
    return f"{f'**{text}**' if value.is_clear else text} ({value.low:+.{decimals}f} to {value.high:+.{decimals}f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
