"""New files that are copies of known ones: what has come since somebody asked last, held against the stored pairs.

Takes an open workspace whose pairs are those of its pictures; gives counts and the first files, each with the strongest
match among the files that were there before, and which of the two could go: by the groups of `deeplens duplicates`, so
by the keep policy in use and by what people decided. Must not search for pairs or write the catalog. Two numbers of 64
bits a file are kept between two questions, so that a moved file is not taken for a new one, whoever indexed it; they
stand in the ledger, so that what a process was killed over is new to the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.decisions import Decisions
from deeplens_kit.matching.view_words import relation_towards
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import GROUPS, Outcome, Relation, Tier

__all__ = ["MOST_LISTED", "Arrivals", "NewDuplicate", "NewDuplicates"]

MOST_LISTED = 1_000
"""Of one round; beyond them new copies are counted."""

_MOST_OPEN = 10_000  # new files that wait for pairs to be looked at
# Strongest first. `scene` is no copy.
_TIERS = (str(Tier.BYTES), str(Tier.PIXELS), str(Tier.COPY))
# A collage or a captioned picture is worth something of its own; where nobody looked, nothing is claimed.
_RELATIONS = (str(Relation.WHOLE), str(Relation.PART), str(Relation.CONTAINS))
_FILE_COLUMNS = ["object_id", "location", "path", "digest", "size_bytes", "link_id", "key", "digest_key"]
_Keys = NDArray[np.uint64]
_VERSION, _HEAD_BYTES = 1, 24
_DIGITS = 16  # of a digest, which make a number of 64 bits


@dataclass(frozen=True, slots=True)
class NewDuplicate:
    """A new file and the known file that it is the strongest copy of.

    Attributes:
        event_id: The same whenever the same is told again.
        location: Of the new file.
        path: Of the new file, encoded.
        digest: Of its picture.
        known_location: Of the known file.
        known_path: Of the known file, encoded.
        known_digest: Of its picture.
        tier: How strong the evidence is: bytes, pixels or copy.
        relation: How the new picture stands to the known one: whole, part or contains.
        score: 0..1.
        saved_bytes: What the removal that is proposed would free; 0 where both stay, and for two names of one file.
        matches: Known files that it is a copy of, this one among them.
        stays: "known" where the new file is proposed for removal, "new" where the known one is, "both" where neither
            is; empty where nobody asked.
    """

    event_id: str
    location: str
    path: str
    digest: str
    known_location: str
    known_path: str
    known_digest: str
    tier: str
    relation: str
    score: float
    saved_bytes: int
    matches: int
    stays: str = ""


@dataclass(frozen=True, slots=True)
class NewDuplicates:
    """What has come since the last question.

    Attributes:
        new_files: New files that are pictures.
        duplicates: Of these, copies of files that were there before.
        by_tier: The copies by the tier of their strongest match.
        saved_bytes: The sum over all copies.
        among_new: New files that are copies of other new files alone.
        listed: The first of the copies, strongest first, at most MOST_LISTED.
    """

    new_files: int = 0
    duplicates: int = 0
    by_tier: Mapping[str, int] = field(default_factory=dict)
    saved_bytes: int = 0
    among_new: int = 0
    listed: tuple[NewDuplicate, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Numbers of files: of each in its state, of its content, and of those that wait for pairs to be looked at."""

    known: _Keys
    digests: _Keys
    waiting: _Keys

    def equals(self, other: _Seen) -> bool:
        pairs = ((self.known, other.known), (self.digests, other.digests), (self.waiting, other.waiting))
        return all(np.array_equal(ours, theirs) for ours, theirs in pairs)

    def encoded(self) -> bytes:
        """Version, the two lengths, then the numbers; 16 bytes a file."""
        head = np.array([_VERSION, len(self.known), len(self.waiting)], "<u8")
        return b"".join(part.astype("<u8").tobytes() for part in (head, self.known, self.digests, self.waiting))

    @classmethod
    def decoded(cls, content: bytes | None) -> _Seen | None:
        """None where there is nothing, or what another version wrote."""
        if content is None or len(content) % 8 or len(content) < _HEAD_BYTES:
            return None
        numbers = np.frombuffer(content, "<u8").astype(np.uint64)
        version, known, waiting = (int(number) for number in numbers[:3])
        if version != _VERSION or len(numbers) != 3 + 2 * known + waiting:
            return None
        rest = numbers[3:]
        return cls(rest[:known], rest[known : 2 * known], rest[2 * known :])


