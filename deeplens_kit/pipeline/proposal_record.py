"""What a report proposed, kept beside the workspace, so that the next one can tell what is new and what is gone.

Takes an open workspace and the members of groups, gives them back by the time at which they were read; writes files
into the workspace's own folder and nothing else. They may be deleted at any time: the next report then says that it
cannot tell.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.search.cache_files import write_bytes
from deeplens_kit.telemetry import get_logger

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["PROPOSALS_FOLDER", "PROPOSED", "forget_proposals", "keep_proposals", "kept_proposals"]

_log = get_logger(__name__)

PROPOSALS_FOLDER = "report-proposals"
"""Of a workspace: files of the last reports of each kind; it lies beside `workspace.toml`."""

PROPOSED = pl.Schema(
    {
        "object_id": pl.String(),
        "location": pl.String(),
        "path": pl.String(),
        "tier": pl.String(),
        "size_bytes": pl.Int64(),
        "frees_bytes": pl.Int64(),
    }
)
"""Columns of what was proposed: a row for each object."""

# Of reports that are compared with each other: each looks back once, and one may be made while another is.
_KEPT_OF_A_KIND = 3
# Kinds, those that were made last: what nobody asked for since is an experiment of long ago.
_MOST_KINDS = 48
_NAME = "%Y%m%dT%H%M%S%fZ"


def keep_proposals(
    workspace: Workspace, members: pl.DataFrame, made_at: datetime, kind: Mapping[str, str] | None = None
) -> None:
    """Keep what a report proposes; of many of a kind the latest stay.

    Args:
        workspace: An open workspace. Where it cannot be written the report stands all the same, and the next one cannot
            look back to it.
        members: With `is_keeper` and the columns of PROPOSED.
        made_at: When that was read, with a zone.
        kind: What reports have in common that are compared with each other: a report of each minute puts none of each
            week aside.
    """
    proposed = members.filter(~pl.col("is_keeper")).select(PROPOSED.names()).unique("object_id", keep="first")
    content = io.BytesIO()
    # In the order of names what follows one another is alike, which makes the file a tenth.
    proposed.sort("object_id").write_parquet(content, compression="zstd")
    folder = workspace.directory / PROPOSALS_FOLDER
    try:
        folder.mkdir(exist_ok=True)
        write_bytes(folder / f"{_stem(made_at)}-{_digest(kind or {})}.parquet", content.getbuffer())
        for file in _outdated(folder):
            file.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("what was proposed is not kept", error=error.strerror or type(error).__name__)


def kept_proposals(workspace: Workspace, made_at: datetime) -> pl.DataFrame | None:
    """What the report of that time proposed: PROPOSED; None where it was not kept, or cannot be read.

    Args:
        workspace: An open workspace.
        made_at: As given to `keep_proposals`.
    """
    folder = Path(workspace.directory) / PROPOSALS_FOLDER
    try:
        # By its time alone: of an earlier version, a file has no kind.
        file = next(folder.glob(f"{_stem(made_at)}*.parquet"), None)
        return None if file is None else pl.read_parquet(file.read_bytes()).match_to_schema(PROPOSED)
    except FileNotFoundError:
        return None
    except (OSError, pl.exceptions.PolarsError) as error:
        _log.warning("what was proposed cannot be read", error=type(error).__name__)
        return None


def forget_proposals(directory: Path, *, really: bool) -> int:
    """Remove what all reports proposed, by names of files: nothing else proves that a picture is not among them.

    Args:
        directory: Of the workspace.
        really: Remove it; else only say how many files would go.

    Raises:
        OSError: A file cannot be removed.
    """
    files = list((directory / PROPOSALS_FOLDER).glob("*.parquet"))
    for file in files if really else ():
        file.unlink(missing_ok=True)
    return len(files)


def _outdated(folder: Path) -> list[Path]:
    """All but the latest of each of the latest kinds."""
    kinds: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.parquet"), reverse=True):
        kinds.setdefault(file.stem.partition("-")[2], []).append(file)
    return [
        file for at, files in enumerate(kinds.values()) for file in files[_KEPT_OF_A_KIND if at < _MOST_KINDS else 0 :]
    ]


def _stem(made_at: datetime) -> str:
    return made_at.astimezone(UTC).strftime(_NAME)


def _digest(kind: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(kind.items())).encode()).hexdigest()[:16]
