"""Bring the neighbour graph up to date: candidates, scores and tiers of pairs of pictures.

Takes an open workspace; reads features from the catalog and, for pictures in copies of unequal size, the objects
themselves to see which really resolves more. Gives the number of pairs. Must not group: groups come from the
stored pairs by a rule, so that a changed rule touches no file.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict, dataclass

import polars as pl

from deeplens_kit.decode import effective_pixels
from deeplens_kit.errors import DeepLensError, Interrupted
from deeplens_kit.matching import (
    CONTEXT_COLUMNS,
    POLICY_COLUMNS,
    STRICT,
    GraphFloor,
    Rule,
    find_pairs,
    graph_floor,
    mark_pixels,
)
from deeplens_kit.pipeline.native_samples import measure_samples
from deeplens_kit.pipeline.picture_bytes import each_picture
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FeatureSpec, Tier
from deeplens_kit.telemetry import bound_context, get_logger, span

__all__ = ["GRAPH_INPUTS", "MatchReport", "floor_of", "is_current", "match"]

_log = get_logger(__name__)

# Whether detail was measured must not change which pairs are found: a run that was killed after the measuring would
# otherwise end with other pairs than one that was not.
_POLICY = [name for name in POLICY_COLUMNS if name != "effective_pixels"]
_MATCH_COLUMNS = list(dict.fromkeys(["digest", "phash", "pdq", *_POLICY, *CONTEXT_COLUMNS, "features", "decode_spec"]))
GRAPH_INPUTS = ["digest", "features", "decode_spec"]
"""Columns of `pictures` that say whether the stored pairs are those of the pictures there are."""
# Raised when the same inputs would give other pairs.
_GRAPH_VERSION = 2
# In a stored fingerprint between what the pairs were found from and the rule that gave them their tiers.
_RULE_MARK = ":"
# Ends the fingerprint of pairs of which some could not be measured, so that the next run tries again.
_UNMEASURED = ":unmeasured"
# Sides within 5 % count as equal: neither of two such pictures can be an upscale worth the name.
_EQUAL_SIDES = 0.95**2


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What matching found: pictures looked at, copies (equal pixels too) and scenes, pictures measured for detail."""

    pictures: int
    copies: int
    scenes: int
    measured: int


def match(
    workspace: Workspace,
    *,
    rule: Rule = STRICT,
    workers: int | None = None,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    inputs: pl.DataFrame | None = None,
) -> MatchReport | None:
    """Find the pairs of a workspace; does nothing where no picture, feature, floor or rule has changed.

    Args:
        workspace: An open workspace.
        rule: Decides the tier of each pair.
        workers: Threads that measure detail; None for the setting.
        progress: Told how it goes.
        stop: Set it to end cleanly; pairs are replaced at the end or not at all.
        inputs: GRAPH_INPUTS of all pictures, where the caller has just read them.

    Returns:
        What was found; None where the stored pairs stand.

    Raises:
        Interrupted: `stop` was set.
    """
    stop = stop or threading.Event()
    if inputs is None:
        inputs = workspace.catalog.pictures(columns=GRAPH_INPUTS)
    fingerprint = f"{_fingerprint(workspace, inputs)}{_RULE_MARK}{_rule_mark(rule)}"
    if workspace.catalog.pairs_fingerprint() == fingerprint:
        return None
    pictures = workspace.catalog.pictures(columns=_MATCH_COLUMNS).sort("digest")
    run = workspace.ledger.start_run("match", None, asdict(workspace.settings.match))
    with bound_context(run_id=run.run_id):
        try:
            report = _replace_pairs(workspace, pictures, fingerprint, rule, run.run_id, workers, progress, stop)
        except BaseException as error:
            state = "interrupted" if isinstance(error, KeyboardInterrupt | Interrupted) else "failed"
            message = str(error) if isinstance(error, DeepLensError) else type(error).__name__
            workspace.ledger.finish_run(run.run_id, state, message=message)
            raise
        workspace.ledger.finish_run(run.run_id, "finished", asdict(report))
        _log.info("matched", **asdict(report))
    return report


