"""Groups are stars that partition the objects they propose, whatever the order of what goes in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matching_worlds import World, digest_of, pair, picture, random_world, stored, world

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.matching import STRICT, Clause, Rule, group, keeper_order, tiers_of, with_context
from deeplens_kit.matching.policy import withhold_codes
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.schemas import GROUPS, WITHHELD

SEEDS = st.integers(0, 10**6)


def stars_by_hand(made: World, rule: Rule) -> dict[str, str]:
    """Keeper digest of each picture taken: the definition, one picture after another."""
    judged = with_context(made.pairs, made.pictures, rule)
    judged = judged.filter(
        ((tiers_of(judged, rule) == "copy") | (pl.col("tier") == "pixels"))
        & pl.col("relation").is_in(["whole", "part", "contains"])
    )
    tier_of = {frozenset(ends): tier for *ends, tier in judged.select("digest_a", "digest_b", "tier").iter_rows()}
    linked = set(tier_of)
    ratios = ratios_by_hand(made)
    pictures = pictures_by_hand(made, ratios)
    whole = {frozenset(ends) for ends in made.pairs.filter(relation="whole").select("digest_a", "digest_b").iter_rows()}
    outdone = outdone_by_hand(made, pictures, linked & whole, ratios)
    ratios_of_all = ratios_by_hand(made, any_relation=True)
    sourced = with_sources_by_hand(made, pictures)
    traits_of_all = picture_traits(sourced.with_columns(outdone=pl.col("digest").is_in(outdone)))
    held = made.objects.join(traits_of_all, on="digest", suffix="_picture")
    traits = keeper_order(held).unique("digest", keep="first", maintain_order=True)
    order = traits["digest"].to_list()
    row = {digest: at for at, digest in enumerate(order)}
    taken: dict[str, str] = {}
    for place, keeper in enumerate(order):
        if keeper in taken:
            continue
        for other in order[place + 1 :]:
            if other in taken or frozenset((keeper, other)) not in linked:
                continue
            ratio = np.array([ratios.get((keeper, other), np.nan)], np.float32)
            same = np.array([tier_of[frozenset((keeper, other))] == "pixels"])
            if not may_go_by_hand(made, keeper, other, ratios_of_all.get((keeper, other))):
                continue
            if (keeper, other) in ratios_of_all:
                ratio = np.array([ratios_of_all[keeper, other]], np.float32)
            if withhold_codes(traits, np.array([row[keeper]]), np.array([row[other]]), ratio, same)[0] == 0:
                taken[other] = keeper
    return taken


def may_go_by_hand(made: World, keeper: str, member: str, ratio: float | None) -> bool:
    """What the relation of a member to its keeper says: the same view, or a part that is resolved and no better."""
    ends = sorted((keeper, member))
    (relation,) = made.pairs.filter(digest_a=ends[0], digest_b=ends[1])["relation"]
    if relation == "whole":
        return True
    # The stored relation is that of a to b.
    if relation != ("part" if member == ends[0] else "contains") or ratio is None:
        return False
    if ratio > np.float32(1.05):
        return True
    worth = {"JPEG": 1.0, "WEBP": 1.5, "AVIF": 2.5, "HEIF": 4.0}
    facts = {row["digest"]: row for row in with_sources_by_hand(made).iter_rows(named=True)}
    lossless, quality, density = [], [], []
    for row in (facts[member], facts[keeper]):
        sourced = row["source_format"] is not None
        lossless.append(row["lossless"] and not sourced)
        quality.append(row["source_quality"] if sourced else row["jpeg_quality"])
        coded = row["source_bytes"] if sourced else row["size_bytes"]
        form = row["source_format"] if sourced else row["format"]
        density.append(coded * worth.get(form, 1.0) / (row["width_px"] * row["height_px"]))
    if lossless[0]:
        return bool(lossless[1])
    if lossless[1]:
        return True
    if None not in quality:
        return quality[0] <= quality[1] + 2
    return density[0] <= 1.25 * density[1]


def with_sources_by_hand(made: World, pictures: pl.DataFrame | None = None) -> pl.DataFrame:
    """The pictures, each with the smallest lossy file of its samples where another file has them too."""
    facts = {row["digest"]: row for row in made.pictures.iter_rows(named=True)}
    alike: dict[str, set[str]] = {}
    for first, second in made.pairs.filter(tier="pixels").select("digest_a", "digest_b").iter_rows():
        alike.setdefault(first, {first}).add(second)
        alike.setdefault(second, {second}).add(first)
    rows = []
    for row in (made.pictures if pictures is None else pictures).iter_rows(named=True):
        lossy = [facts[name] for name in alike.get(row["digest"], ()) if not facts[name]["lossless"]]
        source = min(lossy, key=lambda one: (one["size_bytes"], one["digest"]), default=None)
        names = {"source_format": "format", "source_quality": "jpeg_quality", "source_bytes": "size_bytes"}
        rows.append(row | {name: source and source[column] for name, column in names.items()})
    more = {"source_format": pl.String(), "source_quality": pl.Int32(), "source_bytes": pl.Int64()}
    return pl.DataFrame(rows, schema=(made.pictures if pictures is None else pictures).schema | more)


def ratios_by_hand(made: World, *, any_relation: bool = False) -> dict[tuple[str, str], float]:
    """Pixels of the first picture per pixel of the second, both ways, where a pair that shows one view knows."""
    one_view = pl.lit(any_relation) | (pl.col("relation") == "whole")
    known = made.pairs.filter(one_view & pl.col("resolution").is_not_null()).select(
        "digest_a", "digest_b", "resolution"
    )
    one_way = {(first, second): float(np.float32(ratio)) for first, second, ratio in known.iter_rows()}
    return one_way | {
        (second, first): float(np.float32(1) / np.float32(ratio)) for (first, second), ratio in one_way.items()
    }


def size_by_hand(made: World) -> dict[str, int]:
    return {row["digest"]: row["width_px"] * row["height_px"] for row in made.pictures.iter_rows(named=True)}


def shown_by_hand(size: dict[str, int], large: str, small: str, ratio: float) -> bool:
    """Whether a pair shows that its first picture holds no more than the second."""
    adds_nothing = size[small] < size[large] * 0.95**2 and ratio <= np.float32(1.05)
    return adds_nothing or (size[small] <= size[large] * 1.05**2 and ratio < np.float32(0.95))


def pictures_by_hand(made: World, ratios: dict[tuple[str, str], float]) -> pl.DataFrame:
    """The pictures with the fewest pixels that a pair leaves them, and without blind measures that a pair refutes."""
    size, rows = size_by_hand(made), []
    for row in made.pictures.iter_rows(named=True):
        name, measured = row["digest"], row["effective_pixels"]
        mine = {other: ratio for (first, other), ratio in ratios.items() if first == name}
        left = [
            round(min(max(size[other] * min(ratio, 1.0) ** 2 / 1.05**2, 1), size[name]))
            for other, ratio in mine.items()
            if shown_by_hand(size, name, other, ratio)
        ]
        credited = size[name] if measured is None else measured
        if any(
            ratio > np.float32(1.05) and size[other] < size[name] and size[other] * 1.05**2 >= credited
            for other, ratio in mine.items()
        ):
            measured = size[name]
        rows.append(row | {"paired_pixels": min(left, default=None), "effective_pixels": measured})
    return pl.DataFrame(rows, schema=made.pictures.schema | {"paired_pixels": pl.Int64()})


def outdone_by_hand(
    made: World, pictures: pl.DataFrame, linked: set[frozenset[str]], ratios: dict[tuple[str, str], float]
) -> set[str]:
    """Pictures of objects with a copy of theirs that holds as much: as the pair shows, else on sides 5 % shorter."""
    held, size = set(made.objects["digest"]), size_by_hand(made)
    worth = {row["digest"]: row["effective_pixels"] or size[row["digest"]] for row in pictures.iter_rows(named=True)}
    return {
        large
        for ends in linked
        for large, small in (sorted(ends), sorted(ends, reverse=True))
        if ends <= held
        and (
            shown_by_hand(size, large, small, ratios[large, small])
            if (large, small) in ratios
            else size[small] < size[large] * 0.95**2 and worth[small] * 1.05**2 >= worth[large]
        )
    }


@settings(deadline=None, max_examples=examples(150))
@given(SEEDS)
def test_stars_are_those_of_the_definition(seed: int) -> None:
    made = random_world(seed)
    grouping = group(made.objects, made.pictures, made.pairs, STRICT)
    copies = grouping.groups.filter(pl.col("tier") != "bytes")
    keeper = dict(copies.filter("is_keeper").select("group_id", "digest").iter_rows())
    members = copies.filter(~pl.col("is_keeper"))
    found = {digest: keeper[name] for name, digest in members.select("group_id", "digest").iter_rows()}
    assert found == stars_by_hand(made, STRICT)


@settings(deadline=None, max_examples=examples(150))
@given(SEEDS)
def test_groups_partition_and_every_member_matches_its_own_keeper(seed: int) -> None:
    made = random_world(seed)
    grouping = group(made.objects, made.pictures, made.pairs, STRICT)
    GROUPS.check(grouping.groups)
    WITHHELD.check(grouping.withheld)
    members = grouping.groups.filter(~pl.col("is_keeper"))
    keepers = grouping.groups.filter("is_keeper")
    assert members["object_id"].n_unique() == members.height
    assert not set(members["object_id"]) & set(keepers["object_id"])
    assert keepers["group_id"].n_unique() == keepers.height == grouping.groups["group_id"].n_unique()
    # No picture loses its last object.
    for digest in made.objects["digest"].unique():
        whole = made.objects.filter(pl.col("digest") == digest).height
        mine = members.filter(pl.col("digest") == digest)
        assert mine.height < whole or set(mine["tier"]) in ({"copy"}, {"pixels"})
    judged = with_context(made.pairs, made.pictures, STRICT)
    judged = judged.filter((tiers_of(judged, STRICT) == "copy") | (pl.col("tier") == "pixels"))
    linked = {frozenset(row[:2]): row[2:] for row in judged.select("digest_a", "digest_b", "score", "tier").iter_rows()}
    low = set(made.pictures.filter("low_information")["digest"])
    for row in members.join(keepers, on="group_id", suffix="_keeper").iter_rows(named=True):
        if row["tier"] == "bytes":
            assert row["digest"] == row["digest_keeper"]
        else:
            score, stored_tier = linked[frozenset((row["digest"], row["digest_keeper"]))]
            assert row["score"] == score
            assert (row["tier"] == "pixels") == (stored_tier == "pixels")
            # Equal samples are proof, however little they show.
            assert row["tier"] == "pixels" or not {row["digest"], row["digest_keeper"]} & low


@settings(deadline=None, max_examples=examples(100))
@given(SEEDS)
def test_two_keepers_match_only_where_one_was_withheld(seed: int) -> None:
    made = random_world(seed)
    grouping = group(made.objects, made.pictures, made.pairs, STRICT)
    keepers = set(grouping.groups.filter("is_keeper", tier="copy")["digest"])
    withheld = {frozenset(ends) for ends in grouping.withheld.select("keeper_digest", "digest").iter_rows()}
    members = set(grouping.groups.filter(~pl.col("is_keeper"), tier="copy")["digest"])
    assert not set(grouping.withheld["digest"]) & members
    judged = with_context(made.pairs, made.pictures, STRICT)
    judged = judged.filter((tiers_of(judged, STRICT) == "copy") & (pl.col("relation") == "whole"))
    for a, b in judged.select("digest_a", "digest_b").iter_rows():
        if a in keepers and b in keepers:
            assert frozenset((a, b)) in withheld


@settings(deadline=None, max_examples=examples(60))
@given(SEEDS, SEEDS)
def test_the_order_of_input_does_not_matter(seed: int, shuffle: int) -> None:
    made = random_world(seed)
    frames = [
        frame.sample(fraction=1.0, shuffle=True, seed=shuffle) for frame in (made.objects, made.pictures, made.pairs)
    ]
    first, second = group(made.objects, made.pictures, made.pairs, STRICT), group(*frames, STRICT)
    assert first.groups.equals(second.groups)
    assert first.withheld.equals(second.withheld)


@settings(deadline=None, max_examples=examples(60))
@given(SEEDS)
def test_the_bytes_tier_alone_proposes_equal_bytes_only(seed: int) -> None:
    made = random_world(seed)
    alone = group(made.objects, made.pictures, made.pairs, STRICT, tiers={"bytes"})
    assert set(alone.groups["tier"]) <= {"bytes"}
    assert alone.withheld.is_empty()
    held = made.objects.group_by("digest").len().filter(pl.col("len") > 1)
    assert alone.groups.filter(~pl.col("is_keeper")).height == (held["len"] - 1).sum()


@settings(deadline=None, max_examples=examples(60))
@given(SEEDS)
@example(861084)  # a larger member that a third picture shows to be an enlargement
def test_a_keeper_is_never_worth_less_than_its_member(seed: int) -> None:
    made = random_world(seed)
    ratios = ratios_by_hand(made)
    enlarged = set(pictures_by_hand(made, ratios).drop_nulls("paired_pixels")["digest"])
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups.filter(tier="copy")
    facts = made.pictures.select("digest", "width_px", "effective_pixels", "lossless", "jpeg_quality", "mode", "frames")
    both = (
        groups.filter(~pl.col("is_keeper"))
        .join(groups.filter("is_keeper").select("group_id", "digest"), on="group_id", suffix="_keeper")
        .join(facts, on="digest")
        .join(facts, left_on="digest_keeper", right_on="digest", suffix="_keeper")
    )
    for row in both.iter_rows(named=True):
        assert row["frames"] == 1
        seen = row["digest"] in enlarged or (row["digest_keeper"], row["digest"]) in ratios
        assert row["width_px"] <= row["width_px_keeper"] or row["effective_pixels"] is not None or seen
        assert not ratios.get((row["digest_keeper"], row["digest"]), 1.0) < np.float32(0.95)
        assert not (row["mode"] in ("RGB", "RGBA") and row["mode_keeper"] in ("L", "P"))


def test_a_chain_makes_no_group_of_three() -> None:
    made = world(
        [stored(f"{name}.jpg", name) for name in "abc"],
        [picture("a"), picture("b", width_px=2000, height_px=1500), picture("c", width_px=1000, height_px=750)],
        [pair("a", "b"), pair("b", "c")],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert sorted(groups["path"]) == ["a.jpg", "b.jpg"]


def test_copies_and_equal_bytes_of_one_keeper_are_two_groups_and_the_rest_joins_the_star() -> None:
    made = world(
        [stored("a1", "a"), stored("a2", "a"), stored("b1", "b"), stored("b2", "b")],
        [picture("a"), picture("b", width_px=2000, height_px=1500)],
        [pair("a", "b")],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    rows = set(groups.select("path", "tier", "is_keeper").iter_rows())
    assert rows == {
        ("a1", "bytes", True), ("a2", "bytes", False),
        ("a1", "copy", True), ("b1", "copy", False), ("b2", "copy", False),
    }  # fmt: skip
    copy = groups.filter(tier="copy")
    assert copy["reason"][0] == "keeps 4000x3000 JPEG q90: most pixels (12.0 MP against 3.0 MP)"
    assert "PDQ differs in 4 of 256 bits" in copy["reason"][1]


def test_a_withheld_copy_can_keep_a_group_of_its_own_and_is_reported() -> None:
    made = world(
        [stored(name, name) for name in ("still", "film", "small")],
        [
            picture("still"),
            picture("film", frames=9, width_px=3000, height_px=2250),
            picture("small", width_px=640, height_px=480),
        ],
        [pair("still", "film"), pair("film", "small")],
    )
    grouping = group(made.objects, made.pictures, made.pairs, STRICT)
    assert grouping.withheld.select("keeper_digest", "digest").rows() == [(digest_of("still"), digest_of("film"))]
    assert "several frames" in grouping.withheld["reason"][0]
    assert grouping.groups.sort("is_keeper")["path"].to_list() == ["small", "film"]


def test_pictures_of_low_information_are_grouped_by_bytes_only() -> None:
    made = world(
        [stored("a1", "a"), stored("a2", "a"), stored("b", "b")],
        [picture("a", low_information=True), picture("b", width_px=2000, height_px=1500)],
        [pair("a", "b", 0)],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert set(groups["tier"]) == {"bytes"}


def test_group_ids_stay_when_members_come_and_go() -> None:
    pictures = [picture("a"), picture("b", width_px=2000, height_px=1500), picture("c", width_px=640, height_px=480)]
    pairs = [pair("a", "b"), pair("a", "c")]
    few = world([stored("a", "a"), stored("b", "b")], pictures, pairs)
    many = world([stored("z", "a"), stored("b", "b"), stored("c", "c")], pictures, pairs)
    names = [set(group(made.objects, made.pictures, made.pairs, STRICT).groups["group_id"]) for made in (few, many)]
    assert names[0] == names[1]
    assert len(names[0]) == 1


@pytest.mark.parametrize(
    ("links", "count", "freed"),
    [
        ([None, None, None], 1, [2_000_000, 2_000_000]),
        (["1:1", "1:1", "1:1"], 3, [0, 0]),  # names of the keeper's own file
        (["1:1", "1:2", "1:2"], 2, [2_000_000, 0]),  # every name of another file
        (["1:1", "1:2", "1:2"], 3, [0, 0]),  # a third name of it is somewhere else
    ],
)
def test_hard_links_free_nothing_until_the_last_name(links: list[str | None], count: int, freed: list[int]) -> None:
    made = world(
        [stored(path, "a", link_id=link, link_count=count) for path, link in zip("kmn", links, strict=True)],
        [picture("a")],
        [],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert groups["frees_bytes"].to_list() == [0, *freed]


def test_nothing_in_gives_nothing_out() -> None:
    made = world([], [], [])
    grouping = group(made.objects, made.pictures, made.pairs, STRICT)
    assert grouping.groups.is_empty()
    assert grouping.withheld.is_empty()


def test_only_the_needed_columns_are_needed() -> None:
    made = random_world(5)
    few = made.pictures.select("digest", "width_px", "height_px")
    GROUPS.check(group(made.objects, few, made.pairs, STRICT).groups)


def test_a_looser_rule_judges_stored_pairs_again() -> None:
    made = world(
        [stored("a", "a"), stored("b", "b")],
        [picture("a"), picture("b", width_px=2000, height_px=1500)],
        [pair("a", "b", 60, tier="scene")],
    )
    loose = dataclasses.replace(STRICT, name="loose", plain=(Clause(pdq_max=60),), unmeasured=(Clause(pdq_max=60),))
    assert group(made.objects, made.pictures, made.pairs, STRICT).groups.is_empty()
    assert group(made.objects, made.pictures, made.pairs, loose).groups.height == 2


def test_bursts_are_no_copies_even_where_they_look_alike() -> None:
    shots = [datetime(2024, 5, 1, 10, 0, second) for second in (0, 1)]
    made = world(
        [stored("a", "a"), stored("b", "b")],
        [picture("a", taken_at=shots[0]), picture("b", width_px=2000, height_px=1500, taken_at=shots[1])],
        [pair("a", "b", 4)],
    )
    assert group(made.objects, made.pictures, made.pairs, STRICT).groups.is_empty()
    same_time = made.pictures.with_columns(taken_at=pl.lit(shots[0]))
    assert group(made.objects, same_time, made.pairs, STRICT).groups.height == 2


def test_older_objects_represent_their_picture() -> None:
    made = world([stored("a", "a"), stored("z", "a", modified_at=datetime(2001, 1, 1, tzinfo=UTC))], [picture("a")], [])
    keeper = group(made.objects, made.pictures, made.pairs, STRICT).groups.filter("is_keeper")
    assert keeper["path"].to_list() == ["z"]
    assert "older (modified 2001-01-01 00:00:00 against 2024-01-01 00:00:00)" in keeper["reason"][0]


def test_times_within_one_second_are_told_apart() -> None:
    times = [datetime(2024, 1, 1, 22, 0, 3, fraction, tzinfo=UTC) for fraction in (250_000, 125_000)]
    made = world([stored("a", "a", modified_at=times[0]), stored("z", "a", modified_at=times[1])], [picture("a")], [])
    keeper = group(made.objects, made.pictures, made.pairs, STRICT).groups.filter("is_keeper")
    assert "modified 2024-01-01 22:00:03.125000 against 2024-01-01 22:00:03.250000" in keeper["reason"][0]


def test_a_soft_original_is_measured_against_what_resolves_as_much_not_against_noise() -> None:
    early, late = datetime(2001, 1, 1), datetime(2003, 1, 1)
    made = world(
        [stored(name, name) for name in ("soft", "noisy", "thumb")],
        [
            picture("soft", taken_at=early, effective_pixels=5_000_000),
            picture("noisy", taken_at=late, effective_pixels=12_000_000, size_bytes=5_000_000),
            picture("thumb", width_px=640, height_px=480, effective_pixels=200_000),
        ],
        [pair("soft", "noisy", 0, resolution=1.0), pair("soft", "thumb"), pair("noisy", "thumb")],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert groups.filter("is_keeper")["path"].to_list() == ["soft"]
    assert sorted(groups.filter(~pl.col("is_keeper"))["path"]) == ["noisy", "thumb"]
    # Where the two laid on each other do not tell, the soft one may be an enlargement of less, and replaces nothing.
    untold = made.pairs.with_columns(resolution=pl.lit(None, pl.Float32))
    found = group(made.objects, made.pictures, untold, STRICT)
    assert found.groups.filter("is_keeper")["path"].to_list() == ["soft"]
    assert found.groups.filter(~pl.col("is_keeper"))["path"].to_list() == ["thumb"]
    assert found.withheld["reason"].to_list() == ["it resolves more than the keeper"]


# --- Equal samples ---------------------------------------------------------------------------------------------------

PNG = {"format": "PNG", "lossless": True, "jpeg_quality": None}


def same(left: str, right: str) -> dict[str, object]:
    return pair(left, right, 0, tier="pixels", relation="whole", score=0.9999)


def twins(left: Mapping[str, Any], right: Mapping[str, Any]) -> World:
    return world(
        [stored("a.jpg", "a"), stored("b.jpg", "b")], [picture("a", **left), picture("b", **right)],
        [same("a", "b")],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param({"frames": 3}, {"frames": 3}, id="animations"),
        pytest.param({"low_information": True}, {"low_information": True}, id="blank pages"),
        pytest.param({"taken_at": datetime(2020, 1, 1)}, {"taken_at": datetime(2021, 1, 1)}, id="a rewritten date"),
        pytest.param({}, PNG, id="its own samples as PNG"),
        pytest.param({"dominant_tone": 0.9}, {"dominant_tone": 0.9}, id="pages"),
    ],
)
def test_equal_samples_are_proof_whatever_the_rule_asks(left: Mapping[str, Any], right: Mapping[str, Any]) -> None:
    made = twins(left, right)
    nothing = dataclasses.replace(STRICT, plain=(), unmeasured=(), page_like=())
    for rule in (STRICT, nothing):
        found = group(made.objects, made.pictures, made.pairs, rule)
        assert found.groups["is_keeper"].to_list() == [True, False]
        member = found.groups.row(1, named=True)
        assert (member["tier"], member["relation"]) == ("pixels", "whole")
        assert member["score"] == pytest.approx(0.9999)
        assert member["reason"].startswith("every sample is the same")
        assert found.withheld.is_empty()


def test_equal_samples_are_proposed_as_their_tier_only() -> None:
    made = twins({}, {})
    for tiers, expected in ((("bytes", "copy"), 0), (("copy",), 0), (("pixels",), 2), (None, 2)):
        assert group(made.objects, made.pictures, made.pairs, STRICT, tiers=tiers).groups.height == expected


RAW = {"format": "RAW", "mode": "RGB;16", "lossless": True, "jpeg_quality": None, "auxiliary": "sensor data"}


@pytest.mark.parametrize("evidence", ["copy", "pixels"])
@pytest.mark.parametrize(
    ("member", "keeper", "word"),
    [
        pytest.param({"auxiliary": "gain map"}, {}, "gain map", id="Ultra HDR beside a plain JPEG"),
        pytest.param({"auxiliary": "depth"}, {"auxiliary": "gain map"}, "depth", id="one thing beside another"),
        pytest.param({"auxiliary": "video"}, {}, "video", id="a motion photo"),
        pytest.param({"auxiliary": "layers"}, {"auxiliary": "layers"}, "layers", id="two layered files"),
        pytest.param({"auxiliary": "pages"}, {}, "pages", id="a document beside its first page"),
        pytest.param({"auxiliary": "unknown data"}, {}, "not known", id="something behind its end"),
        pytest.param(RAW, {}, "camera RAW", id="RAW beside a JPEG"),
        pytest.param(RAW, RAW, "camera RAW", id="RAW beside another RAW"),
        pytest.param({}, RAW, "camera RAW", id="a JPEG beside its RAW"),
    ],
)
def test_nothing_goes_that_holds_more_than_its_picture(
    member: Mapping[str, Any], keeper: Mapping[str, Any], word: str, evidence: str
) -> None:
    half = {"width_px": 2000, "height_px": 1500} if evidence == "copy" else {}
    found_by = pair("a", "b") if evidence == "copy" else same("a", "b")
    made = world(
        [stored("a.jpg", "a"), stored("b.jpg", "b", modified_at=datetime(2025, 1, 1, tzinfo=UTC))],
        [picture("a", **keeper), picture("b", **member | half)],
        [found_by],
    )
    found = group(made.objects, made.pictures, made.pairs, STRICT)
    assert found.groups.is_empty()
    assert found.withheld.height == 1
    assert word in found.withheld["reason"][0]


def test_what_only_metadata_tells_still_withholds_equal_samples() -> None:
    camera = {"camera": "Maker", "taken_at": datetime(2020, 1, 1)}
    webp = {"format": "WEBP", "jpeg_quality": None}
    made = twins(camera | webp | {"mode": "L"}, webp)
    found = group(made.objects, made.pictures, made.pairs, STRICT)
    assert found.groups.is_empty()
    withheld = found.withheld.row(0, named=True)
    assert (withheld["digest"], withheld["tier"]) == (digest_of("a"), "pixels")
    assert "taken" in withheld["reason"]


@pytest.mark.parametrize("png_is_older", [False, True])
def test_the_lossy_file_stays_for_the_lossless_one_that_was_made_from_it(png_is_older: bool) -> None:
    years = (2023, 2024) if png_is_older else (2024, 2023)
    made = world(
        [
            stored("a.png", "png", modified_at=datetime(years[0], 1, 1, tzinfo=UTC)),
            stored("b.jpg", "jpeg", modified_at=datetime(years[1], 1, 1, tzinfo=UTC)),
        ],
        [picture("png", **PNG | {"size_bytes": 9_000_000}), picture("jpeg")],
        [same("png", "jpeg")],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert groups.select("path", "is_keeper").rows() == [("b.jpg", True), ("a.png", False)]
    assert groups["reason"][0] == "keeps 4000x3000 JPEG q90: the PNG has its very samples, and adds nothing"


def test_a_lossless_file_that_says_when_it_was_taken_stays_for_the_lossy_one_that_does_not() -> None:
    made = twins({}, PNG | {"taken_at": datetime(2020, 1, 1)})
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert groups.select("path", "is_keeper").rows() == [("b.jpg", True), ("a.jpg", False)]


def test_a_keeper_of_both_tiers_has_a_group_of_each() -> None:
    made = world(
        [stored(f"{name}.jpg", name) for name in "abc"],
        [picture("a"), picture("b", taken_at=datetime(2020, 1, 1)), picture("c", width_px=2000, height_px=1500)],
        [same("a", "b"), pair("a", "c"), pair("b", "c")],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert groups["group_id"].n_unique() == 2
    assert groups.filter("is_keeper")["path"].unique().to_list() == ["b.jpg"]
    assert dict(groups.filter(~pl.col("is_keeper")).select("path", "tier").iter_rows()) == {
        "a.jpg": "pixels", "c.jpg": "copy",
    }  # fmt: skip


# --- Relations -------------------------------------------------------------------------------------------------------


def cropped(relation: str, ratio: float | None, **of_crop: object) -> World:
    """A picture and a crop of it; the relation is that of the crop to the picture."""
    first = digest_of("crop") < digest_of("whole")
    opposite = {"part": "contains", "contains": "part"}
    stored_as = relation if first else opposite.get(relation, relation)
    stored_ratio = None if ratio is None else 1 / ratio if first else ratio
    made = {"width_px": 2000, "height_px": 1500} | of_crop
    return world(
        [stored("whole.jpg", "whole"), stored("crop.jpg", "crop")],
        [picture("whole"), picture("crop", **made)],
        [pair("whole", "crop", 4, relation=stored_as, resolution=stored_ratio)],
    )


@pytest.mark.parametrize(
    ("ratio", "of_crop", "reason"),
    [
        (1.0, {}, None),
        (0.95, {}, None),
        (2.0, {"lossless": True, "format": "PNG", "jpeg_quality": None}, None),
        (0.94, {}, "resolves more"),
        (None, {}, "was not measured"),
        (1.0, {"lossless": True, "format": "PNG", "jpeg_quality": None}, "lossless"),
        (1.0, {"jpeg_quality": 98}, "less compressed"),
    ],
)
def test_a_part_goes_only_where_its_keeper_is_as_good(
    ratio: float | None, of_crop: dict[str, object], reason: str | None
) -> None:
    made = cropped("part", ratio, **of_crop)
    found = group(made.objects, made.pictures, made.pairs, STRICT)
    assert found.related.is_empty()
    if reason is None:
        assert found.groups.select("path", "is_keeper", "relation").rows() == [
            ("whole.jpg", True, "whole"),
            ("crop.jpg", False, "part"),
        ]
    else:
        assert found.groups.is_empty()
        assert reason in found.withheld["reason"][0]


def test_a_full_size_crop_is_no_part_of_a_thumbnail_and_the_thumbnail_stays_too() -> None:
    made = cropped("part", 0.3, width_px=8000, height_px=6000)
    found = group(made.objects, made.pictures, made.pairs, STRICT)
    assert found.groups.is_empty()
    assert found.withheld.is_empty()
    # What holds more comes first, whichever is larger.
    assert found.related.select("digest", "other_digest", "relation").rows() == [
        (digest_of("whole"), digest_of("crop"), "contains")
    ]
    # The thumbnail holds more than the crop: somebody may ask for it, but the crop is never proposed for it.
    asked = group(made.objects, made.pictures, made.pairs, STRICT, include=["contains"]).groups
    assert asked.select("path", "is_keeper", "relation").rows() == [
        ("crop.jpg", True, "whole"),
        ("whole.jpg", False, "contains"),
    ]
    assert asked["reason"][1].startswith("shows more than the keeper: look before you act; ")


def test_foreign_content_is_proposed_only_on_demand_and_says_so() -> None:
    made = cropped("composite", 1.5)
    plain = group(made.objects, made.pictures, made.pairs, STRICT)
    assert plain.groups.is_empty()
    assert plain.withheld.is_empty()
    assert plain.related["relation"].to_list() == ["composite"]
    asked = group(made.objects, made.pictures, made.pairs, STRICT, include=["composite"])
    assert asked.related.is_empty()
    assert asked.groups["relation"].to_list() == ["whole", "composite"]
    assert asked.groups["reason"][1].startswith("one of the two holds foreign content: look before you act; ")


def test_what_nobody_looked_at_is_withheld() -> None:
    made = cropped("unverified", 1.0)
    found = group(made.objects, made.pictures, made.pairs, STRICT, include=["composite", "contains", "part"])
    assert found.groups.is_empty()
    assert "no closer look" in found.withheld["reason"][0]


@pytest.mark.parametrize("name", ["whole", "unverified", "collage"])
def test_only_known_relations_can_be_included(name: str) -> None:
    made = cropped("part", 1.0)
    with pytest.raises(UnknownNameError, match=name):
        group(made.objects, made.pictures, made.pairs, STRICT, include=[name])


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS, st.lists(st.sampled_from(["composite", "contains", "part"]), max_size=2))
def test_members_have_a_relation_that_was_asked_for(seed: int, include: list[str]) -> None:
    made = random_world(seed)
    found = group(made.objects, made.pictures, made.pairs, STRICT, include=include)
    assert set(found.groups["relation"]) <= {"whole", "part", *include}
    told = set(found.groups.filter(~pl.col("is_keeper"), pl.col("tier") != "bytes")["digest"])
    assert not told & (set(found.related["digest"]) | set(found.related["other_digest"]))
    withheld = {frozenset(ends) for ends in found.withheld.select("keeper_digest", "digest").iter_rows()}
    assert not withheld & {frozenset(ends) for ends in found.related.select("digest", "other_digest").iter_rows()}
