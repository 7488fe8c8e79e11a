"""What people say of the results of a search, and what becomes of it: a label where it speaks of a pair of pictures.

Takes an open workspace, a query and a verdict on one result, keeps it; must not decide anything. A verdict on a result
of a search for one whole picture, where both are indexed, is a label on the pair like any other. What is said of other
searches is kept: of a picture that is not indexed yet, until it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import acting_as
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.preference_values import Rating, RatingVerdict
from deeplens_kit.pipeline.labelling import record_label
from deeplens_kit.pipeline.query_records import query_for_history
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Verdict
from deeplens_kit.search.query import ImageTerm, Query, TextTerm, VectorTerm
from deeplens_kit.search.query_json import query_to_json
from deeplens_kit.telemetry import get_logger

__all__ = ["asked_key", "label_kept_ratings", "my_ratings", "rate_result", "take_rating_back"]

_log = get_logger(__name__)
_VERDICTS = {RatingVerdict.SAME: Verdict.SAME, RatingVerdict.DIFFERENT: Verdict.DIFFERENT}


def asked_key(query: Query, digests: Sequence[str | None]) -> str:
    """SHA-256 that tells what a query asks for from all else: its pictures, words and crops, but not its filters.

    Args:
        query: As it was asked.
        digests: Of each term its picture's digest, None for words.
    """
    terms = []
    for term, digest in zip(query.terms, digests, strict=False):
        if isinstance(term, TextTerm):
            terms.append(["text", term.text, term.weight])
        elif isinstance(term, VectorTerm):
            terms.append(["vector", term.feature, term.values, term.weight])
        else:
            terms.append(["image", digest, term.weight, term.crop])
    return hashlib.sha256(json.dumps([terms, query.words]).encode()).hexdigest()


def rate_result(
    workspace: Workspace,
    query: Query,
    digests: Sequence[str | None],
    digest: str,
    verdict: RatingVerdict | str,
    *,
    score: float = 0.0,
) -> Rating:
    """Keep what this person says of a result; it is a label on the pair too, where it speaks of one.

    Args:
        workspace: An open workspace.
        query: As it was asked.
        digests: Of each term its picture's digest, None for words.
        digest: The result.
        verdict: On it.
        score: That the result had.

    Raises:
        UnknownNameError: There is no such verdict.
        SettingsError: A digest is none.
    """
    asked = _one_picture(query, digests)
    locations = [item.name for item in workspace.ledger.locations(inactive=True)]
    document = query_to_json(query_for_history(query, digests, locations))
    key = asked_key(query, digests)
    kept = workspace.ledger.rate(key, digest, verdict, query=document, asked_digest=asked, score=score)
    return _labelled(workspace, kept)


def take_rating_back(workspace: Workspace, query: Query, digests: Sequence[str | None], digest: str) -> Rating | None:
    """Forget what this person said of a result, and the label that came of it; None where nothing was said."""
    was = workspace.ledger.withdraw_rating(asked_key(query, digests), digest)
    if was is not None and was.is_labelled and was.asked_digest is not None:
        workspace.ledger.withdraw_label(*_pair(was.asked_digest, was.digest))
    return was


def my_ratings(workspace: Workspace, query: Query, digests: Sequence[str | None]) -> dict[str, str]:
    """What this person said of the results of a question: verdict by digest."""
    found = workspace.ledger.ratings(who=current_person(), asked_key=asked_key(query, digests))
    return {item.digest: str(item.verdict) for item in found}


def label_kept_ratings(workspace: Workspace) -> int:
    """Make labels of kept ratings whose pictures are indexed by now, each by the person who gave it; how many.

    A ledger that cannot be written is logged: they are kept, and their turn comes again.
    """
    try:
        waiting = [item for item in workspace.ledger.ratings(labelled=False) if _says_of_pair(item)]
        digests = {digest for item in waiting for digest in (item.asked_digest, item.digest) if digest is not None}
        if not digests:
            return 0
        held = set(workspace.catalog.objects_of(sorted(digests), ("digest",))["digest"])
        ready = [item for item in waiting if {item.asked_digest, item.digest} <= held]
        for rating in ready:
            with acting_as(rating.who):
                _label(workspace, rating)
    except DeepLensError as error:
        _log.warning("ratings not made labels", error=str(error))
        return 0
    return len(ready)


def _labelled(workspace: Workspace, rating: Rating) -> Rating:
    """The rating, and a label too where it says of two indexed pictures whether they are one."""
    if not _says_of_pair(rating):
        return rating
    held = workspace.catalog.objects_of([str(rating.asked_digest), rating.digest], ("digest",))
    if held["digest"].n_unique() < len(("asked", "found")):
        return rating
    _label(workspace, rating)
    return replace(rating, is_labelled=True)


def _says_of_pair(rating: Rating) -> bool:
    return rating.asked_digest not in (None, rating.digest) and rating.verdict in _VERDICTS


def _label(workspace: Workspace, rating: Rating) -> None:
    pair = _pair(str(rating.asked_digest), rating.digest)
    record_label(workspace, pair, _VERDICTS[rating.verdict], "rated in a search")
    workspace.ledger.rating_became_label(rating.rating_id)


def _one_picture(query: Query, digests: Sequence[str | None]) -> str | None:
    """The picture that is asked for as a whole; None where the question is another one."""
    if len(query.terms) != 1 or not digests:
        return None
    (term,) = query.terms
    whole = isinstance(term, ImageTerm) and term.crop is None and term.weight > 0
    return digests[0] if whole else None


def _pair(first: str, second: str) -> tuple[str, str]:
    return min(first, second), max(first, second)
