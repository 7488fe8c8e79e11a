"""Floors: how weak the evidence may be at which a pair was still looked for and stored.

Takes the settings of matching and the number of pictures, gives the floor of the stored graph; it refuses a rule that
the graph cannot answer, because pairs that the rule would call copies were never looked for. Must not see a pair.
"""

from __future__ import annotations

from dataclasses import dataclass

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching.rules import STRICT, Clause, Rule
from deeplens_kit.settings import MatchSettings

__all__ = ["GraphFloor", "graph_floor"]

WIDE_SEARCH_PICTURES = 20_000
"""Up to so many pictures (inclusive) PDQ is searched as widely as the settings say: all against all, seconds."""

LARGE_PDQ_RADIUS = 31
"""Beyond, at most this far (inclusive): the distance PDQ's authors call a match, and cheap by multi-index hashing."""

MEDIUM_PICTURES = 200_000
"""Beyond (exclusive), 64 bits are too few: at a million, 8 bits tie 20,000 strangers together."""

LARGE_PHASH_RADIUS = 4
"""The most bits of a pHash (inclusive) in a corpus of that size."""

_SITUATIONS = ("plain", "unmeasured", "page_like", "verified", "verified_page")


@dataclass(frozen=True, slots=True)
class GraphFloor:
    """The weakest evidence of each signal that alone brings a pair into the stored graph; all bounds are inclusive.

    Attributes:
        pdq_max_distance: Bits of 256.
        phash_max_distance: Bits of 64.
        sscd_min_cosine: Cosine of either model.
        neighbours: The most pairs that a signal stores for each picture, the strongest; a rule looser than the one
            that pairs were found by can miss copies beyond.
    """

    pdq_max_distance: int
    phash_max_distance: int
    sscd_min_cosine: float
    neighbours: int

    def refuse_looser(self, rule: Rule) -> None:
        """Do nothing where the stored graph holds what the rule asks for.

        Clauses of `STRICT` are always answered: pairs are found by it, down to the floor where that is stricter still.

        Raises:
            SettingsError: A clause of the rule looks for copies below the floor.
        """
        for situation in _SITUATIONS:
            for clause in getattr(rule, situation):
                if clause not in getattr(STRICT, situation) and not self._answers(clause):
                    raise SettingsError(self._refusal(clause))

    def _answers(self, clause: Clause) -> bool:
        """All bounds of a clause must hold, so one signal that was searched far enough is enough.

        A likelihood is always answered: every stored pair is looked at closely, whatever it comes to.
        """
        cosines = (clause.sscd_small_min, clause.sscd_min)
        return (
            clause.likelihood_min is not None
            or (clause.pdq_max is not None and clause.pdq_max <= self.pdq_max_distance)
            or (clause.phash_max is not None and clause.phash_max <= self.phash_max_distance)
            or any(bound is not None and bound >= self.sscd_min_cosine for bound in cosines)
        )

    def _refusal(self, clause: Clause) -> str:
        name, value = next(iter(clause.bounds.items()))
        floors = {
            "pdq_max": (f"pairs up to {self.pdq_max_distance} bits of PDQ", "at most", self.pdq_max_distance),
            "phash_max": (f"pairs up to {self.phash_max_distance} bits of pHash", "at most", self.phash_max_distance),
        }
        cosine = (f"pairs from an SSCD cosine of {self.sscd_min_cosine:g}", "at least", self.sscd_min_cosine)
        stored, way, bound = floors.get(name, cosine)
        return (
            f"The threshold {name} = {value:g} is looser than what is stored: only {stored} were looked for. "
            f"Set it to {way} {bound:g}, or change the floor under [match] in workspace.toml and index again."
        )


def graph_floor(settings: MatchSettings, pictures: int) -> GraphFloor:
    """The floor of a graph of so many pictures: that of the settings, narrower in a large corpus.

    Args:
        settings: The floors that were asked for.
        pictures: How many pictures there are.
    """
    pdq, phash = settings.pdq_max_distance, settings.phash_max_distance
    if pictures > WIDE_SEARCH_PICTURES:
        pdq = min(pdq, LARGE_PDQ_RADIUS)
    if pictures > MEDIUM_PICTURES:
        phash = min(phash, LARGE_PHASH_RADIUS)
    return GraphFloor(pdq, phash, settings.sscd_min_cosine, settings.neighbours)
