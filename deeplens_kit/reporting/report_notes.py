"""What the notebook of a report tells whoever renders it: the headline, figures for the history, and a mail.

Takes these values and the folder for numbers, writes one file that is no part of the report, and reads it again; must
not hold anything that the report does not say. The kernel of a notebook is another process, so that a file it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deeplens_kit.reporting.report_mail import ReportMail

__all__ = ["NOTES_FILE", "ReportNotes", "read_notes", "save_notes"]

NOTES_FILE = "render.json"
"""In the folder for numbers."""


@dataclass(frozen=True, slots=True)
class ReportNotes:
    """What a report tells of itself.

    Attributes:
        headline: Its result in one line.
        figures: Exact numbers, as JSON can hold them, that the history of reports keeps.
        mail: The same as a mail; None where the notebook made none.
    """

    headline: str = ""
    figures: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    mail: ReportMail | None = None


def save_notes(notes: ReportNotes, folder: Path | str) -> None:
    """Leave the notes for the renderer.

    Args:
        notes: What to tell.
        folder: The folder for numbers; an empty text writes nothing.
    """
    if folder:
        document = {
            "headline": notes.headline,
            "figures": dict(notes.figures),
            "mail": asdict(notes.mail) if notes.mail is not None else None,
        }
        text = json.dumps(document, ensure_ascii=False)
        (Path(folder) / NOTES_FILE).write_text(text, encoding="utf-8", errors="backslashreplace")


def read_notes(folder: Path) -> ReportNotes:
    """The notes that a notebook left in its folder for numbers; empty ones where it left none."""
    try:
        document = json.loads((folder / NOTES_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ReportNotes()
    mail = document["mail"]
    return ReportNotes(document["headline"], document["figures"], ReportMail(**mail) if mail is not None else None)
