"""How this server is to run: the table [service] of the workspace's file, and what the command says otherwise.

Takes settings and options, gives settings; must not open a socket.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from deeplens_kit.settings import LOOPBACK, ServiceSettings

__all__ = ["LOOPBACK", "ServiceSettings", "with_options"]


def with_options(settings: ServiceSettings, **options: Any) -> ServiceSettings:
    """The settings with those options that were given; None stands for one that was not.

    Raises:
        SettingsError: Together they are not allowed.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return replace(settings, **given) if given else settings
