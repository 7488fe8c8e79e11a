"""What searches take and give, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from deeplens_kit.service.api.values.base import Answer, Body, Id, Name

__all__ = [
    "DuplicateGroup",
    "DuplicateMember",
    "DuplicatesAnswer",
    "DuplicatesRequest",
    "Facet",
    "Match",
    "PictureMetadata",
    "Place",
    "SearchResult",
    "SimilarityAnswer",
    "SimilarityRequest",
]

MOST_RESULTS = 1_000
"""Results of one page at most."""

MOST_NUMBERS = 16_384
"""Numbers of a vector at most; those of models have hundreds to some thousands."""

Share = Annotated[float, Field(ge=0, le=1)]

Number = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]


class SimilarityRequest(Body):
    """What is searched for: one picture, words, or both.

    A picture is given in one way: as an upload (`file`, multipart/form-data), as base64, by a link, or by the id of an
    image or picture that is indexed; or a `vector` stands for it. Without any of them `filter` or `words` list what
    they let through.
    """

    image_base64: str | None = Field(default=None, description="The bytes of a picture file; a data URI will do too.")
    image_url: str | None = Field(
        default=None,
        max_length=8192,
        description="A public link, http or https.",
        examples=["https://example.org/cat.jpg"],
    )
    image_id: Id | None = Field(default=None, description="An indexed image, or a picture by its picture_id.")
    vector: list[Number] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_NUMBERS,
        description="What a model made of a picture, as `images/{image_id}/features?vectors=true` gives it: as many "
        "numbers as `feature` has, not all 0. Pictures are found by likeness.",
    )
    feature: Name | None = Field(
        default=None, description="What `vector` is of; `GET /models` has the names.", examples=["sscd_small"]
    )
    text: str | None = Field(default=None, min_length=1, max_length=1000, description="What results are to show.")
    similarity_threshold: Share = Field(default=0.0, description="Least score, inclusive.")
    max_results: int = Field(default=50, ge=1, le=MOST_RESULTS, description="Results of a page at most.")
    include_metadata: bool = Field(
        default=True, description="Whether each result tells width, height, size and format."
    )
    storage_locations: list[Name] = Field(default=[], max_length=100, description="Names of locations; empty for all.")
    search_by: Literal["copies", "likeness", "parts"] | None = Field(
        default=None,
        description="What makes a picture a result: copies of one picture (the default for one picture), likeness (for "
        "words and mixtures), or a part in common.",
    )
    weights: dict[str, Annotated[float, Field(ge=0, le=1_000_000)]] = Field(
        default={}, max_length=50, description="How much each feature counts; makes it a search by likeness."
    )
    crop: list[Share] | None = Field(
        default=None, min_length=4, max_length=4, description="Left, top, right, bottom of the part that counts."
    )
    words: str = Field(
        default="", max_length=1000, description="Full text over paths, names, tags, descriptions, metadata."
    )
    filter: str = Field(
        default="", max_length=20_000, description="Conditions, as `format=JPEG size>=500kB tag=holiday`."
    )
    facets: bool = Field(default=False, description="Whether to count what each filter could be set to.")
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before.")

    @model_validator(mode="after")
    def _one_picture(self) -> SimilarityRequest:
        ways = ("image_base64", "image_url", "image_id", "vector")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; a search is for one picture, given in one way.")
        if self.vector is not None and self.feature is None:
            raise ValueError("A vector is given without 'feature'; name what it is of, as 'sscd_small'.")
        if self.feature is not None and self.vector is None:
            raise ValueError("'feature' says what a vector is of, and there is none; give 'vector', or leave it out.")
        return self


class Place(Answer):
    """One place where a picture is stored."""

    image_id: str
    storage_location: str
    file_path: str = Field(description="Within the location, encoded as `deeplens` writes paths.")
    file_size: int = Field(description="Bytes.")
    modified_at: datetime | None = None


class PictureMetadata(Answer):
    """What is known of the picture itself."""

    width: int = Field(description="Pixels, upright.")
    height: int
    file_size: int = Field(description="Bytes of one file.")
    format: str = Field(examples=["JPEG"])
    taken_at: datetime | None = Field(default=None, description="By the camera's clock, no zone.")
    camera: str | None = None


class Match(Answer):
    """Why it is a result."""

    tier: str = Field(description="How strong the evidence is: bytes, copy or scene.")
    why: str = Field(description="The evidence in a sentence.")
    relation: str | None = Field(default=None, description="Of a search by parts: whole, part, contains ...")
    saves_bytes: int | None = Field(default=None, description="What deduplicating it would free; null: not known yet.")


class SearchResult(Answer):
    """A picture that was found, with every place where it is stored."""

    image_id: str = Field(description="The stored file that stays when copies go, else the first.")
    picture_id: str = Field(description="SHA-256 of its content.")
    similarity_score: float = Field(ge=0, le=1)
    file_path: str
    storage_location: str
    locations: list[Place]
    metadata: PictureMetadata | None = None
    thumbnail_url: str
    match: Match


class Facet(Answer):
    """A value that a filter could be set to."""

    facet: str
    value: str
    pictures: int


class SimilarityAnswer(Answer):
    """What was found, the best first."""

    query_id: str
    results: list[SearchResult]
    total_results: int = Field(description="All that were found, also on other pages.")
    total_is_exact: bool = Field(description="False: at least so many; the search ended when the best were certain.")
    processing_time_ms: float
    next_cursor: str | None = None
    notes: list[str] = Field(default=[], description="What limits the answer, a sentence each.")
    facets: list[Facet] = Field(default=[])


class DuplicatesRequest(Body):
    """Which groups of copies are wanted."""

    image_id: Id | None = Field(default=None, description="Groups that hold this image or picture alone.")
    similarity_threshold: Share = Field(default=0.0, description="Least confidence of a copy, inclusive.")
    max_results: int = Field(default=50, ge=1, le=MOST_RESULTS, description="Groups of a page at most.")
    include_metadata: bool = True
    storage_locations: list[Name] = Field(
        default=[], max_length=100, description="Where a copy could go from; empty for all."
    )
    tiers: list[Literal["bytes", "pixels", "copy"]] = Field(
        default=[], max_length=3, description="Evidence; empty for all."
    )
    cursor: str | None = Field(default=None, max_length=500)


class DuplicateMember(Answer):
    """A file of a group."""

    image_id: str
    picture_id: str
    storage_location: str
    file_path: str
    file_size: int
    is_keeper: bool
    confidence: float = Field(ge=0, le=1, description="That it is a copy of the keeper: its score; 1 for the keeper.")
    tier: str
    relation: str
    reason: str
    frees_bytes: int
    metadata: PictureMetadata | None = None
    thumbnail_url: str


class DuplicateGroup(Answer):
    """A keeper and its copies."""

    group_id: str
    confidence: float = Field(ge=0, le=1, description="The least of its copies.")
    tier: str = Field(description="The weakest evidence among its copies.")
    reclaimable_bytes: int
    keeper: DuplicateMember
    duplicates: list[DuplicateMember]


class DuplicatesAnswer(Answer):
    """Groups, those first that free most."""

    query_id: str
    groups: list[DuplicateGroup]
    total_groups: int
    total_duplicates: int
    reclaimable_bytes: int
    processing_time_ms: float
    next_cursor: str | None = None
    notes: list[str] = Field(default=[])
