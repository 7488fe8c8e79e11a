"""What a person says of duplicates that lie before them: labels and decisions, recorded at once, each to be taken back.

Takes an open workspace and digests that its groups named, writes labels and decisions to the ledger; must not group,
judge, or touch a file. No name is looked up and no file listed, so that an act costs no more among a million files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.pipeline.deciding import pairs_of_group
from deeplens_kit.pipeline.labelling import record_label
from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import DECISIONS, DecisionKind, Verdict

__all__ = ["PICTURE_FACTS", "DuplicateActs", "ReviewAct", "ReviewMarks"]

PICTURE_FACTS = (
    *("digest", "size_bytes", "format", "mode", "width_px", "height_px", "frames", "has_alpha", "icc_name", "lossless"),
    *("jpeg_quality", "taken_at", "camera", "auxiliary"),
)
"""Columns of PICTURES by which two copies are told apart."""

_GIVEN_AGAIN = ("kind", "keeper_digest", "member_digest", "why")


@dataclass(frozen=True, slots=True)
class ReviewAct:
    """What was said, and what it takes to take it back.

    Attributes:
        said: A Verdict or a DecisionKind.
        pairs: Keeper (None where it is about one picture) and member, of each pair that it is about.
        recorded: How much holds from now on that did not before.
        before: Rows that held before and do not any more: LABELS of this person or DECISIONS.
        made: DECISIONS that hold since; empty for a label.
    """

    said: Verdict | DecisionKind
    pairs: tuple[tuple[str | None, str], ...]
    recorded: int
    before: pl.DataFrame
    made: pl.DataFrame


@dataclass(frozen=True, slots=True)
class ReviewMarks:
    """What was said of pictures until now.

    Attributes:
        verdicts: Of pairs, the smaller digest first: a Verdict; "disputed" where persons say the opposite.
        pairs: Of ordered pairs, keeper and member: the DecisionKind that holds. Keeping is in both orders.
        alone: Digests that are never proposed.
    """

    verdicts: Mapping[tuple[str, str], str]
    pairs: Mapping[tuple[str, str], str]
    alone: frozenset[str]

    def verdict(self, one: str, other: str) -> str:
        """What labels say of two pictures; empty where nobody labelled them."""
        return self.verdicts.get((min(one, other), max(one, other)), "")

    def decision(self, keeper: str, member: str) -> str:
        """What was decided on a member beside its keeper; empty where nothing holds."""
        if member in self.alone:
            return str(DecisionKind.NEVER_PROPOSE)
        return self.pairs.get((keeper, member), "")


class DuplicateActs:
    """Says things of pictures of one workspace.

    Args:
        workspace: An open workspace.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def label(self, one: str, other: str, verdict: Verdict | str, note: str = "") -> ReviewAct:
        """Say of two pictures whether they are the same.

        Args:
            one: A digest.
            other: Another one.
            verdict: What is said.
            note: In words.

        Raises:
            SettingsError: The two are one picture.
        """
        if one == other:
            raise SettingsError("Files with equal bytes are known to be the same; no label is needed.")
        pair = min(one, other), max(one, other)
        said = Verdict(str(verdict))
        before = self._workspace.ledger.labels(who=current_person(), digests=pair)
        before = before.filter(digest_a=pair[0], digest_b=pair[1])
        counts, _ = record_label(self._workspace, pair, said, note)
        return ReviewAct(said, (pair,), counts.added + counts.changed, before, DECISIONS.empty())

    def decide(self, kind: DecisionKind | str, pairs: Sequence[tuple[str | None, str]], why: str = "") -> ReviewAct:
        """Decide on pairs of keeper and member.

        Args:
            kind: What is decided.
            pairs: Digests; the keeper is None for never_propose.
            why: In words.
        """
        said = DecisionKind(str(kind))
        rows = pl.DataFrame(list(pairs), schema={"keeper_digest": pl.String, "member_digest": pl.String}, orient="row")
        ledger = self._workspace.ledger
        every = {digest for pair in pairs for digest in pair if digest is not None}
        held = ledger.decisions(digests=every)
        act = ledger.record_decisions(rows.with_columns(kind=pl.lit(str(said)), why=pl.lit(why)))
        holds = ledger.decisions(digests=every)
        before = held.join(holds, on="decision_id", how="anti")
        return ReviewAct(said, tuple(pairs), act.added, before, holds.filter(act_id=act.act_id))

    def decide_groups(self, kind: DecisionKind | str, groups: pl.DataFrame, why: str = "") -> ReviewAct:
        """Decide on whole groups, in one act.

        Args:
            kind: What is decided.
            groups: Rows of GROUPS, all of each group.
            why: In words.

        Raises:
            SettingsError: A group has more pictures than are kept each beside each; nothing is recorded.
        """
        said = DecisionKind(str(kind))
        parts = groups.partition_by("group_id", maintain_order=True)
        pairs = dict.fromkeys(pair for part in parts for pair in pairs_of_group(part, said))
        # An approval of equal bytes would be of a picture for itself, which is proposed without one.
        return self.decide(
            said, [pair for pair in pairs if said is not DecisionKind.APPROVED or pair[0] != pair[1]], why
        )

    def take_back(self, act: ReviewAct) -> None:
        """Make what was said as it was before an act of this person."""
        ledger = self._workspace.ledger
        if isinstance(act.said, DecisionKind):
            # By what they say: a later act may have ended them, and its taking back made them again.
            every = {digest for pair in act.pairs for digest in pair if digest is not None}
            same = ledger.decisions(digests=every).join(act.made, on=_GIVEN_AGAIN, how="semi", nulls_equal=True)
            ledger.withdraw_decisions(same["decision_id"])
            if act.before.height:
                ledger.record_decisions(act.before.select(_GIVEN_AGAIN))
        elif act.recorded:
            ((one, other),) = act.pairs
            if act.before.height:
                earlier = act.before.row(0, named=True)
                record_label(self._workspace, (str(one), other), Verdict(earlier["verdict"]), earlier["note"])
            else:
                ledger.withdraw_label(str(one), other)

    def marks(self, digests: Collection[str]) -> ReviewMarks:
        """What was said of these pictures, by anybody.

        Args:
            digests: Of all pictures whose pairs are asked for.
        """
        if not digests:
            return ReviewMarks({}, {}, frozenset())
        labels = settled(self._workspace.ledger.labels(digests=digests))
        verdicts = {
            (row["digest_a"], row["digest_b"]): "disputed" if row["disputed"] else row["verdict"]
            for row in labels.iter_rows(named=True)
        }
        pairs: dict[tuple[str, str], str] = {}
        alone = set()
        decided = DECISIONS.check(self._workspace.ledger.decisions(digests=digests))
        for kind, keeper, member in decided.select("kind", "keeper_digest", "member_digest").iter_rows():
            if keeper is None:
                alone.add(member)
            elif kind == DecisionKind.APPROVED:
                pairs.setdefault((keeper, member), kind)
            else:
                pairs[(keeper, member)] = pairs[(member, keeper)] = kind
        return ReviewMarks(verdicts, pairs, frozenset(alone))

    def facts(self, digests: Sequence[str]) -> pl.DataFrame:
        """PICTURE_FACTS of these pictures."""
        return self._workspace.catalog.pictures(list(digests), PICTURE_FACTS)
