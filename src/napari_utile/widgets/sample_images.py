"""The images under File > Open Sample: simulated cells, each with its hidden truth."""

from importlib.resources import as_file, files

from napari_utile.engine.files.image_file import ImageFile
from napari_utile.engine.files.images import read_image
from napari_utile.widgets.files.described import LayerData, image_layers, labels_layer


def nuclei() -> list[LayerData]:
    """Fluorescent nuclei, some of them touching."""
    return sample("nuclei")


def nuclei_clustered() -> list[LayerData]:
    """Fluorescent nuclei in clusters."""
    return sample("nuclei_clustered")


def phase_contrast_cells() -> list[LayerData]:
    """Touching cells in phase contrast: dark bodies, bright halos."""
    return sample("phase_contrast_cells")


def film_two_channels() -> list[LayerData]:
    """Cells that move, in two channels: nuclei and cell bodies."""
    return sample("film_two_channels")


def sample(name: str) -> list[LayerData]:
    """Read a bundled image, and the cells that were drawn in it as a hidden layer.

    Parameters
    ----------
    name : str
        File name in ``sample_data``, without ``.tif``.

    Returns
    -------
    list of LayerData
        The image, a layer for each channel, and its truth.

    Raises
    ------
    UtileError
        If there is no such file.
    """
    return [*image_layers(_read(name)), labels_layer(_read(f"{name}_truth"))]


def _read(name: str) -> ImageFile:
    with as_file(files("napari_utile") / "sample_data" / f"{name}.tif") as path:
        return read_image(path)
