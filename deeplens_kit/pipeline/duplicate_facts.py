"""What is proposed for each picture: whether it stays, how strong the evidence is, and what its groups would free.

Takes an open workspace, gives one frame; reads the catalog when the frame is first asked for, once, whoever asks, and
keeps what took long in a file of the cache, which may be deleted at any time. Of several processes one makes it, and
the others wait for the file. Must not propose anything by itself: groups are those of `deeplens duplicates` with the
rule and the keep policy in use.
"""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import polars as pl

from deeplens_kit.pipeline.choices_in_use import choices_state
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import SEARCH_DUPLICATES, tier_strength
from deeplens_kit.search.cache_files import alone_in, sweep, write_bytes
from deeplens_kit.telemetry import get_logger, span

__all__ = ["DuplicateFrames", "duplicates_of_groups"]

_log = get_logger(__name__)

_FORMAT, _NAME_DIGITS = 2, 32
_CURRENT = {True: "current", False: "behind"}
# What is made faster is made again faster than it is written.
_KEPT_FROM_SECONDS = 0.5
# For another process that makes them: of a million pictures it takes seconds, of ten million a minute.
_WAIT_SECONDS = 120.0


class DuplicateFrames:
    """SEARCH_DUPLICATES of a workspace, as the catalog is when they are first asked for; safe to share between threads.

    Args:
        workspace: An open workspace; it has to stay open.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._made: tuple[pl.DataFrame, bool] | None = None
        self._looked = False

    @property
    def is_made(self) -> bool:
        """Whether asking costs nothing: they were made here, or lie in a file."""
        # Not waited for: who holds the lock is making them.
        if self._made is None and not self._looked and self._lock.acquire(blocking=False):
            try:
                self._recall()
            finally:
                self._lock.release()
        return self._made is not None

    def frame(self) -> pl.DataFrame:
        """SEARCH_DUPLICATES; making it takes seconds for a million pictures, all others wait for it."""
        return self._found()[0]

    def current(self) -> bool:
        """False where pictures were indexed after the last matching: of those not in the frame nothing is known."""
        return self._found()[1]

    def _found(self) -> tuple[pl.DataFrame, bool]:
        with self._lock:
            found = self._recall()
            if found is None:
                with self._alone():
                    # Whoever was waited for may have kept it.
                    self._looked = False
                    found = self._recall() or self._make()
            return found

    def _make(self) -> tuple[pl.DataFrame, bool]:
        name, begun = self._name(), time.monotonic()
        with span("search.duplicates"):
            view = list_groups(self._workspace)
            self._made = duplicates_of_groups(view.groups), view.current
        _log.info("groups laid against pictures", pictures=self._made[0].height)
        # What was committed meanwhile is in the groups and not in the name.
        if time.monotonic() - begun >= _KEPT_FROM_SECONDS and name == self._name():
            self._keep(name, *self._made)
        return self._made

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the right to make them, where the cache can be written."""
        with ExitStack() as held:
            try:
                held.enter_context(alone_in(self._folder, wait_seconds=_WAIT_SECONDS))
            except OSError as error:
                _log.warning("groups are not kept", error=error.strerror or type(error).__name__)
            yield

    def _name(self) -> str:
        places = [(item.location_id, item.name, item.url) for item in self._workspace.ledger.locations()]
        holds = self._workspace.catalog.content_fingerprint(("objects", "pictures", "pairs"))
        said = self._workspace.ledger.decisions_version(), self._workspace.settings.group
        depends = (_FORMAT, pl.__version__, holds, places, said, choices_state(self._workspace))
        return hashlib.sha256(repr(depends).encode()).hexdigest()[:_NAME_DIGITS]

    @property
    def _folder(self) -> Path:
        return Path(self._workspace.settings.cache_dir) / "duplicates"

    def _path(self, name: str, *, current: bool) -> Path:
        return self._folder / f"{name}-{_CURRENT[current]}.arrow"

    def _recall(self) -> tuple[pl.DataFrame, bool] | None:
        """What was made here, or lies in a file; that is looked for once."""
        if self._made is not None or self._looked:
            return self._made
        self._looked = True
        name = self._name()
        for current in (True, False):
            try:
                with self._path(name, current=current).open("rb") as stream:
                    self._made = SEARCH_DUPLICATES.check(pl.read_ipc(stream)), current
                    return self._made
            except FileNotFoundError:
                continue
            except (OSError, TypeError, pl.exceptions.PolarsError) as error:
                _log.warning("groups are made again: their file cannot be used", error=type(error).__name__)
        return None

    def _keep(self, name: str, frame: pl.DataFrame, current: bool) -> None:
        target = self._path(name, current=current)
        content = io.BytesIO()
        frame.write_ipc(content)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(target, content.getbuffer())
            sweep(target.parent, {target.name})
        except OSError as error:
            _log.warning("groups not kept", error=error.strerror or type(error).__name__)


def duplicates_of_groups(groups: pl.DataFrame) -> pl.DataFrame:
    """SEARCH_DUPLICATES of GROUPS, sorted by digest.

    A picture's bytes are those of every group that one of its objects is in, as keeper or as member, each group once.
    """
    proposed = groups.filter(~pl.col("is_keeper"))
    keepers = groups.filter("is_keeper").select("group_id", "digest", keeper_object_id="object_id")
    # A member counts with its own tier, a keeper with those of all that could go in its favour.
    kept = keepers.select("group_id", "digest").join(proposed.select("group_id", "tier"), on="group_id")
    evidence = pl.concat([proposed.select("group_id", "digest", "tier"), kept]).unique()
    strongest = (
        evidence.with_columns(strength=tier_strength())
        .join(keepers.drop("digest"), on="group_id")
        .sort("digest", "strength", "group_id")
        .group_by("digest", maintain_order=True)
        .agg(
            pl.col("tier", "keeper_object_id").first(),
            tiers=pl.col("tier").unique(maintain_order=True),
        )
    )
    saves = proposed.group_by("group_id").agg(saves_bytes=pl.col("frees_bytes").sum())
    of_groups = groups.group_by("digest", "group_id").agg(pl.col("is_keeper").any()).join(saves, on="group_id")
    figures = of_groups.group_by("digest").agg(pl.col("is_keeper").any(), pl.col("saves_bytes").sum())
    return SEARCH_DUPLICATES.check(strongest.join(figures, on="digest").sort("digest"))
