"""Pictures that came in: kept in the spool, recognised, and given to a job.

Takes bytes with what is said of them, gives which images they will be and the job that makes them so; must not store
anything at a location. What is no picture is refused here, before anybody is told that it was taken. Bytes are on the
disk, and the job is in the ledger, before an answer goes out: a kill in between loses at most what nobody was told of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deeplens_kit.decode.signature import require_format
from deeplens_kit.errors import (
    DeepLensError,
    LimitExceededError,
    LocationReadOnlyError,
    RequestError,
    UnsupportedFormatError,
)
from deeplens_kit.ledger import Job, JobState, Location, NoteChange
from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.ingest_known import KnownPlaces
from deeplens_kit.pipeline.ingest_names import TEMPLATE, PathFacts, PathTemplate
from deeplens_kit.pipeline.kept_out import kept_out_error, load_kept_out
from deeplens_kit.search.link import shown_link
from deeplens_kit.service.api.ids import image_id_of
from deeplens_kit.service.jobs.kinds import submit
from deeplens_kit.service.jobs.spool import Spool
from deeplens_kit.storage import digest_content, encode_path

__all__ = ["Arrival", "Arrived", "TakingIn", "estimated_ms", "location_for"]

_HEAD_BYTES = 512
# Of an image, where no job tells.
_USUAL_MS = 500.0
_LATEST_JOBS = 20


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came.

    Attributes:
        read: Gives its bytes, once: of a batch one is in memory at a time.
        name: What the sender calls it.
        note: What is said of it.
    """

    read: Callable[[], bytes]
    name: str
    note: NoteChange = field(default_factory=NoteChange)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What it will be.

    Attributes:
        name: What the sender calls it.
        entry: Of the spool; empty where it was refused.
        note: What is said of it.
        digest: Of its bytes.
        image_id: The image that it will be, or is already.
        path: Where, within its location.
        is_known: Whether its very bytes are stored already, and are not to be stored again.
        refusal: Why it was not taken; None where it was.
    """

    name: str
    entry: str = ""
    note: NoteChange = field(default_factory=NoteChange)
    digest: str | None = None
    image_id: str | None = None
    path: str | None = None
    is_known: bool = False
    refusal: DeepLensError | None = None


class TakingIn:
    """Takes pictures in for one location.

    Args:
        workspace: An open workspace.
        location: Where they will go.
        again: Whether to store also what is stored already.
    """

    def __init__(self, workspace: Workspace, location: Location, *, again: bool) -> None:
        self._workspace, self.location, self._again = workspace, location, again
        self._spool = Spool(workspace.directory)
        self._at = datetime.now(UTC)
        # With the time of now: the job may run after midnight, and the picture is to lie where its sender was told.
        self.template = TEMPLATE.replace("{yyyy}", f"{self._at:%Y}").replace("{mm}", f"{self._at:%m}")
        self._places = KnownPlaces(workspace)
        self._kept_out = load_kept_out(workspace.directory)

    def take(self, came: Arrival) -> Arrived:
        """Keep a picture in the spool.

        Raises:
            UnsupportedFormatError: It is no picture that is read.
            LimitExceededError: It is too large.
            ObjectKeptOutError: It was forgotten and must not come back.
            SettingsError: What is said of it is not allowed.
            StoreFullError: There is no room for it.
        """
        data, settings = came.read(), self._workspace.settings
        most = min(settings.ingest.max_bytes, settings.decode.max_bytes)
        if len(data) > most:
            raise LimitExceededError(f"{came.name!r} has {len(data):,} bytes; at most {most:,} are taken.")
        if not data:
            raise UnsupportedFormatError(f"{came.name!r} is empty (0 bytes); send a picture.")
        self._workspace.ledger.check_note(came.note)
        kind = require_format(data[:_HEAD_BYTES])
        digest = digest_content(data).sha256
        if self._kept_out.covers(digest):
            raise kept_out_error()
        known = None if self._again else self._places.first(digest)
        if known is not None:
            home = next(item for item in self._workspace.ledger.locations(inactive=True) if item.name == known.location)
            object_id, path = f"{home.location_id}/{known.path}", known.path
        else:
            facts = PathFacts(came.note.collection or "", self._at, digest, encode_path(came.name), kind)
            path = PathTemplate(self.template).path(facts)
            object_id = f"{self.location.location_id}/{path}"
        entry = self._spool.put(came.name, data)
        return Arrived(came.name, entry, came.note, digest, image_id_of(object_id), path, known is not None)

    def forget(self, arrived: Sequence[Arrived]) -> None:
        """Let go of what was kept, where no job came of it."""
        self._spool.remove("", [item.entry for item in arrived if item.entry])

    def submit_link(self, link: str, note: Mapping[str, Any], **options: Any) -> Job:
        """Have a job fetch a link and take in what comes; the ledger is told it without what may be a key.

        Args:
            link: A link (http, https).
            note: What is said of it, as `ingest_jobs` has it.
            options: More of its parameters.

        Raises:
            QueueFullError: Too many jobs wait.
            StoreFullError: There is no room for it.
        """
        shown = shown_link(link)
        if shown == link:
            return self.submit([{"url": link, "note": note}], **options)
        entry = self._spool.put_link(link)
        try:
            return self.submit([{"url": shown, "link": entry, "note": note}], **options)
        except BaseException:
            self._spool.remove("", [entry])
            raise

    def submit(self, items: Sequence[Mapping[str, Any]], **options: Any) -> Job:
        """Have a job take items in.

        Args:
            items: As `ingest_jobs` has them.
            options: More of its parameters.

        Raises:
            QueueFullError: Too many jobs wait.
        """
        document = {
            "location": self.location.name,
            "items": list(items),
            "template": self.template,
            "even_if_known": self._again,
            **options,
        }
        return submit(self._workspace, "ingest", document)


def location_for(workspace: Workspace, name: str | None) -> Location:
    """Where pictures go: to the location that is named, else to the one that takes new files.

    Raises:
        UnknownNameError: There is no location of the name.
        LocationReadOnlyError: It takes no new files.
        RequestError: None is named, and several or none take new files.
    """
    if name is not None:
        location = workspace.ledger.location(name)
        if not _takes(workspace, location):
            raise LocationReadOnlyError(
                location.name,
                f"Location {location.name!r} takes no new files: it is opened to read only, or is of a kind that can "
                "only be read. Set its option 'permissions' to 'create', or name another one.",
            )
        return location
    open_ones = [item for item in workspace.ledger.locations() if _takes(workspace, item)]
    if len(open_ones) == 1:
        return open_ones[0]
    if open_ones:
        names = ", ".join(repr(item.name) for item in open_ones)
        raise RequestError(f"Several locations take new files: {names}; name one of them by 'storage_location'.")
    raise RequestError(
        "No location takes new files; set the option 'permissions' of one to 'create', and name it by "
        "'storage_location'."
    )


def estimated_ms(workspace: Workspace, images: int) -> int:
    """How long taking in so many images will take, with what waits before them."""
    ledger = workspace.ledger
    done = ledger.jobs([JobState.DONE], ["ingest"], limit=_LATEST_JOBS)
    spent = [_spent_ms(job) for job in done if job.started_at and job.finished_at and _count(job)]
    usual = sum(spent) / sum(_count(job) for job in done if job.started_at and job.finished_at) if spent else _USUAL_MS
    waiting = ledger.jobs([JobState.QUEUED, JobState.RUNNING], ["ingest"], limit=_LATEST_JOBS)
    return round(usual * (images + sum(_count(job) for job in waiting)))


def _takes(workspace: Workspace, location: Location) -> bool:
    try:
        kind = workspace.kind_of(location)
    except DeepLensError:
        return False
    return kind.takes_writing and kind.may_create


def _count(job: Job) -> int:
    return len(job.parameters.get("items", ()))


def _spent_ms(job: Job) -> float:
    assert job.started_at is not None and job.finished_at is not None, "it is done"
    return (job.finished_at - job.started_at).total_seconds() * 1000
