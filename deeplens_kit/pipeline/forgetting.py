"""Forgetting a picture: every trace of it in a workspace is removed, and it is proved that none is left.

Takes an open workspace and what names a picture, gives a report of what went, what stays and why. No file of a user is
touched: that needs a plan. The catalog goes first, then the caches, then the ledger, whose audit trail tells of it;
ended in between, the same call with the digest goes on. A legal hold, or a file in quarantine, stands against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeplens_kit.actions import covered_by_holds, steps_from_parts
from deeplens_kit.errors import SettingsError, UnknownNameError, WorkspaceError
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.pipeline.act_ground import leased
from deeplens_kit.pipeline.answer_cache import AnswerCache
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.forget_caches import clear_caches
from deeplens_kit.pipeline.forget_proof import Proved, Stays, left_behind, prove_forgotten
from deeplens_kit.pipeline.kept_out import KeptOutEntry, add_kept_out, load_kept_out, remove_kept_out
from deeplens_kit.pipeline.proposal_record import PROPOSALS_FOLDER, forget_proposals
from deeplens_kit.pipeline.subjects import file_named
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["Forgotten", "digest_named", "forget", "kept_out_entries", "withdraw_kept_out"]

_DIGITS = 64
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting a picture came to.

    Attributes:
        digest: SHA-256 of its bytes.
        really: Whether it was done; else it is what would be.
        removed: Columns where, what and count: rows and files that went.
        stays: What is left, and why.
        files: Columns location, path, outcome: the files that held it, as the catalog had them; they are not touched.
        proof: What was looked at afterwards; None where nothing was done.
        kept_out: Whether later runs leave the picture out.
    """

    digest: str
    really: bool
    removed: pl.DataFrame
    stays: tuple[Stays, ...]
    files: pl.DataFrame
    proof: Proved | None
    kept_out: bool = False

    @property
    def clean(self) -> bool:
        """Whether it was done, and nothing was found but what stays for a reason that is told."""
        return self.proof is not None and not self.proof.unexplained


def digest_named(workspace: Workspace, what: str) -> str:
    """The picture that is meant.

    Args:
        workspace: An open workspace.
        what: A digest; LOCATION/path or LOCATION:path of an object, at an inactive location too; or a file.

    Raises:
        UnknownNameError: Nothing is known by this name.
        SettingsError: What is known was never read, so that nothing tells what it holds.
    """
    text = what.strip()
    if len(text) == _DIGITS and set(text.lower()) <= _HEX:
        return text.lower()
    files = active_files(workspace)
    for location in workspace.ledger.locations(inactive=True):
        if text[: len(location.name)] == location.name and text[len(location.name) : len(location.name) + 1] in "/:":
            path = text[len(location.name) + 1 :]
            # As stored, at a location that is left out too; else as the file system or a table spells it.
            if path and (row := workspace.catalog.object_at(location.location_id, path)) is not None:
                return _read_digest(row["digest"], what)
            if path and (object_id := file_named(f"{location.name}:{path}", files, workspace)):
                return _read_digest(files.filter(object_id=object_id)["digest"][0], what)
    if object_id := file_named(text, files, workspace):
        return _read_digest(files.filter(object_id=object_id)["digest"][0], what)
    file = Path(text).expanduser()
    if file.is_file():
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    raise UnknownNameError(
        "picture",
        what,
        (),
        advice="give its digest (64 hexadecimal digits), LOCATION/path as `deeplens duplicates` shows it, or a file.",
    )


def forget(workspace: Workspace, what: str, why: str, *, really: bool = False, keep_out: bool = False) -> Forgotten:
    """Remove every trace of a picture from the workspace, or say what would go.

    Args:
        workspace: An open workspace; no other run may work at any of its locations.
        what: As for `digest_named`.
        why: The reason, for the audit trail.
        really: Do it; else nothing is changed.
        keep_out: Have later runs leave it out: of its digest a keyed hash is kept.

    Raises:
        SettingsError: There is no reason, a legal hold covers the picture, or a file of quarantine is it or stands by
            it.
        UnknownNameError: Nothing is known by this name.
        LeaseHeldError: Another run works at a location.
        WorkspaceError: A store refused; the same call, with the digest, goes on.
    """
    if not why.strip():
        raise SettingsError("A picture is forgotten for a reason, which the audit trail keeps: give it with --why.")
    digest = digest_named(workspace, what)
    everywhere = [item.location_id for item in workspace.ledger.locations(inactive=True)]
    with leased(workspace, "forget", everywhere) if really else nullcontext():
        objects = workspace.catalog.objects_of([digest])
        require_forgettable(workspace, digest, objects)
        if really and keep_out:
            # First: ended in between, it does not come back before somebody goes on.
            entry = add_kept_out(workspace.directory, digest, current_person())
            workspace.ledger.record_audit("picture.kept_out", {"entry_id": entry.entry_id})
        removed = [("catalog", name, count) for name, count in workspace.catalog.rows_of_picture(digest).items()]
        if really:
            workspace.catalog.forget_picture(digest)
        with _cache_errors(workspace):
            caches = clear_caches(Path(workspace.settings.cache_dir), digest, really=really)
            reports = forget_proposals(workspace.directory, really=really)
        removed += [*(("caches", name, count) for name, count in caches), ("reports", PROPOSALS_FOLDER, reports)]
        removed += _forget_in_ledger(workspace, digest, why.strip()) if really else _in_ledger(workspace, digest)
        if really:
            with closing(AnswerCache(workspace)) as answers:
                answers.clear()
            workspace.ledger.purge()
        proof = prove_forgotten(workspace, digest) if really else None
        stays = left_behind(workspace, digest, _planned(workspace, digest))
    names = workspace.location_names()
    files = objects.join(names, on="location_id", how="left").select("location", "path", "outcome")
    schema = {"where": pl.String, "what": pl.String, "count": pl.Int64}
    frame = pl.DataFrame([row for row in removed if row[2]], schema=schema, orient="row")
    out = keep_out or load_kept_out(workspace.directory).covers(digest)
    return Forgotten(digest, really, frame, stays, files.sort("location", "path"), proof, out)


