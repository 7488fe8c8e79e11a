from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeplens_kit.errors import LocationUnavailableError
from deeplens_kit.schemas import LISTING
from deeplens_kit.storage import Listing, SkippedFolder, SkipReason, decode_path
from deeplens_kit.storage.local import LocalLocation
from deeplens_kit.storage.local_listing import FileIdentity, TreeWalk

Open = Callable[..., LocalLocation]

ODD_NAMES = [
    b"a b.jpg",
    b" ",
    b"#1.jpg",
    b"50%25.jpg",
    b"new\nline\r.jpg",
    "été 😀.jpg".encode(),
    b"latin-\xe9\xff.jpg",
    "\ufdd0ff.jpg".encode(),
    b"\\n",
    b"-rf",
    b"'\"$(x)",
    b"\x01\x7f\x1b[31m",
]


def paths(listing: Listing) -> list[str]:
    return sorted(listing.frame["path"].to_list())


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * len(name))


def test_every_regular_file_is_a_row_of_the_schema(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a.jpg", "deep/er/b.txt", "deep/empty")
    (tmp_path / "deep/empty").write_bytes(b"")
    (tmp_path / "nothing in here").mkdir()
    listing = location().list()
    assert LISTING.check(listing.frame) is not None
    assert paths(listing) == ["a.jpg", "deep/empty", "deep/er/b.txt"]
    assert (listing.problems, dict(listing.skipped), listing.skipped_folders) == ((), {}, ())


def test_an_empty_folder_lists_empty_in_the_schema(location: Open) -> None:
    listing = location().list()
    assert LISTING.check(listing.frame).is_empty()


def test_a_row_says_what_the_system_says(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_700_000_000_123_456_789))
    row = location().list().frame.row(0, named=True)
    state = (tmp_path / "a.jpg").stat()
    assert row["size_bytes"] == 5
    assert row["change_token"] == f"5-1700000000123456789-{state.st_ino}"
    assert row["modified_at"].isoformat() == "2023-11-14T22:13:20.123456+00:00"
    assert (row["link_id"], row["link_count"]) == (f"{state.st_dev}:{state.st_ino}", 1)


@pytest.mark.parametrize("seconds", [-1, -(2**31), 0, 2**33, 2**34 - 1])
def test_a_row_and_a_stat_of_one_file_agree(tmp_path: Path, location: Open, seconds: int) -> None:
    fill(tmp_path, "a.jpg", "sub/other")
    os.utime(tmp_path / "a.jpg", ns=(0, seconds * 10**9 + 1_999))
    (tmp_path / "second name.jpg").hardlink_to(tmp_path / "a.jpg")
    opened = location()
    rows = {row["path"]: row for row in opened.list().frame.iter_rows(named=True)}
    assert len(rows) == 3
    for path, row in rows.items():
        state = opened.stat(path)
        assert row == {"path": path, **{name: getattr(state, name) for name in LISTING.names if name != "path"}}


def test_times_beyond_64_bits_are_undated_and_still_tell_a_change(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a", "b", "c")
    far = 12 * 10**9  # the year 2350; ext4 goes to 2446, others stop before
    os.utime(tmp_path / "b", (far, far))
    if (tmp_path / "b").stat().st_mtime_ns < 2**63:
        pytest.skip("this file system does not keep times beyond the year 2262")
    before = {row[0]: row for row in location().list().frame.iter_rows()}
    os.utime(tmp_path / "b", (far + 1, far + 1))
    after = {row[0]: row for row in location().list().frame.iter_rows()}
    assert [before[name][3] is None for name in "abc"] == [False, True, False]
    assert before["b"][2] != after["b"][2]


def test_odd_names_are_listed_and_lead_back_to_their_files(tmp_path: Path, location: Open) -> None:
    for name in ODD_NAMES:
        folder = os.fsencode(tmp_path) + b"/" + name + b".d"
        os.mkdir(folder)  # noqa: PTH102 - a Path has no bytes
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123 - a Path has no bytes
            file.write(name)
    opened = location()
    listing = opened.list()
    assert {opened.read(path, max_bytes=100) for path in listing.frame["path"]} == set(ODD_NAMES)
    natives = {os.fsencode(decode_path(path)) for path in listing.frame["path"]}
    assert natives == {name + b".d/" + name for name in ODD_NAMES}
    assert listing.frame["path"].n_unique() == len(ODD_NAMES)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(
        st.binary(min_size=1, max_size=12).filter(lambda n: not set(n) & {0, 0x2F} and n not in (b".", b"..")),
        max_size=6,
    )
)
def test_any_names_are_listed(tmp_path_factory: pytest.TempPathFactory, names: set[bytes]) -> None:
    root = tmp_path_factory.mktemp("any")
    for name in names:
        os.close(os.open(os.fsencode(root) + b"/" + name, os.O_CREAT | os.O_WRONLY))
    listed = LocalLocation("L", "any", str(root), {"hidden": True}).list().frame["path"]
    assert sorted(os.fsencode(decode_path(path)) for path in listed) == sorted(names)


