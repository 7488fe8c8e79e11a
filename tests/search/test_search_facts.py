"""Filters and facets held against going through every picture and place, on worlds made at random."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.schemas import PICTURES, SEARCH_DUPLICATES, SEARCH_FACETS, SEARCH_NOTES, SEARCH_PLACES
from deeplens_kit.search import FACETS, Library, SearchFilters, count_facets, facet_filters, filters_of
from deeplens_kit.search.library import PICTURE_COLUMNS
from deeplens_kit.search.path_globs import matches_of
from deeplens_kit.storage.globs import path_matcher
from deeplens_kit.storage.paths import decode_path, encode_path

_FOLDERS = ("photos", "photos/2020", "Holiday", "a b/c")
_LOCATIONS = ("share", "laptop", "share:old")
_CAMERAS = (None, "NIKON D70", "Nikon D700", "Canon EOS")


class World:
    """Pictures with places, notes and groups, as plain rows and as a library."""

    def __init__(self, seed: int, count: int = 60) -> None:
        self.random = np.random.default_rng(seed)
        self.pictures = {self._digest(number): self._picture(number) for number in range(count)}
        self.places = [place for digest in self.pictures for place in self._places(digest)]
        self.notes = {
            place["object_id"]: {
                "collection": self._one_of(["", "press", "family"]),
                "tags": [tag for tag in ("blue", "holiday", "red") if self.random.random() < 0.4],
                "description": "", "category": "", "source": "",
            }
            for place in self.places
            if self.random.random() < 0.5
        }  # fmt: skip
        self.duplicates = {
            digest: {"tiers": tiers, "saves_bytes": int(self.random.integers(0, 1000))}
            for digest in self.pictures
            if (tiers := [tier for tier in ("bytes", "pixels", "copy") if self.random.random() < 0.2])
        }
        notes = [{"object_id": name} | note for name, note in self.notes.items()]
        duplicates = [
            {"digest": digest, "is_keeper": True, "tier": row["tiers"][0], "keeper_object_id": ""} | row
            for digest, row in self.duplicates.items()
        ]
        self.asked_for_groups = 0

        def groups() -> pl.DataFrame:
            self.asked_for_groups += 1
            return SEARCH_DUPLICATES.check(pl.DataFrame(duplicates, schema_overrides=SEARCH_DUPLICATES.polars))

        self.library = Library.of(
            pl.DataFrame(
                [{"digest": digest} | row for digest, row in self.pictures.items()],
                schema={name: PICTURES.polars[name] for name in PICTURE_COLUMNS},
            ),
            pl.DataFrame(self.places, schema=SEARCH_PLACES.polars),
            {},
            notes=pl.DataFrame(notes, schema=SEARCH_NOTES.polars),
            duplicates=groups,
        )

    def lets_through(self, filters: SearchFilters) -> list[bool]:
        """By picture of the library, in plain Python."""
        passing = {place["digest"] for place in self.places if self._place_passes(place, filters)}
        return [
            digest in passing and self._picture_passes(digest, self.pictures[digest], filters)
            for digest in self.library.pictures["digest"]
        ]

    def _picture_passes(self, digest: str, row: Mapping[str, Any], filters: SearchFilters) -> bool:
        taken = row["dated_at"] or row["taken_at"]
        group = self.duplicates.get(digest, {"tiers": [], "saves_bytes": 0})
        camera = (row["camera"] or "").lower()
        named = [name.lower() for name in filters.cameras]
        bounds = [
            (row["size_bytes"], filters.min_bytes, filters.max_bytes),
            (row["width_px"], filters.min_width_px, filters.max_width_px),
            (row["height_px"], filters.min_height_px, filters.max_height_px),
            (min(row["width_px"], row["height_px"]), filters.min_side_px, filters.max_side_px),
            (group["saves_bytes"], filters.min_saves_bytes, None),
        ]
        return (
            all(least <= value and (most is None or value <= most) for value, least, most in bounds)
            and (not filters.formats or row["format"] in filters.formats)
            and _between(taken, filters.taken_from, filters.taken_to)
            and (
                not (named or filters.cameras_with)
                or camera in named
                or any(camera and part.lower() in camera for part in filters.cameras_with)
            )
            and (not filters.duplicates or bool(set(map(str, filters.duplicates)) & set(group["tiers"])))
        )

    def _place_passes(self, place: Mapping[str, Any], filters: SearchFilters) -> bool:
        note = self.notes.get(place["object_id"], {"collection": "", "tags": []})
        modified = place["modified_at"].replace(tzinfo=None) if place["modified_at"] else None
        return (
            (not filters.locations or place["location"] in filters.locations)
            and (not filters.collections or note["collection"] in filters.collections)
            and (not filters.tags or bool(set(filters.tags) & set(note["tags"])))
            and _between(modified, filters.modified_from, filters.modified_to)
            and (not filters.paths or any(self._glob_matches(glob, place) for glob in filters.paths))
        )

    @staticmethod
    def _glob_matches(glob: str, place: Mapping[str, Any]) -> bool:
        for location in ("share:old", "share", "laptop"):
            if glob.startswith(f"{location}:"):
                return place["location"] == location and _matches(glob.removeprefix(f"{location}:"), place["path"])
        return _matches(glob, place["path"])

    def _digest(self, number: int) -> str:
        return hashlib.sha256(self.random.bytes(8) + bytes([number])).hexdigest()

    def _picture(self, number: int) -> dict[str, Any]:
        day = datetime(2019, 12, 30) + timedelta(hours=int(self.random.integers(0, 100)))
        return dict.fromkeys(PICTURE_COLUMNS[1:]) | {
            "size_bytes": int(self.random.choice([99_999, 100_000, 5_000_000, 200_000_000])),
            "width_px": int(self.random.integers(1, 20)), "height_px": int(self.random.integers(1, 20)),
            "format": self._one_of(["JPEG", "PNG", "TIFF"]), "camera": self._one_of(_CAMERAS),
            "taken_at": day if number % 3 else None, "dated_at": day - timedelta(days=9) if number % 4 == 0 else None,
        }  # fmt: skip

    def _places(self, digest: str) -> list[dict[str, Any]]:
        found = []
        for number in range(int(self.random.integers(1, 4))):
            path = f"{self._one_of(_FOLDERS)}/{digest[:2]}_{number}.{self._one_of(['jpg', 'png'])}"
            modified = datetime(2021, 1, 1, tzinfo=UTC) + timedelta(days=int(self.random.integers(0, 4)))
            found.append(
                {"digest": digest, "location": self._one_of(_LOCATIONS), "path": path, "size_bytes": 1,
                 "modified_at": modified if self.random.random() < 0.8 else None,
                 "object_id": f"{digest}/{number}"}
            )  # fmt: skip
        return found

    def _one_of(self, values: Any) -> Any:
        return values[int(self.random.integers(0, len(values)))]


WORLDS = [World(seed) for seed in range(3)]
_TEXTS = {
    "locations": _LOCATIONS, "formats": ("JPEG", "PNG", "GIF"), "cameras": ("nikon d70", "Canon EOS"),
    "cameras_with": ("nikon", "700"), "collections": ("press", "family"), "tags": ("blue", "holiday"),
    "duplicates": ("bytes", "pixels", "copy"),
    "paths": ("*.jpg", "photos/**", "photos/", "share:*.png", "share:old:Holiday/*", "*_[01].*", "a b/", "Holiday"),
}  # fmt: skip
_BOUNDS = {
    "min_bytes": (100_000, 5_000_001), "max_bytes": (99_999, 10**12), "min_width_px": (5,), "max_width_px": (12,),
    "min_height_px": (5, 2**40), "max_height_px": (12, 2**40), "min_side_px": (3,), "max_side_px": (9,),
    "taken_from": (datetime(2019, 12, 31),), "taken_to": (datetime(2020, 1, 1, 12),),
    "modified_from": (datetime(2021, 1, 2),), "modified_to": (datetime(2021, 1, 3),), "min_saves_bytes": (1, 500),
}  # fmt: skip


@st.composite
def filters(draw: st.DrawFn) -> SearchFilters:
    chosen = draw(st.lists(st.sampled_from([*_TEXTS, *_BOUNDS]), max_size=4, unique=True))
    values: dict[str, Any] = {}
    for name in chosen:
        if name in _TEXTS:
            values[name] = tuple(draw(st.lists(st.sampled_from(_TEXTS[name]), min_size=1, max_size=2)))
        else:
            values[name] = draw(st.sampled_from(_BOUNDS[name]))
    try:
        return SearchFilters(**values)
    except SettingsError:
        return SearchFilters()


@given(st.sampled_from(WORLDS), filters())
@example_settings(max_examples=80)
def test_filters_let_through_what_a_look_at_every_row_does(world: World, wanted: SearchFilters) -> None:
    mask = world.library.wanted(wanted)
    found = [True] * len(world.library) if mask is None else mask.tolist()
    assert found == world.lets_through(wanted)
    visible = world.library.places_within(wanted)
    rows = world.library.places.to_dicts()
    assert visible.tolist() == [world._place_passes(row, wanted) for row in rows]
    some = np.arange(0, len(rows), 3)
    assert world.library.places_within(wanted, some).tolist() == visible[some].tolist()


@given(st.sampled_from(WORLDS), filters(), st.booleans())
@example_settings(max_examples=40)
def test_facets_count_what_each_value_alone_would_leave(world: World, wanted: SearchFilters, masked: bool) -> None:
    mask = np.arange(len(world.library)) % 2 == 0 if masked else None
    counted = SEARCH_FACETS.check(count_facets(world.library, mask, wanted, names=FACETS))
    default = SearchFilters()
    for facet in FACETS:
        rows = counted.filter(pl.col("facet") == facet)
        for value, pictures in rows.select("value", "pictures").iter_rows():
            own = facet_filters(facet, value)
            fields = {"year": ("taken_from", "taken_to"), "month": ("taken_from", "taken_to"), "camera": ("cameras",
                      "cameras_with"), "size": ("min_bytes", "max_bytes"), "duplicates": ("duplicates",)}  # fmt: skip
            names = fields.get(facet, (f"{facet}s",))
            alone = replace(wanted, **{name: getattr(default, name) for name in names})
            alone = replace(alone, **{name: getattr(own, name) for name in names})
            passing = np.array(world.lets_through(alone))
            assert pictures == int((passing if mask is None else passing & mask).sum()) > 0, (facet, value)
        order = rows.select("pictures", "value").rows()
        assert order == sorted(order, key=lambda row: (-row[0], row[1]))
    # Nothing that some picture has is left out.
    everything = np.array(world.lets_through(replace(wanted, formats=())))
    chosen = everything if mask is None else everything & mask
    formats = set(world.library.pictures["format"].filter(pl.Series(chosen)))
    assert set(counted.filter(pl.col("facet") == "format")["value"]) == formats


def test_a_facet_has_so_many_values_at_most_and_groups_are_made_once_where_asked_for() -> None:
    world = World(9)
    assert count_facets(world.library, None, SearchFilters(), most=2).group_by("facet").len()["len"].max() == 2
    assert world.asked_for_groups == 0
    for _ in range(2):
        count_facets(world.library, None, filters_of("only=duplicates"), names=FACETS)
    assert world.asked_for_groups == 1
    with pytest.raises(UnknownNameError, match="did you mean 'format'"):
        count_facets(world.library, None, SearchFilters(), names=["formats"])


def test_other_notes_and_groups_leave_the_rest_as_it_was() -> None:
    world = World(4)
    before = world.library
    before.wanted(filters_of("tag=blue only=duplicates"))
    after = before.changed(notes=SEARCH_NOTES.empty(), duplicates=SEARCH_DUPLICATES.empty)
    assert not np.any(after.wanted(filters_of("tag=blue"))) and not np.any(after.wanted(filters_of("only=duplicates")))
    assert np.any(before.wanted(filters_of("tag=blue"))) and after.place_facts is before.place_facts


def test_an_empty_library_has_nothing() -> None:
    empty = Library.of(
        pl.DataFrame(schema={name: PICTURES.polars[name] for name in PICTURE_COLUMNS}), SEARCH_PLACES.empty(), {}
    )
    for text in ("format=JPEG taken>=2020 camera~a only=duplicates saves>=1", "path=*.jpg tag=a modified<=2020"):
        assert empty.wanted(filters_of(text)).tolist() == []  # type: ignore[union-attr]
    assert count_facets(empty, None, SearchFilters(), names=FACETS).is_empty()


_PATH = st.text(alphabet=st.sampled_from("ab./_-[]!é\n\ud800\udc80 *?A0"), min_size=1, max_size=8)
_GLOB = st.text(alphabet=st.sampled_from("ab./_-[]!^é *?A0\\&~"), min_size=1, max_size=8)


@given(st.lists(_PATH, min_size=1, max_size=8), st.lists(_GLOB, min_size=1, max_size=2))
@example_settings(max_examples=120)
def test_globs_over_a_column_match_what_they_match_one_by_one(native: list[str], globs: list[str]) -> None:
    try:
        paths = [encode_path(path.replace("\ud800", "\udc81")) for path in native]
        matches = path_matcher("path", globs)
    except SettingsError:
        with pytest.raises(SettingsError):
            matches_of(pl.Series(["a"]), globs)
        return
    assert matches is not None
    assert matches_of(pl.Series(paths), globs).tolist() == [matches(decode_path(path)) for path in paths]


def _between(moment: datetime | None, first: datetime | None, last: datetime | None) -> bool:
    if first is None and last is None:
        return True
    return moment is not None and (first is None or first <= moment) and (last is None or moment <= last)


@cache
def _matches(glob: str, path: str) -> bool:
    matches = path_matcher("path", [glob])
    return matches is not None and matches(path)