def kept_out_entries(workspace: Workspace) -> tuple[KeptOutEntry, ...]:
    """The pictures that are kept out, as far as anybody can know: since when, and who asked for it."""
    return load_kept_out(workspace.directory).entries


def withdraw_kept_out(workspace: Workspace, what: str) -> KeptOutEntry:
    """Let a picture in again; the next index run takes it up where it still lies.

    Args:
        workspace: An open workspace.
        what: The id of the entry, the digest of the picture, or a file with its content.

    Raises:
        UnknownNameError: Nothing is known by this name, or it is not kept out.
    """
    kept = load_kept_out(workspace.directory)
    found = [entry for entry in kept.entries if entry.entry_id == what.strip().lower()]
    if not found:
        mark = kept.mark(digest_named(workspace, what))
        found = [entry for entry in kept.entries if entry.mark == mark]
    if not found:
        raise UnknownNameError("picture that is kept out", what, [entry.entry_id for entry in kept.entries])
    remove_kept_out(workspace.directory, found[0])
    workspace.ledger.record_audit("picture.let_in", {"entry_id": found[0].entry_id})
    return found[0]


def require_forgettable(workspace: Workspace, digest: str, objects: pl.DataFrame) -> None:
    """Refuse where a legal hold covers the picture at any place, or a file in quarantine is it or stands by it."""
    ledger = workspace.ledger
    collections: dict[str, set[str]] = {}
    for note in ledger.notes([digest]):
        collections.setdefault(note.collection or "", set()).add(digest)
    itself = pl.DataFrame({"location_id": [""], "path": [""], "digest": [digest]})
    places = pl.concat([objects.select("location_id", "path", "digest"), itself])
    for hold in ledger.holds():
        if covered_by_holds(places, [hold], collections).any():
            raise SettingsError(
                f"Picture {digest[:12]}… is under hold {hold.hold_id}; nothing was forgotten. `deeplens holds list` "
                f"says why, `deeplens holds release {hold.hold_id}` releases it, if you may."
            )
    # Before anything goes: what the ledger refuses later would leave the catalog without it.
    ledger.require_forgettable(digest)


def _in_ledger(workspace: Workspace, digest: str) -> list[tuple[str, str, int]]:
    """Rows that name the picture, of the tables that forgetting takes something from."""
    rows: dict[str, int] = {}
    for trace in workspace.ledger.traces(digest):
        if trace.spoken:
            rows[trace.table] = max(rows.get(trace.table, 0), trace.rows)
    return [("ledger", table, count) for table, count in rows.items()]


def _forget_in_ledger(workspace: Workspace, digest: str, why: str) -> list[tuple[str, str, int]]:
    return [("ledger", name, count) for name, count in workspace.ledger.forget_digest(digest, why).items()]


def _planned(workspace: Workspace, digest: str) -> list[str]:
    """Plans with a step that names the picture."""
    found = []
    for record in workspace.ledger.plans():
        steps = steps_from_parts(workspace.ledger.plan_parts(record.plan_id))
        if steps.select(pl.any_horizontal(pl.col("victim_digest", "keeper_digest") == digest).any()).item():
            found.append(record.plan_id)
    return found


def _read_digest(digest: str | None, what: str) -> str:
    if digest is None:
        raise SettingsError(
            f"{what!r} was never read, so nobody knows what it holds, and nothing is known of it but its place; remove "
            "the file, and the next index forgets it."
        )
    return digest


@contextmanager
def _cache_errors(workspace: Workspace) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkspaceError(
            f"The caches in {workspace.settings.cache_dir!r} cannot be cleared: {error.strerror or error}. See to "
            "that, then run it again with the digest."
        ) from error
