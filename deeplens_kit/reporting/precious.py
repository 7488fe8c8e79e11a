"""What no answer may be written over: the files that a workspace looks after, and its own stores.

Takes an open workspace and a file, says that it may not be written; must not write.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

from deeplens_kit.pipeline import Workspace
from deeplens_kit.reporting.files import refuse_within
from deeplens_kit.storage.paths import display_path

__all__ = ["refuse_precious"]

_LOCAL = "file://"


def refuse_precious(workspace: Workspace, target: Path) -> None:
    """Refuse a file in a location or among the workspace's own files.

    Raises:
        SettingsError: It lies there.
    """
    for own in workspace.own_paths():
        refuse_within(target, own, f"part of the workspace ({own.name})")
    for location in workspace.ledger.locations(inactive=True):
        if location.url.startswith(_LOCAL):
            folder = Path(os.fsdecode(unquote_to_bytes(location.url.removeprefix(_LOCAL))))
            name = display_path(location.name)
            refuse_within(target, folder, f"inside the location {name!r}, which is never written to")
