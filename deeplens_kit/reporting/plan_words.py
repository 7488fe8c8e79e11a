"""What a plan comes to, in sentences.

Takes the record of a plan, gives lines for people; must not compute more than sums of what the record says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from deeplens_kit.reporting.words import format_bytes, format_money, plural

if TYPE_CHECKING:
    from deeplens_kit.ledger import PlanRecord

__all__ = ["action_words", "left_out_words", "moved_to", "plan_lines", "plan_money", "proof_words"]

_ACTIONS = {
    "remove": "remove",
    "hardlink": "replace by a hard link to its keeper",
    "symlink": "replace by a symbolic link to its keeper",
    "reflink": "replace by a reflink of its keeper",
    "redirect": "replace by a small file that says where its keeper is",
    "move": "move to another location",
    "storage_class": "change the storage class",
    "create": "create",
    "rewrite": "rewrite references",
    "relink": "have a symbolic link lead to the file that stays",
}
_DIGITS = 12


def action_words(action: str) -> str:
    """What an action does, for people."""
    return _ACTIONS.get(action, action)


def plan_lines(record: PlanRecord) -> list[str]:
    """What a plan is, how it stands and what it comes to."""
    document = record.document
    totals: Mapping[str, Any] = document.get("totals", {})
    choice: Mapping[str, Any] = document.get("choice", {})
    lines = [
        f"Plan {record.plan_id} ({record.kind}), {record.state}; made by {record.author} at "
        f"{record.created_at:%Y-%m-%d %H:%M} UTC" + (f" in place of {record.replaces}." if record.replaces else "."),
    ]
    if record.replaced_by:
        lines.append(f"Plan {record.replaced_by} took its place, and this one is not applied any more.")
    if choice:
        lines.append(
            f"To do: {action_words(choice['action'])}"
            + (f" ({choice['to'] or choice['storage_class']})" if choice["to"] or choice["storage_class"] else "")
            + f", on evidence of {', '.join(choice['tiers'])}, by the rule {choice['rule']['name']} and the keep "
            f"policy {choice['policy']['name']}."
        )
    freed = totals.get("frees_bytes", 0)
    lines.append(
        f"{plural(record.steps, 'step')} on {format_bytes(totals.get('bytes', 0))}"
        + (f", {format_bytes(freed)} freed once the quarantine is emptied" if freed else "")
        + (f", moved to {to}: as much is taken there as comes free" if (to := moved_to(record)) else "")
        + _money_words(totals.get("by_location", []))
        + "."
    )
    lines.append(proof_words(totals))
    if dropped := document.get("dropped"):
        along = document.get("dropped_along", 0)
        lines.append(
            f"{plural(dropped, 'step')} taken out by hand"
            + (f", {along:,} of them because they belong with others that were" if along else "")
            + "."
        )
    lines += [str(note) for note in document.get("notes", ())]
    for said in record.approvals:
        verdict = "Approved" if said.approved else "Refused"
        lines.append(
            f"{verdict} by {said.who} at {said.at:%Y-%m-%d %H:%M} UTC" + (f": {said.note}" if said.note else ".")
        )
    lines.append(f"Digest of the steps: {record.steps_digest[:_DIGITS]}…")
    return lines


def moved_to(record: PlanRecord) -> str:
    """Where a plan that moves files takes them; empty for any other."""
    choice: Mapping[str, Any] = record.document.get("choice", {})
    return str(choice["to"]) if choice.get("action") == "move" else ""


def proof_words(totals: Mapping[str, Any]) -> str:
    """What is read to prove digests before anything is done, and what that costs where there are prices."""
    total = totals.get("proof_bytes", 0)
    if not total:
        return "Proving the digests reads nothing: unchanged tokens of the storage prove them."
    priced = [row for row in totals.get("proof", ()) if row["money"] is not None]
    money = sum((Decimal(row["money"]) for row in priced), Decimal(0))
    cost = f", {format_money(money)} {priced[0]['currency']} by the price book" if priced else ""
    missing = len(totals.get("proof", ())) - len(priced)
    if priced and missing:
        cost += f" (without {plural(missing, 'place')} that has no price)"
    return f"Proving the digests reads up to {format_bytes(total)} again{cost}."


def left_out_words(lines: Sequence[Mapping[str, Any]]) -> str:
    """How many copies are left out; empty for none."""
    objects = sum(int(line["objects"]) for line in lines)
    size = sum(int(line["bytes"]) for line in lines)
    return f"{plural(objects, 'copy', 'copies')} ({format_bytes(size)}) left out, for these reasons:" if objects else ""


def plan_money(rows: Sequence[Mapping[str, Any]]) -> tuple[Decimal, str] | None:
    """Money a month with its currency; None where nothing has a price."""
    priced = [row for row in rows if row.get("money_per_month") is not None]
    if not priced:
        return None
    return sum((Decimal(row["money_per_month"]) for row in priced), Decimal(0)), str(priced[0]["currency"])


def _money_words(rows: Sequence[Mapping[str, Any]]) -> str:
    found = plan_money(rows)
    return "" if found is None else f", {format_money(found[0])} {found[1]} a month saved"
