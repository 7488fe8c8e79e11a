"""What is special about shares: their URLs, links that the server hides, signatures, and what is half written."""

from __future__ import annotations

import gc
import os
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.errors import LocationUnavailableError, PlaceholderError, SettingsError, StoreFullError
from deeplens_kit.storage import normalise_url, open_location
from deeplens_kit.storage.mounted import MountedLocation
from deeplens_kit.storage.resilience import FaultKind
from deeplens_kit.storage.smb import ShareAddress, SmbLocation
from deeplens_kit.storage.smb_faults import breaks_connection, fault_of_status
from tests.servers import samba as samba_server
from tests.servers.samba import SmbServer
from tests.servers.server import HOST

Opener = Callable[..., SmbLocation]


@pytest.fixture
def folder(samba: SmbServer) -> Path:
    made = samba.served / secrets.token_hex(6)
    made.mkdir()
    return made


@pytest.fixture
def opened(samba: SmbServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    monkeypatch.setenv("SMB_PASSWORD", samba.password)

    def open_it(user: str = samba.user, port: int = samba.port, **options: object) -> SmbLocation:
        url = f"smb://{user}@{HOST}:{port}/{samba.share}/{folder.name}"
        location = open_location("L", "pics", url, {"password": "${SMB_PASSWORD}", "retries": 0, **options})
        assert isinstance(location, SmbLocation)
        return location

    return open_it


# --- What a URL names ----------------------------------------------------------------------------------------------


def test_two_spellings_of_a_share_are_one_place() -> None:
    spelled = ["smb://me@NAS/Pictures/é b", "CIFS://WORK;you@nas:445/pictures/%C3%A9%20b/", "smb://nas/PICTURES//é b"]
    assert {ShareAddress.of(url).place("") for url in spelled} == {"smb://nas/pictures/é b/"}
    assert ShareAddress.of("smb://nas/pictures").place("/é b/") == "smb://nas/pictures/é b/"
    assert normalise_url(spelled[1]) == "smb://WORK;you@nas/pictures/%C3%A9%20b"
    assert normalise_url("smb://[FE80::1]:4450/s") == "smb://[fe80::1]:4450/s"
    assert ShareAddress.of("smb://nas:4450/s").place("") != ShareAddress.of("smb://nas/s").place("")


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("smb://nas", {}, "names no share"),
        ("smb://nas/", {}, "names no share"),
        ("smb://me:hunter2@nas/s", {}, "holds a password"),
        ("smb://nas/s/../t", {}, "is no path of a share"),
        ("smb://nas/s/a%3Ab", {}, "is no path of a share"),
        ("smb://nas:0/s", {}, "must be 1 to 65535"),
        ("smb://me@nas/s", {"user": "you"}, "give one of them"),
        ("smb://nas/s", {"password": "${X}"}, "needs a user"),
        ("smb://nas/s", {"mount_point": "mnt"}, "must be the absolute path"),
    ],
)
def test_what_is_not_allowed_is_told_without_the_password(url: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        open_location("L", "pics", url, options)
    assert "hunter2" not in str(caught.value)


def test_a_share_is_the_same_place_where_it_is_mounted() -> None:
    by_protocol = open_location("L", "pics", "smb://me@nas/s/a", {"base_path": "b"})
    mounted = open_location("L", "pics", "smb://me@nas/s/a", {"base_path": "b", "mount_point": "/mnt/none"})
    assert isinstance(mounted, MountedLocation)
    assert (mounted.url, mounted.place) == (by_protocol.url, by_protocol.place)
    with pytest.raises(LocationUnavailableError, match=r"is not mounted at '/mnt/none'.*Nothing was marked as gone"):
        mounted.check()


# --- What is listed ------------------------------------------------------------------------------------------------


def test_links_that_the_server_follows_lead_nowhere_twice(opened: Opener, folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "x.jpg").write_bytes(b"x")
    (folder / "a" / "b" / "up").symlink_to("..")
    (folder / "root").symlink_to(".")
    (folder / "same.jpg").symlink_to("a/b/x.jpg")
    listing = opened().list()
    assert sorted(listing.frame["path"]) == ["a/b/x.jpg", "same.jpg"]
    assert dict(listing.skipped) == {"symlink": 2}
    assert listing.frame["link_id"].n_unique() == 1
    assert listing.frame["link_id"][0] == opened().stat("a/b/x.jpg").link_id


def test_a_file_has_one_identity_under_all_its_names(opened: Opener, folder: Path) -> None:
    (folder / "A.jpg").write_bytes(b"x")
    (folder / "b.jpg").hardlink_to(folder / "A.jpg")
    (folder / "c.jpg").symlink_to("A.jpg")
    (folder / "other.jpg").write_bytes(b"x")
    location = opened()
    one = {location.identity(name) for name in ("A.jpg", "a.JPG", "b.jpg", "c.jpg")}
    assert len(one) == 1
    assert location.identity("other.jpg") not in one


def test_a_moved_file_keeps_its_time_to_the_last_digit(opened: Opener, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"x")
    os.utime(folder / "a.jpg", ns=(1_500_000_000_123_456_700,) * 2)
    location = opened(permissions="change")
    state = location.stat("a.jpg")
    assert state.modified_at is not None
    assert location.set_times("a.jpg", state.modified_at, expected=state)
    location.move("a.jpg", "q/a.jpg", expected=state)
    assert (folder / "q" / "a.jpg").stat().st_mtime_ns == 1_500_000_000_123_456_700


def test_a_name_that_windows_cannot_have_is_read_by_the_one_that_the_server_gives(opened: Opener, folder: Path) -> None:
    (folder / 'a:"b?.jpg').write_bytes(b"12345")
    location = opened()
    (path,) = location.list().frame["path"]
    assert path != 'a:"b?.jpg'
    assert location.read(path, max_bytes=9) == b"12345"


def test_a_file_whose_bytes_are_elsewhere_is_not_read(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Samba shows the owner's right to execute as the attribute "archive": here it stands for "recall on access".
    (folder / "far.jpg").write_bytes(b"12345")
    (folder / "far.jpg").chmod(0o755)
    (folder / "near.jpg").write_bytes(b"12345")
    (folder / "near.jpg").chmod(0o644)
    monkeypatch.setattr("deeplens_kit.storage.smb_store.RECALLED_ATTRIBUTES", 0x20)
    location = opened()
    assert sorted(location.list().frame["path"]) == ["far.jpg", "near.jpg"]
    with pytest.raises(PlaceholderError, match="in the cloud or on tape"):
        location.read("far.jpg", max_bytes=9)
    assert location.read("near.jpg", max_bytes=9) == b"12345"


def test_a_large_folder_comes_in_several_answers(opened: Opener, folder: Path) -> None:
    names = {f"{number:05}-{'n' * 150}.jpg" for number in range(700)}
    for name in names:
        (folder / name).touch()
    assert set(opened().list().frame["path"]) == names


# --- Writing -------------------------------------------------------------------------------------------------------


def test_what_is_half_written_vanishes_with_the_line(opened: Opener, folder: Path) -> None:
    with opened().store._pool.lent() as share:  # type: ignore[attr-defined]
        made = share.made(f"{folder.name}\\half.bin")
        share.write(made.__enter__(), b"half")
        assert (folder / "half.bin").exists()
        share.close()
    # The server notices when it comes to it; asking it again and again leaves it the time.
    location, deadline = opened(hidden=True), time.monotonic() + 10
    while location.list().frame.height:
        assert time.monotonic() < deadline
    assert list(folder.iterdir()) == []


def test_a_copy_does_not_come_through_this_machine(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deeplens_kit.storage.smb_wire import Share

    data = os.urandom(17 * 2**20 + 5)  # more than a server copies at once
    (folder / "a.bin").write_bytes(data)
    location = opened(permissions="create")
    state = location.stat("a.bin")
    read = Share.read
    monkeypatch.delattr(Share, "read")
    location.copy("a.bin", "b.bin", expected=state)
    assert (folder / "b.bin").read_bytes() == data
    # A server that cannot is read from and written to.
    monkeypatch.setattr(Share, "read", read, raising=False)
    monkeypatch.setattr(Share, "copy", lambda *_: False)
    location.copy("a.bin", "c.bin", expected=state)
    assert (folder / "c.bin").read_bytes() == data


def test_a_full_share_says_so(opened: Opener, folder: Path, mount: Callable[[Path], None]) -> None:
    mount(folder / "disk")
    (folder / "a.bin").write_bytes(bytes(3 * 2**20))
    location = opened(permissions="create")
    for act in (
        lambda: location.create("disk/a.bin", bytes(3 * 2**20)),
        lambda: location.copy("a.bin", "disk/b.bin", expected=location.stat("a.bin")),
    ):
        with pytest.raises(StoreFullError, match="no space is left on the share"):
            act()
    assert location.create("disk/c.bin", b"small").size_bytes == 5
    assert [path.name for path in (folder / "disk").iterdir()] == ["c.bin"]


def test_who_may_only_read_is_told_so(samba: SmbServer, opened: Opener, folder: Path, monkeypatch: Any) -> None:
    if not samba.reader:
        pytest.skip("an ordinary user started the server, which then knows no second one")
    monkeypatch.setenv("SMB_PASSWORD", samba.reader_password)
    (folder / "a.jpg").write_bytes(b"1")
    found = opened(samba.reader, permissions="create").check()
    assert (found.may_read, found.may_write) == (True, False)
    assert "access denied" in found.remarks[0]
    assert [path.name for path in folder.iterdir()] == ["a.jpg"]


# --- Logging in, and servers that go -------------------------------------------------------------------------------


def test_a_password_that_was_changed_is_taken_without_opening_anew(
    samba: SmbServer, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMB_PASSWORD", "of-yesterday")
    location = opened()
    with pytest.raises(LocationUnavailableError, match="user or the password is not accepted"):
        location.list()
    monkeypatch.setenv("SMB_PASSWORD", samba.password)
    assert location.list().frame.is_empty()


def test_a_location_that_nobody_holds_leaves_no_connection_behind(samba: SmbServer, opened: Opener) -> None:
    def workers() -> list[threading.Thread]:
        running = [thread for thread in threading.enumerate() if thread.name.startswith("msg_worker-")]
        return [thread for thread in running if thread not in before]

    def left_after_a_while() -> list[threading.Thread]:
        gc.collect()
        for thread in workers():
            thread.join(10)
        return workers()

    # Those of tests whose location somebody holds still, or which are about to end.
    before: list[threading.Thread] = []
    before += workers()
    location = opened()
    location.list()
    assert len(workers()) == 1
    del location
    assert left_after_a_while() == []


def test_a_share_that_does_not_exist_is_named_as_the_reason(samba: SmbServer, opened: Opener) -> None:
    url = f"smb://{samba.user}@{HOST}:{samba.port}/nothing"
    location = open_location("L", "pics", url, {"password": "${SMB_PASSWORD}"})
    with pytest.raises(LocationUnavailableError, match="no share of this name"):
        location.check()


def test_everything_is_encrypted_where_that_is_wanted(opened: Opener, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(b"12345")
    for encrypt in (True, False):
        location = opened(encrypt=encrypt)
        assert location.read("a.jpg", max_bytes=9) == b"12345"
        with location.store._pool.lent() as share:  # type: ignore[attr-defined]
            assert share.encrypted is encrypt


def test_an_answer_that_lost_its_signature_is_refused(samba: SmbServer, opened: Opener) -> None:
    with _between(samba.port, _unsigned) as port, pytest.raises(LocationUnavailableError, match="was not signed"):
        opened(port=port).list()
    with _between(samba.port, bytes) as port:
        assert opened(port=port).list().frame.is_empty()


def test_a_server_that_dies_makes_the_location_unavailable_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with samba_server.running(tmp_path) as server:
        monkeypatch.setenv("SMB_PASSWORD", server.password)
        (server.served / "a").mkdir()
        (server.served / "a" / "b.jpg").write_bytes(b"12345")
        url = f"smb://{server.user}@{HOST}:{server.port}/{server.share}"
        location = open_location("L", "pics", url, {"password": "${SMB_PASSWORD}", "retries": 0})
        assert location.list().frame.height == 1
        pool = location.store._pool  # type: ignore[attr-defined]
        with pool.lent(), pool.lent():
            pass  # two that the server takes with it
        server.kill()
        with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone"):
            location.list()
        server.restart()
        assert location.list().frame.height == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0xC0000022, FaultKind.FORBIDDEN),
        (0xC0000234, FaultKind.CREDENTIALS),
        (0xC0000071, FaultKind.CREDENTIALS),
        (0xC00000CC, FaultKind.LOCATION),
        (0xC0000043, FaultKind.PASSING),
        (0xC0000034, FaultKind.GONE),
        (0xC0000035, FaultKind.EXISTS),
        (0xC0FFEE00, FaultKind.BROKEN),
    ],
)
def test_what_a_server_answers_has_a_meaning(status: int, kind: FaultKind) -> None:
    fault = fault_of_status(status)
    assert fault.kind == kind
    assert f"{status:08X}" in fault.reason
    assert not breaks_connection(status)


def _unsigned(message: bytes) -> bytes:
    """The same answer as somebody in between would forge it: without a signature (MS-SMB2 2.2.1.2)."""
    command, flags = int.from_bytes(message[12:14], "little"), message[16] & ~0x08
    return message if command <= 1 else message[:16] + bytes([flags]) + message[17:48] + bytes(16) + message[64:]


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, change: Callable[[bytes], bytes]) -> None:
        self.behind, self.change = port, change
        super().__init__((HOST, 0), _Relayed)


class _Relayed(socketserver.BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        with socket.create_connection((HOST, self.server.behind)) as behind:
            thread = threading.Thread(target=_pass_on, args=(self.request, behind, bytes), daemon=True)
            thread.start()
            _pass_on(behind, self.request, self.server.change)


def _pass_on(source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes]) -> None:
    try:
        with source.makefile("rb") as stream:
            while len(head := stream.read(4)) == 4:
                message = change(stream.read(int.from_bytes(head, "big")))
                target.sendall(len(message).to_bytes(4, "big") + message)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # one of the two has gone


@contextmanager
def _between(port: int, change: Callable[[bytes], bytes]) -> Iterator[int]:
    """A machine between the client and the server, which changes the server's answers; gives its port."""
    with _Relay(port, change) as relay:
        threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield int(relay.server_address[1])
        finally:
            relay.shutdown()
