"""Which keep policies samples were drawn under, and what of today's removals was never in question then.

Takes an open workspace with samples and the candidates of now, gives a name and a number; must not draw or estimate.
Another keep policy proposes other removals: labels of the earlier ones say little of them until a sample is drawn anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import policy_from_json
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.label_population import Population, population_of
from deeplens_kit.pipeline.label_sampling import SampleKind, sample_ladder
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["SampleFrame", "frame_of"]

_PAIR = ["digest_a", "digest_b"]


@dataclass(frozen=True, slots=True)
class SampleFrame:
    """Under which keep policy the samples for estimates were drawn.

    Attributes:
        policy: In use now.
        drawn_by: Name of the policy of the last sample, where none was drawn under the one in use; else empty. It may
            be the same name, of a policy that was changed since.
        unframed: Candidates of now that no sample could have drawn; 0 where the policy is the same, or an earlier one
            cannot be judged by any more.
    """

    policy: str
    drawn_by: str = ""
    unframed: int = 0


def frame_of(workspace: Workspace, population: Population) -> SampleFrame:
    """Where the samples of a workspace were drawn from.

    Args:
        workspace: An open workspace.
        population: Of now.
    """
    now = chosen_policy(workspace)
    samples = workspace.ledger.label_samples(str(SampleKind.STRATIFIED))
    # Samples of an earlier DeepLens do not say.
    told = [sample.document["policy"] for sample in samples if isinstance(sample.document.get("policy"), Mapping)]
    if len(told) < len(samples) or not told or now.to_json() in told:
        return SampleFrame(now.name)
    fresh = population.candidates.select(_PAIR)
    for document in [each for at, each in enumerate(told) if each not in told[:at]]:
        try:
            lab = ThresholdLab(workspace, policy_from_json(document), decided=False)
        except SettingsError:
            # It protects a location that is none any more.
            continue
        earlier, _ = population_of(lab, ladder=sample_ladder(workspace))
        fresh = fresh.join(earlier.candidates, on=_PAIR, how="anti")
    return SampleFrame(now.name, str(told[0].get("name", "")), fresh.height)
