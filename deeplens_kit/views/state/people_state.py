"""The pages of users and of one's own profile: who is looked at, what was made, and what is asked before an act.

Takes what acts read and do, holds it for a viewer; must not import Panel, nor keep a secret longer than it is shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import param

from deeplens_kit.views.state.acting_state import ActingState
from deeplens_kit.views.state.told import Question

if TYPE_CHECKING:
    from deeplens_kit.ledger import ApiKey, Principal, User, UserSession
    from deeplens_kit.ledger.access_values import EndedAccess

__all__ = [
    "Handed",
    "OwnProfile",
    "PeopleState",
    "PersonShown",
    "ProfileActing",
    "UserActing",
    "UsersShown",
]


@dataclass(frozen=True, slots=True)
class Handed:
    """What was made and is shown this once.

    Attributes:
        heading: What it is.
        text: To whom it goes, and what it does.
        secret: The key itself, or the path of a link on this server.
        is_link: It is a path, to be shown with the address of this server.
    """

    heading: str
    text: str
    secret: str = field(repr=False)
    is_link: bool = False


@dataclass(frozen=True, slots=True)
class UsersShown:
    """The list of users.

    Attributes:
        users: By name, those who may not sign in too.
        keys: Number of keys that are good, by the id of their user.
        own_id: Of whoever looks; empty where nobody signs in.
        enforced: One has to sign in on this server.
    """

    users: tuple[User, ...]
    keys: dict[str, int]
    own_id: str
    enforced: bool


@dataclass(frozen=True, slots=True)
class PersonShown:
    """One user with what they hold.

    Attributes:
        user: Who.
        keys: Those that were not revoked.
        sessions: Those that last.
        is_own: It is whoever looks.
    """

    user: User
    keys: tuple[ApiKey, ...]
    sessions: tuple[UserSession, ...]
    is_own: bool


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """Whoever looks, with what they hold.

    Attributes:
        who: As they are judged now.
        user: Their record; None where nobody signs in, or a program does.
        keys: Their keys that were not revoked.
        sessions: Their sign-ins that last, the present one too.
        now: UTC.
    """

    who: Principal
    user: User | None
    keys: tuple[ApiKey, ...]
    sessions: tuple[UserSession, ...]
    now: datetime


class UserActing(Protocol):
    """What is read and done on the page of users; each asks whether whoever is there may."""

    def users(self) -> UsersShown:
        """Every user."""

    def user(self, name: str) -> PersonShown:
        """One user."""

    def invite(self, name: str, role: str) -> Handed:
        """Add a user; gives the link by which they set their password."""

    def reset_link(self, name: str, *, keep_keys: bool = False) -> Handed:
        """Make a link by which a user sets a new password; unless keys are kept, sign-ins and keys end at once."""

    def set_role(self, name: str, role: str) -> None:
        """Give a user another role."""

    def set_active(self, name: str, active: bool) -> None:
        """Let a user sign in, or not any more."""

    def sign_out(self, name: str) -> EndedAccess:
        """End all sign-ins of a user, and revoke their keys."""

    def end_session(self, name: str, session_id: str) -> None:
        """End a sign-in of a user."""

    def revoke_key(self, name: str, key_id: str) -> None:
        """Take a key of a user out of use."""


class ProfileActing(Protocol):
    """What is read and done on one's own page."""

    def profile(self) -> OwnProfile:
        """Whoever looks."""

    def change_password(self, old: str, new: str, again: str) -> None:
        """Set another password; other sign-ins end."""

    def make_key(self, name: str, scopes: Collection[str], days: str) -> Handed:
        """Make a key."""

    def revoke_key(self, key_id: str) -> None:
        """Take one of one's own keys out of use."""

    def end_session(self, session_id: str) -> None:
        """End one of one's own sign-ins."""

    def end_others(self, *, keep_keys: bool = True) -> EndedAccess:
        """End all of one's own sign-ins but this one, and, where one says so, revoke one's keys."""


class PeopleState(ActingState):
    """What a page about people looks at.

    Attributes:
        name: The user that is looked at; empty for the list.
        shown: What was read; None while it is being read.
        handed: What was made and is shown until the next act.
    """

    name = param.String(default="")
    handed: Any = param.ClassSelector(class_=Handed, default=None, allow_None=True)

    def look_at(self, name: str) -> None:
        """Look at a user; with an empty name at all of them."""
        self.leave()
        self.param.update(name=name, shown=None, handed=None, revision=self.revision + 1)

    def hand(self, handed: Handed) -> None:
        """Show what was made, this once."""
        self.leave()
        self.param.update(handed=handed, revision=self.revision + 1)

    def done(self, heading: str, text: str = "") -> None:
        """Tell that an act was done, and have what is shown read anew; what was shown once goes."""
        self.handed = None
        self.tell(heading, text)
        self.reread()

    def ask_about_user(self, act: str, user: User) -> None:
        """Ask before an act on a user."""
        self.handed = None
        if act == "disable":
            text = "Their sign-ins end at once and their keys rest. They can be let in again."
            self.ask(Question(act, user.name, f"Shut {user.name} out?", text, "Shut them out"))
        elif act == "reset":
            text = (
                "Their sign-ins end and their keys are revoked, now and once more when they use the link; links made "
                "before stop working. Their password is good until they set a new one."
            )
            heading = f"Make a reset link for {user.name}?"
            if not user.has_password:
                text = "They set their first password with it. Links made before stop working."
                heading = f"Make a new link for {user.name}?"
            self.ask(Question(act, user.name, heading, text, "Make the link"))
        elif act == "forgot":
            text = (
                "For who has only forgotten it: their keys stay good, and their sign-ins until they set a new one. "
                "Links made before stop working."
            )
            self.ask(Question(act, user.name, f"Has {user.name} forgotten the password?", text, "Make the link"))
        elif act == "sign-out":
            text = "Their sign-ins end and their keys are revoked at once. They can sign in again."
            self.ask(Question(act, user.name, f"Sign {user.name} out everywhere?", text, "Sign them out"))

    def ask_about_all(self) -> None:
        """Ask before one's other sign-ins and all one's keys end."""
        self.handed = None
        text = "Programs that use your keys are refused at once. That cannot be taken back."
        heading = "Sign out everywhere else and revoke all your keys?"
        self.ask(Question("end-all", "", heading, text, "Do both", danger=True))

    def ask_about_key(self, key: ApiKey) -> None:
        """Ask before a key is taken out of use."""
        self.handed = None
        text = "Programs that use it are refused at once. That cannot be taken back; make another key instead."
        self.ask(Question("revoke", key.key_id, f"Revoke the key {key.name}?", text, "Revoke it", danger=True))
