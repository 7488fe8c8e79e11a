"""Decisions of people: made on a pair, a picture or a whole group, listed with their files, exported and taken back.

Takes an open workspace and names of groups and files, writes decisions to the ledger and gives frames; must not touch
a file, or judge anything. What is decided on a group is expanded into pairs of digests, so that it holds when the group
is another one, the files lie elsewhere, or everything was indexed anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from deeplens_kit.errors import ObjectUnreadableError, SettingsError, UnknownNameError
from deeplens_kit.ledger import DecisionAct
from deeplens_kit.matching import Rule
from deeplens_kit.matching.policy import REASONS, Withhold
from deeplens_kit.pipeline.approvals import WAITING, with_files, with_waits
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.subjects import named
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import APPROVALS, DECISIONS, DecisionKind, Relation

__all__ = [
    "EXPORTED",
    "Decided",
    "decide",
    "import_decisions",
    "list_decisions",
    "pairs_of_group",
    "withdraw_decisions",
]

EXPORTED = ("kind", "keeper_digest", "member_digest", "who", "at", "why")
"""Columns of DECISIONS that mean the same in another workspace."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_ACT = re.compile(r"[0-9a-f]{16}", re.IGNORECASE)
# All pairs of so many pictures are 4,950.
_MOST_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a decision.

    Attributes:
        kind: What was decided.
        group_id: The group that it was expanded from; None for a pair or a picture.
        pairs: keeper_digest (null for never_propose), member_digest: what it was expanded into. Of `approved` also
            keeper and member, a file of each as "location:path"; stored, whether the two are a stored pair; and waits,
            why the approval has no effect now, null where it has.
        act: What the ledger made of it.
    """

    kind: DecisionKind
    group_id: str | None
    pairs: pl.DataFrame
    act: DecisionAct


def decide(
    workspace: Workspace,
    kind: DecisionKind | str,
    what: str,
    other: str | None = None,
    *,
    why: str = "",
    crowd: bool = False,
    rule: Rule | None = None,
    include: Collection[Relation | str] = (),
) -> Decided:
    """Decide on a group, on a pair, or with `never_propose` on a picture.

    Args:
        workspace: An open workspace.
        kind: What is decided.
        what: The id of a group or how it begins; "location:path" of an indexed file, its path on this machine, or the
            digest of a picture: of a pair the one that stays.
        other: The other file or picture of the pair; None for a group, or for one picture.
        why: In words.
        crowd: With `approved`: `what` is a picture whose copies are set aside as a crowd, and all of them may go.
        rule: The groups are those of this rule, and so is a crowd; None for the rule in use.
        include: The same, as for `list_groups`.

    Raises:
        UnknownNameError: There is no such group, file or kind.
        SettingsError: What is named does not go with the kind, or a group has more pictures than are kept pair by pair.
    """
    kinds = [str(name) for name in DecisionKind]
    if str(kind) not in kinds:
        raise UnknownNameError("kind of decision", str(kind), kinds)
    chosen, group_id = DecisionKind(str(kind)), None
    files = active_files(workspace)
    alone = chosen is DecisionKind.NEVER_PROPOSE
    if alone and other is not None:
        raise SettingsError(f"{chosen} is on one picture or one group; decide on {other!r} by itself.")
    if crowd:
        if chosen is not DecisionKind.APPROVED or other is not None:
            raise SettingsError("A crowd is approved as a whole; name the picture that stays, and nothing else.")
        view = list_groups(workspace, rule=rule, include=include)
        rows = _of_crowd(view.withheld, _digest(workspace, what, files), what)
    elif other is not None:
        rows = [(_digest(workspace, what, files), _digest(workspace, other, files))]
    elif _DIGEST.fullmatch(what.strip()) and alone:
        rows = [(None, _digest(workspace, what, files))]
    else:
        view = list_groups(workspace, rule=rule, include=include)
        subject = named(what, view.groups["group_id"], files, workspace)
        if subject.group_id is not None:
            group_id = subject.group_id
            rows = pairs_of_group(view.groups.filter(group_id=group_id), chosen)
        elif not alone:
            raise SettingsError(f"{what!r} is one file; name the other one of the pair too, or the id of a group.")
        else:
            rows = [(None, _digest(workspace, what, files))]
    schema = {"keeper_digest": pl.String, "member_digest": pl.String}
    pairs = pl.DataFrame(rows, schema=schema, orient="row").unique(maintain_order=True)
    act = workspace.ledger.record_decisions(pairs.with_columns(kind=pl.lit(str(chosen)), why=pl.lit(why)))
    if chosen is DecisionKind.APPROVED:
        # Recorded all the same: it holds as soon as what it waits for is otherwise.
        approvals = list_groups(workspace, rule=rule, include=include).approvals
        pairs = with_waits(with_files(pairs, files), approvals)
    return Decided(chosen, group_id, pairs, act)


def list_decisions(
    workspace: Workspace, *, withdrawn: bool = False, kind: DecisionKind | str | None = None
) -> pl.DataFrame:
    """DECISIONS, the latest first, with a file of each picture, and whether an approval waits.

    Columns keeper and member are files as "location:path", null where none is left; two files where a decision is on
    equal ones. Of approvals that hold `stored` says whether the two are a stored pair, and `waits` why it has no effect
    by the rule and keep policy in use.

    Args:
        workspace: An open workspace.
        withdrawn: Also those that do not hold any more.
        kind: Of one kind alone.

    Raises:
        UnknownNameError: There is no such kind.
    """
    if kind is not None and str(kind) not in list(map(str, DecisionKind)):
        raise UnknownNameError("kind of decision", str(kind), map(str, DecisionKind))
    found = with_files(workspace.ledger.decisions(withdrawn=withdrawn, kind=kind), active_files(workspace))
    approved = found.filter(pl.col("kind") == str(DecisionKind.APPROVED), pl.col("withdrawn_at").is_null())
    # Seconds for a million pictures, and nothing to tell where nobody approved anything.
    approvals = list_groups(workspace).approvals if approved.height else APPROVALS.empty()
    return with_waits(found, approvals).select(*DECISIONS.names, "keeper", "member", *WAITING).reverse()


def withdraw_decisions(workspace: Workspace, which: Sequence[str]) -> list[int]:
    """Withdraw decisions by their numbers, or all that were made together by their act; those that held until now.

    Raises:
        UnknownNameError: There is no such decision or act; none is withdrawn.
    """
    acts = [text.lower() for text in which if _ACT.fullmatch(text)]
    numbers = [text for text in which if not _ACT.fullmatch(text)]
    for text in numbers:
        if not text.isdecimal():
            raise UnknownNameError(
                "decision", text, [], advice="give a number or an act as `deeplens decide list` shows them."
            )
    return workspace.ledger.withdraw_decisions(map(int, numbers), acts)


def import_decisions(workspace: Workspace, decisions: pl.DataFrame) -> DecisionAct:
    """Take in decisions of another workspace, or of this one from before, by whom and when they were made.

    Args:
        workspace: An open workspace.
        decisions: Columns kind and member_digest, and the others of `EXPORTED` that there are; further ones of
            `list_decisions` are left out.

    Raises:
        SettingsError: A column is missing or a value not allowed; nothing is recorded.
    """
    lacking = [name for name in ("kind", "member_digest") if name not in decisions.columns]
    if lacking:
        raise SettingsError(f"The decisions lack the column {lacking[0]!r}; `deeplens decide export` writes them all.")
    if "withdrawn_at" in decisions.columns:
        decisions = decisions.filter(pl.col("withdrawn_at").is_null())
    return workspace.ledger.record_decisions(decisions.select(name for name in EXPORTED if name in decisions.columns))


def pairs_of_group(group: pl.DataFrame, kind: DecisionKind) -> list[tuple[str | None, str]]:
    """What a decision on a group comes to, pair by pair: keeper (None for never_propose) and member.

    Args:
        group: Rows of GROUPS of one group.
        kind: What is decided.

    Raises:
        SettingsError: It has more pictures than are kept each beside each.
    """
    keeper = group.filter("is_keeper")["digest"][0]
    going = group.filter(~pl.col("is_keeper"))["digest"]
    members = going.unique(maintain_order=True).to_list()
    if kind is DecisionKind.NEVER_PROPOSE:
        return [(None, member) for member in members]
    if kind is DecisionKind.APPROVED:
        return [(keeper, member) for member in members]
    # Each beside each: else the members would be proposed for one another as soon as the keeper does not take them.
    together = list(dict.fromkeys([keeper, *members]))
    if len(together) > _MOST_TOGETHER:
        raise SettingsError(
            f"The group holds {len(together):,} pictures, which are kept each beside each for at most "
            f"{_MOST_TOGETHER}; `deeplens decide never-propose` keeps all of them with one decision each."
        )
    counts = dict(going.value_counts().iter_rows())
    equal = [(member, member) for member in members if member == keeper or counts[member] > 1]
    return [*combinations(together, 2), *equal]


def _of_crowd(withheld: pl.DataFrame, keeper: str, what: str) -> list[tuple[str | None, str]]:
    rows = withheld.filter((pl.col("keeper_digest") == keeper) & (pl.col("reason") == REASONS[Withhold.CROWD]))
    if rows.is_empty():
        raise SettingsError(
            f"No copies of {what!r} are set aside as a crowd; `deeplens duplicates --withheld` lists all that wait."
        )
    return [(keeper, digest) for digest in rows["digest"]]


def _digest(workspace: Workspace, what: str, files: pl.DataFrame) -> str:
    """The picture of a file, or a digest itself where the catalog has it."""
    text = what.strip()
    if _DIGEST.fullmatch(text):
        if workspace.catalog.pictures([text.lower()], ["digest"]).is_empty():
            raise UnknownNameError("picture", text, [], advice="give the digest of an indexed one, or location:path.")
        return text.lower()
    subject = named(what, pl.Series([], dtype=pl.String), files, workspace)
    digest = files.filter(object_id=subject.object_id)["digest"][0]
    if digest is None:
        raise ObjectUnreadableError(f"{what!r} could not be read so far; `deeplens failures` says why.")
    return str(digest)
