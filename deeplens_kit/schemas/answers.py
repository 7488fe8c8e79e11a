"""The tables that questions are answered with, made from what is stored; must not compute or store anything."""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas.base import Column, TableSchema
from deeplens_kit.schemas.kinds import BOX, FLAG, FLOAT, INT, SHORT, TEXT, TIME

__all__ = [
    "APPROVALS",
    "CLUSTERS",
    "CLUSTER_MEMBERS",
    "COVERAGE",
    "EXPLAINED",
    "FAMILIES",
    "GROUPS",
    "MAP_POINTS",
    "RELATED",
    "SCORE_TERMS",
    "SEARCH_DUPLICATES",
    "SEARCH_FACETS",
    "SEARCH_NOTES",
    "SEARCH_PARTS",
    "SEARCH_PLACES",
    "SEARCH_RESULTS",
    "WITHHELD",
]

FAMILIES = TableSchema(
    "families",
    (
        Column("object_id", TEXT, "as in objects; in one family at most"),
        Column(
            "family_id", TEXT, "location_id + '/' + folder + the stem of its names; stable when members come and go"
        ),
        Column("role", TEXT, "original, edited, raw, video, sound, frame or sidecar"),
    ),
    key=("object_id",),
)

GROUPS = TableSchema(
    "groups",
    (
        Column("group_id", TEXT, "from the keeper's digest and the tier; stable when members come and go"),
        Column("object_id", TEXT, "as in objects"),
        Column("location_id", TEXT, "the location"),
        Column("path", TEXT, "as in objects"),
        Column("digest", TEXT, "the picture"),
        Column("is_keeper", FLAG, "stays; exactly one per group"),
        Column("tier", TEXT, "of the member against its own keeper"),
        Column("relation", TEXT, "of the member against its own keeper"),
        Column("score", FLOAT, "of the member against its own keeper, 0..1; 1 for the keeper"),
        Column("size_bytes", INT, "bytes of the object"),
        Column("frees_bytes", INT, "bytes that removing the proposed names would free; 0 for the keeper"),
        Column("reason", TEXT, "why the keeper stays, or what is evidence for the member"),
        Column("loses", TEXT, "what its file tells and the keeper's does not; null where nothing", nullable=True),
    ),
    key=("object_id", "group_id"),
)

WITHHELD = TableSchema(
    "withheld",
    (
        Column("keeper_digest", TEXT, "the picture that would stay"),
        Column("digest", TEXT, "the picture that is not proposed although it matches"),
        Column("tier", TEXT, "a Tier"),
        Column("score", FLOAT, "0..1"),
        Column("reason", TEXT, "why it is not proposed"),
        Column("companion", TEXT, "name of a file that it belongs with, where that is the reason", nullable=True),
        Column("object_id", TEXT, "the object that is not proposed; of several that hold the picture the best"),
        Column("keeper_object_id", TEXT, "the object that would stay; of several that hold the picture the best"),
    ),
    key=("keeper_digest", "object_id"),
)

APPROVALS = TableSchema(
    "approvals",
    (
        Column("keeper_digest", TEXT, "the picture that stays, as a person approved"),
        Column("member_digest", TEXT, "the picture that may go for it"),
        Column("stored", FLAG, "whether the two are a stored pair; where not, the approval alone speaks for them"),
        Column("waits", TEXT, "why it has no effect by this rule and keep policy; null where it has", nullable=True),
    ),
    key=("keeper_digest", "member_digest"),
)

RELATED = TableSchema(
    "related",
    (
        Column("digest", TEXT, "the picture that holds more than the two have in common"),
        Column("other_digest", TEXT, "the other one"),
        Column("tier", TEXT, "a Tier"),
        Column("relation", TEXT, "of the first to the other: contains or composite"),
        Column("score", FLOAT, "0..1"),
        Column("reason", TEXT, "what was seen of the first, in words"),
        Column("object_id", TEXT, "the best object of the first"),
        Column("other_object_id", TEXT, "the best object of the other"),
    ),
    key=("digest", "other_digest"),
)

