"""An explanation in words: why a file stays, why another is proposed, and what a score is made of.

Takes what the pipeline found of a group or file, gives lines that a person reads; must not judge or look into the
stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deeplens_kit.reporting.evidence_words import picture_facts
from deeplens_kit.reporting.words import (
    format_bytes,
    format_score,
    outcome_words,
    plural,
    relation_words,
    tier_words,
    withheld_words,
)
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import Explanation

__all__ = ["ExplanationSummary"]

_VERBS = {
    "keeper": "keep",
    "member": "remove",
    "withheld": "not proposed",
    "related": "related, not proposed",
    "alike": "alike, not proposed",
}
_SCALE = "made of, in log odds (0 is as likely as not, 2.3 more is ten times as likely):"
# Below it a term says nothing in two decimals.
_LEAST_ODDS = 0.005
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class ExplanationSummary:
    """Why files are proposed for removal, or not.

    Attributes:
        explanation: What was found.
        matches_told: Matches told of in words; of more of them the number is said.
    """

    explanation: Explanation
    matches_told: int = 20

    @property
    def matches(self) -> pl.DataFrame:
        """EXPLAINED: a row for each keeper, member and match that is not proposed."""
        return self.explanation.matches

    @property
    def evidence(self) -> pl.DataFrame:
        """SCORE_TERMS: what the scores of the matches are made of."""
        return self.explanation.evidence

    @property
    def counts(self) -> dict[str, int]:
        """Matches by standing, those that there are none of too."""
        found = dict(self.matches["standing"].value_counts().iter_rows())
        return {standing: found.get(standing, 0) for standing in _VERBS}

    @property
    def groups(self) -> list[str]:
        """Ids of the groups that are told of."""
        return [str(name) for name in self.matches["group_id"].drop_nulls().unique(maintain_order=True)]

    @property
    def frees_bytes(self) -> int:
        """What removing the members would free."""
        return int(self.matches["frees_bytes"].sum())

    @property
    def lines(self) -> list[str]:
        """The whole of it, for people."""
        told = self.matches.filter(self.matches["standing"] != "keeper").head(self.matches_told)
        lines = self._heading()
        group_id = None
        for row in self._in_order(told):
            if row["group_id"] is not None and row["group_id"] != group_id and self.explanation.file is not None:
                lines += ["", f"Group {row['group_id']}, tier {row['tier']}"]
            group_id = row["group_id"]
            lines += ["", *_match_lines(row, self._terms(row))]
        left = self.matches.height - self.counts["keeper"] - told.height
        if left:
            lines += ["", f"{plural(left, 'more match', 'more matches')}; --limit tells of more, --json of all."]
        waiting = self.explanation.waiting.head(self.matches_told)
        return [*lines, *([""] if waiting.height else []), *map(_waiting_line, waiting.iter_rows(named=True))]

    def _in_order(self, told: pl.DataFrame) -> Sequence[Mapping[str, Any]]:
        """Keepers of what is told of, each before its members."""
        import polars as pl

        keepers = self.matches.filter(
            (pl.col("standing") == "keeper") & pl.col("group_id").is_in(told["group_id"].drop_nulls().implode())
        )
        order = {group_id: at for at, group_id in enumerate(self.groups)}
        rows = [*keepers.iter_rows(named=True), *told.iter_rows(named=True)]
        return sorted(
            rows, key=lambda row: (order.get(row["group_id"], len(order)), row["standing"] != "keeper")
        )  # fmt: skip

    def _terms(self, row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        import polars as pl

        if row["other_object_id"] is None:
            return []
        both = (pl.col("object_id") == row["object_id"]) & (pl.col("other_object_id") == row["other_object_id"])
        return self.evidence.filter(both).rows(named=True)

    def _heading(self) -> list[str]:
        counts, file = self.counts, self.explanation.file
        if file is None:
            tier = self.matches["tier"][0]
            return [
                f"Group {self.explanation.group_id}, tier {tier}: {tier_words(tier)}.",
                f"1 file stays, {plural(counts['member'], 'file')} could go: "
                f"{format_bytes(self.frees_bytes)} can be freed.",
            ]
        lines = [f"{_place(file)}, {_file_facts(file)}"]
        others = self.explanation.pictures - 1
        if file["outcome"] != "indexed":
            why = display_path(str(file["message"] or outcome_words(str(file["outcome"])).lower()))
            lines.append(f"It was not analysed: {why.rstrip('.')}. So it is compared with nothing.")
        if self.matches.is_empty() and file["outcome"] == "indexed":
            lines.append(f"Nothing like it was found among {plural(others, 'other picture')}.")
        elif self.matches.height:
            lines.append(_standing_line(self.matches, str(file["object_id"]), counts))
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from markupsafe import escape

        return f"<pre>{escape(str(self))}</pre>"


def _standing_line(matches: pl.DataFrame, object_id: str, counts: Mapping[str, int]) -> str:
    """What a file is, in one sentence: "It stays for 2 copies; 1 match is withheld"."""
    own = matches.filter(object_id=object_id)["standing"].to_list()
    said = []
    if "keeper" in own:
        said.append("it stays, and files that are copies of it could go")
    if "member" in own:
        said.append("it could go")
    if not said:
        said.append("it is in no group: nothing is proposed for it")
    for standing, noun, nouns in (
        ("withheld", "match withheld", "matches withheld"),
        ("related", "picture related", "pictures related"),
        ("alike", "other alike", "others alike"),
    ):
        if counts[standing]:
            said.append(plural(counts[standing], noun, nouns))
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def _match_lines(row: Mapping[str, Any], terms: Sequence[Mapping[str, Any]]) -> list[str]:
    """A file in a few lines: what becomes of it and why."""
    head = f"{_VERBS[row['standing']]}  {_place(row)} ({format_bytes(row['size_bytes'])})"
    if row["standing"] == "keeper":
        return [head, f"  {row['reason']}"]
    lines = [head, f"  beside {_place(row, 'other_')}"]
    tier = f"tier {row['tier']} ({tier_words(row['tier'])})"
    relation = row["relation"]
    shows = f"; relation {relation} ({relation_words(relation, 'the other')})" if relation else ""
    lines.append(f"  {tier}{shows}")
    lines.append(f"  {withheld_words(row['reason'], row['companion'] and display_path(row['companion']))}")
    if row["seen"] and not row["reason"].endswith(row["seen"]) and row["standing"] != "member":
        lines.append(f"  {row['seen']}")
    lines.append(f"  {row['ruled']}")
    lines.append(f"  score {format_score(row['score'])}{', ' + _SCALE if terms else ''}")
    lines += [f"    {_odds(term['log_odds']):>6}  {term['words']}" for term in terms]
    if row["standing"] == "member":
        frees = row["frees_bytes"]
        lines.append(
            f"  it alone tells {row['loses']}" if row["loses"] else "  it tells nothing that the keeper does not"
        )
        lines.append(
            f"  removing it frees {format_bytes(frees)}"
            if frees
            else "  another name of a file (hard link): removing it frees nothing of its own"
        )
    return lines


def _waiting_line(row: Mapping[str, Any]) -> str:
    """An approval without effect: who said what, and what it waits for."""
    ends = (
        display_path(row[end]) if row[end] else f"{row[f'{end}_digest'][:_DIGITS]}…" for end in ("member", "keeper")
    )
    member, keeper = ends
    said = f"approved on {row['at']:%Y-%m-%d} by {display_path(row['who'])}: {member} may go for {keeper}"
    return f"{said}; it waits: {row['waits']}."


def _odds(value: float) -> str:
    """Log odds with their sign: "+7.14", "0" where a term adds nothing, "-5.66"."""
    return "0" if abs(value) < _LEAST_ODDS else f"{value:+.2f}"


def _place(row: Mapping[str, Any], side: str = "") -> str:
    return f"{display_path(row[f'{side}location'])}:{display_path(row[f'{side}path'])}"


def _file_facts(file: Mapping[str, Any]) -> str:
    size = format_bytes(file["size_bytes"])
    return size if file["format"] is None else f"{picture_facts(file)}, {size}"
