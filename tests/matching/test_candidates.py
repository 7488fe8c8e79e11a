"""Candidates: found by any signal, scored by all, the same whatever the order of input."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import digest_of, picture, random_world
from numpy.typing import NDArray

from deeplens_kit.features import dihedral_pdq, dihedral_phash
from deeplens_kit.features.region_rows import BOX, MOST_REGIONS, SLOT
from deeplens_kit.matching import (
    STRICT,
    KeepCriterion,
    KeepPolicy,
    find_pairs,
    group,
    pairs_towards_keepers,
    tiers_of,
    with_context,
)
from deeplens_kit.schemas import PAIRS, PICTURES
from deeplens_kit.settings import MatchSettings

Vectors = dict[str, tuple[list[str], NDArray[np.float16]]]


def library(seed: int, count: int, flips: int = 12) -> tuple[pl.DataFrame, Vectors]:
    """Pictures in families: hashes within `flips` bits of the family's, some turned, some without a feature."""
    generator = np.random.default_rng(seed)
    families = max(count // 5, 1)
    pdq, phash = generator.integers(0, 256, (families, 32), dtype=np.uint8), generator.integers(0, 2**63, families)
    centres = generator.normal(size=(families, 16))
    rows, owners, vectors = [], [], []
    for number in range(count):
        family = int(generator.integers(0, families))
        bits = np.unpackbits(pdq[family])
        bits[generator.choice(256, int(generator.integers(0, flips)), replace=False)] ^= 1
        turned = dihedral_pdq(np.packbits(bits)[None])[int(generator.integers(0, 8))][0]
        wrong = np.uint64(1) << np.uint64(int(generator.integers(0, 64)))
        rows.append(
            picture(
                number,
                pdq=turned.tobytes() if generator.random() < 0.9 else None,
                pdq_quality=int(generator.choice([100, 10], p=[0.9, 0.1])),
                phash=int(np.uint64(phash[family]) ^ wrong) if generator.random() < 0.9 else None,
                width_px=int(generator.choice([4000, 2000, 640])),
                low_information=bool(generator.random() < 0.1),
            )
        )
        if generator.random() < 0.8:
            owners.append(digest_of(number))
            vectors.append(centres[family] + 0.3 * generator.normal(size=16))
    stacked = np.array(vectors).reshape(-1, 16)
    lengths = np.linalg.norm(stacked, axis=1, keepdims=True)
    return pl.DataFrame(rows, schema=PICTURES.polars), {"sscd_small": (owners, (stacked / lengths).astype(np.float16))}


def by_hand(pictures: pl.DataFrame, vectors: Vectors, a: str, b: str) -> dict[str, float | None]:
    """The scores of one pair from the definition."""
    left, right = (pictures.row(by_predicate=pl.col("digest") == digest, named=True) for digest in (a, b))
    scores: dict[str, float | None] = {"pdq_distance": None, "phash_distance": None, "sscd_small": None}
    if left["pdq"] is not None and right["pdq"] is not None:
        turned = dihedral_pdq(np.frombuffer(right["pdq"], np.uint8)[None])[:, 0]
        scores["pdq_distance"] = int(np.bitwise_count(turned ^ np.frombuffer(left["pdq"], np.uint8)).sum(axis=1).min())
    if left["phash"] is not None and right["phash"] is not None:
        hashes = dihedral_phash(np.array([right["phash"]], np.uint64))[:, 0]
        scores["phash_distance"] = int(np.bitwise_count(hashes ^ np.uint64(left["phash"])).min())
    owners, rows = vectors["sscd_small"]
    if a in owners and b in owners:
        x, y = (rows[owners.index(digest)].astype(np.float64) for digest in (a, b))
        scores["sscd_small"] = float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    return scores


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 30))
def test_every_pair_within_a_floor_is_there_with_all_its_scores(seed: int, count: int) -> None:
    pictures, vectors = library(seed, count)
    floors = MatchSettings(neighbours=count, pdq_max_distance=40, phash_max_distance=3, sscd_min_cosine=0.7)
    pairs = PAIRS.check(find_pairs(pictures, vectors, floors, STRICT, "run"))
    rows = {(row["digest_a"], row["digest_b"]): row for row in pairs.iter_rows(named=True)}
    digests = sorted(pictures["digest"])
    for at, a in enumerate(digests):
        for b in digests[at + 1 :]:
            scores = by_hand(pictures, vectors, a, b)
            reached = (
                (scores["pdq_distance"] is not None and scores["pdq_distance"] <= 40)
                or (scores["phash_distance"] is not None and scores["phash_distance"] <= 3)
                or (scores["sscd_small"] is not None and scores["sscd_small"] >= 0.7 + 1e-5)
            )
            assert (a, b) in rows or not reached
            if (a, b) in rows:
                row = rows[a, b]
                assert (row["pdq_distance"], row["phash_distance"]) == (
                    scores["pdq_distance"],
                    scores["phash_distance"],
                )
                assert (row["sscd_small"] is None) == (scores["sscd_small"] is None)
                assert scores["sscd_small"] is None or abs(row["sscd_small"] - scores["sscd_small"]) < 1e-5
    assert all(a < b for a, b in rows)
    low = set(pictures.filter(pl.col("low_information") | (pl.col("pdq_quality") < 20))["digest"])
    assert not any({a, b} & low for (a, b), row in rows.items() if row["tier"] == "copy")
    judged = with_context(pairs, pictures, STRICT)
    assert tiers_of(judged, STRICT).to_list() == pairs["tier"].to_list()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 4))
