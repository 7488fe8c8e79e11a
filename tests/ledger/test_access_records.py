"""Users, single-use links, sign-ins, refresh tokens and keys in the ledger, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import Ledger, Principal, PrincipalKind, Role, Scope, SessionKind, acting_as
from deeplens_kit.ledger.access_values import EndedAccess, SignInWays

Maker = Callable[..., Ledger]
HOUR = 3600.0


def digest(letter: str) -> str:
    return letter * 64


class AccessConformance(ABC):
    """Inherited once per database."""

    @abstractmethod
    @pytest.fixture
    def url(self) -> str: ...

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    def test_users_and_their_roles(self, ledger: Ledger) -> None:
        with acting_as("root"):
            ana = ledger.add_user("Ána", Role.ADMIN)
            ledger.add_user("bo", "viewer")
        for taken in ("Ána", "ána", "Ána", "ÁNA"):
            with pytest.raises(SettingsError, match="already"):
                ledger.add_user(taken, Role.VIEWER)
        with pytest.raises(SettingsError):
            ledger.add_user("two\nlines", Role.VIEWER)
        assert [user.name for user in ledger.users()] == ["bo", "Ána"]
        assert ledger.user("ána").user_id == ana.user_id
        with pytest.raises(UnknownNameError, match="'bo'"):
            ledger.user("boo")
        # The last administrator who can sign in stays one; who was only invited is none yet.
        ledger.set_password_hash(ana.user_id, "$argon2id$x")
        ledger.add_user("invited", Role.ADMIN)
        for act in (lambda: ledger.set_user_role("Ána", "viewer"), lambda: ledger.set_user_active("Ána", False)):
            with pytest.raises(SettingsError, match="last administrator"):
                act()
        assert ledger.set_user_role("bo", Role.ADMIN).scopes == frozenset(Scope)
        ledger.set_password_hash(ledger.user("bo").user_id, "$argon2id$x")
        assert ledger.set_user_role("Ána", Role.ANALYST).role is Role.ANALYST
        trail = [(line.who, line.action) for line in ledger.audit_trail()]
        assert trail[:2] == [("root", "user.added")] * 2
        assert [action for _, action in trail].count("user.role_changed") == 2

    def test_of_two_administrators_who_demote_each_other_at_once_one_stays(self, ledger: Ledger) -> None:
        for name in ("a", "b"):
            ledger.set_password_hash(ledger.add_user(name, Role.ADMIN).user_id, "$argon2id$x")
        refused: list[str] = []
        start = threading.Barrier(2)

        def demote(name: str) -> None:
            start.wait()
            try:
                ledger.set_user_active(name, False)
            except SettingsError:
                refused.append(name)

        threads = [threading.Thread(target=demote, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
        assert [user.name for user in ledger.users() if user.active] == refused

    def test_a_provider_names_the_role_until_a_person_does(self, ledger: Ledger) -> None:
        made = ledger.add_user("ana", Role.VIEWER, provider="company", issuer="https://id", subject="7")
        assert ledger.user_of_identity("https://id", "7") == made
        assert ledger.user_of_identity("https://other", "7") is None
        assert ledger.set_provider_role(made.user_id, Role.ANALYST).role is Role.ANALYST
        ledger.set_user_role("ana", Role.APPROVER)
        assert ledger.set_provider_role(made.user_id, Role.VIEWER).role is Role.APPROVER

    def test_what_a_provider_says_leaves_the_last_administrator(self, ledger: Ledger) -> None:
        made = ledger.add_user("ana", Role.ADMIN, provider="company", issuer="https://id", subject="7")
        other = ledger.add_user("bo", Role.ADMIN)
        assert ledger.set_provider_role(made.user_id, Role.VIEWER).role is Role.ADMIN
        assert ledger.audit_trail()[-1].action == "user.role_kept"
        ledger.set_password_hash(other.user_id, "$argon2id$x")
        # Where nobody signs in by password, bo is no administrator left.
        alone = SignInWays(passwords=False, providers=frozenset({"company"}))
        assert ledger.set_provider_role(made.user_id, Role.VIEWER, alone).role is Role.ADMIN
        with pytest.raises(SettingsError, match="last administrator"):
            ledger.set_user_active("ana", False, alone)
        assert ledger.set_user_role("bo", Role.VIEWER, alone).role is Role.VIEWER
        ledger.set_user_role("bo", Role.ADMIN)
        assert ledger.set_provider_role(made.user_id, Role.VIEWER).role is Role.VIEWER

    def test_a_reset_ends_sign_ins_and_keys_twice_and_a_forgotten_password_none(self, ledger: Ledger) -> None:
        ana = ledger.add_user("ana", Role.ANALYST)

        def begin(letter: str) -> Callable[[], tuple[bool, bool]]:
            session = ledger.begin_user_session(ana.user_id, digest(letter), HOUR)
            ledger.add_api_key("ana", "k", "dlk_x", digest(letter), [Scope.SEARCH_READ], None)
            return lambda: (
                ledger.principal_of_session(session.session_id) is not None,
                ledger.principal_of_key(digest=digest(letter)) is not None,
            )

        good = begin("1")
        ledger.make_access_link("ana", "forgotten", digest("f"), HOUR)
        assert good() == (True, True)
        ledger.use_access_link(digest("f"), "$argon2id$x")
        assert good() == (False, True)
        before = begin("2")
        ledger.make_access_link("ana", "reset", digest("r"), HOUR)
        assert (good(), before()) == ((False, False), (False, False))
        # By whoever knows the old password, which is good until there is a new one.
        meanwhile = begin("3")
        ledger.use_access_link(digest("r"), "$argon2id$y")
        assert meanwhile() == (False, False)
        here = begin("4")
        session = ledger.user_sessions(ana.user_id)[0].session_id
        ended = ledger.end_access("ana", "ended", keep_keys=True, keep_session=session)
        assert (ended, here()) == (EndedAccess(0, 0), (True, True))
        assert ledger.end_access("ana", "signed_out_by_admin") == EndedAccess(1, 1)
        assert ledger.audit_trail()[-1].action == "user.signed_out"

    def test_a_link_sets_a_password_once(self, ledger: Ledger) -> None:
        ana = ledger.add_user("ana", Role.VIEWER)
        ledger.make_access_link("ana", "invite", digest("1"), HOUR)
        ledger.make_access_link("ana", "reset", digest("2"), HOUR)
        ledger.make_access_link("ana", "reset", digest("3"), -1)
        # A later link takes the place of the earlier ones, and this one is over.
        assert [ledger.access_link(digest(letter)) for letter in "123"] == [None] * 3
        ledger.make_access_link("ana", "reset", digest("4"), HOUR)
        session = ledger.begin_user_session(ana.user_id, digest("s"), HOUR)
        found = ledger.access_link(digest("4"))
        assert found is not None
        assert found.user.name == "ana"
        used = ledger.use_access_link(digest("4"), "$argon2id$x")
        assert used is not None
        assert used.has_password
        assert ledger.use_access_link(digest("4"), "$argon2id$y") is None
        assert ledger.principal_of_session(session.session_id) is None
        known = ledger.password_hash("ANA")
        assert known is not None
        assert known[1] == "$argon2id$x"
        assert ledger.password_hash("nobody") is None

    def test_a_sign_in_lasts_until_it_is_ended_or_its_user_is_disabled(self, ledger: Ledger) -> None:
        ledger.add_user("root", Role.ADMIN)
        ana = ledger.add_user("ana", Role.ANALYST)
        first = ledger.begin_user_session(ana.user_id, digest("1"), HOUR, address="192.0.2.1", agent="a browser")
        second = ledger.begin_user_session(ana.user_id, digest("2"), HOUR)
        over = ledger.begin_user_session(ana.user_id, digest("3"), -1)
        who = ledger.principal_of_session(first.session_id, digest("1"))
        assert who == Principal("ana", Role.ANALYST, ana.scopes, PrincipalKind.USER, ana.user_id, first.session_id)
        for wrong in ("", digest("2")):
            assert ledger.principal_of_session(first.session_id, wrong) is None
        assert ledger.principal_of_session(over.session_id, digest("3")) is None
        assert {item.session_id for item in ledger.user_sessions(ana.user_id)} == {
            first.session_id,
            second.session_id,
        }
        with pytest.raises(UnknownNameError):
            ledger.end_user_session(first.session_id, user_id="somebody else")
        assert ledger.end_user_session(first.session_id, user_id=ana.user_id)
        assert not ledger.end_user_session(first.session_id)
        assert ledger.principal_of_session(first.session_id, digest("1")) is None
        ledger.set_user_active("ana", False)
        assert ledger.principal_of_session(second.session_id, digest("2")) is None
        ledger.set_user_active("ana", True)
        # It is over for good: whoever is let in again signs in again.
        assert ledger.principal_of_session(second.session_id, digest("2")) is None

    def test_a_refresh_token_is_used_once_and_a_second_use_ends_the_sign_in(self, ledger: Ledger) -> None:
        ana = ledger.add_user("ana", Role.ANALYST)
        begun = ledger.begin_user_session(
            ana.user_id, "", HOUR, kind=SessionKind.TOKEN, scopes=[Scope.SEARCH_READ], refresh_digest=digest("1")
        )
        who = ledger.principal_of_session(begun.session_id)
        assert who is not None
        assert (who.kind, who.scopes) == (PrincipalKind.TOKEN, {Scope.SEARCH_READ})
        assert ledger.principal_of_session(begun.session_id, "") is None
        assert ledger.rotate_refresh_token(digest("x"), digest("y")) is None
        for old, new in (("1", "2"), ("2", "3")):
            rotated = ledger.rotate_refresh_token(digest(old), digest(new))
            assert rotated is not None
            assert rotated[1]
        assert ledger.session_of_refresh_token(digest("1")) == begun.session_id
        reused = ledger.rotate_refresh_token(digest("1"), digest("4"))
        assert reused is not None
        assert not reused[1]
        assert ledger.rotate_refresh_token(digest("3"), digest("5")) is None
        assert ledger.principal_of_session(begun.session_id) is None
        assert ledger.audit_trail()[-1].action == "access.token_reused"

    def test_a_key_does_what_its_scopes_and_its_user_may(self, ledger: Ledger) -> None:
        ledger.add_user("root", Role.ADMIN)
        ana = ledger.add_user("ana", Role.ANALYST)
        with pytest.raises(SettingsError, match="cannot have admin"):
            ledger.add_api_key("ana", "script", "dlk_1", digest("1"), [Scope.ADMIN, Scope.SEARCH_READ], None)
        with pytest.raises(SettingsError, match="at least one"):
            ledger.add_api_key("ana", "script", "dlk_1", digest("1"), [], None)
        scopes = [Scope.SEARCH_READ, Scope.IMAGES_WRITE]
        made = ledger.add_api_key("ana", "script", "dlk_1", digest("1"), scopes, None)
        over = ledger.add_api_key("ana", "old", "dlk_2", digest("2"), scopes, -1)
        who = ledger.principal_of_key(digest=digest("1"))
        assert who == Principal("ana", None, frozenset(scopes), PrincipalKind.KEY, ana.user_id, made.key_id)
        assert ledger.principal_of_key(digest=digest("2")) is None
        ledger.set_user_role("ana", Role.VIEWER)
        reduced = ledger.principal_of_key(key_id=made.key_id)
        assert reduced is not None
        assert reduced.scopes == {Scope.SEARCH_READ}
        ledger.set_user_active("ana", False)
        assert ledger.principal_of_key(digest=digest("1")) is None
        ledger.set_user_active("ana", True)
        assert ledger.principal_of_key(digest=digest("1")) is not None
        assert {key.key_id for key in ledger.api_keys(ana.user_id)} == {made.key_id, over.key_id}
        with pytest.raises(UnknownNameError):
            ledger.revoke_api_key(made.key_id, user_id="somebody else")
        ledger.revoke_api_key(made.key_id)
        assert ledger.principal_of_key(digest=digest("1")) is None
        assert [key.revoked_at is not None for key in ledger.api_keys(revoked=True)].count(True) == 1
        used = {key.key_id: key.last_used_at for key in ledger.api_keys(revoked=True)}
        assert used[made.key_id] is not None
        assert used[over.key_id] is None


class TestOnSqlite(AccessConformance):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestOnPostgres(AccessConformance):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
