"""What a report proposed, kept beside the workspace, so that the next one can tell what is new and what is gone.

Takes an open workspace and the members of groups, gives them back by the time at which they were read; writes files
into the workspace's own folder and nothing else. They may be deleted at any time: the next report then says that it
cannot tell.
"""

from __future__ import annotations

import io
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
"""Of a workspace: a file for each of the last reports; it lies beside `workspace.toml`."""

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

# Reports of several schedules with parameters of their own, each of which looks back once.
_MOST_KEPT = 24
_NAME = "%Y%m%dT%H%M%S%fZ"


def keep_proposals(workspace: Workspace, members: pl.DataFrame, made_at: datetime) -> None:
    """Keep what a report proposes; of many the latest stay.

    Args:
        workspace: An open workspace. Where it cannot be written the report stands all the same, and the next one cannot
            look back to it.
        members: With `is_keeper` and the columns of PROPOSED.
        made_at: When that was read, with a zone.
    """
    proposed = members.filter(~pl.col("is_keeper")).select(PROPOSED.names()).unique("object_id", keep="first")
    content = io.BytesIO()
    # In the order of names what follows one another is alike, which makes the file a tenth.
    proposed.sort("object_id").write_parquet(content, compression="zstd")
    folder = workspace.directory / PROPOSALS_FOLDER
    try:
        folder.mkdir(exist_ok=True)
        write_bytes(folder / _file_name(made_at), content.getbuffer())
        for file in sorted(folder.glob("*.parquet"))[:-_MOST_KEPT]:
            file.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("what was proposed is not kept", error=error.strerror or type(error).__name__)


def kept_proposals(workspace: Workspace, made_at: datetime) -> pl.DataFrame | None:
    """What the report of that time proposed: PROPOSED; None where it was not kept, or cannot be read.

    Args:
        workspace: An open workspace.
        made_at: As given to `keep_proposals`.
    """
    file = Path(workspace.directory) / PROPOSALS_FOLDER / _file_name(made_at)
    try:
        return pl.read_parquet(file.read_bytes()).match_to_schema(PROPOSED)
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


def _file_name(made_at: datetime) -> str:
    return f"{made_at.astimezone(UTC).strftime(_NAME)}.parquet"
