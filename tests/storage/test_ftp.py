"""What is special about FTP: its URLs, its many ways to list, its connections for data, TLS."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from deeplens_kit.errors import (
    LocationUnavailableError,
    ObjectForbiddenError,
    ObjectGoneError,
    ObjectUnreadableError,
    SettingsError,
)
from deeplens_kit.storage import LocationKind, open_location
from deeplens_kit.storage.ftp import FtpLocation
from deeplens_kit.storage.listing import UNSETTLED
from deeplens_kit.storage.store import Page
from tests.servers import vsftpd as vsftpd_server
from tests.servers.certificates import certificate
from tests.servers.ftp import FtpServer
from tests.storage.odd_ftp import OddFtp, odd_ftp


def _opened(url: str, **options: object) -> LocationKind:
    return open_location("L", "pics", url, options)


def _of(server: FtpServer, folder: Path, **options: object) -> FtpLocation:
    path = server.base.rstrip("/") + "/" + folder.name
    url = f"ftp://{server.user}@{server.host}:{server.port}{path}"
    return cast(FtpLocation, _opened(url, password="${FTP_PASSWORD}", **options))


def _odd(script: OddFtp, **options: object) -> LocationKind:
    return _opened(f"ftp://127.0.0.1:{script.port}/", **{"retries": 0, **options})


@pytest.fixture
def folder(vsftpd: FtpServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FTP_PASSWORD", vsftpd.password)
    made = vsftpd.served / request.node.name
    made.mkdir()
    return made


# --- Addresses and options -----------------------------------------------------------------------------------------


def test_two_spellings_of_an_address_name_one_place() -> None:
    plain = _opened("ftp://ftp.example.org/a b/c")
    for url in ("FTP://FTP.Example.org:21//a%20b/c/", "ftps://anonymous@ftp.example.org/a%20b//c"):
        assert _opened(url).place == plain.place == "ftp://anonymous@ftp.example.org/a b/c/"
    assert plain.url == "ftp://ftp.example.org/a%20b/c"
    assert _opened("ftp://ftp.example.org/a b", base_path="c").place == plain.place
    assert _opened("ftp://ftp.example.org:2121/").place == "ftp://anonymous@ftp.example.org:2121/"
    assert _opened("ftp://[2001:DB8::1]/x").url == "ftp://[2001:db8::1]/x"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("ftp://ann:hunter2@h/", {}, "holds a password"),
        ("ftp://h:99999/", {}, "cannot be read"),
        ("ftp:///x", {}, "cannot be read"),
        ("ftp://h/a/../b", {}, "'.' or '..'"),
        ("ftp://ann@h/", {}, "needs location option 'password'"),
        ("ftp://h/", {"ca_file": "x.pem"}, "ftps://"),
        ("ftp://h/", {"encoding": "klingon"}, "utf-8 or latin-1"),
    ],
)
def test_what_cannot_be_is_refused_before_anybody_connects(url: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        _opened(url, **options)
    assert "hunter2" not in str(caught.value)


# --- Tokens --------------------------------------------------------------------------------------------------------


def test_lists_of_minutes_are_made_certain_to_the_second_by_mdtm(vsftpd: FtpServer, folder: Path) -> None:
    file = folder / "a.jpg"
    file.write_bytes(b"one")
    old = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
    os.utime(file, (old.timestamp(), old.timestamp()))
    with closing(_of(vsftpd, folder)) as location:
        (row,) = location.list().frame.iter_rows(named=True)
        assert (row["change_token"], row["modified_at"]) == ("3-20200203040506", old)
        file.write_bytes(b"two")
        assert location.stat("a.jpg").change_token.endswith(UNSETTLED)


def test_facts_make_the_token_and_a_folder_that_holds_itself_ends(
    pyftpd: FtpServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTP_PASSWORD", pyftpd.password)
    made = pyftpd.served / request.node.name
    (made / "sub").mkdir(parents=True)
    (made / "sub" / "a.jpg").write_bytes(b"one")
    (made / "sub" / "again").symlink_to(made / "sub")
    (made / "sub" / "top").symlink_to(made)
    (made / "sub" / "same.jpg").symlink_to("a.jpg")
    with closing(_of(pyftpd, made)) as location:
        folder_of = location.store.folder  # type: ignore[attr-defined]

        def folder(path: str) -> Page:
            page = folder_of(path)
            if path:
                location.store.folder = folder_of  # type: ignore[attr-defined]
                location.check()  # as somebody may who looks at the locations meanwhile
            return cast(Page, page)

        location.store.folder = folder  # type: ignore[attr-defined]
        listing = location.list()
        assert sorted(listing.frame["path"]) == ["sub/a.jpg", "sub/same.jpg"]
        assert dict(listing.skipped) == {"symlink": 2}
        # A link is not another copy.
        assert set(listing.frame["link_id"]) == {location.stat("sub/a.jpg").link_id}
        # Size, time, and what tells one file from another of the same name.
        assert listing.frame["change_token"][0].removesuffix(UNSETTLED).count("-") == 2


def test_an_old_server_is_listed_and_read_again_each_time() -> None:
    lines = b"total 8\r\n-rw-r--r-- 1 o g 3 Nov 30 20:11 a b.jpg\r\nlrwxrwxrwx 1 o g 3 Jan 1 2020 l -> x\r\n"
    answers = {"LIST": "226 Done.", "LIST -a": "550 No such file.", "RETR": "226 Done."}
    with odd_ftp(answers, {"LIST": lines, "RETR /a b.jpg": b"one"}) as script, closing(_odd(script)) as location:
        state = location.stat("a b.jpg")
        assert (state.size_bytes, state.modified_at, state.change_token) == (3, None, f"3{UNSETTLED}")
        assert location.read("a b.jpg", max_bytes=9) == b"one"
        assert "is read again by each run" in " ".join(location.check().remarks)
        listing = location.list()
        assert listing.frame["path"].to_list() == ["a b.jpg"]
        assert dict(listing.skipped) == {"symlink": 1}
        with pytest.raises(ObjectGoneError):
            location.stat("b.jpg")


def test_sizes_that_facts_leave_out_are_asked_for_after_the_list() -> None:
    facts = b"type=file;modify=20200101000000; a.jpg\r\nType=file;Size=3;Modify=20200101000000; \xe9.jpg\r\n"
    answers = {"FEAT": "211-I know:\n MLST type*;size*;modify*;\n211 End", "SIZE": "213 9", "MLSD": "226 Done."}
    with odd_ftp(answers, {"MLSD /": facts}) as script, closing(_odd(script, encoding="latin-1")) as location:
        rows = location.list().frame.select("path", "size_bytes", "link_id").rows()
        assert sorted(rows) == [("a.jpg", 9, None), ("é.jpg", 3, None)]
        assert script.asked[-1] == "SIZE /a.jpg"


def test_hidden_files_are_asked_for_where_the_server_understands() -> None:
    lines = b"drwxr-xr-x 2 o g 99 Jan  1  2020 .\r\n-rw-r--r-- 1 o g 3 Nov 30 20:11 .a.jpg\r\n"
    answers = {"LIST": "226 Done."}
    with odd_ftp(answers, {"LIST -a": lines}) as script, closing(_odd(script, hidden=True)) as location:
        assert location.list().frame["path"].to_list() == [".a.jpg"]
    # One that takes -a for a name finds nothing of that name.
    plain = {"LIST -a": b"", "LIST": b"-rw-r--r-- 1 o g 3 Nov 30 20:11 a.jpg\r\n"}
    with odd_ftp(answers, plain) as script, closing(_odd(script)) as location:
        assert location.list().frame["path"].to_list() == ["a.jpg"]


def test_a_line_that_is_not_understood_is_never_left_out() -> None:
    with (
        odd_ftp({"LIST": "226 Done.", "LIST -a": "550 No."}, {"LIST": b"a.jpg, three bytes\r\n"}) as script,
        closing(_odd(script)) as location,
        pytest.raises(LocationUnavailableError, match=r"a\.jpg, three bytes"),
    ):
        location.list()


# --- Bytes ---------------------------------------------------------------------------------------------------------

_KNOWN = {"FEAT": "211-I know:\n MDTM\n SIZE\n211 End", "SIZE": "213 9", "MDTM": "213 20200101000000"}


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("426 Broken.", "426 Broken"),
        ("451 Disk.", "451 Disk"),
        ("", "closed the connection"),
        ("226 Done.", "4 bytes came of 9"),
    ],
)
def test_a_transfer_that_was_cut_is_a_failure_and_no_short_file(last: str, message: str) -> None:
    with (
        odd_ftp({**_KNOWN, "RETR": last}, {"RETR /a.jpg": b"four"}) as script,
        closing(_odd(script)) as location,
        pytest.raises(ObjectUnreadableError, match=message),
    ):
        location.read("a.jpg", max_bytes=99)


def test_a_connection_that_was_idle_too_long_is_made_anew() -> None:
    with (
        odd_ftp({**_KNOWN, "RETR": "226 Done."}, {"RETR /a.jpg": b"nine byte"}) as script,
        closing(_odd(script, retries=1)) as location,
    ):
        state = location.stat("a.jpg")
        script.answers["RETR"] = "421 Idle."
        script.data = {}
        with pytest.raises(ObjectUnreadableError, match="421 Idle"):
            location.read("a.jpg", expected=state, max_bytes=99)
        assert sum(line.startswith("USER") for line in script.asked) == 2


def test_what_may_not_be_read_is_told_from_what_is_gone() -> None:
    with odd_ftp({**_KNOWN, "RETR": "550 Failed to open file."}) as script, closing(_odd(script)) as location:
        with pytest.raises(ObjectForbiddenError, match="Failed to open file"):
            location.read("a.jpg", expected=location.stat("a.jpg"), max_bytes=99)
        state = location.stat("a.jpg")
        script.answers["SIZE"] = "550 Could not get file size."
        with pytest.raises(ObjectGoneError):
            location.read("a.jpg", expected=state, max_bytes=99)


def test_names_are_sent_in_the_encoding_of_the_server(vsftpd: FtpServer, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xe9.jpg")).write_bytes(b"latin")
    with closing(_of(vsftpd, folder)) as location, closing(_of(vsftpd, folder, encoding="latin-1")) as told:
        (path,) = location.list().frame["path"]
        assert location.read(path, max_bytes=9) == b"latin"
        assert told.list().frame["path"].to_list() == ["é.jpg"]
        assert told.read("é.jpg", max_bytes=9) == b"latin"
        with pytest.raises(ObjectUnreadableError, match="cannot be written in latin-1"):
            told.stat("Ω.jpg")
        with pytest.raises(ObjectUnreadableError, match="no server of FTP"):
            location.stat("a\nb.jpg")


# --- Credentials, TLS, servers that go -----------------------------------------------------------------------------


def test_a_changed_password_is_taken_up(vsftpd: FtpServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.jpg").write_bytes(b"one")
    with odd_ftp({"PASS": "530 No."}) as script, closing(_odd(script)) as location:
        with pytest.raises(LocationUnavailableError, match="530 No"):
            location.list()
        assert sum(line.startswith("PASS") for line in script.asked) == 2
    monkeypatch.setenv("FTP_PASSWORD", "of yesterday")
    with closing(_of(vsftpd, folder)) as location:
        with pytest.raises(LocationUnavailableError, match="530"):
            location.list()
        monkeypatch.setenv("FTP_PASSWORD", vsftpd.password)
        assert location.list().frame.height == 1


def test_it_says_that_it_cannot_be_written_and_is_in_clear(vsftpd: FtpServer, folder: Path) -> None:
    with closing(_of(vsftpd, folder, permissions="change")) as location:
        found = location.check()
        assert not location.may_create
        assert any("in clear" in remark for remark in found.remarks)
        assert any("can only be read" in remark for remark in found.remarks)


def test_tls_covers_data_and_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificate(tmp_path)
    with vsftpd_server.running(tmp_path / "server", made) as server:
        monkeypatch.setenv("FTP_PASSWORD", server.password)
        (server.served / "a.jpg").write_bytes(b"one")
        url = f"ftps://{server.user}@{server.host}:{server.port}{server.base}"
        with (
            closing(_opened(url, password="${FTP_PASSWORD}")) as location,
            pytest.raises(LocationUnavailableError, match=r"not trusted .*ca_file"),
        ):
            location.check()
        with closing(_opened(url, password="${FTP_PASSWORD}", ca_file=str(made.file), retries=1)) as location:
            assert location.check().remarks == ()
            state = location.stat("a.jpg")
            assert location.read("a.jpg", expected=state, max_bytes=9) == b"one"
            with location.open("a.jpg") as file:
                file.seek(1)
                assert file.read(1) == b"n"
            server.kill()
            with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
                location.list()
            server.restart()
            assert location.list().frame["path"].to_list() == ["a.jpg"]
