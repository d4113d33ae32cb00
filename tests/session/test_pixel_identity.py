"""Pixels are told apart by more than a checksum: another picture never gets the tiles of the first."""

import zlib

import numpy as np

from napari_utile.engine.planes.axes import ImagePlane
from napari_utile.engine.segment_params import SegmentParams
from napari_utile.engine.steps import Run
from napari_utile.session.jobs import segment_job
from napari_utile.session.pixels import pixels_key
from napari_utile.session.results import SegmentRequest
from napari_utile.session.state import Session


def two_with_one_checksum():
    """Return two pictures whose CRC-32 is the same: they differ by multiples of its polynomial, bits reversed."""
    first = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    second = first.copy()
    second.view("<u8")[20:40] ^= np.uint64(0x1DB710641)
    return ImagePlane(first[None]), ImagePlane(second[None])


def test_two_pictures_of_one_checksum_are_two_pictures():
    first, second = two_with_one_checksum()
    assert zlib.crc32(first.data) == zlib.crc32(second.data)
    assert not np.array_equal(first.data, second.data)
    assert pixels_key(first, "layer") != pixels_key(second, "layer")


def test_another_picture_does_not_get_the_tiles_of_the_first():
    session, params = Session(), SegmentParams(device="cpu", precision="float32")

    def probabilities(plane, session):
        return Run(segment_job(session, SegmentRequest(plane, params))).result.segmentation.probabilities

    first, second = two_with_one_checksum()
    probabilities(first, session)
    np.testing.assert_array_equal(probabilities(second, session), probabilities(second, Session()))
