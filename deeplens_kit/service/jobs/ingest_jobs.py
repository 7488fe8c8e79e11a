"""Jobs that take pictures in: from the spool, or from links.

Takes parameters and an open workspace, gives a row for each picture; must not store by itself. Links are fetched into
the job's folder of the spool first. What is known before the first try is noted there, so that a try after a kill can
tell what an earlier one stored from what was there before: each picture is stored once, and told of as stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from deeplens_kit.errors import Interrupted, ObjectError, QueryError, SettingsError
from deeplens_kit.ledger import JobProgress, NoteChange
from deeplens_kit.pipeline import IngestOptions, IngestRow, IngestState, Workspace, ingest
from deeplens_kit.pipeline.ingest_claims import NameClaims
from deeplens_kit.pipeline.ingest_names import TEMPLATE
from deeplens_kit.pipeline.ingest_sources import read_given, said_of
from deeplens_kit.pipeline.progress import ProgressSnapshot
from deeplens_kit.service.jobs.asking import index_from_now
from deeplens_kit.service.jobs.parameters import Parameters
from deeplens_kit.service.jobs.running import JobRun
from deeplens_kit.service.jobs.spool import PART, Spool, plain_name
from deeplens_kit.telemetry import redact

__all__ = ["IngestItem", "IngestParameters", "forget_ingest", "parse_ingest", "run_ingest"]

_KNOWN = "known.json"
_NOTE = ("collection", "tags", "description", "category", "source")
_ITEM = ("file", "url", "link", "note", "image_id")
_OPTIONS = ("template", "even_if_known", "url_seconds", "features", "thumbnails", "workers", "batch_size")
_MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class IngestItem:
    """One picture to take in: an entry of the spool, or a link.

    Attributes:
        file: An entry of the spool; empty for a link.
        url: A link (http, https); empty for an entry.
        link: The entry of the spool that has the whole of the link, where `url` is without what may be a key.
        note: What is said of it.
        image_id: What its sender was told that it will be; not looked at here.
    """

    file: str = ""
    url: str = ""
    note: NoteChange = field(default_factory=NoteChange)
    image_id: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class IngestParameters:
    """What a job of kind "ingest" is told.

    Attributes:
        location: Where they go.
        items: The pictures.
        template: Of their paths there.
        even_if_known: Store also what is there already.
        url_seconds: How long to wait for a link; None for the setting, which it cannot exceed.
        features: Compute features now; else the next index run does.
        thumbnails: Keep thumbnails.
        workers: Pictures that are looked at at the same time; 0 for all cores.
        batch_size: Pictures that are put into the catalog together; None for the setting.
    """

    location: str
    items: tuple[IngestItem, ...]
    template: str = TEMPLATE
    even_if_known: bool = False
    url_seconds: float | None = None
    features: bool = True
    thumbnails: bool = True
    workers: int = 1
    batch_size: int | None = None


def parse_ingest(parameters: Mapping[str, Any]) -> IngestParameters:
    """Check the parameters of a job of kind "ingest"."""
    given = Parameters("ingest", parameters, ("location", "items", *_OPTIONS))
    items = tuple(_item(item) for item in given.objects("items"))
    if not 0 < len(items) <= _MOST_ITEMS:
        raise SettingsError(f"A job of kind 'ingest' has {len(items):,} items; allowed are 1 to {_MOST_ITEMS:,}.")
    workers = given.number("workers", 1)
    return IngestParameters(
        location=given.text("location"),
        items=items,
        template=given.text("template", TEMPLATE),
        even_if_known=given.flag("even_if_known"),
        url_seconds=given.number("url_seconds", least=1),
        features=given.flag("features", True),
        thumbnails=given.flag("thumbnails", True),
        workers=1 if workers is None else workers,
        batch_size=given.number("batch_size", least=1),
    )


def _item(document: Mapping[str, Any]) -> IngestItem:
    given = Parameters("ingest", document, _ITEM)
    note = Parameters("ingest", given.object("note"), _NOTE)
    item = IngestItem(
        given.text("file", ""),
        given.text("url", ""),
        NoteChange(
            collection=note.text("collection", "") or None,
            add_tags=note.texts("tags"),
            description=note.text("description", "") or None,
            category=note.text("category", "") or None,
            source=note.text("source", "") or None,
        ),
        given.text("image_id", ""),
        given.text("link", ""),
    )
    if bool(item.file) == bool(item.url):
        raise SettingsError("An item of a job of kind 'ingest' needs either 'file' or 'url'.")
    return item


@dataclass(slots=True)
class _Ready:
    """An item whose bytes are here; or why they are not."""

    number: int
    path: Path
    note: NoteChange
    digest: str = ""
    row: IngestRow | None = None


def run_ingest(workspace: Workspace, value: IngestParameters, run: JobRun) -> dict[str, Any]:
    """Take them in; gives a row for each, and counts."""
    spool, job_id = Spool(workspace.directory), run.job.job_id
    folder = spool.folder_of(job_id)
    # 1. The bytes of all, on this disk.
    ready = [_fetched(workspace, value, spool, folder, number, run) for number in range(len(value.items))]
    # 2. What was there before this job began; an earlier try has noted it.
    known = _known_before(workspace, folder, ready)
    # 3. Stored and indexed; what an earlier try did is found there.
    rows: dict[int, IngestRow] = {item.number: item.row for item in ready if item.row is not None}
    waiting = ""
    whole = [item for item in ready if item.row is None]
    for note, same in groupby(whole, key=lambda item: item.note):
        batch = list(same)
        options = IngestOptions(
            template=value.template,
            note=note,
            even_if_known=value.even_if_known,
            features=value.features,
            thumbnails=value.thumbnails,
            workers=value.workers,
            batch_size=value.batch_size,
            claims=NameClaims(folder / "claims") if value.even_if_known else None,
        )
        listener = _Shifted(run, len(rows), len(ready))
        report = ingest(
            workspace, [str(item.path) for item in batch], value.location, options, progress=listener, stop=run.stop
        )
        waiting = report.waiting_for or waiting
        rows |= {item.number: row for item, row in zip(batch, report.rows, strict=False)}
        if len(report.rows) < len(batch):
            raise Interrupted("The job was ended before it was done; what was stored is kept.")
    # 4. What is stored and not in the catalog is taken up by an index run, which nobody has to ask for.
    if waiting:
        index_from_now(workspace, value.location)
    return _result(workspace, value, run, ready, rows, known, waiting)


def forget_ingest(workspace: Workspace, value: IngestParameters, job_id: str) -> None:
    """Forget what was sent: it is stored, and the ledger says so."""
    Spool(workspace.directory).remove(
        job_id, [entry for item in value.items for entry in (item.file, item.link) if entry]
    )


def _fetched(
    workspace: Workspace, value: IngestParameters, spool: Spool, folder: Path, number: int, run: JobRun
) -> _Ready:
    """The file of an item; a link's is fetched once, whatever becomes of the try."""
    run.check()
    item = value.items[number]
    if item.file:
        return _Ready(number, spool.path(item.file), item.note)
    place = folder / str(number)
    there = next((file for file in place.iterdir() if file.name != PART), None) if place.is_dir() else None
    source = item.note.source or said_of(item.url)
    note = replace(item.note, source=source)
    if there is not None:
        return _Ready(number, there, note)
    run.tell(JobProgress(len(value.items), number, message="fetch"))
    try:
        settings = workspace.settings
        if value.url_seconds is not None:
            seconds = min(value.url_seconds, settings.ingest.url_seconds)
            settings = replace(settings, ingest=replace(settings.ingest, url_seconds=seconds))
        link = spool.link_of(item.link) if item.link else item.url
        came = read_given(link, settings, name=None, allow_private=False)
    except (ObjectError, QueryError) as error:
        state = IngestState.REFUSED if isinstance(error, QueryError) else IngestState.FAILED
        row = IngestRow(said_of(item.url), state, error.code, redact(str(error)))
        return _Ready(number, place, note, row=row)
    place.mkdir(exist_ok=True)
    part = place / PART
    part.write_bytes(came.data)
    # The last part of a link may be any text; whole or not at all.
    return _Ready(number, part.rename(place / plain_name(came.name)), note)


