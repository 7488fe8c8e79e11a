"""A location tried before it is saved: whether it can be reached as it is written, and what could be done there.

Takes an address and options, gives what came of it; must not save anything, or send a credential
that stands in clear.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from deeplens_kit.errors import CredentialMissingError, ExtraMissingError, LocationError
from deeplens_kit.ledger import refuse_secrets
from deeplens_kit.storage import LocationCheck, normalise_url, open_location
from deeplens_kit.telemetry import redact

__all__ = ["LocationTrial", "try_location"]


@dataclass(frozen=True, slots=True)
class LocationTrial:
    """What came of trying a location.

    Attributes:
        url: As it would be kept.
        state: "ok", or the code of the error.
        message: Why it could not be reached; empty where it was.
        found: What it lets us do.
    """

    url: str
    state: str = "ok"
    message: str = ""
    found: LocationCheck = field(default_factory=LocationCheck)

    @property
    def reached(self) -> bool:
        """Whether it could be listed."""
        return self.state == "ok"


def try_location(name: str, url: str, options: Mapping[str, object]) -> LocationTrial:
    """Ask a location what can be done there, as it is written; nothing is saved.

    Args:
        name: What it is called, for messages.
        url: A folder or an address.
        options: Of its kind.

    Raises:
        SettingsError: The address or an option is not allowed, or a credential stands in clear.
        UnknownNameError: A kind, or an option of it, that does not exist.
    """
    # Before it is used: a credential that is refused afterwards was sent already.
    refuse_secrets(name, url if "://" in url else "", options)
    kept = normalise_url(url, options)
    try:
        with contextlib.closing(open_location("", name, url, options)) as storage:
            return LocationTrial(kept, found=storage.check())
    except (LocationError, CredentialMissingError, ExtraMissingError) as error:
        return LocationTrial(kept, error.code, redact(str(error)))
