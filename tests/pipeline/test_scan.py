from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.errors import LocationEmptiedError, LocationUnavailableError
from deeplens_kit.pipeline.scan import ROW_COLUMNS, compare, scan
from deeplens_kit.schemas import LISTING, OBJECTS, Outcome
from deeplens_kit.storage import Listing, ListingProblem, ObjectStat, SkipReason
from deeplens_kit.storage.local import LocalLocation

Entry = tuple[str, str | None, int]  # change token, link id, link count
Row = tuple[str, str | None, int, str]  # and outcome


def listing_of(entries: dict[str, Entry], problems: list[str] | None = None) -> Listing:
    frame = pl.DataFrame(
        [(path, 1, token, None, link_id, count, None, None) for path, (token, link_id, count) in entries.items()],
        schema=LISTING.polars,
        orient="row",
    )
    found = tuple(ListingProblem(path, "permission", "shut") for path in problems or [])
    return Listing(frame, found, {}, ())


def rows_of(rows: dict[str, Row]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (f"L/{path}", path, 1, token, link_id, count, None, None, outcome)
            for path, (token, link_id, count, outcome) in rows.items()
        ],
        schema={name: OBJECTS.polars[name] for name in ROW_COLUMNS},
        orient="row",
    )


def objects(location: LocalLocation, outcome: str = "indexed") -> pl.DataFrame:
    """Rows as an index run would leave them: all that is listed, with an outcome."""
    frame = location.list().frame
    return frame.with_columns(object_id="L/" + pl.col("path"), outcome=pl.lit(outcome))


def write(root: Path, **files: bytes) -> None:
    for name, data in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def pics(tmp_path: Path) -> LocalLocation:
    root = tmp_path / "root"
    write(root, a=b"1", b=b"22", sub__c=b"333", sub__d=b"4444")
    return LocalLocation("L", "pics", str(root), {})


# --- the comparison, against a dictionary ---------------------------------------------------------------------------

_PART = st.sampled_from(["a", "b", "a b", "aa", "ab", "é", "\ufdd0ff", "a!", "a0"])
_PATH = st.lists(_PART, min_size=1, max_size=3).map("/".join)
_TOKEN = st.sampled_from(["1", "2"])
_LINK = st.sampled_from([(None, 1), ("1:1", 2), ("1:1", 3), ("1:2", 2)])
_LISTED = st.dictionaries(_PATH, st.builds(lambda token, link: (token, *link), _TOKEN, _LINK), max_size=8)
_HELD = st.dictionaries(
    _PATH,
    st.builds(lambda token, link, outcome: (token, *link, str(outcome)), _TOKEN, _LINK, st.sampled_from(Outcome)),
    max_size=8,
)
_PROBLEMS = st.lists(st.one_of(_PATH, _PATH.map(lambda path: path + "/")), max_size=4)


def _hidden(path: str, problems: list[str]) -> bool:
    return any(path == problem or (problem.endswith("/") and path.startswith(problem)) for problem in problems)


@given(_LISTED, _HELD, _PROBLEMS, st.sets(st.sampled_from(Outcome)))
def test_a_comparison_is_exact(
    listed: dict[str, Entry], held: dict[str, Row], problems: list[str], retry: set[Outcome]
) -> None:
    found = compare(listing_of(listed, problems), rows_of(held), retry=retry)

    kinds: dict[str, set[str]] = {name: set() for name in ("new", "changed", "unchanged", "gone", "unreachable")}
    relinked = set()
    for path, (token, link_id, count) in listed.items():
        if path not in held:
            kinds["new"].add(path)
        elif held[path][0] != token or held[path][3] in {str(outcome) for outcome in retry}:
            kinds["changed"].add(path)
        else:
            kinds["unchanged"].add(path)
            if held[path][1:3] != (link_id, count):
                relinked.add(path)
    for path in held.keys() - listed.keys():
        kinds["unreachable" if _hidden(path, problems) else "gone"].add(path)

    for name in ("new", "changed", "unchanged"):
        frame = getattr(found, name)
        assert sorted(frame["path"]) == sorted(kinds[name])
        assert LISTING.check(frame.select(LISTING.names)).height == frame.height
        now = {
            path: (token, link, count) for path, _, token, _, link, count, *_ in frame.select(LISTING.names).iter_rows()
        }
        assert now == {path: listed[path] for path in kinds[name]}  # what the storage says now, not the old row
    assert sorted(found.gone) == sorted(f"L/{path}" for path in kinds["gone"])
    assert sorted(found.unreachable) == sorted(f"L/{path}" for path in kinds["unreachable"])
    assert set(found.relinked["path"]) == relinked


