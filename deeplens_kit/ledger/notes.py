"""Rows of collections, and of what people say of single objects, each change with its line in the audit trail.

Takes a session and gives frozen values; must not commit: the ledger does. A note stands by the place of its object
and by the digest of its content, so that it is found again when the file was moved.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger.asking import note_made
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.models import AuditRow, CollectionRow, NoteRow
from deeplens_kit.ledger.values import Collection, Location, NoteChange, ObjectNote

__all__ = ["add_collection", "annotate", "check_change", "check_name", "collections", "listed", "version"]

_LONGEST_NAME = 200
_LONGEST_TEXT = 10_000
_MOST_TAGS = 100
# More digests than this in a condition are slower than reading all notes, and SQLite takes no more than 32,766.
_MOST_ASKED = 1_000
# Transactions that commit in another order than they began: the last so many are looked at.
_LATEST = 64


def check_name(what: str, name: str) -> str:
    """The name of a collection or a tag in one of its spellings (NFC).

    Raises:
        SettingsError: It is empty, too long, or could not be shown on one line.
    """
    name = unicodedata.normalize("NFC", name)
    odd = any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in name)
    if not name or name != name.strip() or odd or len(name) > _LONGEST_NAME:
        raise SettingsError(
            f"{name!r} cannot name a {what}; use 1 to {_LONGEST_NAME} letters without line breaks, marks that are not "
            "shown, or spaces at the ends."
        )
    return name


def check_change(change: NoteChange) -> None:
    """Refuse what `annotate` would refuse of any object.

    Raises:
        SettingsError: A name, tag or text is not allowed.
    """
    if change.collection:
        check_name("collection", change.collection)
    _tags((), change.add_tags, ())
    for name in ("description", "category", "source"):
        _text(name, getattr(change, name) or "")


def add_collection(session: Session, name: str, description: str, who: str, now: datetime) -> Collection:
    """Add a collection.

    Raises:
        SettingsError: The name is taken or not allowed.
    """
    name, description = check_name("collection", name), _text("description", description)
    if _find(session, name) is not None:
        raise SettingsError(f"There is a collection named {name!r} already; use it, or choose another name.")
    row = _made(session, name, description, who, now)
    note_made(session, "collection", row.name)
    return Collection(row.name, row.description, row.created_at, 0)


def collections(session: Session) -> list[Collection]:
    """Every collection by name, with the number of its pictures."""
    number = func.count(NoteRow.digest.distinct())
    counted = session.execute(select(NoteRow.collection_id, number).group_by(NoteRow.collection_id))
    counts: dict[int | None, int] = {row[0]: row[1] for row in counted}
    # Sorted here: databases differ in how they order letters.
    rows = sorted(session.scalars(select(CollectionRow)), key=lambda row: row.name)
    return [Collection(row.name, row.description, row.created_at, counts.get(row.collection_id, 0)) for row in rows]


def annotate(
    session: Session,
    location: Location,
    path: str,
    digest: str,
    change: NoteChange,
    moved_from: ObjectNote | None,
    who: str,
    now: datetime,
) -> ObjectNote:
    """Say something of an object, beside what was said of it before; a collection that is not there is made.

    Raises:
        SettingsError: A name, tag or text is not allowed.
    """
    # What was said of the object stands by its content: other bytes at its place are another object.
    row = session.get(NoteRow, _key(location.location_id, path))
    kept = row if row is not None and row.digest == digest else None
    if kept is None and moved_from is not None and moved_from.digest == digest:
        kept = session.get(NoteRow, _key(moved_from.location_id, moved_from.path))
    values: dict[str, Any] = {
        "tags": _tags(kept.tags if kept else [], change.add_tags, change.remove_tags),
        "collection_id": kept.collection_id if kept else None,
    }
    for name in ("description", "category", "source"):
        given = getattr(change, name)
        values[name] = (getattr(kept, name) if kept else "") if given is None else _text(name, given)
    if change.collection is not None:
        values["collection_id"] = _collection_id(session, change.collection, who, now)
    if row is None:
        row = NoteRow(object_key=_key(location.location_id, path), location_id=location.location_id, path=path)
        session.add(row)
    if kept is not None and kept is not row:
        session.delete(kept)
    row.digest, row.who, row.at = digest, who, now
    for name, value in values.items():
        setattr(row, name, value)
    session.flush()
    # Which texts, not what they say: lines of the trail stay for ever, and a picture may have to be forgotten.
    texts = [name for name in ("description", "category", "source") if getattr(change, name) is not None]
    details: dict[str, Any] = {"collection": change.collection} if change.collection is not None else {}
    details |= {"texts": texts} if texts else {}
    details |= {"tags_added": list(change.add_tags)} if change.add_tags else {}
    details |= {"tags_removed": list(change.remove_tags)} if change.remove_tags else {}
    place = {"location_id": location.location_id, "path": path, "digest": digest}
    audit(session, who, "object.annotated", place | details, now)
    return _frozen(row, _names(session))


def listed(session: Session, digests: Iterable[str] | None) -> list[ObjectNote]:
    """Notes by location and path: of contents, or all."""
    wanted = None if digests is None else frozenset(digests)
    query = select(NoteRow)
    if wanted is not None and len(wanted) <= _MOST_ASKED:
        query = query.where(NoteRow.digest.in_(sorted(wanted)))
    rows = [row for row in session.scalars(query) if wanted is None or row.digest in wanted]
    names = _names(session)
    return [_frozen(row, names) for row in sorted(rows, key=lambda row: (row.location_id, row.path))]


def version(session: Session) -> tuple[int, ...]:
    """What changes with every change of a note or collection, and with others of the audit trail; read in no time."""
    # No column of the notes tells it without reading all of them; each change has its line in the trail.
    return tuple(session.scalars(select(AuditRow.audit_id).order_by(AuditRow.audit_id.desc()).limit(_LATEST)))


def _find(session: Session, name: str) -> CollectionRow | None:
    return session.scalar(select(CollectionRow).where(CollectionRow.name == name))


def _made(session: Session, name: str, description: str, who: str, now: datetime) -> CollectionRow:
    row = CollectionRow(name=name, description=description, created_at=now)
    try:
        # Within a savepoint: who made one of this name a moment ago costs neither the transaction nor a note.
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise SettingsError(f"There is a collection named {name!r} already, made just now; run again.") from error
    audit(session, who, "collection.added", {"name": name}, now)
    return row


def _collection_id(session: Session, name: str, who: str, now: datetime) -> int | None:
    if not name:
        return None
    name = check_name("collection", name)
    row = _find(session, name)
    if row is None:
        try:
            row = _made(session, name, "", who, now)
        except SettingsError:
            # Made beside us since we looked.
            row = _find(session, name)
            if row is None:
                raise
    return row.collection_id


def _tags(before: Iterable[str], added: Iterable[str], removed: Iterable[str]) -> list[str]:
    gone = {unicodedata.normalize("NFC", tag) for tag in removed}
    tags = sorted({*before, *(check_name("tag", tag) for tag in added)} - gone)
    if len(tags) > _MOST_TAGS:
        raise SettingsError(f"An object would have {len(tags)} tags; at most {_MOST_TAGS} are kept.")
    return tags


def _text(name: str, text: str) -> str:
    if len(text) > _LONGEST_TEXT or any(unicodedata.category(letter) == "Cs" or letter == "\0" for letter in text):
        raise SettingsError(f"The {name} has {len(text):,} letters or is no text; at most {_LONGEST_TEXT:,} are kept.")
    return text


def _key(location_id: str, path: str) -> str:
    return hashlib.sha256(f"{location_id}/{path}".encode()).hexdigest()


def _names(session: Session) -> Mapping[int, str]:
    return {row.collection_id: row.name for row in session.scalars(select(CollectionRow))}


def _frozen(row: NoteRow, names: Mapping[int, str]) -> ObjectNote:
    return ObjectNote(
        location_id=row.location_id,
        path=row.path,
        digest=row.digest,
        collection=names[row.collection_id] if row.collection_id is not None else "",
        tags=tuple(row.tags),
        description=row.description,
        category=row.category,
        source=row.source,
        who=row.who,
        at=row.at,
    )
