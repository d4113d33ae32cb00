"""What users set under napari's Preferences, where napari has them (0.9 and later)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import napari.settings

from napari_utile.engine.compute_params import DEVICES, PRECISIONS
from napari_utile.engine.segment_params import SegmentParams


def preferred(params: SegmentParams) -> SegmentParams:
    """Put the preferred device and precision into parameters; what is unknown here counts as not set."""
    chosen = settings()
    device, precision = getattr(chosen, "device", ""), getattr(chosen, "precision", "")
    return replace(
        params,
        device=device if device in DEVICES else params.device,
        precision=precision if precision in PRECISIONS else params.precision,
    )


def results_folder() -> Path | None:
    """Return the folder in which saving starts; None where none is set, or it is gone."""
    chosen = str(getattr(settings(), "results_folder", "")).strip()
    return Path(chosen).expanduser() if chosen and Path(chosen).expanduser().is_dir() else None


def settings() -> Any:
    """Return what is set for this plugin; None where napari keeps no such settings."""
    try:
        return napari.settings.get_plugin_settings("napari-utile").segment
    except (KeyError, AttributeError):  # tests without the plugin, or a napari before 0.9
        return None
