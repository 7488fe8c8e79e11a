"""Plans that rewrite references: texts, tables and symbolic links that name files that went name those
that stay.

Takes an open workspace, redirects and locations, gives a plan like any other: to be looked at, approved, applied and
undone. Reads the files that may hold references; writes to the ledger alone. What a step writes is made again when it
is done, and is written only where it is exactly what was approved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from deeplens_kit.actions import (
    REFERENCES,
    ActStep,
    Redirect,
    ReferringFile,
    ReferringLink,
    Rewritten,
    TextRewriter,
    reference_steps,
    relinked,
    rewrite_table,
)
from deeplens_kit.errors import ObjectError, SettingsError
from deeplens_kit.ledger import Location, PlanRecord
from deeplens_kit.pipeline.plan_facts import location_names, plan_places, plan_prices
from deeplens_kit.pipeline.plan_summary import totals_of
from deeplens_kit.pipeline.planning import save_steps
from deeplens_kit.pipeline.redirects import addresses_of, standing_redirects
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import LocationKind, ObjectStat
from deeplens_kit.storage.globs import path_matcher
from deeplens_kit.storage.paths import decode_path, encode_path

__all__ = ["REFERENCE_GLOBS", "ReferencePlan", "plan_references", "reference_content"]

REFERENCE_GLOBS = tuple(
    f"*.{ending}"
    for ending in ("txt", "csv", "tsv", "json", "jsonl", "html", "htm", "md", "xml", "yaml", "yml", "parquet")
)
"""Files that are looked at where nobody says otherwise."""

_MOST_BYTES = 2**28
"""Of a file that is looked at, inclusive: it is read into memory, and its copy too."""

_TABLE = ".parquet"
_KEPT_CHANGES = 1000
_KEPT_LEFT = 200
_SCHEMA = {"location": pl.String, "path": pl.String, "line": pl.Int64, "column": pl.String}
_CHANGED = pl.Schema({**_SCHEMA, "before": pl.String, "after": pl.String, "references": pl.Int64})
_LEFT = pl.Schema({**_SCHEMA, "text": pl.String, "why": pl.String})


@dataclass(frozen=True, slots=True)
class ReferencePlan:
    """What came of looking for references.

    Attributes:
        record: The plan, a draft; None where nothing is to be rewritten.
        changes: location, path, line (from 1; 0 in a table), column, before, after and references: what changes.
        left: location, path, line, column, text and why: what is left as it is.
        files: Files that were looked at.
        redirects: Old addresses that were looked for.
    """

    record: PlanRecord | None
    changes: pl.DataFrame
    left: pl.DataFrame
    files: int
    redirects: int


def plan_references(
    workspace: Workspace, source: str | Path, locations: Sequence[str], globs: Sequence[str] = ()
) -> ReferencePlan:
    """Find references to files that went, and save a plan that rewrites them, as a draft.

    Args:
        workspace: An open workspace.
        source: As for `redirects_of`.
        locations: Names of the locations whose files are looked at, at least one.
        globs: Which of their files, as the option `include` of a location has them; none for `REFERENCE_GLOBS`.

    Raises:
        SettingsError: A glob or a map cannot be read, no location is named, or there is nothing to look for.
        UnknownNameError: There is no such application or location.
        LocationUnavailableError: A location cannot be listed.
    """
    if not locations:
        raise SettingsError("Say where references are: --in LOCATION, which may come again.")
    chosen = [workspace.ledger.location(name) for name in dict.fromkeys(locations)]
    redirects, gone = standing_redirects(workspace, source)
    if not redirects:
        why = ": what stood for it went too" if gone.height else ""
        raise SettingsError(
            f"Nothing went by {str(source)!r} that is elsewhere now{why}, so there is nothing to look for."
        )
    files: list[ReferringFile] = []
    links: list[ReferringLink] = []
    left: list[tuple[object, ...]] = [
        (now, path_now, 0, "", f"{name}:{path}", "it stood for this file and is not there any more; its names are left")
        for name, path, now, path_now in gone.iter_rows()
    ]
    rewriter, count = TextRewriter(redirects), 0
    for location in chosen:
        # Files that no picture is are left out of a listing of pictures.
        plain = replace(location, options={key: said for key, said in location.options.items() if key != "include"})
        kind = workspace.kind_of(plain)
        try:
            for path, state in _listed(workspace, kind, globs):
                count += 1
                file = _looked_at(kind, rewriter, path, state, location, left)
                if file is not None:
                    files.append(file)
            links += _links(kind, location, redirects, globs, left)
        finally:
            kind.close()
    changes = [
        (name, file.path, change.line, change.column, change.before, change.after, change.references)
        for file, name in ((file, _name_in(chosen, file.location_id)) for file in files)
        for change in file.rewritten.changes
    ]
    changes += [
        (_name_in(chosen, link.location_id), link.path, 0, "symlink", link.before, link.after, 1) for link in links
    ]
    changed = pl.DataFrame(changes, schema=_CHANGED, orient="row")
    remaining = pl.DataFrame(left, schema=_LEFT, orient="row")
    steps = reference_steps(files, links)
    record = None
    if steps.height:
        used = dict.fromkeys(redirect for file in files for redirect in file.rewritten.used)
        record = save_steps(
            workspace, steps, _document(workspace, source, steps, used, changed, remaining), kind=REFERENCES
        )
    return ReferencePlan(record, changed, remaining, count, len(redirects))


def reference_content(
    record: PlanRecord, steps: pl.DataFrame, kinds: Mapping[str, LocationKind]
) -> Callable[[ActStep], bytes | None]:
    """What steps of a plan write, made again from the files as they are; None where that is not what was approved.

    Args:
        record: The plan.
        steps: PLAN_STEPS of it.
        kinds: The opened locations, by id.
    """
    rewriter = TextRewriter([Redirect(old, new) for old, new in record.document["redirects"]])
    wanted = dict(steps.select("step", "target").iter_rows())

    def content(step: ActStep) -> bytes | None:
        if step.action is ActionKind.RELINK:
            return str(wanted[step.step]).encode()
        kind = kinds[step.victim.location_id]
        data = kind.read(step.victim.path, max_bytes=_MOST_BYTES)
        try:
            new = _rewritten(rewriter, data, addresses_of(kind, step.victim.path)[0]).data
        except ValueError:
            return None
        return new if new is not None and hashlib.sha256(new).hexdigest() == wanted[step.step] else None

    return content


def _listed(workspace: Workspace, kind: LocationKind, globs: Sequence[str]) -> Iterable[tuple[str, ObjectStat]]:
    matches = path_matcher("--glob", tuple(globs) or REFERENCE_GLOBS)
    assert matches is not None, "there is always one"
    columns = ["path", "size_bytes", "change_token", "modified_at", "link_id", "link_count", "checksum"]
    for row in kind.list(skip=workspace.own_paths()).frame.select(*columns, "storage_class").iter_rows():
        if matches(decode_path(row[0])):
            yield row[0], ObjectStat(*row[1:])


def _links(
    kind: LocationKind,
    location: Location,
    redirects: Sequence[Redirect],
    globs: Sequence[str],
    left: list[tuple[object, ...]],
) -> Iterable[ReferringLink]:
    """The symbolic links of a location that lead to files that went."""
    matches = path_matcher("--glob", tuple(globs) or ("*",))
    assert matches is not None, "there is always one"
    excluded = path_matcher("exclude", tuple(map(str, location.options.get("exclude", ()))))
    by_old = {redirect.old: redirect for redirect in redirects}
    for path, text in sorted(kind.symlinks().items()):
        if not matches(decode_path(path)) or (excluded is not None and excluded(decode_path(path))):
            continue
        after = relinked(decode_path(text), addresses_of(kind, path)[0], by_old)
        if after:
            yield ReferringLink(location.location_id, path, text, encode_path(after))
        elif after is not None:
            left.append((location.name, path, 0, "symlink", text, "no link of a folder leads to where the file is now"))


def _looked_at(
    kind: LocationKind,
    rewriter: TextRewriter,
    path: str,
    state: ObjectStat,
    location: Location,
    left: list[tuple[object, ...]],
) -> ReferringFile | None:
    """A file that changes; None for one that does not. What is left is added to `left`."""

    def leave(why: str) -> None:
        left.append((location.name, path, 0, "", "", why))

    if state.size_bytes > _MOST_BYTES:
        leave(f"it has more than {_MOST_BYTES:,} bytes, and was not looked at")
        return None
    try:
        state = kind.stat(path)
        data = kind.read(path, expected=state, max_bytes=_MOST_BYTES)
        found = _rewritten(rewriter, data, addresses_of(kind, path)[0])
    except (ObjectError, ValueError) as error:
        leave(f"it was not looked at: {error}")
        return None
    left += [(location.name, path, item.line, item.column, item.text, item.why) for item in found.left]
    if found.data is None:
        return None
    if state.link_count > 1:
        leave("it has several names (hard links), of which one alone would be rewritten")
        return None
    return ReferringFile(location.location_id, path, state, hashlib.sha256(data).hexdigest(), found)


def _rewritten(rewriter: TextRewriter, data: bytes, address: str) -> Rewritten:
    if address.lower().endswith(_TABLE):
        return rewrite_table(data, address, rewriter.names("text"))
    return rewriter.rewrite(data, address)


def _document(
    workspace: Workspace,
    source: str | Path,
    steps: pl.DataFrame,
    used: Iterable[Redirect],
    changes: pl.DataFrame,
    left: pl.DataFrame,
) -> dict[str, Any]:
    proof = workspace.settings.actions.proof
    names = location_names(workspace)
    notes = [f"{int(changes['references'].sum()):,} names in {steps.height:,} files and links change."]
    if left.height:
        notes.append(f"{left.height:,} names or files are left as they are, each for its reason.")
    return {
        "document": 1,
        "source": str(source),
        "proof": proof,
        "totals": totals_of(steps, plan_places(workspace), names, plan_prices(workspace), proof),
        "redirects": [[redirect.old, redirect.new] for redirect in used],
        "changes": changes.head(_KEPT_CHANGES).rows(named=True),
        "left": left.head(_KEPT_LEFT).rows(named=True),
        "notes": notes,
        "made_by": "references",
    }


def _name_in(locations: Sequence[Location], location_id: str) -> str:
    return next(item.name for item in locations if item.location_id == location_id)
