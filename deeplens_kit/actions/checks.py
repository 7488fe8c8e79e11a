"""What is looked at before a step acts, at the moment when it acts.

Takes a step, gives what was proved of its files; must not change anything. Whatever speaks against the step is a Doubt,
with a stable code: the step is skipped.
"""

from __future__ import annotations

import stat
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from deeplens_kit.actions.act_values import ActStep, Doubt, FileAt, SkipCode
from deeplens_kit.actions.ground import Ground
from deeplens_kit.actions.proof import Proof, is_free, prove
from deeplens_kit.actions.reference_links import SAYS
from deeplens_kit.errors import (
    LocationUnavailableError,
    ObjectChangedError,
    ObjectError,
    ObjectGoneError,
)
from deeplens_kit.schemas import ActionKind, Tier
from deeplens_kit.storage import LocationKind
from deeplens_kit.storage.listing import settled
from deeplens_kit.storage.paths import decode_path, encode_path

__all__ = ["LINKING", "REMOVING", "Checked", "check_step", "names_of"]

LINKING = (ActionKind.HARDLINK, ActionKind.SYMLINK, ActionKind.REFLINK)
_ON_THIS_MACHINE = "file://"
"""Begins the URL of a location whose files a symbolic link can lead to from another one."""

REMOVING = (ActionKind.REMOVE, *LINKING, ActionKind.REDIRECT)
"""Actions that take a file away because its keeper stays."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was proved of the files of a step.

    Attributes:
        victim: Of the file that is acted on; None where it is not touched.
        keeper: Of the file that stays; None where the step needs none.
    """

    victim: Proof | None
    keeper: Proof | None

    @property
    def read_bytes(self) -> int:
        """Bytes that were read."""
        return sum(proof.read_bytes for proof in (self.victim, self.keeper) if proof is not None)


def names_of(ground: Ground, files: Collection[FileAt]) -> frozenset[str]:
    """Files by names that are the same whatever location leads to them."""
    places = {location_id: kind.place for location_id, kind in ground.kinds.items()}
    return frozenset(places[file.location_id] + file.path for file in files if file.location_id in places)


def check_step(ground: Ground, step: ActStep, acted_on: Collection[str]) -> Checked:
    """Look at everything that may speak against a step.

    Args:
        ground: What it stands on.
        step: The step.
        acted_on: `names_of` all files that are taken away, moved or rewritten by the same plan.

    Raises:
        Doubt: The step is skipped.
        LocationUnavailableError: A storage cannot be reached.
    """
    kind = _opened(ground, step)
    _permit(ground, step)
    if step.action is ActionKind.CREATE:
        return Checked(None, None)
    if step.action is ActionKind.RELINK:
        _check_link(kind, step)
        return Checked(None, None)
    keeper = None
    if step.keeper is not None:
        keeper = _checked_keeper(ground, step, step.keeper, kind, acted_on)
    elif step.action in REMOVING:
        raise Doubt(SkipCode.NO_KEEPER, "No copy of it stays; the last copy of a picture is never removed.")
    victim = _checked_victim(ground, step, kind)
    if step.tier == Tier.BYTES and keeper is not None and keeper.digest != victim.digest:
        raise Doubt(SkipCode.KEEPER_OTHER, "It and its keeper do not hold the same bytes.")
    if step.action in LINKING and step.keeper is not None:
        _require_as_readable(kind, step.victim.path, ground.kinds[step.keeper.location_id], step.keeper.path)
    return Checked(victim, keeper)


