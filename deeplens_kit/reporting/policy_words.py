"""Keep policies, and what another one would change, in sentences.

Takes a policy or a comparison of two, gives lines for people; must not order or compare anything itself.
"""

from __future__ import annotations

from deeplens_kit.matching import DEFAULT_POLICY, KeepPolicy, PolicyComparison
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.storage.paths import display_path

__all__ = ["comparison_sentence", "policy_lines", "policy_notes"]

_GLOBS = (
    ("protected_locations", "Never proposed, and kept before all else: what lies at"),
    ("protected_paths", "Never proposed, and kept before all else: paths like"),
    ("preferred_paths", "Preferred paths, the best first:"),
    ("avoided_paths", "Avoided paths:"),
)


def policy_lines(policy: KeepPolicy) -> list[str]:
    """What a policy keeps, a line for each criterion, and how a tie ends."""
    if policy.is_weighted:
        lines = [f"{display_path(policy.name)}: the most points stay, from 0 to 1000 by each criterion, by its weight"]
        weighed = zip(policy.criteria, policy.weights, strict=True)
        lines += [f"  {weight:>4}  {name}: {name.meaning}" for name, weight in weighed]
    else:
        lines = [f"{display_path(policy.name)}: what is better in the first criterion in which two files differ stays"]
        lines += [f"  {number:>2}  {name}: {name.meaning}" for number, name in enumerate(policy.criteria, start=1)]
    rest = [str(name) for name in DEFAULT_POLICY.criteria if name not in policy.criteria or policy.is_weighted]
    lines.append(f"  then  {', '.join([*rest, 'location, path'])}")
    for name, said in _GLOBS:
        if values := getattr(policy, name):
            lines.append(f"{said} {', '.join(map(display_path, values))}")
    return lines


def policy_notes(policy: KeepPolicy) -> list[str]:
    """What belongs beside figures by another policy than the default; nothing for that one."""
    if policy == DEFAULT_POLICY:
        return []
    return [f"Which copy stays is by the keep policy '{display_path(policy.name)}'; `deeplens policy show` tells it."]


def comparison_sentence(policy: KeepPolicy, against: KeepPolicy, found: PolicyComparison) -> str:
    """What a policy would change: "With policy X 312 other keepers, 4.1 GB more than with default"."""
    more = found.more_bytes
    amount = f"{format_bytes(abs(more))} {'more' if more > 0 else 'less'} to free" if more else "as much to free"
    keepers = plural(found.other_keepers, "other keeper")
    beside = f"than with {display_path(against.name)}" if more else f"as with {display_path(against.name)}"
    withheld = found.withheld[1] - found.withheld[0]
    apart = f"; {plural(abs(withheld), 'match', 'matches')} {'more' if withheld > 0 else 'fewer'} not proposed"
    return f"With {display_path(policy.name)} {keepers}, {amount} {beside}{apart if withheld else ''}."
