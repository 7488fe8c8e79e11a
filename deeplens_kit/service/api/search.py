"""Searches: pictures like one, or what words say; and the groups of copies.

Takes a picture or words, gives what is stored; must not write. A search is not put into the history of anybody: that
is for people who look for a picture, and programs ask the same a thousand times.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile

from deeplens_kit.errors import LimitExceededError, LinkRefusedError, QueryError, SettingsError
from deeplens_kit.ledger import Scope
from deeplens_kit.pipeline.query_picture import followed
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.link import LinkPicture
from deeplens_kit.search.query import ImageTerm, Query, SearchBy, Term, TextTerm, VectorTerm
from deeplens_kit.search.where import filters_of
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import body_schema, named_in_body, read_body
from deeplens_kit.service.api.groups import duplicate_groups
from deeplens_kit.service.api.lookups import digest_of
from deeplens_kit.service.api.paging import cursor_of, position_of
from deeplens_kit.service.api.results import facets_of, results_of
from deeplens_kit.service.api.values.search import (
    DuplicatesAnswer,
    DuplicatesRequest,
    SimilarityAnswer,
    SimilarityRequest,
)
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.limits import arrivals_of, costly, turnstile_of
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/search", tags=["search"])

_SCHEMES = ("http://", "https://")


@router.post(
    "/similarity",
    summary="Find pictures",
    dependencies=[needs(Scope.SEARCH_READ)],
    responses=PROBLEMS(400, 401, 403, 413, 415, 422, 429, 503),
    openapi_extra=body_schema(SimilarityRequest),
)
async def similarity(request: Request, held: Held) -> SimilarityAnswer:
    """Find the stored pictures that are copies of one, are like it, or show what words say.

    A picture comes as the part `file` of a form, or in JSON as base64, as a link, or by the id of one that is indexed;
    in its place may stand a vector that a model made of it.
    """
    async with read_body(request, SimilarityRequest) as (asked, files):
        content = await _uploaded(held, files)
        followed = await _followed(request, held, asked) if content is None else None
    # Once all of it is here: whoever sends slowly, or has a slow server asked, keeps nobody waiting.
    async with turnstile_of(request).turn():
        return await asyncio.to_thread(_found, held, asked, content, followed)


@router.post(
    "/duplicates",
    summary="List groups of copies",
    dependencies=[needs(Scope.SEARCH_READ), costly()],
    responses=PROBLEMS(400, 401, 403, 404, 413, 422, 429, 503),
)
def duplicates(asked: DuplicatesRequest, held: Held) -> DuplicatesAnswer:
    """List groups of copies with the file that stays, as the rule and the keep policy in use make them."""
    with named_in_body():
        return duplicate_groups(held, asked)


async def _followed(request: Request, held: Service, asked: SimilarityRequest) -> LinkPicture | None:
    """What the link leads to that is asked for; None without one, or where a picture is given in another way, too."""
    if asked.image_url is None or asked.image_base64 is not None or asked.image_id is not None:
        return None
    if not asked.image_url.lower().startswith(_SCHEMES):
        raise LinkRefusedError("The link is not followed: it must begin with http:// or https://.")
    async with arrivals_of(request).turn():
        with named_in_body():
            # Threads of their own: slow servers would take those that searches are made in.
            threads = request.app.state.fetching
            return await to_thread.run_sync(followed, asked.image_url, held.workspace.settings.decode, limiter=threads)


def _found(
    held: Service, asked: SimilarityRequest, upload: tuple[bytes, str] | None, link: LinkPicture | None
) -> SimilarityAnswer:
    started = time.perf_counter()
    with named_in_body():
        query = _query_of(held, asked, upload, link)
        answer = held.desk.searcher.search(query)
    end = query.offset + answer.results.height
    has_more = answer.results.height > 0 and end < answer.found
    return SimilarityAnswer(
        query_id=uuid.uuid4().hex,
        results=results_of(answer, held.settings.thumbnail_base, with_metadata=asked.include_metadata),
        total_results=answer.found,
        total_is_exact=answer.found_all,
        processing_time_ms=round((time.perf_counter() - started) * 1000, 2),
        next_cursor=cursor_of(_list_of(asked), end) if has_more else None,
        notes=list(answer.missing),
        facets=facets_of(answer),
    )


def _query_of(
    held: Service, asked: SimilarityRequest, upload: tuple[bytes, str] | None, link: LinkPicture | None
) -> Query:
    terms: list[Term] = []
    crop = None if asked.crop is None else (asked.crop[0], asked.crop[1], asked.crop[2], asked.crop[3])
    picture = _picture_of(held, asked, upload, link)
    if picture is not None:
        terms.append(ImageTerm(picture[0], crop=crop, name=picture[1]))
    elif crop is not None:
        raise SettingsError("'crop' is of a picture, and there is none; give one, or leave it out.")
    if asked.vector is not None:
        if upload is not None:
            raise SettingsError("A file and 'vector' are given; a search is for one picture, given in one way.")
        terms.append(VectorTerm(asked.feature or "", asked.vector))
    if asked.text is not None:
        terms.append(TextTerm(asked.text))
    return Query(
        tuple(terms),
        by=None if asked.search_by is None else SearchBy(asked.search_by),
        weights=asked.weights,
        words=asked.words,
        filters=_filters_of(asked),
        limit=asked.max_results,
        offset=position_of(asked.cursor, _list_of(asked)),
        facets=asked.facets,
    )


def _picture_of(
    held: Service, asked: SimilarityRequest, upload: tuple[bytes, str] | None, link: LinkPicture | None
) -> tuple[bytes | str, str] | None:
    """The picture that is asked for, and what to call it. Never a text that could name a file of this machine."""
    named = [name for name in ("image_base64", "image_url", "image_id") if getattr(asked, name) is not None]
    if upload is not None:
        if named:
            raise SettingsError(f"A file and {named[0]!r} are given; a search is for one picture, given in one way.")
        return upload
    if asked.image_base64 is not None:
        return _decoded(asked.image_base64, held.workspace.settings.decode.max_bytes), "picture"
    if link is not None:
        return link.data, link.name
    if asked.image_id is not None:
        digest = digest_of(held.workspace, asked.image_id)
        if not held.desk.searcher.holds(digest):
            raise QueryError(f"Picture {digest[:12]}… is not indexed at an active location; send the picture itself.")
        return digest, ""
    return None


def _filters_of(asked: SimilarityRequest) -> SearchFilters:
    filters = filters_of(asked.filter) if asked.filter.strip() else SearchFilters()
    if asked.storage_locations and filters.locations:
        raise SettingsError("Locations are named by 'storage_locations' and by 'filter'; name them in one of them.")
    if asked.similarity_threshold and filters.min_score:
        raise SettingsError("A threshold is given by 'similarity_threshold' and by 'filter'; give one of them.")
    return replace(
        filters,
        locations=tuple(asked.storage_locations) or filters.locations,
        min_score=asked.similarity_threshold or filters.min_score,
    )


def _decoded(text: str, most: int) -> bytes:
    """The bytes of base64, or of a data URI."""
    head, comma, rest = text.partition(",")
    body = rest if comma and head.lower().startswith("data:") else text
    # Four letters hold three bytes.
    if len(body) // 4 * 3 > most + 3:
        raise LimitExceededError(f"The picture has more than {most:,} bytes, which is the most that is decoded.")
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise QueryError(f"'image_base64' is no base64: {error}; encode the bytes of a picture file.") from error


async def _uploaded(held: Service, files: Sequence[UploadFile]) -> tuple[bytes, str] | None:
    if not files:
        return None
    (file,) = files
    most = held.workspace.settings.decode.max_bytes
    if (file.size or 0) > most:
        raise LimitExceededError(f"The picture has {file.size:,} bytes; at most {most:,} are decoded.")
    return await file.read(), file.filename or "picture"


def _list_of(asked: SimilarityRequest) -> Any:
    """What tells this list of results from others: all that is asked but which page."""
    return asked.model_copy(update={"cursor": None}).model_dump_json(exclude={"max_results", "facets"})
