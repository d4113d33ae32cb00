"""Numbers as people write them."""

__all__ = ["percent", "three_digits"]


def three_digits(number: float) -> str:
    """Write a number with three digits, thousands apart, and never with a power of ten.

    Examples
    --------
    >>> three_digits(7368.2), three_digits(41.23), three_digits(0.0512), three_digits(3e-5), three_digits(26.0)
    ('7,370', '41.2', '0.0512', '0.00003', '26')
    """
    rounded = float(f"{number:.3g}")
    if abs(rounded) >= 1000:
        return f"{rounded:,.0f}"
    return (
        f"{rounded:g}" if abs(rounded) >= 1e-4 or rounded == 0 else f"{rounded:.12f}".rstrip("0").rstrip(".")
    )


def percent(share: float) -> str:
    """Write a share as whole per cent.

    Examples
    --------
    >>> percent(0.158), percent(1)
    ('16 %', '100 %')
    """
    return f"{100 * share:.0f} %"
