"""Searches by parts: collages, screenshots and crops that the test makes of real photographs, and what they lead to."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageOps
from skimage import data

from deeplens_kit.errors import QueryError
from deeplens_kit.features import Extractor, available
from deeplens_kit.matching.verification import verify_pairs
from deeplens_kit.pipeline import Searcher, Workspace, index
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.looks import PictureLooks
from deeplens_kit.pipeline.part_search import PartSearch, PartsFound
from deeplens_kit.pipeline.query_picture import features_of, sought
from deeplens_kit.pipeline.search_library import Held, held_state, load_held
from deeplens_kit.schemas import PAIRS, Tier
from deeplens_kit.search import SearchFilters
from deeplens_kit.search.part_views import share_of
from deeplens_kit.search.query import Box, ImageTerm, Query, SearchBy

LEAST_IOU = 0.7
SIZE = (960, 640)


def photograph(name: str, size: tuple[int, int] = (480, 320)) -> Image.Image:
    return ImageOps.fit(Image.fromarray(getattr(data, name)()).convert("RGB"), size)


def collage() -> Image.Image:
    """Four photographs, of which the library has the cat and the coffee, those in two corners."""
    picture = Image.new("RGB", SIZE)
    for name, corner in (("cat", (0, 0)), ("rocket", (480, 0)), ("retina", (0, 320)), ("coffee", (480, 320))):
        picture.paste(photograph(name), corner)
    return picture


def screenshot(inside: Image.Image) -> Image.Image:
    """A page in a window, with a picture on it."""
    picture = Image.new("RGB", SIZE, (246, 246, 248))
    picture.paste((60, 62, 70), (0, 0, 960, 48))
    for line in range(14):
        picture.paste((150, 150, 156), (40, 90 + 36 * line, 250 + 17 * (line * 7 % 11), 100 + 36 * line))
    picture.paste(inside.resize((420, 420)), (500, 130))
    return picture


def encoded(picture: Image.Image, quality: int = 88) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@dataclass(frozen=True)
class Library:
    """Photographs, and what was made of some of them, indexed."""

    workspace: Workspace
    held: Held
    search: PartSearch
    extractors: tuple[Extractor, ...]

    def ask(
        self, content: bytes, crop: Box | None = None, filters: SearchFilters | None = None, **more: float
    ) -> list[dict[str, object]]:
        """The rows of an answer, each with the path of its picture."""
        return self.rows(self.found(content, crop, filters, **more))

    def found(
        self, content: bytes, crop: Box | None = None, filters: SearchFilters | None = None, **more: float
    ) -> PartsFound:
        toolbox = Toolbox(self.extractors, self.workspace.settings.decode, thumbnails=None)
        asked = features_of(sought(content, self.held.library, toolbox.decode), self.held.library, toolbox)
        wanted = self.held.library.wanted(filters) if filters else None
        # Of a part other features would be known.
        picture = asked.picture if crop is None else type(asked.picture)("", asked.picture.facts, {})
        return self.search.search(
            self.held, picture, content, self.extractors, crop=crop, wanted=wanted, **{"seconds": 60.0, **more}
        )

    def rows(self, found: PartsFound) -> list[dict[str, object]]:
        library = self.held.library
        starts = library.starts[found.rows["position"].to_numpy()]
        paths = library.places["path"].gather(starts).to_list()
        return [{**row, "path": path} for row, path in zip(found.rows.iter_rows(named=True), paths, strict=True)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("parts")
    pictures, made = folder / "pictures", folder / "made"
    pictures.mkdir()
    made.mkdir()
    for name in ("cat", "coffee", "brick", "moon", "clock", "coins", "grass", "immunohistochemistry"):
        photograph(name, (720, 480)).save(pictures / f"{name}.png")
    Image.fromarray(data.astronaut()).save(pictures / "astronaut.png")
    screenshot(Image.fromarray(data.astronaut())).save(made / "screenshot.jpg", quality=90)
    sides = Image.new("RGB", SIZE)
    sides.paste(photograph("rocket", (480, 640)), (0, 0))
    sides.paste(photograph("camera", (480, 640)), (480, 0))
    sides.save(made / "side by side.jpg", quality=90)
    with Workspace.create(folder / "workspace") as workspace:
        workspace.ledger.add_location("pictures", str(pictures), {})
        workspace.ledger.add_location("made", str(made), {})
        index(workspace, and_match=False)
        held = load_held(workspace, held_state(workspace), None)
        features = type(workspace.settings.features)(enabled=("clarity", "phash", "pdq", "sscd_small"))
        extractors = tuple(available(features).extractors.values())
        yield Library(workspace, held, PartSearch(workspace), extractors)


def near(found: object, truth: Box) -> bool:
    assert isinstance(found, list)
    left, top, right, bottom = found
    return share_of((left, top, right, bottom), truth) >= LEAST_IOU


def test_the_parts_of_a_collage_lead_to_their_pictures(library: Library) -> None:
    rows = library.ask(encoded(collage()))
    first, second = rows[:2]
    assert {first["path"], second["path"]} == {"cat.png", "coffee.png"}
    assert [row["relation"] for row in rows[:2]] == ["composite", "composite"]
    corners = {"cat.png": (0.0, 0.0, 0.5, 0.5), "coffee.png": (0.5, 0.5, 1.0, 1.0)}
    for row in (first, second):
        assert near(row["region_asked"], corners[str(row["path"])]), row
        assert near(row["region_found"], (0.0, 0.0, 1.0, 1.0)), row
        assert "is in the picture asked for" in str(row["why"])
    assert len(rows) == 2, "nothing else has anything in common with it"


def test_a_screenshot_is_found_by_the_picture_in_it(library: Library) -> None:
    rows = library.ask(encoded(Image.fromarray(data.astronaut()).resize((400, 400)), 80))
    by_path = {row["path"]: row for row in rows}
    assert set(by_path) == {"astronaut.png", "screenshot.jpg"}
    assert by_path["astronaut.png"]["relation"] == "whole"
    held = by_path["screenshot.jpg"]
    assert held["relation"] == "composite"
    assert near(held["region_found"], (500 / 960, 130 / 640, 920 / 960, 550 / 640))
    assert near(held["region_asked"], (0.0, 0.0, 1.0, 1.0))
    assert str(held["why"]).startswith("holds the picture asked for")


def test_a_crop_leads_to_the_picture_that_it_was_cut_from(library: Library) -> None:
    crop = photograph("coffee", (720, 480)).crop((180, 60, 540, 400))
    first = library.ask(encoded(crop))[0]
    assert (first["path"], first["relation"], first["tier"]) == ("coffee.png", "contains", Tier.COPY)
    assert near(first["region_found"], (0.25, 60 / 480, 0.75, 400 / 480))
    assert near(first["region_asked"], (0.0, 0.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (ImageOps.mirror, "mirrored"),
        (lambda part: part.resize((part.width * 2 // 5, part.height * 2 // 5)), "matching points"),
    ],
    ids=["mirrored", "rescaled"],
)
def test_a_changed_part_is_found_all_the_same(
    library: Library, changed: Callable[[Image.Image], Image.Image], said: str
) -> None:
    page = Image.new("RGB", SIZE, (250, 250, 250))
    part = changed(photograph("cat", (720, 480)).crop((120, 40, 620, 440)))
    page.paste(part, (300, 100))
    first = library.ask(encoded(page))[0]
    assert first["path"] == "cat.png"
    assert said in str(first["why"])
    assert near(first["region_asked"], (300 / 960, 100 / 640, (300 + part.width) / 960, (100 + part.height) / 640))


def test_a_part_that_is_named_is_searched_for_and_told_in_the_whole_picture(library: Library) -> None:
    whole = encoded(collage())
    named = library.ask(whole, crop=(0.5, 0.5, 1.0, 1.0))
    assert [row["path"] for row in named] == ["coffee.png"]
    assert near(named[0]["region_asked"], (0.5, 0.5, 1.0, 1.0))


def test_a_part_of_an_indexed_picture_leads_to_that_picture_first(library: Library) -> None:
    crop = (0.2, 0.0, 0.7, 0.5)
    answer = Searcher(library.workspace, once=True).search(Query((ImageTerm("pictures:astronaut.png", crop=crop),)))
    assert answer.by is SearchBy.PARTS
    first = answer.results.row(0, named=True)
    assert (first["path"], first["score"], first["relation"]) == ("astronaut.png", 1.0, "contains")
    assert near(first["region_asked"], crop) and near(first["region_found"], crop)
    assert "screenshot.jpg" in answer.results["path"].to_list(), "others that show the part come behind it"


def test_the_first_of_one_is_the_first_of_many(library: Library) -> None:
    asked = encoded(Image.fromarray(data.astronaut()).resize((400, 400)), 80)
    assert library.ask(asked, limit=1)[0]["path"] == library.ask(asked, limit=20)[0]["path"] == "astronaut.png"


def test_a_picture_with_nothing_in_common_finds_nothing(library: Library) -> None:
    found = library.found(encoded(photograph("gravel", (640, 480))))
    assert not found.rows.height
    assert found.is_whole and not found.notes
    assert found.looked_at > 0, "or it was no question"


def test_filters_are_applied_before_anything_is_looked_at(library: Library) -> None:
    asked = encoded(Image.fromarray(data.astronaut()).resize((400, 400)), 80)
    found = library.found(asked, filters=SearchFilters(locations=("made",)))
    assert [row["path"] for row in library.rows(found)] == ["screenshot.jpg"]
    assert found.compared == 2
    assert library.ask(asked, min_score=1.0) == []


def test_the_very_picture_comes_first(library: Library) -> None:
    position = library.held.library.places["path"].to_list().index("astronaut.png")
    library_path = library.held.library.places["location"][position]
    root = next(url for _, name, url in library.held.state.locations if name == library_path)
    first = library.ask(Path(root.removeprefix("file://"), "astronaut.png").read_bytes())[0]
    assert (first["path"], first["tier"], first["score"]) == ("astronaut.png", Tier.BYTES, 1.0)


def test_what_there_was_no_time_to_look_at_is_told_and_comes_last(library: Library) -> None:
    found = library.found(encoded(collage()), seconds=0.0)
    assert found.looked_at == 0 and not found.is_whole
    assert found.rows["relation"].unique().to_list() == ["unverified"]
    assert found.rows["why"].str.contains("not looked at closely: the time for it was spent").all()
    assert float(found.rows["score"].max()) < 0.3
    assert "were not looked at closely" in " ".join(found.notes)


def test_a_picture_that_cannot_be_read_any_more_says_so_and_is_tried_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    searching = PartSearch(library.workspace)
    again = Library(library.workspace, library.held, searching, library.extractors)
    asked = encoded(collage())
    with monkeypatch.context() as gone:
        gone.setattr("deeplens_kit.pipeline.picture_bytes.PictureBytes.read_held", lambda self, held: None)
        found = again.found(asked)
    assert found.rows["relation"].unique().to_list() == ["unverified"]
    assert "could not be looked at" in " ".join(found.notes)
    assert again.ask(asked)[0]["relation"] == "composite"


def test_without_a_model_hashes_find_what_is_cut_exactly(library: Library) -> None:
    hashes = tuple(item for item in library.extractors if item.spec.name != "sscd_small")
    alone = Library(library.workspace, library.held, PartSearch(library.workspace), hashes)
    found = alone.found(encoded(collage()), crop=(0.0, 0.0, 1.0, 1.0))
    assert {row["path"] for row in alone.rows(found)} == {"cat.png", "coffee.png"}
    assert "hashes alone" in " ".join(found.notes)


def test_what_is_no_picture_cannot_be_asked_for(library: Library) -> None:
    asked = features_of(
        sought(encoded(collage()), library.held.library, library.workspace.settings.decode),
        library.held.library,
        Toolbox(library.extractors, library.workspace.settings.decode, thumbnails=None),
    )
    with pytest.raises(QueryError, match="cannot be searched for"):
        library.search.search(library.held, asked.picture, b"no picture", library.extractors)


def test_looks_at_one_picture_agree_with_those_of_stored_pairs(library: Library) -> None:
    """The same evidence as a stored pair has, of pictures that are looked at as wholes."""
    content = encoded(photograph("coffee", (720, 480)).crop((180, 60, 540, 400)))
    first = library.found(content).rows.row(0, named=True)
    digest = library.held.library.pictures["digest"][first["position"]]
    file = next(place for place in Path(library.workspace.directory).parent.rglob("coffee.png"))
    looks = PictureLooks.of_bytes({"0" * 64: content, digest: file.read_bytes()}, library.workspace.settings.decode)
    pair = dict.fromkeys(PAIRS.names) | {"digest_a": "0" * 64, "digest_b": digest, "found_by": "", "hub": False}
    pair |= {"tier": "copy", "relation": "unverified", "score": 0.0, "run_id": ""}
    (seen,) = verify_pairs(pl.DataFrame([pair], schema=PAIRS.polars), looks).iter_rows(named=True)
    assert seen["relation"] == "part", "of the crop to the picture, as `contains` is the other way round"
    assert np.allclose(seen["region_b"], first["region_found"], atol=1e-3)
