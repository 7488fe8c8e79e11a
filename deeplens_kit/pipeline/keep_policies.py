"""The keep policies of a workspace: those that every workspace has, those that somebody wrote, and the one in use.

Takes an open workspace and a name or a file, gives the policy; writes a policy into the workspace's folder and its name
into `workspace.toml`, and nothing else. Must not group: `findings` does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import BUILT_IN_POLICIES, KeepPolicy, policy_from_json
from deeplens_kit.search.cache_files import write_bytes
from deeplens_kit.settings import PolicySettings, save_choice
from deeplens_kit.storage.globs import path_matcher

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workspace import Workspace

__all__ = [
    "POLICIES_FOLDER",
    "check_policy",
    "check_policy_file",
    "chosen_policy",
    "known_policies",
    "policy_named",
    "read_policy",
    "use_policy",
]

POLICIES_FOLDER = "policies"
"""Of a workspace: a file NAME.json for each policy that somebody put there; it lies beside `workspace.toml`."""

_ENDING = ".json"
_MOST_BYTES = 2**20


def chosen_policy(workspace: Workspace, given: KeepPolicy | str | Path | None = None) -> KeepPolicy:
    """The policy that is meant: by itself, by its name, by a file, or by saying nothing the one in use.

    Args:
        workspace: An open workspace.
        given: A policy, the name of one of `known_policies`, or a JSON file.

    Raises:
        SettingsError: It cannot be read, or says what is not allowed; UnknownNameError where there is none of the name.
    """
    if isinstance(given, KeepPolicy):
        check_policy(workspace, given)
        return given
    named = workspace.chosen().policy.keep if given is None else str(given)
    if isinstance(given, Path) or (given is not None and _is_file(workspace, named)):
        policy = read_policy(Path(named))
    elif named in BUILT_IN_POLICIES:
        policy = BUILT_IN_POLICIES[named]
    else:
        file = _folder(workspace) / f"{named}{_ENDING}"
        if named != Path(named).name or not file.is_file():
            known = [*BUILT_IN_POLICIES, *(name for name, _ in _own_files(workspace))]
            raise UnknownNameError("keep policy", named, known)
        policy = read_policy(file)
    check_policy(workspace, policy)
    return policy


def known_policies(workspace: Workspace) -> Mapping[str, KeepPolicy]:
    """The policies of a workspace by name: those that all have, then its own.

    Raises:
        SettingsError: A file in its folder of policies cannot be read, or says what is not allowed.
    """
    return {**BUILT_IN_POLICIES, **{name: read_policy(file) for name, file in _own_files(workspace)}}


def policy_named(workspace: Workspace, name: str) -> KeepPolicy:
    """The policy of a name, and never a file: that is for those who sit at the machine, not for who asks a server.

    Raises:
        UnknownNameError: The workspace has none of the name.
        SettingsError: As `known_policies`.
    """
    known = known_policies(workspace)
    if name not in known:
        raise UnknownNameError("keep policy", name, known)
    return known[name]


def read_policy(file: Path) -> KeepPolicy:
    """Read a policy.

    Args:
        file: A JSON file in UTF-8, as `KeepPolicy.to_json` has it.

    Raises:
        SettingsError: It cannot be read, is not JSON, or says what is not allowed.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{str(file)!r} is no keep policy: it is larger than 1 MB.")
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"There is no keep policy {str(file)!r}; `deeplens policy show default` prints one to begin with."
        ) from error
    except OSError as error:
        raise SettingsError(f"Cannot read the keep policy {str(file)!r}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{str(file)!r} is not valid JSON: {error}; mend the file.") from error
    try:
        return policy_from_json(document)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error.kind} in {str(file)!r}", error.name, error.known) from error
    except SettingsError as error:
        raise SettingsError(f"In {str(file)!r}: {error}") from error


def check_policy(workspace: Workspace, policy: KeepPolicy) -> None:
    """Refuse a policy that names what the workspace has not: a place that is misspelt would be protected by nothing.

    Raises:
        UnknownNameError: It protects a location that there is none of.
        SettingsError: A glob cannot be read.
    """
    if policy.protected_locations:
        known = [item.name for item in workspace.ledger.locations(inactive=True)]
        for name in policy.protected_locations:
            if name not in known:
                raise UnknownNameError(f"location for the keep policy {policy.name!r}", name, known)
    for option in ("protected_paths", "preferred_paths", "avoided_paths"):
        path_matcher(option, getattr(policy, option))


def check_policy_file(workspace: Workspace, file: Path) -> KeepPolicy:
    """The policy of a file, where `use_policy` would take it.

    Raises:
        SettingsError: As `use_policy`.
    """
    policy = read_policy(file)
    check_policy(workspace, policy)
    if BUILT_IN_POLICIES.get(policy.name) != policy:
        _require_name(policy)
    return policy


def use_policy(workspace: Workspace, given: str | Path) -> KeepPolicy:
    """Use a policy from now on; one of a file is copied into the workspace first, so that later edits do not count.

    Args:
        workspace: An open workspace, which follows, and so does whoever else has it open.
        given: As for `chosen_policy`.

    Raises:
        SettingsError: As `chosen_policy`; or a policy of a file is named like one that every workspace has, or cannot
            be the name of a file.
    """
    policy = chosen_policy(workspace, given)
    if BUILT_IN_POLICIES.get(policy.name) != policy:
        _require_name(policy)
        folder = _folder(workspace)
        content = json.dumps(policy.to_json(), ensure_ascii=False, indent=2) + "\n"
        try:
            folder.mkdir(exist_ok=True)
            write_bytes(folder / f"{policy.name}{_ENDING}", content.encode())
        except OSError as error:
            raise SettingsError(f"Cannot write into {str(folder)!r}: {error.strerror or error}.") from error
    save_choice(workspace.directory, "policy", "keep", policy.name)
    workspace.settings = replace(workspace.settings, policy=PolicySettings(policy.name))
    return policy


def _require_name(policy: KeepPolicy) -> None:
    if policy.name in BUILT_IN_POLICIES:
        raise SettingsError(f"Every workspace has a policy named {policy.name!r}; give yours another name.")
    if policy.name != Path(policy.name).name or policy.name.startswith("."):
        raise SettingsError(f"{policy.name!r} cannot name a file; give the policy a name without '/'.")


def _folder(workspace: Workspace) -> Path:
    return workspace.directory / POLICIES_FOLDER


def _own_files(workspace: Workspace) -> list[tuple[str, Path]]:
    files = {file.name.removesuffix(_ENDING): file for file in sorted(_folder(workspace).glob(f"*{_ENDING}"))}
    # A name that every workspace has means the same in all of them.
    return [(name, file) for name, file in files.items() if name[0] != "." and name not in BUILT_IN_POLICIES]


def _is_file(workspace: Workspace, named: str) -> bool:
    """Whether a text means a file, and no policy of the workspace: it has a slash, ends as they do, or lies there."""
    if named in BUILT_IN_POLICIES or (_folder(workspace) / f"{named}{_ENDING}").is_file():
        return False
    return "/" in named or named.endswith(_ENDING) or Path(named).is_file()