def test_the_order_of_input_does_not_matter(seed: int, shuffle: int, neighbours: int) -> None:
    pictures, vectors = library(seed, 40)
    owners, rows = vectors["sscd_small"]
    order = np.random.default_rng(shuffle).permutation(len(owners))
    mixed = {"sscd_small": ([owners[at] for at in order], rows[order])}
    floors = MatchSettings(neighbours=neighbours)
    first = find_pairs(pictures, vectors, floors, STRICT, "run")
    second = find_pairs(pictures.sample(fraction=1.0, shuffle=True, seed=shuffle), mixed, floors, STRICT, "run")
    cosines = ("sscd_small", "sscd_normalised", "score")
    assert first.drop(cosines).equals(second.drop(cosines))
    np.testing.assert_allclose(first["score"], second["score"], atol=1e-6)


def large_cluster() -> pl.DataFrame:
    """200 copies; the best keeper by default is the centre of all."""
    generator = np.random.default_rng(1)
    centre = generator.integers(0, 256, 32, dtype=np.uint8)
    rows = []
    for number in range(200):
        bits = np.unpackbits(centre)
        # The best keeper is the centre; two copies differ by up to 20 bits, none is the other's equal.
        bits[generator.choice(256, 10 if number else 0, replace=False)] ^= 1
        rows.append(picture(number, pdq=np.packbits(bits).tobytes(), width_px=4000 if number == 0 else 2000))
    return pl.DataFrame(rows, schema=PICTURES.polars)


def test_a_large_cluster_is_one_star_although_few_neighbours_are_kept() -> None:
    pictures = large_cluster()
    pairs = find_pairs(pictures, {}, MatchSettings(neighbours=3), STRICT, "run")
    # Few links for each picture, and each linked with the best.
    assert pairs.height < 200 * 3 + 200
    with_best = pairs.filter((pl.col("digest_a") == digest_of(0)) | (pl.col("digest_b") == digest_of(0)))
    assert with_best.height == 199
    made = random_world(0)
    objects = pl.concat([made.objects.clear(), pl.DataFrame(_objects(200), schema=made.objects.schema)])
    looked_at = pairs.with_columns(relation=pl.lit("whole"))
    groups = group(objects, pictures, looked_at, STRICT, crowd_pictures=0).groups
    assert groups["group_id"].n_unique() == 1
    assert groups.height == 200


