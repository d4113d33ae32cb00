"""The command line that does what was done by hand: made from the same parameters."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_utile.engine.cells.instances import InstanceParams
from napari_utile.engine.linking.params import LinkParams
from napari_utile.engine.models.catalogue import model_name
from napari_utile.engine.parameters import describe
from napari_utile.engine.planes.selection import Selection
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.volumes.params import VolumeParams


def segment_command(
    image: str | Path,
    params: SegmentParams,
    suggested: InstanceParams,
    output: str | Path = "segmented",
    *,
    selection: Selection | None = None,
    region: Sequence[slice] | None = None,
    linking: LinkParams | None = None,
    views: VolumeParams | None = None,
    mask: str | None = None,
) -> str:
    """Return the command that segments an image file as these parameters do.

    Parameters
    ----------
    image : str or Path
        The image's file; a placeholder such as ``IMAGE.tif`` where it is not known.
    params : SegmentParams
    suggested : InstanceParams
        What the model's card suggests: equal parameters need not be named.
    output : str or Path
        Folder of the results.
    selection : Selection, optional
        Which pixels of the file.
    region : Window, optional
        Rows and columns; all by default.
    linking : LinkParams, optional
        How the planes are linked; not at all by default.
    views : VolumeParams, optional
        Whether stacks are seen as volumes.
    mask : str, optional
        The file that says which pixels count.
    """
    words = ["utile", "segment", path_word(image), "-o", path_word(output)]
    words += option_words("--model", model_name(params.model))
    if selection is not None:
        words += command_options(Selection, selection)
    if region is not None:
        words += ["--region", ",".join(f"{part.start}:{part.stop}" for part in region)]
    if mask is not None:
        words += option_words("--mask", mask)
    words += command_options(SegmentParams, params, reference=SegmentParams(model=params.model))
    if params.instances is not None:
        words += command_options(InstanceParams, params.instances, reference=suggested)
    if linking is not None and linking.axis:
        words += command_options(LinkParams, linking)
    if views is not None and views.three_views:
        words += command_options(VolumeParams, views)
    return shlex.join(words)


def grow_command(
    image: str | Path,
    seeds: str | Path,
    output: str | Path,
    params: SegmentParams,
    suggested: InstanceParams | None,
    *,
    distance: float | None = None,
    selection: Selection | None = None,
) -> str:
    """Return the command that grows seeds to cells as these parameters do.

    Parameters
    ----------
    image, seeds, output : str or Path
    params : SegmentParams
    suggested : InstanceParams or None
        What the model's card suggests; None where the cells grow in intensities.
    distance : float, optional
        Pixels that a cell reaches beyond its seed at most.
    selection : Selection, optional
    """
    words = ["utile", "segment", path_word(image), "--seeds", path_word(seeds), "-o", path_word(output)]
    words += [] if distance is None else ["--seed-distance", f"{distance:.15g}"]
    words += command_options(Selection, selection or Selection())
    if suggested is None:
        words += command_options(SegmentParams, SegmentParams(channels=params.channels))
    else:
        words += option_words("--model", model_name(params.model))
        words += command_options(SegmentParams, params, reference=SegmentParams(model=params.model))
        words += command_options(InstanceParams, params.instances or suggested, reference=suggested)
    return shlex.join(words)


def path_word(path: str | Path) -> str:
    """Keep a path that starts with a dash from being read as an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def option_words(name: str, value: object) -> list[str]:
    """Give an option with its value, which may start with a dash as well."""
    return [f"{name}={value}"] if str(value).startswith("-") else [name, str(value)]


def click_command(
    image: str | Path,
    markers: str | Path,
    params: SegmentParams,
    suggested: InstanceParams,
    *,
    selection: Selection | None = None,
) -> str:
    """Return the command that makes the cells of saved markers as the Click page does.

    Parameters
    ----------
    image, markers : str or Path
        The image's file and the markers' CSV file; placeholders where they are not known.
    params : SegmentParams
    suggested : InstanceParams
        What the model's card suggests: equal parameters need not be named.
    selection : Selection, optional
        Which pixels of the file.
    """
    words = ["utile", "click", path_word(image), "--points", path_word(markers), "-o", "clicked_labels.tif"]
    words += option_words("--model", model_name(params.model))
    if selection is not None:
        words += command_options(Selection, selection)
    words += command_options(SegmentParams, params, reference=SegmentParams(model=params.model))
    if params.instances is not None:
        words += command_options(InstanceParams, params.instances, reference=suggested)
    return shlex.join(words)


