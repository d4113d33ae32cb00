"""What is said of the bundled images after a training."""

import pytest

from napari_utile.engine.training.reference import Reference, reference_sentence


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (0.96, "It lost nothing elsewhere"),
        (0.949, "It lost nothing elsewhere"),
        (0.94, "It lost hardly anything elsewhere"),
        (0.9, "It got worse elsewhere, on phase"),
    ],
)
def test_the_words_agree_with_the_numbers(after, words):
    said = reference_sentence((Reference("nuclei", 0.99, 0.99), Reference("phase", 0.95, after)))
    numbers = f"AP on the package's own images nuclei 0.99 → 0.99, phase 0.95 → {after:.2f}."
    assert said == f"{words}: {numbers}"
