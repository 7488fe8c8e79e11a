"""Schemas of every table that crosses a stage, and the descriptor of a feature.

Takes frames and gives them back checked, in the schema's column order; must not compute or store anything.
Times are UTC unless a column says otherwise; digests are lower-case hexadecimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import polars as pl

__all__ = [
    "COVERAGE",
    "FAILURES",
    "GROUPS",
    "LISTING",
    "MAP_POINTS",
    "OBJECTS",
    "PAIRS",
    "PICTURES",
    "SEARCH_PLACES",
    "SEARCH_RESULTS",
    "WITHHELD",
    "Column",
    "FeatureSpec",
    "Outcome",
    "Relation",
    "TableSchema",
    "Tier",
]


class Tier(StrEnum):
    """How strong the evidence for a pair is; `scene` is never counted as a saving."""

    BYTES = "bytes"
    PIXELS = "pixels"
    COPY = "copy"
    SCENE = "scene"


class Relation(StrEnum):
    """How the views of a pair relate; `unverified` until local evidence was looked at."""

    WHOLE = "whole"
    PART = "part"
    CONTAINS = "contains"
    COMPOSITE = "composite"
    UNVERIFIED = "unverified"


class Outcome(StrEnum):
    """What became of an object that a scan found."""

    INDEXED = "indexed"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its polars type, whether nulls are allowed, and what it means with its unit."""

    name: str
    dtype: pl.DataType
    meaning: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The named columns of a table that crosses a stage."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    @property
    def polars(self) -> pl.Schema:
        """The schema as polars has it."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def empty(self) -> pl.DataFrame:
        """A frame of this schema without rows."""
        return pl.DataFrame(schema=self.polars)

    def filled(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with nulls in the nullable columns that it lacks: nobody looked for what they hold."""
        absent = [item for item in self.columns if item.nullable and item.name not in frame.columns]
        return frame.with_columns(pl.lit(None, item.dtype).alias(item.name) for item in absent)

    def check(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` in schema order; raise where a column, type or null does not fit.

        Raises:
            TypeError: A column is missing, left over or of another type, or holds a forbidden null: a
                defect of the stage that made the frame, never of the user's files.
        """
        if set(frame.columns) != set(self.names):
            missing = sorted(set(self.names) - set(frame.columns))
            extra = sorted(set(frame.columns) - set(self.names))
            raise TypeError(f"table {self.name}: missing columns {missing}, unknown columns {extra}")
        ordered = frame.select(self.names)
        for column in self.columns:
            found = ordered.schema[column.name]
            if found != column.dtype:
                raise TypeError(f"table {self.name}: {column.name} is {found}, should be {column.dtype}")
            if not column.nullable and ordered[column.name].null_count():
                raise TypeError(f"table {self.name}: {column.name} holds nulls")
        return ordered


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a feature is: everything that its numbers depend on.

    Attributes:
        name: Stable name, for example "pdq" or "sscd_small".
        version: Raised when the numbers change for the same input.
        kind: "hash" (bits), "vector" (floats, L2-normalised) or "measure" (a few plain numbers).
        size: Bits of a hash, dimensions of a vector, count of measures.
        columns: Columns that it fills in `pictures`; empty for vectors, which have a table of their own.
        metric: How two values are compared.
        preprocessing: Versioned name of what is done to the thumbnail first.
        weights: Name and SHA-256 prefix of the weights, empty where there are none.
        source: Paper, standard or package that defines it.
    """

    name: str
    version: int
    kind: Literal["hash", "vector", "measure"]
    size: int
    columns: tuple[str, ...]
    metric: Literal["hamming", "cosine", "none"]
    preprocessing: str
    weights: str
    source: str

    @property
    def key(self) -> str:
        """Name for caches and tables: changes with anything that changes the numbers."""
        return f"{self.name}_{self.version}" + (f"_{self.weights[-8:]}" if self.weights else "")

    @property
    def table(self) -> str:
        """The catalog table that holds the vectors of this feature."""
        return f"vectors_{self.key}"


_TEXT, _INT, _FLOAT, _FLAG = pl.String(), pl.Int64(), pl.Float32(), pl.Boolean()
_SHORT, _BITS64, _TIME = pl.Int32(), pl.UInt64(), pl.Datetime("us", "UTC")
_BOX = pl.Array(pl.Float32(), 4)

LISTING = TableSchema(
    "listing",
    (
        Column("path", _TEXT, "relative to the location, '/' between parts, escaped by storage.paths"),
        Column("size_bytes", _INT, "bytes"),
        Column("change_token", _TEXT, "changes when the content does, as far as the storage tells"),
        Column("modified_at", _TIME, "last modification", nullable=True),
        Column("link_id", _TEXT, "names the file itself: 'device:inode'; equal for hard links", nullable=True),
        Column("link_count", _SHORT, "names that the file has, 1 where the storage has no hard links"),
    ),
    key=("path",),
)

OBJECTS = TableSchema(
    "objects",
    (
        Column("object_id", _TEXT, "location_id + '/' + path"),
        Column("location_id", _TEXT, "the location, stable when it is renamed"),
        *LISTING.columns,
        Column("digest", _TEXT, "SHA-256 of the content; null when it was never read", nullable=True),
        Column("identity_basis", _TEXT, "how the digest is known: 'read'", nullable=True),
        Column("outcome", _TEXT, "an Outcome"),
        Column("run_id", _TEXT, "the run that wrote the row"),
    ),
    key=("object_id",),
)

PICTURES = TableSchema(
    "pictures",
    (
        Column("digest", _TEXT, "SHA-256 of the bytes"),
        Column("md5", _TEXT, "to recognise checksums that storages list"),
        Column("crc32c", _TEXT, "8 hexadecimal digits, big-endian; never an identity"),
        Column("size_bytes", _INT, "bytes"),
        Column("format", _TEXT, "as Pillow names it: JPEG, PNG, WEBP, TIFF, BMP, GIF, HEIF, AVIF"),
        Column("mode", _TEXT, "pixel mode of the stored samples, as Pillow names it"),
        Column("width_px", _SHORT, "upright"),
        Column("height_px", _SHORT, "upright"),
        Column("frames", _SHORT, "1 for stills"),
        Column("orientation", _SHORT, "EXIF 1..8 of the stored samples"),
        Column("has_alpha", _FLAG, "has transparency"),
        Column("has_icc", _FLAG, "has an ICC profile"),
        Column("lossless", _FLAG, "the format keeps every sample"),
        Column("jpeg_quality", _SHORT, "estimated from the tables, 1..100", nullable=True),
        Column("taken_at", pl.Datetime("us"), "by the camera's clock, no zone", nullable=True),
        Column("camera", _TEXT, "maker and model", nullable=True),
        Column("gps_latitude", pl.Float64(), "degrees north; private, kept out of listings", nullable=True),
        Column("gps_longitude", pl.Float64(), "degrees east; private, kept out of listings", nullable=True),
        Column("decode_spec", _TEXT, "versioned name of the decode path"),
        Column("phash", _BITS64, "64-bit DCT hash, most significant bit first", nullable=True),
        Column("dhash", _BITS64, "64-bit gradient hash", nullable=True),
        Column("ahash", _BITS64, "64-bit average hash", nullable=True),
        Column("whash", _BITS64, "64-bit Haar wavelet hash; off by default", nullable=True),
        Column("pdq", pl.Binary(), "256-bit PDQ hash, 32 bytes", nullable=True),
        Column("pdq_quality", _SHORT, "0..100", nullable=True),
        Column("sharpness", _FLOAT, "variance of the Laplacian of the grey thumbnail", nullable=True),
        Column("flatness", _FLOAT, "share of the thumbnail without gradient, 0..1", nullable=True),
        Column("dominant_tone", _FLOAT, "greatest share of grey pixels within 24 of 256 levels, 0..1", nullable=True),
        Column("colourfulness", _FLOAT, "after Hasler and Süsstrunk, 0 for grey, 60 quite colourful", nullable=True),
        Column("low_information", _FLAG, "blank page or plain icon: kept out of the copy tier", nullable=True),
        Column("features", _TEXT, "keys of the features computed, sorted, joined by ','"),
        Column(
            "effective_pixels",
            _INT,
            "pixels that carry detail (an upscale adds none); null until measured",
            nullable=True,
        ),
        Column(
            "samples",
            _TEXT,
            "digest of the native samples; empty where they cannot be told for certain; null until computed",
            nullable=True,
        ),
        Column("run_id", _TEXT, "the run that wrote the row"),
    ),
    key=("digest",),
)

PAIRS = TableSchema(
    "pairs",
    (
        Column("digest_a", _TEXT, "the smaller digest"),
        Column("digest_b", _TEXT, "the greater digest"),
        Column("phash_distance", _SHORT, "bits of 64, best of eight orientations", nullable=True),
        Column("pdq_distance", _SHORT, "bits of 256, best of eight orientations", nullable=True),
        Column("orientation", _SHORT, "dihedral index 0..7 that takes b onto a at the best PDQ", nullable=True),
        Column("sscd_small", _FLOAT, "cosine, -1..1", nullable=True),
        Column("sscd", _FLOAT, "cosine, -1..1", nullable=True),
        Column("sscd_normalised", _FLOAT, "best cosine less what both score against a background set", nullable=True),
        Column("sscd_region", _FLOAT, "best cosine of a region of one with the other, -1..1", nullable=True),
        Column("found_by", _TEXT, "signals that found it, sorted, joined by ','"),
        Column("hub", _FLAG, "an end is near more pictures than copies explain: left to a person"),
        Column("verification", _TEXT, "versioned name of what looked at it; null where nothing did", nullable=True),
        Column("inliers", _SHORT, "unique matching points that one geometric model explains", nullable=True),
        Column("inlier_share", _FLOAT, "share of the tentative matches that the model explains, 0..1", nullable=True),
        Column("difference", _FLOAT, "of the aligned two, beyond light, blur and re-encoding, 0..1", nullable=True),
        Column("covered_a", _FLOAT, "share of a's area that b shows too, 0..1", nullable=True),
        Column("covered_b", _FLOAT, "share of b's area that a shows too, 0..1", nullable=True),
        Column(
            "resolution",
            _FLOAT,
            "pixels of a per pixel of b along a line across what both show, counting detail that is really there",
            nullable=True,
        ),
        Column("mirrored", _FLAG, "b is a mirror image of a", nullable=True),
        Column("turn_degrees", _FLOAT, "b is turned by so much against a, clockwise, -180..180", nullable=True),
        Column("region_a", _BOX, "what both show in a: left, top, right, bottom; shares 0..1, upright", nullable=True),
        Column("region_b", _BOX, "the same in b", nullable=True),
        Column("tier", _TEXT, "a Tier: pixels, copy or scene"),
        Column("relation", _TEXT, "a Relation"),
        Column("score", _FLOAT, "0..1, comparable across tiers"),
        Column("run_id", _TEXT, "the run that wrote the row"),
    ),
    key=("digest_a", "digest_b"),
)

FAILURES = TableSchema(
    "failures",
    (
        Column("object_id", _TEXT, "as in objects; a folder's ends in '/'"),
        Column("location_id", _TEXT, "the location"),
        Column("path", _TEXT, "as in objects; a folder's ends in '/'"),
        Column("size_bytes", _INT, "bytes; null for folders", nullable=True),
        Column("digest", _TEXT, "SHA-256 where the bytes were read", nullable=True),
        Column("stage", _TEXT, "list, read, decode or features"),
        Column("code", _TEXT, "stable code, see errors"),
        Column("message", _TEXT, "what happened, in one line"),
        Column("failed_at", _TIME, "when"),
        Column("run_id", _TEXT, "the run that wrote the row"),
    ),
    key=("object_id",),
)

GROUPS = TableSchema(
    "groups",
    (
        Column("group_id", _TEXT, "from the keeper's digest and the tier; stable when members come and go"),
        Column("object_id", _TEXT, "as in objects"),
        Column("location_id", _TEXT, "the location"),
        Column("path", _TEXT, "as in objects"),
        Column("digest", _TEXT, "the picture"),
        Column("is_keeper", _FLAG, "stays; exactly one per group"),
        Column("tier", _TEXT, "of the member against its own keeper"),
        Column("relation", _TEXT, "of the member against its own keeper"),
        Column("score", _FLOAT, "of the member against its own keeper, 0..1; 1 for the keeper"),
        Column("size_bytes", _INT, "bytes of the object"),
        Column("frees_bytes", _INT, "bytes that removing the proposed names would free; 0 for the keeper"),
        Column("reason", _TEXT, "why the keeper stays, or what is evidence for the member"),
    ),
    key=("object_id", "group_id"),
)

WITHHELD = TableSchema(
    "withheld",
    (
        Column("keeper_digest", _TEXT, "the picture that would stay"),
        Column("digest", _TEXT, "the picture that is not proposed although it matches"),
        Column("tier", _TEXT, "a Tier"),
        Column("score", _FLOAT, "0..1"),
        Column("reason", _TEXT, "why it is not proposed"),
    ),
    key=("keeper_digest", "digest"),
)

COVERAGE = TableSchema(
    "coverage",
    (
        Column("location_id", _TEXT, "the location"),
        Column("outcome", _TEXT, "an Outcome"),
        Column("code", _TEXT, "why not indexed, as in failures; empty for indexed"),
        Column("objects", _INT, "count"),
        Column("bytes", _INT, "bytes"),
    ),
    key=("location_id", "outcome", "code"),
)

SEARCH_RESULTS = TableSchema(
    "search_results",
    (
        Column("rank", _SHORT, "1 for the best"),
        Column("digest", _TEXT, "the picture"),
        Column("score", _FLOAT, "as of a stored pair, 0..1; 1 for equal bytes"),
        Column("tier", _TEXT, "a Tier: bytes, copy or scene"),
        Column("pdq_distance", _SHORT, "as in pairs", nullable=True),
        Column("phash_distance", _SHORT, "as in pairs", nullable=True),
        Column("orientation", _SHORT, "as in pairs, the two pictures ordered by digest", nullable=True),
        Column("sscd_small", _FLOAT, "cosine, -1..1", nullable=True),
        Column("sscd", _FLOAT, "cosine, -1..1", nullable=True),
        Column("why", _TEXT, "the evidence in a sentence"),
        Column("objects", _INT, "places at the locations asked for"),
        Column("location", _TEXT, "name of the location of the first of these places"),
        Column("path", _TEXT, "its path, as in objects"),
        Column("size_bytes", _INT, "bytes of one object"),
        Column("width_px", _SHORT, "upright"),
        Column("height_px", _SHORT, "upright"),
        Column("format", _TEXT, "as in pictures"),
        Column("taken_at", pl.Datetime("us"), "by the camera's clock, no zone", nullable=True),
        Column("camera", _TEXT, "maker and model", nullable=True),
    ),
    key=("digest",),
)

SEARCH_PLACES = TableSchema(
    "search_places",
    (
        Column("digest", _TEXT, "the picture"),
        Column("location", _TEXT, "name of the location"),
        Column("path", _TEXT, "as in objects"),
        Column("size_bytes", _INT, "bytes"),
        Column("modified_at", _TIME, "last modification", nullable=True),
        Column("object_id", _TEXT, "as in objects"),
    ),
    key=("object_id",),
)

MAP_POINTS = TableSchema(
    "map_points",
    (
        Column("digest", _TEXT, "the picture"),
        Column("x", _FLOAT, "where it lies; without unit, no evidence of anything"),
        Column("y", _FLOAT, "as x"),
        Column("location", _TEXT, "name of the location of its best object: the keeper, else the first by name"),
        Column("path", _TEXT, "of its best object"),
        Column("objects", _INT, "files that hold it"),
        Column("size_bytes", _INT, "bytes of one such file"),
        Column("width_px", _SHORT, "upright"),
        Column("height_px", _SHORT, "upright"),
        Column("format", _TEXT, "as in pictures"),
        Column("tier", _TEXT, "the strongest Tier among the proposed removals of its group; empty without a group"),
        Column("group_id", _TEXT, "the group of that tier; empty without a group"),
        Column("is_keeper", _FLAG, "one of its objects is the keeper of a group"),
        Column("reclaimable_bytes", _INT, "bytes that removing its proposed objects would free"),
    ),
    key=("digest",),
)
