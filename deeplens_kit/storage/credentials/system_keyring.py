"""Credentials of the desktop's or system's keyring: `${keyring:SERVICE/USER}`.

Takes a service and a user and gives the password that the keyring holds for them; must not write to it. The library
`keyring` chooses the keyring; it is imported when one is asked.
"""

from __future__ import annotations

from deeplens_kit.errors import CredentialMissingError, ExtraMissingError, SettingsError
from deeplens_kit.storage.credentials.base import Reference

__all__ = ["SystemKeyring"]


class SystemKeyring:
    """The keyring that the library `keyring` finds."""

    def check(self, reference: Reference) -> None:
        """See `CredentialProvider`."""
        service, _, user = reference.name.rpartition("/")
        if not service or not user:
            raise SettingsError(f"{reference.text} names no entry of a keyring; write ${{keyring:SERVICE/USER}}.")

    def look_up(self, reference: Reference, *, fresh: bool) -> str:
        """See `CredentialProvider`."""
        try:
            import keyring
            import keyring.errors
        except ImportError as error:
            raise ExtraMissingError(f"The credential {reference.text}", "secrets") from error
        # The last slash divides: a service may be an address.
        service, _, user = reference.name.rpartition("/")
        try:
            value = keyring.get_password(service, user)
        except keyring.errors.NoKeyringError as error:
            where, advice = "there is no keyring on this machine", "start one, or keep it in the environment or a file"
            raise CredentialMissingError(reference.text, where, advice) from error
        except keyring.errors.KeyringError as error:
            # Only the kind of the error: what a keyring says may hold what it keeps.
            where = f"the keyring cannot be read ({type(error).__name__})"
            raise CredentialMissingError(reference.text, where, "unlock it and run again") from error
        if not value:
            where = f"the keyring holds nothing for service {service!r} and user {user!r}"
            raise CredentialMissingError(reference.text, where, f"run `keyring set {service} {user}`")
        return value
