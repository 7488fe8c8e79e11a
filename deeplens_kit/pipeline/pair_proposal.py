"""What would be proposed of two files if they were all there is: by the same policy and decisions as groups.

Takes two paths of this machine, what is known of their pictures and pairs, and the workspace that they are judged in,
if there is one; gives one sentence. Must not read a file's content or write.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from deeplens_kit.matching import Grouping, KeepPolicy, Rule, group
from deeplens_kit.pipeline.file_listing import active_files, file_names
from deeplens_kit.pipeline.findings import group_files
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import OBJECTS, Outcome
from deeplens_kit.storage import encode_path
from deeplens_kit.storage.local import LocalLocation

__all__ = ["NOT_PROPOSED", "proposal_for_two"]

NOT_PROPOSED = "Not proposed: by the rule they are no copies."

_NAMES = ("A", "B")
_NOWHERE = "compared"
_COLUMNS = {**OBJECTS.polars, "location": pl.String(), "place": pl.String()}
_EITHER = "Proposed: either could go while the other stays."


def proposal_for_two(
    workspace: Workspace | None,
    paths: Sequence[Path],
    digests: Sequence[str],
    pictures: pl.DataFrame,
    pairs: pl.DataFrame,
    rule: Rule,
    policy: KeepPolicy | None,
) -> str:
    """Whether one of two files could go for the other, and why or why not.

    Args:
        workspace: Whose decisions hold, and whose locations the files may lie in; None for none.
        paths: Of A and B.
        digests: Of A and B.
        pictures: As for `matching.group`, with size_bytes.
        pairs: PAIRS of the two; none where their bytes are equal.
        rule: The bounds.
        policy: Which of the two stays; needed where there is a workspace.
    """
    sizes = dict(pictures.select("digest", "size_bytes").iter_rows())
    rows = [_row(name, path, digest, sizes[digest]) for name, path, digest in zip(_NAMES, paths, digests, strict=True)]
    if workspace is None or policy is None:
        if digests[0] == digests[1]:
            return _EITHER
        return _said(group(pl.DataFrame(rows, schema=_COLUMNS), pictures, pairs, rule))
    files = pl.DataFrame(_placed(workspace, rows, paths), schema=_COLUMNS)
    # Also what was never indexed is protected by its place or its name.
    names = pl.concat([known := file_names(workspace), files.select(known.columns)])
    return _said(group_files(workspace, files, pictures, pairs, rule, policy=policy, names=names))


def _row(name: str, path: Path, digest: str, size_bytes: int) -> dict[str, object]:
    modified = datetime.fromtimestamp(path.expanduser().stat().st_mtime, UTC)
    return dict.fromkeys(_COLUMNS) | {
        "object_id": name,
        "location_id": _NOWHERE,
        "location": _NOWHERE,
        "place": f"{_NOWHERE}/{name}/",
        "path": name,
        "digest": digest,
        "size_bytes": size_bytes,
        "modified_at": modified,
        "change_token": "",
        "outcome": str(Outcome.INDEXED),
        "link_count": 1,
        "run_id": "",
    }


def _placed(workspace: Workspace, rows: Sequence[dict[str, object]], paths: Sequence[Path]) -> list[dict[str, object]]:
    """The rows as the locations would list them, where the files lie in one."""
    places = sorted(
        (item.name, item.location_id, kind.place, encode_path(os.path.realpath(kind.root)).rstrip("/") + "/")
        for item in workspace.ledger.locations()
        if isinstance(kind := workspace.kind_of(item), LocalLocation)
    )
    named = []
    for row, path in zip(rows, paths, strict=True):
        file = encode_path(str(path.expanduser().resolve()))
        at = next((item for item in places if file.startswith(item[3])), None)
        if at is None:
            named.append({**row, "path": file.lstrip("/")})
        else:
            name, location_id, place, root = at
            listed = {"location": name, "location_id": location_id, "place": place, "path": file[len(root) :]}
            named.append({**row, **listed})
    # What is indexed and is still the same has the columns of its listing, such as the class of its storage.
    whole = [f"{row['place']}{row['path']}" for row in named]
    indexed = active_files(workspace).filter((pl.col("place") + pl.col("path")).is_in(whole))
    known = {(f"{row['place']}{row['path']}", row["digest"]): row for row in indexed.iter_rows(named=True)}
    return [
        {**known.get((file, row["digest"]), row), "object_id": row["object_id"]}
        for file, row in zip(whole, named, strict=True)
    ]


def _said(found: Grouping) -> str:
    if found.groups.height:
        keeper, member = found.groups.sort("is_keeper", descending=True)["object_id"]
        return f"Proposed: {member} could go, {keeper} stays ({found.groups.filter('is_keeper')['reason'][0]})."
    if found.withheld.height:
        row = found.withheld.row(0, named=True)
        return f"Not proposed: of {row['object_id']} against {row['keeper_object_id']}: {row['reason']}."
    if found.related.height:
        row = found.related.row(0, named=True)
        said = f"; {row['reason']}" if row["reason"] else ""
        return f"Related, not proposed: {row['object_id']} shows what is not in {row['other_object_id']}{said}."
    return NOT_PROPOSED
