"""A reference to a credential, and the interface of what looks one up.

Takes the text between `${` and `}` apart and gives a frozen value; must not look anything up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

__all__ = ["FORMS", "REFERENCE", "CredentialProvider", "Reference"]

FORMS = "${NAME}, ${keyring:SERVICE/USER}, ${file:/PATH/secrets.toml#KEY} or ${infisical:NAME}"
"""What may be written in place of a credential, for messages."""

REFERENCE = re.compile(r"\$\{(?:(?P<provider>[A-Za-z][A-Za-z0-9_-]*):)?(?P<name>[^{}\r\n]+)\}")
"""A reference within a text; one without a provider names a variable of the environment."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a credential is.

    Attributes:
        text: As it was written, for example "${keyring:share/anna}"; may be shown and logged.
        provider: Name of the provider, for example "keyring".
        name: What the provider is asked for, for example "share/anna".
    """

    text: str
    provider: str
    name: str


class CredentialProvider(Protocol):
    """Looks credentials up in one kind of place."""

    def check(self, reference: Reference) -> None:
        """Say whether the name can be one of this provider, without looking it up.

        Raises:
            SettingsError: It cannot; the message says how it is written.
        """

    def look_up(self, reference: Reference, *, fresh: bool) -> str:
        """Read a credential from its place.

        Args:
            reference: A reference that passed `check`.
            fresh: Take nothing from a cache.

        Raises:
            CredentialMissingError: It is not there, or its place cannot be reached.
            SettingsError: Its place may not be used as it is.
        """
