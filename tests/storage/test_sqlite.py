"""What is special to files in SQLite: tables and columns, keys and names, tokens, files that are no database."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deeplens_kit.errors import LocationUnavailableError, ObjectChangedError, ObjectGoneError, SettingsError
from deeplens_kit.storage import LocationKind, encode_path, open_location
from deeplens_kit.storage.listing import UNSETTLED, settled

Opener = Callable[..., LocationKind]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pictures.db"


@pytest.fixture
def database(file: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = off")
        yield connection


@pytest.fixture
def opened(request: pytest.FixtureRequest, file: Path) -> Opener:
    def opening(table: str = "pics", **options: object) -> LocationKind:
        given = {"table": table, "blob_column": "data", "retries": 0, **options}
        location = open_location("L", "pics", file.as_uri().replace("file", "sqlite", 1), given)
        request.addfinalizer(location.close)
        return location

    return opening


def test_two_spellings_name_one_place(tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "link.db").symlink_to("real.db")
    first, second = (
        open_location("L", "pics", f"sqlite:///{tmp_path}/{name}", {"table": table, "blob_column": blob})
        for name, table, blob in (("real.db", "Pics", "data"), ("link.db", "main.pics", "DATA"))
    )
    assert first.place == second.place == f"sqlite://{os.path.realpath(tmp_path)}/real.db/pics/data/"
    assert first.url == f"sqlite://{tmp_path}/real.db"
    with pytest.raises(SettingsError, match="names no file; write sqlite:///PATH"):
        open_location("L", "pics", "sqlite://real.db", {"table": "pics", "blob_column": "data"})


def test_names_that_the_file_lacks_are_told_with_the_nearest(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pictures (id INTEGER PRIMARY KEY, name TEXT, data BLOB)")
    database.execute("CREATE VIEW shown AS SELECT * FROM pictures")
    database.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, data BLOB) WITHOUT ROWID")
    database.execute("CREATE TABLE full (rowid, _rowid_, oid, data BLOB)")
    for table, options, message in (
        ("picturs", {}, "no table 'picturs' in the file; the nearest name is 'pictures'"),
        ("pictures", {"blob_column": "dta"}, "no column 'dta' in table 'pictures'; the nearest name is 'data'"),
        ("pictures", {"key_column": "name"}, "'name' of table 'pictures' has no unique index; those that do: id"),
        ("shown", {}, "'shown' is a view"),
        ("bare", {}, "WITHOUT ROWID"),
        ("full", {}, "columns of all names of the rowid"),
    ):
        with pytest.raises(LocationUnavailableError, match=message):
            opened(table, **options).check()


def test_names_are_quoted_and_keys_of_every_type_found(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute('CREATE TABLE "odd ""table""; --" ("k e""y" UNIQUE, rowid TEXT, "da\'ta" BLOB)')
    for key in (7, "8", "x/y.jpg", "é", -3):
        database.execute('INSERT INTO "odd ""table""; --" VALUES (?, ?, ?)', (key, "", str(key).encode()))
    location = opened('Odd "Table"; --', key_column='K E"Y', blob_column="DA'TA")
    paths = location.list().frame["path"].to_list()
    assert paths == ["7", "8", "x/y.jpg", "é", "-3"]
    assert [location.read(path, max_bytes=9) for path in paths] == [path.encode() for path in paths]


def test_names_that_a_column_calls_equal_are_told_apart(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pics (name COLLATE NOCASE, data BLOB)")
    database.executemany("INSERT INTO pics VALUES (?, ?)", [("a.jpg", b"1"), ("A.JPG", b"2"), (7, b"3")])
    location = opened(name_column="name")
    assert [location.read(path, max_bytes=9) for path in ("a.jpg", "A.JPG", "7")] == [b"1", b"2", b"3"]


def test_a_pipe_is_not_waited_for(file: Path, opened: Opener) -> None:
    os.mkfifo(file)
    with pytest.raises(LocationUnavailableError, match="no regular file"):
        opened().list()


def test_what_is_no_bytes_is_counted_and_what_is_nothing_is_not(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pics (data BLOB)")
    database.executemany("INSERT INTO pics VALUES (?)", [("text",)] * 1000 + [(5,), (None,), (b"ab",)])
    location = opened()
    listing = location.list()
    assert listing.frame["path"].to_list() == ["1003"]
    assert dict(listing.skipped) == {"special": 1001}
    for path in ("1", "1002", "1004", "9" * 30, "x"):
        with pytest.raises(ObjectGoneError):
            location.stat(path)


def test_rows_of_one_name_and_names_that_are_not_utf8(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pics (id INTEGER PRIMARY KEY, name TEXT, data BLOB)")
    for number, name in enumerate((b"a.jpg", b"\xff.jpg", b"a.jpg", None), 1):
        database.execute("INSERT INTO pics VALUES (?, CAST(? AS TEXT), ?)", (number, name, b"%d" % number))
    location = opened(name_column="name")
    paths = location.list().frame["path"].to_list()
    assert paths == ["a.jpg", encode_path("\udcff.jpg"), "a [key 3].jpg", " [key 4]"]
    assert [location.read(path, max_bytes=9) for path in paths] == [b"1", b"2", b"3", b"4"]


def test_without_a_column_that_tells_changes_each_write_changes_all_tokens(
    database: sqlite3.Connection, opened: Opener, file: Path
) -> None:
    database.execute("CREATE TABLE pics (id INTEGER PRIMARY KEY, data BLOB)")
    database.execute("INSERT INTO pics VALUES (1, 'x'), (2, ?)", (b"two",))
    past = time.time_ns() - 10 * 10**9
    os.utime(file, ns=(past, past))
    location = opened()
    before = location.stat("2")
    assert before.change_token == settled(before.change_token)
    assert "name a modified_column or a checksum_column" in location.check().remarks[0]
    with location.open("2") as stream:
        database.execute("UPDATE pics SET data = 'y' WHERE id = 1")
        os.utime(file, ns=(past, past))  # the file's own counter tells
        with pytest.raises(ObjectChangedError):
            stream.read()
    with pytest.raises(ObjectChangedError):
        location.read("2", expected=before, max_bytes=9)
    database.execute("UPDATE pics SET data = 'z' WHERE id = 1")
    assert location.stat("2").change_token.endswith(UNSETTLED)


def test_columns_that_tell_changes_make_tokens_of_rows(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pics (id INTEGER PRIMARY KEY, data BLOB, changed, digest)")
    rows = [
        (b"1", "2020-01-02 03:04:05", "AB" * 32),
        (b"2", 1577934245, b"\xab" * 16),
        (b"3", 1577934245000.0, None),
        (b"4", "yesterday", ""),
        (b"5", None, "no digest"),
    ]
    database.executemany("INSERT INTO pics (data, changed, digest) VALUES (?, ?, ?)", rows)
    both, times, digests = (
        {path: location.stat(path) for path in "12345"}
        for location in (
            opened(modified_column="changed", checksum_column="digest"),
            opened(modified_column="changed"),
            opened(checksum_column="digest"),
        )
    )
    assert [both[path].checksum for path in "12345"] == [f"sha256:{'ab' * 32}", f"md5:{'ab' * 16}", None, None, None]
    assert {str(times[path].modified_at)[:19] for path in "123"} == {"2020-01-02 03:04:05"}
    assert [path for path in "12345" if times[path].change_token.endswith(UNSETTLED)] == ["4", "5"]
    assert [path for path in "12345" if digests[path].change_token.endswith(UNSETTLED)] == ["3", "4", "5"]
    database.execute("UPDATE pics SET data = 'text', changed = 5 WHERE id = 3")
    assert {path: opened(checksum_column="digest").stat(path) for path in "125"} == {p: digests[p] for p in "125"}


def test_a_time_is_trusted_no_finer_than_its_form(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pics (data BLOB, changed)")
    now = datetime.now(UTC)
    past = now - timedelta(seconds=30)
    rows = (
        (now.strftime("%Y-%m-%d"), True),
        ((now - timedelta(days=1)).strftime("%Y%m%d"), True),
        ((now - timedelta(days=4)).strftime("%Y-%m-%d"), False),
        (int(now.timestamp()) // 86400 * 86400, True),
        (now.strftime("%Y-%m-%d 00:00:00"), True),
        (past.strftime("%Y-%m-%d %H:%M"), True),
        (past.strftime("%Y-%m-%dT%H:%M+00:00"), True),
        ((now - timedelta(minutes=30)).strftime("%Y-%m-%dT%H"), True),
    )
    for row in rows:
        database.execute("INSERT INTO pics VALUES (x'00', ?)", row[:1])
    location = opened(modified_column="changed")
    marked = [location.stat(str(number)).change_token.endswith(UNSETTLED) for number in range(1, len(rows) + 1)]
    assert marked == [row[1] for row in rows]


def test_what_is_no_digest_settles_nothing(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pics (data BLOB, digest)")
    for digest in ("pending", "ab" * 20, "g" * 64, b"short", "AB" * 16):
        database.execute("INSERT INTO pics VALUES (x'00', ?)", (digest,))
    location = opened(checksum_column="digest")
    assert [location.stat(path).change_token.endswith(UNSETTLED) for path in "12345"] == [True] * 4 + [False]


@pytest.mark.parametrize("column", ["changed", ""])
def test_a_file_that_took_the_place_of_another_is_read(
    database: sqlite3.Connection, opened: Opener, file: Path, column: str
) -> None:
    database.execute("CREATE TABLE pics (name TEXT PRIMARY KEY, data BLOB, changed)")
    database.execute("INSERT INTO pics VALUES ('a.jpg', ?, 1)", (b"old",))
    location = opened(modified_column=column)
    before = location.stat("a.jpg")
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: location.read("a.jpg", max_bytes=9), range(8))) == {b"old"}
    other = file.with_name("other.db")
    shutil.copy(file, other)
    with contextlib.closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE pics RENAME COLUMN data TO bytes")
        connection.execute("ALTER TABLE pics ADD COLUMN data BLOB")
        connection.execute("UPDATE pics SET data = ?, changed = 2", (b"new",))
    other.replace(file)
    after = location.stat("a.jpg")
    assert settled(after.change_token) != settled(before.change_token)
    assert location.read("a.jpg", expected=after, max_bytes=9) == b"new"
    with pytest.raises(ObjectChangedError):
        location.read("a.jpg", expected=before, max_bytes=9)


def test_nothing_is_written(database: sqlite3.Connection, opened: Opener, file: Path) -> None:
    database.execute("CREATE TABLE pics (data BLOB)")
    database.execute("INSERT INTO pics VALUES (?)", (b"x",))
    before = file.read_bytes(), file.stat().st_mtime_ns, sorted(file.parent.iterdir())
    location = opened(permissions="change")
    location.check()
    assert location.read("1", max_bytes=9) == b"x"
    location.close()
    assert before == (file.read_bytes(), file.stat().st_mtime_ns, sorted(file.parent.iterdir()))


def test_who_writes_is_waited_for(database: sqlite3.Connection, opened: Opener) -> None:
    database.execute("CREATE TABLE pics (data BLOB)")
    location = opened(timeout_seconds=0.1)
    database.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LocationUnavailableError, match=r"database is locked.*Nothing was marked as gone"):
        location.list()
    database.execute("COMMIT")
    assert location.list().frame.is_empty()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be opened: No such file"),
        (b"no database " * 100, "file is not a database"),
        ("folder", "Is a dir"),
    ],
)
def test_what_is_no_database_marks_nothing_as_gone(
    file: Path, opened: Opener, content: bytes | str | None, message: str
) -> None:
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        file.mkdir()
    for ask in (opened().check, opened().list):
        with pytest.raises(LocationUnavailableError, match=rf"{message}.*Nothing was marked as gone"):
            ask()
    assert content is not None or not file.exists()
