"""Keeping a file in another storage class, where it is.

Takes a file and a class as its storage names it; must not change a byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import failed, kind_at, not_done, skipped, state_of
from deeplens_kit.actions.proof import digest_of, same_state, stat_or_none
from deeplens_kit.errors import ObjectChangedError, ObjectError
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.storage import LocationKind, ObjectStat
from deeplens_kit.storage.values import ANNOUNCED

__all__ = ["StorageClassOperation"]

_DONE = Ended(JournalPhase.DONE)


class StorageClassOperation:
    """Facts: location_id, path, state, digest, before, after (classes)."""

    name = "set_class"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Set it."""
        facts = act.facts
        kind, state = kind_at(ground, facts["location_id"]), state_of(facts["state"])
        after = facts["after"]
        now = ground.touch(act, "set", lambda: kind.set_storage_class(facts["path"], after, expected=state))
        if now.storage_class == after:
            return _DONE
        return failed(
            "ignored", f"The storage took the request and keeps it in class {now.storage_class!r} all the same."
        )

    def settle(self, ground: Ground, act: Act) -> Ended:
        """It has the one class or the other; another object under its name is none that this was done to."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        here = stat_or_none(kind, facts["path"])
        if here is None:
            return failed("gone", "It is no longer there: something else took it away.")
        if here.storage_class != facts["after"]:
            return not_done()
        return _DONE if _is_it(kind, facts, here) else failed("changed", "Something else has its name now; it stays.")

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """Whether it is there, and in that class."""
        facts = act.facts
        here = stat_or_none(kind_at(ground, facts["location_id"]), facts["path"])
        if here is None:
            return skipped("missing", "It is no longer there: something else took it away.")
        if here.size_bytes != state_of(facts["state"]).size_bytes:
            return skipped("changed_since", "It was changed since, and stays in the class that it has.")
        if here.storage_class == facts["before"]:
            return skipped("in_place", "It is in its old storage class; nothing was left to do.")
        return None

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Set the old one."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        here = kind.stat(facts["path"])
        ground.touch(act, "set", lambda: kind.set_storage_class(facts["path"], facts["before"], expected=here))
        return _DONE

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """It has the one class or the other."""
        here = stat_or_none(kind_at(ground, act.facts["location_id"]), act.facts["path"])
        if here is None:
            return failed("gone", "It is no longer there: something else took it away.")
        return _DONE if here.storage_class == act.facts["before"] else not_done()


def _is_it(kind: LocationKind, facts: Mapping[str, Any], here: ObjectStat) -> bool:
    """Whether what has the name is what was put into another class: by its state, or by reading all of it."""
    was, digest = state_of(facts["state"]), str(facts["digest"])
    if here.size_bytes != was.size_bytes:
        return False
    # Another checksum says nothing: encrypted by a key of the bucket, the same object has another ETag.
    if same_state(here, was) or (here.checksum == was.checksum and here.checksum not in (None, ANNOUNCED)):
        return True
    try:
        return digest_of(kind, facts["path"], here) == digest
    except ObjectChangedError:
        return False
    except ObjectError:
        # In an archive nothing can be read; it is in the class, and has its size.
        return True
