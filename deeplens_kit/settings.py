"""Frozen settings, one class per stage, and the file that names a workspace's stores.

Takes `workspace.toml` and gives frozen values; must not open a store. Units stand in the names. An unknown key
or a value out of range is an error that says what is allowed.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from deeplens_kit.errors import SettingsError, UnknownNameError, WorkspaceError, WorkspaceMissingError

__all__ = [
    "WORKSPACE_FILE",
    "WORKSPACE_VARIABLE",
    "DecodeSettings",
    "FeatureSettings",
    "IndexSettings",
    "IngestSettings",
    "MatchSettings",
    "WatchSettings",
    "WorkspaceSettings",
    "default_workspace_settings",
    "load_workspace_settings",
    "save_workspace_settings",
    "workspace_of_environment",
]

WORKSPACE_FILE = "workspace.toml"
WORKSPACE_VARIABLE = "DEEPLENS_WORKSPACE"
"""Environment variable with the folder of the workspace to use where none is named."""

MOST_NICENESS = 19
"""Of a process, inclusive: it gets what nobody else wants."""

_Settings = TypeVar("_Settings")


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """Limits on untrusted bytes; each is inclusive.

    Attributes:
        max_bytes: Of a file.
        max_pixels: Width times height of a frame.
        max_frames: Frames or pages of a file.
        max_seconds: Until a file is decoded, on the wall; a decoder that is late is ended.
        max_memory_bytes: What a decoder may take for one file, its bytes among it.
    """

    max_bytes: int = 512 * 2**20
    max_pixels: int = 250_000_000
    max_frames: int = 10_000
    max_seconds: float = 60.0
    max_memory_bytes: int = 3 * 2**30

    def __post_init__(self) -> None:
        _at_least("decode", self, max_bytes=1, max_pixels=1, max_frames=1, max_seconds=0.1, max_memory_bytes=64 * 2**20)


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """Which features are computed, by registry name. A model that is not installed is reported and left out."""

    enabled: tuple[str, ...] = ("clarity", "phash", "dhash", "ahash", "pdq", "sscd_small", "sscd_small_regions")
    batch_size: int = 8
    model_dir: str = ""

    def __post_init__(self) -> None:
        _at_least("features", self, batch_size=1)


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How much runs at once. Memory is bounded by these, not by the number of files.

    Attributes:
        workers: Threads that read, decode and extract; 0 = all cores, in a notebook all but one.
        max_waiting_bytes: Bytes of files read and not yet decoded; a larger file waits alone.
        commit_pictures: Pictures per commit to the catalog.
        commit_seconds: A commit is made at least this often while there is something to commit.
        lease_stale_seconds: A lease without heartbeat for this long may be taken over.
        exclude: Globs of paths left out at every location.
        niceness: How far a run steps back for other processes, 0..19.
        max_memory_bytes: Ceiling of a run with its decoders; 0 for none.
        max_read_bytes_per_second: Of files at the locations; 0 for no limit.
    """

    workers: int = 0
    max_waiting_bytes: int = 256 * 2**20
    commit_pictures: int = 1000
    commit_seconds: float = 20.0
    lease_stale_seconds: float = 60.0
    exclude: tuple[str, ...] = ()
    niceness: int = 0
    max_memory_bytes: int = 0
    max_read_bytes_per_second: int = 0

    def __post_init__(self) -> None:
        if self.niceness > MOST_NICENESS:
            raise SettingsError(f"Setting 'index.niceness' is {self.niceness}; it must be at most {MOST_NICENESS}.")
        _at_least(
            "index",
            self,
            workers=0,
            max_waiting_bytes=1,
            commit_pictures=1,
            commit_seconds=0.1,
            lease_stale_seconds=1.0,
            niceness=0,
            max_memory_bytes=0,
            max_read_bytes_per_second=0,
        )


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """What becomes a candidate: the floor and k of the stored neighbour graph (bounds inclusive).

    Attributes:
        neighbours: Nearest pictures by each signal.
        pdq_max_distance: Bits of 256, in any orientation or as a negative.
        phash_max_distance: Bits of 64, in any orientation.
        sscd_min_cosine: Of whole pictures.
        region_neighbours: Nearest pictures of each region.
        region_min_cosine: Of a region with a whole picture.
        hub_links: A picture with more pairs than this, copies for certain aside, is a hub.
        hub_neighbours: Pairs that a hub keeps beside those that are the strongest of the other picture.
        verification_seconds: Wall seconds of one run in which pairs are looked at closely; what is left then stays
            unverified until the next run. 0 for no limit.
        held_look_bytes: Memory for pictures that are being compared.
    """

    neighbours: int = 12
    pdq_max_distance: int = 64
    phash_max_distance: int = 8
    sscd_min_cosine: float = 0.4
    region_neighbours: int = 6
    region_min_cosine: float = 0.5
    hub_links: int = 24
    hub_neighbours: int = 6
    verification_seconds: float = 0.0
    held_look_bytes: int = 512 * 2**20

    def __post_init__(self) -> None:
        _at_least(
            "match",
            self,
            neighbours=1,
            pdq_max_distance=0,
            phash_max_distance=0,
            sscd_min_cosine=-1.0,
            region_neighbours=0,
            region_min_cosine=-1.0,
            hub_links=1,
            hub_neighbours=1,
            verification_seconds=0.0,
            held_look_bytes=0,
        )


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """What is taken in by `deeplens ingest`.

    Attributes:
        scanner: What looks at each content before it is stored: empty for nothing, "clamd:/path/to/socket" or
            "clamd:tcp://HOST:PORT".
        scanner_away: What becomes of a content that it cannot look at: "refuse", or "warn" and store it.
        max_bytes: Of a file, link or standard input, inclusive; `decode.max_bytes` holds besides.
        url_seconds: How long fetching a link may take.
    """

    scanner: str = ""
    scanner_away: str = "refuse"
    max_bytes: int = 512 * 2**20
    url_seconds: float = 20.0

    def __post_init__(self) -> None:
        if self.scanner_away not in ("refuse", "warn"):
            raise SettingsError(
                f"Setting 'ingest.scanner_away' is {self.scanner_away!r}; it must be 'refuse' or 'warn'."
            )
        address = self.scanner.removeprefix("clamd:")
        if self.scanner and (address == self.scanner or not address.startswith(("/", "tcp://"))):
            raise SettingsError(
                f"Setting 'ingest.scanner' is {self.scanner!r}; it must be empty, 'clamd:/path/to/socket' or "
                "'clamd:tcp://HOST:PORT'."
            )
        _at_least("ingest", self, max_bytes=1, url_seconds=0.1)


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How locations are watched, and who is told; what is said on the command line comes first.

    Attributes:
        interval_seconds: From one scan of a location to the next; events of a folder come in between.
        batch_seconds: New copies of so long a time are told of in one message; 0 for a message after each round.
        notify: Addresses that are told, as `--notify` takes them; credentials in them are references.
    """

    interval_seconds: float = 900.0
    batch_seconds: float = 60.0
    notify: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _at_least("watch", self, interval_seconds=1.0, batch_seconds=0.0)


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    """Where the stores of a workspace are, and the settings of each stage.

    Attributes:
        catalog_url: Folder or object-store URL of the Lance tables.
        ledger_url: SQLAlchemy URL; a password is written as `${NAME}` and read from the environment.
        cache_dir: Local folder of caches; safe to delete at any time.
    """

    catalog_url: str
    ledger_url: str
    cache_dir: str
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    features: FeatureSettings = field(default_factory=FeatureSettings)
    index: IndexSettings = field(default_factory=IndexSettings)
    match: MatchSettings = field(default_factory=MatchSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)


_SECTIONS: dict[str, type[Any]] = {
    "decode": DecodeSettings,
    "features": FeatureSettings,
    "index": IndexSettings,
    "match": MatchSettings,
    "ingest": IngestSettings,
    "watch": WatchSettings,
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
    text = tomli_w.dumps(_stores(catalog_url, ledger_url, cache_dir))
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
        **sections,
    )


def _section(name: str, kind: type[_Settings], table: object) -> _Settings:
    if not isinstance(table, dict):
        raise SettingsError(f"Setting {name!r} must be a TOML table, as in [{name}]; got {table!r}.")
    defaults = kind()
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise UnknownNameError("setting", f"{name}.{key}", {f"{name}.{item}" for item in known})
        values[key] = _coerced(f"{name}.{key}", value, getattr(defaults, key))
    return kind(**values)


def _coerced(name: str, value: object, default: object) -> object:
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(default, float) and type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]
    if type(value) is type(default):
        return value
    raise SettingsError(f"Setting {name!r} is {value!r}; it must be {_in_toml(default)}.")


def _in_toml(default: object) -> str:
    """What a setting must be, in the words of TOML, with its default as the example."""
    if isinstance(default, tuple):
        items = ", ".join(f'"{item}"' for item in default or ("*.tmp",))
        return f"a list of texts in brackets, for example [{items}]"
    kind = {int: "a whole number", float: "a number"}.get(type(default))
    return f"{kind}, for example {default}" if kind else 'a text in quotes, for example "models"'


def _at_least(section: str, settings: object, **floors: float) -> None:
    for name, floor in floors.items():
        value = getattr(settings, name)
        if value < floor:
            raise SettingsError(f"Setting '{section}.{name}' is {value}; it must be at least {floor}.")


def _against(directory: Path, url: str) -> str:
    return url if "://" in url else str((directory / url).absolute())


def _ledger_against(directory: Path, url: str) -> str:
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return f"{prefix}{(directory / url.removeprefix(prefix)).absolute()}"
    return url
