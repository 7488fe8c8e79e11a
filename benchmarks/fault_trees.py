"""A small tree of pictures with copies at a place and beside it on this machine, and steps of a plan on it.

Takes a place of `benchmarks.storage_places`, gives what it holds as its own library tells it (never ours: what is held
against each other must not come from one hand), and steps with what becomes of each. Must not apply any.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.storage_place import StoragePlace
from deeplens_kit.actions import ActStep, FileAt
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import LocationKind

__all__ = ["FAR", "NEAR", "PlannedUnit", "Seen", "Tree", "contents_of", "digest_of"]

NEAR, FAR = "near", "far"
"""The locations: the place under test, and a folder of this machine."""

_PLACING = (ActionKind.HARDLINK, ActionKind.SYMLINK, ActionKind.REFLINK)
_SECONDS = 1_600_000_000
File = tuple[str, str]
"""Location and path."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is found under a name.

    Attributes:
        holds: SHA-256 of the content; of a symbolic link "-> " and where it leads.
        modified: Microseconds; None where the kind keeps no times of its users.
        names: How many names the file has.
    """

    holds: str
    modified: int | None = None
    names: int = 1


Contents = Mapping[File, Seen]


def digest_of(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def contents_of(place: StoragePlace) -> Callable[[], dict[str, Seen]]:
    """What looks at all that a place holds, quarantine included, past everything of ours."""
    folder = _folder_of(place)
    if folder is not None:
        return lambda: _in_folder(folder)
    return {"s3": _in_s3, "azure": _in_azure, "gcs": _in_gcs}[place.kind](place)


def _folder_of(place: StoragePlace) -> Path | None:
    return Path(place.located(0)[0]) if place.kind == "local" else place.folder


def _in_folder(root: Path) -> dict[str, Seen]:
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            file = Path(folder, name)
            path = file.relative_to(root).as_posix()
            if file.is_symlink():
                found[path] = Seen(f"-> {file.readlink()}")
                continue
            state = file.stat()
            found[path] = Seen(digest_of(file.read_bytes()), state.st_mtime_ns // 1000, state.st_nlink)
    return found


def _looking(listed: Callable[[], list[tuple[str, str, Callable[[], bytes]]]]) -> Callable[[], dict[str, Seen]]:
    """Each version of an object is read once; versions are told apart by the storage."""
    known: dict[tuple[str, str], Seen] = {}

    def look() -> dict[str, Seen]:
        found = {}
        for path, version, read in listed():
            if (path, version) not in known:
                known[path, version] = Seen(digest_of(read()))
            found[path] = known[path, version]
        return found

    return look


def _in_s3(place: StoragePlace) -> Callable[[], dict[str, Seen]]:
    client = place.server.client()  # type: ignore[union-attr]

    def listed() -> list[tuple[str, str, Callable[[], bytes]]]:
        answer = client.list_objects_v2(Bucket=place.root)
        return [
            (
                item["Key"],
                f"{item['ETag']} {item['LastModified']}",
                lambda key=item["Key"]: client.get_object(Bucket=place.root, Key=key)["Body"].read(),
            )
            for item in answer.get("Contents", ())
        ]

    return _looking(listed)


def _in_azure(place: StoragePlace) -> Callable[[], dict[str, Seen]]:
    from azure.storage.blob import BlobServiceClient

    service = BlobServiceClient.from_connection_string(place.server.connection_string)  # type: ignore[union-attr]
    container = service.get_container_client(place.root)
    return _looking(
        lambda: [
            (blob.name, str(blob.etag), lambda name=blob.name: container.download_blob(name).readall())
            for blob in container.list_blobs()
        ]
    )


def _in_gcs(place: StoragePlace) -> Callable[[], dict[str, Seen]]:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    server = place.server
    client = storage.Client(
        server.project,  # type: ignore[union-attr]
        AnonymousCredentials(),
        client_options={"api_endpoint": server.endpoint},  # type: ignore[union-attr]
    )
    bucket = client.bucket(place.root)
    return _looking(
        lambda: [(blob.name, str(blob.generation), blob.download_as_bytes) for blob in client.list_blobs(bucket)]
    )


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """Steps that stand or fall together, and what is to be found once they are done.

    Attributes:
        name: For tables.
        steps: In order.
        gone: Files that are no longer where they were.
        there: What is found elsewhere or in their place; None for any symbolic link.
        writes: What steps write, by their number.
    """

    name: str
    steps: tuple[ActStep, ...]
    gone: tuple[File, ...]
    there: Mapping[File, str | None] = field(default_factory=dict)
    writes: Mapping[int, bytes] = field(default_factory=dict)


class Tree:
    """The files of one subject; made once, and as they were after each run.

    Args:
        place: The place under test.
        far: An empty folder of this machine.
        ids: Of the two locations.
        chance: What the files hold.
    """

    def __init__(self, place: StoragePlace, far: Path, ids: Mapping[str, str], chance: random.Random) -> None:
        self._place, self._far, self._ids = place, far, ids
        self._look = contents_of(place)
        self.folder = _folder_of(place)
        self._linked = place.kind == "local"
        self._data = _files(chance)
        self._times = {file: _SECONDS + number * 1000 for number, file in enumerate(self._data)}

    def make(self) -> None:
        """Make every file anew, in an empty place."""
        self._place.put_many({path: data for (where, path), data in self._data.items() if where == NEAR})
        for (where, path), data in self._data.items():
            root = self._far if where == FAR else self.folder
            if where == FAR:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(data)
            if root is not None:
                os.utime(root / path, (self._times[where, path],) * 2)
        if self._linked and self.folder is not None:
            second = self.folder / "d/h2.jpg"
            second.unlink()
            second.hardlink_to(self.folder / "d/h1.jpg")

    def contents(self) -> dict[File, Seen]:
        """All that there is."""
        near = {(NEAR, path): seen for path, seen in self._look().items()}
        return near | {(FAR, path): seen for path, seen in _in_folder(self._far).items()}

    def keepers(self) -> tuple[File, ...]:
        """Files that no step may touch."""
        return (NEAR, "k.jpg"), (NEAR, "k.jpg.xmp"), (FAR, "k.jpg")

    def plan(self, kinds: Mapping[str, LocationKind], chance: random.Random) -> list[PlannedUnit]:
        """Two or three units of steps, as the files are now."""
        makers = [self._copy, self._copy, self._pair, self._far_copy, self._out, self._in, self._text, self._beside]
        makers += [self._links] if self._linked else []
        units: list[PlannedUnit] = []
        for make in chance.sample(makers, chance.randrange(2, 4)):
            number = sum(len(unit.steps) for unit in units)
            if not (make == self._copy and any(unit.name.startswith("copy") for unit in units)):
                units.append(make(kinds, number, chance))
        return units

    def _copy(self, kinds: Mapping[str, LocationKind], number: int, chance: random.Random) -> PlannedUnit:
        """A copy goes; something may come in its place."""
        can = {str(form) for form in kinds[self._ids[NEAR]].can_link} - {"reflink"}
        actions = [ActionKind.REMOVE, ActionKind.REDIRECT, *(form for form in _PLACING if str(form) in can)]
        action = chance.choice(actions)
        victim = (NEAR, chance.choice(["d/v0.jpg", "d/ü 1.jpg"]))
        elsewhere = action in (ActionKind.REMOVE, ActionKind.REDIRECT) and chance.random() < 0.5
        keeper = (FAR if elsewhere else NEAR, "k.jpg")
        there: dict[File, str | None] = {}
        if action is ActionKind.HARDLINK:
            there = {victim: digest_of(self._data[victim])}
        elif action is not ActionKind.REMOVE:
            there = {victim: None}
        return PlannedUnit(f"copy {action}", (self._step(kinds, number, action, victim, keeper),), (victim,), there)

    def _pair(self, kinds: Mapping[str, LocationKind], number: int, _chance: random.Random) -> PlannedUnit:
        """A picture and its companion."""
        victims = (NEAR, "d/p.jpg"), (NEAR, "d/p.jpg.xmp")
        steps = [
            self._step(kinds, number + at, ActionKind.REMOVE, victim, keeper, together="pair")
            for at, (victim, keeper) in enumerate(zip(victims, self.keepers()[:2], strict=True))
        ]
        return PlannedUnit("pair", tuple(steps), victims)

    def _links(self, kinds: Mapping[str, LocationKind], number: int, _chance: random.Random) -> PlannedUnit:
        """Both names of one file."""
        victims = (NEAR, "d/h1.jpg"), (NEAR, "d/h2.jpg")
        steps = [
            self._step(kinds, number + at, ActionKind.REMOVE, victim, (FAR, "k.jpg"), together="links")
            for at, victim in enumerate(victims)
        ]
        return PlannedUnit("links", tuple(steps), victims)

    def _far_copy(self, kinds: Mapping[str, LocationKind], number: int, _chance: random.Random) -> PlannedUnit:
        victim = (FAR, "w.jpg")
        step = self._step(kinds, number, ActionKind.REMOVE, victim, (NEAR, "k.jpg"))
        return PlannedUnit("far copy", (step,), (victim,))

    def _out(self, kinds: Mapping[str, LocationKind], number: int, _chance: random.Random) -> PlannedUnit:
        return self._moved(kinds, number, (NEAR, "m.jpg"), (FAR, "moved/m.jpg"))

    def _in(self, kinds: Mapping[str, LocationKind], number: int, _chance: random.Random) -> PlannedUnit:
        return self._moved(kinds, number, (FAR, "m2.jpg"), (NEAR, "in/m2.jpg"))

    def _moved(self, kinds: Mapping[str, LocationKind], number: int, victim: File, target: File) -> PlannedUnit:
        step = self._step(kinds, number, ActionKind.MOVE, victim, None, target=self._at(target))
        return PlannedUnit("move", (step,), (victim,), {target: digest_of(self._data[victim])})

    def _text(self, kinds: Mapping[str, LocationKind], number: int, chance: random.Random) -> PlannedUnit:
        victim, data = (NEAR, "list.txt"), chance.randbytes(50)
        step = self._step(kinds, number, ActionKind.REWRITE, victim, None)
        return PlannedUnit("rewrite", (step,), (), {victim: digest_of(data)}, {number: data})

    def _beside(self, kinds: Mapping[str, LocationKind], number: int, chance: random.Random) -> PlannedUnit:
        target, data = (NEAR, "d/new.xmp"), chance.randbytes(40)
        step = self._step(kinds, number, ActionKind.CREATE, (NEAR, "k.jpg"), None, target=self._at(target))
        return PlannedUnit("create", (step,), (), {target: digest_of(data)}, {number: data})

    def _at(self, file: File) -> FileAt:
        return FileAt(self._ids[file[0]], file[1])

    def _step(
        self,
        kinds: Mapping[str, LocationKind],
        number: int,
        action: ActionKind,
        victim: File,
        keeper: File | None,
        **more: object,
    ) -> ActStep:
        facts: dict[str, object] = dict(more)
        if keeper is not None:
            state = kinds[self._ids[keeper[0]]].stat(keeper[1])
            facts |= {"keeper": self._at(keeper), "keeper_digest": digest_of(self._data[keeper]), "tier": "bytes"}
            facts |= {"keeper_basis": "read", "keeper_token": state.change_token, "keeper_link_id": state.link_id}
        state = kinds[self._ids[victim[0]]].stat(victim[1])
        return ActStep(
            step=number,
            action=action,
            victim=self._at(victim),
            victim_digest=digest_of(self._data[victim]),
            victim_basis="read",
            victim_token=state.change_token,
            victim_size_bytes=state.size_bytes,
            victim_link_id=state.link_id,
            frees_bytes=state.size_bytes,
            **facts,  # type: ignore[arg-type]
        )


def _files(chance: random.Random) -> dict[File, bytes]:
    picture, words = chance.randbytes(3000), chance.randbytes(300)
    copies: Sequence[File] = (
        *((NEAR, name) for name in ("k.jpg", "d/v0.jpg", "d/ü 1.jpg", "d/p.jpg", "d/h1.jpg", "d/h2.jpg")),
        *((FAR, name) for name in ("k.jpg", "w.jpg")),
    )
    return {
        **dict.fromkeys(copies, picture),
        **dict.fromkeys([(NEAR, "k.jpg.xmp"), (NEAR, "d/p.jpg.xmp")], words),
        (NEAR, "m.jpg"): chance.randbytes(2000),
        (NEAR, "list.txt"): chance.randbytes(100),
        (FAR, "m2.jpg"): chance.randbytes(2500),
    }