def weight_map_command(labels: str | Path, params: Any, term: str = "total") -> str:
    """Return the command that computes and writes the weight map of a label file with these `WeightMapParams`."""
    words = ["utile", "weight-map", path_word(labels), "-o", "weights.tif"]
    if term != "total":
        words += ["--term", term.replace("_", "-")]
    return shlex.join(words + command_options(type(params), params))


def train_command(
    params: Any,
    base: str,
    family: str = "",
    annotation: Any = None,
    training_set: str = "",
    *,
    selection: Selection | None = None,
    classes: Sequence[str] = (),
) -> str:
    """Return the command that trains on files as these `FineTuneParams` do; IMAGES, LABELS, BOXES are folders.

    Parameters
    ----------
    params : FineTuneParams
    base : str
        Name or file of the model to start from.
    family : str
        Of the network, where one is trained from the start; empty to start from `base`.
    annotation : Annotation, optional
        Where the labels are complete.
    training_set : str
        Title of the set that is trained on, in place of files.
    selection : Selection, optional
        Which planes of the files.
    classes : sequence of str
        Names of the classes 1, 2, ... whose numbers the label images hold.
    """
    start = (
        ["train", "--family", family] if family else ["fine-tune", *option_words("--model", model_name(base))]
    )
    read = (
        option_words("--set", training_set) if training_set else ["--images", "IMAGES", "--labels", "LABELS"]
    )
    words = ["utile", *start, *read, "-o", "my-model.safetensors"]
    usual = type(params)(recipe="default" if family else "fine-tune")
    words += command_options(type(params), params, reference=usual)
    if training_set:
        return shlex.join(words)
    words += command_options(Selection, selection or Selection())
    words += option_words("--classes", ",".join(classes)) if classes else []
    if annotation is not None and annotation.kind == "sparse":
        words += ["--annotation", "sparse"]
        words += [] if annotation.background is None else ["--background", str(annotation.background)]
        words += ["--rim", str(annotation.rim)] if annotation.rim else []
    if annotation is not None and annotation.kind == "boxes":
        words += ["--boxes", "BOXES"]
    return shlex.join(words)


def evaluate_command(
    predictions: Sequence[str | Path], reference: str | Path, ignore: str | Path | None = None
) -> str:
    """Return the command that scores label files, several with their differences from the first.

    Parameters
    ----------
    predictions : sequence of str or Path
    reference : str or Path
    ignore : str or Path, optional
        The mask of pixels that do not count.
    """
    if len(predictions) == 1:
        words = ["evaluate", *map(path_word, (*predictions, reference))]
    else:
        words = ["compare", *map(path_word, (reference, *predictions))]
    return shlex.join(["utile", *words, *([] if ignore is None else option_words("--ignore", ignore))])


def command_options(cls: type, params: Any, *, reference: Any = None) -> list[str]:
    """Return the command line words that give these parameters, leaving out those equal to the reference's.

    Parameters
    ----------
    cls : type
        The parameter dataclass.
    params : object
        An instance of it.
    reference : object, optional
        What the command would use by itself; the dataclass's defaults otherwise.
    """
    words = []
    for parameter in describe(cls):
        value = getattr(params, parameter.name)
        usual = getattr(reference, parameter.name) if reference is not None else parameter.default
        if value == usual:
            continue
        text = typed(value, parameter.bounds.words)
        if parameter.kind is bool:
            words.append(parameter.option if value else parameter.option.replace("--", "--no-", 1))
        elif text is not None:
            words += option_words(parameter.option, text)
    return words


def typed(value: Any, words: Sequence[str] = ()) -> str | None:
    """Write a value as an option takes it that has these words; None where only leaving it out says so.

    Examples
    --------
    >>> typed((1, 99.8)), typed(None, ("auto", "none")), typed(None)
    ('1,99.8', 'none', None)
    """
    if value is None:
        return "none" if "none" in words else None
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
