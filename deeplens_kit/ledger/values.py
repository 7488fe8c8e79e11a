"""What the ledger gives: frozen values without a connection behind them.

Takes nothing from other modules; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = [
    "AuditEntry",
    "Collection",
    "DecisionAct",
    "LabelCounts",
    "LabelSample",
    "Location",
    "NoteChange",
    "ObjectNote",
    "OutboxEvent",
    "Run",
    "RunState",
    "SavedRule",
    "SavedSearch",
    "SearchRecord",
]


class RunState(StrEnum):
    """How a run stands; all but `running` are ends."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Location:
    """A place that holds files.

    Attributes:
        location_id: Short random hexadecimal; stays when the location is renamed.
        name: Unique.
        url: fsspec address, without credentials.
        options: Of its kind of storage; secrets are references such as "${NAME}".
        created_at: UTC.
        active: Whether it is indexed when no location is named.
    """

    location_id: str
    name: str
    url: str
    options: Mapping[str, Any]
    created_at: datetime
    active: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job.

    Attributes:
        run_id: Random hexadecimal.
        kind: What was run, for example "index".
        location_id: Where; None for a run over all locations.
        state: How it stands.
        holder: The process that runs it, as `current_holder` names it.
        started_at: UTC.
        finished_at: UTC; None while running.
        settings: The settings it ran with.
        figures: Its counts and coverage; empty until it ended.
        message: Why it ended early; empty otherwise.
    """

    run_id: str
    kind: str
    location_id: str | None
    state: RunState
    holder: str
    started_at: datetime
    finished_at: datetime | None
    settings: Mapping[str, Any]
    figures: Mapping[str, Any]
    message: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that a person or job made.

    Attributes:
        at: UTC.
        who: As "user@host".
        action: For example "location.added".
        details: What was changed, without secrets.
        sequence: Its place in the trail, from 1.
        digest: SHA-256 over what it says and over the digest of the line before it.
    """

    at: datetime
    who: str
    action: str
    details: Mapping[str, Any]
    sequence: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of objects, under a name.

    Attributes:
        name: Unique.
        description: What it is for; may be empty.
        created_at: UTC.
        pictures: How many different contents are in it.
    """

    name: str
    description: str
    created_at: datetime
    pictures: int


@dataclass(frozen=True, slots=True)
class NoteChange:
    """What is to be said of an object; None leaves a text as it is, an empty one takes it back.

    Attributes:
        collection: The one that it is in; made where there is none of the name.
        add_tags: Beside those that it has.
        remove_tags: Of those that it has.
        description: Free text.
        category: A word of yours.
        source: Where it came from.
    """

    collection: str | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    description: str | None = None
    category: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectNote:
    """What people say of an object.

    Attributes:
        location_id: Where it was when that was said.
        path: Its path there, encoded.
        digest: SHA-256 of its content: the note holds for it wherever it lies.
        collection: Name of its collection; empty for none.
        tags: Sorted.
        description: Free text; empty for none.
        category: The same.
        source: The same.
        who: Who said so last, as "user@host".
        at: When, UTC.
    """

    location_id: str
    path: str
    digest: str
    collection: str
    tags: tuple[str, ...]
    description: str
    category: str
    source: str
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """What is to be told to one address.

    Attributes:
        event_id: Of whoever made it; at most 32 letters.
        kind: What it tells, for example "watch.copies".
        target: Digest of the address; the address itself may be a secret.
        payload: What is told, as JSON can hold it.
        tries: How often it was begun to be sent.
        last_error: Why it was not taken the last time.
    """

    event_id: str
    kind: str
    target: str
    payload: Mapping[str, Any]
    tries: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search that somebody saved.

    Attributes:
        name: Unique among those of one person.
        query: The question, as JSON can hold it.
        description: What it is for; may be empty.
        who: Whose it is, as "user@host".
        at: When, UTC.
    """

    name: str
    query: Mapping[str, Any]
    description: str
    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """What was searched for once.

    Attributes:
        record_id: Goes up with each search.
        at: UTC.
        who: As "user@host".
        query: The question, as JSON can hold it; without bytes or secrets.
        by: What made a picture a result.
        results: How many were found.
        seconds: How long it took.
    """

    record_id: int
    at: datetime
    who: str
    query: Mapping[str, Any]
    by: str
    results: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SavedRule:
    """One version of a rule that somebody saved.

    Attributes:
        name: One rule has one name; `(name, version)` is unique.
        version: 1 for the first; goes up with each change.
        document: Its bounds, as JSON can hold them; name and version are not in it.
        note: Why it was saved; may be empty.
        who: Who saved this version, as "user@host".
        at: When, UTC.
        retired_at: When it was taken out of use; None while it is in use.
        retired_by: Who did so.
    """

    name: str
    version: int
    document: Mapping[str, Any]
    note: str
    who: str
    at: datetime
    retired_at: datetime | None = None
    retired_by: str | None = None


@dataclass(frozen=True, slots=True)
class LabelSample:
    """A draw of pairs that people are asked to label.

    Attributes:
        sample_id: Random hexadecimal.
        created_at: UTC.
        who: Who drew it, as "user@host".
        kind: How it was drawn.
        seed: Of the draw.
        document: What it was drawn from, as JSON can hold it: thresholds, strata with their sizes.
        items: Pairs in it.
    """

    sample_id: str
    created_at: datetime
    who: str
    kind: str
    seed: int
    document: Mapping[str, Any]
    items: int


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What came of labels that were given.

    Attributes:
        added: Pairs that this person had not labelled.
        changed: Pairs of which the verdict or the note is another now.
        same: Labels that stood already.
        older: Labels that were given earlier than the one that stands, which still does; or earlier than such a label
            was withdrawn.
    """

    added: int
    changed: int
    same: int
    older: int


@dataclass(frozen=True, slots=True)
class DecisionAct:
    """What came of decisions that were made together.

    Attributes:
        act_id: Random hexadecimal, by which all of them can be withdrawn; empty where nothing was added.
        added: Decisions that hold from now on.
        standing: Those that were made before.
        withdrawn: Earlier ones on the same pairs that said otherwise, and do not hold any more.
        older: Those that are not recorded because a later one on the same pair says otherwise.
    """

    act_id: str
    added: int
    standing: int
    withdrawn: int
    older: int
