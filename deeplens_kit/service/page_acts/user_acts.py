"""What the page of users reads and does.

Takes an open workspace and the session of the page, gives values of the ledger and, once, a link; every act asks first
whether whoever is there is an administrator. That one administrator stays is the ledger's to hold.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from deeplens_kit.ledger import Scope
from deeplens_kit.ledger.access_values import EndedAccess, Principal, PrincipalKind
from deeplens_kit.service.access.accounts import Invitation, invite, reset_link, set_active, set_role
from deeplens_kit.service.page_acts.guarded import ActingSession, Guarded, guarded
from deeplens_kit.views.state.people_state import Handed, PersonShown, UsersShown

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["UserActs", "VisitedSession"]


class VisitedSession(ActingSession, Protocol):
    """Of a page that shows who is there."""

    @property
    def caller(self) -> Principal:
        """Who visits, and what they may do now."""


class UserActs(Guarded):
    """Users, their links, keys and sign-ins; implements `views.state.people_state.UserActing`.

    Args:
        workspace: An open workspace.
        session: Of the page.
    """

    def __init__(self, workspace: Workspace, session: VisitedSession) -> None:
        self._ledger, self._settings, self._visited = workspace.ledger, workspace.settings.sign_in, session
        super().__init__(session)

    @guarded(Scope.ADMIN)
    def users(self) -> UsersShown:
        """Every user by name, with how many keys of theirs are good."""
        caller = self._visited.caller
        keys = Counter(key.user_id for key in self._ledger.api_keys())
        enforced = caller.kind is not PrincipalKind.LOCAL
        return UsersShown(tuple(self._ledger.users()), dict(keys), caller.user_id, enforced)

    @guarded(Scope.ADMIN)
    def user(self, name: str) -> PersonShown:
        """One user with their keys and sign-ins."""
        user = self._ledger.user(name)
        keys, sessions = self._ledger.api_keys(user.user_id), self._ledger.user_sessions(user.user_id)
        return PersonShown(user, tuple(keys), tuple(sessions), user.user_id == self._visited.caller.user_id)

    @guarded(Scope.ADMIN)
    def invite(self, name: str, role: str) -> Handed:
        """Add a user; gives the link by which they set their password."""
        self._visited.caller.require_in_person()
        return _handed(invite(self._ledger, self._settings, name, role), "The link of")

    @guarded(Scope.ADMIN)
    def reset_link(self, name: str, *, keep_keys: bool = False) -> Handed:
        """Make a link by which a user sets a new password; unless keys are kept, sign-ins and keys end at once."""
        self._visited.caller.require_in_person()
        return _handed(reset_link(self._ledger, self._settings, name, keep_keys=keep_keys), "The reset link of")

    @guarded(Scope.ADMIN)
    def set_role(self, name: str, role: str) -> None:
        """Give a user another role."""
        self._visited.caller.require_in_person()
        set_role(self._ledger, self._settings, name, role)

    @guarded(Scope.ADMIN)
    def set_active(self, name: str, active: bool) -> None:
        """Let a user sign in, or not any more: then their sign-ins end and their keys rest."""
        if active:
            self._visited.caller.require_in_person()
        set_active(self._ledger, self._settings, name, active)

    @guarded(Scope.ADMIN)
    def sign_out(self, name: str) -> EndedAccess:
        """End all sign-ins of a user, and revoke their keys."""
        return self._ledger.end_access(self._ledger.user(name).name, "signed_out_by_admin")

    @guarded(Scope.ADMIN)
    def end_session(self, name: str, session_id: str) -> None:
        """End a sign-in of a user."""
        self._ledger.end_user_session(session_id, "ended_by_admin", user_id=self._ledger.user(name).user_id)

    @guarded(Scope.ADMIN)
    def revoke_key(self, name: str, key_id: str) -> None:
        """Take a key of a user out of use."""
        self._ledger.revoke_api_key(key_id, user_id=self._ledger.user(name).user_id)


def _handed(made: Invitation, what: str) -> Handed:
    text = (
        f"Give it to {made.user.name} by a way that others do not read. It sets a password once, and works until "
        f"{made.expires_at:%Y-%m-%d %H:%M} UTC."
    )
    return Handed(f"{what} {made.user.name}", text, made.path, is_link=True)
