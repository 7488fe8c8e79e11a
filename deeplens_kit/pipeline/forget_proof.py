"""What is left of a picture that was forgotten: looked for everywhere, and each find explained or told as a fault.

Takes an open workspace and a digest, gives what was looked at and what was found; must not change anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.ledger import Trace
from deeplens_kit.pipeline.kept_out import KEPT_OUT_FILE, load_kept_out
from deeplens_kit.pipeline.trace_scan import FoundIn, scan_files
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["Proved", "Stays", "left_behind", "prove_forgotten"]

_SQLITE = "sqlite:///"
_BACKUPS = "backups"

_REASONS: Mapping[str, str] = {
    "audit": "the audit trail proves who did what, and that it was forgotten; each line is chained to the one before",
    "journal": "the journal proves what was done with its files; each line is chained to the one before",
    "quarantine": "says when its file was moved to quarantine and removed; its path and what was kept are blanked",
    "holds": "a hold that was released stays in the list",
    "plan_parts": "what was proposed and approved stays as it was signed; it holds no more than digests and places",
    "plans": "what was proposed and approved stays as it was signed; it holds no more than digests and places",
    "applications": "what an application was told to do stays with its journal",
}
"""Why a table of the ledger still names it."""


@dataclass(frozen=True, slots=True)
class Stays:
    """Something that is left by design.

    Attributes:
        where: "ledger", "workspace", "catalog", "backups" or "answers".
        what: The table, plan or place.
        count: Rows or files; None where nobody knows.
        why: The reason, and what can be done.
    """

    where: str
    what: str
    count: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Proved:
    """What was looked at after forgetting.

    Attributes:
        files: Files of the workspace that were read to the last byte.
        size_bytes: Of these.
        tables: Rows of the catalog, by table, that still name it: empty.
        unexplained: Places where it was found without a reason: empty.
    """

    files: int
    size_bytes: int
    tables: Mapping[str, int]
    unexplained: tuple[str, ...]


def prove_forgotten(workspace: Workspace, digest: str) -> Proved:
    """Look for a digest in every table and every file of a workspace.

    What the database file of the ledger holds must be in the rows that stay by design: not once more.
    """
    tables = workspace.catalog.rows_of_picture(digest)
    traces = workspace.ledger.traces(digest)
    places = [path for path in workspace.own_paths() if path.name != _BACKUPS]
    scan = scan_files(places, digest)
    unexplained = [f"catalog: {count} rows of {name}" for name, count in tables.items()]
    unexplained += [f"ledger: {item.table}.{item.column}" for item in traces if item.table not in _REASONS]
    unexplained += [f"{item.path}: {item.times} times" for item in _unexplained(workspace, scan.found, traces)]
    unexplained += [f"{path}: cannot be read" for path in scan.unread]
    return Proved(scan.files, scan.size_bytes, tables, tuple(unexplained))


def left_behind(workspace: Workspace, digest: str, plans: Sequence[str]) -> tuple[Stays, ...]:
    """What is left by design, with the reason.

    Args:
        workspace: An open workspace.
        digest: SHA-256 of the picture's bytes.
        plans: Ids of plans that name it.
    """
    rows: dict[str, int] = {}
    for trace in workspace.ledger.traces(digest):
        # Of plans, whose steps may be compressed, it is told by their ids.
        if (not trace.spoken or trace.table == "quarantine") and trace.table not in ("plans", "plan_parts"):
            rows[trace.table] = max(rows.get(trace.table, 0), trace.rows)
    found = [Stays("ledger", table, count, _REASONS.get(table, "")) for table, count in rows.items()]
    if plans:
        found.append(Stays("ledger", f"plans {', '.join(plans[:5])}", len(plans), _REASONS["plans"]))
    if load_kept_out(workspace.directory).covers(digest):
        why = "a keyed hash of its digest, by which later runs leave it out; it tells nothing to whom lacks the picture"
        found.append(Stays("workspace", KEPT_OUT_FILE, 1, why))
    kept = workspace.directory / _BACKUPS
    if kept.is_dir() and any(kept.iterdir()):
        why = "copies made before an upgrade hold what was known then; remove them when nobody needs them"
        found.append(Stays("backups", str(kept), None, why))
    urls = {str(line.details.get("url", "")) for line in workspace.ledger.audit_trail(action="workspace.backed_up")}
    why = "backups made before hold it; make a new one and remove the older ones there"
    found += [Stays("backups", url, None, why) for url in sorted(urls)]
    seconds = workspace.settings.search.result_cache_seconds
    if workspace.settings.search.result_cache.startswith("memory"):
        why = f"a running `deeplens serve` keeps answers in memory for {seconds:,.0f} s; they are not given any more"
        found.append(Stays("answers", "memory of other processes", None, why))
    if "://" in workspace.settings.catalog_url:
        why = (
            "files of commits that never came to be stay in an object store for seven days, and its versions as it says"
        )
        found.append(Stays("catalog", workspace.settings.catalog_url, None, why))
    if not workspace.settings.ledger_url.startswith(_SQLITE):
        why = "the write-ahead log and backups of the database server hold it as long as the server keeps them"
        found.append(Stays("ledger", "the database server", None, why))
    return tuple(found)


def _unexplained(workspace: Workspace, found: Sequence[FoundIn], traces: Sequence[Trace]) -> list[FoundIn]:
    """Files that hold it, but for the ledger's where all of it is in rows that stay."""
    known = sum(trace.times * (1 + trace.indices) for trace in traces if trace.table in _REASONS)
    url = workspace.settings.ledger_url
    database = Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
    return [item for item in found if item.path != database or item.times > known]
