"""Steps of a plan that rewrites references: one for each text, table or symbolic link that changes.

Takes files with their states and what is to become of them, gives PLAN_STEPS; must not read or write a file. The
digest of the new content is the target of its step, so that approving a plan approves exactly those bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from deeplens_kit.actions.reference_links import SAYS, ReferringLink
from deeplens_kit.actions.reference_text import Rewritten
from deeplens_kit.schemas import PLAN_STEPS, ActionKind
from deeplens_kit.storage import ObjectStat

__all__ = ["REFERENCES", "ReferringFile", "reference_steps"]

REFERENCES = "references"
"""The kind of the plans whose steps rewrite references."""


@dataclass(frozen=True, slots=True)
class ReferringFile:
    """A file that names others.

    Attributes:
        location_id: Its location.
        path: Its path there, encoded.
        state: As it was read.
        digest: SHA-256 of what it held.
        rewritten: What is to become of it.
    """

    location_id: str
    path: str
    state: ObjectStat
    digest: str
    rewritten: Rewritten


def reference_steps(files: Iterable[ReferringFile], links: Iterable[ReferringLink] = ()) -> pl.DataFrame:
    """PLAN_STEPS that rewrite those files that change, and have links lead elsewhere.

    Args:
        files: Each once.
        links: Each once.
    """
    found = [_row(file) for file in files if file.rewritten.data is not None] + [_row_of_link(link) for link in links]
    rows = sorted(found, key=lambda row: (str(row["victim_location_id"]), str(row["victim_path"])))
    schema = {column.name: column.dtype for column in PLAN_STEPS.columns}
    frame = pl.DataFrame([{"step": at, **row} for at, row in enumerate(rows)], schema=schema, orient="row")
    return PLAN_STEPS.check(frame)


def _row(file: ReferringFile) -> dict[str, object]:
    data = file.rewritten.data
    assert data is not None, "those that do not change are no step"
    count = file.rewritten.references
    return {
        "action": str(ActionKind.REWRITE),
        "victim_location_id": file.location_id,
        "victim_path": file.path,
        "victim_digest": file.digest,
        "victim_basis": "read",
        "victim_token": file.state.change_token,
        "victim_size_bytes": file.state.size_bytes,
        "victim_modified_at": file.state.modified_at,
        "victim_link_id": file.state.link_id,
        "victim_link_count": file.state.link_count,
        "victim_storage_class": file.state.storage_class,
        "rule": REFERENCES,
        "reason": f"{count:,} name{'s' if count != 1 else ''} of files that went",
        "frees_bytes": 0,
        "proof_bytes": file.state.size_bytes,
        "target": hashlib.sha256(data).hexdigest(),
    }


def _row_of_link(link: ReferringLink) -> dict[str, object]:
    return {
        "action": str(ActionKind.RELINK),
        "victim_location_id": link.location_id,
        "victim_path": link.path,
        "victim_digest": hashlib.sha256(link.before.encode()).hexdigest(),
        "victim_token": SAYS + link.before,
        "victim_size_bytes": len(link.before.encode()),
        "victim_link_count": 1,
        "rule": REFERENCES,
        "reason": "a symbolic link to a file that went",
        "frees_bytes": 0,
        "proof_bytes": 0,
        "target": link.after,
    }
