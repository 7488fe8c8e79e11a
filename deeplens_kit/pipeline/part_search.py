"""Where does this picture, or this part of one, come from, and which pictures hold it?

Takes a picture and a library, gives the pictures that have a part in common with it, each with where that is in both,
as a closer look saw it: the look that stored pairs get. Vectors of parts and stored regions say where to look, nothing
more. Looks are taken in order of promise until enough is certain, many in a row found nothing, or the time is spent;
what was left out then is said. Must not write but into the caches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import ObjectError, QueryError
from deeplens_kit.features import Extractor
from deeplens_kit.matching.evidence import REGIONS, REGIONS_OF, region_column
from deeplens_kit.pipeline.part_embedding import asked_parts
from deeplens_kit.pipeline.part_looking import Looked, PartLooking
from deeplens_kit.pipeline.part_looks import AskedLooks
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.search_library import Held
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Relation, Tier
from deeplens_kit.search.library import LibraryVectors
from deeplens_kit.search.part_candidates import part_candidates
from deeplens_kit.search.part_rows import part_rows, part_scores
from deeplens_kit.search.part_views import ALL_OF_IT
from deeplens_kit.search.query import Box
from deeplens_kit.search.ranking import QueryPicture
from deeplens_kit.search.region_shelf import RegionShelf
from deeplens_kit.telemetry import span

__all__ = ["LOOKING_SECONDS", "PartSearch", "PartsFound"]

LOOKING_SECONDS = 5.0
"""Wall seconds in which candidates of one search are looked at; a look that has begun is finished."""

_MOST_LOOKED_AT = 32


@dataclass(frozen=True, slots=True, eq=False)
class PartsFound:
    """What has a part in common with a picture.

    Attributes:
        rows: Columns position, score, tier, relation, region_asked, region_found, why of SEARCH_RESULTS, the best
            first; those that were not looked at come last, with the relation `unverified`. Regions are shares of the
            whole upright pictures, also where only a part of one was asked for.
        compared: Pictures that may have been found.
        looked_at: Of these, pictures that were looked at closely.
        is_whole: Whether all that promised anything was looked at.
        is_final: Whether nothing was left for want of time, or because it could not be read.
        notes: What could not be done, a sentence each.
    """

    rows: pl.DataFrame
    compared: int
    looked_at: int
    is_whole: bool
    is_final: bool
    notes: tuple[str, ...]


class PartSearch:
    """Searches a workspace's pictures for parts in common; safe to share between threads.

    Regions, bytes and looks are kept from one search to the next.

    Args:
        workspace: An open workspace.
        clock: Seconds, monotonic.
    """

    def __init__(self, workspace: Workspace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._looking = PartLooking(workspace, clock=clock)
        self._lock = threading.Lock()
        self._regions: tuple[object, RegionShelf | None] | None = None

    def search(
        self,
        held: Held,
        asked: QueryPicture,
        content: bytes,
        extractors: Iterable[Extractor],
        *,
        crop: Box | None = None,
        of_picture: int | None = None,
        wanted: NDArray[np.bool_] | None = None,
        min_score: float = 0.0,
        tiers: Sequence[Tier] = (),
        limit: int = 50,
        seconds: float = LOOKING_SECONDS,
    ) -> PartsFound:
        """Find the pictures that a picture is a part of, that are a part of it, or that share a part with it.

        Args:
            held: The library.
            asked: What is known of the picture, or of the part of it that is asked for.
            content: The whole file.
            extractors: Those of `sscd_small` and `pdq` are used, where they are among them.
            crop: The part that is asked for, shares of the upright picture; None for all of it.
            of_picture: Position of the picture that a crop is of, where the library has it: found before all others.
            wanted: What may be found, bool by position; None for all.
            min_score: Of the results.
            tiers: Of the results; none for all.
            limit: Results that are wanted; with so many that are certain, a dozen at least, no more are looked for.
            seconds: Wall time for closer looks.

        Raises:
            QueryError: The picture cannot be decoded.
        """
        library, whole = held.library, crop or ALL_OF_IT
        vectors = next((item for item in library.vectors if item.name == REGIONS_OF), None)
        known = asked.vectors.get(REGIONS_OF)
        itself = library.position(asked.digest) if crop is None else of_picture
        # 1. What the picture is searched by, and the pictures that may have something of it.
        decoder = self._workspace.decoder
        try:
            with span("search.part_candidates"):
                parts = asked_parts(content, whole, decoder, {item.spec.name: item for item in extractors}, known)
                regions = self._region_shelf(held, vectors)
                found = part_candidates(parts, library, vectors, regions, wanted, _MOST_LOOKED_AT + 1)
            candidates = [item for item in found if item.position != itself][:_MOST_LOOKED_AT]
            # 2. A closer look at one after the other.
            with span("search.part_looks"):
                own = AskedLooks(content, decoder, whole)
                looked = self._looking.look(held, asked, own, candidates, limit, seconds)
        except ObjectError as error:
            raise QueryError(f"The picture cannot be searched for: {error}") from error
        # 3. What they have in common.
        scores = part_scores(looked.looks, asked.facts, library.pictures, chosen_rule(self._workspace))
        rows = part_rows(looked.looks, scores, whole=whole)
        if itself is not None and (wanted is None or wanted[itself]):
            rows = pl.concat([_itself(itself, crop, rows.schema), rows])
        rows = rows.filter(pl.col("score") >= min_score)
        if tiers:
            rows = rows.filter(pl.col("tier").is_in([str(tier) for tier in tiers]))
        seen = {look.position for look in looked.looks if look.evidence is not None}
        return PartsFound(
            rows=rows,
            compared=len(library) if wanted is None else int(wanted.sum()),
            looked_at=len(seen),
            is_whole=looked.is_whole and all(look.evidence is not None for look in looked.looks),
            is_final=all(look.evidence is not None for look in looked.looks),
            notes=_notes(looked, seconds, by_vectors=parts[0].vector is not None and vectors is not None),
        )

    def _region_shelf(self, held: Held, vectors: LibraryVectors | None) -> RegionShelf | None:
        """The stored regions of the library's pictures, read when they are first asked for."""
        if vectors is None:
            return None
        with self._lock:
            if self._regions is None or self._regions[0] != held.state:
                self._regions = (held.state, self._read_regions(held, vectors.shelf.key))
            return self._regions[1]

    def _read_regions(self, held: Held, key: str) -> RegionShelf | None:
        specs = self._workspace.catalog.vector_specs()
        weights = next((spec.weights for spec in specs if spec.key == key), None)
        # Only vectors of one and the same model can be compared.
        spec = next((spec for spec in specs if spec.name == REGIONS and spec.weights == weights), None)
        if spec is None:
            return None
        with span("search.load_regions"):
            read = self._workspace.catalog.vectors(spec)
            column = region_column(held.library.pictures["digest"], {REGIONS: read})
            return RegionShelf.of(column) if column is not None else None


