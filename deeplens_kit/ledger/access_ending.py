"""What ends all at once of what a user holds: sign-ins, the links made for them, and keys.

Takes a session of the database and a user, gives how much that was; must not commit: the ledger does.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from deeplens_kit.ledger.access_keys import revoke_all
from deeplens_kit.ledger.access_sessions import end_all
from deeplens_kit.ledger.access_users import find
from deeplens_kit.ledger.access_values import EndedAccess
from deeplens_kit.ledger.audit import audit

__all__ = ["end_access"]


def end_access(
    session: Session, name: str, why: str, who: str, now: datetime, *, keep_keys: bool = False, keep_session: str = ""
) -> EndedAccess:
    """Sign a user out everywhere, and take their keys out of use.

    Args:
        session: Of the database.
        name: Whose.
        why: In a word.
        who: Who wants it.
        now: The time.
        keep_keys: Keys stay good.
        keep_session: The sign-in that goes on.

    Raises:
        UnknownNameError: There is no such user.
    """
    row = find(session, name)
    ended = end_all(session, row.user_id, why, now, keep=keep_session)
    keys = [] if keep_keys else revoke_all(session, row.user_id, who, now)
    audit(session, who, "user.signed_out", {"user": row.name, "why": why, "sessions_ended": ended, "keys": keys}, now)
    return EndedAccess(ended, len(keys))
