"""On each kind of storage a plan is applied, killed, gone on with, undone and emptied; every digest is as before."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from deeplens_kit.actions import (
    Acting,
    ActStep,
    ApplyOptions,
    FileAt,
    Ground,
    UndoReport,
    empty_items,
    history_of,
    no_boundary,
    settle_open,
    undo_steps,
)
from deeplens_kit.ledger import Ledger
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import LocationKind
from tests.actions.stage import Killed, kill_at
from tests.examples import IN_FULL
from tests.servers.azurite import AzureServer
from tests.servers.fake_gcs import GcsServer
from tests.servers.s3 import S3Server
from tests.servers.samba import SmbServer
from tests.servers.sshd import SftpServer
from tests.storage.s3_place import S3Place
from tests.storage.test_azure_conformance import AzurePlace
from tests.storage.test_gcs_conformance import GcsPlace
from tests.storage.test_sftp_conformance import _Folder as SftpPlace
from tests.storage.test_smb_conformance import _Share as SmbPlace

_FILES = {"k.jpg": b"picture", "sub/v.jpg": b"picture", "sub/w.jpg": b"picture", "other.jpg": b"other"}


class _Place(Protocol):
    def opened(self, **options: object) -> LocationKind: ...

    def put(self, path: str, data: bytes) -> None: ...


class _Application:
    """One application over a place, in a ledger of its own."""

    def __init__(self, place: _Place, ledger: Ledger, folder: Path) -> None:
        self.kind: LocationKind = place.opened(permissions="change")
        self.location_id = ledger.add_location("served", str(folder)).location_id
        self.ledger, self.application_id = ledger, ""
        for path, data in _FILES.items():
            place.put(path, data)

    def steps(self) -> list[ActStep]:
        """Two copies go."""
        keeper = self.kind.stat("k.jpg")
        return [self._step(number, path, keeper) for number, path in enumerate(("sub/v.jpg", "sub/w.jpg"))]

    def _step(self, number: int, path: str, keeper: Any) -> ActStep:
        digest, victim = hashlib.sha256(b"picture").hexdigest(), self.kind.stat(path)
        return ActStep(
            number,
            ActionKind.REMOVE,
            FileAt(self.location_id, path),
            digest,
            "read",
            victim.change_token,
            victim.size_bytes,
            None,
            FileAt(self.location_id, "k.jpg"),
            digest,
            "read",
            keeper.change_token,
            None,
            "bytes",
            victim.size_bytes,
        )

    def apply(self, boundary: Callable[[str], None] = no_boundary) -> list[str]:
        plan = self.ledger.save_plan("duplicates", {}, [b""], "0" * 64, 1)
        self.ledger.approve_plan(plan.plan_id, "0" * 64)
        self.application_id = self.ledger.start_application(plan.plan_id, "0" * 64, {}).application_id
        came = Acting(self._ground(boundary)).run(self.steps())
        return [result.code or str(result.outcome) for result in came.results]

    def go_on(self, steps: list[ActStep]) -> None:
        ground = self._ground()
        settle_open(ground)
        Acting(ground).run(steps, history_of(self.ledger.journal(self.application_id)))

    def undo(self) -> UndoReport:
        ground = self._ground()
        settle_open(ground)
        return undo_steps(ground, history_of(self.ledger.journal(self.application_id)))

    def empty(self) -> list[tuple[bool, str]]:
        items = self.ledger.quarantined(application_id=self.application_id)
        ground = self._ground()
        return [(came.done, came.code) for came in empty_items(lambda _id: ground, items, lambda *_: None)]

    def held(self) -> dict[str, bytes]:
        """What a listing shows, by path."""
        return {path: self.kind.read(path, max_bytes=99) for path in self.kind.list().frame["path"]}

    def _ground(self, boundary: Callable[[str], None] = no_boundary) -> Ground:
        return Ground(
            self.application_id,
            {self.location_id: self.kind},
            self.ledger,
            ApplyOptions(stop_after_failures=0),
            boundary,
        )


class _Served:
    """What each kind must do."""

    @pytest.fixture
    def application(self, place: _Place, empty_ledger: Path, quick_path: Path) -> Iterator[_Application]:
        (quick_path / "ledger.db").write_bytes(empty_ledger.read_bytes())
        with Ledger.open(f"sqlite:///{quick_path}/ledger.db") as ledger:
            made = _Application(place, ledger, quick_path)
            yield made
            made.kind.close()

    def test_a_plan_is_applied_and_undone(self, application: _Application) -> None:
        before = {path: application.kind.stat(path).modified_at for path in _FILES}
        assert application.apply() == ["done", "done"]
        assert application.held() == {"k.jpg": b"picture", "other.jpg": b"other"}
        report = application.undo()
        assert report.complete
        assert application.held() == _FILES
        kept = {trouble.step for trouble in report.troubles if trouble.code == "times_kept"}
        if not kept:
            assert {path: application.kind.stat(path).modified_at for path in _FILES} == before

    def test_it_is_killed_anywhere_and_nothing_is_lost(self, application: _Application) -> None:
        for number, count in enumerate(range(0, 100, 5 if IN_FULL else 8)):
            steps = application.steps()
            try:
                application.apply(kill_at(count))
            except Killed:
                if number % 2:
                    application.go_on(steps)
                    assert application.held() == {"k.jpg": b"picture", "other.jpg": b"other"}
            else:
                break
            assert application.undo().complete, count
            assert application.held() == _FILES, count
        assert count > 9

    def test_half_a_move_is_made_as_it_was(self, application: _Application) -> None:
        """A storage that copies and then removes may be killed in between."""
        kind, steps = application.kind, application.steps()

        def copy_and_die(name: str) -> None:
            if name == "0.quarantine.before-move":
                target = f".deeplens-quarantine/{application.application_id}/sub/v.jpg"
                kind.copy("sub/v.jpg", target, expected=kind.stat("sub/v.jpg"))
                raise Killed

        with pytest.raises(Killed):
            application.apply(copy_and_die)
        application.go_on(steps)
        assert application.held() == {"k.jpg": b"picture", "other.jpg": b"other"}
        assert application.undo().complete
        assert application.held() == _FILES

    def test_it_is_emptied_only_while_the_keeper_is_there(self, application: _Application) -> None:
        application.apply()
        application.kind.remove("k.jpg", expected=application.kind.stat("k.jpg"))
        assert application.empty() == [(False, "keeper_gone")] * 2
        application.kind.create("k.jpg", b"picture")
        assert application.empty() == [(True, "")] * 2
        assert [trouble.code for trouble in application.undo().troubles] == ["emptied"] * 2


class TestS3(_Served):
    @pytest.fixture
    def place(self, seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> _Place:
        return S3Place(seaweedfs, monkeypatch)


class TestAzure(_Served):
    @pytest.fixture
    def place(self, azurite: AzureServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Place]:
        made = AzurePlace(azurite, f"c{secrets.token_hex(8)}", monkeypatch)
        yield made
        made.client.close()


class TestGcs(_Served):
    @pytest.fixture
    def place(self, fake_gcs: GcsServer) -> Iterator[_Place]:
        made = GcsPlace(fake_gcs, f"b{secrets.token_hex(8)}")
        yield made
        made.client.close()


class TestSftp(_Served):
    @pytest.fixture
    def place(self, sshd: SftpServer) -> _Place:
        return SftpPlace(sshd)


class TestSmb(_Served):
    @pytest.fixture
    def place(self, samba: SmbServer, monkeypatch: pytest.MonkeyPatch) -> _Place:
        monkeypatch.setenv("SMB_PASSWORD", samba.password)
        return SmbPlace(samba)