EXPLAINED = TableSchema(
    "explained",
    (
        Column(
            "standing",
            TEXT,
            "keeper (stays), member (could go), withheld (matches, not proposed), related (matches in part, not "
            "proposed) or alike (the nearest of the others)",
        ),
        Column("group_id", TEXT, "as in groups, of keepers and members", nullable=True),
        Column("location", TEXT, "name of the location"),
        Column("path", TEXT, "as in objects"),
        Column("other_location", TEXT, "of the file that it is held against: the keeper", nullable=True),
        Column("other_path", TEXT, "of the same", nullable=True),
        Column("tier", TEXT, "a Tier: of the keeper that of its group"),
        Column("relation", TEXT, "a Relation: of the file to the other; null where there is no pair", nullable=True),
        Column("score", FLOAT, "0..1"),
        Column("likelihood", FLOAT, "probability that the two are copies; null where nothing looked", nullable=True),
        Column("bound", FLOAT, "likelihood from which on (inclusive) the rule calls the two copies", nullable=True),
        Column("reason", TEXT, "why it stays, is evidence for removal, or is not proposed"),
        Column("seen", TEXT, "what a closer look saw of it beside the other, in words", nullable=True),
        Column("ruled", TEXT, "the bounds of the rule and whether they are met, in words; empty for keepers"),
        Column("companion", TEXT, "name of a file that it belongs with, where that is the reason", nullable=True),
        Column("loses", TEXT, "what a member's file tells and the keeper's does not; null: nothing", nullable=True),
        Column("size_bytes", INT, "bytes of the file"),
        Column("frees_bytes", INT, "bytes that its removal would free; 0 where it is not proposed"),
        Column("digest", TEXT, "its picture"),
        Column("other_digest", TEXT, "the picture of the other", nullable=True),
        Column("object_id", TEXT, "as in objects"),
        Column("other_object_id", TEXT, "as in objects", nullable=True),
    ),
)

SCORE_TERMS = TableSchema(
    "score terms",
    (
        Column("object_id", TEXT, "as in explained"),
        Column("other_object_id", TEXT, "as in explained"),
        Column("evidence", TEXT, "name of the term: start, low_information, or what was measured"),
        Column("value", FLOAT, "what was measured; null where nothing was", nullable=True),
        Column("log_odds", FLOAT, "what it adds to the log odds of a copy; of a pair together the likelihood's logit"),
        Column("words", TEXT, "what was measured, in words"),
    ),
    key=("object_id", "other_object_id", "evidence"),
)

COVERAGE = TableSchema(
    "coverage",
    (
        Column("location_id", TEXT, "the location"),
        Column("outcome", TEXT, "an Outcome"),
        Column("code", TEXT, "why not indexed, as in failures; empty for indexed"),
        Column("objects", INT, "count"),
        Column("bytes", INT, "bytes"),
    ),
    key=("location_id", "outcome", "code"),
)

SEARCH_RESULTS = TableSchema(
    "search_results",
    (
        Column("rank", SHORT, "1 for the best"),
        Column("digest", TEXT, "the picture"),
        Column(
            "score",
            FLOAT,
            "0..1; by copies as of a stored pair, 1 for equal bytes; by likeness the weighted sum of calibrated parts; "
            "by parts how well the part in common agrees; without terms the relevance of the words",
        ),
        Column("tier", TEXT, "a Tier: bytes, copy or scene"),
        Column("pdq_distance", SHORT, "as in pairs", nullable=True),
        Column("phash_distance", SHORT, "as in pairs", nullable=True),
        Column("orientation", SHORT, "as in pairs, the two pictures ordered by digest", nullable=True),
        Column("sscd_small", FLOAT, "cosine, -1..1", nullable=True),
        Column("sscd", FLOAT, "cosine, -1..1", nullable=True),
        Column("why", TEXT, "the evidence in a sentence"),
        Column("objects", INT, "places at the locations asked for"),
        Column(
            "location", TEXT, "name of the location of the file that stays when copies go, else of the first of these"
        ),
        Column("path", TEXT, "its path, as in objects"),
        Column("size_bytes", INT, "bytes of one object"),
        Column("width_px", SHORT, "upright"),
        Column("height_px", SHORT, "upright"),
        Column("format", TEXT, "as in pictures"),
        Column("taken_at", pl.Datetime("us"), "by the camera's clock, no zone", nullable=True),
        Column("camera", TEXT, "maker and model", nullable=True),
        Column("relation", TEXT, "of the result to the picture asked for, of a search by parts", nullable=True),
        Column(
            "region_asked",
            BOX,
            "what both show in the picture asked for: left, top, right, bottom; 0..1",
            nullable=True,
        ),
        Column("region_found", BOX, "the same in the result", nullable=True),
        Column(
            "saves_bytes",
            INT,
            "bytes that deduplicating it would free, as proposed in the groups that it is in; null: not grouped yet",
            nullable=True,
        ),
    ),
    key=("digest",),
)

SEARCH_PARTS = TableSchema(
    "search_parts",
    (
        Column("digest", TEXT, "the picture, as in search_results"),
        Column("term", SHORT, "number of the term in the query, from 0"),
        Column("feature", TEXT, "the feature compared"),
        Column("value", FLOAT, "as the metric has it: a cosine, a share of bits, a distance"),
        Column("similarity", FLOAT, "the value calibrated, 0..1: means the same of every feature"),
        Column(
            "weight",
            FLOAT,
            "with which it counts, below 0: against it; all absolute weights of a query sum to 1",
        ),
    ),
    key=("digest", "term", "feature"),
)

