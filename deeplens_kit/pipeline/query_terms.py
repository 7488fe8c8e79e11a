"""The pictures, words and vectors of a query: read, recognised, and with the features that the query is answered by.

Takes the terms of a query and a library, gives what was asked for and its features: out of the library where it has
them, else computed now, and no others. Must not write: a picture that is searched for is not indexed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode import IsolatedDecoder
from deeplens_kit.decode.crop import crop_rgb, decoded_side_px
from deeplens_kit.decode.picture import THUMBNAIL_SIDE_PX
from deeplens_kit.errors import ObjectError, QueryError
from deeplens_kit.features import Extractor
from deeplens_kit.pipeline.analysis import plain_values
from deeplens_kit.pipeline.picture_bytes import HeldPicture, PictureBytes
from deeplens_kit.pipeline.query_picture import Asked, Sought, facts_said, sought
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.search import Library, QueryPicture
from deeplens_kit.search.comparers import AskedValue
from deeplens_kit.search.query import Box, ImageTerm, Query, TextTerm, VectorTerm
from deeplens_kit.search.query_words import vector_words

__all__ = ["PictureReader", "ReadTerm", "read_terms"]


@dataclass(frozen=True, slots=True, eq=False)
class ReadTerm:
    """A term of a query, recognised; nothing is decoded yet.

    Attributes:
        number: In the query, from 0.
        weight: As of the term.
        name: What it is called in the answer.
        picture: What picture it is; None for words and vectors.
        crop: The part of it that counts; None for all.
        text: The words; empty for what is none.
        vector: The numbers and the feature that they are of; None for what is none.
    """

    number: int
    weight: float
    name: str
    picture: Sought | None = None
    crop: Box | None = None
    text: str = ""
    vector: VectorTerm | None = None

    @property
    def digest(self) -> str | None:
        """Of the whole picture."""
        return self.picture.digest if self.picture is not None else None

    @property
    def itself(self) -> int | None:
        """Where the very picture is in the library; None for words, vectors and parts, and where it is not there."""
        return self.picture.position if self.picture is not None and self.crop is None else None

    @property
    def facts(self) -> Mapping[str, object]:
        """As `SearchAnswer.terms` has it."""
        kind = "vector" if self.vector is not None else "words" if self.picture is None else "picture"
        said = {"kind": kind, "name": self.name, "digest": self.digest, "weight": self.weight}
        return {**said, "crop": None if self.crop is None else list(self.crop)}

    @property
    def identity(self) -> tuple[object, ...]:
        """What a fingerprint holds of it: however it was spelt, the same for what is the same."""
        numbers = () if self.vector is None else (self.vector.feature, self.vector.values)
        return self.digest or "", self.crop, self.text, self.weight, *numbers


def read_terms(
    query: Query, library: Library, workspace: Workspace, *, name: str | None = None
) -> tuple[ReadTerm, ...]:
    """Recognise the terms of a query, in order.

    Args:
        query: The query.
        library: Where indexed pictures are looked up.
        workspace: Gives the limits on what is read.
        name: What to call a picture that has no name of its own.

    Raises:
        QueryError: A picture cannot be read; LinkRefusedError for a link that is not followed.
    """
    read: list[ReadTerm] = []
    for number, term in enumerate(query.terms):
        if isinstance(term, TextTerm):
            read.append(ReadTerm(number, term.weight, f"“{term.text}”", text=term.text))
            continue
        if isinstance(term, VectorTerm):
            read.append(ReadTerm(number, term.weight, vector_words(term), vector=term))
            continue
        found = _found(term, library, workspace, name, query.allow_private)
        read.append(ReadTerm(number, term.weight, found.name, found, term.crop))
    return tuple(read)


def _found(term: ImageTerm, library: Library, workspace: Workspace, name: str | None, allow_private: bool) -> Sought:
    called = term.name or name
    return sought(term.image, library, workspace.settings.decode, name=called, allow_private=allow_private)


class PictureReader:
    """The samples and features of the pictures of one query; each is read and decoded once, when first needed.

    Args:
        workspace: An open workspace.
        library: The pictures that are known.
    """

    def __init__(self, workspace: Workspace, library: Library) -> None:
        self._workspace, self._library = workspace, library
        self._decoder = IsolatedDecoder(workspace.settings.decode)
        self._thumbnails: dict[int, NDArray[np.uint8]] = {}
        self._facts: dict[int, dict[str, object]] = {}

    def value(self, term: ReadTerm, extractor: Extractor) -> AskedValue:
        """The feature of a picture, or of its part.

        Raises:
            QueryError: It cannot be read or decoded, or its part is too small.
        """
        columns = extractor.extract([self.thumbnail(term)])
        if extractor.spec.kind == "vector":
            return np.asarray(columns["vector"][0])
        (value,) = plain_values(columns[extractor.spec.name])
        assert isinstance(value, bytes | int), "a hash"
        return value

    def asked(self, term: ReadTerm, extractors: tuple[Extractor, ...]) -> Asked:
        """A part of a picture with its features, to search for its copies.

        Raises:
            QueryError: As `value`.
        """
        thumbnail = self.thumbnail(term)
        facts: dict[str, object] = dict(self._facts[term.number])
        vectors: dict[str, NDArray[np.floating]] = {}
        for extractor in extractors:
            columns = extractor.extract([thumbnail])
            if extractor.spec.kind == "vector":
                vectors[extractor.spec.name] = columns["vector"][0]
            else:
                facts.update({name: plain_values(values)[0] for name, values in columns.items()})
        # A part is another picture: the whole one is no equal of it.
        own = hashlib.sha256(f"{term.digest} {term.crop}".encode()).hexdigest()
        return Asked(QueryPicture(own, {**facts, "digest": own}, vectors), self.facts(term))

    def facts(self, term: ReadTerm) -> dict[str, object]:
        """As `Asked.facts`; of a part its own width and height.

        Raises:
            QueryError: As `value`.
        """
        assert term.picture is not None, "words have no facts"
        if term.itself is not None:
            facts = self._library.pictures.row(term.itself, named=True)
        else:
            self.thumbnail(term)
            facts = self._facts[term.number]
        said = facts_said(term.name, facts, is_indexed=term.picture.position is not None)
        return {**said, "digest": term.digest}

    def thumbnail(self, term: ReadTerm) -> NDArray[np.uint8]:
        """The picture, or its part, as extractors take it.

        Raises:
            QueryError: As `value`.
        """
        if term.number not in self._thumbnails:
            side_px = THUMBNAIL_SIDE_PX if term.crop is None else decoded_side_px(term.crop)
            data = self.data(term)
            try:
                decoded = self._decoder.preview(data, side_px)
                rgb = decoded.rgb if term.crop is None else crop_rgb(decoded.rgb, term.crop)
            except ObjectError as error:
                raise QueryError(f"{term.name!r} cannot be searched for: {str(error).rstrip('.')}.") from error
            facts: dict[str, object] = {
                item.name: getattr(decoded.metadata, item.name) for item in fields(decoded.metadata)
            }
            facts["size_bytes"] = len(data)
            if term.crop is not None:
                left, top, right, bottom = term.crop
                facts["width_px"] = round((right - left) * decoded.metadata.width_px)
                facts["height_px"] = round((bottom - top) * decoded.metadata.height_px)
            self._thumbnails[term.number], self._facts[term.number] = rgb, facts
        return self._thumbnails[term.number]

    def data(self, term: ReadTerm) -> bytes:
        """The bytes of the whole picture, read again where it is known by its place alone.

        Raises:
            QueryError: No object that holds it can be read.
        """
        assert term.picture is not None, "words have no bytes"
        if term.picture.content is not None:
            return term.picture.content.data
        columns = ["location_id", "path", "size_bytes", "storage_class"]
        objects = self._workspace.catalog.objects_of([term.picture.digest], columns).sort("location_id", "path")
        known = {item.location_id for item in self._workspace.ledger.locations(inactive=True)}
        places = tuple((row[0], row[1], row[3]) for row in objects.iter_rows() if row[0] in known)
        size_bytes = objects["size_bytes"][0] if objects.height else 0
        data = PictureBytes(self._workspace).read_held(HeldPicture(term.picture.digest, size_bytes, places))
        if data is None:
            raise QueryError(
                f"{term.name!r} is indexed, but none of its files can be read; connect its location, or give a file."
            )
        return data
