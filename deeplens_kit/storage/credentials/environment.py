"""Credentials of the environment: `${NAME}` or `${env:NAME}`.

Takes the name of a variable and gives its value; must not change the environment.
"""

from __future__ import annotations

import os
import re

from deeplens_kit.errors import CredentialMissingError, SettingsError
from deeplens_kit.storage.credentials.base import FORMS, Reference

__all__ = ["Environment", "variable"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Environment:
    """Variables of the process's environment."""

    def check(self, reference: Reference) -> None:
        """See `CredentialProvider`."""
        if not _NAME.fullmatch(reference.name):
            raise SettingsError(f"{reference.text} names no environment variable; write {FORMS}.")

    def look_up(self, reference: Reference, *, fresh: bool) -> str:
        """See `CredentialProvider`."""
        return variable(reference, reference.name)


def variable(reference: Reference, name: str, advice: str = "set it and run again") -> str:
    """The value of a variable that a reference needs.

    Raises:
        CredentialMissingError: It is not set, or empty.
    """
    value = os.environ.get(name)
    if not value:
        state = "not set" if value is None else "empty"
        raise CredentialMissingError(reference.text, f"the environment variable {name} is {state}", advice)
    return value
