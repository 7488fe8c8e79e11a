"""Credentials that stand in clear where a reference should stand.

Takes an option of a location, or its address, and says what of it is a credential in clear; must not repeat it, and
must not look a reference up. What is a credential is told by the option's name, and in any text by its form: a login in
a URL, an assignment as in a connection string or a signed address, a private key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.credentials.base import REFERENCE
from deeplens_kit.storage.credentials.resolving import references

__all__ = ["credential_in_clear", "is_secret_option"]

_SECRET_OPTION = re.compile(
    r"passw|passphrase|secret|token|credential|authorization|cookie|signature|(^|_)(pass|pwd|key|sas|sig)$",
    re.IGNORECASE,
)
# Names of options that hold no secret although a part of them says so: the name of a key, not the key.
_PUBLIC_OPTIONS = frozenset(
    {"access_key", "access_key_id", "aws_access_key_id", "change_token", "host_key", "key_column", "kms_key_id"}
)
# They say where something is: in a file, in a column of a table.
_PUBLIC_ENDINGS = ("_column", "_file")
# Assignments in a connection string (Azure, SQL) or in the query of a signed address (Azure, S3, GCS).
_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9])(?P<name>account_?key|shared_?access_?(?:key|signature)|sig|x-(?:amz|goog)-signature|"
    r"x-amz-security-token|passw(?:or)?d|passphrase|pwd|(?:secret|secret_?access|api|private)_?key|"
    r"(?:access_?|auth_?|session_?)?token|(?:client_?)?secret)\s*=\s*(?=(?P<value>\"[^\"]*\"|'[^']*'|[^;&\s\"']+))",
    re.IGNORECASE,
)
# The value of this is itself a list of assignments, one of them `sig=`, which is looked at as any other.
_SIGNATURE = re.compile(r"shared_?access_?signature", re.IGNORECASE)
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:]*:(?P<password>[^\s/?#]*)@")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def is_secret_option(option: str) -> bool:
    """Whether the value of an option must be a reference and nothing else, by its name."""
    name = option.lower()
    public = name in _PUBLIC_OPTIONS or name.endswith(_PUBLIC_ENDINGS)
    return not public and _SECRET_OPTION.search(name) is not None


def credential_in_clear(option: str, value: object) -> str | None:
    """What of an option's value is a credential in clear; None where nothing is.

    Args:
        option: Name of the option; "" for the address of a location.
        value: Its value; the texts in lists and tables are looked at too.

    Returns:
        Words such as "a password", for a message.

    Raises:
        UnknownNameError: A reference in it names a provider that does not exist.
        SettingsError: The name in a reference is none that its provider can have, or an address is no URL.
    """
    if isinstance(value, Mapping):
        found = (credential_in_clear(str(name), item) for name, item in value.items())
        return next((words for words in found if words), None)
    if isinstance(value, list | tuple | set | frozenset):
        return next((words for words in (credential_in_clear(option, item) for item in value) if words), None)
    if not isinstance(value, str) or not value:
        return None
    references(value)
    mark = _mark(value)
    # A reference may hold what divides an address; nothing of it is a credential.
    text = REFERENCE.sub(mark, value)
    if not option:
        return _in_address(text, mark)
    if is_secret_option(option) and text.replace(mark, ""):
        return "a credential"
    return _in_text(text, mark)


def _mark(value: str) -> str:
    mark = "reference"
    while mark in value:
        mark += "x"
    return mark


def _in_address(text: str, mark: str) -> str | None:
    if "://" not in text:
        return None
    try:
        parts = urlsplit(text)
        password = parts.password
    except ValueError:
        # The cause is left out: it may repeat the login.
        raise SettingsError("It is no URL; write SCHEME://HOST/PATH.") from None
    if password and password.replace(mark, ""):
        return "a password"
    # The path is left alone: folders may be named `token=1`.
    return _in_text(f"{parts.query} {parts.fragment}", mark)


def _in_text(text: str, mark: str) -> str | None:
    if _PRIVATE_KEY.search(text):
        return "a private key"
    for login in _LOGIN.finditer(text):
        if login["password"].replace(mark, ""):
            return "a password"
    for assigned in _ASSIGNED.finditer(text):
        value = assigned["value"].strip("\"'")
        listed = _SIGNATURE.fullmatch(assigned["name"]) and "sig=" in text[assigned.end() :].partition(";")[0].lower()
        if value.replace(mark, "") and not listed:
            return f"a value of {assigned['name']!r}"
    return None
