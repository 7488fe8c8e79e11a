"""Search by likeness through the Searcher: pictures, parts of them and words, mixed, over drawn shapes in colours."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from drawn_pictures import OUTLINES, WORD_COLOURS, Outlines, WordColours, draw, write_drawn
from PIL import Image

from deeplens_kit.errors import QueryError, UnknownNameError
from deeplens_kit.features import registry
from deeplens_kit.pipeline import Searcher, Workspace, index
from deeplens_kit.pipeline.calibrating import Calibrations
from deeplens_kit.pipeline.held_features import HeldFeatures
from deeplens_kit.schemas import SEARCH_PARTS, SEARCH_PLACES, SEARCH_RESULTS
from deeplens_kit.search import ImageTerm, Library, Query, SearchBy, SearchFilters, TextTerm, VectorShelf
from deeplens_kit.search.comparers import VectorComparer
from deeplens_kit.search.hash_shelf import HashShelf
from deeplens_kit.search.library import laid_against
from deeplens_kit.search.vectors.digests import digest_bytes

FEATURES = ["clarity", "phash", "dhash", "pdq", OUTLINES, WORD_COLOURS]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The drawn pictures, indexed with the features of the tests."""
    folder = tmp_path_factory.mktemp("drawn")
    pictures = write_drawn(folder / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._FACTORIES, OUTLINES, lambda _: Outlines())
        patch.setitem(registry._FACTORIES, WORD_COLOURS, lambda _: WordColours())
        Workspace.create(folder / "workspace").close()
        toml = folder / "workspace" / "workspace.toml"
        toml.write_text(toml.read_text() + f"\n[features]\nenabled = {FEATURES}\n".replace("'", '"'))
        with Workspace.open(folder / "workspace") as workspace:
            workspace.ledger.add_location("pics", str(pictures), {})
            index(workspace)
            yield workspace


@pytest.fixture(scope="module")
def searcher(drawn: Workspace) -> Searcher:
    return Searcher(drawn)


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def names(answer: object, count: int) -> list[str]:
    return answer.results["path"].head(count).to_list()  # type: ignore[attr-defined, no-any-return]


# --- What is found -------------------------------------------------------------------------------------------


def test_words_find_what_shows_it(searcher: Searcher) -> None:
    answer = searcher.search(Query((TextTerm("something red"),), limit=10))
    assert answer.by is SearchBy.LIKENESS
    assert all(path.startswith("red ") for path in names(answer, 10))
    assert answer.results["why"].str.starts_with("word_colours words ").all()
    assert answer.query["name"] == "“something red”"
    assert answer.query["digest"] is None
    assert SEARCH_RESULTS.check(answer.results)["tier"].unique().to_list() == ["scene"]


def test_this_picture_but_red(searcher: Searcher) -> None:
    """Of a shape that is not indexed as it is: alone it finds its like, with words the red ones of these."""
    cross = ImageTerm(png(draw("cross", "blue", 9)), name="cross")
    alone = searcher.search(Query((cross,), weights={OUTLINES: 1}, limit=6))
    assert {path.split()[1] for path in names(alone, 6)} == {"cross"}
    assert alone.query["width_px"] == 96
    red = TextTerm("red", 0.8)
    mixed = searcher.search(Query((cross, red), weights={OUTLINES: 6, WORD_COLOURS: 1}, limit=2))
    assert set(names(mixed, 2)) == {"red cross 1.png", "red cross 2.png"}
    assert mixed.query["name"] == "cross + “red”"
    assert [term["kind"] for term in mixed.terms] == ["picture", "words"]
    parts = mixed.parts.filter(mixed.parts["digest"] == mixed.results["digest"][0])
    assert parts["weight"].to_list() == pytest.approx([6 / 7 / 1.8, 1 / 7 / 1.8, 0.8 / 1.8])
    assert parts["feature"].to_list() == [OUTLINES, WORD_COLOURS, WORD_COLOURS]
    score = (parts["similarity"] * parts["weight"]).sum()
    assert mixed.results["score"][0] == pytest.approx(score, abs=1e-5)
    said = ", ".join(
        f"{row['feature']}{' words' if row['term'] else ''} {row['similarity']:.2f} × {row['weight']:.2f}"
        for row in parts.iter_rows(named=True)
    )
    assert mixed.results["why"][0] == said


