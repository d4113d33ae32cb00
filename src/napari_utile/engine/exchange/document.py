"""The text that goes with an exported model."""

from napari_utile.engine.models.card import ModelCard


def document(card: ModelCard) -> str:
    """Write a model's card as Markdown: what it is for, what goes in, what comes out, its scores and its licences."""
    classes = ", ".join(f"{each.name} ({each.role})" for each in card.classes)
    channels = ", ".join(f"{each.name} (optional)" if each.optional else each.name for each in card.inputs)
    lines = [
        f"# {card.title or card.name}",
        "",
        card.description or "A network that finds cells.",
        "",
        "## Input",
        "",
        f"- Channels: {channels}.",
        f"- Grey values: percentiles {card.normalization.low:g} and {card.normalization.high:g} of each channel "
        "become 0 and 1; what lies beyond -1 and 4 is clipped.",
    ]
    if card.normalization.rule == "robust":
        lines.append("- U-Tile leaves bright debris out of the percentiles, other programs do not.")
    if card.object_diameter is not None:
        lines.append(f"- Rescale the image until its cells are about {card.object_diameter:g} pixels across.")
    if card.pixel_size is not None:
        lines.append(f"- The training images had pixels of {card.pixel_size:g} µm.")
    lines += ["", "## Output", "", f"- Probabilities of the classes, which sum to 1: {classes}."]
    lines += [f"- {each.name}: {each.meaning or 'a further output'}." for each in card.outputs[1:]]
    lines += [
        "",
        "The input is mirrored outward inside the network, so the output has its size. Cut the declared halo",
        "off each tile: tiles at multiples of the input's step then give the same numbers as one large tile.",
        "",
        "## Validation",
        "",
    ]
    if card.metrics:
        lines += [f"- {name}: {value}" for name, value in card.metrics.items()]
    else:
        lines.append(
            "This model has not been scored on images of its own; check it on annotated images of yours."
        )
    if card.data:
        lines += ["", "## Training images", ""]
        lines += [
            f"- {each.name}: {each.images} images, {each.licence}. {each.notice}".rstrip()
            for each in card.data
        ]
    if card.licence:
        lines += ["", "## Licence", "", card.licence]
    lines += [
        "",
        "## Use it in U-Tile",
        "",
        "`utile models import FILE.zip` adds it to your library, with its settings.",
        "",
    ]
    return "\n".join(lines)
