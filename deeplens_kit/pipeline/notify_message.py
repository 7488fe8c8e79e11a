"""What a notice says: counts, and the first of the new copies, as a mail or as JSON.

Takes new copies of one or more rounds, gives a notice and what it is in words; must not send anything. A notice that is
made again of the same copies has the same id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from email.message import EmailMessage

from deeplens_kit.pipeline.new_duplicates import NewDuplicate, NewDuplicates
from deeplens_kit.storage.paths import display_path

__all__ = ["MOST_IN_DOCUMENT", "SCHEMA", "Notice", "document_of", "mail_of", "notice_of"]

SCHEMA = "deeplens.watch.notice/1"
MOST_IN_DOCUMENT = 100
MOST_IN_MAIL = 20
_TIER_WORDS = {"bytes": "the same bytes", "pixels": "the same pixels", "copy": "a copy"}
_STAYS_WORDS = {"known": "; the new one could go", "new": "; the known one could go", "both": "; both stay"}
_RELATION_WORDS = {"whole": "of", "part": "of a part of", "contains": "with more around it, of"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message.

    Attributes:
        notice_id: The same for the same copies.
        made_at: When it was put together, UTC.
        workspace: Name of the workspace's folder.
        duplicates: New copies that it tells of.
        by_tier: Of these, by tier.
        saved_bytes: What the proposed removals among them would free.
        listed: The first of them, at most MOST_IN_DOCUMENT.
    """

    notice_id: str
    made_at: datetime
    workspace: str
    duplicates: int
    by_tier: tuple[tuple[str, int], ...]
    saved_bytes: int
    listed: tuple[NewDuplicate, ...]

    def as_document(self) -> bytes:
        """As JSON; see `document_of`."""
        return document_of(self)

    def as_mail(self, sender: str, recipients: Sequence[str]) -> EmailMessage:
        """As a mail; see `mail_of`."""
        return mail_of(self, sender, recipients)


def notice_of(workspace: str, found: Sequence[NewDuplicates], made_at: datetime) -> Notice:
    """One notice of the new copies of several rounds."""
    tiers: dict[str, int] = {}
    for item in found:
        for tier, count in item.by_tier.items():
            tiers[tier] = tiers.get(tier, 0) + count
    ids = "\n".join(duplicate.event_id for item in found for duplicate in item.listed)
    total = sum(item.duplicates for item in found)
    listed = [duplicate for item in found for duplicate in item.listed][:MOST_IN_DOCUMENT]
    return Notice(
        hashlib.sha256(f"{total}\n{ids}".encode()).hexdigest()[:32],
        made_at,
        workspace,
        total,
        tuple(sorted(tiers.items())),
        sum(item.saved_bytes for item in found),
        tuple(listed),
    )


def document_of(notice: Notice) -> bytes:
    """The notice as JSON, UTF-8, as `docs/user-guide.md` describes it."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "id": notice.notice_id,
            "made_at": notice.made_at.isoformat(timespec="seconds"),
            "workspace": notice.workspace,
            "duplicates": notice.duplicates,
            "by_tier": dict(notice.by_tier),
            "saved_bytes": notice.saved_bytes,
            "not_listed": notice.duplicates - len(notice.listed),
            "listed": [_shown(item) for item in notice.listed],
        },
        ensure_ascii=False,
    ).encode()


def mail_of(notice: Notice, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The notice as a mail in plain text."""
    copies = "1 new picture is a copy" if notice.duplicates == 1 else f"{notice.duplicates:,} new pictures are copies"
    mail = EmailMessage()
    mail["Subject"] = f"DeepLens: {copies} of known ones"
    mail["From"], mail["To"] = sender, ", ".join(recipients)
    mail["Date"] = notice.made_at
    # The same for the same notice, so that a mailbox which gets it twice can tell.
    mail["Message-ID"] = f"<{notice.notice_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note answers it
    lines = [
        f"{copies} of pictures that the workspace {display_path(notice.workspace)} knew before.",
        f"What is proposed of them would free {notice.saved_bytes:,} bytes.",
        "",
        *(line for item in notice.listed[:MOST_IN_MAIL] for line in _lines(item)),
    ]
    if (more := notice.duplicates - MOST_IN_MAIL) > 0:
        lines.append(f"... and {more:,} more: `deeplens duplicates` lists all groups.")
    mail.set_content("\n".join([*lines, "", "Nothing was changed or removed.", ""]))
    return mail


def _lines(item: NewDuplicate) -> list[str]:
    score = f", score {item.score:.2f}" if item.score < 1 else ""
    goes = _STAYS_WORDS.get(item.stays, "")
    how = f"{_TIER_WORDS[item.tier]}, {item.saved_bytes:,} bytes{score}"
    others = f" (and {item.matches - 1:,} more)" if item.matches > 1 else ""
    return [
        f"  {display_path(item.location)}:{display_path(item.path)}",
        f"    {how}, {_RELATION_WORDS[item.relation]} {display_path(item.known_location)}:"
        f"{display_path(item.known_path)}{others}{goes}",
    ]


def _shown(item: NewDuplicate) -> dict[str, object]:
    values = asdict(item)
    names = ("location", "path", "known_location", "known_path")
    return values | {name: display_path(values[name]) for name in names} | {"score": round(item.score, 4)}