def test_a_negative_example_pushes_down_what_is_like_it(searcher: Searcher) -> None:
    triangle, red = ImageTerm(png(draw("triangle", "red", 9))), TextTerm("red", -1)
    before = searcher.search(Query((triangle,), "likeness", limit=3))  # type: ignore[arg-type]
    after = searcher.search(Query((triangle, red), weights={OUTLINES: 4, WORD_COLOURS: 1}, limit=100))
    assert names(before, 1)[0].startswith("red triangle")
    assert {path.split()[1] for path in names(after, 4)} == {"triangle"}
    assert not [path for path in names(after, 4) if path.startswith("red")]
    taken = after.parts.filter(after.parts["term"] == 1)
    assert (taken["weight"] < 0).all()
    assert (after.results["score"] >= 0).all()


@pytest.mark.parametrize("by", ["copies", "likeness"])
def test_a_part_of_an_indexed_picture_finds_it(searcher: Searcher, drawn: Workspace, by: str) -> None:
    """The part holds all that is drawn; what is left out is paper."""
    part = ImageTerm("pics:green cross 1.png", crop=(0.1, 0.1, 0.95, 0.95))
    answer = searcher.search(Query((part,), by, weights={WORD_COLOURS: 1} if by == "likeness" else {}, limit=5))  # type: ignore[arg-type]
    whole = searcher.search("pics:green cross 1.png")
    assert answer.query["digest"] == whole.query["digest"]
    assert (answer.query["width_px"], answer.query["height_px"]) == (82, 82)
    assert all(path.startswith("green") for path in names(answer, 2))
    assert "bytes" not in answer.results["tier"].to_list()
    assert answer.terms[0]["crop"] == [0.1, 0.1, 0.95, 0.95]


def test_the_very_picture_is_first_and_wholly_alike(searcher: Searcher) -> None:
    answer = searcher.search(Query((ImageTerm("pics:blue bar 2.png"),), "likeness"))  # type: ignore[arg-type]
    first = answer.results.row(0, named=True)
    assert (first["path"], first["score"], first["tier"]) == ("blue bar 2.png", 1.0, "bytes")
    only = searcher.search(
        Query((ImageTerm("pics:blue bar 2.png"),), "likeness", filters=SearchFilters(tiers=("bytes",)))  # type: ignore[arg-type]
    )
    assert names(only, 5) == ["blue bar 2.png"]


@pytest.mark.parametrize("feature", ["pdq", "phash", "dhash", OUTLINES, WORD_COLOURS])
def test_each_metric_orders_by_its_own_measure(searcher: Searcher, feature: str) -> None:
    answer = searcher.search(Query((ImageTerm(png(draw("triangle", "blue", 2))),), weights={feature: 1}, limit=1000))
    values = answer.results.select("digest").join(answer.parts, on="digest", maintain_order="left")["value"]
    assert values.is_sorted(descending=feature != OUTLINES)
    assert answer.results["score"].is_sorted(descending=True)
    assert SEARCH_PARTS.check(answer.parts).height == answer.results.height > 5


# --- How it may be asked -------------------------------------------------------------------------------------


def test_every_spelling_of_a_picture_is_the_same_question(searcher: Searcher, drawn: Workspace) -> None:
    (location,) = drawn.ledger.locations()
    path = Path(location.url.removeprefix("file://")) / "red bar 1.png"
    data = path.read_bytes()
    text = base64.b64encode(data).decode()
    digest = searcher.search(path).query["digest"]
    wrapped = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    spellings: list[bytes | Path | str] = [
        data,
        path,
        str(path),
        str(digest),
        f"pics:{path.name}",
        f"data:image/png;base64,{text}",
        text,
        wrapped,
    ]
    spellings.append(base64.urlsafe_b64encode(data).decode().rstrip("="))
    for by in (SearchBy.COPIES, SearchBy.LIKENESS):
        resolved = [searcher.resolve(Query((ImageTerm(image),), by)) for image in spellings]
        assert len({one.fingerprint for one in resolved}) == 1
        answers = [searcher.answer(one).results for one in resolved]
        assert all(answer.equals(answers[0]) for answer in answers)


