"""The paragraph for a paper counts cells where they are."""

from types import SimpleNamespace

from napari_utile.session.methods import Found


def test_it_says_in_which_planes_and_to_what_they_were_linked():
    def found(counts, **more):
        return str(Found([SimpleNamespace(count=count) for count in counts], **more))

    assert found([1]) == "1 cell was found."
    assert found([3], planes=7) == "3 cells were found in one of 7 planes."
    assert found([3, 4], planes=7) == "7 cells were found in 2 of 7 planes."
    assert found([3, 4], planes=2, linked="5 objects through z", edited="None was edited by hand.") == (
        "7 cells were found in 2 planes. They were linked to 5 objects through z. None was edited by hand."
    )
