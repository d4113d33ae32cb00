"""About a hundred files of every mixture; ``make torture`` makes thousands."""

from pathlib import Path

from torture.mixtures import LAYOUTS, attempt

FILES = 8 * len(LAYOUTS)


def test_any_mixture_is_read_as_the_plain_array_or_refused_in_one_sentence(tmp_path: Path) -> None:
    outcomes = {seed: attempt(seed, tmp_path) for seed in range(FILES)}
    wrong = {seed: outcome for seed, outcome in outcomes.items() if outcome not in ("read", "refused")}
    assert not wrong
    assert sum(outcome == "refused" for outcome in outcomes.values()) <= FILES // 20
