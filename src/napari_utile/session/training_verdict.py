"""What to say at the end of a training: which model is better, how that is known, and what to do next."""

from napari_utile.engine.words import counted, percent
from napari_utile.session.fine_tuning import FineTuneResult

_LONGEST = 24
"""Letters of a title that fit a button of the narrow dock."""

_CLAIMS = {
    "better": "The new model is better than “{base}”.",
    "worse": "The new model is worse than “{base}”.",
    "same": "The new model is as good as “{base}”, no better.",
    "nothing": "Neither model finds a held-out cell correctly.",
}
_NEXT = {
    "worse": "Paint cells where “{base}” is wrong (Annotate here next), or train on more images.",
    "same": "Paint cells where “{base}” is wrong (Annotate here next), or train longer.",
    "nothing": "Paint more cells, check them on the Weights page, or train longer.",
}


def verdict_of(result: FineTuneResult, stay: str = "") -> str:
    """Say in plain words what the held-out tiles say, what was lost elsewhere, and what to do next.

    Parameters
    ----------
    stay : str
        Title of the model that is used until now, if it is not the one that training started from.

    Returns
    -------
    str
    """
    from napari_utile.engine.training.learned import LEAST_CELLS
    from napari_utile.engine.training.reference import reference_sentence

    tuned = result.tuned
    base = _name(result)
    elsewhere = reference_sentence(result.references)
    other = ""
    if stay and result.tuned.base.has_learnt:
        other = (
            f"Before is “{base}”, from which this training started. “{stay}” is not compared: it may have learnt "
            "from these very cells."
        )
    if tuned.before is None or tuned.after is None:
        claim = "Nothing was held out, so there is no telling whether the model is better. Compare before you keep it."
        return " ".join(filter(None, (claim, elsewhere)))
    count = tuned.after.objects
    cells = counted(count, "cell")
    numbers = (
        f"Cells found correctly (AP at IoU 0.5): {tuned.before.ap50:.2f} before, {tuned.after.ap50:.2f} after. "
        f"Overlap: {tuned.before.overlap:.2f} before, {tuned.after.overlap:.2f} after. "
        f"Judged on {cells} in tiles never trained on."
    )
    if tuned.after.classes is not None:
        numbers += f" {percent(tuned.after.classes)} of them get the right class."
    if tuned.verdict == "few":
        held = "was" if count == 1 else "were"
        claim = f"Only {cells} {held} held out: too few to say which is better; at least {LEAST_CELLS} are needed."
        following = "Paint more cells, or raise Hold out; until then compare them by eye."
    else:
        claim = _CLAIMS[tuned.verdict].format(base=base)
        following = _NEXT.get(tuned.verdict, "").format(base=base)
    return "\n\n".join(filter(None, (f"{claim} {following}".rstrip(), numbers, other, elsewhere)))


def choices_of(result: FineTuneResult, version: int = 1, stay: str = "") -> tuple[str, str]:
    """Name the two buttons, *Keep* and *Discard*, so that the better model is named.

    Parameters
    ----------
    version : int
        Which version of a model keeping it would make; 1 for a new one.
    stay : str
        Title of the model that is used until now, if it is not the one that training started from.
    """
    base, verdict = _name(result), result.tuned.verdict
    compared, stay = not stay, stay or base
    stay = stay if len(stay) <= _LONGEST else f"{stay[: _LONGEST - 1].rstrip()}…"
    new = "the new model" if version == 1 else f"as version {version}"
    if verdict == "better":
        return f"Keep {new}{' (better)' if compared else ''}", f"Stay with {stay}"
    if verdict in ("worse", "same", "nothing"):
        better = " (better)" if verdict == "worse" and compared else ""
        return f"Keep {new} anyway", f"Stay with {stay}{better}"
    return f"Keep {new}", f"Stay with {stay}"


def _name(result: FineTuneResult) -> str:
    base = result.tuned.base
    return base.card.title or base.card.name if base.has_learnt else "no model"