def _known_before(workspace: Workspace, folder: Path, ready: Sequence[_Ready]) -> frozenset[str]:
    """Contents of these that were in the catalog before the job began."""
    for item in ready:
        if item.row is None:
            item.digest = _digest(item.path)
    note = folder / _KNOWN
    if note.is_file():
        return frozenset(json.loads(note.read_text(encoding="utf-8")))
    digests = sorted({item.digest for item in ready if item.digest})
    objects = workspace.catalog.objects(columns=["digest"]) if digests else None
    there = set(objects["digest"].drop_nulls()) if objects is not None else set()
    known = sorted(there.intersection(digests))
    part = note.with_suffix(".part")
    part.write_text(json.dumps(known), encoding="utf-8")
    part.rename(note)
    return frozenset(known)


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read, which its row then says."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


class _Shifted:
    """Tells the progress of a part as that of the whole."""

    def __init__(self, run: JobRun, before: int, total: int) -> None:
        self._run, self._before, self._total = run, before, total

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Tell how far the whole is."""
        self._run.update(replace(snapshot, done=self._before + snapshot.done, total=self._total))


def _result(
    workspace: Workspace,
    value: IngestParameters,
    run: JobRun,
    ready: Sequence[_Ready],
    rows: Mapping[int, IngestRow],
    known: frozenset[str],
    waiting: str,
) -> dict[str, Any]:
    location_id = workspace.ledger.location(value.location).location_id
    names = {item.name: item.location_id for item in workspace.ledger.locations(inactive=True)}
    told, own = [], set[str]()
    for item in ready:
        row = rows[item.number]
        is_first = item.digest not in known and item.digest not in own
        place = row.matches[0] if row.state is IngestState.KNOWN and row.matches and is_first else None
        if place is not None and place.location == value.location and run.job.turn > 1:
            # An earlier try of this job stored it.
            row = replace(row, state=IngestState.STORED, code="", message="", path=place.path, indexed=True, matches=())
        own.add(item.digest)
        document = _document(row, location_id, names)
        told.append({"item": item.number, **document, "given": value.items[item.number].file or row.given})
    counts = {str(state): sum(row["state"] == state for row in told) for state in IngestState}
    return {"location": value.location, "rows": told, "counts": counts, "waiting_for": waiting}


def _document(row: IngestRow, location_id: str, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "state": str(row.state),
        "code": row.code,
        "message": row.message,
        "image_id": f"{location_id}/{row.path}" if row.path is not None else None,
        "path": row.path,
        "digest": row.digest,
        "size_bytes": row.size_bytes,
        "indexed": row.indexed,
        "matches": [
            {
                "image_id": f"{names.get(place.location, '')}/{place.path}",
                "location": place.location,
                "path": place.path,
                "digest": place.digest,
                "tier": str(place.tier),
                "score": place.score,
            }
            for place in row.matches
        ],
    }
