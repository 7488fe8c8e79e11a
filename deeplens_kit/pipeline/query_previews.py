"""Small pictures of what was searched for, to be shown beside what was found.

Takes a query with its answer, gives WebP bytes; must not follow a link again: it may lead to another picture by now.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.decode import encode_thumbnail
from deeplens_kit.errors import DeepLensError
from deeplens_kit.pipeline.previews import thumbnail
from deeplens_kit.pipeline.query_text import file_of_text
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.search.link import is_link
from deeplens_kit.search.query import ImageTerm, Query

if TYPE_CHECKING:
    from deeplens_kit.pipeline.searching import SearchAnswer

__all__ = ["query_preview"]


def query_preview(
    workspace: Workspace, query: Query, answer: SearchAnswer, number: int, side_px: int = 300
) -> bytes | None:
    """A picture of a query as WebP; None for words, and where it cannot be had.

    Args:
        workspace: An open workspace.
        query: What was asked.
        answer: What was found.
        number: Of the term, from 0.
        side_px: 150, 300 or 600, the longer side.
    """
    term = query.terms[number]
    if not isinstance(term, ImageTerm):
        return None
    digest = answer.terms[number]["digest"] if answer.terms else answer.query["digest"]
    known = thumbnail(workspace, str(digest), side_px) if digest is not None else None
    if known is not None:
        return known
    try:
        data = _bytes(term.image, workspace.settings.decode.max_bytes)
        return None if data is None else encode_thumbnail(workspace.decoder.preview(data, side_px).rgb, side_px)
    except (DeepLensError, OSError, ValueError):
        return None


def _bytes(image: bytes | Path | str, most_bytes: int) -> bytes | None:
    if isinstance(image, str):
        text = image.strip()
        if is_link(text):
            return None
        written = file_of_text(text, most_bytes)
        image = Path(text) if written is None else written
    if not isinstance(image, Path):
        return bytes(image)
    path = image.expanduser()
    # Whatever else has this name by now, it is no picture that was searched for.
    if not path.is_file() or path.stat().st_size > most_bytes:
        return None
    return path.read_bytes()
