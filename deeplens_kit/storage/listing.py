"""Listings put together from what storages give page by page.

Takes entries, gives a Listing; must not ask a storage. What is hidden or excluded is counted by its reason; everything
else becomes a row.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl

from deeplens_kit.errors import LocationUnavailableError, ObjectUnreadableError
from deeplens_kit.schemas import LISTING
from deeplens_kit.storage.base import UNSETTLED, Listing, ListingProblem, ObjectStat, SkippedFolder, SkipReason
from deeplens_kit.storage.facts import QUARANTINE_FOLDER, in_quarantine
from deeplens_kit.storage.globs import path_matcher
from deeplens_kit.storage.options import LocationOptions
from deeplens_kit.storage.paths import encode_path
from deeplens_kit.storage.placeholders import names_placeholder

__all__ = ["UNSETTLED", "Entry", "ListingBuilder", "refuse_quarantine", "settled", "unsettled"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_TIME = -(2**63)


class Entry(NamedTuple):
    """One object as a storage lists it.

    Attributes:
        path: Native, relative to the location, '/' between its parts.
        size_bytes: Bytes.
        change_token: Changes when the content does; ends in UNSETTLED where it may not.
        modified_at: Aware; None where unknown.
        checksum: As the column of LISTING.
        storage_class: As the storage calls it.
        link_id: Names the file itself, equal for all its names; None where the storage tells no such thing.
    """

    path: str
    size_bytes: int
    change_token: str
    modified_at: datetime | None = None
    checksum: str | None = None
    storage_class: str | None = None
    link_id: str | None = None

    def state(self) -> ObjectStat:
        """The same as the state of an object."""
        return ObjectStat(
            self.size_bytes,
            self.change_token,
            self.modified_at,
            self.link_id,
            checksum=self.checksum,
            storage_class=self.storage_class,
        )


def unsettled(token: str, modified_at: datetime | None, granularity_seconds: float, now: datetime) -> str:
    """Mark a token that is made of a time of modification, where the file was written only just now.

    Args:
        token: Made of size and time.
        modified_at: The time that the token is made of; None marks it always.
        granularity_seconds: The step of the storage's clock.
        now: The storage's time, as near as it is known.
    """
    # Twice the step, and two seconds for clocks that do not quite agree.
    young = modified_at is None or (now - modified_at).total_seconds() < 2 * granularity_seconds + 2
    return token + UNSETTLED if young else token


def refuse_quarantine(name: str, place: str) -> None:
    """Refuse to list a location whose root lies in a quarantine: what waits there for its removal is no copy to keep.

    Raises:
        LocationUnavailableError: It does.
    """
    if in_quarantine(place):
        raise LocationUnavailableError(
            name,
            f"Location {name!r} lies in a folder {QUARANTINE_FOLDER!r}, where removed files wait for their end; such "
            "files are never indexed. See them by `deeplens quarantine list`.",
        )


def settled(token: str) -> str:
    """A token without its mark."""
    return token.removesuffix(UNSETTLED)


class ListingBuilder:
    """Collects entries, as columns of 60 bytes and the texts.

    Args:
        options: What is listed.
        exclude: Globs left out besides those of the options.

    Raises:
        SettingsError: A glob that cannot be read.
    """

    def __init__(self, options: LocationOptions, exclude: Sequence[str] = ()) -> None:
        self._hidden = options.hidden
        self._included = path_matcher("include", options.include)
        self._excluded = path_matcher("exclude", (*options.exclude, *exclude))
        self._paths: list[str] = []
        self._sizes, self._times = array("q"), array("q")
        self._tokens: list[str] = []
        self._checksums: list[str | None] = []
        self._classes: list[str | None] = []
        self._links: list[str | None] = []
        self._problems: dict[str, ListingProblem] = {}
        self._skipped: Counter[SkipReason] = Counter()
        self._folders: dict[str, SkippedFolder] = {}

    def __len__(self) -> int:
        return len(self._paths)

    def wants(self, path: str) -> bool:
        """Whether something at this native path, of which nobody knows whether it is a folder, may be listed."""
        return self._left_out(path.rstrip("/") + "/") is None

    def enters(self, folder: str) -> bool:
        """Whether to list a folder, given by its native path with '/' at the end; one left out is counted once."""
        if self._encoded(folder) is None:
            return False
        reason = self._left_out(folder)
        if reason is None:
            return True
        self.skip(reason)
        name = encode_path(folder)
        self._folders[name] = SkippedFolder(name, reason)
        return False

    def add(self, entries: Iterable[Entry]) -> None:
        """Take a page of entries."""
        plain = self._included is None and self._excluded is None
        for entry in entries:
            path = entry.path
            if not plain or path[0] == "." or "/." in path:
                reason = self._left_out(path)
                if reason is not None:
                    self._skipped[reason] += 1
                    continue
            self._paths.append(path)
            self._sizes.append(entry.size_bytes)
            self._tokens.append(entry.change_token)
            modified = entry.modified_at
            self._times.append(_NO_TIME if modified is None else (modified - _EPOCH) // _MICROSECOND)
            self._checksums.append(entry.checksum)
            self._classes.append(entry.storage_class)
            self._links.append(entry.link_id)

    def skip(self, reason: SkipReason) -> None:
        """Count an entry that is no object."""
        self._skipped[reason] += 1

    def problem(self, problem: ListingProblem) -> None:
        """Note what could not be listed."""
        self._problems[problem.path] = problem

    def listing(self) -> Listing:
        """What was collected; of a path that came twice (a page listed again) the last."""
        frame = self._frame()  # may find names that cannot be listed
        return Listing(
            frame=frame,
            problems=tuple(sorted(self._problems.values(), key=lambda problem: problem.path)),
            skipped=MappingProxyType(dict(self._skipped)),
            skipped_folders=tuple(sorted(self._folders.values(), key=lambda folder: folder.path)),
        )

    def _left_out(self, path: str) -> SkipReason | None:
        if in_quarantine(path):
            return SkipReason.QUARANTINE
        if not self._hidden and (path[0] == "." or "/." in path):
            hidden = [part for part in path.split("/") if part.startswith(".")]
            if len(hidden) > 1 or not names_placeholder(path):
                return SkipReason.HIDDEN
        if self._excluded is not None and self._excluded(path):
            return SkipReason.EXCLUDED
        if not path.endswith("/") and self._included is not None and not self._included(path):
            return SkipReason.EXCLUDED
        return None

    def _frame(self) -> pl.DataFrame:
        times = pl.Series(np.array(self._times, np.int64))
        frame = pl.DataFrame(
            {
                "path": pl.Series([self._encoded(path) for path in self._paths], dtype=pl.String),
                "size_bytes": pl.Series(np.array(self._sizes, np.int64)),
                "change_token": pl.Series(self._tokens, dtype=pl.String),
                "modified_at": pl.select(
                    pl.when(times != _NO_TIME).then(times).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
                ).to_series(),
                "link_id": pl.Series(self._links, dtype=pl.String),
                "link_count": pl.Series(np.ones(len(self._paths), np.int32)),
                "checksum": pl.Series(self._checksums, dtype=pl.String),
                "storage_class": pl.Series(self._classes, dtype=pl.String),
            }
        )
        frame = frame.drop_nulls("path")
        if frame["path"].n_unique() != frame.height:
            frame = frame.unique("path", keep="last", maintain_order=True)
        return LISTING.check(frame)

    def _encoded(self, path: str) -> str | None:
        """A path as it is kept; None, and a problem, for one that no text can hold."""
        if path.isascii():
            return path
        try:
            return encode_path(path)
        except ObjectUnreadableError as error:  # a lone surrogate that stands for no byte, as Windows may have it
            shown = path.encode("utf-8", "backslashreplace").decode()
            self.problem(ListingProblem(shown, "io", f"{error} Give it another name at the storage."))
            return None
