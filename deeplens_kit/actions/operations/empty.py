"""Removing a file from quarantine for good: the only act that ends bytes.

Takes a file in quarantine and the copy of it that stays, reads that copy; must not remove a file that is not what was
put there, nor one of which no copy is proved. It cannot be taken back.
"""

from __future__ import annotations

from typing import Any

from deeplens_kit.actions.act_values import Doubt, SkipCode
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import failed, kind_at, not_done, skipped, state_facts, state_of
from deeplens_kit.actions.proof import digest_of, is_free, same_state, stat_or_none
from deeplens_kit.errors import LocationError, ObjectChangedError, ObjectError
from deeplens_kit.ledger.act_values import JournalPhase, QuarantineState
from deeplens_kit.storage import LocationKind

__all__ = ["EmptyOperation", "empty_facts"]


class EmptyOperation:
    """Facts: item_id, location_id, quarantine_path, path, digest, state, link_count; keeper, as of a quarantine."""

    name = "empty"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Remove it, and ask the storage what it keeps of it."""
        facts = act.facts
        kind, state = kind_at(ground, facts["location_id"]), state_of(facts["state"])
        if (keeper := facts.get("keeper")) is not None:
            # It was read just before, but the file itself was read since.
            now = stat_or_none(kind_at(ground, keeper["location_id"]), keeper["path"])
            if now is None or not same_state(now, state_of(keeper["state"])):
                raise Doubt(SkipCode.KEEPER_CHANGED, "Its keeper changed just before.")
        ground.touch(act, "remove", lambda: kind.remove(facts["quarantine_path"], expected=state))
        return self._told(kind, act)

    def settle(self, ground: Ground, act: Act) -> Ended:
        """It is there, or gone."""
        kind = kind_at(ground, act.facts["location_id"])
        if stat_or_none(kind, act.facts["quarantine_path"]) is not None:
            return not_done()
        return self._told(kind, act)

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """Always: what was removed is gone."""
        return skipped("emptied", "The quarantine of it was emptied; its bytes are not here any more.")

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Never."""
        return failed("emptied", "The quarantine of it was emptied; its bytes are not here any more.")

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """Never."""
        return self.take_back(ground, act)

    def _told(self, kind: LocationKind, act: Act) -> Ended:
        """What the storage says now: whether it lists the file still, and what it keeps of it."""
        facts = act.facts
        kept = [_kept(kind, facts[name]) for name in ("quarantine_path", "path")]
        if not is_free(kind, facts["quarantine_path"]):
            kept.append({"bytes": facts["state"]["size_bytes"], "note": "The storage lists it still."})
        unknown = any(item is not None and item["bytes"] is None for item in kept)
        kept_bytes = sum(item["bytes"] or 0 for item in kept if item is not None)
        linked = facts["link_count"] > 1
        freed = 0 if linked or unknown else max(0, facts["state"]["size_bytes"] - kept_bytes)
        notes = [item["note"] for item in kept if item is not None and item["note"]]
        if linked:
            notes.append(f"The file has {facts['link_count'] - 1} other names (hard links), so its bytes stay.")
        return Ended(
            JournalPhase.DONE,
            facts={"freed_bytes": freed, "kept_bytes": kept_bytes, "notes": notes},
            changed={facts["item_id"]: QuarantineState.EMPTIED},
        )


def empty_facts(kind: LocationKind, facts: dict[str, Any]) -> dict[str, Any] | Ended:
    """The facts of emptying a file that is what was put there, or why it is not removed.

    Args:
        kind: Its location.
        facts: item_id, location_id, quarantine_path, path, digest and keeper.

    Raises:
        ObjectError: It cannot be read.
        LocationError: Nor can others.
    """
    there = stat_or_none(kind, facts["quarantine_path"])
    if there is None:
        return Ended(
            JournalPhase.SKIPPED,
            "missing",
            "It is not in quarantine any more, and nobody here took it.",
            changed={facts["item_id"]: QuarantineState.MISSING},
        )
    try:
        holds = digest_of(kind, facts["quarantine_path"], there)
    except ObjectChangedError:
        holds = ""
    if holds != facts["digest"]:
        return skipped("changed_in_quarantine", "What lies in quarantine is not what was put there; it stays.")
    return {**facts, "state": state_facts(there), "link_count": there.link_count}


def _kept(kind: LocationKind, path: str) -> dict[str, Any] | None:
    try:
        kept = kind.kept_after_removal(path)
    except (ObjectError, LocationError):
        return {"bytes": None, "note": "The storage could not say what it keeps, so nothing is counted as free."}
    return None if kept is None else {"bytes": kept.bytes, "note": kept.note}