def _opened(ground: Ground, step: ActStep) -> LocationKind:
    """The location that is changed."""
    changed = step.target if step.action is ActionKind.CREATE else step.victim
    if changed is None:
        raise Doubt(SkipCode.CANNOT, "The step does not say where the new file goes.")
    kind = ground.kinds.get(changed.location_id)
    if kind is None:
        raise Doubt(SkipCode.NO_LOCATION, "Its location is left out, or cannot be opened.")
    allowed = kind.may_create if step.action is ActionKind.CREATE else kind.may_change
    if not allowed:
        if not kind.takes_writing:
            raise Doubt(SkipCode.NOT_OPENED, f"Location {kind.name!r} is of a kind that can only be read.")
        wanted = "create" if step.action is ActionKind.CREATE else "change"
        raise Doubt(
            SkipCode.NOT_OPENED,
            f"Location {kind.name!r} is not opened for that; `deeplens locations set {kind.name} --option "
            f"permissions={wanted}` opens it.",
        )
    if step.action is ActionKind.MOVE:
        target = step.target and ground.kinds.get(step.target.location_id)
        if not target:
            raise Doubt(SkipCode.NO_LOCATION, "The location that it goes to is left out, or cannot be opened.")
        if not target.may_create:
            raise Doubt(SkipCode.NOT_OPENED, f"Location {target.name!r} takes no new files.")
    if step.target is not None and not is_free(ground.kinds[step.target.location_id], step.target.path):
        # Where locations overlap or are one under two addresses it may be the very file.
        raise Doubt(SkipCode.TAKEN, "Something else has the name that it was to get.")
    return kind


def _permit(ground: Ground, step: ActStep) -> None:
    if step.tier is None and step.action in REMOVING:
        raise Doubt(SkipCode.TIER, "It rests on no evidence, and no file is taken away without any.")
    if step.tier is not None and (step.tier == Tier.SCENE or step.tier not in ground.options.tiers):
        allowed = ", ".join(ground.options.tiers)
        raise Doubt(SkipCode.TIER, f"Files are not acted on by evidence of tier {step.tier!r}; allowed is {allowed}.")
    if (why := ground.protected(step.victim, step.victim_digest)) is not None:
        raise Doubt(SkipCode.PROTECTED, why)
    if step.action in LINKING:
        _permit_link(ground, step)


def _permit_link(ground: Ground, step: ActStep) -> None:
    kind = ground.kinds[step.victim.location_id]
    if step.keeper is None:
        raise Doubt(SkipCode.NO_KEEPER, "There is nothing that the link could lead to.")
    if str(step.action) not in kind.can_link:
        raise Doubt(SkipCode.CANNOT, f"Location {kind.name!r} cannot hold a {step.action} to another file.")
    if step.keeper.location_id == step.victim.location_id:
        return
    keeper = ground.kinds.get(step.keeper.location_id)
    if step.action is not ActionKind.SYMLINK or keeper is None or not keeper.url.startswith(_ON_THIS_MACHINE):
        raise Doubt(SkipCode.CANNOT, f"A {step.action} cannot lead to a file of another location.")


def _require_as_readable(kind: LocationKind, path: str, other: LocationKind, keeper: str) -> None:
    """Who could read the file must be able to read what stands under its name then, which has the keeper's rights."""
    try:
        mine, its = kind.about(path), other.about(keeper)
    except ObjectError:
        return  # nobody can tell
    if mine.mode is None or its.mode is None or its.mode & stat.S_IROTH:
        return
    (user, group), (its_user, its_group) = ((facts.owner or "").partition(":")[::2] for facts in (mine, its))
    shut_out = [
        mine.mode & stat.S_IROTH,
        mine.mode & stat.S_IRGRP and not (its.mode & stat.S_IRGRP and group == its_group),
        mine.mode & stat.S_IRUSR and not (its.mode & stat.S_IRUSR and user == its_user),
    ]
    if any(shut_out):
        raise Doubt(
            SkipCode.KEEPER_LESS_READABLE,
            f"Fewer people may read its keeper ({its.mode:o}, {its.owner}) than it ({mine.mode:o}, {mine.owner}), "
            "and a link has the keeper's rights. Give the keeper the rights of the copy, or choose another action.",
        )