def test_symbolic_links_are_counted_and_not_followed(tmp_path: Path, location: Open) -> None:
    root = tmp_path / "root"
    fill(tmp_path, "root/a.jpg", "outside/secret.jpg")
    (root / "to file").symlink_to("a.jpg")
    (root / "to folder").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(".")
    (root / "itself").symlink_to("itself")
    (root / "dangling").symlink_to("nowhere")
    listing = location(root).list()
    assert paths(listing) == ["a.jpg"]
    assert dict(listing.skipped) == {SkipReason.SYMLINK: 5}
    assert listing.problems == ()


def test_the_location_itself_may_be_a_link(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "root/a.jpg")
    (tmp_path / "door").symlink_to("root")
    opened = location(tmp_path / "door")
    assert paths(opened.list()) == ["a.jpg"]
    assert opened.read("a.jpg", max_bytes=100) == b"x" * 10


def test_hard_links_share_an_id_and_count_their_names(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a", "b/c", "single")
    (tmp_path / "b/second").hardlink_to(tmp_path / "a")
    (tmp_path / "third").hardlink_to(tmp_path / "a")
    (tmp_path / "b/d").hardlink_to(tmp_path / "b/c")
    state = (tmp_path / "a").stat()
    by_id: dict[str | None, set[str]] = {}
    for path, link_id, count in location().list().frame.select("path", "link_id", "link_count").iter_rows():
        by_id.setdefault(link_id, set()).add(path)
        assert count == (tmp_path / path).stat().st_nlink
    assert by_id.pop(f"{state.st_dev}:{state.st_ino}") == {"a", "b/second", "third"}
    assert sorted(by_id.values(), key=len) == [{"single"}, {"b/c", "b/d"}]


def test_hidden_entries_are_reported_or_listed(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a.jpg", ".b.jpg", "c/.d/e.jpg", "c/.d/f.jpg", "c/..g", "c/h.")
    (tmp_path / ".link").symlink_to("a.jpg")
    listing = location().list()
    assert paths(listing) == ["a.jpg", "c/h."]
    assert dict(listing.skipped) == {SkipReason.HIDDEN: 4}
    assert listing.skipped_folders == (SkippedFolder("c/.d/", SkipReason.HIDDEN),)
    shown = location(hidden=True).list()
    assert paths(shown) == sorted(["a.jpg", ".b.jpg", "c/.d/e.jpg", "c/.d/f.jpg", "c/..g", "c/h."])
    assert dict(shown.skipped) == {SkipReason.SYMLINK: 1}


def test_a_hidden_root_is_no_hidden_folder(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, ".root/a.jpg")
    assert paths(location(tmp_path / ".root").list()) == ["a.jpg"]


@pytest.mark.parametrize(
    ("options", "exclude", "listed", "skipped"),
    [
        ({"include": ["*.jpg"]}, [], ["a.jpg", "cache/d.jpg", "x/c.jpg"], 1),
        ({"exclude": ["cache/"]}, [], ["a.jpg", "x/b.png", "x/c.jpg"], 1),
        ({"include": ["*.jpg"], "exclude": ["/x"]}, [], ["a.jpg", "cache/d.jpg"], 1),
        ({"include": ["x/"]}, [], ["x/b.png", "x/c.jpg"], 2),
        ({"exclude": ["*.png"]}, ["cache"], ["a.jpg", "x/c.jpg"], 2),
        ({"include": ["*.JPG"]}, [], [], 4),
        ({"include": ["*.jpg"], "exclude": ["*.jpg"]}, [], [], 4),
    ],
)
def test_globs_choose(
    tmp_path: Path, location: Open, options: dict[str, Any], exclude: Sequence[str], listed: list[str], skipped: int
) -> None:
    fill(tmp_path, "a.jpg", "x/b.png", "x/c.jpg", "cache/d.jpg")
    listing = location(**options).list(exclude=exclude)
    assert paths(listing) == listed
    assert dict(listing.skipped) == {SkipReason.EXCLUDED: skipped}


def test_an_excluded_folder_is_not_entered(open_folder: Path, bound_by_permissions: Callable[..., Any]) -> None:
    fill(open_folder, "shut/a.jpg", "b.jpg")
    (open_folder / "shut").chmod(0)
    answer = bound_by_permissions(
        "listing = location.list(exclude=['shut/']); answer = [len(listing.problems), listing.frame['path'].to_list()]",
        open_folder,
    )
    assert answer == [0, ["b.jpg"]]


def test_the_workspace_is_never_entered_by_any_name(tmp_path: Path, location: Open) -> None:
    root = tmp_path / "root"
    fill(root, "a.jpg", "ws/cache/thumb.webp", "ws/ledger.sqlite", "store.db", "not yet.jpg")
    (tmp_path / "door").symlink_to(root / "ws")
    listing = location(root).list(skip=[tmp_path / "door", root / "store.db", root / "made later"])
    assert paths(listing) == ["a.jpg", "not yet.jpg"]
    assert dict(listing.skipped) == {SkipReason.WORKSPACE: 2}
    assert listing.skipped_folders == (SkippedFolder("ws/", SkipReason.WORKSPACE),)


@pytest.mark.parametrize("root", ["ws", "ws/cache"])
def test_a_location_in_the_workspace_is_refused(tmp_path: Path, location: Open, root: str) -> None:
    fill(tmp_path, "ws/cache/a.jpg")
    with pytest.raises(LocationUnavailableError, match="lies in the workspace folder"):
        location(tmp_path / root).list(skip=[tmp_path / "ws"])


def test_special_files_are_counted_and_never_opened(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        listing = location().list()
    assert paths(listing) == ["a.jpg"]
    assert dict(listing.skipped) == {SkipReason.SPECIAL: 2}


def test_folders_that_may_not_be_read_are_problems(open_folder: Path, bound_by_permissions: Callable[..., Any]) -> None:
    fill(open_folder, "a.jpg", "shut\n/b.jpg", "x/no entry/c.jpg", "x/d.jpg")
    (open_folder / "shut\n").chmod(0)
    (open_folder / "x/no entry").chmod(0o444)  # its names can be read, its files not even looked at
    answer = bound_by_permissions(
        "listing = location.list()\n"
        "answer = [sorted(listing.frame['path']), [[p.path, p.code, p.message] for p in listing.problems]]",
        open_folder,
    )
    advice = "cannot be listed: permission denied; allow reading to have it listed."
    assert answer == [
        ["a.jpg", "x/d.jpg"],
        [
            ["shut\n/", "permission", f"The folder {advice}"],
            ["x/no entry/c.jpg", "permission", f"The file {advice}"],
        ],
    ]


def test_a_location_that_may_not_be_read_is_unavailable(
    open_folder: Path, bound_by_permissions: Callable[..., Any]
) -> None:
    (open_folder / "root").mkdir(mode=0o000)
    answer = bound_by_permissions(
        "answer = []\n"
        "for ask in (location.check, location.list):\n"
        "    try: ask()\n"
        "    except DeepLensError as error: answer.append([error.code, str(error)])",
        open_folder / "root",
    )
    assert [code for code, _ in answer] == ["location_unavailable"] * 2
    assert all("permission denied; allow reading" in message for _, message in answer)


def test_a_file_is_no_location(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a.jpg")
    with pytest.raises(LocationUnavailableError, match="is not a folder"):
        location(tmp_path / "a.jpg").check()


@pytest.fixture
def deep_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that may grow deeper than Python 3.11 can remove: `shutil.rmtree` is recursive there."""
    folder = tmp_path / "deep"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_paths_that_are_too_long_are_problems(deep_folder: Path, location: Open) -> None:
    # Folders deeper than a path can say, made by handles: 25 x 200 characters are more than PATH_MAX (4096).
    part, depth = "d" * 200, 25
    handle = os.open(deep_folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(part, dir_fd=handle)
        inner = os.open(part, os.O_RDONLY, dir_fd=handle)
        os.close(os.open("a.jpg", os.O_CREAT, dir_fd=inner))
        os.close(handle)
        handle = inner
    os.close(handle)
    listing = location(deep_folder).list()
    (problem,) = listing.problems
    assert (problem.code, problem.path[-1]) == ("name_too_long", "/")
    assert "longer than the system allows" in problem.message
    assert listing.frame.height == problem.path.count("/") - 1


def test_deep_trees_need_no_recursion(deep_folder: Path, location: Open) -> None:
    depth = 1200  # more than the interpreter's 1000 calls
    handle = os.open(deep_folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("a.jpg", os.O_CREAT, dir_fd=handle))
    os.close(handle)
    listing = location(deep_folder).list()
    assert listing.frame["path"].to_list() == ["d/" * depth + "a.jpg"]
    assert location(deep_folder).stat(listing.frame["path"][0]).size_bytes == 0


class _Interrupted(LocalLocation):
    """A location at which something happens when the listing comes to a folder."""

    def __init__(self, root: Path, at: str, act: Callable[[], object]) -> None:
        super().__init__("L", "pics", str(root), {})
        self.at, self.act = at, act

    def _walk(self, never: set[FileIdentity], exclude: Sequence[str]) -> TreeWalk:
        walk = super()._walk(never, exclude)
        walk.excluded = self._act_at
        return walk

    def _act_at(self, path: str) -> bool:
        if path == self.at:
            self.act()
        return False


def test_a_folder_that_vanishes_meanwhile_is_a_problem(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "going").mkdir()
    listing = _Interrupted(tmp_path, "going/", (tmp_path / "going").rmdir).list()
    assert paths(listing) == ["a.jpg"]
    assert [(problem.path, problem.code) for problem in listing.problems] == [("going/", "gone")]


def test_a_folder_that_turns_into_a_link_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "root/a.jpg", "outside/secret.jpg")
    (tmp_path / "root/turning").mkdir()

    def turn() -> None:
        (tmp_path / "root/turning").rmdir()
        (tmp_path / "root/turning").symlink_to(tmp_path / "outside")

    listing = _Interrupted(tmp_path / "root", "turning/", turn).list()
    assert paths(listing) == ["a.jpg"]
    assert [(problem.path, problem.code) for problem in listing.problems] == [("turning/", "gone")]


def test_a_root_that_vanishes_meanwhile_stops_the_listing(tmp_path: Path) -> None:
    fill(tmp_path, "root/a/b.jpg")
    gone = _Interrupted(tmp_path / "root", "a/", lambda: (tmp_path / "root").rename(tmp_path / "away"))
    with pytest.raises(LocationUnavailableError, match="does not exist"):
        gone.list()


def test_a_root_that_is_swapped_meanwhile_stops_the_listing(tmp_path: Path) -> None:
    fill(tmp_path, "root/a/b.jpg")

    def swap() -> None:
        (tmp_path / "root").rename(tmp_path / "away")
        (tmp_path / "root").mkdir()

    with pytest.raises(LocationUnavailableError, match="another folder than before"):
        _Interrupted(tmp_path / "root", "a/", swap).list()


def test_a_later_listing_takes_a_replaced_root_as_it_is(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "root/a.jpg")
    opened = location(tmp_path / "root")
    opened.list()
    (tmp_path / "root").rename(tmp_path / "away")
    fill(tmp_path, "root/b.jpg")
    assert paths(opened.list()) == ["b.jpg"]


def test_running_out_of_handles_stops_instead_of_hiding_files(
    open_folder: Path, bound_by_permissions: Callable[..., Any]
) -> None:
    fill(open_folder, "a/b.jpg")
    answer = bound_by_permissions(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir('/proc/self/fd'))), 4096))\n"
        "try: answer = location.list().frame.height\n"
        "except DeepLensError as error: answer = [error.code, str(error)]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))",
        open_folder,
    )
    assert answer[0] == "location_unavailable"
    assert "ulimit -n" in answer[1]


def test_listing_changes_nothing(tmp_path: Path, location: Open) -> None:
    fill(tmp_path, "a/b.jpg")
    os.utime(tmp_path / "a/b.jpg", ns=(5, 5))
    before = [(tmp_path / name).stat() for name in ("a", "a/b.jpg")]
    location().list()
    after = [(tmp_path / name).stat() for name in ("a", "a/b.jpg")]
    assert [(s.st_mtime_ns, s.st_ctime_ns, stat.S_IMODE(s.st_mode)) for s in before] == [
        (s.st_mtime_ns, s.st_ctime_ns, stat.S_IMODE(s.st_mode)) for s in after
    ]
    assert (tmp_path / "a/b.jpg").stat().st_atime_ns == 5


def test_the_frame_holds_many_folders(tmp_path: Path, location: Open) -> None:
    names = [f"f{folder}/{file}.jpg" for folder in range(30) for file in range(20)]
    fill(tmp_path, *names)
    frame = location().list().frame
    assert sorted(frame["path"]) == sorted(names)
    assert frame.filter(pl.col("size_bytes") != pl.col("path").str.len_bytes()).is_empty()
