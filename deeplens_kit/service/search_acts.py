"""What a visitor of the search page can do besides searching, each act asked for anew by who does it.

Takes the session of a page, gives functions for its view; must not hold anything of a question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger.access_values import Scope
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.preference_values import RatingVerdict
from deeplens_kit.views.state.search_acts import SearchActs, Told

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.search.query import Query
    from deeplens_kit.service.pages import PageSession
    from deeplens_kit.views.search_view import SearchView

__all__ = ["open_search", "search_acts"]

_HISTORY = 12
_SAID = {
    RatingVerdict.SAME: "the same picture",
    RatingVerdict.DIFFERENT: "another picture",
    RatingVerdict.FITS: "it fits",
    RatingVerdict.MISFITS: "it does not fit",
}


def open_search(session: PageSession, address: str) -> SearchView:
    """The page of search for a visitor.

    Args:
        session: Of the page.
        address: What stands behind the question mark of the link that they followed.
    """
    from deeplens_kit.pipeline import record_search
    from deeplens_kit.views.pair_view import PairView
    from deeplens_kit.views.search_view import SearchView

    desk, acts = session.desk, search_acts(session)
    state = desk.search_state(
        search=session.doing(Scope.SEARCH_READ, desk.searcher.search, name="search.search"),
        ratings=acts.ratings,
        told=session.doing(Scope.SEARCH_READ, partial(record_search, desk.workspace), name="search.remember"),
    )
    looks = session.doing(Scope.IMAGES_READ, desk.looks, name="search.compare")
    return SearchView(
        state,
        session.doing(Scope.IMAGES_READ, desk.findings, name="search.groups"),
        desk.image_source,
        acts=acts,
        compare=lambda: PairView(looks),
        reads_text=desk.reads_text(),
        preferences=session.doing(Scope.SEARCH_READ, desk.workspace.ledger.preferences, name="search.preferences")(),
        address=address,
    )


def search_acts(session: PageSession) -> SearchActs:
    """The functions; each takes the scope that it needs when it is called."""
    workspace = session.desk.workspace
    reading = Scope.SEARCH_READ

    def rate(query: Query, digests: Sequence[str | None], digest: str, verdict: str, score: float) -> str:
        return _rate(workspace, query, digests, digest, verdict, score)

    def save(name: str, query: Query, replace: bool) -> None:
        from deeplens_kit.pipeline import save_search

        save_search(workspace, name, query, replace=replace)

    def remove(name: str) -> None:
        from deeplens_kit.pipeline import remove_saved_search

        remove_saved_search(workspace, name, current_person())

    def saved() -> Sequence[Told]:
        return _saved(workspace)

    def history() -> Sequence[Told]:
        return _history(workspace)

    def clear_history() -> int:
        return workspace.ledger.clear_search_history(current_person())

    def act(name: str, function: Callable[..., object], scope: Scope = reading) -> Callable[..., object]:
        return session.doing(scope, function, name=f"search.{name}")

    return SearchActs(
        rate=session.doing(Scope.IMAGES_WRITE, rate, name="search.rate") if session.may(Scope.IMAGES_WRITE) else None,
        ratings=_ratings(session),
        save=session.doing(reading, save, name="search.save"),
        remove=act("remove", remove),
        saved=session.doing(reading, saved, name="search.saved"),
        history=session.doing(reading, history, name="search.history"),
        clear_history=session.doing(reading, clear_history, name="search.clear_history"),
        prefer=act("prefer", workspace.ledger.prefer),
    )


def _ratings(session: PageSession) -> Callable[[Query, Sequence[str | None]], Mapping[str, str]]:
    """What who visits said of the results of a question before, verdict by digest."""
    workspace = session.desk.workspace

    def ratings(query: Query, digests: Sequence[str | None]) -> Mapping[str, str]:
        from deeplens_kit.pipeline.rating import my_ratings

        return my_ratings(workspace, query, digests)

    return session.doing(Scope.SEARCH_READ, ratings, name="search.ratings")


def _rate(
    workspace: Workspace, query: Query, digests: Sequence[str | None], digest: str, verdict: str, score: float
) -> str:
    from deeplens_kit.pipeline.rating import rate_result, take_rating_back

    if not verdict:
        take_rating_back(workspace, query, digests, digest)
        return "Taken back."
    kept = rate_result(workspace, query, digests, digest, verdict, score=score)
    said = f"Kept: {_SAID[kept.verdict]}."
    return f"{said} It is a label on this pair." if kept.is_labelled else said


def _saved(workspace: Workspace) -> tuple[Told, ...]:
    mine = current_person()
    places = _places(workspace)
    told = [
        _told(workspace, places, item.query, name=item.name, who=item.who, at=item.at, mine=mine)
        for item in workspace.ledger.saved_searches()
    ]
    return tuple(sorted(told, key=lambda item: (not item.is_mine, item.name)))


def _history(workspace: Workspace) -> tuple[Told, ...]:
    mine = current_person()
    # More are read than shown: who searches for one thing again and again has asked one question.
    records = workspace.ledger.search_history(3 * _HISTORY, mine)
    latest: dict[tuple[str, str], Told] = {}
    places = _places(workspace)
    for record in records:
        item = _told(workspace, places, record.query, name="", who=record.who, at=record.at, mine=mine)
        latest.setdefault((item.asked, item.address), item)
    return tuple(latest.values())[:_HISTORY]


def _places(workspace: Workspace) -> dict[str, str]:
    """The id of each location by its name."""
    return {item.name: item.location_id for item in workspace.ledger.locations()}


def _told(
    workspace: Workspace,
    places: Mapping[str, str],
    document: Mapping[str, object],
    *,
    name: str,
    who: str,
    at: datetime,
    mine: str,
) -> Told:
    from deeplens_kit.search.query_json import query_from_json
    from deeplens_kit.search.query_words import query_words

    when = f"{at:%-d %B %Y, %H:%M} UTC"
    try:
        query = query_from_json(document)
    except SettingsError as error:
        return Told(name, f"(cannot be read: {error})", who, when, "", who == mine)
    return Told(name, query_words(query), who, when, _address(workspace, places, query), who == mine)


def _address(workspace: Workspace, places: Mapping[str, str], query: Query) -> str:
    """What opens a query on the page; empty where the page cannot hold it, or its picture is not kept any more."""
    from dataclasses import replace

    from deeplens_kit.pipeline.asked_pictures import asked_picture, keep_asked_picture
    from deeplens_kit.views.state.question import question_of_query

    question = question_of_query(_by_digest(workspace, places, query))
    if question is None:
        return ""
    if isinstance(question.image, bytes):
        keep_asked_picture(workspace, question.image)
    elif question.image and "://" not in question.image:
        held = workspace.catalog.objects_of([question.image], ("digest",))
        if held.is_empty():
            if asked_picture(workspace, question.image) is None:
                return ""
            question = replace(question, digest=question.image)
    return question.address()


def _by_digest(workspace: Workspace, places: Mapping[str, str], query: Query) -> Query:
    """The query with the places of indexed objects ("location:path") as the pictures that lie there now."""
    from dataclasses import replace

    from deeplens_kit.errors import ObjectError
    from deeplens_kit.search.query import ImageTerm, Term
    from deeplens_kit.storage.paths import ESCAPE, encode_path

    def digest_at(image: object) -> str | None:
        if not isinstance(image, str):
            return None
        text = image.strip()
        # A name may hold a colon, and then another one may be its beginning: the longest is meant.
        names = sorted((name for name in places if text.startswith(f"{name}:")), key=len, reverse=True)
        for name in names:
            try:
                spelt = encode_path(text[len(name) + 1 :])
            except ObjectError:
                continue  # no file has such a name
            # As the file system has it, or as an answer has it, where it is encoded already.
            for path in dict.fromkeys((spelt, spelt.replace(f"{ESCAPE}00", ESCAPE))):
                row = workspace.catalog.object_at(places[name], path)
                if row is not None and row["digest"] is not None:
                    return str(row["digest"])
        return None

    def named(term: Term) -> Term:
        digest = digest_at(term.image) if isinstance(term, ImageTerm) else None
        if not isinstance(term, ImageTerm) or digest is None:
            return term
        return replace(term, image=digest, name=term.name or str(term.image).strip())

    return replace(query, terms=tuple(map(named, query.terms)))