def _checked_keeper(
    ground: Ground, step: ActStep, keeper: FileAt, kind: LocationKind, acted_on: Collection[str]
) -> Proof:
    other = ground.kinds.get(keeper.location_id)
    if other is None:
        raise Doubt(SkipCode.NO_LOCATION, "The location of its keeper is left out, or cannot be opened.")
    if _one_file(step, kind, other, keeper):
        raise Doubt(SkipCode.SAME_FILE, "It and its keeper are one file under two names.")
    if _name(other, keeper.path) in acted_on:
        raise Doubt(SkipCode.KEEPER_ACTED_ON, "Its keeper is acted on by another step of the plan.")
    if step.keeper_digest is None:
        raise Doubt(SkipCode.KEEPER_OTHER, "Nobody knows what its keeper holds.")
    try:
        found = prove(
            other,
            keeper.path,
            digest=step.keeper_digest,
            basis=step.keeper_basis,
            token=step.keeper_token,
            how=ground.options.proof,
        )
    except ObjectGoneError as error:
        raise Doubt(SkipCode.KEEPER_GONE, "Its keeper is no longer there.") from error
    except ObjectChangedError as error:
        raise Doubt(SkipCode.KEEPER_CHANGED, "Its keeper changed while it was read.") from error
    except ObjectError as error:
        raise Doubt(SkipCode.UNREADABLE, f"Its keeper cannot be read: {error}") from error
    if found.digest != step.keeper_digest:
        raise Doubt(SkipCode.KEEPER_OTHER, "Its keeper holds something else than when the plan was made.")
    return found


def _checked_victim(ground: Ground, step: ActStep, kind: LocationKind) -> Proof:
    path = step.victim.path
    try:
        if settled(kind.stat(path).change_token) != settled(step.victim_token):
            raise Doubt(SkipCode.VICTIM_CHANGED, "It changed since the plan was made.")
        found = prove(
            kind,
            path,
            digest=step.victim_digest,
            basis=step.victim_basis,
            token=step.victim_token,
            how=ground.options.proof,
        )
    except ObjectGoneError as error:
        raise Doubt(SkipCode.VICTIM_GONE, "It is no longer there.") from error
    except ObjectChangedError as error:
        raise Doubt(SkipCode.VICTIM_CHANGED, "It changed while it was read.") from error
    except ObjectError as error:
        raise Doubt(SkipCode.UNREADABLE, f"It cannot be read: {error}") from error
    if step.victim_digest is not None and found.digest != step.victim_digest:
        raise Doubt(SkipCode.VICTIM_OTHER, "It holds something else than when the plan was made.")
    if step.victim_digest is None and (why := ground.protected(step.victim, found.digest)) is not None:
        raise Doubt(SkipCode.PROTECTED, why)
    return found


def _check_link(kind: LocationKind, step: ActStep) -> None:
    says = kind.link_target(step.victim.path)
    if says is None:
        raise Doubt(SkipCode.VICTIM_GONE, "There is no symbolic link of that name any more.")
    if step.victim_token != SAYS + encode_path(says):
        raise Doubt(SkipCode.VICTIM_CHANGED, "The link leads elsewhere than when the plan was made.")


def _one_file(step: ActStep, kind: LocationKind, other: LocationKind, keeper: FileAt) -> bool:
    """Whether victim and keeper may be one file under two names."""
    if _name(kind, step.victim.path) == _name(other, keeper.path):
        return True
    try:
        mine, its = kind.stat(step.victim.path), other.stat(keeper.path)
        if mine.link_id is not None and mine.link_id == its.link_id:
            return True
        if kind.identity(step.victim.path) == other.identity(keeper.path):
            return True
    except (ObjectError, LocationUnavailableError):
        return False  # told of by what comes next
    if mine.link_id is not None and its.link_id is not None:
        if mine.link_id.partition(":")[0] == its.link_id.partition(":")[0]:
            return False  # of one device, with two numbers
        # One storage that is mounted twice may show as two devices; its files have the same numbers and times.
        return settled(mine.change_token) == settled(its.change_token)
    if kind.proves_by_token and other.proves_by_token:
        return False  # object stores tell names apart by every letter
    return _folded(_name(kind, step.victim.path)) == _folded(_name(other, keeper.path))


def _name(kind: LocationKind, path: str) -> str:
    return kind.place + path


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", decode_path(name)).casefold())
