"""Moving a file to quarantine at its own location, and back.

Takes a file that was proved, gives it a name beneath the quarantine folder; must not replace anything. After the move
the keeper is looked at again: where it vanished with the file, the two were one file under two names, and the file is
moved back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from deeplens_kit.actions.act_values import SkipCode
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import (
    about_facts,
    failed,
    kind_at,
    not_done,
    skipped,
    state_facts,
    state_of,
    times_back,
)
from deeplens_kit.actions.proof import digest_of, is_free, same_state, stat_or_none
from deeplens_kit.errors import (
    LocationError,
    LocationUnavailableError,
    ObjectError,
    ObjectExistsError,
    ObjectGoneError,
)
from deeplens_kit.ledger.act_values import JournalPhase, QuarantinedFile, QuarantineState
from deeplens_kit.storage import UNSETTLED, LocationKind, ObjectStat

__all__ = ["MISSING", "NOT_MOVED_BACK", "QuarantineOperation", "held_file"]

NOT_MOVED_BACK = "not_moved_back"
"""Code of a file that should not be in quarantine and could not be moved back: something else has its name."""

MISSING = "missing"
"""Code of a file that is neither at its place nor in quarantine now; it is looked for again whenever it is undone."""

_IN_QUARANTINE = "What lies in quarantine is not what was put there"


class QuarantineOperation:
    """Facts: location_id, path, quarantine_path, item_id, digest, state, kept; keeper with digest and state."""

    name = "quarantine"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Move it, and look again."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        moved = ground.touch(
            act,
            "move",
            lambda: kind.move(facts["path"], facts["quarantine_path"], expected=state_of(facts["state"])),
        )
        return self._looked_at(ground, act, kind, moved, read=not _tells_enough(kind, facts, moved))

    def settle(self, ground: Ground, act: Act) -> Ended:
        """See where the file is: at its place, in quarantine, at both or at neither."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        here, there = stat_or_none(kind, facts["path"]), stat_or_none(kind, facts["quarantine_path"])
        if there is None:
            if here is not None:
                return not_done()
            return _missing(ground, act)
        if here is None:
            return self._looked_at(ground, act, kind, there, read=True)
        return self._both(ground, act, kind, here, there)

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """What stands in the way of moving it back."""
        facts = act.facts
        state = ground.ledger.quarantined_file(facts["item_id"]).state
        if state is QuarantineState.EMPTIED:
            return skipped("emptied", "The quarantine of it was emptied; its bytes are not here any more.")
        if state is QuarantineState.RESTORED:
            return skipped("restored", "It was restored before.")
        kind = kind_at(ground, facts["location_id"])
        there = stat_or_none(kind, facts["quarantine_path"])
        if there is None:
            here = stat_or_none(kind, facts["path"])
            if here is not None and digest_of(kind, facts["path"], here) == facts["digest"]:
                return Ended(
                    JournalPhase.SKIPPED,
                    "in_place",
                    "It is at its place again; nothing was left to do.",
                    changed={facts["item_id"]: QuarantineState.RESTORED},
                )
            return Ended(
                JournalPhase.SKIPPED,
                MISSING,
                "It is not in quarantine now: its disk or share may be away, or somebody took it.",
                changed={facts["item_id"]: QuarantineState.MISSING},
            )
        if digest_of(kind, facts["quarantine_path"], there) != facts["digest"]:
            return skipped("changed_in_quarantine", f"{_IN_QUARANTINE}; it stays there.")
        if not is_free(kind, facts["path"]):
            return skipped(SkipCode.TAKEN, "Something else has its name now; it stays in quarantine.")
        return None

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Move it to its old place; `hinders` has read it."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        there = kind.stat(facts["quarantine_path"])
        back = ground.touch(act, "move", lambda: kind.move(facts["quarantine_path"], facts["path"], expected=there))
        same = back.size_bytes == there.size_bytes and (
            kind.proves_by_token
            or (
                kind.keeps_times_on_move
                and back.modified_at == there.modified_at
                and not there.change_token.endswith(UNSETTLED)
            )
        )
        return self._back(ground, act, kind, back if same else None)

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """See where it is; where a copy is at its place, the one in quarantine may go."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        here, there = stat_or_none(kind, facts["path"]), stat_or_none(kind, facts["quarantine_path"])
        if here is None:
            if there is not None:
                return not_done()
            return Ended(
                JournalPhase.SKIPPED,
                MISSING,
                "It is at neither of its places now: its disk or share may be away; undoing again looks again.",
                changed={facts["item_id"]: QuarantineState.MISSING},
            )
        is_back = digest_of(kind, facts["path"], here) == facts["digest"]
        if there is None:
            return self._back(ground, act, kind) if is_back else failed("gone", "Something else has its name.")
        if not is_back or not _are_two(kind, facts, here, there):
            return skipped(SkipCode.TAKEN, "Something else has its name now; it stays in quarantine.")
        if digest_of(kind, facts["quarantine_path"], there) != facts["digest"]:
            return skipped("changed_in_quarantine", f"{_IN_QUARANTINE}; it stays there.")
        ground.touch(act, "remove-copy", lambda: kind.remove(facts["quarantine_path"], expected=there))
        return self._back(ground, act, kind)

    def _back(self, ground: Ground, act: Act, kind: LocationKind, back: ObjectStat | None = None) -> Ended:
        """It is at its place; `back`: in this state, which its digest surely belongs to."""
        facts, told = act.facts, {}
        timed = times_back(ground, act, kind, facts["path"], facts["state"])
        now = kind.stat(facts["path"])
        wanted = state_of(facts["state"]).modified_at
        if back is not None and now.size_bytes == back.size_bytes and now.modified_at in (back.modified_at, wanted):
            told = {"state_back": state_facts(now)}
        return Ended(
            JournalPhase.DONE,
            facts={"times": timed, **told},
            changed={facts["item_id"]: QuarantineState.RESTORED},
        )

    def _looked_at(self, ground: Ground, act: Act, kind: LocationKind, moved: ObjectStat, *, read: bool) -> Ended:
        """Look at the keeper and at what was moved; move it back where either is not what was proved."""
        doubt = _keeper_doubt(ground, act.facts.get("keeper")) or _moved_doubt(kind, act.facts, moved, read=read)
        if doubt is None:
            return Ended(JournalPhase.DONE, facts={"token": moved.change_token}, held=(held_file(ground, act, moved),))
        return self._moved_back(ground, act, kind, moved, doubt)

    def _moved_back(
        self, ground: Ground, act: Act, kind: LocationKind, moved: ObjectStat, doubt: tuple[str, str]
    ) -> Ended:
        facts = act.facts
        try:
            ground.touch(act, "move-back", lambda: kind.move(facts["quarantine_path"], facts["path"], expected=moved))
        except ObjectExistsError:
            return Ended(
                JournalPhase.DONE,
                NOT_MOVED_BACK,
                f"{doubt[1]} It could not be moved back, for something else has its name now; it is in quarantine.",
                facts={"token": moved.change_token},
                held=(held_file(ground, act, moved),),
            )
        if doubt[0] != SkipCode.VICTIM_CHANGED:
            # One that changed keeps the time of its change: with the old one it would look as if it had not.
            times_back(ground, act, kind, facts["path"], facts["state"])
        return skipped(*doubt)

    def _both(self, ground: Ground, act: Act, kind: LocationKind, here: ObjectStat, there: ObjectStat) -> Ended:
        """Half done: make it as it was by removing our copy, once the file at its place is proved to be the one."""
        facts = act.facts
        if not _are_two(kind, facts, here, there):
            return failed("two_names", "It and what lies in quarantine are one file under two names; nothing was done.")
        if digest_of(kind, facts["quarantine_path"], there) != facts["digest"]:
            return failed("quarantine_taken", f"{_IN_QUARANTINE}; nothing was done, and it stays there.")
        if digest_of(kind, facts["path"], here) != facts["digest"]:
            # Something new has its name since it was moved.
            doubt = _keeper_doubt(ground, facts.get("keeper"))
            code, message = (NOT_MOVED_BACK, doubt[1]) if doubt else ("", "Something else has its old name now.")
            return Ended(
                JournalPhase.DONE,
                code,
                message,
                facts={"token": there.change_token},
                held=(held_file(ground, act, there),),
            )
        ground.touch(act, "remove-copy", lambda: kind.remove(facts["quarantine_path"], expected=there))
        return not_done()


def held_file(ground: Ground, act: Act, moved: ObjectStat) -> QuarantinedFile:
    """What the ledger keeps of a file in quarantine."""
    facts, keeper = act.facts, act.facts.get("keeper") or {}
    now, days = ground.now(), ground.options.quarantine_days
    return QuarantinedFile(
        item_id=facts["item_id"],
        application_id=ground.application_id,
        step=act.step,
        location_id=facts["location_id"],
        path=facts["path"],
        quarantine_path=facts["quarantine_path"],
        digest=facts["digest"],
        size_bytes=moved.size_bytes,
        token=moved.change_token,
        keeper_location_id=keeper.get("location_id"),
        keeper_path=keeper.get("path"),
        keeper_digest=keeper.get("digest"),
        keeper_token=keeper.get("state", {}).get("token"),
        kept={**_kept(ground, act, moved), **({"rewritten": True} if facts.get("rewritten") else {})},
        state=QuarantineState.HELD,
        moved_at=now,
        expires_at=now + timedelta(days=days) if days else None,
    )


def _kept(ground: Ground, act: Act, moved: ObjectStat) -> Mapping[str, Any]:
    """What the file had beside its bytes; after a crash, what it has in quarantine, where it went along."""
    if act.beside is not None:
        return act.beside
    kind = kind_at(ground, act.facts["location_id"])
    found = about_facts(kind, act.facts["quarantine_path"], moved)
    return {**found, "modified_at": act.facts["state"].get("modified_at")}


def _missing(ground: Ground, act: Act) -> Ended:
    """Neither here nor there: a disk that is not plugged in, or somebody took it.

    It stays on the books: undoing looks for it again, and so does restoring it.
    """
    item = held_file(ground, act, state_of(act.facts["state"]))
    return Ended(
        JournalPhase.DONE,
        MISSING,
        "It is neither at its place nor in quarantine: its disk or share may be away, or something else took it.",
        held=(replace(item, state=QuarantineState.MISSING),),
    )


def _keeper_doubt(ground: Ground, keeper: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """What is wrong with the keeper now that its copy was moved; None where nothing is."""
    if keeper is None:
        return None
    kind = ground.kinds.get(keeper["location_id"])
    try:
        if kind is None:
            raise LocationUnavailableError(keeper["location_id"], "It is not open any more.")
        now = kind.stat(keeper["path"])
        if same_state(now, state_of(keeper["state"])) or digest_of(kind, keeper["path"], now) == keeper["digest"]:
            return None
    except ObjectGoneError:
        return SkipCode.SAME_FILE, "Its keeper vanished with it: they were one file under two names."
    except (ObjectError, LocationError) as error:
        return SkipCode.KEEPER_GONE, f"Its keeper could not be looked at after it was moved: {error}"
    return SkipCode.KEEPER_CHANGED, "Its keeper changed while it was moved."


def _moved_doubt(
    kind: LocationKind, facts: Mapping[str, Any], moved: ObjectStat, *, read: bool
) -> tuple[str, str] | None:
    """Whether what was moved is what was proved; `read` tells it for certain."""
    before = state_of(facts["state"])
    changed = SkipCode.VICTIM_CHANGED, "It changed just before it was moved."
    if moved.size_bytes != before.size_bytes:
        return changed
    if kind.keeps_times_on_move and moved.modified_at != before.modified_at:
        read = True
    if read and digest_of(kind, facts["quarantine_path"], moved) != facts["digest"]:
        return changed
    return None


def _tells_enough(kind: LocationKind, facts: Mapping[str, Any], moved: ObjectStat) -> bool:
    """Whether the states before and after the move tell that no byte changed in between."""
    before = state_of(facts["state"])
    if kind.proves_by_token:
        return True  # the move was of the very version that was proved
    if str(facts["state"]["token"]).endswith(UNSETTLED):
        return False  # of a file that was written a moment before, its time tells no other writing
    return kind.keeps_times_on_move and before.modified_at is not None and moved.modified_at == before.modified_at


def _are_two(kind: LocationKind, facts: Mapping[str, Any], here: ObjectStat, there: ObjectStat) -> bool:
    """Whether removing one of the two names leaves the other one: two files, or two links that the file knows of."""
    try:
        one = kind.identity(facts["path"]) == kind.identity(facts["quarantine_path"])
    except ObjectError:
        return False
    return not one or (here.link_count > 1 and there.link_count > 1)
