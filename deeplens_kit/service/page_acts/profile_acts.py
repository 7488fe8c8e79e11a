"""What one's own page reads and does: the password, keys and sign-ins of whoever is there, and of nobody else.

Takes an open workspace and the session of the page, gives values of the ledger and, once, a key; must not act on
somebody else, nor let a key make further keys.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deeplens_kit.errors import AccessDeniedError, SettingsError
from deeplens_kit.ledger import Scope
from deeplens_kit.ledger.access_values import EndedAccess, Principal, PrincipalKind
from deeplens_kit.service.access.accounts import change_password, known_scopes, make_key
from deeplens_kit.service.access.sealing import count_password_try
from deeplens_kit.service.page_acts.guarded import Guarded, guarded
from deeplens_kit.service.page_acts.user_acts import VisitedSession
from deeplens_kit.views.state.people_state import Handed, OwnProfile

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["ProfileActs"]


class ProfileActs(Guarded):
    """One's own password, keys and sign-ins; implements `views.state.people_state.ProfileActing`.

    Args:
        workspace: An open workspace.
        session: Of the page.
    """

    def __init__(self, workspace: Workspace, session: VisitedSession) -> None:
        self._ledger, self._visited = workspace.ledger, session
        super().__init__(session)

    @guarded(Scope.SEARCH_READ)
    def profile(self) -> OwnProfile:
        """Whoever is there, as they are judged now."""
        who, ledger = self._visited.caller, self._ledger
        user = ledger.user_of_id(who.user_id) if who.user_id else None
        keys = tuple(ledger.api_keys(who.user_id)) if user else ()
        sessions = tuple(ledger.user_sessions(who.user_id)) if user else ()
        return OwnProfile(who, user, keys, sessions, datetime.now(UTC))

    @guarded(Scope.SEARCH_READ)
    def change_password(self, old: str, new: str, again: str) -> None:
        """Set another password; other sign-ins end."""
        who = self._in_person()
        if new != again:
            raise SettingsError("The new password was typed in two ways; type the same twice.")
        # Whoever sits at a page that was left open must not be able to try passwords without end.
        count_password_try(who.name)
        change_password(self._ledger, who.user_id, old, new, keep_session=who.credential_id)

    @guarded(Scope.SEARCH_READ)
    def make_key(self, name: str, scopes: Collection[str], days: str) -> Handed:
        """Make a key; `days` that it is good for, empty for ever."""
        who = self._in_person()
        made = make_key(self._ledger, who.name, name, known_scopes(scopes), _days(days))
        until = f"until {made.key.expires_at:%Y-%m-%d}" if made.key.expires_at else "until it is revoked"
        text = f"Send it as the header x-api-key. It is good {until}; only its beginning is kept here."
        return Handed(f"The key {made.key.name}", text, made.text)

    @guarded(Scope.SEARCH_READ)
    def revoke_key(self, key_id: str) -> None:
        """Take one of one's own keys out of use."""
        self._ledger.revoke_api_key(key_id, user_id=self._in_person().user_id)

    @guarded(Scope.SEARCH_READ)
    def end_session(self, session_id: str) -> None:
        """End one of one's own sign-ins."""
        self._ledger.end_user_session(session_id, "ended", user_id=self._in_person().user_id)

    @guarded(Scope.SEARCH_READ)
    def end_others(self, *, keep_keys: bool = True) -> EndedAccess:
        """End all of one's own sign-ins but this one, and, where one says so, revoke one's keys."""
        who = self._in_person()
        return self._ledger.end_access(who.name, "ended", keep_keys=keep_keys, keep_session=who.credential_id)

    def _in_person(self) -> Principal:
        """Whoever is there, where they signed in themselves: a key that leaks must not live on in those it made."""
        who = self._visited.caller
        if who.kind is PrincipalKind.LOCAL:
            raise SettingsError(
                "Nobody signs in here, so there is nobody's password, key or sign-in; see below how to."
            )
        if who.kind is not PrincipalKind.USER:
            raise AccessDeniedError(who.name, why="only who is signed in in a browser may.")
        return who


def _days(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(f"A key cannot be good for {text!r} days; give a number, or none.") from error
