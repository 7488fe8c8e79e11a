"""Which group or file a text means: ids by how they begin, places by either name, and what is near to a slip."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.subjects import Subject, named

GROUPS = pl.Series(["4c1f0000aaaaaaaa", "4c200000aaaaaaaa", "b01dfaced0000000"], dtype=pl.String)


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A folder that is two locations, one of them by way of a link, and a location within it."""
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "inner" / "b.txt").write_text("b")
    (folder / "b01d").write_text("a name that could be an id")
    (tmp_path / "alias").symlink_to(folder)
    with Workspace.create(tmp_path / "workspace") as workspace:
        for name, place in (("pics", folder), ("pics:2", tmp_path / "alias"), ("inner", folder / "inner")):
            add_location(workspace, name, str(place))
        index(workspace, and_match=False)
    return tmp_path


def meant(places: Path, text: str) -> tuple[str | None, str | None, str | None]:
    """Group, or location and path."""
    with Workspace.open(places / "workspace") as workspace:
        files = active_files(workspace)
        subject: Subject = named(text, GROUPS, files, workspace)
        if subject.object_id is None:
            return subject.group_id, None, None
        row = files.filter(object_id=subject.object_id).row(0, named=True)
        return None, row["location"], row["path"]


def test_an_id_needs_as_much_as_no_other_begins_with(places: Path) -> None:
    assert meant(places, "4c1") == ("4c1f0000aaaaaaaa", None, None)
    assert meant(places, " B01D ") == ("b01dfaced0000000", None, None)
    with pytest.raises(SettingsError, match="begins the ids of 2 groups"):
        meant(places, "4c")


def test_a_file_is_itself_by_whatever_location_it_is_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where locations overlap one object stands for the file; every name of it leads there."""
    folder = places / "pictures"
    assert len({meant(places, text) for text in ("inner:b.txt", "pics:inner/b.txt", "pics:2:inner/b.txt")}) == 1
    for text in ("pics:a.txt", "pics:2:a.txt", str(folder / "a.txt"), str(places / "alias" / "a.txt")):
        assert meant(places, text)[2] == "a.txt"
    monkeypatch.chdir(folder / "inner")
    assert meant(places, "../a.txt")[2] == "a.txt"
    assert meant(places, "./../b01d")[2] == "b01d"


def test_what_is_near_is_told(places: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'pics:a\.txt'") as caught:
        meant(places, "pics:aa.txt")
    assert caught.value.known == ("pics:a.txt",)
    with pytest.raises(UnknownNameError, match="did you mean 'b01dfaced0000000'"):
        meant(places, "b01dfaced1000000")
    with pytest.raises(SettingsError, match="is not indexed"):
        meant(places, str(places / "workspace"))


def test_a_location_that_is_left_out_is_said_to_be(places: Path) -> None:
    with Workspace.open(places / "workspace") as workspace:
        workspace.ledger.set_location_active("inner", False)
    with pytest.raises(SettingsError, match="`deeplens locations activate inner`"):
        meant(places, "inner:b.txt")
