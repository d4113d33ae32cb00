"""Tracks for other programs."""

import json

import numpy as np
import pytest
import tifffile
import zarr

from napari_utile.engine.errors import UtileError, UtileWarning
from napari_utile.engine.linking.exported import write_tracks
from napari_utile.engine.linking.measure import Spacing

# Track 1 divides into 2 and 3 after two frames; track 5 is missing in frame 1.
FRAMES = np.array(
    [
        [[1, 1, 0, 5], [1, 1, 0, 5]],
        [[1, 1, 0, 0], [0, 1, 0, 0]],
        [[2, 0, 3, 5], [2, 0, 3, 0]],
    ]
)
PARENTS = {2: 1, 3: 1, 9: 5}  # 9 is nowhere


def frames():
    return iter(FRAMES)


def test_a_folder_of_the_challenge_where_a_gap_ends_a_track(tmp_path) -> None:
    assert write_tracks(tmp_path / "01_RES", frames, PARENTS) == 4
    folder = tmp_path / "01_RES"
    assert sorted(each.name for each in folder.iterdir()) == [
        "mask000.tif",
        "mask001.tif",
        "mask002.tif",
        "res_track.txt",
    ]
    assert (folder / "res_track.txt").read_text() == "1 0 1 0\n2 2 2 1\n3 2 2 1\n5 0 0 0\n6 2 2 5\n"
    masks = [tifffile.imread(folder / f"mask{number:03}.tif") for number in range(3)]
    assert {mask.dtype for mask in masks} == {np.dtype(np.uint16)}
    np.testing.assert_array_equal(masks[:2], FRAMES[:2])
    np.testing.assert_array_equal(masks[2], [[2, 0, 3, 6], [2, 0, 3, 0]])


def test_a_division_of_which_a_daughter_is_gone_is_not_written(tmp_path) -> None:
    write_tracks(tmp_path / "01_RES", lambda: iter(np.where(FRAMES == 3, 0, FRAMES)), PARENTS)
    assert (tmp_path / "01_RES" / "res_track.txt").read_text() == "1 0 1 0\n2 2 2 0\n5 0 0 0\n6 2 2 5\n"


def test_large_ids_are_renumbered_for_the_challenge(tmp_path) -> None:
    large = FRAMES * 70_000
    with pytest.warns(UtileWarning, match="renumbered, 1 to 5"):
        write_tracks(tmp_path / "01_RES", lambda: iter(large), {each * 70_000: 70_000 for each in (2, 3)})
    folder = tmp_path / "01_RES"
    assert (folder / "res_track.txt").read_text() == "1 0 1 0\n2 2 2 1\n3 2 2 1\n4 0 0 0\n5 2 2 4\n"
    np.testing.assert_array_equal(tifffile.imread(folder / "mask002.tif"), [[2, 0, 3, 5], [2, 0, 3, 0]])


def test_a_graph_has_a_node_for_each_cell_of_a_frame_in_its_place(tmp_path) -> None:
    spacing = Spacing((0.5, 2.0), "µm", {"T": (30.0, "s")})
    assert write_tracks(tmp_path / "tracks.geff", frames, PARENTS, spacing) == 4
    group = zarr.open_group(tmp_path / "tracks.geff", mode="r")
    props = {name: group[f"nodes/props/{name}/values"][:] for name in ("t", "y", "x", "track_id", "area")}
    assert props["track_id"].tolist() == [1, 5, 1, 2, 3, 5]
    assert props["t"].tolist() == [0, 0, 30, 60, 60, 60]
    assert props["y"].tolist() == [0.25, 0.25, pytest.approx(1 / 6), 0.25, 0.25, 0]
    assert props["x"].tolist() == [1, 6, pytest.approx(4 / 3), 0, 4, 6]
    assert props["area"].tolist() == [4, 2, 3, 2, 2, 1]
    nodes, edges = group["nodes/ids"][:], group["edges/ids"][:]
    assert nodes.dtype == edges.dtype == np.uint64
    assert nodes.tolist() == [0, 1, 2, 3, 4, 5]
    assert edges.tolist() == [[0, 2], [1, 5], [2, 3], [2, 4]]
    about = json.loads((tmp_path / "tracks.geff" / ".zattrs").read_text())["geff"]
    assert about["directed"] is True
    assert [each["name"] for each in about["axes"]] == ["t", "y", "x"]
    assert [each["unit"] for each in about["axes"]] == ["second", "micrometer", "micrometer"]
    assert about["node_props_metadata"].keys() == props.keys()


@pytest.mark.parametrize("name", ["a_RES", "a.geff"])
def test_what_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path, name) -> None:
    with pytest.raises(UtileError, match="no tracks"):
        write_tracks(tmp_path / name, lambda: iter(np.zeros((2, 3, 3), int)))
    (tmp_path / name).mkdir()
    with pytest.raises(UtileError, match="is there already"):
        write_tracks(tmp_path / name, frames)
    with pytest.raises(UtileError, match="ends in"):
        write_tracks(tmp_path / "a.txt", frames)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_more_tracks_than_the_challenge_numbers_are_refused(tmp_path) -> None:
    with pytest.raises(UtileError, match="65,535"):
        write_tracks(tmp_path / "a_RES", lambda: iter(np.arange(1, 65_537).reshape(1, 256, 256)))
    assert not [*tmp_path.iterdir()]
