"""What stands together on the command line belongs together: pictures and words with their crops and weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_process import Deeplens

from deeplens_kit.pipeline import Workspace
from deeplens_kit.search import ImageTerm, Query, SearchBy, TextTerm

CAT = "share:cat@0.7.jpg"
Ask = Callable[..., Query]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without locations."""
    folder = tmp_path_factory.mktemp("empty") / "workspace"
    Workspace.create(folder).close()
    return folder


@pytest.fixture
def ask(deeplens: Deeplens, empty: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The query that a command line makes."""
    asked: list[Query] = []
    monkeypatch.setattr(
        "deeplens_kit.cli.search_command.answer_search", lambda _workspace, query, **_: asked.append(query)
    )

    def made(*words: object) -> Query:
        done = deeplens("--workspace", empty, "search", *words)
        assert done.code == 0, done.err
        return asked[-1]

    return made


def test_terms_stand_in_their_order_each_with_what_follows_it(ask: Ask) -> None:
    query = ask(
        "--text", "a red lorry", "--weight", 2, "--image", CAT, "--crop", "0,0.1,50%,100%", "--weight=0.5",
        "--like", "a" * 64, "--unlike-text", "at night", "--weight", 0.3, "--image", "b.png", "--unlike-image", "c.png",
        "--crop=25%,0,1,1", "--limit", 7, "--offset", 3,
    )  # fmt: skip
    assert query.terms == (
        TextTerm("a red lorry", 2.0),
        ImageTerm(CAT, 0.5, (0.0, 0.1, 0.5, 1.0)),
        ImageTerm("a" * 64),
        TextTerm("at night", -0.3),
        ImageTerm("b.png"),
        ImageTerm("c.png", -1.0, (0.25, 0.0, 1.0, 1.0)),
    )
    assert (query.limit, query.offset, query.resolved_by) == (7, 3, SearchBy.LIKENESS)


def test_ways_weights_and_words(ask: Ask) -> None:
    assert ask("--image", CAT).resolved_by is SearchBy.COPIES
    assert ask("--image", CAT, "--by", "parts").by is SearchBy.PARTS
    assert ask("--image", CAT, "--weights", "clip_vit_b_32=0.7, colour=0.3").weights == (
        ("clip_vit_b_32", 0.7),
        ("colour", 0.3),
    )
    assert ask("--words", "holiday  sea") == Query(words="holiday sea", limit=20)
    assert ask("--image", CAT, "--allow-private").allow_private


def test_where_and_single_filters_stand_together(ask: Ask) -> None:
    filters = ask("--where", "format=JPEG size>=500kB", "--location", "share", "--threshold", 0.4).filters
    assert (filters.formats, filters.min_bytes, filters.locations) == (("JPEG",), 500_000, ("share",))
    assert filters.min_score == 0.4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--crop", "0,0,1,1", "--image", CAT), "--crop stands before every picture"),
        (("--weight", "1"), "--weight stands before every picture"),
        (("--text", "x", "--crop", "0,0,1,1"), "stands behind --text, which has no parts"),
        (("--image", CAT, "--crop", "0,0,1,1", "--crop", "0,0,1,1"), "--crop is given twice for --image 'share:cat@"),
        (("--image", CAT, "--weight", "1", "--weight", "1"), "--weight is given twice"),
        (("--image", CAT, "--crop", "0,0,1"), "it must be LEFT,TOP,RIGHT,BOTTOM"),
        (("--image", CAT, "--crop", "0,0,50,50"), "for example 0,0,0.5,1 or 0%,0%,50%,100%"),
        (("--image", CAT, "--crop", "0.5,0,0.2,1"), "left less than right"),
        (("--image", CAT, "--weight", "-1"), "goes with --unlike-image or --unlike-text"),
        (("--unlike-text", "x"), "give one picture or text that results are to be like"),
        (("--like", "cat.jpg"), "give a file with --image"),
        (("--image", CAT, "--weights", "colour"), "it must be FEATURE=NUMBER"),
        (("--image", CAT, "--weights", "a=1,a=2"), "names 'a' twice"),
        (("--image", CAT, "--weights", ""), "--weights is empty"),
        (("--image", CAT, "--weights", "a=0"), "The weight of every feature is 0"),
        (("--image", CAT, "--by", "copy"), "did you mean 'copies'"),
        (("--image", CAT, "--text", "x", "--by", "copies"), "takes one picture"),
        ((), "There is nothing to search for"),
    ],
)
def test_what_does_not_belong_together_is_one_line(
    deeplens: Deeplens, empty: Path, words: tuple[str, ...], message: str
) -> None:
    done = deeplens("--workspace", empty, "search", *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err and done.err.count("\n") == 1


def test_a_filter_is_said_once(deeplens: Deeplens, empty: Path) -> None:
    done = deeplens("--workspace", empty, "search", "--where", "format=PNG", "--format", "JPEG")
    assert (done.code, "both set formats" in done.err) == (2, True)
