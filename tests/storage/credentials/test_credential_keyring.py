"""Credentials of a keyring: the real library over a keyring in memory, since no desktop's is here."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest

from deeplens_kit.errors import CredentialMissingError, ExtraMissingError
from deeplens_kit.storage.credentials import resolve


class InMemory(keyring.backend.KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked("zq-held-secret cannot be shown")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


@pytest.fixture
def backend() -> Iterator[InMemory]:
    before = keyring.get_keyring()
    made = InMemory()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_a_password_is_read_anew_each_time(backend: InMemory) -> None:
    for value in ("zq-keyring-1", "zq-keyring-2"):
        keyring.set_password("https://share/x", "anna", value)
        assert resolve("${keyring:https://share/x/anna}") == value


def test_what_the_keyring_does_not_hold_is_named_with_how_to_add_it(backend: InMemory) -> None:
    with pytest.raises(CredentialMissingError, match=r"'share' and user 'bob'; run `keyring set share bob`"):
        resolve("${keyring:share/bob}")


def test_a_locked_keyring_says_so_and_nothing_that_it_holds(backend: InMemory) -> None:
    backend.locked = True
    with pytest.raises(CredentialMissingError, match=r"\(KeyringLocked\); unlock it") as caught:
        resolve("${keyring:share/bob}")
    assert "zq-held-secret" not in str(caught.value)


def test_a_machine_without_keyring_says_what_else_there_is(backend: InMemory) -> None:
    keyring.set_keyring(keyring.backends.fail.Keyring())
    with pytest.raises(CredentialMissingError, match=r"no keyring on this machine; .* environment or a file"):
        resolve("${keyring:share/bob}")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ExtraMissingError, match=r"deeplens-kit\[secrets\]"):
        resolve("${keyring:share/bob}")
