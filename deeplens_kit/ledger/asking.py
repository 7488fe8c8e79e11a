"""For which request that may come twice this thread works, and what was made for it.

Takes and gives the id of a request; must not commit. What is made is noted in the transaction that makes it: where
whoever worked on the request dies before its answer is kept, the request that comes again is answered by what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from sqlalchemy import update
from sqlalchemy.orm import Session

from deeplens_kit.ledger.chain import plain
from deeplens_kit.ledger.request_models import RequestRow

__all__ = ["asked_by", "note_made", "tell_request"]


@dataclass(slots=True)
class _Asked:
    request_id: str
    told: Mapping[str, object] = field(default_factory=dict)


_ASKED: ContextVar[_Asked | None] = ContextVar("deeplens_request", default=None)


@contextmanager
def asked_by(request_id: str) -> Iterator[None]:
    """Have what is made in the block, in this thread or task, be made for a request."""
    token = _ASKED.set(_Asked(request_id))
    try:
        yield
    finally:
        _ASKED.reset(token)


def tell_request(facts: Mapping[str, object]) -> None:
    """Have facts be noted beside what is made next: what the answer says that cannot be read from it later."""
    if (asked := _ASKED.get()) is not None:
        asked.told = facts


def note_made(session: Session, kind: str, name: str) -> None:
    """Note that something was made for the request that this thread works for, if any, in the session's transaction."""
    if (asked := _ASKED.get()) is None:
        return
    content = {"kind": kind, "name": name, "told": plain(asked.told)}
    mine = (RequestRow.request_id == asked.request_id) & RequestRow.status.is_(None)
    session.execute(update(RequestRow).where(mine).values(content=content))
