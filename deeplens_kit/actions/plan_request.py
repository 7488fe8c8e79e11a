"""What is asked of a plan, as a frozen value: which evidence counts, and what happens with each file.

Takes words and numbers, refuses what does not go together; must not look at a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from deeplens_kit.errors import SettingsError
from deeplens_kit.schemas import ActionKind, Tier
from deeplens_kit.storage.base import QUARANTINE_FOLDER

__all__ = ["LINK_ACTIONS", "PLAN_ACTIONS", "PlanRequest"]

LINK_ACTIONS = (ActionKind.HARDLINK, ActionKind.SYMLINK, ActionKind.REFLINK)
"""What leaves the keeper under the name of the copy."""

PLAN_ACTIONS = (
    ActionKind.REMOVE,
    ActionKind.HARDLINK,
    ActionKind.SYMLINK,
    ActionKind.REFLINK,
    ActionKind.REDIRECT,
    ActionKind.MOVE,
    ActionKind.STORAGE_CLASS,
)
"""What a plan over groups can do with a copy; creating and rewriting files are for other plans."""

_NO_FOLDERS = {"", ".", "..", QUARANTINE_FOLDER}


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What is done with the members of groups.

    Attributes:
        action: One of `PLAN_ACTIONS`.
        tiers: Evidence that is strong enough; never `scene`.
        rule: Name and version of the rule behind the groups, for people.
        limit: Steps at most, >= 1; None for all.
        target_location_id: For `move` the location that files go to; else None.
        target: For `move` a folder there, may be empty; for `storage_class` the class; else empty.
        proof: "token" or "read", as in `settings.ActionSettings`.

    Raises:
        SettingsError: A value is not allowed, or does not go with the action.
    """

    action: ActionKind
    tiers: tuple[Tier, ...]
    rule: str
    limit: int | None = None
    target_location_id: str | None = None
    target: str = ""
    proof: str = "token"

    def __post_init__(self) -> None:
        if self.action not in PLAN_ACTIONS:
            raise SettingsError(
                f"A plan over groups cannot {self.action!r}; it can {', '.join(map(str, PLAN_ACTIONS))}."
            )
        if Tier.SCENE in self.tiers or not self.tiers:
            named = ", ".join(map(str, self.tiers)) or "none"
            raise SettingsError(f"A plan acts on bytes, pixels and copy, never on scene; the tiers given are {named}.")
        if self.limit is not None and self.limit < 1:
            raise SettingsError(f"A plan of at most {self.limit} steps has none; give 1 or more.")
        if (self.action == ActionKind.MOVE) != (self.target_location_id is not None):
            raise SettingsError("Moving needs a location to move to (--to LOCATION), and nothing else takes one.")
        if self.action == ActionKind.STORAGE_CLASS and not self.target:
            raise SettingsError("Changing the storage class needs the name of one (--storage-class NAME).")
        if self.target and self.action not in (ActionKind.MOVE, ActionKind.STORAGE_CLASS):
            raise SettingsError(f"{self.action} takes no target; {self.target!r} was given.")
        if self.action == ActionKind.MOVE and self.target and _NO_FOLDERS & set(self.target.split("/")):
            raise SettingsError(
                f"Files cannot be moved to {self.target!r}; name a folder without empty parts, '.', '..' and "
                f"{QUARANTINE_FOLDER!r} in it."
            )
