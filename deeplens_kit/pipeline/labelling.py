"""Labels: which pair a person is asked about next, what they said, and how many are left.

Takes an open workspace with samples, gives the next pair, writes verdicts to the ledger; must not draw, estimate, or
touch a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import LabelCounts, LabelSample
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.subjects import file_named
from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Verdict

__all__ = [
    "LabelProgress",
    "Labelled",
    "PairToLabel",
    "digest_named",
    "label_pair",
    "label_progress",
    "list_labels",
    "next_pair",
    "record_label",
    "withdraw_label",
]

_PAIR = ["digest_a", "digest_b"]
# Shorter, and it may as well be the name of a file.
_SHORTEST_DIGEST = 8
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class LabelProgress:
    """How far the labelling of a sample is.

    Attributes:
        sample: As the ledger keeps it.
        labelled: Pairs with a verdict, `unsure` among them.
        unsure: Of these, without a clear one.
        disputed: Of these, on which persons say the opposite of each other.
        gone: Pairs without a label of which a picture is in no active location any more.
        left: Pairs that wait for a label.
    """

    sample: LabelSample
    labelled: int
    unsure: int
    disputed: int
    gone: int
    left: int


@dataclass(frozen=True, slots=True)
class PairToLabel:
    """A pair that waits for a verdict.

    Attributes:
        digest_a: The smaller digest.
        digest_b: The greater digest.
        location_a: Of a file that holds the picture.
        path_a: Its path there.
        location_b: Of a file that holds the other one.
        path_b: Its path there.
        likelihood: That the two are copies, by what was measured, 0..1; None where that is not known any more.
        sample_id: The draw that asks.
        left: Pairs that wait in that draw, this one among them.
    """

    digest_a: str
    digest_b: str
    location_a: str
    path_a: str
    location_b: str
    path_b: str
    likelihood: float | None
    sample_id: str
    left: int


def label_progress(workspace: Workspace) -> list[LabelProgress]:
    """How far each sample is, the latest first."""
    known, held = settled(workspace.ledger.labels()), _held(workspace)
    return [_progress(workspace, sample, known, held)[0] for sample in workspace.ledger.label_samples()]


def next_pair(workspace: Workspace) -> PairToLabel | None:
    """The next pair that waits for a label: of the latest sample with one, in its order; None where none waits.

    Raises:
        SettingsError: No sample was drawn.
    """
    samples = workspace.ledger.label_samples()
    if not samples:
        raise SettingsError("No sample was drawn yet; `deeplens label sample --budget 400` draws one.")
    known, held = settled(workspace.ledger.labels()), _held(workspace)
    for sample in samples:
        progress, waiting = _progress(workspace, sample, known, held)
        if waiting.height:
            return _to_label(workspace, waiting.row(0, named=True), held, sample.sample_id, progress.left)
    return None


@dataclass(frozen=True, slots=True)
class Labelled:
    """What came of a label.

    Attributes:
        pair: The two digests, the smaller first.
        counts: What is new.
        warning: Why no estimate counts the label; empty where one does.
    """

    pair: tuple[str, str]
    counts: LabelCounts
    warning: str = ""


def label_pair(workspace: Workspace, first: str, second: str, verdict: Verdict | str, note: str = "") -> Labelled:
    """Say of two pictures whether they are the same.

    Args:
        workspace: An open workspace.
        first: The digest of a picture, or as much of it as no other one begins with; "location:path" of an indexed
            file, or its path on this machine.
        second: The same.
        verdict: same, different or unsure.
        note: In your words.

    Raises:
        UnknownNameError: There is no such picture or verdict.
        SettingsError: The two are one picture.
    """
    names = [str(item) for item in Verdict]
    if str(verdict) not in names:
        raise UnknownNameError("verdict", str(verdict), names)
    pair = _pair_named(workspace, first, second)
    counts, sample_id = record_label(workspace, pair, Verdict(str(verdict)), note)
    return Labelled(pair, counts, "" if sample_id is not None else _unasked(workspace, pair))


def record_label(
    workspace: Workspace, pair: tuple[str, str], verdict: Verdict, note: str = ""
) -> tuple[LabelCounts, str | None]:
    """Record a verdict on two digests, for the sample that asked for the pair; no name is looked up.

    Args:
        workspace: An open workspace.
        pair: The two digests, the smaller first.
        verdict: Of this person.
        note: In their words.

    Returns:
        What is new, and the sample; None where none holds the pair.
    """
    asked = {
        sample.sample_id: workspace.ledger.label_items(sample.sample_id) for sample in workspace.ledger.label_samples()
    }
    sample_id = next((name for name, items in asked.items() if _holds(items, pair)), None)
    row = {"digest_a": pair[0], "digest_b": pair[1], "verdict": str(verdict), "note": note, "sample_id": sample_id}
    schema = dict.fromkeys(row, pl.String)
    return workspace.ledger.record_labels(pl.DataFrame([row], schema=schema)), sample_id


def withdraw_label(workspace: Workspace, first: str, second: str, who: str | None = None) -> pl.DataFrame:
    """Take a label back: it counts no more, and is listed as withdrawn, with who did it and when.

    Args:
        workspace: An open workspace.
        first: A picture, as for `label_pair`; a digest in full may also be of one that is in no location any more.
        second: The same.
        who: Whose label; None for this person's.

    Returns:
        LABELS of what stood until now.

    Raises:
        UnknownNameError: There is no such picture, or no label of this person.
        SettingsError: There is no label on the pair.
    """
    return workspace.ledger.withdraw_label(*_pair_named(workspace, first, second, known=True), who)


def _pair_named(workspace: Workspace, first: str, second: str, *, known: bool = False) -> tuple[str, str]:
    """The two digests, the smaller first; `known`: one in full need not be of a picture that is still there."""
    files = active_files(workspace).filter(pl.col("digest").is_not_null())
    ends = [
        text.lower() if known and _DIGEST.fullmatch(text.lower()) else digest_named(text, files, workspace)
        for text in (first, second)
    ]
    if ends[0] == ends[1]:
        raise SettingsError(
            f"{first!r} and {second!r} are byte for byte the same, which is known without a label; name two pictures."
        )
    return min(ends), max(ends)


def _unasked(workspace: Workspace, pair: tuple[str, str]) -> str:
    """Why a label that no sample asked for is in no estimate."""
    if _holds(workspace.catalog.pairs(_PAIR), pair):
        return (
            "No sample holds this pair, so no estimate of precision or recall counts the label: only what chance drew "
            "does. The calibration takes it where a threshold proposes the pair."
        )
    return (
        "This pair is no candidate: it is no stored pair, so no threshold proposes it, and neither an estimate nor the "
        "calibration counts the label."
    )


def digest_named(text: str, files: pl.DataFrame, workspace: Workspace) -> str:
    """The picture that a digest, the beginning of one, or the name of a file means.

    Args:
        text: What was given.
        files: As `active_files` gives them, those with a digest.
        workspace: Whose locations are meant.

    Raises:
        UnknownNameError: None is meant.
        SettingsError: Several begin with it.
    """
    if len(text) >= _SHORTEST_DIGEST and set(text.lower()) <= set("0123456789abcdef"):
        found = files.filter(pl.col("digest").str.starts_with(text.lower()))["digest"].unique()
        if len(found) == 1:
            return str(found[0])
        if len(found) > 1:
            raise SettingsError(f"{text!r} begins the digests of {len(found):,} pictures; give more of it.")
    object_id = file_named(text, files, workspace)
    if object_id is None:
        raise UnknownNameError(
            "picture", text, [], advice="give a digest, or location:path of an indexed file as `deeplens pairs` does."
        )
    return str(files.filter(pl.col("object_id") == object_id)["digest"][0])


def list_labels(
    workspace: Workspace, verdicts: Iterable[Verdict | str] | None = None, *, withdrawn: bool = False
) -> pl.DataFrame:
    """Every label with a place of either picture, the latest first.

    Args:
        workspace: An open workspace.
        verdicts: Labels of these alone; None for all.
        withdrawn: Also those that were withdrawn.

    Returns:
        LABELS with withdrawn_at and withdrawn_by (null where it stands), place_a and place_b ("location:path" of the
        first file by name; null where it is in no active location).
    """
    ended = workspace.ledger.withdrawn_labels()
    labels = pl.concat([workspace.ledger.labels(), ended if withdrawn else ended.clear()], how="diagonal")
    if verdicts is not None:
        labels = labels.filter(pl.col("verdict").is_in([str(Verdict(item)) for item in verdicts]))
    held = _held(workspace).select("digest", place=pl.format("{}:{}", "location", "path"))
    for end in ("a", "b"):
        named = held.rename({"digest": f"digest_{end}", "place": f"place_{end}"})
        labels = labels.join(named, on=f"digest_{end}", how="left", maintain_order="left")
    return labels.sort("labelled_at", *_PAIR, "who", descending=[True, False, False, False])


def _held(workspace: Workspace) -> pl.DataFrame:
    """digest, location and path of the first file by name of each picture."""
    files = active_files(workspace).filter(pl.col("digest").is_not_null())
    return files.sort("location", "path").unique("digest", keep="first").select("digest", "location", "path")


def _progress(
    workspace: Workspace, sample: LabelSample, known: pl.DataFrame, held: pl.DataFrame
) -> tuple[LabelProgress, pl.DataFrame]:
    """How far a sample is, and its pairs that wait, in order."""
    items = workspace.ledger.label_items(sample.sample_id)
    done = items.join(known, on=_PAIR)
    open_pairs = items.join(known, on=_PAIR, how="anti", maintain_order="left")
    waiting = open_pairs
    for end in _PAIR:
        waiting = waiting.join(held.select(pl.col("digest").alias(end)), on=end, how="semi", maintain_order="left")
    waiting = waiting.sort("position")
    progress = LabelProgress(
        sample,
        done.height,
        done.filter(verdict=str(Verdict.UNSURE)).height,
        done.filter("disputed").height,
        open_pairs.height - waiting.height,
        waiting.height,
    )
    return progress, waiting


def _to_label(
    workspace: Workspace, item: dict[str, object], held: pl.DataFrame, sample_id: str, left: int
) -> PairToLabel:
    digests = str(item["digest_a"]), str(item["digest_b"])
    first, second = (held.row(by_predicate=pl.col("digest") == digest, named=True) for digest in digests)
    pair = workspace.catalog.pairs().filter(digest_a=digests[0], digest_b=digests[1])
    return PairToLabel(
        digest_a=digests[0],
        digest_b=digests[1],
        location_a=first["location"],
        path_a=first["path"],
        location_b=second["location"],
        path_b=second["path"],
        likelihood=_likelihood(workspace, pair),
        sample_id=sample_id,
        left=left,
    )


def _likelihood(workspace: Workspace, pair: pl.DataFrame) -> float | None:
    from deeplens_kit.matching import CONTEXT_COLUMNS, STRICT, with_context
    from deeplens_kit.matching.likelihood import LIKELIHOOD

    if not pair.height:
        return None
    ends = [pair["digest_a"][0], pair["digest_b"][0]]
    pictures = workspace.catalog.pictures(ends, ["digest", *CONTEXT_COLUMNS])
    judged = with_context(pair, pictures, STRICT)
    judged = judged.hstack(LIKELIHOOD.odds(judged)).with_columns(likelihood=LIKELIHOOD.probability)
    found = judged["likelihood"][0]
    return None if found is None else float(found)


def _holds(items: pl.DataFrame, pair: tuple[str, str]) -> bool:
    return items.filter(digest_a=pair[0], digest_b=pair[1]).height > 0
