"""What a run at one location is told, and what it says of itself; must not do any of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["IndexReport", "RunOptions"]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run goes.

    Attributes:
        workers: Threads that read, and as many that decode and extract; at least 1.
        accept_gone: Take a location at its word that lists nothing of what it held.
        retry: Codes of failures whose files are read again though they did not change, those included that are not
            tried again by themselves; None for all codes.
    """

    workers: int
    accept_gone: bool = False
    retry: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run did at one location; counts are objects unless they say otherwise.

    Attributes:
        location: Name of the location.
        run_id: The run, as on every row that it wrote.
        state: "finished", "interrupted" or "failed".
        found: Objects listed.
        new: Not in the catalog before.
        changed: With another change token than before.
        unchanged: With the same; not read, unless a feature is missing.
        gone: No longer there; their rows are removed.
        found_bytes: Bytes of the objects listed.
        unchanged_bytes: Of those of them that are unchanged.
        gone_bytes: Of those no longer there, as they were.
        read_files: Objects whose bytes were read.
        read_bytes: Bytes read.
        indexed: Read objects that are pictures.
        pictures: Distinct pictures analysed.
        failures: Read objects that are not, with a row each in `failures`.
        from_thumbnails: Known pictures that got features from their stored thumbnails; not read for that.
        identified: Objects whose content is known by the checksum that the storage lists; not read.
        left: Objects that the budget did not reach; the next run goes on with them.
        left_bytes: Bytes of those.
        skipped: What the listing left out, by reason.
        skipped_folders: Folders left out whole, at most 100 of them, each with the reason.
        problems: Folders that could not be listed.
        missing_features: Features that could not be computed, with the reason.
        seconds: Wall time.
    """

    location: str
    run_id: str
    state: str = "finished"
    found: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    found_bytes: int = 0
    unchanged_bytes: int = 0
    gone_bytes: int = 0
    read_files: int = 0
    read_bytes: int = 0
    indexed: int = 0
    pictures: int = 0
    failures: int = 0
    problems: int = 0
    from_thumbnails: int = 0
    identified: int = 0
    left: int = 0
    left_bytes: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    skipped_folders: tuple[tuple[str, str], ...] = ()
    missing_features: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
