"""Have we got this picture? Asked of the catalog before a picture is stored, and of the search after it.

Takes digests, gives places; must not read a picture. A place that the catalog names is asked for its state, because
files may have gone since the last run, and a picture that is nowhere any more must not be turned away.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import CredentialMissingError, LocationError, ObjectError, QueryError
from deeplens_kit.pipeline.searching import Searcher
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Outcome, Tier
from deeplens_kit.search import SearchFilters
from deeplens_kit.storage import LocationKind
from deeplens_kit.storage.paths import display_path

__all__ = ["KnownPlaces", "PlaceFound", "copies_of"]

_COPIES = SearchFilters(tiers=(Tier.COPY,))
_COLUMNS = ["location_id", "path", "size_bytes", "outcome"]


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """Where a picture lies that is the one asked for, or a copy of it.

    Attributes:
        location: Name of the location.
        path: Encoded.
        digest: Its content.
        tier: "bytes" or "copy".
        score: 0..1.
    """

    location: str
    path: str
    digest: str
    tier: Tier
    score: float

    @property
    def words(self) -> str:
        """As people are told of it."""
        return f"{display_path(self.location)}:{display_path(self.path)} ({self.tier})"


class KnownPlaces:
    """Where contents lie, as the catalog knows and the locations confirm."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._locations = {item.location_id: item for item in workspace.ledger.locations(inactive=True)}
        self._kinds: dict[str, LocationKind] = {}
        self._version = -1
        self._digests = pl.Series("digest", [], pl.String)

    def holds(self, digest: str) -> bool:
        """Whether the catalog has met a content; it is read anew only where it has changed."""
        catalog = self._workspace.catalog
        version = catalog.versions()[0]
        if version != self._version:
            self._version, self._digests = version, catalog.objects(columns=["digest"])["digest"].unique()
        return bool((self._digests == digest).any())

    def first(self, digest: str) -> PlaceFound | None:
        """A place where a content lies; None where it lies nowhere."""
        if not self.holds(digest):
            return None
        rows = self._workspace.catalog.objects_of([digest], _COLUMNS).filter(pl.col("outcome") == Outcome.INDEXED)
        for location_id, path, size_bytes, _ in rows.sort("location_id", "path").iter_rows():
            location = self._locations.get(location_id)
            if location is not None and self._stands(location_id, path, size_bytes):
                return PlaceFound(location.name, path, digest, Tier.BYTES, 1.0)
        return None

    def _stands(self, location_id: str, path: str, size_bytes: int) -> bool:
        try:
            if location_id not in self._kinds:
                self._kinds[location_id] = self._workspace.kind_of(self._locations[location_id])
            return self._kinds[location_id].stat(path).size_bytes == size_bytes
        except ObjectError:
            return False
        except (LocationError, CredentialMissingError):
            # A disk that is not connected now still holds what it held.
            return True


def copies_of(workspace: Workspace, digests: list[str], most: int) -> dict[str, list[PlaceFound]]:
    """Stored pictures that each of these is a copy of, the likeliest first, by the rule of the search.

    Args:
        workspace: An open workspace; the pictures are in it.
        digests: The pictures.
        most: Copies told of for each.
    """
    found: dict[str, list[PlaceFound]] = {}
    searcher = Searcher(workspace)
    for digest in digests:
        try:
            results = searcher.search(digest, filters=_COPIES, limit=most).results
        except QueryError:
            continue  # at a location that is left out, or gone again meanwhile
        rows = results.select("location", "path", "digest", "score").iter_rows()
        found[digest] = [
            PlaceFound(location, path, other, Tier.COPY, score)
            for location, path, other, score in rows
            if other != digest
        ]
    return found
