"""What belongs together stays or goes together: no picture is proposed without its companions."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import World, family_world, other_file, pair, picture, stored, world

from deeplens_kit.matching import STRICT, find_families, group
from deeplens_kit.matching.family_copies import family_standing
from deeplens_kit.savings import savings
from deeplens_kit.schemas import GROUPS, WITHHELD

SEEDS = st.integers(0, 10**6)
EARLY, LATE = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)


def proposed(made: World, **how: object) -> dict[str, str]:
    """Object id of the keeper by that of each object that may go."""
    groups = group(made.objects, made.pictures, made.pairs, STRICT, **how).groups  # type: ignore[arg-type]
    keepers = dict(groups.filter("is_keeper").select("group_id", "object_id").iter_rows())
    members = groups.filter(~pl.col("is_keeper")).select("object_id", "group_id").iter_rows()
    return {member: keepers[group_id] for member, group_id in members}


def withheld(made: World) -> list[tuple[str, str, str | None]]:
    found = group(made.objects, made.pictures, made.pairs, STRICT).withheld
    return found.select("object_id", "keeper_object_id", "companion").rows()


def small(name: str) -> dict[str, object]:
    return picture(name, width_px=2000, height_px=1500, size_bytes=700_000)


@pytest.mark.parametrize(
    ("companion", "named"),
    [("a/1.CR2", "1.CR2"), ("a/1.MOV", "1.MOV"), ("a/1.xmp", "1.xmp"), ("a/1.jpg.json", "1.jpg.json")],
)
def test_a_picture_with_a_companion_is_not_proposed_as_a_copy(companion: str, named: str) -> None:
    made = world(
        [stored("big.jpg", "big"), stored("a/1.jpg", "small"), other_file(companion, "other")],
        [picture("big"), small("small")],
        [pair("big", "small")],
    )
    assert proposed(made) == {}
    assert withheld(made) == [("disk/a/1.jpg", "disk/big.jpg", named)]
    alone = World(made.objects.filter(pl.col("outcome") == "indexed"), made.pictures, made.pairs)
    assert proposed(alone) == {"disk/a/1.jpg": "disk/big.jpg"}


def test_a_picture_with_a_companion_keeps_its_copies() -> None:
    made = world(
        [stored("a/1.jpg", "big"), other_file("a/1.CR2", "raw"), stored("sent.jpg", "small")],
        [picture("big"), small("small")],
        [pair("big", "small")],
    )
    assert proposed(made) == {"disk/sent.jpg": "disk/a/1.jpg"}


@pytest.mark.parametrize("names", [("IMG_1234.jpg", "IMG_E1234.jpg"), ("a.jpg", "a-edited.jpg"), ("a.jpg", "a~2.jpg")])
@pytest.mark.parametrize("larger", [0, 1])
def test_an_original_and_its_edited_version_never_propose_one_another(names: tuple[str, str], larger: int) -> None:
    files = [stored(names[larger], "large"), stored(names[1 - larger], "little")]
    made = world(files, [picture("large"), small("little")], [pair("large", "little")])
    assert proposed(made) == {}
    assert withheld(made) == [(f"disk/{names[1 - larger]}", f"disk/{names[larger]}", names[larger])]
    same = world([stored(names[0], "one"), stored(names[1], "one")], [picture("one")], [])
    assert proposed(same) == {}
    assert len(withheld(same)) == 1


def test_a_stray_copy_goes_and_the_one_with_companions_stays() -> None:
    """Also where the stray is older, and comes first by its place."""
    made = world(
        [
            stored("0.jpg", "one", modified_at=EARLY),
            stored("z/1.jpg", "one", modified_at=LATE),
            other_file("z/1.CR2", "raw", modified_at=LATE),
        ],
        [picture("one")],
        [],
    )
    assert proposed(made) == {"disk/0.jpg": "disk/z/1.jpg"}
    assert withheld(made) == []


def copied(folder: str, when: datetime, *, notes: str | None = None) -> list[dict[str, object]]:
    files = [
        stored(f"{folder}/1.jpg", "one", modified_at=when),
        other_file(f"{folder}/1.CR2", "raw", modified_at=when),
    ]
    return files + (
        [other_file(f"{folder}/1.xmp", notes, modified_at=when, size_bytes=800)] if notes is not None else []
    )


def test_a_family_that_was_copied_whole_goes_whole() -> None:
    made = world(copied("new", LATE) + copied("old", EARLY), [picture("one")], [])
    assert proposed(made) == {"disk/new/1.jpg": "disk/old/1.jpg", "disk/new/1.CR2": "disk/old/1.CR2"}
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert set(groups["tier"]) == {"bytes"}
    assert savings(groups)["realisable_bytes"].to_list() == [27_000_000]
    reasons = dict(groups.select("path", "reason").iter_rows())
    assert reasons["new/1.jpg"] == "byte for byte the same as the keeper, and so are the files that it belongs with"
    assert reasons["new/1.CR2"].endswith("the same as the keeper; it goes with the picture that it belongs with")
    assert reasons["old/1.CR2"] == "it stays with the picture that it belongs with"
    assert reasons["old/1.jpg"].endswith(": it stays with the files that it belongs with")
    # Without the tier nothing is left that could go.
    assert proposed(made, tiers={"copy"}) == {}


def test_a_family_that_a_larger_one_holds_goes_whole() -> None:
    """Although it is older: nothing of it is lost, and the notes are not torn from what they are about."""
    made = world(copied("new", LATE, notes="notes") + copied("old", EARLY), [picture("one")], [])
    assert proposed(made) == {"disk/old/1.jpg": "disk/new/1.jpg", "disk/old/1.CR2": "disk/new/1.CR2"}


@pytest.mark.parametrize("different", ["digest", "unknown", "missing", "role"])
def test_a_family_that_differs_in_one_member_stays_whole(different: str) -> None:
    files = copied("new", LATE, notes="new notes") + copied("old", EARLY, notes="old notes")
    if different == "unknown":
        files[2] |= {"digest": None}
        files[5] |= {"digest": None}
    if different == "missing":
        files = [files[0], files[2], files[3], files[4]]
    if different == "role":
        files[5] = stored("old/1.mov", "new notes", outcome="unsupported", modified_at=EARLY)
    made = world(files, [picture("one")], [])
    assert proposed(made) == {}
    assert withheld(made) == [("disk/new/1.jpg", "disk/old/1.jpg", "1.xmp" if different == "missing" else "1.CR2")]


def test_empty_sidecars_are_equal_though_they_were_not_read() -> None:
    files = copied("new", LATE, notes="") + copied("old", EARLY, notes="")
    for row in (files[2], files[5]):
        row |= {"digest": None, "size_bytes": 0, "outcome": "unreadable"}
    assert set(proposed(world(files, [picture("one")], []))) == {"disk/new/1.jpg", "disk/new/1.CR2", "disk/new/1.xmp"}


def test_a_raw_with_another_name_elsewhere_frees_nothing() -> None:
    files = copied("new", LATE) + copied("old", EARLY)
    for row in (files[1], files[3]):
        row |= {"link_id": "1:77", "link_count": 2}
    groups = group(*_frames(world(files, [picture("one")], [])), STRICT).groups
    assert dict(groups.filter(~pl.col("is_keeper")).select("path", "frees_bytes").iter_rows()) == {
        "new/1.jpg": 2_000_000, "new/1.CR2": 0,
    }  # fmt: skip


def test_a_raw_that_is_twice_without_a_picture_is_not_proposed() -> None:
    made = world(
        [other_file("a/1.CR2", "raw"), other_file("b/1.CR2", "raw"), stored("c/2.jpg", "one")], [picture("one")], []
    )
    assert proposed(made) == {}


def _frames(made: World) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return made.objects, made.pictures, made.pairs


def _families(made: World) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    joined = find_families(made.objects).join(made.objects, on="object_id")
    families: dict[str, list[dict[str, Any]]] = {}
    for row in joined.iter_rows(named=True):
        families.setdefault(row["family_id"], []).append(row)
    return {row["object_id"]: row["family_id"] for rows in families.values() for row in rows}, families


def _marks(rows: list[dict[str, Any]]) -> Counter[tuple[object, object]]:
    return Counter((row["role"], "" if row["size_bytes"] == 0 else row["digest"]) for row in rows)


@settings(deadline=None, max_examples=examples(200))
@given(SEEDS)
def test_families_go_by_the_definition(seed: int) -> None:
    made = family_world(seed)
    _, families = _families(made)
    known = set(made.pictures["digest"])
    families = {name: rows for name, rows in families.items() if any(row["digest"] in known for row in rows)}
    age = {name: min(row["modified_at"] for row in rows) for name, rows in families.items()}
    order = sorted(families, key=lambda name: (age[name], name))
    going = set()
    for at, name in enumerate(order):
        mine = _marks(families[name])
        if any(digest is None for _, digest in mine):
            continue
        for other_at, other in enumerate(order):
            theirs = _marks(families[other])
            if mine < theirs or (mine == theirs and other_at < at):
                going.add(name)
    standing = family_standing(made.objects, made.pictures["digest"])
    stays = dict(standing.pictures.filter("in_family").select("object_id", "stays").iter_rows())
    assert stays == {
        row["object_id"]: name not in going for name, rows in families.items() for row in rows if row["digest"] in known
    }


@settings(deadline=None, max_examples=examples(200))
@given(SEEDS)
def test_nothing_is_torn_apart_and_nothing_is_lost(seed: int) -> None:
    made = family_world(seed)
    grouping = group(*_frames(made), STRICT)
    GROUPS.check(grouping.groups)
    WITHHELD.check(grouping.withheld)
    members, keepers = grouping.groups.filter(~pl.col("is_keeper")), grouping.groups.filter("is_keeper")
    going = set(members["object_id"])
    family_of, families = _families(made)
    assert members["object_id"].is_unique().all()
    assert not going & set(keepers["object_id"])
    assert keepers["group_id"].is_unique().all()
    for name, rows in families.items():
        ids = {row["object_id"] for row in rows}
        # 1. Whole or not at all, and by equal bytes only.
        assert not ids & going or ids <= going, name
        if ids <= going:
            assert set(members.filter(pl.col("object_id").is_in(ids))["tier"]) == {"bytes"}
            # 2. One family that stays holds all of it.
            staying = [other for other in families.values() if not {row["object_id"] for row in other} & going]
            assert any(_marks(rows) <= _marks(other) for other in staying)
    # 3. Nobody goes for one of its own family.
    kept = dict(keepers.select("group_id", "object_id").iter_rows())
    for member, group_id in members.select("object_id", "group_id").iter_rows():
        assert member not in family_of or family_of[member] != family_of.get(kept[group_id])
    # 4. Bytes are lost only for those of another picture that they are a copy of.
    read = members.filter((pl.col("tier") == "bytes") & (pl.col("size_bytes") > 0))
    for digest in read["digest"].unique():
        assert set(made.objects.filter(digest=digest)["object_id"]) - going
    # 5. A stray copy of a member goes.
    held = made.objects.filter(pl.col("digest").is_in(made.pictures["digest"].implode()))
    in_families = set(held.filter(pl.col("object_id").is_in(list(family_of)))["digest"])
    strays = held.filter(pl.col("digest").is_in(list(in_families)) & ~pl.col("object_id").is_in(list(family_of)))
    assert set(strays["object_id"]) <= going
    # 6. What stays for its family although it is there again is said.
    told = set(grouping.withheld.filter(tier="bytes")["object_id"])
    for digest in in_families:
        left = set(held.filter(digest=digest)["object_id"]) - going
        assert len(left - told) == 1
    assert grouping.withheld.filter(pl.col("reason").str.contains("belongs with"))["companion"].null_count() == 0


@settings(deadline=None, max_examples=examples(60))
@given(SEEDS, SEEDS)
def test_the_order_of_input_does_not_matter(seed: int, shuffle: int) -> None:
    made = family_world(seed)
    frames = [frame.sample(fraction=1.0, shuffle=True, seed=shuffle) for frame in _frames(made)]
    first, second = group(*_frames(made), STRICT), group(*frames, STRICT)
    assert first.groups.equals(second.groups)
    assert first.withheld.equals(second.withheld)
