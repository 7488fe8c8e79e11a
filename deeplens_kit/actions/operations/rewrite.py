"""Giving a text or table another content, after a copy of the old one was put in quarantine.

Takes a file that was proved and its new content; must not replace a file whose old content is not kept.
"""

from __future__ import annotations

import hashlib

from deeplens_kit.actions.act_values import Doubt, SkipCode
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import (
    failed,
    kind_at,
    not_done,
    remove_unfinished,
    skipped,
    state_of,
    times_back,
)
from deeplens_kit.actions.operations.quarantine import held_file
from deeplens_kit.actions.proof import carried, digest_of, is_free, stat_or_none
from deeplens_kit.errors import ObjectExistsError
from deeplens_kit.ledger.act_values import JournalPhase, QuarantineState
from deeplens_kit.storage.store import MOST_CARRIED_BYTES

__all__ = ["KeepCopyOperation", "ReplaceOperation"]


class KeepCopyOperation:
    """Facts: as those of a quarantine; the file itself stays where it is."""

    name = "keep_copy"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Copy it, and read the copy."""
        facts = act.facts
        kind, state = kind_at(ground, facts["location_id"]), state_of(facts["state"])
        ground.touch(act, "copy", lambda: kind.copy(facts["path"], facts["quarantine_path"], expected=state))
        return self.settle(ground, act)

    def settle(self, ground: Ground, act: Act) -> Ended:
        """There is a copy, or none."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        remove_unfinished(kind, facts["quarantine_path"])
        there = stat_or_none(kind, facts["quarantine_path"])
        if there is None:
            return not_done()
        if digest_of(kind, facts["quarantine_path"], there) != facts["digest"]:
            return failed("quarantine_taken", "What lies in quarantine under its name is something else; it stays.")
        return Ended(JournalPhase.DONE, held=(held_file(ground, act, there),))

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """The copy may go only where the file holds the same again."""
        facts = act.facts
        state = ground.ledger.quarantined_file(facts["item_id"]).state
        if state is not QuarantineState.HELD:
            return skipped("emptied" if state is QuarantineState.EMPTIED else "restored", "Its copy is not kept now.")
        kind = kind_at(ground, facts["location_id"])
        here, there = stat_or_none(kind, facts["path"]), stat_or_none(kind, facts["quarantine_path"])
        if there is None:
            return skipped("missing", "The copy is not in quarantine any more, and nobody here took it.")
        if here is None or digest_of(kind, facts["path"], here) != facts["digest"]:
            return skipped("only_copy", "The file does not hold its old content; the copy stays in quarantine.")
        return None

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Remove the copy; `hinders` has read the file."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        there = kind.stat(facts["quarantine_path"])
        if digest_of(kind, facts["quarantine_path"], there) != facts["digest"]:
            return skipped("changed_in_quarantine", "What lies in quarantine is not what was put there; it stays.")
        ground.touch(act, "remove-copy", lambda: kind.remove(facts["quarantine_path"], expected=there))
        return Ended(JournalPhase.DONE, changed={facts["item_id"]: QuarantineState.RESTORED})

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """The copy is there, or not."""
        facts = act.facts
        if stat_or_none(kind_at(ground, facts["location_id"]), facts["quarantine_path"]) is not None:
            return not_done()
        return Ended(JournalPhase.DONE, changed={facts["item_id"]: QuarantineState.RESTORED})


class ReplaceOperation:
    """Facts: location_id, path, state, digest (old), new_digest, quarantine_path."""

    name = "replace"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Write the new content in its place, and read it back."""
        facts, data = act.facts, act.data
        if data is None or hashlib.sha256(data).hexdigest() != facts["new_digest"]:
            raise Doubt(SkipCode.NO_CONTENT, "Its new content is not at hand.")
        kind, state = kind_at(ground, facts["location_id"]), state_of(facts["state"])
        ground.touch(act, "replace", lambda: kind.replace(facts["path"], data, expected=state))
        return self.settle(ground, act)

    def settle(self, ground: Ground, act: Act) -> Ended:
        """It holds the old content, the new one, or neither; where nothing has its name it gets the old one back."""
        holds = self._holds(ground, act) or self._brought_back(ground, act)
        if holds == act.facts["new_digest"]:
            return Ended(JournalPhase.DONE)
        if holds == act.facts["digest"]:
            return not_done()
        return failed("changed", "It holds neither its old content nor the new one; something else wrote it.")

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """Whether it holds what was written, and its old content is kept."""
        facts, holds = act.facts, self._holds(ground, act)
        if holds == facts["digest"]:
            return skipped("in_place", "It holds its old content; nothing was left to do.")
        if holds != facts["new_digest"]:
            return skipped("changed_since", "It was changed since it was rewritten; it stays as it is.")
        kind = kind_at(ground, facts["location_id"])
        there = stat_or_none(kind, facts["quarantine_path"])
        if there is None or digest_of(kind, facts["quarantine_path"], there) != facts["digest"]:
            return skipped("missing", "Its old content is not in quarantine any more.")
        return None

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Write the old content back."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        here, there = kind.stat(facts["path"]), kind.stat(facts["quarantine_path"])
        # Read in the very state that is replaced: since `hinders` somebody may have written.
        if digest_of(kind, facts["path"], here) != facts["new_digest"]:
            return skipped("changed_since", "It was changed since it was rewritten; it stays as it is.")
        data = carried(kind, facts["quarantine_path"], there, MOST_CARRIED_BYTES)
        if hashlib.sha256(data).hexdigest() != facts["digest"]:
            return skipped("changed_in_quarantine", "What lies in quarantine is not what was put there; it stays.")
        ground.touch(act, "replace", lambda: kind.replace(facts["path"], data, expected=here))
        return self.settle_back(ground, act)

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """It holds the one or the other."""
        facts, holds = act.facts, self._holds(ground, act) or self._brought_back(ground, act)
        if holds == facts["new_digest"]:
            return not_done()
        if holds != facts["digest"]:
            return failed("changed", "It holds neither its old content nor the new one; something else wrote it.")
        kind = kind_at(ground, facts["location_id"])
        timed = times_back(ground, act, kind, facts["path"], facts["state"])
        return Ended(JournalPhase.DONE, facts={"times": timed})

    def _brought_back(self, ground: Ground, act: Act) -> str | None:
        """Put the old content back from quarantine, where a server had no file for the name when the process ended."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        if not kind.over_network or not is_free(kind, facts["path"]):
            return None
        there = stat_or_none(kind, facts["quarantine_path"])
        if there is None or digest_of(kind, facts["quarantine_path"], there) != facts["digest"]:
            return None
        try:
            ground.touch(act, "copy-back", lambda: kind.copy(facts["quarantine_path"], facts["path"], expected=there))
        except ObjectExistsError:
            pass  # somebody saved something there by now
        else:
            times_back(ground, act, kind, facts["path"], facts["state"])
        return self._holds(ground, act)

    def _holds(self, ground: Ground, act: Act) -> str | None:
        kind = kind_at(ground, act.facts["location_id"])
        # Its old content is in quarantine; what a process that is gone left beside it may go.
        remove_unfinished(kind, act.facts["path"])
        here = stat_or_none(kind, act.facts["path"])
        return None if here is None else digest_of(kind, act.facts["path"], here)
