"""Bring the neighbour graph up to date: candidates, verdicts, scores and tiers of pairs of pictures.

Takes an open workspace; reads features from the catalog, and the objects themselves where pairs are to be looked at
closely. Gives counts of pairs. Must not group: groups come from the stored pairs by a rule, so that a changed rule
touches no file.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict, dataclass, replace

import polars as pl

from deeplens_kit.decode import SAMPLES_VERSION
from deeplens_kit.errors import DeepLensError, Interrupted
from deeplens_kit.matching import (
    CONTEXT_COLUMNS,
    DEFAULT_POLICY,
    POLICY_COLUMNS,
    STRICT,
    GraphFloor,
    KeepPolicy,
    Rule,
    find_pairs,
    graph_floor,
    mark_pixels,
)
from deeplens_kit.matching.evidence import VECTOR_COLUMNS
from deeplens_kit.matching.keep_order import is_protected, keeper_order
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.pipeline.confirming import Confirming
from deeplens_kit.pipeline.file_listing import indexed_files
from deeplens_kit.pipeline.keep_facts import with_keep_facts
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.look_names import RESOLUTIONS, VERDICTS
from deeplens_kit.pipeline.looks import PictureLooks
from deeplens_kit.pipeline.native_samples import measure_samples
from deeplens_kit.pipeline.picture_bytes import each_picture
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.resolving import measure_resolutions, worth_measuring
from deeplens_kit.pipeline.verifying import PairVerifier
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import PAIRS, FeatureSpec, Tier
from deeplens_kit.settings import MatchSettings
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
_GRAPH_VERSION = 4
# In a stored fingerprint between what the pairs were found from, the rule that gave them their tiers, and by what
# resolutions were measured.
_MARK = ":"
# Ends the fingerprint of pairs of which some could not be measured, so that the next run tries again.
_UNMEASURED = ":unmeasured"
# Sides within 5 % count as equal: neither of two such pictures can be an upscale worth the name.
_EQUAL_SIDES = 0.95**2


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What matching found.

    Attributes:
        pictures: Pictures matched.
        copies: Pairs that are copies, equal pixels too.
        scenes: All other pairs.
        measured: Pictures measured for detail.
        verified: Pairs looked at closely in this run.
        reused: Pairs that an earlier run had looked at.
        unverified: Pairs that were not looked at.
        pending: Of these, that the next run goes on with: there was no time, or a picture could not be read.
        failed: Of these, whose two pictures could not be compared; the log names them and says why.
    """

    pictures: int
    copies: int
    scenes: int
    measured: int
    verified: int = 0
    reused: int = 0
    unverified: int = 0
    pending: int = 0
    failed: int = 0


