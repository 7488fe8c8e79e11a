"""A mounted share is its URL, and the empty folder that it leaves behind is not the share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deeplens_kit.errors import LocationUnavailableError, SettingsError
from deeplens_kit.storage import LocationKind, normalise_url, open_location
from deeplens_kit.storage.mount_table import Mount, is_another, mount_at, parse_mount
from deeplens_kit.storage.mounted import MountedLocation, NfsOptions
from tests.storage.conformance import FolderPlace, LocationConformance

_URL = "nfs://nas/export/pics"


class _Export(FolderPlace):
    """A folder that is taken for a mounted one."""

    mounted = True

    def opened(self, **options: object) -> LocationKind:
        place = f"{_URL}/"
        return MountedLocation(
            "L", "pics", _URL, place, str(self.folder), options, NfsOptions, is_mounted=lambda _: self.mounted
        )


class TestMounted(LocationConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> _Export:
        return _Export(tmp_path)

    def test_what_is_not_mounted_any_more_is_unavailable_and_not_empty(self, place: _Export) -> None:
        place.put("a.jpg", b"1")
        location = place.opened()
        state = location.stat("a.jpg")
        place.mounted = False
        for ask in (
            location.check,
            location.list,
            lambda: location.stat("a.jpg"),
            lambda: location.read("a.jpg", expected=state, max_bytes=9),
        ):
            with pytest.raises(LocationUnavailableError, match=r"nfs://nas/export/pics\) is not mounted at") as caught:
                ask()
            assert "Nothing was marked as gone" in str(caught.value)
        place.mounted = True
        assert location.list().frame.height == 1


def test_another_share_at_the_mount_point_is_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    mounts = {str(tmp_path): Mount("nfs4", "nas:/export/pics", "192.0.2.1")}

    def mount_of(folder: str) -> Mount:
        return mounts[folder]

    location = MountedLocation(
        *("L", "pics", _URL, f"{_URL}/", str(tmp_path), {}, NfsOptions), is_mounted=lambda _: True, mount_of=mount_of
    )
    state = location.stat("a.jpg")
    mounts[str(tmp_path)] = Mount("nfs4", "nas:/export/other", "192.0.2.1")
    # Within a run it is the device that tells; whatever begins one asks what is mounted.
    for ask in (location.check, lambda: location.read("a.jpg", expected=state, max_bytes=9), location.list):
        with pytest.raises(LocationUnavailableError, match=r"nas:/export/other is mounted.*Nothing was marked as gone"):
            ask()


@pytest.mark.parametrize(
    ("url", "mount", "another"),
    [
        ("nfs://nas/export/%C3%A9%20b", Mount("nfs4", "NAS:/export/é b/"), False),
        ("nfs://nas/export", Mount("nfs", "nas:/export/sub"), True),
        ("nfs://nas/export", Mount("cifs", "//nas/export"), True),
        ("nfs://nas/export", Mount("fuse.sshfs", "you@other:/x"), False),
        ("nfs://[2001:db8::1]/export", Mount("nfs4", "[2001:DB8:0::1]:/export"), False),
        ("smb://WORK;me@nas:4450/Pictures/sub", Mount("cifs", "//nas/pictures"), False),
        ("smb://nas/pictures/sub", Mount("cifs", "//nas/pictures/sub"), False),
        ("smb://nas/pictures", Mount("smb3", r"\\nas\music"), True),
        ("smb://192.0.2.1/pictures", Mount("cifs", "//nas/pictures", "192.0.2.1"), False),
        ("smb://192.0.2.1/pictures", Mount("cifs", "//nas/pictures", "192.0.2.2"), True),
        (f"smb://{'n' * 70}/pictures", Mount("cifs", "//nas/pictures", "192.0.2.2"), False),
    ],
)
def test_only_what_is_known_to_be_another_share_is_called_one(url: str, mount: Mount, another: bool) -> None:
    assert is_another(url, mount) is another


def test_what_the_kernel_tells_of_mounts_is_read(tmp_path: Path) -> None:
    table = (
        "2 1 0:3 / / rw shared:1 - ext4 /dev/sda rw\n22 2 0:50 / /mnt/a\\040b rw,relatime shared:7 master:1 - cifs "
        r"//nas/my\040share rw,vers=3.1.1,addr=192.0.2.1,soft" + "\n"
    )
    assert parse_mount(table, "22") == Mount("cifs", "//nas/my share", "192.0.2.1")
    assert parse_mount(table, "2") == Mount("ext4", "/dev/sda")
    assert parse_mount(table, "3") is None
    assert mount_at(str(tmp_path / "none")) is None
    if Path("/proc/self/mountinfo").exists():
        found = mount_at("/proc")
        assert found is not None
        assert found.kind == "proc"


def test_an_export_is_named_by_its_url(tmp_path: Path) -> None:
    mount_point = {"mount_point": str(tmp_path)}
    for url in ("nfs://NAS/export/é b", "NFS://nas/export/%C3%A9%20b/"):
        location = open_location("L", "pics", url, {**mount_point, "base_path": "x"})
        assert (location.url, location.place) == ("nfs://nas/export/%C3%A9%20b", "nfs://nas/export/é b/x/")
        assert normalise_url(location.url, mount_point) == location.url


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        (_URL, {}, "must be the absolute path"),
        (_URL, {"mount_point": "mnt"}, "must be the absolute path"),
        ("nfs://nas", {"mount_point": "/mnt"}, "names no export"),
        ("nfs://nas/a/../b", {"mount_point": "/mnt"}, r"may hold no '\.' or"),
    ],
)
def test_what_names_no_export_is_refused(url: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        open_location("L", "pics", url, options)


@pytest.fixture
def mount_point(tmp_path: Path, mount: Callable[[Path], None]) -> Path:
    """A folder at which something is mounted."""
    folder = tmp_path / "mnt"
    mount(folder)
    return folder


def test_a_mount_that_goes_is_noticed(mount_point: Path) -> None:
    (mount_point / "a.jpg").write_bytes(b"1")
    location = open_location("L", "pics", _URL, {"mount_point": str(mount_point)})
    assert location.list().frame.height == 1
    assert _run("umount", mount_point) == 0
    # As after a start of the machine without the share, the location has not been used yet either.
    for again in (location, open_location("L", "pics", _URL, {"mount_point": str(mount_point)})):
        with pytest.raises(LocationUnavailableError, match="is not mounted"):
            again.list()


def _run(*command: str | Path) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode
