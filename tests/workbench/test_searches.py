"""Questions as the workbench makes them, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit import Workbench
from deeplens_kit.errors import SettingsError
from deeplens_kit.search import ImageTerm, Query, SearchBy, SearchFilters, TextTerm


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    with Workbench.create(tmp_path_factory.mktemp("searches") / "workspace") as made:
        yield made


def test_pictures_and_texts_become_terms(workbench: Workbench) -> None:
    query = workbench.query(
        [Path("a.png"), ImageTerm("b.png", 0.5)],
        text="a red lorry",
        like="share:c.png",
        unlike_image=b"bytes",
        unlike_text=["snow", TextTerm("night", 2.0)],
        weights={"clip": 1},
        words="holiday",
        filters=SearchFilters(formats=("PNG",)),
        limit=5,
        offset=10,
    )
    assert query == Query(
        (
            ImageTerm(Path("a.png")),
            ImageTerm("b.png", 0.5),
            ImageTerm("share:c.png"),
            TextTerm("a red lorry"),
            ImageTerm(b"bytes", -1.0),
            TextTerm("snow", -1.0),
            TextTerm("night", -2.0),
        ),
        weights={"clip": 1.0},
        words="holiday",
        filters=SearchFilters(formats=("PNG",)),
        limit=5,
        offset=10,
    )
    assert workbench.query("a.png", crop=(0, 0, 0.5, 1), by="parts") == Query(
        (ImageTerm("a.png", crop=(0, 0, 0.5, 1)),), SearchBy.PARTS
    )
    assert workbench.query("a.png", where="format=JPEG").filters == SearchFilters(formats=("JPEG",))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "nothing to search for"),
        ({"image": ["a", "b"], "crop": (0, 0, 1, 1)}, "'crop' is of one picture"),
        ({"text": "x", "crop": (0, 0, 1, 1)}, "'crop' is of one picture"),
        ({"image": "a", "where": "format=PNG", "filters": SearchFilters()}, "say the filters in one of them"),
        ({"image": "a", "limit": 0}, "from 1 to 10,000"),
    ],
)
def test_what_makes_no_question_is_refused(workbench: Workbench, values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        workbench.query(**values)


def test_a_query_says_all_that_is_asked(workbench: Workbench) -> None:
    query = workbench.query("a.png")
    for values in ({"text": "x"}, {"limit": 5}, {"filters": SearchFilters()}):
        with pytest.raises(SettingsError, match="make another"):
            workbench.search(query, **values)  # type: ignore[arg-type]
