"""Making a new file: a copy at another location, or a small one beside a picture.

Takes bytes and a free name, reads back what was written; must not replace anything. Taking it back never removes the
only copy of a file that was moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from deeplens_kit.actions.act_values import Doubt, SkipCode
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import (
    failed,
    kind_at,
    not_done,
    put_aside,
    remove_unfinished,
    skipped,
    state_facts,
    state_of,
    times_back,
)
from deeplens_kit.actions.proof import carried, digest_of, stat_or_none
from deeplens_kit.errors import LocationReadOnlyError, ObjectError
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.storage import LocationKind, ObjectStat
from deeplens_kit.storage.paths import display_path
from deeplens_kit.storage.store import MOST_CARRIED_BYTES

__all__ = ["CreateOperation"]


class CreateOperation:
    """Facts: location_id, path, digest; of a copy its source (location_id, path, state).

    And `made_folder`, the first folder that had to be made for it.
    """

    name = "create"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Write it, and read it back."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        data = self._data(ground, act)
        if hashlib.sha256(data).hexdigest() != facts["digest"]:
            raise Doubt(SkipCode.VICTIM_OTHER, "It holds something else than was proved.")
        made, left = self._create(ground, act, kind, data)
        if digest_of(kind, facts["path"], made) != facts["digest"]:
            ground.touch(act, "remove", lambda: kind.remove(facts["path"], expected=made))
            return failed("written_wrong", "What was written does not read back as it was; it was removed again.")
        ended = self._made(ground, act, kind)
        return replace(ended, facts={**ended.facts, "left": list(left)}) if left else ended

    def settle(self, ground: Ground, act: Act) -> Ended:
        """Nothing has the name, or it is whole: a new file appears only then."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        remove_unfinished(kind, facts["path"])
        here = stat_or_none(kind, facts["path"])
        if here is None:
            return not_done()
        if digest_of(kind, facts["path"], here) != facts["digest"]:
            return failed(SkipCode.TAKEN, "Something else has the name.")
        return self._made(ground, act, kind)

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """Whether it is still what was written, and what it was copied from is back."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        here = stat_or_none(kind, facts["path"])
        if here is None:
            return skipped("in_place", "It is gone; nothing was left to do.")
        if digest_of(kind, facts["path"], here) != facts["digest"]:
            return skipped("changed_since", "It was changed since it was made; it stays.")
        if (source := facts.get("source")) is not None:
            origin = kind_at(ground, source["location_id"])
            back = stat_or_none(origin, source["path"])
            if back is None or digest_of(origin, source["path"], back) != facts["digest"]:
                return skipped("only_copy", "What it was copied from is not back at its place; it stays.")
            if _may_be_one(kind, facts["path"], here, origin, source["path"], back):
                return skipped("only_copy", "It and what it was copied from are one file under two names; it stays.")
        return None

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Move it to quarantine, see that what it was copied from is still there, and remove it then."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        here, aside = kind.stat(facts["path"]), put_aside(ground, act)
        if digest_of(kind, facts["path"], here) != facts["digest"]:
            return skipped("changed_since", "It was changed since it was made; it stays.")
        ground.touch(act, "move-aside", lambda: kind.move(facts["path"], aside, expected=here))
        return self.settle_back(ground, act)

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """It is still there, put aside, or gone."""
        facts, aside = act.facts, put_aside(ground, act)
        kind = kind_at(ground, facts["location_id"])
        there, here = stat_or_none(kind, aside), stat_or_none(kind, facts["path"])
        if there is None:
            return _gone(kind, facts) if here is None else not_done()
        if digest_of(kind, aside, there) != facts["digest"]:
            return failed("changed_in_quarantine", f"What was put aside at {display_path(aside)!r} changed; it stays.")
        if (source := facts.get("source")) is not None and not _holds(ground, source, facts["digest"]):
            if here is not None:
                return failed("only_copy", f"It lies at {display_path(aside)!r}: something else has its name.")
            ground.touch(act, "move-back", lambda: kind.move(aside, facts["path"], expected=there))
            return skipped("only_copy", "What it was copied from vanished with it; it stays.")
        ground.touch(act, "remove", lambda: kind.remove(aside, expected=there))
        return not_done() if here is not None else _gone(kind, facts)

    def _create(self, ground: Ground, act: Act, kind: LocationKind, data: bytes) -> tuple[ObjectStat, tuple[str, ...]]:
        """Write it; a copy of a file of this machine with its permissions and extended attributes where they go."""
        path, source = act.facts["path"], act.facts.get("source")
        if source is not None and not (origin := kind_at(ground, source["location_id"])).over_network:
            beside = origin.about(source["path"])
            return ground.touch(act, "create", lambda: kind.create_like(path, data, beside))
        return ground.touch(act, "create", lambda: kind.create(path, data)), ()

    def _made(self, ground: Ground, act: Act, kind: LocationKind) -> Ended:
        """A copy gets the time of modification of what it is a copy of, where the storage can set it."""
        facts = act.facts
        if (source := facts.get("source")) is not None:
            times_back(ground, act, kind, facts["path"], source["state"])
        return Ended(JournalPhase.DONE, facts={"state": state_facts(kind.stat(facts["path"]))})

    def _data(self, ground: Ground, act: Act) -> bytes:
        if act.data is not None:
            return act.data
        source = act.facts["source"]
        origin = kind_at(ground, source["location_id"])
        return carried(origin, source["path"], state_of(source["state"]), MOST_CARRIED_BYTES)


def _gone(kind: LocationKind, facts: Mapping[str, Any]) -> Ended:
    """It is gone again, and with it the folders that were made for it, where they hold nothing else."""
    if (first := facts.get("made_folder")) is not None:
        with suppress(ObjectError, LocationReadOnlyError):  # an empty folder harms nobody
            kind.remove_made_folders(facts["path"], first)
    return Ended(JournalPhase.DONE)


def _holds(ground: Ground, file: Mapping[str, Any], digest: str) -> bool:
    kind = kind_at(ground, file["location_id"])
    state = stat_or_none(kind, file["path"])
    return state is not None and digest_of(kind, file["path"], state) == digest


def _may_be_one(
    kind: LocationKind, path: str, here: ObjectStat, other: LocationKind, other_path: str, there: ObjectStat
) -> bool:
    """Whether two names may lead to one file."""
    if kind.place + path == other.place + other_path:
        return True
    if here.link_id is not None and here.link_id == there.link_id:
        return True
    return kind.identity(path) == other.identity(other_path)
