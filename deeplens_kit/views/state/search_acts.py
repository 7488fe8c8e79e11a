"""What the page of search can do besides searching: rate, keep, remember.

Takes functions that whoever serves the page gives, holds them; must not know a store. Without them, as in a notebook,
a page searches and shows, and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deeplens_kit.search.query import Query

__all__ = ["SearchActs", "Told"]


@dataclass(frozen=True, slots=True)
class Told:
    """A search that was saved, or asked before.

    Attributes:
        name: Under which it was saved; empty for one of the history.
        asked: In words.
        who: Whose.
        when: In words.
        address: What opens it: the text behind the question mark of a link; empty where the page cannot hold it.
        is_mine: It is of the person who sees it.
    """

    name: str
    asked: str
    who: str
    when: str
    address: str
    is_mine: bool = True


@dataclass(frozen=True, slots=True)
class SearchActs:
    """Functions for a page of search; None where a page cannot do it.

    Attributes:
        rate: Keeps a verdict ("same", "different", "fits", "misfits", empty to take it back) on a result: the query,
            the digests of its terms, the result's digest, the verdict and the score; says what came of it.
        ratings: What the person said of a question's results: verdict by digest.
        save: Keeps the query under a name; True puts it in the place of one that has the name.
        remove: Forgets a saved search by its name.
        saved: Saved searches, the person's own first.
        history: What the person asked, the latest first.
        clear_history: Forgets it; how many searches.
        prefer: Remembers a preference by its name.
    """

    rate: Callable[[Query, Sequence[str | None], str, str, float], str] | None = None
    ratings: Callable[[Query, Sequence[str | None]], Mapping[str, str]] | None = None
    save: Callable[[str, Query, bool], Any] | None = None
    remove: Callable[[str], Any] | None = None
    saved: Callable[[], Sequence[Told]] | None = None
    history: Callable[[], Sequence[Told]] | None = None
    clear_history: Callable[[], int] | None = None
    prefer: Callable[[str, object], Any] | None = None