SEARCH_FACETS = TableSchema(
    "search_facets",
    (
        Column("facet", TEXT, "the filter: location, format, camera, collection, tag, year, tier ..."),
        Column("value", TEXT, "what it may be set to"),
        Column("pictures", INT, "pictures that have it among those that all other filters let through"),
    ),
    key=("facet", "value"),
)

SEARCH_NOTES = TableSchema(
    "search_notes",
    (
        Column("object_id", TEXT, "the object of which it is said, where it lies now"),
        Column("collection", TEXT, "name of its collection; empty for none"),
        Column("tags", pl.List(pl.String()), "sorted"),
        Column("description", TEXT, "free text; empty for none"),
        Column("category", TEXT, "the same"),
        Column("source", TEXT, "the same"),
    ),
    key=("object_id",),
)

SEARCH_DUPLICATES = TableSchema(
    "search_duplicates",
    (
        Column("digest", TEXT, "a picture of at least one proposed group"),
        Column("is_keeper", FLAG, "one of its objects is the keeper of a group"),
        Column("tier", TEXT, "the strongest Tier with which it could go, or another could in its favour"),
        Column("tiers", pl.List(pl.String()), "all of these tiers, the strongest first"),
        Column("saves_bytes", INT, "bytes that the proposed removals of its groups would free"),
        Column("keeper_object_id", TEXT, "the object that stays of the group with the strongest tier"),
    ),
    key=("digest",),
)

SEARCH_PLACES = TableSchema(
    "search_places",
    (
        Column("digest", TEXT, "the picture"),
        Column("location", TEXT, "name of the location"),
        Column("path", TEXT, "as in objects"),
        Column("size_bytes", INT, "bytes"),
        Column("modified_at", TIME, "last modification", nullable=True),
        Column("object_id", TEXT, "as in objects"),
    ),
    key=("object_id",),
)

MAP_POINTS = TableSchema(
    "map_points",
    (
        Column("digest", TEXT, "the picture"),
        Column("x", FLOAT, "where it lies; without unit, no evidence of anything"),
        Column("y", FLOAT, "as x"),
        Column("location", TEXT, "name of the location of its best object: the keeper, else the first by name"),
        Column("path", TEXT, "of its best object"),
        Column("objects", INT, "files that hold it"),
        Column("size_bytes", INT, "bytes of one such file"),
        Column("width_px", SHORT, "upright"),
        Column("height_px", SHORT, "upright"),
        Column("format", TEXT, "as in pictures"),
        Column(
            "dated_at",
            pl.Datetime("us"),
            "when it was made, as in pictures; else when the oldest file that holds it was written, UTC",
            nullable=True,
        ),
        Column("tier", TEXT, "the strongest Tier among the proposed removals of its group; empty without a group"),
        Column("group_id", TEXT, "the group of that tier; empty without a group"),
        Column("is_keeper", FLAG, "one of its objects is the keeper of a group"),
        Column("reclaimable_bytes", INT, "bytes that removing its proposed objects would free"),
    ),
    key=("digest",),
)

CLUSTERS = TableSchema(
    "clusters",
    (
        Column("cluster", SHORT, "from 1, that of the most different pictures first; another when pictures change"),
        Column("different", INT, "pictures in it, a picture and its copies counted once"),
        Column("pictures", INT, "pictures in it, each distinct content counted"),
        Column("objects", INT, "files that hold one of them"),
        Column("bytes", INT, "of these files; no saving: they are alike, not the same"),
        Column("words", pl.List(pl.String()), "what tells it from the others, the most telling first; may be none"),
        Column("digest", TEXT, "its medoid: the picture that is most like all others of it"),
        Column("location", TEXT, "name of the location of the medoid's best object"),
        Column("path", TEXT, "of that object"),
    ),
    key=("cluster",),
)

CLUSTER_MEMBERS = TableSchema(
    "cluster_members",
    (
        Column("cluster", SHORT, "as in clusters"),
        Column("digest", TEXT, "the picture; in one cluster at most"),
        Column("probability", FLOAT, "0..1, how surely it is of the cluster"),
        Column("is_medoid", FLAG, "it is most like all others of the cluster"),
        Column("copy_of", TEXT, "the picture that it is counted with, its keeper; itself where it is no copy"),
        Column("location", TEXT, "name of the location of its best object: the keeper, else the first by name"),
        Column("path", TEXT, "of its best object"),
        Column("objects", INT, "files that hold it"),
        Column("size_bytes", INT, "bytes of one such file"),
        Column("width_px", SHORT, "upright"),
        Column("height_px", SHORT, "upright"),
        Column("format", TEXT, "as in pictures"),
    ),
    key=("digest",),
)
