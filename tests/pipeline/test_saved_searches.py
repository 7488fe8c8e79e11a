"""Saved searches can be asked again; the history remembers what was asked, without bytes, paths or secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from deeplens_kit import pipeline
from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.pipeline import SearchAnswer, Workspace
from deeplens_kit.schemas import SEARCH_PLACES, SEARCH_RESULTS
from deeplens_kit.search import ImageTerm, Query, SearchBy, TextTerm
from deeplens_kit.settings import SearchSettings

PICTURE = b"\x89PNG picture of somebody"
DIGEST = hashlib.sha256(PICTURE).hexdigest()
SECRET = "hidden-word"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "share").mkdir()
    with Workspace.create(tmp_path / "workspace") as made:
        pipeline.add_location(made, "share", str(tmp_path / "share"))
        yield made


def answer(digest: str | None = DIGEST, found: int = 3) -> SearchAnswer:
    return SearchAnswer(
        results=SEARCH_RESULTS.empty(),
        places=SEARCH_PLACES.empty(),
        query={"name": "x", "digest": digest},
        searched=5,
        found=found,
        found_all=True,
        current=True,
        missing=(),
        seconds=0.25,
        terms=({"kind": "picture", "digest": digest},),
    )


def _remembered(workspace: Workspace, query: Query) -> str:
    pipeline.record_search(workspace, query, answer())
    return json.dumps(workspace.ledger.search_history(1)[0].query)


def test_a_search_is_saved_and_asked_again(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(PICTURE)
    query = Query(
        (ImageTerm(PICTURE, 2.0, name="upload.png"), ImageTerm("cat.png"), ImageTerm(Path("cat.png")),
         ImageTerm("share:cat.png"), ImageTerm("a" * 64), ImageTerm("https://example.org/a.jpg?id=7"),
         TextTerm("at night", -1.0)),
        limit=7,
    )  # fmt: skip
    saved = pipeline.save_search(workspace, "cats", query, "All of them")
    assert (saved.name, saved.description) == ("cats", "All of them")
    monkeypatch.chdir("/")
    again = pipeline.saved_query(workspace, "cats")
    here = tmp_path / "cat.png"
    images = [term.image for term in again.terms if isinstance(term, ImageTerm)]
    assert images == [PICTURE, here, here, "share:cat.png", "a" * 64, "https://example.org/a.jpg?id=7"]
    assert replace(again, terms=query.terms) == query
    (row,) = pipeline.list_saved_searches(workspace).rows(named=True)
    assert (row["name"], row["by"], row["description"]) == ("cats", "likeness", "All of them")
    assert row["asked"].startswith("like upload.png × 2, cat.png, cat.png, share:cat.png, picture aaaaaaaaaaaa")
    pipeline.remove_saved_search(workspace, "cats")
    with pytest.raises(UnknownNameError):
        pipeline.saved_query(workspace, "cats")


def test_what_cannot_be_kept_is_refused_with_what_to_do(workspace: Workspace) -> None:
    workspace.settings = replace(workspace.settings, search=SearchSettings(saved_picture_max_bytes=10))
    for query, message in (
        (Query((ImageTerm(bytes(11), name="big.png"),)), r"'big.png' has 11 bytes.*up to 10 \(search"),
        (Query((ImageTerm(f"data:image/png;base64,{base64.b64encode(bytes(60)).decode()}"),)), r"up to 10 \(search"),
        (Query((ImageTerm(f"https://anna:{SECRET}@example.org/a.jpg"),)), "'https://example.org/a.jpg' holds a cred"),
        (Query((ImageTerm(f"https://example.org/a.jpg?token={SECRET}"),)), "holds a credential"),
    ):
        with pytest.raises(SettingsError, match=message) as caught:
            pipeline.save_search(workspace, "x", query)
        assert SECRET not in str(caught.value)
    pipeline.save_search(workspace, "x", Query((ImageTerm(bytes(10)),)))
    assert pipeline.list_saved_searches(workspace).height == 1


def test_a_search_of_a_newer_deeplens_is_listed_and_not_run(workspace: Workspace) -> None:
    workspace.ledger.save_search("new", {"version": 99, "terms": []})
    assert "cannot be read" in pipeline.list_saved_searches(workspace)["asked"][0]
    with pytest.raises(SettingsError, match=r"'new' cannot be read.*version 99"):
        pipeline.saved_query(workspace, "new")


@pytest.mark.parametrize(
    ("image", "kept"),
    [
        (PICTURE, DIGEST),
        (Path("/srv/divorce/cat.png"), DIGEST),
        ("/srv/divorce/cat.png", DIGEST),
        (f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}", DIGEST),
        (base64.b64encode(PICTURE).decode(), DIGEST),
        (f"https://anna:{SECRET}@example.org/a.jpg?code={SECRET}#x", "https://example.org/a.jpg"),
        ("share:photos/cat.png", "share:photos/cat.png"),
        ("b" * 64, "b" * 64),
    ],
)
def test_the_history_holds_no_bytes_paths_or_secrets(
    workspace: Workspace, image: bytes | Path | str, kept: str
) -> None:
    text = _remembered(workspace, Query((ImageTerm(image),)))
    assert kept in text
    for hidden in ("divorce", SECRET, "code", base64.b64encode(PICTURE).decode()):
        assert hidden not in text


def test_the_history_tells_what_was_asked_and_what_came(workspace: Workspace) -> None:
    pipeline.record_search(workspace, Query((ImageTerm("share:a.png"),)), answer())
    pipeline.record_search(workspace, Query((TextTerm("a red lorry"),)), answer(None, 12))
    history = pipeline.search_history(workspace)
    assert history.select("asked", "by", "results", "seconds").rows() == [
        ('like "a red lorry"', "likeness", 12, 0.25),
        ("like share:a.png", "copies", 3, 0.25),
    ]
    assert history["at"].dtype == pl.Datetime("us", "UTC") and "@" in history["who"][0]
    assert pipeline.search_history(workspace, 1).height == 1
    assert pipeline.clear_search_history(workspace) == 2
    assert pipeline.search_history(workspace).is_empty()


def test_the_history_is_bounded_and_can_be_switched_off(workspace: Workspace) -> None:
    query = Query((TextTerm("x"),))
    for most, remembered in ((2, 2), (0, 2)):
        workspace.settings = replace(workspace.settings, search=SearchSettings(history_entries=most))
        for _ in range(4):
            pipeline.record_search(workspace, query, answer(None))
        assert pipeline.search_history(workspace).height == remembered


def test_a_history_that_cannot_be_written_is_told_and_costs_no_search(
    workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeplens_kit.ledger.searches._LONGEST_RECORD", 10)
    with caplog.at_level(logging.WARNING):
        pipeline.record_search(workspace, Query((TextTerm("x"),), by=SearchBy.LIKENESS), answer(None))
    assert "search not remembered" in caplog.text
    assert pipeline.search_history(workspace).is_empty()
