"""U-Tile: seamless tiled U-Net segmentation of microscope images in napari.

The functions for scripts and notebooks are imported when they are first asked for, so that napari finds the
plugin without waiting for torch:

>>> from napari_utile import segment  # doctest: +SKIP
>>> labels = segment(image).labels  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_utile.engine.cells.instances import InstanceParams
    from napari_utile.engine.cells.measure import measure
    from napari_utile.engine.evaluate import StackEvaluation, evaluate
    from napari_utile.engine.exchange.export import export_model
    from napari_utile.engine.exchange.importing import import_model
    from napari_utile.engine.files.images import read_image
    from napari_utile.engine.grow import grow_seeds
    from napari_utile.engine.linking.links import link
    from napari_utile.engine.metrics.cells import average_precision, cell_scores
    from napari_utile.engine.metrics.evaluation import Evaluation
    from napari_utile.engine.models.catalogue import list_models
    from napari_utile.engine.models.library import load_model, save_model
    from napari_utile.engine.segment import segment
    from napari_utile.engine.segmentation import Segmentation, SegmentedStack
    from napari_utile.engine.training.fine_tune import fine_tune
    from napari_utile.engine.weights.weight_map import WeightMapParams, weight_map

__version__ = "0.1.0"

_PUBLIC = {
    "Evaluation": "engine.metrics.evaluation",
    "InstanceParams": "engine.cells.instances",
    "Segmentation": "engine.segmentation",
    "SegmentedStack": "engine.segmentation",
    "StackEvaluation": "engine.evaluate",
    "WeightMapParams": "engine.weights.weight_map",
    "average_precision": "engine.metrics.cells",
    "cell_scores": "engine.metrics.cells",
    "evaluate": "engine.evaluate",
    "export_model": "engine.exchange.export",
    "fine_tune": "engine.training.fine_tune",
    "grow_seeds": "engine.grow",
    "import_model": "engine.exchange.importing",
    "link": "engine.linking.links",
    "list_models": "engine.models.catalogue",
    "load_model": "engine.models.library",
    "measure": "engine.cells.measure",
    "read_image": "engine.files.images",
    "save_model": "engine.models.library",
    "segment": "engine.segment",
    "weight_map": "engine.weights.weight_map",
}
"""Public name -> the module below this package that defines it."""

__all__ = [
    "Evaluation",
    "InstanceParams",
    "Segmentation",
    "SegmentedStack",
    "StackEvaluation",
    "WeightMapParams",
    "__version__",
    "average_precision",
    "cell_scores",
    "evaluate",
    "export_model",
    "fine_tune",
    "grow_seeds",
    "import_model",
    "link",
    "list_models",
    "load_model",
    "measure",
    "read_image",
    "save_model",
    "segment",
    "weight_map",
]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Name the public names too that were not imported yet."""
    return sorted({*globals(), *__all__})
