"""Small worlds to plan in: objects in groups, with everything that a plan has to mind, at random or by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from hypothesis import strategies as st

from deeplens_kit.actions import PlanPlace, PlanRequest
from deeplens_kit.schemas import FAMILIES, GROUPS, OBJECTS, ActionKind, Tier

OPEN = PlanPlace("a", "disk", may_change=True, may_create=True, links=frozenset({"hardlink", "symlink"}), local=True)
PLACES = {
    "a": OPEN,
    "b": PlanPlace("b", "bucket", may_change=True, may_create=True, proves_by_token=True, sets_storage_class=True),
    "c": PlanPlace("c", "closed"),
}
REMOVE = PlanRequest(ActionKind.REMOVE, (Tier.BYTES, Tier.PIXELS, Tier.COPY), "strict@1")


def digest(number: int) -> str:
    return f"{number:064x}"


def an_object(name: str, holds: int, *, at: str = "a", size: int = 100, **more: object) -> dict[str, object]:
    """A row of OBJECTS, with `protected` and `held`."""
    row: dict[str, object] = {
        "object_id": f"{at}/{name}",
        "location_id": at,
        "path": name,
        "size_bytes": size,
        "change_token": f"token of {name}",
        "modified_at": datetime(2024, 1, 1, tzinfo=UTC),
        "link_id": None,
        "link_count": 1,
        "checksum": None,
        "storage_class": None,
        "digest": digest(holds),
        "identity_basis": "read",
        "outcome": "indexed",
        "run_id": "r",
        "protected": False,
        "held": False,
    }
    return {**row, **more}


def objects_of(*rows: dict[str, object]) -> pl.DataFrame:
    schema = {**OBJECTS.polars, "protected": pl.Boolean(), "held": pl.Boolean()}
    return pl.DataFrame(list(rows), schema=schema)


def groups_of(objects: pl.DataFrame, *stars: tuple[str, list[str], str]) -> pl.DataFrame:
    """GROUPS of stars: object id of the keeper, those of the members, the tier."""
    known = {row["object_id"]: row for row in objects.iter_rows(named=True)}
    rows = []
    for keeper, members, tier in stars:
        for at, object_id in enumerate([keeper, *members]):
            row = known[object_id]
            rows.append(
                {
                    "group_id": f"{tier}:{keeper}",
                    **{name: row[name] for name in ("object_id", "location_id", "path", "digest", "size_bytes")},
                    "is_keeper": at == 0,
                    "tier": tier,
                    "relation": "whole",
                    "score": 1.0,
                    "frees_bytes": 0,
                    "reason": "said so",
                    "loses": None,
                }
            )
    return pl.DataFrame(rows, schema=GROUPS.polars)


def families_of(**families: list[str]) -> pl.DataFrame:
    rows = [
        {"object_id": object_id, "family_id": name, "role": "original"}
        for name, members in families.items()
        for object_id in members
    ]
    return pl.DataFrame(rows, schema=FAMILIES.polars)


def files_of(steps: pl.DataFrame, end: str = "victim") -> list[str]:
    """Object ids of an end of steps, in order."""
    return [f"{place}/{path}" for place, path in steps.select(f"{end}_location_id", f"{end}_path").iter_rows()]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Objects, groups and families that contradict each other where they can: chains, links, shared members."""
    count = draw(st.integers(2, 14))
    rows = []
    for number in range(count):
        linked = draw(st.booleans())
        rows.append(
            an_object(
                f"{number}",
                draw(st.integers(0, 4)),
                at=draw(st.sampled_from("aab" if linked else "aabc")),
                size=draw(st.integers(0, 50)),
                link_id=f"1:{draw(st.integers(0, 3))}" if linked else None,
                link_count=draw(st.integers(1, 3)) if linked else 1,
                protected=draw(st.integers(0, 9)) == 0,
                held=draw(st.integers(0, 9)) == 0,
                identity_basis=draw(st.sampled_from(["read", "md5+size", None])),
            )
        )
    objects = objects_of(*rows)
    names = objects["object_id"].to_list()
    stars: dict[str, tuple[str, list[str], str]] = {}
    for keeper in draw(st.lists(st.sampled_from(names), max_size=4, unique=True)):
        members = draw(st.lists(st.sampled_from(names), min_size=1, max_size=6, unique=True))
        tier = draw(st.sampled_from(["bytes", "pixels", "copy", "scene"]))
        stars[keeper] = (keeper, [name for name in members if name != keeper], tier)
    owners = {name: draw(st.sampled_from(["", "", "f", "g"])) for name in names}
    families = families_of(**{family: [name for name in names if owners[name] == family] for family in ("f", "g")})
    return objects, groups_of(objects, *stars.values()), families