class Arrivals:
    """The files of the active locations as they were when they were recorded last, by whatever process.

    Args:
        workspace: Where nothing is recorded yet, what it holds now is known, and is recorded.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        recorded = _Seen.decoded(workspace.ledger.watched())
        if recorded is None:
            files = _pictures(workspace)
            recorded = _Seen(_keys(files, "key"), _keys(files, "digest_key"), np.zeros(0, np.uint64))
            workspace.ledger.record_watched(recorded.encoded(), ())
        self._seen = self._next = recorded

    def since_last(self, *, whole: bool = True) -> NewDuplicates:
        """What is new, held against what was known; it is new again the next time, unless it is settled.

        Args:
            whole: Every pair has been looked at. Otherwise new files that are no copies so far are held against the
                pairs the next time too.
        """
        files = _pictures(self._workspace)
        keys = _keys(files, "key")
        is_new, is_open = ~np.isin(keys, self._seen.known), np.isin(keys, self._seen.waiting)
        found, matched = NewDuplicates(), files["key"].clear()
        if is_new.any() or is_open.any():
            marks = {"is_new": pl.Series(is_new, dtype=pl.Boolean), "is_open": pl.Series(is_open, dtype=pl.Boolean)}
            found, matched = self._duplicates(files.with_columns(**marks))
        waiting = keys[(is_new | is_open) & ~files["key"].is_in(matched.implode()).to_numpy()]
        waiting = waiting[:0] if whole else waiting[:_MOST_OPEN]
        self._next = _Seen(keys, _keys(files, "digest_key"), waiting)
        return found

    def to_record(self) -> bytes | None:
        """What the ledger is to hold once the last answer was told of; None where it holds the same."""
        return None if self._next.equals(self._seen) else self._next.encoded()

    def settle(self) -> None:
        """The last answer is recorded: what was new in it is known from now on."""
        self._seen = self._next

    def _duplicates(self, files: pl.DataFrame) -> tuple[NewDuplicates, pl.Series]:
        moved_in = self._more_than_before(files)
        new = pl.concat([moved_in, files.filter("is_open")])
        old = files.filter(~pl.col("is_new") & ~pl.col("is_open")).select(pl.col(_FILE_COLUMNS).name.prefix("known_"))
        decided = Decisions.of(self._workspace.ledger.decisions())
        pairs = _pairs_both_ways(decided.on_pairs(self._workspace.catalog.pairs()))
        # A picture that was known under another name was told of then, with all that it is like.
        seen = pl.Series(np.isin(_keys(new, "digest_key"), self._seen.digests), dtype=pl.Boolean)
        unseen = new.filter(~seen | new["is_open"])
        # Equal files that a person keeps are no news.
        equal = _equal(new.filter(~pl.col("digest").is_in(decided.staying.implode())), old)
        alike = unseen.join(pairs, on="digest").join(old, on="known_digest").select(equal.columns)
        matched = pl.concat([equal, alike])
        best = _strongest(_with_standing(matched, list_groups(self._workspace).groups if matched.height else None))
        others = moved_in.filter(~pl.col("key").is_in(matched["key"].implode()))
        counts = {tier: best.filter(pl.col("tier") == tier).height for tier in _TIERS}
        found = NewDuplicates(
            new_files=int(files["is_new"].sum()),
            duplicates=best.height,
            by_tier={tier: count for tier, count in counts.items() if count},
            saved_bytes=int(best["saved_bytes"].sum()),
            among_new=_among(others, pairs),
            listed=tuple(_listed(row) for row in best.head(MOST_LISTED).iter_rows(named=True)),
        )
        return found, best["key"]

    def _more_than_before(self, files: pl.DataFrame) -> pl.DataFrame:
        """New files without those that stand for files which are gone: of each content as many as there are more."""
        before = pl.DataFrame({"digest_key": self._seen.digests}).group_by("digest_key").len("before")
        more = (
            files.group_by("digest_key")
            .len("after")
            .join(before, on="digest_key", how="left")
            .select("digest_key", more=pl.col("after").cast(pl.Int64) - pl.col("before").fill_null(0).cast(pl.Int64))
        )
        placed = files.filter("is_new").join(more, on="digest_key", how="left").sort("location", "path")
        return placed.filter(pl.int_range(pl.len()).over("digest_key") < pl.col("more")).drop("more")


def _pictures(workspace: Workspace) -> pl.DataFrame:
    """Every file that holds a picture, once, with numbers that stand for the file in its state and for its content."""
    files = active_files(workspace).filter(pl.col("outcome") == Outcome.INDEXED)
    # These outlive the process, and polars' own hashes are of one version of it.
    names = (files["place"] + files["path"] + " " + files["digest"]).to_list()
    digests = [int(digest[:_DIGITS], 16) for digest in files["digest"].to_list()]
    return files.select("object_id", "location", "path", "digest", "size_bytes", "link_id").with_columns(
        key=pl.Series([_number(name) for name in names], dtype=pl.UInt64),
        digest_key=pl.Series(digests, dtype=pl.UInt64),
    )


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _keys(files: pl.DataFrame, name: str) -> _Keys:
    return files[name].to_numpy().astype(np.uint64)


def _pairs_both_ways(pairs: pl.DataFrame) -> pl.DataFrame:
    """Copies by both ends: digest, known_digest, tier, relation of the first to the second, score.

    Args:
        pairs: As `Decisions.on_pairs` gives them: what a person approved is a copy, what they keep is no news.
    """
    approved = (pl.col("approved_a") | pl.col("approved_b")) & ~pl.col("tier").is_in(_TIERS)
    judged = pairs.with_columns(tier=pl.when(approved).then(pl.lit(str(Tier.COPY))).otherwise("tier"))
    copies = judged.filter(pl.col("tier").is_in(_TIERS) & pl.col("relation").is_in(_RELATIONS) & (pl.col("kept") == 0))
    sides = [
        copies.select(
            "tier",
            "score",
            digest="digest_b" if is_b else "digest_a",
            known_digest="digest_a" if is_b else "digest_b",
            relation=relation_towards(pl.lit(is_b)),
        )
        for is_b in (False, True)
    ]
    return pl.concat(sides)


def _equal(new: pl.DataFrame, old: pl.DataFrame) -> pl.DataFrame:
    joined = new.join(old.with_columns(digest="known_digest"), on="digest")
    return joined.select(
        *_FILE_COLUMNS,
        *old.columns,
        tier=pl.lit(_TIERS[0]),
        relation=pl.lit(str(Relation.WHOLE)),
        score=pl.lit(1.0, pl.Float32),
    )


def _with_standing(matched: pl.DataFrame, groups: pl.DataFrame | None) -> pl.DataFrame:
    """The matches with `stays`, `saved_bytes`, and `in_star`: whether one of the two is proposed for the other."""
    groups = GROUPS.empty() if groups is None else groups
    going = groups.filter(~pl.col("is_keeper")).select("group_id", member="object_id", frees="frees_bytes")
    stars = going.join(groups.filter("is_keeper").select("group_id", keeper="object_id"), on="group_id")
    new_goes = going.select(object_id="member", frees_new="frees").unique("object_id", keep="any")
    known_goes = stars.select(object_id="keeper", known_object_id="member", frees_known="frees").unique()
    for_known = stars.select(object_id="member", known_object_id="keeper", for_known=pl.lit(True)).unique()
    both = ["object_id", "known_object_id"]
    joined = (
        matched.join(new_goes, on="object_id", how="left")
        .join(known_goes, on=both, how="left")
        .join(for_known, on=both, how="left")
    )
    new, known = (pl.col(name).is_not_null() for name in ("frees_new", "frees_known"))
    return joined.with_columns(
        stays=pl.when(new).then(pl.lit("known")).when(known).then(pl.lit("new")).otherwise(pl.lit("both")),
        saved_bytes=pl.coalesce("frees_new", "frees_known", 0),
        in_star=pl.col("for_known").fill_null(False) | known,
    )


def _strongest(matched: pl.DataFrame) -> pl.DataFrame:
    """One row a new file, in order of tier and score, with the matches; of equal ones what is proposed comes first."""
    strength = pl.col("tier").replace_strict({tier: at for at, tier in enumerate(_TIERS)}, return_dtype=pl.Int8)
    order = [strength, -pl.col("score"), "location", "path", ~pl.col("in_star"), "known_location", "known_path"]
    rows = matched.with_columns(matches=pl.len().over("key"))
    return rows.sort(order).unique("key", keep="first", maintain_order=True)


def _among(others: pl.DataFrame, pairs: pl.DataFrame) -> int:
    """How many of these files are copies of one another."""
    digests = others["digest"].implode()
    alike = pairs.filter(pl.col("digest").is_in(digests) & pl.col("known_digest").is_in(digests))["digest"]
    return others.filter((pl.len().over("digest") > 1) | pl.col("digest").is_in(alike.implode())).height


def _listed(row: Mapping[str, object]) -> NewDuplicate:
    names = [name for name in NewDuplicate.__dataclass_fields__ if name != "event_id"]
    told = [str(row[name]) for name in ("location", "path", "digest", "known_digest", "tier")]
    event_id = hashlib.sha256("\0".join(told).encode()).hexdigest()[:32]
    return NewDuplicate(event_id, **{name: row[name] for name in names})  # type: ignore[arg-type]
