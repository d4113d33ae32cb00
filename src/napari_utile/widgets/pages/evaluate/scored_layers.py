"""What the Evaluate page shows: layers, how good they were, and what is said of that."""

from dataclasses import dataclass, replace

from napari_utile.engine.words import counted
from napari_utile.session.evaluation import EvaluationResult
from napari_utile.widgets.pages.evaluate.compared_layers import ComparedLayers
from napari_utile.widgets.viewer.layers import Place


@dataclass(frozen=True, eq=False)
class ScoredLayers:
    """Layers as they were compared.

    Attributes
    ----------
    layers : ComparedLayers
    places : list of Place
        The planes, in the reference layer.
    result : EvaluationResult
    edits : tuple of int
        See `edits_in`, as the planes were last read.
    outdated : str
        Why it is no longer that of the layers, such as that they hold something else by now; empty where it is.
    """

    layers: ComparedLayers
    places: list[Place]
    result: EvaluationResult
    edits: tuple[int, ...]
    outdated: str = ""

    @property
    def renamed(self) -> "ScoredLayers":
        """The same under the names that the layers have now."""
        names = tuple(layer.name for layer in self.layers.predictions)
        return replace(self, result=replace(self.result, names=names))

    @property
    def seen(self) -> dict[tuple[int, ...], tuple[str, ...]]:
        """Hashes of each plane by its key."""
        return {place.key: plane.seen for place, plane in zip(self.places, self.result.planes, strict=True)}

    def found(self) -> tuple[str, str]:
        """Say what was found, with doubts, or why it no longer holds: a sentence, and its kind."""
        if self.outdated:
            return self.outdated, "problem"
        result, first = self.result, self.result.scores(0)
        text = (
            f"{result.names[0]}: SEG {_two(first['seg'])}, AP {_two(first['ap50'])} at IoU 0.5, "
            f"{counted(len(result.errors), 'error')}."
        )
        doubts = [*self.layers.doubts, *result.doubts]
        return " ".join([text, *doubts]), "problem" if doubts else "good"

    def of_which(self) -> tuple[str, str]:
        """Say of which layers it is, where others are chosen by now: a sentence, and its kind."""
        names = f"{self.result.names[0]} against {self.layers.truth.name}"
        return f"Scores of {names}; press Evaluate for what is chosen now.", "problem"


def _two(value: float) -> str:
    return "–" if value != value else f"{value:.2f}"