def _replace_pairs(
    workspace: Workspace,
    pictures: pl.DataFrame,
    fingerprint: str,
    rule: Rule,
    run_id: str,
    workers: int | None,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> MatchReport:
    meter = ProgressMeter(progress, "", "match", pictures.height)
    with span("match"):
        vectors = {spec.name: workspace.catalog.vectors(spec) for spec in _vector_specs(workspace, pictures)}
        pairs = find_pairs(pictures, vectors, workspace.settings.match, rule, run_id=run_id)
    meter.advance(pictures.height)
    meter.finish()
    told = measure_samples(workspace, pairs, workers=workers, progress=progress, stop=stop)
    pairs = mark_pixels(pairs, told.samples)
    wanted, measured = _measure_detail(workspace, pictures, pairs, workers, progress, stop)
    if stop.is_set():
        raise Interrupted("Stopped while matching; run `deeplens index` again to go on.")
    whole = measured == wanted and not told.missing
    # The pairs last: their fingerprint says that all of it was done.
    workspace.catalog.replace_pairs(pairs, fingerprint if whole else fingerprint + _UNMEASURED)
    copies = pairs.filter(pl.col("tier") != Tier.SCENE).height
    return MatchReport(pictures.height, copies, pairs.height - copies, measured)


def is_current(workspace: Workspace) -> bool:
    """Whether the stored pairs are those of the pictures that the catalog holds now.

    By which rule they were given their tiers does not matter: from the pairs every rule above the floor is answered.
    """
    pictures = workspace.catalog.pictures(columns=GRAPH_INPUTS)
    stored = workspace.catalog.pairs_fingerprint() or ""
    return stored.partition(_RULE_MARK)[0] == _fingerprint(workspace, pictures)


def floor_of(workspace: Workspace) -> GraphFloor:
    """The weakest evidence at which pairs of this workspace are stored."""
    return graph_floor(workspace.settings.match, workspace.catalog.pictures(columns=["digest"]).height)


def _rule_mark(rule: Rule) -> str:
    """Names the rule by which pairs were given their tiers and towards whose keepers more were looked for."""
    return hashlib.sha256(repr(rule).encode()).hexdigest()[:16]


def _fingerprint(workspace: Workspace, pictures: pl.DataFrame) -> str:
    """Names what pairs are found from: every picture with its features and decode path, and the floors."""
    digest = hashlib.sha256(repr((_GRAPH_VERSION, workspace.settings.match)).encode())
    # Nearly all pictures have the same features: by them first, so that the long texts are hashed once.
    for (features, decode_spec), group in sorted(pictures.group_by("features", "decode_spec")):
        digest.update(f"\n{features} {decode_spec}\n".encode())
        digest.update(str(group["digest"].sort().str.join("\n").item()).encode())
    return digest.hexdigest()


def _vector_specs(workspace: Workspace, pictures: pl.DataFrame) -> list[FeatureSpec]:
    """Vector features that the pictures have, whether or not their model is installed now."""
    present = {key for keys in pictures["features"].unique() for key in keys.split(",")}
    return [spec for spec in workspace.catalog.vector_specs() if spec.key in present]


def _measure_detail(
    workspace: Workspace,
    pictures: pl.DataFrame,
    pairs: pl.DataFrame,
    workers: int | None,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> tuple[int, int]:
    """Measure effective pixels where the keeper depends on them: copies whose sizes differ.

    Returns:
        Pictures to be measured, and those that were.
    """
    known = workspace.catalog.pictures(columns=["digest", "effective_pixels"])
    digests = _unequal_copies(pictures.join(known, on="digest"), pairs)
    if not digests:
        return 0, 0
    found = each_picture(
        workspace,
        digests,
        lambda data: effective_pixels(data, workspace.settings.decode),
        stage="detail",
        workers=workers,
        progress=progress,
        stop=stop,
    )
    frame = pl.DataFrame(list(found), schema={"digest": pl.String, "effective_pixels": pl.Int64}, orient="row")
    if frame.height:
        workspace.catalog.set_effective_pixels(frame.sort("digest"))
    return len(digests), frame.height


def _unequal_copies(pictures: pl.DataFrame, pairs: pl.DataFrame) -> list[str]:
    area = pictures.select(
        "digest", "effective_pixels", area=pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)
    )
    unequal = (
        pairs.filter(pl.col("tier") == Tier.COPY)
        .join(area, left_on="digest_a", right_on="digest")
        .join(area, left_on="digest_b", right_on="digest", suffix="_b")
        .filter(pl.min_horizontal("area", "area_b") < _EQUAL_SIDES * pl.max_horizontal("area", "area_b"))
    )
    ends = [
        unequal.select(digest="digest_a", known="effective_pixels"),
        unequal.select(digest="digest_b", known="effective_pixels_b"),
    ]
    return pl.concat(ends).filter(pl.col("known").is_null())["digest"].unique().sort().to_list()
