"""A rule's bounds as sentences.

Takes a rule, gives a line for each kind of picture; must not judge a pair.
"""

from __future__ import annotations

from collections.abc import Sequence

from deeplens_kit.matching import STRICT, Clause, Rule

__all__ = ["rule_lines", "rule_notes", "rule_title"]

_BOUNDS = {
    "phash_max": "pHash differs in at most {:g} of 64 bits",
    "pdq_max": "PDQ differs in at most {:g} of 256 bits",
    "sscd_small_min": "the cosine of SSCD small is at least {:g}",
    "sscd_min": "the cosine of SSCD is at least {:g}",
    "likelihood_min": "the likelihood is at least {:g}",
}


def rule_lines(rule: Rule) -> tuple[str, ...]:
    """When a pair that was looked at closely is a copy, by what is known of its pictures: no other is proposed."""
    kinds = (
        ("Pictures that were looked at closely", rule.verified),
        ("Pages, icons and crowds of near pictures", rule.verified_page),
        ("Where the cameras noted different times, also", (rule.other_shots,) if rule.other_shots else ()),
    )
    return tuple(f"{kind}: {_alternatives(clauses)}." for kind, clauses in kinds if clauses)


def rule_notes(rule: Rule) -> list[str]:
    """What belongs beside figures of a rule that nobody measured; nothing for the strict one."""
    if rule == STRICT:
        return []
    return [
        f"The bounds are not those of the strict rule, but {rule.name}. Only the strict rule was measured on labelled "
        "pictures; look at what these bounds propose before acting on it."
    ]


def rule_title(rule: Rule) -> str:
    """A rule in a few words: what people named it, which says the bounds where nobody did."""
    return f"{rule.name} (version {rule.version})" if rule == STRICT or rule.version != STRICT.version else rule.name


def _alternatives(clauses: Sequence[Clause]) -> str:
    return ", or ".join(
        " and ".join(_BOUNDS[name].format(bound) for name, bound in clause.bounds.items()) for clause in clauses
    )
