"""What is said of results becomes a label where it speaks of a pair, and is kept where it does not yet."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import skimage.data
from PIL import Image

from deeplens_kit.ledger import acting_as
from deeplens_kit.pipeline import Searcher, Workspace, add_location, index
from deeplens_kit.pipeline import asked_pictures as kept_pictures
from deeplens_kit.pipeline.asked_pictures import KEPT_DAYS, asked_picture, keep_asked_picture
from deeplens_kit.pipeline.forget_caches import clear_caches
from deeplens_kit.pipeline.rating import my_ratings, rate_result, take_rating_back
from deeplens_kit.search.query import ImageTerm, Query, TextTerm


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A cat, and a copy of it."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "pictures").mkdir()
    cat = Image.fromarray(skimage.data.chelsea())
    cat.save(folder / "pictures" / "cat.png")
    cat.save(folder / "pictures" / "cat.jpg", quality=85)
    with Workspace.create(folder / "workspace") as opened:
        add_location(opened, "pictures", str(folder / "pictures"))
        index(opened)
        yield opened


def cat_again(quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(skimage.data.chelsea()).resize((338, 225)).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def asked(workspace: Workspace, query: Query) -> tuple[list[str | None], list[str]]:
    """Digests of the terms, and of the results."""
    answer = Searcher(workspace).search(query)
    return [term["digest"] for term in answer.terms], answer.results["digest"].to_list()  # type: ignore[misc]


def labels(workspace: Workspace) -> list[tuple[str, ...]]:
    rows = workspace.ledger.labels().select("digest_a", "digest_b", "verdict", "who")
    return sorted(rows.iter_rows())


def test_a_verdict_on_an_indexed_picture_is_a_label_and_goes_with_it(workspace: Workspace) -> None:
    (first, *_), found = asked(workspace, Query((ImageTerm("pictures:cat.png"),)))
    assert first is not None
    (other,) = [digest for digest in found if digest != first]
    query = Query((ImageTerm(first),))
    with acting_as("ana"):
        kept = rate_result(workspace, query, [first], other, "same", score=0.9)
        assert kept.is_labelled
        assert my_ratings(workspace, query, [first]) == {other: "same"}
        assert labels(workspace) == [(min(first, other), max(first, other), "same", "ana")]
        rate_result(workspace, query, [first], other, "different")
        assert [row[2] for row in labels(workspace)] == ["different"]
    with acting_as("ben"):
        assert my_ratings(workspace, query, [first]) == {}
    with acting_as("ana"):
        assert take_rating_back(workspace, query, [first], other) is not None
        assert labels(workspace) == [] and my_ratings(workspace, query, [first]) == {}


def test_filters_are_no_other_question_and_a_part_is(workspace: Workspace) -> None:
    (first, *_), _ = asked(workspace, Query((ImageTerm("pictures:cat.png"),)))
    assert first is not None
    whole, part = Query((ImageTerm(first),), limit=5), Query((ImageTerm(first, crop=(0, 0, 0.5, 0.5)),))
    kept = rate_result(workspace, part, [first], "ab" * 32, "fits")
    assert not kept.is_labelled and kept.asked_digest is None
    assert my_ratings(workspace, whole, [first]) == {}
    assert my_ratings(workspace, part, [first]) == {"ab" * 32: "fits"}
    words = Query((TextTerm("a cat"),))
    rate_result(workspace, words, [None], "ab" * 32, "misfits")
    assert my_ratings(workspace, words, [None]) == {"ab" * 32: "misfits"}
    assert labels(workspace) == []


def test_what_is_said_before_a_picture_is_indexed_becomes_a_label_when_it_is(workspace: Workspace) -> None:
    upload = cat_again(60)
    digests, found = asked(workspace, Query((ImageTerm(upload),)))
    with acting_as("ana"):
        kept = rate_result(workspace, Query((ImageTerm(upload),)), digests, found[0], "same")
    assert not kept.is_labelled and labels(workspace) == []
    assert b"bytes" not in str(kept.query).encode()
    folder = Path(workspace.ledger.location("pictures").url.removeprefix("file://"))
    (folder / "from the mail.jpg").write_bytes(upload)
    index(workspace, and_match=False)
    assert [(row[2], row[3]) for row in labels(workspace)] == [("same", "ana")]
    assert workspace.ledger.ratings(labelled=True)[0].rating_id == kept.rating_id


def test_a_picture_that_was_asked_for_is_kept_a_while_and_forgotten_with_all_else(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (keep_asked_picture(workspace, cat_again(quality)) for quality in (70, 71))
    assert asked_picture(workspace, first) == cat_again(70)
    assert asked_picture(workspace, "../../workspace.toml") is None
    folder = Path(workspace.settings.cache_dir)
    (place,) = folder.glob(f"asked/*/*/{first}")
    place.write_bytes(b"something else")
    assert asked_picture(workspace, first) is None, "what is not the picture is not given"
    place.write_bytes(cat_again(70))
    os.utime(place, (0, 0))
    assert asked_picture(workspace, first) is None, f"after {KEPT_DAYS} days"
    assert keep_asked_picture(workspace, cat_again(70)) == first
    assert asked_picture(workspace, first) is not None, "asked for again"
    assert ("asked", 1) in clear_caches(folder, first, really=True)
    assert asked_picture(workspace, first) is None
    monkeypatch.setattr(kept_pictures, "MOST_BYTES", len(cat_again(72)) + 10)
    third = keep_asked_picture(workspace, cat_again(72))
    assert asked_picture(workspace, second) is None
    assert asked_picture(workspace, third) is not None


def test_an_answer_is_a_file_with_every_place(workspace: Workspace) -> None:
    import json

    from deeplens_kit.reporting.answer_files import answer_file

    answer = Searcher(workspace).search(Query((ImageTerm("pictures:cat.png"),)))
    best = answer.results["digest"][0]
    told = json.loads(answer_file(answer, [best], ".json"))
    assert [row["digest"] for row in told["results"]] == [best]
    assert told["results"][0]["places"][0]["path"] == "cat.png"
    rows = pl.read_csv(io.BytesIO(answer_file(answer, answer.results["digest"], ".csv")))
    assert rows.height == answer.places.height
    assert rows["rank"].is_sorted()
