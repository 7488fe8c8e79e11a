"""The tables that the catalog keeps, and the listing that objects come from; must not compute or store anything.

Times are UTC unless a column says otherwise; digests are lower-case hexadecimal.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas.base import Column, TableSchema
from deeplens_kit.schemas.kinds import AFFINE, BITS64, BOX, FLAG, FLOAT, INT, SHORT, TEXT, TIME

__all__ = ["FAILURES", "LISTING", "METADATA", "OBJECTS", "PAIRS", "PICTURES"]

LISTING = TableSchema(
    "listing",
    (
        Column("path", TEXT, "relative to the location, '/' between parts, escaped by storage.paths"),
        Column("size_bytes", INT, "bytes"),
        Column("change_token", TEXT, "changes when the content does, as far as the storage tells"),
        Column("modified_at", TIME, "last modification", nullable=True),
        Column("link_id", TEXT, "names the file itself: 'device:inode'; equal for hard links", nullable=True),
        Column("link_count", SHORT, "names that the file has, 1 where the storage has no hard links"),
        Column(
            "checksum",
            TEXT,
            "of the content, as the storage lists it: 'md5:' or 'sha256:' and hexadecimal digits; 'sha256:?' where it "
            "keeps one that costs a request to ask for",
            nullable=True,
        ),
        Column("storage_class", TEXT, "what the storage calls the way that it keeps the object", nullable=True),
    ),
    key=("path",),
)

OBJECTS = TableSchema(
    "objects",
    (
        Column("object_id", TEXT, "location_id + '/' + path"),
        Column("location_id", TEXT, "the location, stable when it is renamed"),
        *LISTING.columns,
        Column("digest", TEXT, "SHA-256 of the content; null when it was never read", nullable=True),
        Column("identity_basis", TEXT, "how the digest is known: 'read', 'md5+size' or 'sha256'", nullable=True),
        Column("outcome", TEXT, "an Outcome"),
        Column("run_id", TEXT, "the run that wrote the row"),
    ),
    key=("object_id",),
)

PICTURES = TableSchema(
    "pictures",
    (
        Column("digest", TEXT, "SHA-256 of the bytes"),
        Column("md5", TEXT, "to recognise checksums that storages list"),
        Column("crc32c", TEXT, "8 hexadecimal digits, big-endian; never an identity"),
        Column("size_bytes", INT, "bytes"),
        Column("format", TEXT, "one of `decode.FORMATS`: JPEG, PNG, WEBP, HEIF, RAW ..."),
        Column(
            "mode",
            TEXT,
            "pixel mode of the stored samples, as Pillow names it, and their depth: ';16', ';32f' ...",
        ),
        Column("width_px", SHORT, "upright"),
        Column("height_px", SHORT, "upright"),
        Column("frames", SHORT, "1 for stills"),
        Column("orientation", SHORT, "EXIF 1..8 of the stored samples"),
        Column("has_alpha", FLAG, "has transparency"),
        Column("has_icc", FLAG, "has an ICC profile"),
        Column("icc_name", TEXT, "what the ICC profile calls itself", nullable=True),
        Column("lossless", FLAG, "the format keeps every sample"),
        Column("jpeg_quality", SHORT, "estimated from the tables, 1..100", nullable=True),
        Column("taken_at", pl.Datetime("us"), "by the camera's clock, no zone; EXIF alone", nullable=True),
        Column(
            "dated_at",
            pl.Datetime("us"),
            "when it was made as far as EXIF, XMP, IPTC or GPS say, clock of the place",
            nullable=True,
        ),
        Column("taken_at_utc", TIME, "dated_at in UTC; null where no zone is known", nullable=True),
        Column("taken_at_origin", TEXT, "the fields that dated_at and its zone come from", nullable=True),
        Column("camera", TEXT, "maker and model", nullable=True),
        Column("gps_latitude", pl.Float64(), "degrees north; private, kept out of listings", nullable=True),
        Column("gps_longitude", pl.Float64(), "degrees east; private, kept out of listings", nullable=True),
        Column(
            "auxiliary",
            TEXT,
            "what the file holds beside its picture, sorted, joined by ', '; empty: nothing known; null: not looked at",
            nullable=True,
        ),
        Column("decode_spec", TEXT, "versioned name of the decode path"),
        Column("phash", BITS64, "64-bit DCT hash, most significant bit first", nullable=True),
        Column("dhash", BITS64, "64-bit gradient hash", nullable=True),
        Column("ahash", BITS64, "64-bit average hash", nullable=True),
        Column("whash", BITS64, "64-bit Haar wavelet hash; off by default", nullable=True),
        Column("pdq", pl.Binary(), "256-bit PDQ hash, 32 bytes", nullable=True),
        Column("pdq_quality", SHORT, "0..100", nullable=True),
        Column("sharpness", FLOAT, "variance of the Laplacian of the grey thumbnail", nullable=True),
        Column("flatness", FLOAT, "share of the thumbnail without gradient, 0..1", nullable=True),
        Column("dominant_tone", FLOAT, "greatest share of grey pixels within 24 of 256 levels, 0..1", nullable=True),
        Column("colourfulness", FLOAT, "after Hasler and Süsstrunk, 0 for grey, 60 quite colourful", nullable=True),
        Column("low_information", FLAG, "blank page or plain icon: kept out of the copy tier", nullable=True),
        Column("features", TEXT, "keys of the features computed, sorted, joined by ','"),
        Column(
            "effective_pixels",
            INT,
            "pixels that carry detail (an upscale adds none); null until measured",
            nullable=True,
        ),
        Column(
            "samples",
            TEXT,
            "digest of the native samples; empty where they cannot be told for certain; null until computed",
            nullable=True,
        ),
        Column("run_id", TEXT, "the run that wrote the row"),
    ),
    key=("digest",),
)

METADATA = TableSchema(
    "metadata",
    (
        Column("digest", TEXT, "SHA-256 of the bytes"),
        Column(
            "tags", TEXT, "JSON: a list of [group, name, value, kind of what is private or '']; private, to be masked"
        ),
        Column("maker_note", pl.Binary(), "the camera maker's block as stored, at most 64 KiB; private", nullable=True),
        Column("problems", TEXT, "what could not be read, in short words joined by '; '; empty where all could"),
        Column("run_id", TEXT, "the run that wrote the row"),
    ),
    key=("digest",),
)

PAIRS = TableSchema(
    "pairs",
    (
        Column("digest_a", TEXT, "the smaller digest"),
        Column("digest_b", TEXT, "the greater digest"),
        Column("phash_distance", SHORT, "bits of 64, best of eight orientations", nullable=True),
        Column("pdq_distance", SHORT, "bits of 256, best of eight orientations", nullable=True),
        Column("orientation", SHORT, "dihedral index 0..7 that takes b onto a at the best PDQ", nullable=True),
        Column("sscd_small", FLOAT, "cosine, -1..1", nullable=True),
        Column("sscd", FLOAT, "cosine, -1..1", nullable=True),
        Column("sscd_normalised", FLOAT, "best cosine less what both score against a background set", nullable=True),
        Column("sscd_region", FLOAT, "best cosine of a region of one with the other, -1..1", nullable=True),
        Column("found_by", TEXT, "signals that found it, sorted, joined by ','"),
        Column("hub", FLAG, "an end is near more pictures than copies explain: left to a person"),
        Column("verification", TEXT, "versioned name of what looked at it; null where nothing did", nullable=True),
        Column("inliers", SHORT, "unique matching points that one geometric model explains", nullable=True),
        Column("inlier_share", FLOAT, "share of the tentative matches that the model explains, 0..1", nullable=True),
        Column("difference", FLOAT, "of the aligned two, beyond light, blur and re-encoding, 0..1", nullable=True),
        Column(
            "agreement", FLOAT, "median correlation of small squares where both show something, -1..1", nullable=True
        ),
        Column("agreement_low", FLOAT, "5th percentile where either shows much: how the worst agree", nullable=True),
        Column(
            "correlation", FLOAT, "of the aligned, high-passed two as wholes, -1..1; below 0 a negative", nullable=True
        ),
        Column("cells", SHORT, "small squares that agree", nullable=True),
        Column("wobble_px", FLOAT, "mean distance of these from where the model puts them, grid pixels", nullable=True),
        Column("foreign", FLOAT, "share of the common view that one of the two shows alone, in patches", nullable=True),
        Column("covered_a", FLOAT, "share of a's area that b shows too, 0..1", nullable=True),
        Column("covered_b", FLOAT, "share of b's area that a shows too, 0..1", nullable=True),
        Column(
            "resolution",
            FLOAT,
            "pixels of a per pixel of b along a line across what both show, counting detail that is really there",
            nullable=True,
        ),
        Column("mirrored", FLAG, "b is a mirror image of a", nullable=True),
        Column("turn_degrees", FLOAT, "b is turned by so much against a, clockwise, -180..180", nullable=True),
        Column("region_a", BOX, "what both show in a: left, top, right, bottom; shares 0..1, upright", nullable=True),
        Column("region_b", BOX, "the same in b", nullable=True),
        Column(
            "transform",
            AFFINE,
            "lays a on b, two rows of three: (x, y) in a is (t0 x + t1 y + t2, t3 x + t4 y + t5) in b; shares 0..1 of "
            "upright sides from edge to edge, so that the first of n pixels has its centre at 0.5 / n",
            nullable=True,
        ),
        Column("view_pdq", SHORT, "bits of 256 once one is turned, tilted or mirrored as the other is", nullable=True),
        Column("tier", TEXT, "a Tier: pixels, copy or scene"),
        Column("relation", TEXT, "a Relation"),
        Column("score", FLOAT, "0..1, comparable across tiers"),
        Column("run_id", TEXT, "the run that wrote the row"),
    ),
    key=("digest_a", "digest_b"),
)

FAILURES = TableSchema(
    "failures",
    (
        Column("object_id", TEXT, "as in objects; a folder's ends in '/'"),
        Column("location_id", TEXT, "the location"),
        Column("path", TEXT, "as in objects; a folder's ends in '/'"),
        Column("size_bytes", INT, "bytes; null for folders", nullable=True),
        Column("digest", TEXT, "SHA-256 where the bytes were read", nullable=True),
        Column("stage", TEXT, "list, read, decode or features"),
        Column(
            "decode_spec",
            TEXT,
            "what the failure depends on: the decode path, and the limits where one was met",
            nullable=True,
        ),
        Column("code", TEXT, "stable code, see errors"),
        Column("message", TEXT, "what happened, in one line"),
        Column("failed_at", TIME, "when"),
        Column("run_id", TEXT, "the run that wrote the row"),
    ),
    key=("object_id",),
)
