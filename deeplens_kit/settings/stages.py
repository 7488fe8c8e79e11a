"""Frozen settings, one class per stage, and those of a whole workspace.

Takes values, refuses those out of range; must not read a file or open a store. Units stand in the names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deeplens_kit.errors import SettingsError
from deeplens_kit.settings.service import ServiceSettings
from deeplens_kit.settings.sign_in import SignInSettings

__all__ = [
    "MOST_NICENESS",
    "ActionSettings",
    "DecodeSettings",
    "FeatureSettings",
    "GroupSettings",
    "IndexSettings",
    "IngestSettings",
    "JobSettings",
    "MatchSettings",
    "PolicySettings",
    "SearchSettings",
    "WatchSettings",
    "WorkspaceSettings",
]

MOST_NICENESS = 19
"""Of a process, inclusive: it gets what nobody else wants."""

_RESULT_CACHES = ("redis://", "rediss://", "unix://")


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
class PolicySettings:
    """Which copy of a picture stays.

    Attributes:
        keep: Name of a keep policy: one that every workspace has, or of a file in its folder `policies`.
    """

    keep: str = "default"

    def __post_init__(self) -> None:
        if not self.keep:
            raise SettingsError("Setting 'policy.keep' is empty; it must be the name of a keep policy, or left out.")


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """When two pictures are copies.

    Attributes:
        use: "strict", the name of a saved rule, of which the latest version counts, or "NAME@VERSION".
    """

    use: str = "strict"

    def __post_init__(self) -> None:
        if not self.use:
            raise SettingsError("Setting 'rules.use' is empty; it must be the name of a rule, or left out.")


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
class SearchSettings:
    """What is kept of searches.

    Attributes:
        result_cache: Where answers are kept for a while: "memory" of each process, the URL of a Redis server that
            workers share, or empty for nowhere. A password is written as `${NAME}`.
        result_cache_seconds: From an answer until the same question is searched for again at the latest; where
            pictures, places or notes change it is searched for at once.
        result_cache_max_entries: Answers that are kept.
        result_cache_max_bytes: Of all answers that are kept together.
        history_entries: Searches by the command and the workbench that the ledger remembers; 0 for none.
        saved_picture_max_bytes: A saved search keeps the pictures that it was asked with up to this size each.
    """

    result_cache: str = "memory"
    result_cache_seconds: float = 300.0
    result_cache_max_entries: int = 1000
    result_cache_max_bytes: int = 64 * 2**20
    history_entries: int = 10_000
    saved_picture_max_bytes: int = 4 * 2**20

    def __post_init__(self) -> None:
        named = self.result_cache in ("", "memory") or self.result_cache.startswith(_RESULT_CACHES)
        if not named and not (self.result_cache.startswith("${") and self.result_cache.endswith("}")):
            kind = self.result_cache.partition("://")[0]
            raise SettingsError(
                f"Setting 'search.result_cache' is of kind {kind!r}; it must be empty, 'memory', or the URL of "
                "a Redis server: 'redis://:${NAME}@HOST:6379/0', 'rediss://…' or 'unix://…'."
            )
        _at_least(
            "search",
            self,
            result_cache_seconds=0.001,
            result_cache_max_entries=1,
            result_cache_max_bytes=1,
            history_entries=0,
            saved_picture_max_bytes=0,
        )


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """What is proposed without a person's look.

    Attributes:
        crowd_pictures: Pictures (inclusive) that a rule may call copies of one keeper; with more of them all wait for a
            person, as those near a blank page, a logo or a placeholder do. Equal files and equal samples do not count.
            0 for no bound.
    """

    crowd_pictures: int = 50

    def __post_init__(self) -> None:
        _at_least("group", self, crowd_pictures=0)


@dataclass(frozen=True, slots=True)
class ActionSettings:
    """What may be done with files, by plans that somebody approved.

    Attributes:
        tiers: Tiers of evidence by which a file may be acted on; `scene` never is one.
        other_approver: Whether a plan needs the approval of somebody else than who made it.
        plan_max_age_days: A plan that is older (whole days) is refreshed before it is applied; at least 1.
        quarantine_days: How long a file stays in quarantine before it expires; 0: until somebody empties it by name.
        stop_after_failures: Steps that fail before the whole application stops; 0 for no bound.
        stop_at_skip_share: Share of steps skipped, of those tried (twenty at least), at which it stops; inclusive.
        steps_per_second: Of each location; 0 for no limit.
        proof: "token": an unchanged strong token proves the digest that was read under it, and everything else is read
            again; "read": all is read again.
    """

    tiers: tuple[str, ...] = ("bytes", "pixels", "copy")
    other_approver: bool = False
    plan_max_age_days: int = 7
    quarantine_days: int = 30
    stop_after_failures: int = 10
    stop_at_skip_share: float = 0.2
    steps_per_second: float = 0.0
    proof: str = "token"

    def __post_init__(self) -> None:
        _at_least("actions", self, plan_max_age_days=1, quarantine_days=0, stop_after_failures=0, steps_per_second=0)
        if wrong := sorted({*self.tiers} - {"bytes", "pixels", "copy"}):
            raise SettingsError(f"Setting actions.tiers holds {wrong[0]!r}; allowed are bytes, pixels and copy.")
        if not 0 < self.stop_at_skip_share <= 1:
            raise SettingsError(
                f"Setting actions.stop_at_skip_share is {self.stop_at_skip_share}; allowed is more than 0, up to 1."
            )
        if self.proof not in ("token", "read"):
            raise SettingsError(f"Setting actions.proof is {self.proof!r}; allowed are token and read.")


@dataclass(frozen=True, slots=True)
class JobSettings:
    """How work is done outside the process that was asked for it.

    Attributes:
        cpu, gpu, io: How many jobs that take most of this a worker does at a time; 0 for none.
        lease_seconds: A job whose worker has not shown for longer than this that it lives is another worker's.
        events_kept_days: How long the stages to which images came are kept; 0: they are not told.
        keep_days: How long a job is kept that has ended, and no shorter than its stages; 0: for ever.
        extract_on: "cpu", or "gpu": jobs that compute features are those of workers with room for "gpu".
    """

    cpu: int = 1
    gpu: int = 1
    io: int = 2
    lease_seconds: float = 60.0
    events_kept_days: int = 7
    keep_days: int = 90
    extract_on: str = "cpu"

    def __post_init__(self) -> None:
        if self.extract_on not in ("cpu", "gpu"):
            raise SettingsError(f"jobs.extract_on is {self.extract_on!r}; it must be 'cpu' or 'gpu'.")
        _at_least("jobs", self, cpu=0, gpu=0, io=0, lease_seconds=1, events_kept_days=0, keep_days=0)


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
    policy: PolicySettings = field(default_factory=PolicySettings)
    rules: RuleSettings = field(default_factory=RuleSettings)
    group: GroupSettings = field(default_factory=GroupSettings)
    actions: ActionSettings = field(default_factory=ActionSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    sign_in: SignInSettings = field(default_factory=SignInSettings)


def _at_least(section: str, settings: object, **floors: float) -> None:
    for name, floor in floors.items():
        value = getattr(settings, name)
        if value < floor:
            raise SettingsError(f"Setting '{section}.{name}' is {value}; it must be at least {floor}.")
