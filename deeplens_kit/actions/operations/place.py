"""Putting something in the place of a file that was moved away: a link to its keeper, or a small file that names it.

Takes the keeper as it was proved and a free name; must not replace anything. Taking it back never removes the last copy
of what the keeper held.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from deeplens_kit.actions.act_values import SkipCode
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.operations.base import failed, kind_at, not_done, put_aside, skipped, state_of
from deeplens_kit.actions.proof import digest_of, is_free, stat_or_none
from deeplens_kit.errors import ObjectChangedError, ObjectError, ObjectGoneError
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import LocationKind, ObjectStat
from deeplens_kit.storage.facts import LinkForm
from deeplens_kit.storage.paths import decode_path, display_path

__all__ = ["PlaceOperation"]

_ONLY = "It is the only copy of what the keeper held, and stays."
_DONE = Ended(JournalPhase.DONE)
_GONE = skipped("in_place", "What was put there is gone; nothing was left to do.")


class PlaceOperation:
    """Facts: how, location_id, path, keeper_path, keeper_state, keeper_digest; of a redirect its text.

    A symbolic link to a file of another location has `keeper_file`, its absolute path, encoded.
    """

    name = "place"

    def perform(self, ground: Ground, act: Act) -> Ended:
        """Make the link or the small file."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        if facts["how"] == ActionKind.REDIRECT:
            ground.touch(act, "create", lambda: kind.create(facts["path"], facts["text"].encode()))
            return _DONE
        if "keeper_file" in facts:
            ground.touch(act, "link", lambda: kind.link_to(Path(decode_path(facts["keeper_file"])), facts["path"]))
            return _DONE
        how, keeper = LinkForm(facts["how"]), state_of(facts["keeper_state"])
        ground.touch(act, "link", lambda: kind.link(facts["keeper_path"], facts["path"], how, expected=keeper))
        return _DONE

    def settle(self, ground: Ground, act: Act) -> Ended:
        """See what has the name: nothing, what was to be put there, or something else."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        if facts["how"] == ActionKind.SYMLINK:
            # No storage tells where a symbolic link leads; one that leads to the keeper can be removed and made anew.
            return self._unlinked(ground, act, kind) or not_done()
        here = stat_or_none(kind, facts["path"])
        if here is None:
            return not_done()
        return _DONE if self._is_ours(kind, act, here) else failed(SkipCode.TAKEN, "Something else has its name now.")

    def hinders(self, ground: Ground, act: Act) -> Ended | None:
        """Whether what stands there is what was put there, and not the last copy."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        if facts["how"] == ActionKind.SYMLINK:
            return None
        here = stat_or_none(kind, facts["path"])
        return _GONE if here is None else self._hindered(kind, act, here)

    def _hindered(self, kind: LocationKind, act: Act, here: ObjectStat) -> Ended | None:
        """Why what stands there in a state must stay."""
        facts = act.facts
        if not self._is_ours(kind, act, here):
            return skipped(SkipCode.TAKEN, "Something else has its name now, or it was changed; it stays.")
        # A share (SMB) does not count names; there that the keeper is the same file is what tells.
        if facts["how"] == ActionKind.HARDLINK and here.link_count < 2 and not kind.over_network:
            return skipped("only_copy", _ONLY)
        if facts["how"] == ActionKind.REFLINK:
            keeper = stat_or_none(kind, facts["keeper_path"])
            if keeper is None or digest_of(kind, facts["keeper_path"], keeper) != facts["keeper_digest"]:
                return skipped("only_copy", _ONLY)
        return None

    def take_back(self, ground: Ground, act: Act) -> Ended:
        """Remove it; `hinders` has looked."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        if facts["how"] == ActionKind.SYMLINK:
            return self._unlinked(ground, act, kind) or _DONE
        here = kind.stat(facts["path"])
        # Once more, of the very state that is removed: somebody may have saved something there meanwhile.
        if (hindered := self._hindered(kind, act, here)) is not None:
            return hindered
        if facts["how"] == ActionKind.REDIRECT:
            # Not every storage removes only what it compared: what is caught is looked at before it goes.
            aside = put_aside(ground, act)
            ground.touch(act, "move-aside", lambda: kind.move(facts["path"], aside, expected=here))
            return self._ended_aside(ground, act, kind)
        ground.touch(act, "remove", lambda: kind.remove(facts["path"], expected=here))
        return _DONE

    def settle_back(self, ground: Ground, act: Act) -> Ended:
        """Nothing has the name, or it is still there."""
        facts = act.facts
        kind = kind_at(ground, facts["location_id"])
        if facts["how"] == ActionKind.REDIRECT and stat_or_none(kind, put_aside(ground, act)) is not None:
            return self._ended_aside(ground, act, kind)
        try:
            kind.stat(facts["path"])
        except ObjectGoneError:
            return _DONE
        except ObjectError:
            pass  # a symbolic link has no state
        return not_done()

    def _ended_aside(self, ground: Ground, act: Act, kind: LocationKind) -> Ended:
        """Remove a small file that was put aside; another one gets its name back."""
        path, aside = act.facts["path"], put_aside(ground, act)
        there = kind.stat(aside)
        if digest_of(kind, aside, there) == _digest(act):
            ground.touch(act, "remove", lambda: kind.remove(aside, expected=there))
            # A kill of a copy and a removal leaves it at both.
            return _DONE if is_free(kind, path) else not_done()
        if not is_free(kind, path):
            return failed(
                SkipCode.TAKEN, f"Another file was caught and lies at {display_path(aside)!r}; it stays there."
            )
        ground.touch(act, "move-back", lambda: kind.move(aside, path, expected=there))
        return skipped(SkipCode.TAKEN, "It was changed since it was made; it stays.")

    def _unlinked(self, ground: Ground, act: Act, kind: LocationKind) -> Ended | None:
        """Remove a symbolic link that leads to the keeper; None where it is gone."""
        facts = act.facts
        try:
            leads_to = facts.get("keeper_file", facts["keeper_path"])
            ground.touch(act, "remove-link", lambda: kind.remove_link(facts["path"], leads_to))
        except ObjectGoneError:
            return None
        except ObjectChangedError:
            return failed(SkipCode.TAKEN, "Something else has its name now; it stays.")
        return None

    def _is_ours(self, kind: LocationKind, act: Act, here: ObjectStat) -> bool:
        facts = act.facts
        if facts["how"] == ActionKind.HARDLINK:
            try:
                return kind.identity(facts["path"]) == kind.identity(facts["keeper_path"])
            except ObjectGoneError:
                return False
        wanted: str = facts["keeper_digest"]
        if facts["how"] == ActionKind.REDIRECT:
            wanted = _digest(act)
        return digest_of(kind, facts["path"], here) == wanted


def _digest(act: Act) -> str:
    """Of the small file."""
    return hashlib.sha256(act.facts["text"].encode()).hexdigest()
