"""The ranking held against scoring every picture, on worlds made at random."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from deeplens_kit.matching import STRICT, find_pairs
from deeplens_kit.schemas import PICTURES, SEARCH_PLACES
from deeplens_kit.search import Library, QueryPicture, SearchFilters, VectorShelf, rank
from deeplens_kit.search.library import PICTURE_COLUMNS
from deeplens_kit.search.results import places_found, results_of
from deeplens_kit.settings import MatchSettings

EVIDENCE = ["score", "tier", "pdq_distance", "phash_distance", "orientation", "sscd_small", "sscd"]
FLOORS = MatchSettings()
_EVERY = MatchSettings(neighbours=10_000, hub_links=10_000)
_DIMENSIONS = 32
ALL = SearchFilters()


class World:
    """Pictures in families around a few seeds, at all distances; some lack a feature, some say little."""

    def __init__(self, count: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        digests = [hashlib.sha256(f"{seed}/{number}".encode()).hexdigest() for number in range(count)]
        seeds = random.integers(0, 256, (3, 32), dtype=np.uint8)
        centres = random.normal(size=(3, _DIMENSIONS))
        rows = []
        for digest in digests:
            family = int(random.integers(0, 3))
            bits = np.unpackbits(seeds[family])
            bits[random.permutation(256)[: random.integers(0, 90)]] ^= 1
            row = dict.fromkeys(PICTURE_COLUMNS) | {
                "digest": digest,
                "pdq": None if random.random() < 0.2 else np.packbits(bits).tobytes(),
                "phash": int(random.integers(0, 16)) if random.random() < 0.9 else None,
                "pdq_quality": 100,
                "low_information": bool(random.random() < 0.1),
                "dominant_tone": None if random.random() < 0.1 else float(random.random()),
                "taken_at": None if random.random() < 0.7 else datetime(2024, 1, int(random.integers(1, 4))),
                "size_bytes": int(random.integers(1, 1000)),
                "width_px": int(random.integers(1, 1000)),
                "height_px": int(random.integers(1, 1000)),
                "format": ["JPEG", "PNG", "TIFF"][int(random.choice(3, p=[0.9, 0.09, 0.01]))],
            }
            rows.append(row)
        self.pictures = pl.DataFrame(rows, schema={name: PICTURES.polars[name] for name in PICTURE_COLUMNS})
        vectors = centres[random.integers(0, 3, count)] + random.uniform(0.1, 2.0, (count, 1)) * random.normal(
            size=(count, _DIMENSIONS)
        )
        self.vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
        has = random.random(count) < 0.8
        self.owners = [digest for digest, one in zip(digests, has, strict=True) if one]
        self.rows = self.vectors[has]
        # Picture 0 is what is searched for; it is not in the library.
        self.query = QueryPicture(digests[0], rows[0], {"sscd_small": self.vectors[0]})
        places = self.pictures[1:].select("digest", "size_bytes").with_columns(
            location=pl.Series([f"disk {number % 3}" for number in range(1, count)]),
            path=pl.Series([f"{number}.jpg" for number in range(1, count)]),
            modified_at=pl.lit(datetime(2024, 1, 1, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")),
        ).with_columns(object_id=pl.col("path"))  # fmt: skip
        self.places = places.select(SEARCH_PLACES.names)
        self.library = Library.of(self.pictures[1:], self.places, {"sscd_small": self.shelf()})

    def shelf(self) -> VectorShelf:
        return VectorShelf.of("sscd_small_1", self.owners, self.rows)

    def truth(self) -> pl.DataFrame:
        """Every pair of the query within the floors, by `find_pairs`, which stores them."""
        vectors = {
            "sscd_small": ([*self.owners, self.query.digest], np.concatenate([self.rows, self.vectors[:1]])),
        }
        pairs = find_pairs(self.pictures, vectors, _EVERY, STRICT, run_id="")
        own = pl.col("digest_a") == self.query.digest
        mine = pairs.filter(own | (pl.col("digest_b") == self.query.digest))
        mine = mine.with_columns(
            digest=pl.when(pl.col("digest_a") == self.query.digest).then("digest_b").otherwise("digest_a")
        )
        # A pHash finds a stored pair also where PDQ speaks against it; a search does not ask it then.
        return mine.filter(
            pl.col("pdq_distance").is_null()
            | (pl.col("pdq_distance") <= 64)
            | (pl.col("sscd_small") >= _EVERY.sscd_min_cosine)
        ).sort("score", "pdq_distance", "digest", descending=[True, False, False], nulls_last=True)


def found(world: World, filters: SearchFilters = ALL, limit: int = 20, least: int = 256) -> pl.DataFrame:
    ranking = rank(world.query, world.library, filters, limit, rule=STRICT, floors=FLOORS, least_fetched=least)
    return results_of(ranking.rows, world.library, filters)


@pytest.mark.parametrize("seed", range(6))
def test_a_search_finds_what_scoring_every_picture_finds(seed: int) -> None:
    world = World(400, seed)
    truth, results = world.truth(), found(world, limit=400)
    assert truth.height > 20
    assert results.select("digest", *EVIDENCE).equals(truth.select("digest", *EVIDENCE))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("limit", [1, 5])
def test_the_best_are_certain_when_little_is_fetched(seed: int, limit: int) -> None:
    """Each signal begins with so few that what the others rank high would be missed without looking further."""
    world = World(400, seed)
    everything = found(world, limit=400)
    ranking = rank(world.query, world.library, SearchFilters(), limit, rule=STRICT, floors=FLOORS, least_fetched=1)
    best = results_of(ranking.rows.head(limit), world.library, SearchFilters())
    assert best.select("digest", *EVIDENCE).equals(everything.head(limit).select("digest", *EVIDENCE))


@pytest.mark.parametrize("seed", range(4))
def test_filters_come_before_the_limit(seed: int) -> None:
    world = World(400, seed)
    everything = found(world, limit=400)
    for filters, expected in (
        (SearchFilters(formats=("TIFF",)), everything.filter(pl.col("format") == "TIFF")),
        (SearchFilters(max_bytes=50), everything.filter(pl.col("size_bytes") <= 50)),
        (SearchFilters(min_score=0.3), everything.filter(pl.col("score") >= 0.3)),
        (SearchFilters(tiers=("scene",)), everything.filter(pl.col("tier") == "scene")),  # type: ignore[arg-type]
        (SearchFilters(locations=("disk 2",)), everything.filter(pl.col("location") == "disk 2")),
    ):
        results = found(world, filters, limit=2, least=1).head(2)
        assert results["digest"].to_list() == expected["digest"].head(2).to_list()


def test_of_many_that_just_reach_the_threshold_none_is_left_out() -> None:
    """The number asked for is greater than the nearest one of 32 bits, which is the score of all of them."""
    world = World(2, 0)
    others = [hashlib.sha256(f"equal/{number}".encode()).hexdigest() for number in range(40)]
    far = np.frombuffer(world.query.facts["pdq"], np.uint8).copy()  # type: ignore[call-overload]
    far[:3] ^= 255
    row = world.pictures.row(0, named=True) | {"pdq": far.tobytes(), "dominant_tone": 0.0, "taken_at": None}
    pictures = pl.DataFrame([row | {"digest": digest} for digest in others], schema=world.pictures.schema)
    places = pl.concat(
        [world.places.with_columns(digest=pl.lit(digest), object_id=pl.lit(digest)) for digest in others]
    )
    axis = np.eye(1, _DIMENSIONS, dtype=np.float16)
    shelf = VectorShelf.of("sscd_small_1", others, np.repeat(axis, 40, axis=0))
    library = Library.of(pictures, places, {"sscd_small": shelf})
    query = QueryPicture(world.query.digest, row | {"pdq": world.query.facts["pdq"]}, {"sscd_small": axis[0]})
    scores = rank(query, library, ALL, 40, rule=STRICT, floors=FLOORS).rows["score"]
    assert scores.n_unique() == 1
    filters = SearchFilters(min_score=scores[0] + 1e-8)
    few = rank(query, library, filters, 2, rule=STRICT, floors=FLOORS, least_fetched=1)
    assert few.rows.height == 40
    assert few.is_whole


def test_what_was_not_counted_is_said() -> None:
    world = World(400, 1)
    all_of_them = rank(world.query, world.library, SearchFilters(), 400, rule=STRICT, floors=FLOORS)
    few = rank(world.query, world.library, SearchFilters(), 1, rule=STRICT, floors=FLOORS, least_fetched=1)
    assert all_of_them.is_whole
    assert not few.is_whole
    assert few.rows.height < all_of_them.rows.height
    assert few.compared == all_of_them.compared == 399


def test_vectors_laid_beside_others_are_found_as_if_they_had_been_there() -> None:
    world = World(400, 2)
    part = VectorShelf.of("sscd_small_1", world.owners[:200], world.rows[:200])
    for first in range(200, len(world.owners), 40):
        part = part.add(world.owners[first : first + 40], world.rows[first : first + 40])
    library = Library.of(world.pictures[1:], world.places, {"sscd_small": part})
    ranking = rank(world.query, library, SearchFilters(), 400, rule=STRICT, floors=FLOORS)
    assert results_of(ranking.rows, library, SearchFilters()).equals(found(world, limit=400))
    assert len(part.parts) == 2


def test_vectors_of_pictures_that_are_gone_are_never_found() -> None:
    world = World(400, 3)
    left = world.pictures[1:].filter(pl.col("format") != "JPEG")
    library = Library.of(left, world.places, {"sscd_small": world.shelf()})
    ranking = rank(world.query, library, SearchFilters(), 400, rule=STRICT, floors=FLOORS)
    expected = found(world, limit=400).filter(pl.col("format") != "JPEG")
    assert expected.height > 0
    assert results_of(ranking.rows, library, SearchFilters())["digest"].to_list() == expected["digest"].to_list()


def test_equal_bytes_come_first_without_any_feature() -> None:
    world = World(50, 4)
    digest = world.pictures["digest"][7]
    ranking = rank(QueryPicture(digest, {}, {}), world.library, SearchFilters(), 5, rule=STRICT, floors=FLOORS)
    results = results_of(ranking.rows, world.library, SearchFilters())
    assert results.select("digest", "tier", "score").rows() == [(digest, "bytes", 1.0)]
    assert places_found(ranking.rows, world.library)["path"].to_list() == ["7.jpg"]


def test_an_empty_library_gives_empty_frames() -> None:
    world = World(3, 5)
    library = Library.of(world.pictures.clear(), world.places.clear(), {})
    ranking = rank(world.query, library, SearchFilters(), 5, rule=STRICT, floors=FLOORS)
    assert (ranking.rows.height, ranking.compared, ranking.is_whole) == (0, 0, True)
    assert results_of(ranking.rows, library, SearchFilters()).is_empty()
    assert places_found(ranking.rows, library).is_empty()


def test_positions_are_those_of_the_digests() -> None:
    world = World(300, 6)
    for at, digest in enumerate(world.library.pictures["digest"]):
        assert world.library.position(digest) == at
    assert world.library.position("f" * 64) is None
    assert world.library.position("") is None
    near = world.library.pictures["digest"][5]
    assert world.library.position(near[:-1] + ("0" if near[-1] != "0" else "1")) is None
