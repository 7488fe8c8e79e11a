"""What is special about folders that are reached by SSH: whom they trust, names as bytes, and what is half written."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deeplens_kit.errors import LocationUnavailableError, ObjectUnreadableError, SettingsError, StoreFullError
from deeplens_kit.storage import encode_path, normalise_url, open_location
from deeplens_kit.storage.listing import UNSETTLED
from deeplens_kit.storage.resilience import FaultKind
from deeplens_kit.storage.sftp import SftpAddress, SftpLocation
from tests.servers import sshd as sshd_server
from tests.servers.server import HOST
from tests.servers.sshd import SftpServer

Opener = Callable[..., SftpLocation]


@pytest.fixture
def folder(sshd: SftpServer) -> Path:
    made = sshd.served / secrets.token_hex(6)
    made.mkdir()
    return made


@pytest.fixture
def opened(sshd: SftpServer, folder: Path) -> Opener:
    def open_it(**options: object) -> SftpLocation:
        given = {"private_key_file": str(sshd.private_key), "host_key": sshd.host_key, "retries": 0, **options}
        url = f"sftp://{sshd.user}@{HOST}:{sshd.port}{folder}"
        location = open_location("L", "pics", url, {name: value for name, value in given.items() if value != ""})
        assert isinstance(location, SftpLocation)
        return location

    return open_it


# --- What a URL names ----------------------------------------------------------------------------------------------


def test_two_spellings_of_a_folder_are_one_place() -> None:
    spelled = ["sftp://me@NAS/Pictures/é b", "SSH://you@nas:22/Pictures/%C3%A9%20b/", "sftp://nas//Pictures/é b"]
    assert {SftpAddress.of(url).place("") for url in spelled} == {"sftp://nas/Pictures/é b/"}
    assert SftpAddress.of("sftp://nas/Pictures").place("/é b/") == "sftp://nas/Pictures/é b/"
    assert normalise_url(spelled[1]) == "sftp://you@nas/Pictures/%C3%A9%20b"
    assert normalise_url("sftp://[FE80::1]:2200") == "sftp://[fe80::1]:2200"
    assert normalise_url("sftp://nas/a%FFb") == "sftp://nas/a%FFb"
    home = SftpAddress.of("sftp://me@nas/~/pics")
    assert (home.url, home.place("a"), home.root("a")) == ("sftp://me@nas/~/pics", "sftp://nas/~me/pics/a/", b"pics/a")
    assert SftpAddress.of("sftp://me@nas/~").root("") == b"."
    assert (SftpAddress.of("sftp://nas").root(""), SftpAddress.of("sftp://nas/a").root("b")) == (b"/", b"/a/b")


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("sftp:///pics", {}, "names no folder"),
        ("sftp://me:hunter2@nas/s", {}, "holds a password"),
        ("sftp://nas/s/../t", {}, "may hold no '.' or '..' parts"),
        ("sftp://me@nas/s", {"user": "you"}, "say each once"),
        ("sftp://nas:22/s", {"port": 23}, "say each once"),
        ("sftp://nas/s", {"passphrase": "${X}"}, "needs 'private_key_file'"),
        ("sftp://nas/s", {"host_key": "hunter2"}, "is no key"),
    ],
)
def test_what_is_not_allowed_is_told_without_the_password(url: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        open_location("L", "pics", url, options)
    assert "hunter2" not in str(caught.value)


def test_a_path_beneath_the_home_of_the_user_is_listed(sshd: SftpServer) -> None:
    location = open_location(
        "L",
        "pics",
        f"sftp://{sshd.user}@{HOST}:{sshd.port}/~",
        {"private_key_file": str(sshd.private_key), "host_key": sshd.host_key, "include": ["no-such-file"]},
    )
    assert location.check().may_write is None


# --- Whom it trusts ------------------------------------------------------------------------------------------------


def test_a_host_that_is_not_known_is_refused_with_its_fingerprint(
    sshd: SftpServer, opened: Opener, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.touch()
    with pytest.raises(LocationUnavailableError, match="is not known") as caught:
        opened(host_key="", known_hosts_file=str(known)).check()
    assert sshd.host_fingerprint in str(caught.value)
    known.write_text(sshd.known_hosts)
    assert opened(host_key="", known_hosts_file=str(known)).list().frame.is_empty()
    assert opened(host_key=sshd.host_fingerprint).list().frame.is_empty()
    with pytest.raises(LocationUnavailableError, match=r"known hosts '/no/such/file' cannot be read"):
        opened(host_key="", known_hosts_file="/no/such/file").check()


def test_a_host_key_that_changed_is_refused(sshd: SftpServer, opened: Opener, tmp_path: Path) -> None:
    other = " ".join(sshd.other_key.with_suffix(".pub").read_text().split()[:2])
    known = tmp_path / "known_hosts"
    known.write_text(sshd.known_hosts.replace(sshd.host_key, other))
    for options in (
        {"host_key": other},
        {"host_key": "SHA256:" + "A" * 43},
        {"host_key": "", "known_hosts_file": str(known)},
    ):
        with pytest.raises(LocationUnavailableError, match="another machine answers in its place") as caught:
            opened(**options).check()
        assert sshd.host_fingerprint in str(caught.value)


def test_a_key_that_opens_nothing_and_a_file_that_is_none_are_told(
    sshd: SftpServer, opened: Opener, tmp_path: Path
) -> None:
    with pytest.raises(LocationUnavailableError, match="does not let the user in"):
        opened(private_key_file=str(sshd.other_key)).check()
    with pytest.raises(LocationUnavailableError, match="cannot be read: No such file"):
        opened(private_key_file=str(tmp_path / "none")).check()
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(LocationUnavailableError, match="is no key of SSH"):
        opened(private_key_file=str(tmp_path / "junk")).check()


def test_a_passphrase_that_was_changed_is_taken_without_opening_anew(
    sshd: SftpServer, opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    shutil.copy(sshd.private_key, key)
    change: list[str | Path] = [sshd_server.KEYGEN.find(), "-q", "-p", "-P", "", "-N", "test-passphrase", "-f", key]
    subprocess.run(change, check=True, capture_output=True)
    monkeypatch.setenv("SFTP_PASSPHRASE", "of-yesterday")
    location = opened(private_key_file=str(key), passphrase="${SFTP_PASSPHRASE}")
    with pytest.raises(LocationUnavailableError, match="option 'passphrase' does not open it"):
        location.list()
    monkeypatch.setenv("SFTP_PASSPHRASE", "test-passphrase")
    assert location.list().frame.is_empty()


# --- What is listed ------------------------------------------------------------------------------------------------


def test_names_are_bytes_and_links_are_not_followed(opened: Opener, folder: Path) -> None:
    odd = os.fsdecode(b"caf\xe9\n.jpg")
    (folder / odd).write_bytes(b"12345")
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to("..")
    (folder / "same.jpg").symlink_to(odd)
    os.mkfifo(folder / "pipe")
    location = opened()
    listing = location.list()
    assert listing.frame["path"].to_list() == [encode_path(odd)]
    assert dict(listing.skipped) == {"symlink": 2, "special": 1}
    assert location.read(encode_path(odd), max_bytes=9) == b"12345"
    for ask in (location.stat, lambda path: location.read(path, max_bytes=9)):
        with pytest.raises(ObjectUnreadableError, match="not a file any more"):
            ask("same.jpg")


def test_a_quarantine_is_closed_to_others(opened: Opener, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"12345")
    location = opened(permissions="change")
    location.move("a.jpg", ".deeplens-quarantine/1/a.jpg", expected=location.stat("a.jpg"))
    kept = folder / ".deeplens-quarantine"
    assert [stat.S_IMODE(made.stat().st_mode) for made in (kept, kept / "1")] == [0o700, 0o700]


def test_a_large_folder_comes_in_several_answers(opened: Opener, folder: Path) -> None:
    names = {f"{number:05}-{'n' * 150}.jpg" for number in range(700)}
    for name in names:
        (folder / name).touch()
    assert set(opened().list().frame["path"]) == names


def test_less_than_was_asked_for_is_asked_for_anew(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenSSH gives at most 255 KiB at once.
    monkeypatch.setattr("deeplens_kit.storage.sftp_wire._REQUEST_BYTES", 2**20)
    data = os.urandom(3 * 2**20 + 11)
    (folder / "a.bin").write_bytes(data)
    assert opened().read("a.bin", max_bytes=len(data)) == data


# --- Writing -------------------------------------------------------------------------------------------------------


def test_a_server_that_writes_over_files_is_not_written_to(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deeplens_kit.storage.sftp_wire import SftpChannel

    rename = SftpChannel.rename

    def over(self: SftpChannel, path: bytes, target: bytes) -> None:
        self.remove(target)
        rename(self, path, target)

    monkeypatch.setattr(SftpChannel, "rename", over)
    with pytest.raises(ObjectUnreadableError, match="writes over a file"):
        opened(permissions="create").create("a.bin", b"1")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "said", "error"),
    [
        (4, "Failure", ObjectUnreadableError),
        (4, "No space left on device", StoreFullError),
        (4, "Disk quota exceeded", StoreFullError),
        (15, "", StoreFullError),
    ],
)
def test_what_cannot_be_finished_leaves_nothing(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str, error: type[Exception]
) -> None:
    from deeplens_kit.storage.sftp_wire import SftpAnswer, SftpChannel

    def fail(self: SftpChannel, path: bytes, target: bytes) -> None:
        raise SftpAnswer(code, said)

    monkeypatch.setattr(SftpChannel, "rename", fail)
    with pytest.raises(error):
        opened(permissions="create").create("a.bin", b"1")
    assert list(folder.iterdir()) == []


def test_what_the_protocol_answers_has_a_meaning(opened: Opener) -> None:
    from deeplens_kit.storage.sftp_wire import SftpAnswer

    store = opened().store
    kinds = {}
    for code in (2, 3, 4, 7):
        fault = store.fault_of(SftpAnswer(code, "Said."))
        assert fault is not None
        assert "said" in fault.reason
        kinds[code] = fault.kind
    assert kinds == {2: FaultKind.GONE, 3: FaultKind.FORBIDDEN, 4: FaultKind.BROKEN, 7: FaultKind.PASSING}
    assert store.fault_of(KeyError("a defect")) is None


# --- Servers that go -----------------------------------------------------------------------------------------------


def test_a_server_that_dies_makes_the_location_unavailable_until_it_is_back(tmp_path: Path) -> None:
    with sshd_server.running(tmp_path) as server:
        (server.served / "a").mkdir()
        (server.served / "a" / "b.jpg").write_bytes(b"12345")
        location = open_location(
            "L",
            "pics",
            f"sftp://{server.user}@{HOST}:{server.port}{server.served}",
            {"private_key_file": str(server.private_key), "host_key": server.host_key, "retries": 0},
        )
        assert location.list().frame.height == 1
        pool = location.store._pool  # type: ignore[attr-defined]
        with pool.lent(), pool.lent():
            pass  # two that the server takes with it
        server.kill()
        with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
            location.list()
        server.restart()
        assert location.list().frame.height == 1


# --- Space and clocks ----------------------------------------------------------------------------------------------


def test_a_full_disk_says_so(opened: Opener, folder: Path, mount: Callable[[Path], None]) -> None:
    mount(folder / "disk")
    location = opened(permissions="create")
    for _ in range(2):
        with pytest.raises(StoreFullError, match="no space"):
            location.create("disk/a.bin", bytes(3 * 2**20))
    assert list((folder / "disk").iterdir()) == []


def test_a_server_whose_clock_is_behind_gives_no_token_that_is_trusted(opened: Opener, folder: Path) -> None:
    for name, seconds in (("new.jpg", 50), ("old.jpg", 500)):
        (folder / name).write_bytes(b"1")
        os.utime(folder / name, (time.time() - seconds,) * 2)
    frame = opened().list().frame
    assert {path: token.endswith(UNSETTLED) for path, token in frame.select("path", "change_token").iter_rows()} == {
        "new.jpg": True,
        "old.jpg": False,
    }
