"""Where a ledger may be, and what its address gives away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import deeplens_kit
from deeplens_kit.errors import CredentialMissingError, SettingsError, WorkspaceError
from deeplens_kit.ledger import Ledger
from deeplens_kit.ledger.address import ledger_address, shown
from deeplens_kit.ledger.mounts import file_system_of

_MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:40 / /mnt/share rw,relatime shared:7 master:1 - {kind} server:/export rw,vers=4.2
41 27 0:41 / /mnt/share/local rw - xfs /dev/vdb rw
42 27 0:42 / /mnt/with\\040space\\134x rw - {kind} //server/share rw
43 27 0:43 / /mnt/twice rw - ext4 /dev/vdc rw
44 43 0:44 / /mnt/twice rw - {kind} server:/export rw
not a line of the table
"""


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.s3fs", "9p", "ceph", "lustre", "afs"]
)
@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/mnt/share/w/ledger.sqlite", True),
        ("/mnt/share/local/ledger.sqlite", False),
        ("/mnt/shared/ledger.sqlite", False),
        ("/mnt/with space\\x/ledger.sqlite", True),
        ("/mnt/twice/ledger.sqlite", True),
        ("/mnt/share/local/../ledger.sqlite", True),
        ("/home/ledger.sqlite", False),
    ],
)
def test_sqlite_is_refused_on_network_file_systems(kind: str, path: str, refused: bool) -> None:
    url, mounts = f"sqlite:///{path}", _MOUNTS.format(kind=kind)
    if not refused:
        assert ledger_address(url, mountinfo=mounts).database == path
        return
    with pytest.raises(WorkspaceError, match="network file system") as caught:
        ledger_address(url, mountinfo=mounts)
    assert kind in str(caught.value)


def test_a_link_into_a_share_is_followed(tmp_path: Path) -> None:
    mounts = f"27 1 254:0 / / rw - ext4 /dev/vda rw\n28 27 0:9 / {tmp_path.resolve()}/share rw - nfs4 server:/x rw\n"
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share")
    with pytest.raises(WorkspaceError, match="nfs4"):
        ledger_address(f"sqlite:///{tmp_path}/link/new/ledger.sqlite", mountinfo=mounts)


def test_a_sandbox_that_has_its_root_on_9p_is_no_network() -> None:
    mounts = "1 0 0:1 / / rw - 9p none rw\n"
    assert ledger_address("sqlite:////srv/ledger.sqlite", mountinfo=mounts).database == "/srv/ledger.sqlite"


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="no table of mounts on this system")
def test_the_system_s_own_table_is_read() -> None:
    assert file_system_of(Path("/proc/self/status")) == ("/proc", "proc")


@pytest.mark.parametrize("url", ["sqlite:///s3://bucket/ledger.sqlite", "sqlite:///gs:/bucket/ledger.sqlite"])
def test_sqlite_is_refused_on_an_object_store(url: str) -> None:
    with pytest.raises(WorkspaceError, match="object store"):
        Ledger.create(url)


@pytest.mark.parametrize(
    "url", ["", "ledger", "sqlite://", "sqlite:///:memory:", "mysql://h/d", "sqlite:///file:x?mode=ro"]
)
def test_an_address_that_cannot_be_used_is_a_setting_to_mend(url: str) -> None:
    with pytest.raises(SettingsError, match=r"ledger_url .*write|SQLite and PostgreSQL"):
        Ledger.open(url)


def test_a_password_comes_from_the_environment_and_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_PASSWORD", "p@ss/word:%1")
    url = "postgresql://deeplens:${LEDGER_PASSWORD}@127.0.0.1:1/books?sslmode=disable"
    address = ledger_address(url)
    assert address.password == "p@ss/word:%1"
    assert address.drivername == "postgresql+psycopg"
    assert shown(address) == "postgresql+psycopg://deeplens:***@127.0.0.1:1/books"
    with pytest.raises(WorkspaceError) as caught:
        Ledger.open(url)
    for text in (str(caught.value), repr(caught.value), str(caught.value.__cause__)):
        assert "p@ss" not in text
        assert "p%40ss" not in text
    assert "127.0.0.1" in str(caught.value)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(CredentialMissingError, match=r"\$\{NOT_SET_ANYWHERE\}"):
        ledger_address("postgresql://u:${NOT_SET_ANYWHERE}@h/d")


def test_an_installed_wheel_can_make_and_upgrade_a_ledger(tmp_path: Path) -> None:
    """Migrations must not be looked for beside a checkout: run from a copy that holds only what a wheel does."""
    package, site = Path(deeplens_kit.__file__).parent, tmp_path / "site"
    for path in package.rglob("*.py"):
        copy = site / "deeplens_kit" / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    code = (
        "import json, sys, deeplens_kit.ledger.ledger as l\n"
        "l.Ledger.create(sys.argv[1]).close()\n"
        "from deeplens_kit.ledger.schema import REVISIONS\n"
        "from alembic.script import ScriptDirectory\n"
        "from pathlib import Path\n"
        "made = ScriptDirectory(str(Path(l.__file__).parent / 'migrations')).walk_revisions()\n"
        "print(json.dumps([l.__file__, REVISIONS, [item.revision for item in made]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, f"sqlite:///{tmp_path / 'x' / 'ledger.sqlite'}"],
        capture_output=True,
        check=False,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
    )
    assert done.returncode == 0, done.stderr
    file, known, made = json.loads(done.stdout)
    assert file.startswith(str(site))
    assert made[::-1] == known