def test_an_unsettled_token_is_never_trusted_however_often_it_comes() -> None:
    found = compare(
        listing_of({"weak": ("5~", None, 1), "strong": ("5", None, 1)}),
        rows_of({"weak": ("5~", None, 1, "indexed"), "strong": ("5", None, 1, "indexed")}),
    )
    assert (found.changed["path"].to_list(), found.unchanged["path"].to_list()) == (["weak"], ["strong"])


@given(_LISTED, _HELD)
def test_the_order_of_rows_changes_nothing(listed: dict[str, Entry], held: dict[str, Row]) -> None:
    one = compare(listing_of(listed), rows_of(held))
    other = compare(
        listing_of(dict(reversed(listed.items()))),
        rows_of(dict(reversed(held.items()))).select(reversed(ROW_COLUMNS)),
    )
    assert one.new.equals(other.new)
    assert one.changed.equals(other.changed)
    assert one.gone == other.gone


def test_unchanged_objects_bring_their_catalog_columns() -> None:
    rows = rows_of({"a": ("1", None, 1, "indexed")}).with_columns(digest=pl.lit("00ff"))
    found = compare(listing_of({"a": ("1", None, 1), "b": ("1", None, 1)}), rows)
    assert found.unchanged.columns == [*LISTING.names, "object_id", "outcome", "digest"]
    assert found.unchanged.select("object_id", "outcome", "digest").row(0) == ("L/a", "indexed", "00ff")


def test_rows_without_link_columns_are_enough_to_tell_changes() -> None:
    rows = rows_of({"a": ("1", "1:1", 2, "indexed")}).select("object_id", "path", "change_token", "outcome")
    found = compare(listing_of({"a": ("1", None, 1)}), rows)
    assert (found.unchanged.height, found.relinked.height) == (1, 0)


def test_rows_that_are_no_rows_of_the_catalog_are_a_defect() -> None:
    rows = rows_of({"a": ("1", None, 1, "indexed")})
    with pytest.raises(TypeError, match="change_token is None"):
        compare(listing_of({}), rows.drop("change_token"))
    with pytest.raises(TypeError, match="hold a path twice"):
        compare(listing_of({"a": ("1", None, 1)}), pl.concat([rows, rows]))


# --- scans of real folders ------------------------------------------------------------------------------------------


def test_a_first_scan_finds_everything_new(pics: LocalLocation) -> None:
    result = scan(pics, objects(pics).clear())
    assert result.new["path"].to_list() == ["a", "b", "sub/c", "sub/d"]
    assert result.counts == {
        "found": 4, "new": 4, "changed": 0, "unchanged": 0, "gone": 0, "unreachable": 0, "problems": 0, "skipped": 0,
    }  # fmt: skip
    assert result.sizes_bytes == {"found": 10, "to_read": 10, "new": 10, "changed": 0, "unchanged": 0, "gone": 0}


def test_a_second_scan_has_nothing_to_read(pics: LocalLocation) -> None:
    result = scan(pics, objects(pics))
    assert (result.counts["unchanged"], result.sizes_bytes["to_read"], result.gone) == (4, 0, [])


def test_each_change_is_seen(pics: LocalLocation) -> None:
    rows = objects(pics)
    write(pics.root, b=b"23456", new=b"1")
    (pics.root / "a").unlink()
    (pics.root / "sub/c").rename(pics.root / "sub/moved")
    result = scan(pics, rows)
    assert result.new["path"].to_list() == ["new", "sub/moved"]
    assert result.changed["path"].to_list() == ["b"]
    assert result.unchanged["path"].to_list() == ["sub/d"]
    assert sorted(result.gone) == ["L/a", "L/sub/c"]


def test_other_bytes_of_the_same_size_and_time_under_a_new_inode_are_a_change(pics: LocalLocation) -> None:
    rows = objects(pics)
    state = (pics.root / "b").stat()
    write(pics.root, other=b"33")
    os.utime(pics.root / "other", ns=(state.st_atime_ns, state.st_mtime_ns))
    (pics.root / "other").replace(pics.root / "b")
    assert scan(pics, rows).changed["path"].to_list() == ["b"]


def test_a_failed_file_is_tried_again_when_it_changes_or_when_told(pics: LocalLocation) -> None:
    rows = objects(pics, outcome="unreadable")
    assert scan(pics, rows).counts["unchanged"] == 4
    assert scan(pics, rows, retry=[Outcome.UNREADABLE]).counts["changed"] == 4
    assert scan(pics, rows, retry=[Outcome.UNSUPPORTED]).counts["changed"] == 0
    write(pics.root, a=b"mended")
    assert scan(pics, rows).changed["path"].to_list() == ["a"]


