"""The file that names a workspace's stores and holds its settings.

Takes `workspace.toml` and gives frozen values; must not open a store. An unknown key or a value of another type is an
error that says what is allowed.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from deeplens_kit.errors import SettingsError, UnknownNameError, WorkspaceError, WorkspaceMissingError
from deeplens_kit.settings.service import ServiceSettings
from deeplens_kit.settings.sign_in import SignInSettings
from deeplens_kit.settings.stages import (
    ActionSettings,
    DecodeSettings,
    FeatureSettings,
    GroupSettings,
    IndexSettings,
    IngestSettings,
    JobSettings,
    MatchSettings,
    PolicySettings,
    RuleSettings,
    SearchSettings,
    WatchSettings,
    WorkspaceSettings,
)

__all__ = [
    "WORKSPACE_FILE",
    "WORKSPACE_VARIABLE",
    "default_workspace_settings",
    "load_workspace_settings",
    "save_choice",
    "save_workspace_settings",
    "with_stores",
    "workspace_of_environment",
]

WORKSPACE_FILE = "workspace.toml"
WORKSPACE_VARIABLE = "DEEPLENS_WORKSPACE"
"""Environment variable with the folder of the workspace to use where none is named."""

_Settings = TypeVar("_Settings")

_SECTIONS: dict[str, type[Any]] = {
    "decode": DecodeSettings,
    "features": FeatureSettings,
    "index": IndexSettings,
    "match": MatchSettings,
    "policy": PolicySettings,
    "rules": RuleSettings,
    "group": GroupSettings,
    "actions": ActionSettings,
    "ingest": IngestSettings,
    "watch": WatchSettings,
    "search": SearchSettings,
    "jobs": JobSettings,
    "service": ServiceSettings,
    "sign_in": SignInSettings,
}
_STORES = ("catalog_url", "ledger_url", "cache_dir")


def workspace_of_environment() -> Path:
    """The folder that DEEPLENS_WORKSPACE names.

    Raises:
        WorkspaceMissingError: It names none.
    """
    named = os.environ.get(WORKSPACE_VARIABLE)
    if not named:
        raise WorkspaceMissingError(
            f"No workspace is named; give its folder, or set the environment variable {WORKSPACE_VARIABLE} to it."
        )
    folder = Path(named).expanduser()
    # JupyterLab starts a kernel in the folder of its notebook. A relative name was meant from where the user stood
    # when starting JupyterLab, which the shell keeps in PWD.
    stood = Path(os.environ.get("PWD", "."), folder)
    return folder if (folder / WORKSPACE_FILE).exists() or not (stood / WORKSPACE_FILE).exists() else stood


def load_workspace_settings(directory: Path) -> WorkspaceSettings:
    """Read `workspace.toml` of a workspace folder; relative paths are resolved against the folder.

    Raises:
        WorkspaceMissingError: There is no such file.
        SettingsError: The file is not TOML, or a value is not allowed.
        UnknownNameError: A key that does not exist.
    """
    path = directory / WORKSPACE_FILE
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorkspaceMissingError(
            f"{str(directory)!r} is no workspace: it holds no {WORKSPACE_FILE}; "
            "name one with --workspace or DEEPLENS_WORKSPACE, or make it with `deeplens init`."
        ) from error
    except OSError as error:
        raise WorkspaceError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{str(path)!r} is not valid TOML: {error}; mend the file.") from error
    known = {*_STORES, *_SECTIONS}
    for key in table:
        if key not in known:
            raise UnknownNameError(f"setting in {str(path)!r}", key, known)
    missing = [key for key in _STORES if not isinstance(table.get(key), str)]
    if missing:
        raise SettingsError(f"{str(path)!r} must set {', '.join(missing)} to a text; add it.")
    try:
        sections = {name: _section(name, kind, table.get(name, {})) for name, kind in _SECTIONS.items()}
    except UnknownNameError as error:
        raise UnknownNameError(f"setting in {str(path)!r}", error.name, error.known) from error
    except SettingsError as error:
        raise SettingsError(f"In {str(path)!r}: {error}") from error
    return _resolved(directory, {key: table[key] for key in _STORES}, sections)


def default_workspace_settings(
    directory: Path, *, catalog_url: str | None = None, ledger_url: str | None = None, cache_dir: str | None = None
) -> WorkspaceSettings:
    """Settings of a workspace that is about to be made; what is not named lies in the folder."""
    return _resolved(directory, _stores(catalog_url, ledger_url, cache_dir), {})


def save_workspace_settings(
    directory: Path, *, catalog_url: str | None = None, ledger_url: str | None = None, cache_dir: str | None = None
) -> None:
    """Write a new `workspace.toml` atomically; what is not named lies in the folder."""
    _write(directory, tomli_w.dumps(_stores(catalog_url, ledger_url, cache_dir)))


def save_choice(directory: Path, section: str, key: str, name: str) -> None:
    """Set a name in `workspace.toml`, atomically; all else in the file stays as it is written, comments too.

    Args:
        directory: The workspace's folder.
        section: Of the file, for example "policy".
        key: In the section, for example "keep".
        name: What is chosen, for example the name of a keep policy.

    Raises:
        WorkspaceError: The file cannot be read or written.
        SettingsError: The setting is written in a way that is not understood here; it says how to write it.
    """
    path = directory / WORKSPACE_FILE
    line = tomli_w.dumps({key: name})
    by_hand = f"`{line.strip()}` below [{section}] by hand"
    try:
        text = path.read_text(encoding="utf-8")
        changed = _with_line(text, section, key, line)
        # Held against what a reader makes of it: nothing else may have changed.
        wanted = tomllib.loads(text)
        wanted[section] = {**wanted.get(section, {}), key: name}
        if tomllib.loads(changed) != wanted:
            raise SettingsError(f"{str(path)!r} cannot be changed here; write {by_hand}.")
        _write(directory, changed)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{str(path)!r} cannot be changed here ({error}); write {by_hand}.") from error
    except OSError as error:
        raise WorkspaceError(f"Cannot change {str(path)!r}: {error.strerror or error}.") from error


def with_stores(text: str, *, catalog_url: str, ledger_url: str, cache_dir: str) -> str:
    """The text of a `workspace.toml` with other stores; all else stays as it is written, comments too.

    Raises:
        SettingsError: The text is no TOML, or its stores are written in a way that is not understood here.
    """
    stores = {"catalog_url": catalog_url, "ledger_url": ledger_url, "cache_dir": cache_dir}
    try:
        changed = text
        for key, value in stores.items():
            line = re.compile(rf"^[ \t]*{key}[ \t]*=[^\n]*(\n|$)", re.MULTILINE)
            if (found := line.search(changed)) is not None:
                changed = f"{changed[: found.start()]}{tomli_w.dumps({key: value})}{changed[found.end() :]}"
        if tomllib.loads(changed) != tomllib.loads(text) | stores:
            raise SettingsError(
                f"The stores in {WORKSPACE_FILE} cannot be changed here; write each on a line of its own."
            )
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{WORKSPACE_FILE} is not valid TOML: {error}.") from error
    return changed


def _with_line(text: str, section: str, key: str, line: str) -> str:
    """The text with one line of a section set or added."""
    header = re.search(rf"^[ \t]*\[[ \t]*{section}[ \t]*\][^\n]*(\n|$)", text, re.MULTILINE)
    if header is None:
        return f"{text.rstrip()}\n\n[{section}]\n{line}"
    end = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, header.end())
    body = text[header.end() : end.start() if end else len(text)]
    found = re.search(rf"^[ \t]*{key}[ \t]*=[^\n]*(\n|$)", body, re.MULTILINE)
    if found is None:
        head = text[: header.end()]
        return f"{head}{'' if head.endswith(chr(10)) else chr(10)}{line}{text[header.end() :]}"
    at = header.end() + found.start()
    return f"{text[:at]}{line}{text[header.end() + found.end() :]}"


def _write(directory: Path, text: str) -> None:
    temporary = directory / f".{WORKSPACE_FILE}.{os.getpid()}"
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(directory / WORKSPACE_FILE)


def _stores(catalog_url: str | None, ledger_url: str | None, cache_dir: str | None) -> dict[str, str]:
    return {
        "catalog_url": catalog_url or "catalog",
        "ledger_url": ledger_url or "sqlite:///ledger.sqlite",
        "cache_dir": cache_dir or "cache",
    }


def _resolved(directory: Path, stores: dict[str, str], sections: dict[str, Any]) -> WorkspaceSettings:
    return WorkspaceSettings(
        catalog_url=_against(directory, stores["catalog_url"]),
        ledger_url=_ledger_against(directory, stores["ledger_url"]),
        cache_dir=_against(directory, stores["cache_dir"]),
        **{name: _placed(directory, section) for name, section in sections.items()},
    )


def _placed(directory: Path, section: Any) -> Any:
    """A section whose folders are resolved against the workspace."""
    if isinstance(section, FeatureSettings) and section.model_dir:
        return replace(section, model_dir=str(_local(directory, section.model_dir)))
    if isinstance(section, ServiceSettings) and section.tls_cert:
        certificate, key = _local(directory, section.tls_cert), _local(directory, section.tls_key)
        return replace(section, tls_cert=str(certificate), tls_key=str(key))
    return section


def _local(directory: Path, path: str) -> Path:
    return (directory / Path(path).expanduser()).absolute()


def _section(name: str, kind: type[_Settings], table: object) -> _Settings:
    if not isinstance(table, dict):
        raise SettingsError(f"Setting {name!r} must be a TOML table, as in [{name}]; got {table!r}.")
    return _filled(name, kind, table)


def _filled(name: str, kind: type[_Settings], table: Mapping[str, object], named: str = "") -> _Settings:
    """Settings of a table; tables within it that a kind has by name become a tuple of settings with that name."""
    tables: Mapping[str, type[Any]] = getattr(kind, "TABLES", {})
    defaults = {
        item.name: item.default_factory() if callable(item.default_factory) else item.default
        for item in fields(kind)  # type: ignore[arg-type]
        if not named or item.name != "name"
    }
    known = set(defaults)
    values: dict[str, Any] = {"name": named} if named else {}
    for key, value in table.items():
        if key not in known:
            raise UnknownNameError("setting", f"{name}.{key}", {f"{name}.{item}" for item in known})
        within = f"{name}.{key}"
        values[key] = (
            _named_tables(within, tables[key], value) if key in tables else _coerced(within, value, defaults[key])
        )
    return kind(**values)


def _named_tables(name: str, kind: type[Any], value: object) -> tuple[Any, ...]:
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        raise SettingsError(f"Setting {name!r} must hold tables with names, as in [{name}.NAME]; got {value!r}.")
    return tuple(_filled(f"{name}.{key}", kind, item, key) for key, item in value.items())


def _coerced(name: str, value: object, default: object) -> object:
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(default, float) and type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]
    if isinstance(default, dict) and isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return dict(value)
    if type(value) is type(default) and not isinstance(value, dict):
        return value
    raise SettingsError(f"Setting {name!r} is {value!r}; it must be {_in_toml(default)}.")


def _in_toml(default: object) -> str:
    """What a setting must be, in the words of TOML, with its default as the example."""
    if isinstance(default, tuple):
        items = ", ".join(f'"{item}"' for item in default or ("*.tmp",))
        return f"a list of texts in brackets, for example [{items}]"
    if isinstance(default, dict):
        return 'a table of texts, for example { admins = "admin" }'
    if isinstance(default, bool):
        return "true or false"
    kind = {int: "a whole number", float: "a number"}.get(type(default))
    return f"{kind}, for example {default}" if kind else 'a text in quotes, for example "models"'


def _against(directory: Path, url: str) -> str:
    return url if "://" in url else str((directory / url).absolute())


def _ledger_against(directory: Path, url: str) -> str:
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return f"{prefix}{(directory / url.removeprefix(prefix)).absolute()}"
    return url
