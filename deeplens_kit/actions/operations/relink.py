"""Having a symbolic link lead elsewhere: to the file that stays in place of one that went.

Takes a link with what it says and is to say; must not touch anything but a link that says exactly that.
"""

from __future__ import annotations

from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import failed, kind_at, not_done, remove_unfinished, skipped
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.storage.paths import encode_path

__all__ = ["RelinkOperation"]

_DONE = Ended(JournalPhase.DONE)


class RelinkOperation:
    """Facts: location_id, path, before, after (what the link says)."""

    name = "relink"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Change it."""
        self._change(ground, act, "before", "after")
        return _DONE

    def settle(self, ground: Ground, act: Act) -> Ended:
        """It says the one or the other."""
        return self._settled(ground, act, "before", "after")

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """Whether it says what was written."""
        says = self._says(ground, act)
        if says == act.facts["before"]:
            return skipped("in_place", "It leads where it led before; nothing was left to do.")
        if says != act.facts["after"]:
            return skipped("changed_since", "It was changed since it was made to lead elsewhere; it stays as it is.")
        return None

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Change it back."""
        self._change(ground, act, "after", "before")
        return _DONE

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """As `settle`, the other way round."""
        return self._settled(ground, act, "after", "before")

    def _change(self, ground: Ground, act: Act, old: str, new: str) -> None:
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        ground.touch(act, "relink", lambda: kind.relink(facts["path"], facts[new], expected=facts[old]))

    def _settled(self, ground: Ground, act: Act, old: str, new: str) -> Ended:
        remove_unfinished(kind_at(ground, act.facts["location_id"]), act.facts["path"])
        says = self._says(ground, act)
        if says == act.facts[new]:
            return _DONE
        if says == act.facts[old]:
            return not_done()
        return failed("changed", "It is no link any more that leads to either place; something else took its name.")

    def _says(self, ground: Ground, act: Act) -> str | None:
        says = kind_at(ground, act.facts["location_id"]).link_target(act.facts["path"])
        return None if says is None else encode_path(says)
