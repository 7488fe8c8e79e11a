"""From a step and what was proved of its files to the operations that it is made of.

Takes the step, gives an act with the facts that it takes to do, finish or undo it; must not touch a storage but to ask.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from deeplens_kit.actions.act_values import ActStep, Doubt, FileAt, SkipCode
from deeplens_kit.actions.checks import Checked
from deeplens_kit.actions.ground import Act, Ground
from deeplens_kit.actions.operations.base import about_facts, kind_at, state_facts
from deeplens_kit.actions.proof import Proof, is_free
from deeplens_kit.actions.reference_links import SAYS
from deeplens_kit.storage.facts import QUARANTINE_FOLDER
from deeplens_kit.storage.paths import decode_path, display_path

__all__ = ["act_of", "quarantine_path"]

_MAKING = ("create", "place")
"""Operations that make something under a name that must be free."""

_LONGEST_PATH_BYTES = 800
"""Of a path in quarantine, inclusive; object stores take 1,024 with the prefix of a location."""


def act_of(ground: Ground, step: ActStep, checked: Checked, operation: str, done: Sequence[Act]) -> Act:
    """The next operation of a step.

    Args:
        ground: What it stands on.
        step: The step.
        checked: What was proved.
        operation: Its name.
        done: Those of the step that are done.

    Raises:
        Doubt: It cannot be done.
        LocationUnavailableError: A storage cannot be reached.
    """
    if operation in _MAKING:
        _require_free(ground, _made_at(step, operation))
    match operation:
        case "quarantine":
            facts = _quarantine(ground, step, checked, done)
            return Act(step.step, operation, facts, beside=_beside(ground, step, checked))
        case "place":
            return Act(step.step, operation, _place(ground, step, checked))
        case "create":
            return _create(ground, step, checked)
        case "relink":
            return Act(step.step, operation, _relink(ground, step))
        case "set_class":
            return Act(step.step, operation, _set_class(step, checked))
        case "keep_copy":
            facts = _quarantine(ground, step, checked, done)
            beside = _beside(ground, step, checked)
            return Act(step.step, operation, {**facts, "keeper": None, "rewritten": True}, beside=beside)
        case _:
            return _replace(ground, step, checked, done)


def _made_at(step: ActStep, operation: str) -> FileAt | None:
    return step.victim if operation == "place" else step.target


def _require_free(ground: Ground, file: FileAt | None) -> None:
    """Look before it begins: what has the name now is not ours, and what a crash leaves there then is."""
    if file is not None and not is_free(kind_at(ground, file.location_id), file.path):
        raise Doubt(SkipCode.TAKEN, "Something else has the name that it was to get.")


def quarantine_path(application_id: str, path: str, item_id: str) -> str:
    """Where a file goes: its own path beneath a folder of the application, or a short name where that is too long."""
    full = f"{QUARANTINE_FOLDER}/{application_id}/{path}"
    if len(decode_path(full).encode("utf-8", "surrogateescape")) <= _LONGEST_PATH_BYTES:
        return full
    return f"{QUARANTINE_FOLDER}/{application_id}/long-paths/{item_id}"


def _quarantine(ground: Ground, step: ActStep, checked: Checked, done: Sequence[Act]) -> dict[str, Any]:
    victim, item_id = _victim(checked), secrets.token_hex(8)
    return {
        "location_id": step.victim.location_id,
        "path": step.victim.path,
        "quarantine_path": quarantine_path(ground.application_id, step.victim.path, item_id),
        "item_id": item_id,
        "digest": victim.digest,
        "proved_by": victim.by,
        "state": state_facts(victim.state),
        "keeper": _keeper(step, checked, done),
    }


def _keeper(step: ActStep, checked: Checked, done: Sequence[Act]) -> dict[str, Any] | None:
    """What is looked at again after the move: the copy that was made, or the keeper."""
    if done and done[-1].operation == "create":
        made = done[-1].facts
        return {name: made[name] for name in ("location_id", "path", "digest", "state")} | {"proved_by": "read"}
    if checked.keeper is None or step.keeper is None:
        return None
    return {
        "location_id": step.keeper.location_id,
        "path": step.keeper.path,
        "digest": checked.keeper.digest,
        "state": state_facts(checked.keeper.state),
        "proved_by": checked.keeper.by,
    }


def _place(ground: Ground, step: ActStep, checked: Checked) -> dict[str, Any]:
    if step.keeper is None or checked.keeper is None:
        raise Doubt(SkipCode.NO_KEEPER, "There is nothing that could be put in its place.")
    facts = {
        "how": str(step.action),
        "location_id": step.victim.location_id,
        "path": step.victim.path,
        "keeper_location_id": step.keeper.location_id,
        "keeper_path": step.keeper.path,
        "keeper_state": state_facts(checked.keeper.state),
        "keeper_digest": checked.keeper.digest,
    }
    if step.keeper.location_id != step.victim.location_id and step.action != "redirect":
        facts["keeper_file"] = kind_at(ground, step.keeper.location_id).place + step.keeper.path
    if step.action == "redirect":
        facts["text"] = _redirect_text(ground, step.keeper, checked.keeper)
    return facts


def _redirect_text(ground: Ground, keeper: FileAt, proof: Proof) -> str:
    kind = kind_at(ground, keeper.location_id)
    return (
        "This picture was removed by DeepLens because a copy of it is kept.\n"
        f"Location: {kind.name}\nAddress: {kind.url}\nPath: {display_path(keeper.path)}\nSHA-256: {proof.digest}\n"
    )


def _create(ground: Ground, step: ActStep, checked: Checked) -> Act:
    if step.target is None:
        raise Doubt(SkipCode.CANNOT, "The step does not say where the new file goes.")
    facts: dict[str, Any] = {"location_id": step.target.location_id, "path": step.target.path}
    if (folder := kind_at(ground, step.target.location_id).missing_folder(step.target.path)) is not None:
        facts["made_folder"] = folder  # which taking it back removes again
    if checked.victim is None:
        data = ground.content(step)
        if data is None:
            raise Doubt(SkipCode.NO_CONTENT, "Nobody says what the new file holds.")
        return Act(step.step, "create", {**facts, "digest": hashlib.sha256(data).hexdigest()}, data)
    source = {"location_id": step.victim.location_id, "path": step.victim.path}
    source_facts: Mapping[str, Any] = {**source, "state": state_facts(checked.victim.state)}
    return Act(step.step, "create", {**facts, "digest": checked.victim.digest, "source": source_facts})


def _relink(ground: Ground, step: ActStep) -> dict[str, Any]:
    data = ground.content(step)
    if data is None:
        raise Doubt(SkipCode.NO_CONTENT, "Nobody says where the link is to lead.")
    return {
        "location_id": step.victim.location_id,
        "path": step.victim.path,
        "before": step.victim_token.removeprefix(SAYS),
        "after": data.decode(),
    }


def _set_class(step: ActStep, checked: Checked) -> dict[str, Any]:
    victim = _victim(checked)
    if step.storage_class is None:
        raise Doubt(SkipCode.CANNOT, "The step does not say which storage class it is to have.")
    return {
        "location_id": step.victim.location_id,
        "path": step.victim.path,
        "state": state_facts(victim.state),
        "before": victim.state.storage_class,
        "after": step.storage_class,
        "digest": victim.digest,
    }


def _replace(ground: Ground, step: ActStep, checked: Checked, done: Sequence[Act]) -> Act:
    victim, data = _victim(checked), ground.content(step)
    if data is None:
        raise Doubt(SkipCode.NO_CONTENT, "Nobody says what it is to hold.")
    facts = {
        "location_id": step.victim.location_id,
        "path": step.victim.path,
        "quarantine_path": done[-1].facts["quarantine_path"],
        "state": state_facts(victim.state),
        "digest": victim.digest,
        "new_digest": hashlib.sha256(data).hexdigest(),
    }
    return Act(step.step, "replace", facts, data)


def _victim(checked: Checked) -> Proof:
    if checked.victim is None:
        raise Doubt(SkipCode.CANNOT, "The step names no file to act on.")
    return checked.victim


def _beside(ground: Ground, step: ActStep, checked: Checked) -> dict[str, Any]:
    return about_facts(kind_at(ground, step.victim.location_id), step.victim.path, _victim(checked).state)
