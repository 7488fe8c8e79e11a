"""Queries as JSON, to be kept and asked again.

Takes a query and gives a dictionary, or the other way round; loses nothing of it, bytes of pictures included. Must not
read a file or decide what may be kept. An unknown key is refused: a query understood in part finds other things.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.link import is_link
from deeplens_kit.search.plain_values import from_plain, to_plain
from deeplens_kit.search.query import Box, ImageTerm, Query, SearchBy, Term, TextTerm, VectorTerm

__all__ = ["QUERY_VERSION", "query_from_json", "query_to_json"]

QUERY_VERSION = 1
"""Of the form of these documents; one that is greater is not understood."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
# Ways to give a picture; a text is a place, a path or a picture as text, as `ImageTerm` says.
_GIVEN = ("bytes", "digest", "link", "path", "text")
_TERM_KEYS = {
    "image": {"image", "weight", "crop", "name"},
    "text": {"text", "weight"},
    "vector": {"vector", "feature", "weight"},
}
_PARTS: Mapping[str, Any] = {
    "by": SearchBy | None,
    "weights": Mapping[str, float],
    "words": str,
    "filters": SearchFilters,
    "limit": int,
    "offset": int,
    "facets": bool,
    "allow_private": bool,
}


def query_to_json(query: Query) -> dict[str, Any]:
    """A query as JSON can hold it; what has its default is left out."""
    document: dict[str, Any] = {"version": QUERY_VERSION, "terms": [_term(term) for term in query.terms]}
    default = Query(words="nothing")
    for name in _PARTS:
        value = getattr(query, name)
        if name == "words" or value != getattr(default, name):
            document[name] = to_plain(dict(value) if name == "weights" else value, sparse=True)
    return document if query.words else {name: value for name, value in document.items() if name != "words"}


def query_from_json(document: Mapping[str, Any]) -> Query:
    """The query that a dictionary says.

    Raises:
        SettingsError: A value is missing, of another type or not allowed, or the document is of a newer DeepLens;
            UnknownNameError for a key that there is none of.
    """
    if not isinstance(document, Mapping):
        raise SettingsError(f"A query is an object in braces; got {type(document).__name__!r}.")
    version = document.get("version", QUERY_VERSION)
    if type(version) is not int or not 1 <= version <= QUERY_VERSION:
        raise SettingsError(
            f"The query is of version {version!r}; this DeepLens reads 1 to {QUERY_VERSION}: install the one that "
            "wrote it."
        )
    _refuse_unknown("query", document, {"version", "terms", *_PARTS})
    terms = document.get("terms", [])
    if not isinstance(terms, list):
        raise SettingsError(f"terms is {terms!r}; it must be a list in brackets.")
    values = {name: from_plain(_PARTS[name], document[name], name) for name in _PARTS if name in document}
    return Query(tuple(_term_of(term, f"terms[{at}]") for at, term in enumerate(terms)), **values)


def _term(term: Term) -> dict[str, Any]:
    weight = {} if term.weight == 1.0 else {"weight": term.weight}
    if isinstance(term, TextTerm):
        return {"text": term.text, **weight}
    if isinstance(term, VectorTerm):
        return {"vector": list(term.values), "feature": term.feature, **weight}
    crop = {} if term.crop is None else {"crop": list(term.crop)}
    name = {"name": term.name} if term.name else {}
    return {"image": _image(term.image), **weight, **crop, **name}


def _image(image: bytes | Path | str) -> dict[str, str]:
    if isinstance(image, Path):
        return {"path": str(image)}
    if not isinstance(image, str):
        return {"bytes": base64.b64encode(image).decode("ascii")}
    if is_link(image.strip()):
        return {"link": image}
    return {"digest" if _DIGEST.fullmatch(image) else "text": image}


def _term_of(plain: Any, name: str) -> Term:
    kinds = [kind for kind in _TERM_KEYS if isinstance(plain, Mapping) and kind in plain]
    if len(kinds) != 1:
        raise SettingsError(f"{name} must be an object in braces with either 'image', 'text' or 'vector'.")
    (kind,) = kinds
    _refuse_unknown(name, plain, _TERM_KEYS[kind])
    weight = from_plain(float, plain.get("weight", 1.0), f"{name}.weight")
    if kind == "text":
        return TextTerm(from_plain(str, plain["text"], f"{name}.text"), weight)
    if kind == "vector":
        values = from_plain(tuple[float, ...], plain["vector"], f"{name}.vector")
        return VectorTerm(from_plain(str, plain.get("feature", ""), f"{name}.feature"), values, weight)
    crop = from_plain(Box | None, plain.get("crop"), f"{name}.crop")
    called = from_plain(str, plain.get("name", ""), f"{name}.name")
    return ImageTerm(_image_of(plain["image"], f"{name}.image"), weight, crop, called)


def _image_of(plain: Any, name: str) -> bytes | Path | str:
    if not isinstance(plain, Mapping) or len(plain) != 1:
        raise SettingsError(f"{name} must be an object in braces with one of {', '.join(map(repr, _GIVEN))}.")
    _refuse_unknown(name, plain, _GIVEN)
    ((kind, value),) = plain.items()
    text: str = from_plain(str, value, f"{name}.{kind}")
    if kind == "path":
        return Path(text)
    if kind == "bytes":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SettingsError(f"{name}.bytes is no base64 ({error}); copy all of it.") from error
    if kind == "digest" and not _DIGEST.fullmatch(text):
        raise SettingsError(f"{name}.digest is {text!r}; it must have 64 hexadecimal digits.")
    if kind == "link" and not is_link(text.strip()):
        raise SettingsError(f"{name}.link is {text!r}; it must begin with http:// or https://.")
    return text


def _refuse_unknown(what: str, given: Mapping[str, Any], known: Any) -> None:
    for key in given:
        if key not in known:
            raise UnknownNameError(f"part of {what}", str(key), known)