def test_a_large_cluster_is_one_star_around_the_keeper_of_another_policy_too() -> None:
    pictures = large_cluster()
    made = random_world(0)
    objects = pl.concat([made.objects.clear(), pl.DataFrame(_objects(200), schema=made.objects.schema)])
    ranks = pl.Series("path_class", range(200), dtype=pl.Int32)
    by_path = KeepPolicy("last first", (KeepCriterion.PATH,), preferred_paths=("*",))
    order = pl.Series([digest_of(number) for number in reversed(range(200))])

    def keepers(pairs: pl.DataFrame) -> int:
        looked_at = pairs.with_columns(relation=pl.lit("whole"), resolution=pl.lit(1.0, pl.Float32))
        # Equal in all but the path: whichever stays, the others may go.
        alike = pictures.with_columns(width_px=pl.lit(4000, pl.Int32))
        held = objects.with_columns(ranks)
        groups = group(held, alike, looked_at, STRICT, policy=by_path, crowd_pictures=0).groups
        return groups.filter("is_keeper").height

    usual = find_pairs(pictures, {}, MatchSettings(neighbours=3), STRICT, "run")
    wanted = find_pairs(pictures, {}, MatchSettings(neighbours=3), STRICT, "run", order)
    last = digest_of(199)
    with_last = wanted.filter((pl.col("digest_a") == last) | (pl.col("digest_b") == last))
    # Its copies lie within 20 bits of it, so that each is one by its hash.
    assert with_last.height == 199
    assert usual.join(wanted, on=["digest_a", "digest_b"], how="anti").is_empty()
    assert wanted.height < 2 * 200 * 3 + 2 * 200
    assert (keepers(usual) > 1, keepers(wanted)) == (True, 1)


def _objects(count: int) -> list[dict[str, object]]:
    from matching_worlds import stored

    return [stored(f"{number:03}.jpg", number) for number in range(count)]


def test_ten_thousand_equal_hashes_stay_bounded() -> None:
    rows = [picture(number, pdq=bytes(32), pdq_quality=0, phash=0, low_information=True) for number in range(3_000)]
    pairs = find_pairs(pl.DataFrame(rows, schema=PICTURES.polars), {}, MatchSettings(neighbours=5), STRICT, "run")
    assert pairs.height <= 2 * 5 * 3_000
    assert set(pairs["tier"]) == {"scene"}


@pytest.mark.parametrize("missing", ["pdq", "phash", "both"])
def test_missing_features_are_null_and_no_error(missing: str) -> None:
    pictures, vectors = library(3, 30)
    columns = ["pdq", "phash"] if missing == "both" else [missing]
    for form in (
        pictures.drop(columns),
        pictures.with_columns(pl.lit(None).cast(pictures.schema[c]).alias(c) for c in columns),
    ):
        pairs = find_pairs(form, vectors, MatchSettings(), STRICT, "run")
        assert pairs.height
        assert all(pairs[f"{name}_distance"].null_count() == pairs.height for name in columns)
    assert find_pairs(pictures, {}, MatchSettings(), STRICT, "run")["sscd_small"].null_count() > 0


def test_nothing_in_gives_nothing_out() -> None:
    assert find_pairs(PICTURES.empty(), {}, MatchSettings(), STRICT, "run").is_empty()
    empty: Vectors = {"sscd_small": ([], np.zeros((0, 16), np.float16))}
    assert find_pairs(PICTURES.empty(), empty, MatchSettings(), STRICT, "run").is_empty()


