"""What the workbench does with searches: ask, save, ask again, and what was asked.

Takes an open workspace, gives answers and frames; must not compute anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from deeplens_kit import pipeline
from deeplens_kit.errors import SettingsError
from deeplens_kit.workbench.locations import WorkbenchLocations

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import SavedSearch
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.searching import SearchAnswer, Searcher
    from deeplens_kit.search import ImageTerm, Query, SearchBy, SearchFilters, TextTerm
    from deeplens_kit.search.query import Box
    from deeplens_kit.views.search_desk import SearchDesk

    Picture: TypeAlias = bytes | Path | str | ImageTerm
    Pictures: TypeAlias = Picture | Iterable[Picture] | None
    Texts: TypeAlias = str | TextTerm | Iterable[str | TextTerm] | None

_Term = TypeVar("_Term", "ImageTerm", "TextTerm")

__all__ = ["WorkbenchSearches"]


class WorkbenchSearches(WorkbenchLocations):
    """The part of the workbench that is about searches."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._searcher: Searcher | None = None

    def query(
        self,
        image: Pictures = None,
        *,
        text: Texts = None,
        like: str | Iterable[str] | None = None,
        unlike_image: Pictures = None,
        unlike_text: Texts = None,
        crop: Box | None = None,
        weights: Mapping[str, float] | None = None,
        by: SearchBy | str | None = None,
        words: str = "",
        where: str = "",
        filters: SearchFilters | None = None,
        limit: int = 50,
        offset: int = 0,
        facets: bool = False,
    ) -> Query:
        """A question, to be asked with `search` or kept with `save_search`.

        Args:
            image: Results are to be like it: bytes, a file, a link, base64, the digest of an indexed picture, or
                "location:path"; several in a list. An `ImageTerm` has a weight and a crop of its own.
            text: What results are to show; several in a list. A `TextTerm` has a weight of its own.
            like: Indexed pictures, by digest or "location:path".
            unlike_image: Results are to be unlike it.
            unlike_text: What results are not to show.
            crop: The part of `image`, which is one then: left, top, right, bottom in shares of the upright picture.
            weights: How much each feature counts, by name.
            by: "copies", "likeness" or "parts"; None: copies of one picture, else likeness.
            words: Full text over paths, names, tags, descriptions and metadata.
            where: Filters as one text, for example "format=JPEG size>=500kB".
            filters: The same as a value; instead of `where`.
            limit: Results at most.
            offset: Results left out before the first.
            facets: Whether to count what each filter could be set to.

        Raises:
            SettingsError: A value is not allowed, or nothing is asked for.

        Example:
            >>> question = workbench.query("share:photos/portraits/astronaut.png", weights={"pdq": 1}, limit=5)
            >>> str(question.resolved_by), question.limit
            ('likeness', 5)
        """
        from deeplens_kit.search import ImageTerm, Query, SearchBy, SearchFilters, TextTerm

        if where and filters is not None:
            raise SettingsError("Both 'where' and 'filters' are given; say the filters in one of them.")
        if where:
            from deeplens_kit.search.where import filters_of

            filters = filters_of(where)
        pictures = [_term(item, ImageTerm) for item in _several(image)]
        if crop is not None:
            if len(pictures) != 1 or isinstance(image, ImageTerm):
                raise SettingsError("'crop' is of one picture; give several, or an ImageTerm, their own crop.")
            pictures = [ImageTerm(pictures[0].image, crop=crop)]
        terms: list[ImageTerm | TextTerm] = [
            *pictures,
            *(_term(item, ImageTerm) for item in _several(like)),
            *(_term(item, TextTerm) for item in _several(text)),
            *(_term(item, ImageTerm, unlike=True) for item in _several(unlike_image)),
            *(_term(item, TextTerm, unlike=True) for item in _several(unlike_text)),
        ]
        return Query(
            tuple(terms),
            by=None if by is None else SearchBy(by),
            weights=weights or {},
            words=words,
            filters=filters or SearchFilters(),
            limit=limit,
            offset=offset,
            facets=facets,
        )

    def search(
        self,
        image: Pictures | Query = None,
        *,
        text: Texts = None,
        like: str | Iterable[str] | None = None,
        unlike_image: Pictures = None,
        unlike_text: Texts = None,
        crop: Box | None = None,
        weights: Mapping[str, float] | None = None,
        by: SearchBy | str | None = None,
        words: str = "",
        where: str = "",
        filters: SearchFilters | None = None,
        limit: int = 50,
        offset: int = 0,
        facets: bool = False,
    ) -> SearchAnswer:
        """Find pictures: copies of one, or like pictures and words, with their scores and every place they are kept.

        Args:
            image: As of `query`, and so are the others; or a query that has been made.

        Raises:
            QueryError: A picture or text cannot be used; LinkRefusedError where a link is not followed.
            SettingsError: A value is not allowed, or nothing is asked for.

        Example:
            >>> answer = workbench.search("share:photos/portraits/astronaut.png")
            >>> answer.results.select("rank", "score", "tier").row(0)
            (1, 1.0, 'bytes')
        """
        from deeplens_kit.search import Query

        if isinstance(image, Query):
            given = (text, like, unlike_image, unlike_text, crop, weights, by, words, where, filters, facets)
            if any(given) or (limit, offset) != (50, 0):
                raise SettingsError("A query says all that is asked; leave the other values out, or make another.")
            return self._asked(image)
        return self._asked(
            self.query(
                image,
                text=text,
                like=like,
                unlike_image=unlike_image,
                unlike_text=unlike_text,
                crop=crop,
                weights=weights,
                by=by,
                words=words,
                where=where,
                filters=filters,
                limit=limit,
                offset=offset,
                facets=facets,
            )
        )

    def search_desk(self) -> SearchDesk:
        """What `SearchView` works with: a state with nothing asked, thumbnails, and the groups for "Its duplicates".

        Example:
            >>> workbench.search_desk().search_state().has_pictures
            True
        """
        from deeplens_kit.views.search_desk import SearchDesk

        return SearchDesk(self.workspace)

    def save_search(self, name: str, query: Query, description: str = "", *, replace: bool = False) -> SavedSearch:
        """Keep a question under a name, with the pictures that were given as bytes.

        Args:
            name: Unique.
            query: As `query` makes it.
            description: What it is for.
            replace: Put it in the place of one that has the name.

        Raises:
            SettingsError: The name is taken or not allowed, a picture is too large, or a link holds a credential.

        Example:
            >>> question = workbench.query("share:photos/portraits/astronaut.png")
            >>> workbench.save_search("Eileen", question, "For the exhibition", replace=True).name
            'Eileen'
        """
        return pipeline.save_search(self.workspace, name, query, description, replace=replace)

    def saved_searches(self) -> pl.DataFrame:
        """Every saved search: name, asked (in words), by, description, who, at.

        Example:
            >>> workbench.saved_searches().columns[:2]
            ['name', 'asked']
        """
        return pipeline.list_saved_searches(self.workspace)

    def run_search(self, name: str, *, limit: int | None = None, offset: int | None = None) -> SearchAnswer:
        """Ask a saved question again, of the pictures that are indexed now.

        Args:
            name: Of a saved search.
            limit: Instead of the one that was saved.
            offset: The same.

        Raises:
            UnknownNameError: There is none of the name; the nearest is suggested.

        Example:
            >>> question = workbench.query("share:photos/portraits/astronaut.png")
            >>> workbench.save_search("again", question, replace=True).who == workbench.saved_searches()["who"][0]
            True
            >>> workbench.run_search("again", limit=1).results.height
            1
        """
        from dataclasses import replace

        query = pipeline.saved_query(self.workspace, name)
        query = replace(
            query, limit=query.limit if limit is None else limit, offset=query.offset if offset is None else offset
        )
        return self._asked(query)

    def remove_saved_search(self, name: str) -> None:
        """Forget a saved search; UnknownNameError where there is none.

        Example:
            >>> _ = workbench.save_search("for now", workbench.query("share:photos/portraits/astronaut.png"))
            >>> workbench.remove_saved_search("for now")
            >>> "for now" in workbench.saved_searches()["name"]
            False
        """
        pipeline.remove_saved_search(self.workspace, name)

    def search_history(self, limit: int | None = 100) -> pl.DataFrame:
        """What was searched for by the command and the workbench, the latest first; `limit=None` for all of it.

        Example:
            >>> _ = workbench.search("share:photos/portraits/astronaut.png")
            >>> workbench.search_history(1)["asked"].to_list()
            ['like share:photos/portraits/astronaut.png']
        """
        return pipeline.search_history(self.workspace, limit)

    def clear_search_history(self) -> int:
        """Forget what was searched for, by everybody; how many searches that were. Saved ones stay.

        Example:
            >>> workbench.clear_search_history() >= 0, workbench.search_history().height
            (True, 0)
        """
        return pipeline.clear_search_history(self.workspace)

    def _asked(self, query: Query) -> SearchAnswer:
        if self._searcher is None:
            self._searcher = pipeline.Searcher(self.workspace)
        answer = self._searcher.search(query)
        pipeline.record_search(self.workspace, query, answer)
        return answer


def _several(given: object) -> list[object]:
    """What was given as a list: one is a list of one."""
    if given is None:
        return []
    single = isinstance(given, str | bytes | bytearray | memoryview | Path) or not isinstance(given, Iterable)
    return [given] if single else list(given)  # type: ignore[call-overload]


def _term(given: object, kind: type[_Term], *, unlike: bool = False) -> _Term:
    """A term with its sign; what is none yet has weight 1."""
    from dataclasses import replace

    term = given if isinstance(given, kind) else kind(given)  # type: ignore[arg-type]
    return replace(term, weight=-abs(term.weight)) if unlike else term
