"""The part of the ledger that knows users, their keys and their sign-ins.

Takes names, roles and digests of secrets, gives frozen values; must not see a secret or judge a request. Every method
is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from hmac import compare_digest

from deeplens_kit.ledger import access_ending
from deeplens_kit.ledger import access_keys as key_rows
from deeplens_kit.ledger import access_sessions as session_rows
from deeplens_kit.ledger import access_users as user_rows
from deeplens_kit.ledger.access_values import (
    ROLE_SCOPES,
    AccessLink,
    ApiKey,
    EndedAccess,
    LinkPurpose,
    Principal,
    PrincipalKind,
    Role,
    Scope,
    SessionKind,
    SignInWays,
    User,
    UserSession,
)
from deeplens_kit.ledger.engine import database_now
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions

__all__ = ["AccessRecords"]

_TOUCHED_SECONDS = 60
_ANY_WAY = SignInWays()


class AccessRecords(Transactions):
    """Who may sign in, and by what."""

    # --- Users -------------------------------------------------------------------------------------------

    def add_user(self, name: str, role: Role | str, *, provider: str = "", issuer: str = "", subject: str = "") -> User:
        """Add a user, who cannot sign in before they have set a password or their provider vouches for them.

        Args:
            name: Unique, whatever the case of its letters.
            role: What they may do.
            provider: By which they sign in; empty for a password.
            issuer: Of that provider.
            subject: Who they are to it.

        Raises:
            SettingsError: The name is taken or not allowed.
        """
        with self._writing() as (session, now):
            who = current_person()
            return user_rows.add(session, name, Role(role), who, now, provider=provider, issuer=issuer, subject=subject)

    def users(self) -> list[User]:
        """Every user by name."""
        with self._reading() as session:
            return user_rows.listed(session)

    def user(self, name: str) -> User:
        """The user of a name; UnknownNameError where there is none."""
        with self._reading() as session:
            return user_rows.frozen(user_rows.find(session, name))

    def user_of_id(self, user_id: str) -> User | None:
        """The user of an id."""
        with self._reading() as session:
            row = user_rows.of_id(session, user_id)
            return user_rows.frozen(row) if row is not None else None

    def user_of_identity(self, issuer: str, subject: str) -> User | None:
        """The user whom a provider knows by a subject."""
        with self._reading() as session:
            return user_rows.identified(session, issuer, subject)

    def set_user_role(self, name: str, role: Role | str, ways: SignInWays = _ANY_WAY) -> User:
        """Give a user another role; SettingsError where they are the last administrator who can sign in."""
        with self._writing() as (session, now):
            return user_rows.set_role(session, name, Role(role), current_person(), now, ways)

    def set_provider_role(self, user_id: str, role: Role, ways: SignInWays = _ANY_WAY) -> User:
        """Let a user's role follow what their provider says; see `access_users.set_provider_role`."""
        with self._writing() as (session, now):
            return user_rows.set_provider_role(session, user_id, role, now, ways)

    def set_user_active(self, name: str, active: bool, ways: SignInWays = _ANY_WAY) -> User:
        """Let a user sign in, or not any more; SettingsError where they are the last administrator who can."""
        with self._writing() as (session, now):
            return user_rows.set_active(session, name, active, current_person(), now, ways)

    def end_access(self, name: str, why: str, *, keep_keys: bool = False, keep_session: str = "") -> EndedAccess:
        """Sign a user out everywhere, and take their keys out of use; see `access_ending.end_access`."""
        with self._writing() as (session, now):
            return access_ending.end_access(
                session, name, why, current_person(), now, keep_keys=keep_keys, keep_session=keep_session
            )

    def password_hash(self, name: str) -> tuple[User, str] | None:
        """A user and what argon2id made of their password, empty where they have none; None for an unknown name."""
        with self._reading() as session:
            return user_rows.secret_of(session, name)

    def set_password_hash(self, user_id: str, password_hash: str, *, keep: str = "", quiet: bool = False) -> User:
        """Set what argon2id made of a password; see `access_users.set_password`."""
        with self._writing() as (session, now):
            return user_rows.set_password(
                session, user_id, password_hash, current_person(), now, keep=keep, quiet=quiet
            )

    # --- Links -------------------------------------------------------------------------------------------

    def make_access_link(
        self, name: str, purpose: LinkPurpose | str, digest: str, lifetime_seconds: float
    ) -> AccessLink:
        """Note a single-use link of a user; earlier ones are over, and with a reset sign-ins and keys too."""
        with self._writing() as (session, now):
            who, purpose = current_person(), LinkPurpose(purpose)
            made = user_rows.make_link(session, name, purpose, digest, lifetime_seconds, who, now)
            if purpose is LinkPurpose.RESET:
                access_ending.end_access(session, name, "reset", who, now)
            return made

    def access_link(self, digest: str) -> AccessLink | None:
        """A link that is still good."""
        with self._reading() as session:
            return user_rows.link(session, digest, database_now(session.connection()))

    def use_access_link(self, digest: str, password_hash: str) -> User | None:
        """Set a user's password by a link, once; None where it is not good any more."""
        with self._writing() as (session, now):
            found = user_rows.link(session, digest, now)
            used = user_rows.use_link(session, digest, password_hash, now)
            if used is not None and found is not None and found.purpose is LinkPurpose.RESET:
                # Once more: until now the old password was good, and keys are made by it.
                access_ending.end_access(session, used.name, "reset", used.name, now)
            return used

    # --- Sign-ins ----------------------------------------------------------------------------------------

    def begin_user_session(
        self,
        user_id: str,
        digest: str,
        lifetime_seconds: float,
        *,
        kind: SessionKind = SessionKind.BROWSER,
        scopes: Collection[Scope] = (),
        address: str = "",
        agent: str = "",
        provider: str = "",
        refresh_digest: str = "",
    ) -> UserSession:
        """Begin a sign-in.

        Args:
            user_id: Whose.
            digest: Of the secret in the browser's cookie; empty for a program.
            lifetime_seconds: How long it lasts at most.
            kind: A browser's or a program's.
            scopes: What it may do at most; empty for all that the user may.
            address: Where it comes from.
            agent: What the browser calls itself.
            provider: By which the user signed in.
            refresh_digest: Of the program's refresh token.
        """
        with self._writing() as (session, now):
            begun = session_rows.begin(
                session,
                user_id,
                kind,
                digest,
                scopes,
                lifetime_seconds,
                now,
                address=address,
                agent=agent,
                provider=provider,
            )
            if refresh_digest:
                session_rows.add_refresh(session, begun.session_id, refresh_digest, now)
            return begun

    def principal_of_session(self, session_id: str, digest: str | None = None) -> Principal | None:
        """Who holds a sign-in that lasts; notes once a minute that they were here.

        Args:
            session_id: Which.
            digest: Of the secret in the cookie, which must be right; None where its holder was proved otherwise.
        """
        with self._reading() as session:
            now = database_now(session.connection())
            found = session_rows.live(session, session_id, now)
            if found is None or (digest is not None and not _same(found[0].digest, digest)):
                return None
            row, user = found
            kind = PrincipalKind.USER if row.kind == SessionKind.BROWSER else PrincipalKind.TOKEN
            allowed = ROLE_SCOPES[Role(user.role)]
            scopes = allowed & {Scope(scope) for scope in row.scopes} if row.scopes else allowed
            principal = Principal(user.name, Role(user.role), scopes, kind, user.user_id, session_id)
            stale = row.last_seen_at < now - timedelta(seconds=_TOUCHED_SECONDS)
        if stale:
            with self._writing() as (session, now):
                session_rows.touch(session, session_id, now)
        return principal

    def user_sessions(self, user_id: str) -> list[UserSession]:
        """A user's sign-ins that last, the latest first."""
        with self._reading() as session:
            return session_rows.listed(session, user_id, database_now(session.connection()))

    def addresses_of_user(self, name: str) -> frozenset[str]:
        """Where a user signed in from, as far back as sign-ins are kept; none for an unknown name."""
        with self._reading() as session:
            found = user_rows.secret_of(session, name)
            return session_rows.addresses(session, found[0].user_id if found is not None else "")

    def end_user_session(self, session_id: str, why: str = "signed_out", *, user_id: str = "") -> bool:
        """End a sign-in; see `access_sessions.end`."""
        with self._writing() as (session, now):
            return session_rows.end(session, session_id, why, current_person(), now, user_id=user_id)

    def rotate_refresh_token(self, digest: str, fresh: str) -> tuple[UserSession, bool] | None:
        """Put a fresh refresh token in the place of one; see `access_sessions.rotate`."""
        with self._writing() as (session, now):
            return session_rows.rotate(session, digest, fresh, now)

    def session_of_refresh_token(self, digest: str) -> str:
        """The sign-in that a refresh token is of, used or not; empty where there is none."""
        with self._reading() as session:
            return session_rows.of_refresh(session, digest)

    # --- Keys --------------------------------------------------------------------------------------------

    def add_api_key(
        self,
        user: str,
        name: str,
        prefix: str,
        digest: str,
        scopes: Collection[Scope],
        lifetime_seconds: float | None,
    ) -> ApiKey:
        """Note a key; see `access_keys.add` for what is refused."""
        with self._writing() as (session, now):
            who = current_person()
            return key_rows.add(session, user, name, prefix, digest, scopes, lifetime_seconds, who, now)

    def api_keys(self, user_id: str | None = None, *, revoked: bool = False) -> list[ApiKey]:
        """Keys of a user or of all, the latest first."""
        with self._reading() as session:
            return key_rows.listed(session, user_id, revoked=revoked)

    def revoke_api_key(self, key_id: str, *, user_id: str = "") -> ApiKey:
        """Take a key out of use; see `access_keys.revoke`."""
        with self._writing() as (session, now):
            return key_rows.revoke(session, key_id, current_person(), now, user_id=user_id)

    def principal_of_key(self, *, digest: str = "", key_id: str = "") -> Principal | None:
        """Whose good key has this digest or id; notes once a minute that it was used."""
        with self._reading() as session:
            now = database_now(session.connection())
            found = key_rows.live(session, digest, now) if digest else key_rows.live_by_id(session, key_id, now)
            if found is None:
                return None
            key, user = found
            scopes = ROLE_SCOPES[Role(user.role)] & {Scope(scope) for scope in key.scopes}
            # The role says more than the key may, so it is left out.
            principal = Principal(user.name, None, scopes, PrincipalKind.KEY, user.user_id, key.key_id)
            stale = _stale(key.last_used_at, now)
        if stale:
            with self._writing() as (session, now):
                key_rows.touch(session, principal.credential_id, now)
        return principal


def _stale(at: datetime | None, now: datetime) -> bool:
    return at is None or at < now - timedelta(seconds=_TOUCHED_SECONDS)


def _same(kept: str, given: str) -> bool:
    return bool(kept) and compare_digest(kept, given)