def test_a_new_hard_link_is_new_and_its_first_name_is_relinked_not_read(pics: LocalLocation) -> None:
    rows = objects(pics)
    (pics.root / "twin").hardlink_to(pics.root / "b")
    result = scan(pics, rows)
    assert result.new["path"].to_list() == ["twin"]
    assert result.relinked.select("path", "link_count").rows() == [("b", 2)]
    assert result.relinked["link_id"].to_list() == result.new["link_id"].to_list()
    assert result.changed.is_empty()


def test_what_is_hidden_by_a_problem_is_kept(pics: LocalLocation) -> None:
    rows = objects(pics)
    # One object stands in a folder whose path has become longer than the system allows.
    deep = pics.root
    while (room := 3_900 - len(os.fsencode(deep))) > 1:
        deep = deep / ("d" * min(200, room - 1))
        deep.mkdir()
    held = rows.with_columns(path=pl.when(pl.col("path") == "sub/c").then(_beneath(pics.root, deep)).otherwise("path"))
    held = held.with_columns(object_id="L/" + pl.col("path"))
    handle = os.open(deep, os.O_RDONLY)
    os.mkdir("e" * 250, dir_fd=handle)
    os.close(handle)
    result = scan(pics, held)
    assert [problem.code for problem in result.problems] == ["name_too_long"]
    assert result.unreachable == held.filter(pl.col("path").str.contains("eee"))["object_id"].to_list()
    assert result.gone == []
    assert result.new["path"].to_list() == ["sub/c"]


def _beneath(root: Path, deep: Path) -> pl.Expr:
    return pl.lit(f"{deep.relative_to(root)}/{'e' * 250}/c")


def test_a_location_that_lists_empty_marks_nothing_as_gone(pics: LocalLocation) -> None:
    rows = objects(pics)
    shutil.rmtree(pics.root)
    pics.root.mkdir()  # the empty mount point of a share that dropped out
    with pytest.raises(
        LocationEmptiedError, match=r"'pics' lists no files where it held 4: .* Nothing was marked as gone"
    ):
        scan(pics, rows)


def test_options_that_leave_everything_out_are_told(pics: LocalLocation) -> None:
    rows = objects(pics)
    with pytest.raises(LocationEmptiedError, match=r"3 entries left out, 0 could not be listed"):
        scan(pics, rows, exclude=["*"])


def test_an_empty_location_that_held_nothing_is_fine(tmp_path: Path) -> None:
    empty = LocalLocation("L", "pics", str(tmp_path), {})
    assert sum(scan(empty, objects(empty)).counts.values()) == 0


def test_a_location_that_vanished_marks_nothing_as_gone(pics: LocalLocation) -> None:
    rows = objects(pics)
    shutil.rmtree(pics.root)
    with pytest.raises(LocationUnavailableError, match=r"does not exist.*Nothing was marked as gone"):
        scan(pics, rows)


def test_the_workspace_and_globs_are_left_out_and_counted(pics: LocalLocation) -> None:
    write(pics.root, ws__thumb=b"1", x__cache__y=b"1", **{".hidden": b"1"})
    result = scan(pics, objects(pics).clear(), skip=[pics.root / "ws"], exclude=["cache/"])
    assert result.new["path"].to_list() == ["a", "b", "sub/c", "sub/d"]
    assert Counter(result.skipped) == Counter([SkipReason.WORKSPACE, SkipReason.EXCLUDED, SkipReason.HIDDEN])
    assert [folder.path for folder in result.skipped_folders] == ["ws/", "x/cache/"]


def test_what_becomes_excluded_leaves_the_catalog(pics: LocalLocation) -> None:
    rows = objects(pics)
    assert sorted(scan(pics, rows, exclude=["sub/"]).gone) == ["L/sub/c", "L/sub/d"]


def test_a_scan_reads_no_file(pics: LocalLocation) -> None:
    for path in ("a", "b", "sub/c", "sub/d"):
        os.utime(pics.root / path, ns=(1_000, 2_000))
    scan(pics, objects(pics).clear())
    assert {(pics.root / path).stat().st_atime_ns for path in ("a", "b", "sub/c", "sub/d")} == {1_000}


def test_a_row_of_the_scan_is_what_a_read_expects(pics: LocalLocation) -> None:
    for row in scan(pics, objects(pics).clear()).new.iter_rows(named=True):
        path = row.pop("path")
        assert pics.read(path, expected=ObjectStat(**row), max_bytes=100) == (pics.root / path).read_bytes()