def match(
    workspace: Workspace,
    *,
    rule: Rule = STRICT,
    workers: int | None = None,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    inputs: pl.DataFrame | None = None,
) -> MatchReport | None:
    """Find the pairs of a workspace; does nothing where no picture, feature, floor, rule or keep policy has changed.

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
    policy = chosen_policy(workspace)
    fingerprint = _MARK.join((_fingerprint(workspace, inputs), _rule_mark(rule, policy), RESOLUTIONS))
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
    settings = workspace.settings.match
    # 1. Candidates by every signal.
    meter = ProgressMeter(progress, "", "match", pictures.height)
    with span("match"):
        vectors = {spec.name: workspace.catalog.vectors(spec) for spec in _vector_specs(workspace, pictures)}
        order = _keepers_first(workspace, pictures)
        found = find_pairs(pictures, vectors, settings, rule, run_id, order)
    meter.advance(pictures.height)
    meter.finish()
    # 2. A closer look at each, and at what copies lead to.
    looks = PictureLooks.of_workspace(workspace)
    verifier = PairVerifier(workspace, looks, workers=workers, progress=progress, stop=stop)
    confirming = Confirming(pictures, vectors, rule, settings.sscd_min_cosine, run_id, order)
    pairs = confirming.confirmed(found, verifier)
    _not_stopped(stop)
    # 3. Which hold the very same samples, and which of unequal ones resolves more.
    told = measure_samples(workspace, pairs, workers=workers, progress=progress, stop=stop)
    pairs = mark_pixels(pairs, told.samples)
    resolved = measure_resolutions(workspace, pairs, looks, workers=workers, progress=progress, stop=stop)
    pairs = resolved.pairs
    wanted, measured = _measure_detail(workspace, pictures, pairs, workers, progress, stop)
    _not_stopped(stop)
    # 4. The pairs last: their fingerprint says that all of it was done.
    counts = verifier.counts
    whole = measured == wanted and not (told.missing or resolved.missing or counts.pending)
    workspace.catalog.replace_pairs(pairs, fingerprint if whole else fingerprint + _UNMEASURED)
    verifier.keep(pairs)
    resolved.keep()
    copies = pairs.filter(pl.col("tier") != Tier.SCENE).height
    return MatchReport(
        pictures.height,
        copies,
        pairs.height - copies,
        measured,
        verified=counts.looked_at,
        reused=counts.reused,
        unverified=pairs["verification"].null_count(),
        pending=counts.pending,
        failed=counts.failed,
    )


def _not_stopped(stop: threading.Event) -> None:
    if stop.is_set():
        raise Interrupted("Stopped while matching; run `deeplens index` again to go on.")


def is_current(workspace: Workspace) -> bool:
    """Whether the stored pairs are those of the pictures that the catalog holds now.

    By which rule they were given their tiers does not matter: from the pairs every rule above the floor is answered.
    """
    pictures = workspace.catalog.pictures(columns=GRAPH_INPUTS)
    stored = workspace.catalog.pairs_fingerprint() or ""
    return stored.partition(_MARK)[0] == _fingerprint(workspace, pictures)


def floor_of(workspace: Workspace) -> GraphFloor:
    """The weakest evidence at which pairs of this workspace are stored."""
    return graph_floor(workspace.settings.match, workspace.catalog.pictures(columns=["digest"]).height)


def _rule_mark(rule: Rule, policy: KeepPolicy) -> str:
    """Names the rule that gave pairs their tiers, and the policy whose keepers more pairs were looked for with."""
    said = repr(rule) if policy == DEFAULT_POLICY else repr((rule, policy.to_json()))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _keepers_first(workspace: Workspace, pictures: pl.DataFrame) -> pl.Series | None:
    """Digests in the order of the policy in use, each by the best of its files; None for the default one.

    The default order is looked for anyway, so that a change of policy loses no pair of it.
    """
    policy = chosen_policy(workspace)
    if policy == DEFAULT_POLICY:
        return None
    files = with_keep_facts(workspace, indexed_files(workspace), policy)
    held = files.drop("size_bytes").join(picture_traits(pictures), on="digest")
    ordered = keeper_order(held.with_columns(protected=is_protected(held.columns)), policy)
    return ordered["digest"].unique(maintain_order=True)


def _fingerprint(workspace: Workspace, pictures: pl.DataFrame) -> str:
    """Names what pairs are found and judged from: every picture with its features and decode path, and the floors."""
    # How much time and memory there is does not change what is found.
    usual = MatchSettings()
    floors = replace(
        workspace.settings.match,
        verification_seconds=usual.verification_seconds,
        held_look_bytes=usual.held_look_bytes,
    )
    digest = hashlib.sha256(repr((_GRAPH_VERSION, VERDICTS, SAMPLES_VERSION, floors)).encode())
    if aside := _no_evidence(workspace):
        # What pictures are alike in makes no pair: a feature that is added for searching leaves the pairs as they are.
        kept = {
            features: ",".join(key for key in features.split(",") if key not in aside)
            for features in pictures["features"].unique()
        }
        pictures = pictures.with_columns(pl.col("features").replace_strict(kept, return_dtype=pl.String))
    # Nearly all pictures have the same features: by them first, so that the long texts are hashed once.
    for (features, decode_spec), group in sorted(pictures.group_by("features", "decode_spec")):
        digest.update(f"\n{features} {decode_spec}\n".encode())
        digest.update(str(group["digest"].sort().str.join("\n").item()).encode())
    return digest.hexdigest()


def _vector_specs(workspace: Workspace, pictures: pl.DataFrame) -> list[FeatureSpec]:
    """Vector features of evidence that the pictures have, whether or not their model is installed now."""
    present = {key for keys in pictures["features"].unique() for key in keys.split(",")} - _no_evidence(workspace)
    return [spec for spec in workspace.catalog.vector_specs() if spec.key in present]


def _no_evidence(workspace: Workspace) -> set[str]:
    """Keys of stored vectors that matching has no column for."""
    stored = workspace.catalog.vector_specs()
    return {spec.key for spec in stored if spec.kind == "vector" and spec.name not in VECTOR_COLUMNS}


def _measure_detail(
    workspace: Workspace,
    pictures: pl.DataFrame,
    pairs: pl.DataFrame,
    workers: int | None,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> tuple[int, int]:
    """Measure effective pixels where the keeper depends on them: copies that do not tell by themselves.

    Returns:
        Pictures to be measured, and those that were.
    """
    known = workspace.catalog.pictures(columns=["digest", "effective_pixels"])
    digests = _undecided_copies(pictures.join(known, on="digest"), pairs)
    if not digests:
        return 0, 0
    found = each_picture(
        workspace,
        digests,
        workspace.decoder.effective_pixels,
        stage="detail",
        workers=workers,
        progress=progress,
        stop=stop,
    )
    frame = pl.DataFrame(list(found), schema={"digest": pl.String, "effective_pixels": pl.Int64}, orient="row")
    if frame.height:
        workspace.catalog.set_effective_pixels(frame.sort("digest"))
    return len(digests), frame.height


def _undecided_copies(pictures: pl.DataFrame, pairs: pl.DataFrame) -> list[str]:
    """Of copies of which one may resolve more and that did not tell, the pictures not measured so far."""
    area = pictures.select(
        "digest", "effective_pixels", area=pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64)
    )
    copies = pairs.filter((pl.col("tier") == Tier.COPY) & pl.col("resolution").is_null())
    sized = copies.join(area, left_on="digest_a", right_on="digest").join(
        area, left_on="digest_b", right_on="digest", suffix="_b"
    )
    unequal = pl.min_horizontal("area", "area_b") < _EQUAL_SIDES * pl.max_horizontal("area", "area_b")
    undecided = pl.concat(
        [sized.filter(unequal), sized.join(worth_measuring(copies, pictures), on=list(PAIRS.key), how="semi")]
    )
    ends = [
        undecided.select(digest="digest_a", known="effective_pixels"),
        undecided.select(digest="digest_b", known="effective_pixels_b"),
    ]
    return pl.concat(ends).filter(pl.col("known").is_null())["digest"].unique().sort().to_list()
