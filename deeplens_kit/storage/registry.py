"""The kinds of location by the scheme of their URL.

Takes a location as the ledger keeps it and gives it opened; must not import a kind before it is asked for. A path
without a scheme is a local folder; the schemes are those of fsspec.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.storage.base import LocationKind

__all__ = ["kinds", "normalise_url", "open_location"]

_KINDS = {"file": "deeplens_kit.storage.local:LocalLocation"}
# A scheme, or a chain of them as in fsspec ("simplecache::s3://...").
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)(?:::[A-Za-z0-9+.:-]+)?://")


def kinds() -> tuple[str, ...]:
    """The schemes that can be opened, sorted."""
    return tuple(sorted(_KINDS))


def open_location(location_id: str, name: str, url: str, options: Mapping[str, object]) -> LocationKind:
    """Open a location for reading; nothing is asked of the storage yet (see `LocationKind.check`).

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: URL or local path, as the user or the ledger has it.
        options: Options of its kind.

    Raises:
        SettingsError: A scheme that is not supported, or a URL or option value that is not allowed.
        UnknownNameError: An option that the kind does not have.
    """
    module, _, class_name = _KINDS[_scheme(url)].partition(":")
    kind: type[LocationKind] = getattr(import_module(module), class_name)
    location: LocationKind = kind(location_id, name, url, options)  # type: ignore[call-arg]
    return location


def normalise_url(url: str) -> str:
    """Give the one spelling of a URL or path that is kept: absolute, %-escaped ASCII, without credentials.

    Raises:
        SettingsError: As `open_location`.
    """
    return open_location("", "", url, {}).url


def _scheme(url: str) -> str:
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else "file"
    if scheme in _KINDS:
        return scheme
    # The URL itself may hold a password: only the scheme is repeated.
    from fsspec.registry import known_implementations

    if scheme not in known_implementations:
        raise UnknownNameError("kind of location", scheme, kinds())
    raise SettingsError(
        f"Locations of kind {scheme!r} are not supported yet; supported now: {', '.join(kinds())} and plain paths. "
        "Mount the storage and give the path."
    )
