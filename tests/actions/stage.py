"""Folders with files, steps on them, and an application of these steps that can be killed anywhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deeplens_kit.actions import (
    Acting,
    ActStep,
    ApplyOptions,
    FileAt,
    Ground,
    UndoReport,
    history_of,
    no_boundary,
    settle_open,
    undo_steps,
)
from deeplens_kit.actions.acting import Came
from deeplens_kit.ledger import Ledger
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import LocationKind, open_location

__all__ = ["Alias", "Killed", "Stage", "kill_at"]


class Killed(BaseException):
    """The process ends here."""


def kill_at(count: int) -> Callable[[str], None]:
    """A boundary that ends the process the count-th time that it is reached, from 0."""
    left = [count]

    def boundary(_name: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return boundary


class Stage:
    """Two local locations `one` and `two`, and one application.

    Attributes:
        ledger: With its journal.
        folders: By the names of the locations.
        ids: Of the locations, by name.
        kinds: The opened locations by id.
        protected: Paths that must not be touched.
    """

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.ledger = ledger
        self.folders = {name: folder / name for name in ("one", "two")}
        self.ids: dict[str, str] = {}
        self.kinds: dict[str, LocationKind] = {}
        for name, root in self.folders.items():
            root.mkdir()
            added = ledger.add_location(name, str(root), {"permissions": "change"})
            self.ids[name] = added.location_id
            self.kinds[added.location_id] = open_location(added.location_id, name, added.url, added.options)
        self.protected: set[str] = set()
        self.application_id = ""
        self.content: dict[int, bytes] = {}

    def reopen(self) -> None:
        """As another process opens the locations, which has not seen them before."""
        for name, root in self.folders.items():
            kind = open_location(self.ids[name], name, str(root), {"permissions": "change"})
            self.kinds[self.ids[name]] = kind

    def write(self, where: str, data: bytes, *, seconds: int = 1_700_000_000) -> FileAt:
        """Make a file at "location/path"."""
        name, _, path = where.partition("/")
        file = self.folders[name] / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        os.utime(file, (seconds, seconds))
        return self.at(where)

    def at(self, where: str) -> FileAt:
        """The file at "location/path", whether it is there or not."""
        name, _, path = where.partition("/")
        return FileAt(self.ids[name], path)

    def step(self, number: int, victim: FileAt, keeper: FileAt | None, **more: Any) -> ActStep:
        """A step on files as they are now; of tier bytes where both hold the same."""
        facts: dict[str, Any] = {}
        if keeper is not None:
            state, data = self._seen(keeper)
            facts = {"keeper": keeper, "keeper_digest": _digest(data), "keeper_basis": "read"}
            facts |= {"keeper_token": state.change_token, "keeper_link_id": state.link_id, "tier": "bytes"}
        state, data = self._seen(victim)
        made = ActStep(
            step=number,
            action=more.pop("action", ActionKind.REMOVE),
            victim=victim,
            victim_digest=_digest(data),
            victim_basis="read",
            victim_token=state.change_token,
            victim_size_bytes=state.size_bytes,
            victim_link_id=state.link_id,
            frees_bytes=state.size_bytes,
            **facts,
        )
        return replace(made, **more)

    def begin(self) -> None:
        """Start an application, of a plan that says nothing."""
        plan = self.ledger.save_plan("duplicates", {}, [b""], "0" * 64, 1)
        self.ledger.approve_plan(plan.plan_id, "0" * 64)
        self.application_id = self.ledger.start_application(plan.plan_id, "0" * 64, {}).application_id

    def ground(self, boundary: Callable[[str], None] = no_boundary, **options: Any) -> Ground:
        """What the application stands on."""
        return Ground(
            self.application_id,
            self.kinds,
            self.ledger,
            ApplyOptions(**{"stop_after_failures": 0, "stop_at_skip_share": 1.0, **options}),
            boundary,
            lambda file, _digest: "It is protected." if file.path in self.protected else None,
            lambda step: self.content.get(step.step),
        )

    def apply(self, steps: Sequence[ActStep], boundary: Callable[[str], None] = no_boundary, **options: Any) -> Came:
        """Apply steps, in a new application."""
        self.begin()
        return Acting(self.ground(boundary, **options)).run(steps)

    def resume(self, steps: Sequence[ActStep], boundary: Callable[[str], None] = no_boundary) -> Came:
        """Go on after a kill."""
        ground = self.ground(boundary)
        settle_open(ground)
        return Acting(ground).run(steps, history_of(self.ledger.journal(self.application_id)))

    def undo(self, boundary: Callable[[str], None] = no_boundary) -> UndoReport:
        """Undo what stands."""
        ground = self.ground(boundary)
        settle_open(ground)
        return undo_steps(ground, history_of(self.ledger.journal(self.application_id)))

    def tree(self) -> dict[str, tuple[str, int]]:
        """Digest and time of modification of every file that is no directory, quarantine included."""
        found = {}
        for name, root in self.folders.items():
            for file in sorted(root.rglob("*")):
                if file.is_symlink():
                    found[f"{name}/{file.relative_to(root)}"] = (f"-> {file.readlink()}", 0)
                elif file.is_file():
                    state = (_digest(file.read_bytes()), file.stat().st_mtime_ns)
                    found[f"{name}/{file.relative_to(root)}"] = state
        return found

    def outside_quarantine(self) -> list[str]:
        """The files that users see."""
        return [path for path in self.tree() if ".deeplens-quarantine" not in path]

    def contents(self) -> set[str]:
        """Digests of all that there is anywhere."""
        return {digest for digest, _ in self.tree().values() if not digest.startswith("->")}

    def _seen(self, file: FileAt) -> tuple[Any, bytes]:
        kind = self.kinds[file.location_id]
        return kind.stat(file.path), kind.read(file.path, max_bytes=10**9)


class Alias:
    """The same storage under a name by which nothing tells that it is the same."""

    def __init__(self, kind: object, location_id: str) -> None:
        self._kind, self.location_id, self.place = kind, location_id, "elsewhere:/"

    def __getattr__(self, name: str) -> object:
        return getattr(self._kind, name)

    def stat(self, path: str) -> object:
        return replace(self._kind.stat(path), link_id=None)  # type: ignore[attr-defined]

    def identity(self, path: str) -> str:
        return f"elsewhere:{path}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