def test_everything_that_an_answer_depends_on_changes_the_fingerprint(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, other = ImageTerm("pics:red bar 1.png"), ImageTerm("pics:red bar 2.png")
    base = Query((picture, TextTerm("red")), weights={OUTLINES: 1, WORD_COLOURS: 1})
    changed = [
        base,
        replace(base, terms=(other, TextTerm("red"))),
        replace(base, terms=(picture, TextTerm("blue"))),
        replace(base, terms=(replace(picture, weight=0.5), TextTerm("red"))),
        replace(base, terms=(replace(picture, crop=(0, 0, 0.5, 1)), TextTerm("red"))),
        replace(base, terms=(TextTerm("red"), picture)),
        replace(base, weights={OUTLINES: 2, WORD_COLOURS: 1}),
        replace(base, weights=()),
        replace(base, filters=SearchFilters(min_score=0.1)),
        replace(base, filters=SearchFilters(formats=("PNG", "JPEG"))),
        replace(base, limit=10),
        replace(base, offset=1),
        Query((picture,)),
        Query((picture,), SearchBy.LIKENESS),
    ]
    marks = [searcher.resolve(query).fingerprint for query in changed]
    assert len(set(marks)) == len(marks)
    swapped = replace(base, filters=SearchFilters(formats=("JPEG", "PNG")))
    assert searcher.resolve(swapped).fingerprint == marks[9]
    # Nor do a name, or who may be asked for a link, change an answer.
    named = replace(base, terms=(replace(picture, name="mine"), TextTerm("red")), allow_private=True)
    assert searcher.resolve(named).fingerprint == marks[0]
    known = searcher._calibrations._known
    key = next(key for key in known if key[0].startswith(OUTLINES))
    monkeypatch.setitem(known, key, (known[key][0], replace(known[key][1], power=9.0)))
    assert searcher.resolve(base).fingerprint != marks[0]


@pytest.mark.parametrize(
    "query",
    [
        Query((ImageTerm("pics:red bar 1.png"),)),
        Query((ImageTerm("pics:red bar 1.png"), TextTerm("green", 0.3))),
        Query(filters=SearchFilters(formats=("PNG",))),
    ],
)
def test_pages_join_without_a_seam(searcher: Searcher, query: Query) -> None:
    whole = searcher.search(replace(query, limit=200))
    assert whole.results.height > 5
    offsets = range(0, whole.results.height + 7, 7)
    pages = [searcher.search(replace(query, limit=7, offset=offset)) for offset in offsets]
    assert pl.concat([page.results for page in pages]).equals(whole.results)
    assert pl.concat([page.parts for page in pages]).equals(whole.parts)
    assert pages[-1].results.height < 7
    assert [page.offset for page in pages] == list(offsets)


def test_without_terms_all_that_passes_the_filters_comes_by_place(searcher: Searcher, drawn: Workspace) -> None:
    answer = searcher.search(Query(filters=SearchFilters(min_bytes=1), limit=1000))
    listed = drawn.catalog.objects(columns=["path"])["path"].sort().to_list()
    assert answer.results["path"].to_list() == listed
    assert (answer.by, answer.found, answer.found_all) == (None, len(listed), True)


def test_filters_hold_for_likeness(searcher: Searcher) -> None:
    query = Query((TextTerm("red"),), limit=1000)
    everything = searcher.search(query).results
    least = float(everything["score"][3])
    above = searcher.search(replace(query, filters=SearchFilters(min_score=least))).results
    assert above.equals(everything.filter(everything["score"] >= np.float32(least)))
    size = int(everything["size_bytes"].median())  # type: ignore[arg-type]
    small = searcher.search(query, filters=SearchFilters(max_bytes=size)).results
    assert small["digest"].to_list() == everything.filter(everything["size_bytes"] <= size)["digest"].to_list()


# --- What cannot be asked ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        (Query((TextTerm("red"),), weights={OUTLINES: 1}), QueryError, "no feature that is compared understands words"),
        (Query((TextTerm("red"),), weights={"word_colour": 1}), UnknownNameError, "did you mean 'word_colours'"),
        (Query((TextTerm("red"),), weights={"ahash": 1}), UnknownNameError, "no feature of the indexed pictures"),
        (Query((ImageTerm("pics:red bar 1.png", crop=(0, 0, 0.01, 1)),)), QueryError, "at least 8 x 8"),
        (Query((ImageTerm("data:image/png;base64,@@@@"),)), QueryError, "not whole base64"),
        (Query((ImageTerm("data:image/png,%89PNG"),)), QueryError, "not in base64"),
        (Query((ImageTerm("data:2024/a, b.png"),)), QueryError, "is not there"),
        (Query((ImageTerm("data:image/png;base64,bm8gcGljdHVyZQ=="),)), QueryError, "no picture"),
        (Query((ImageTerm("a" * 64),)), QueryError, "is not there"),
    ],
)
def test_what_cannot_be_answered_says_why(
    searcher: Searcher, query: Query, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        searcher.search(query)


def test_a_part_of_a_picture_that_cannot_be_read_says_so(drawn: Workspace, searcher: Searcher) -> None:
    (location,) = drawn.ledger.locations()
    path = Path(location.url.removeprefix("file://")) / "red bar 1.png"
    away = path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(QueryError, match="none of its files can be read"):
            searcher.search(Query((ImageTerm("pics:red bar 1.png", crop=(0, 0, 1, 0.5)),)))
        # All of it is known without its file.
        assert searcher.search(Query((ImageTerm("pics:red bar 1.png"),), SearchBy.LIKENESS)).results.height
    finally:
        away.rename(path)


# --- Calibrations and what they cost -------------------------------------------------------------------------


def test_a_search_for_copies_reads_no_other_features(drawn: Workspace) -> None:
    fresh = Searcher(drawn)
    fresh.search("pics:red bar 1.png")
    held = fresh._held
    assert held is not None
    assert held.features._comparers == {}
    fresh.search(Query((TextTerm("red"),)))
    assert WORD_COLOURS in held.features._comparers


def test_calibrations_are_kept_and_made_again_where_their_file_is_damaged(drawn: Workspace) -> None:
    query = Query((ImageTerm("pics:red bar 1.png"), TextTerm("green")))
    mark = Searcher(drawn).resolve(query).fingerprint
    folder = Path(drawn.settings.cache_dir) / "calibration"
    files = sorted(folder.glob("*.json"))
    assert len(files) == 3
    before = {file: file.stat().st_mtime_ns for file in files}
    assert Searcher(drawn).resolve(query).fingerprint == mark
    assert {file: file.stat().st_mtime_ns for file in files} == before
    for file, text in zip(files, ("", "{}", files[2].read_text().replace('"power"', '"force"')), strict=True):
        file.write_text(text)
    assert Searcher(drawn).resolve(query).fingerprint == mark
    assert not list(folder.glob(".new-*"))


def test_a_library_is_calibrated_again_when_it_has_grown_by_half(drawn: Workspace) -> None:
    digests = pl.Series("digest", [f"{number:064x}" for number in range(160)])
    packed = digest_bytes(digests)
    library = Library(pl.DataFrame({"digest": digests}), SEARCH_PLACES.empty(), packed, np.zeros(161, np.int64), ())
    rows = np.random.default_rng(1).normal(0.4, 1.0, (160, 16)).astype(np.float16)
    calibrations = Calibrations(drawn)

    def of(pictures: int) -> str:
        shelf = VectorShelf.of("grows_1", digests.head(pictures).to_list(), rows[:pictures])
        comparer = VectorComparer(laid_against("grows", shelf, packed))
        no_hash = HashShelf.of("dhash", pl.Series([], dtype=pl.UInt64))
        features = HeldFeatures(library, {}, lambda _: shelf, lambda _: no_hash)
        made = calibrations.of("grows_1", features, comparer, None)
        assert Calibrations(drawn).of("grows_1", features, comparer, None) == made
        return f"{made.calibration_id} of {made.pictures}"

    first = of(100)
    assert first.endswith(" of 100")
    assert of(150) == first
    assert of(151).endswith(" of 151")


def test_too_few_pictures_are_calibrated_by_what_others_gave(drawn: Workspace) -> None:
    searcher = Searcher(drawn)
    pictures = ImageTerm("pics:red bar 1.png")
    (part,) = searcher.resolve(Query((pictures,), weights={"pdq": 1})).parts
    assert "photographs" in part.calibration.origin
    (own,) = searcher.resolve(Query((pictures,), weights={OUTLINES: 1})).parts
    assert "of the library" in own.calibration.origin
