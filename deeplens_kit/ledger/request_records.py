"""The part of the ledger that keeps what requests with a key were answered, so that one sent twice is done once.

Takes keys and answers, gives frozen values; must not know what a request asks for. Every method is one transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from deeplens_kit.errors import KeyReusedError, RequestConflictError
from deeplens_kit.ledger.asking import asked_by
from deeplens_kit.ledger.holder import current_holder, is_alive
from deeplens_kit.ledger.request_models import RequestRow
from deeplens_kit.ledger.request_values import KeptAnswer, MadeThing
from deeplens_kit.ledger.transactions import Transactions

__all__ = ["RequestRecords"]

_KEPT = timedelta(hours=24)
_STALE = timedelta(minutes=10)


class RequestRecords(Transactions):
    """Requests that may be sent twice."""

    def begin_request(self, who: str, key: str, fingerprint: str) -> KeptAnswer | MadeThing | None:
        """Begin to work on a request, or learn what it was answered, or what was made for it without an answer.

        Args:
            who: Who asks.
            key: As they made it up.
            fingerprint: Of all that the request asks for.

        Returns:
            None where it is to be worked on now: `end_request` or `drop_request` must follow.

        Raises:
            KeyReusedError: The key came with another request.
            RequestConflictError: The same request is being worked on.
        """
        request_id = _id(who, key)
        with self._writing() as (session, now):
            session.execute(delete(RequestRow).where(RequestRow.began_at < now - _KEPT))
            try:
                with session.begin_nested():
                    session.add(
                        RequestRow(
                            request_id=request_id,
                            who=who,
                            fingerprint=fingerprint,
                            holder=current_holder(),
                            began_at=now,
                            status=None,
                            content={},
                        )
                    )
            except IntegrityError:
                pass
            else:
                return None
            row = session.get_one(RequestRow, request_id, with_for_update=True)
            if row.fingerprint != fingerprint:
                raise KeyReusedError(key)
            if row.status is not None:
                return KeptAnswer(row.status, row.content)
            if row.content:
                # Whoever made it cannot say so any more, or is about to: either way it is not to be made again.
                return MadeThing(row.content["kind"], row.content["name"], row.content["told"])
            if row.began_at > now - _STALE and is_alive(row.holder) is not False:
                raise RequestConflictError(
                    f"The request with the key {key!r} is being worked on; ask again in a moment for its answer."
                )
            # Whoever worked on it has died.
            row.began_at, row.holder = now, current_holder()
            return None

    def end_request(self, who: str, key: str, status: int, content: Mapping[str, object]) -> None:
        """Keep what a request was answered, for a day."""
        with self._writing() as (session, _now):
            row = session.get(RequestRow, _id(who, key), with_for_update=True)
            if row is not None:
                row.status, row.content = status, dict(content)

    def drop_request(self, who: str, key: str) -> None:
        """Forget a request that came to nothing: it may be sent again. One that something was made for stays."""
        with self._writing() as (session, _now):
            row = session.get(RequestRow, _id(who, key), with_for_update=True)
            if row is not None and not row.content:
                session.delete(row)

    @contextmanager
    def working_on(self, who: str, key: str) -> Iterator[None]:
        """Have what the block makes in the ledger be noted as made for a request, in the same transaction."""
        with asked_by(_id(who, key)):
            yield


def _id(who: str, key: str) -> str:
    return hashlib.sha256(f"{len(who)} {who} {key}".encode()).hexdigest()
