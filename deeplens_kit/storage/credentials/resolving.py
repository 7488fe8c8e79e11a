"""References within a text, found and replaced.

Takes a text of a user's settings and gives it with the credentials in place; must not keep them. Every value that is
read is registered for masking before anything else happens to it, and its reference is logged.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from deeplens_kit.storage.credentials.base import REFERENCE, Reference
from deeplens_kit.storage.credentials.registry import provider
from deeplens_kit.telemetry import get_logger, register_secret

__all__ = ["has_reference", "is_reference", "references", "resolve"]

_log = get_logger(__name__)

_DEFAULT_PROVIDER = "env"


def is_reference(text: str) -> bool:
    """Whether the whole text is one reference, as far as its form tells."""
    return REFERENCE.fullmatch(text) is not None


def has_reference(text: str) -> bool:
    """Whether a reference stands anywhere in the text, as far as its form tells."""
    return REFERENCE.search(text) is not None


def references(text: str) -> tuple[Reference, ...]:
    """The references in a text, in order, checked but not looked up.

    Raises:
        UnknownNameError: A provider that does not exist.
        SettingsError: A name that its provider cannot have.
    """
    return tuple(_checked(match) for match in REFERENCE.finditer(text))


def resolve(text: str, *, fresh: bool = False, in_url: bool = False) -> str:
    """Put the credentials in the place of their references, as they are now.

    Args:
        text: A value of a setting; one without references is given back as it is.
        fresh: Take nothing from a cache: for another try after a login was refused, since the credential may just
            have been changed.
        in_url: The text is a URL: what stands in a part of it is %-escaped. A text that is one reference is the whole
            URL and stays as it is.

    Raises:
        CredentialMissingError: A credential is not there, or its place cannot be reached.
        UnknownNameError: A provider that does not exist.
        SettingsError: A name that its provider cannot have, or a place that may not be used as it is.
    """
    escaped = in_url and not is_reference(text)
    # All are checked before the first is looked up: that may ask a server.
    found = iter(references(text))

    def value_of(_: re.Match[str]) -> str:
        value = _look_up(next(found), fresh=fresh)
        return quote(value, safe="") if escaped else value

    return REFERENCE.sub(value_of, text)


def _checked(match: re.Match[str]) -> Reference:
    reference = Reference(match[0], match["provider"] or _DEFAULT_PROVIDER, match["name"])
    provider(reference.provider).check(reference)
    return reference


def _look_up(reference: Reference, *, fresh: bool) -> str:
    value = provider(reference.provider).look_up(reference, fresh=fresh)
    register_secret(value)
    _log.info("credential read", reference=reference.text, provider=reference.provider)
    return value