def test_a_large_corpus_is_searched_less_widely(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, _ = library(9, 60, flips=60)
    floors = dataclasses.replace(MatchSettings(), neighbours=60, pdq_max_distance=120, phash_max_distance=0)
    wide = find_pairs(pictures.drop("phash"), {}, floors, STRICT, "run")
    monkeypatch.setattr("deeplens_kit.matching.floors.WIDE_SEARCH_PICTURES", 59)
    narrow = find_pairs(pictures.drop("phash"), {}, floors, STRICT, "run")
    assert wide["pdq_distance"].max() > 31 >= narrow["pdq_distance"].max()
    # So many weak links make hubs, which the narrow search has none of.
    assert narrow.drop("hub").equals(wide.filter(pl.col("pdq_distance") <= 31).drop("hub"))


def test_torchscript_vectors_speak_where_the_other_form_of_the_full_model_does_not() -> None:
    pictures = pl.DataFrame([picture(name) for name in "abc"], schema=PICTURES.polars)
    axes = np.eye(3, dtype=np.float32)
    close = (axes[0] * 0.8 + axes[1] * 0.6)[None]
    vectors = {
        "sscd": ([digest_of("a"), digest_of("b")], np.concatenate([axes[:1], axes[:1]])),
        "sscd_torch": ([digest_of(name) for name in "abc"], np.concatenate([axes[:1], axes[1:2], close])),
        "someone_elses": ([digest_of("a"), digest_of("b")], axes[:2]),
    }
    pairs = find_pairs(pictures, vectors, MatchSettings(), STRICT, "run")
    found = {frozenset(ends): score for *ends, score in pairs.select("digest_a", "digest_b", "sscd").iter_rows()}
    names = {frozenset((digest_of(a), digest_of(b))): a + b for a, b in ("ab", "ac", "bc")}
    assert {names[ends]: round(score, 5) for ends, score in found.items()} == {"ab": 1.0, "ac": 0.8, "bc": 0.6}
    assert pairs["sscd_small"].null_count() == pairs.height


def region_rows(*regions: tuple[int, NDArray[np.floating]]) -> NDArray[np.float16]:
    """One stored row with regions in these slots."""
    row = np.zeros((MOST_REGIONS, SLOT), np.float16)
    for slot, vector in regions:
        row[slot, :BOX] = 0, 0, 0.5, 1
        row[slot, BOX:] = vector
    return row.reshape(1, -1)


def test_a_part_of_a_collage_is_found_by_its_region() -> None:
    names = ["collage", "first", "second", "stranger"]
    axes = np.eye(len(names), 512, dtype=np.float16)
    pictures = pl.DataFrame([picture(name) for name in names], schema=PICTURES.polars)
    digests = [digest_of(name) for name in names]
    near = (0.9 * axes[2].astype(np.float32) + 0.43 * axes[3].astype(np.float32)).astype(np.float16)
    # Its own whole vector is nearest to the first region: that is no pair.
    rows = region_rows((0, axes[0]), (1, axes[1]), (3, near))
    vectors = {"sscd_small": (digests, axes), "sscd_small_regions": (digests[:1], rows)}
    pairs = find_pairs(pictures, vectors, MatchSettings(), STRICT, "run")
    found = {
        frozenset(ends): (by, round(cosine, 2))
        for *ends, by, cosine in pairs.select("digest_a", "digest_b", "found_by", "sscd_region").iter_rows()
    }
    assert found == {
        frozenset(digests[:2]): ("region", 1.0),
        frozenset((digests[0], digests[2])): ("region", 0.9),
    }
    assert pairs["sscd_small"].to_list() == [0.0, 0.0]
    few = find_pairs(pictures, vectors, MatchSettings(region_neighbours=0), STRICT, "run")
    assert few.is_empty()


def test_a_region_keeps_its_nearest_and_speaks_for_pairs_that_others_found() -> None:
    names = ["collage", *range(9)]
    digests = [digest_of(name) for name in names]
    pictures = pl.DataFrame([picture(name) for name in names], schema=PICTURES.polars)
    likeness = np.linspace(0.95, 0.6, len(names) - 1, dtype=np.float32)
    whole = np.zeros((len(names), 512), np.float32)
    whole[0, 1] = 1
    whole[1:, 0], whole[1:, 2:11] = likeness, np.diag(np.sqrt(1 - likeness**2))
    axis = np.zeros(512, np.float32)
    axis[0] = 1
    vectors = {"sscd_small": (digests, whole), "sscd_small_regions": (digests[:1], region_rows((0, axis)))}
    floors = MatchSettings(region_neighbours=3, sscd_min_cosine=0.99)
    pairs = find_pairs(pictures, vectors, floors, STRICT, "run")
    assert {*pairs["digest_a"], *pairs["digest_b"]} == set(digests[:4])
    wide = find_pairs(pictures, vectors, MatchSettings(sscd_min_cosine=-1.0), STRICT, "run")
    with_collage = wide.filter((pl.col("digest_a") == digests[0]) | (pl.col("digest_b") == digests[0]))
    assert with_collage.height == len(names) - 1
    assert with_collage["sscd_region"].sort(descending=True).to_list() == pytest.approx(likeness.tolist(), abs=2e-3)
    assert wide.join(with_collage, on=["digest_a", "digest_b"], how="anti")["sscd_region"].null_count() == (
        wide.height - with_collage.height
    )


def test_a_negative_is_a_candidate_and_no_copy_by_its_hash() -> None:
    bits = np.random.default_rng(4).integers(0, 256, 32, dtype=np.uint8)
    rows = [picture("picture", pdq=bits.tobytes()), picture("negative", pdq=(~bits).tobytes())]
    pairs = find_pairs(pl.DataFrame(rows, schema=PICTURES.polars), {}, MatchSettings(), STRICT, "run")
    assert pairs.select("found_by", "tier").rows() == [("pdq", "scene")]
    assert pairs["pdq_distance"][0] > 64


def test_what_found_a_pair_is_named_sorted() -> None:
    pictures, vectors = library(5, 40)
    pairs = find_pairs(pictures, vectors, MatchSettings(pdq_max_distance=10), STRICT, "run")
    named = [names.split(",") for names in pairs["found_by"]]
    assert {name for names in named for name in names} == {"pdq", "phash", "sscd_small"}
    assert all(names == sorted(set(names)) for names in named)
    for names, row in zip(named, pairs.iter_rows(named=True), strict=True):
        assert "phash" not in names or row["phash_distance"] <= 8
        assert "sscd_small" not in names or row["sscd_small"] >= 0.4 - 1e-5


def test_known_copies_lead_to_pairs_with_the_keeper() -> None:
    pictures = pl.DataFrame(
        [picture(name, width_px=width) for name, width in (("best", 4000), ("half", 2000), ("tiny", 400))],
        schema=PICTURES.polars,
    )
    best, half, tiny = (digest_of(name) for name in ("best", "half", "tiny"))
    axes = np.eye(3, dtype=np.float32)
    vectors = {"sscd_small": ([best, half, tiny], np.array([axes[0], (axes[0] + axes[1]) * 0.71, axes[1]]))}
    pairs = find_pairs(pictures, vectors, MatchSettings(), STRICT, "run")
    assert pairs.height == 2
    assert pairs_towards_keepers(pictures, vectors, pairs, pairs.clear(), STRICT, "run").is_empty()
    more = PAIRS.check(pairs_towards_keepers(pictures, vectors, pairs, pairs, STRICT, "run"))
    assert more.select("digest_a", "digest_b", "found_by", "sscd_small").rows() == [
        (min(best, tiny), max(best, tiny), "keeper", 0.0)
    ]
    assert pairs_towards_keepers(pictures, vectors, pl.concat([pairs, more]), pairs, STRICT, "run").is_empty()


def test_each_of_many_copies_is_led_to_the_keeper_of_its_own_cluster() -> None:
    count = 300
    names = [(f"best {number}", f"half {number}", f"tiny {number}") for number in range(count)]
    widths = (4000, 2000, 400)
    rows = [picture(name, width_px=width) for three in names for name, width in zip(three, widths, strict=True)]
    pictures = pl.DataFrame(rows, schema=PICTURES.polars)
    links = [sorted(map(digest_of, pair)) for best, half, tiny in names for pair in ((best, half), (half, tiny))]
    ends = pl.DataFrame(links, schema=["digest_a", "digest_b"], orient="row")
    blank = {"found_by": "", "hub": False, "tier": "copy", "relation": "whole", "score": np.float32(0.9), "run_id": ""}
    constant = [pl.lit(value, PAIRS.polars[name]).alias(name) for name, value in blank.items()]
    copies = PAIRS.check(PAIRS.filled(ends.with_columns(constant)))
    more = pairs_towards_keepers(pictures, {}, copies, copies, STRICT, "run")
    wanted = sorted(tuple(sorted((digest_of(best), digest_of(tiny)))) for best, _, tiny in names)
    assert more.select("digest_a", "digest_b").rows() == wanted