def _itself(position: int, crop: Box | None, schema: pl.Schema) -> pl.DataFrame:
    """The row of equal bytes, of which a part may be asked for."""
    values: dict[str, object] = {"position": position, "score": 1.0, "tier": str(Tier.BYTES)}
    if crop is None:
        values |= {"relation": str(Relation.WHOLE), "why": "the same bytes"}
    else:
        values |= {"relation": str(Relation.CONTAINS), "why": "the picture that the part asked for is of"}
    region = list(crop or ALL_OF_IT)
    values |= {"region_asked": region, "region_found": region}
    return pl.DataFrame([values], schema=schema)


def _notes(looked: Looked, seconds: float, *, by_vectors: bool) -> tuple[str, ...]:
    lines = []
    if looked.left:
        said = "1 likely picture was" if looked.left == 1 else f"{looked.left} likely pictures were"
        lines.append(f"{said} not looked at closely: the {seconds:g} s for that were spent; search again, or filter.")
    unread = sum(look.evidence is None for look in looked.looks) - looked.left
    if unread:
        said = "1 likely picture" if unread == 1 else f"{unread} likely pictures"
        lines.append(f"{said} could not be looked at: the results say why.")
    if not by_vectors:
        lines.append(f"{REGIONS_OF} was not used, so parts were searched for by hashes alone; run `deeplens index`.")
    return tuple(lines)
