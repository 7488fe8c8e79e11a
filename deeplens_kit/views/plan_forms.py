"""The forms of a plan and of a workflow, as pieces of HTML.

Takes what can be chosen and what was filled in, gives HTML with every text escaped; must not know Panel, read a store
or judge what was filled in. What is wrong stands beside its field, and the first such field is given the focus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deeplens_kit.reporting.words import plural
from deeplens_kit.views.cards import message
from deeplens_kit.views.form_parts import boxes, button, check, choice, field, text_area, text_input
from deeplens_kit.views.state.plans_state import PlanOffer, PlanWanted, WorkflowWanted

__all__ = ["make_html", "workflow_form_html"]

_NO_LOCATION = message("There is no location yet", "Add one on the page of locations and index it first.")
_IN_MORE = ("limit", "to", "storage_class", "timezone", "drift", "notify")


def make_html(offer: PlanOffer, wanted: PlanWanted) -> str:
    """The form of a plan."""
    if not offer.locations:
        return _NO_LOCATION
    sidecar = check("merge_metadata", "Keep what only files that go tell, in a sidecar", on=wanted.merge_metadata)
    more = f'{_more(offer, wanted, {})}<div class="field">{sidecar}</div>'
    return (
        f'{_closed(offer)}<section class="panel"><form data-act="make">'
        f'<div class="fields">{_first(offer, wanted, {})}</div>'
        f'<details class="fields-more"><summary>More</summary><div class="fields">{more}</div></details>'
        f'<div class="acts">{button("make", "Make the plan", kind="first", submit=True)}</div>'
        '<p class="small quiet">Nothing happens to a file: the plan is a draft that somebody has to approve.</p>'
        "</form></section>"
    )


def workflow_form_html(
    offer: PlanOffer, wanted: WorkflowWanted, faults: Mapping[str, str], *, may_notify: bool, is_first: bool
) -> str:
    """The form of a workflow, folded where there are others and nothing is wrong with it.

    Args:
        offer: What its plans can be made from.
        wanted: What was filled in.
        faults: What is wrong with that, by field.
        may_notify: Whether whoever is there may have others told.
        is_first: There is no workflow yet.
    """
    if not offer.locations:
        return _NO_LOCATION

    def line(name: str, label: str, value: str, hint: str = "", *, placeholder: str = "", needed: bool = False) -> str:
        control = _line(name, value, faults, placeholder=placeholder, needed=needed, hint=bool(hint))
        return field(name, label, control, hint, fault=faults.get(name, ""))

    when = line("name", "Name", wanted.name, needed=True) + line(
        "every", "When", wanted.every, "Five fields as in a crontab, or @weekly and its like.",
        placeholder="such as 0 3 * * 1", needed=True,
    )  # fmt: skip
    within = (
        line("objects", "Files at most", wanted.objects, placeholder="such as 500")
        + line("gigabytes", "Gigabytes at most", wanted.gigabytes, placeholder="such as 20")
        + line("share", "Percent of a location's files at most", wanted.share, placeholder="such as 5")
        + line(
            "precision", "Copies where labels show percent", wanted.precision, "Empty: equal bytes and pixels alone."
        )
    )
    more = (
        _more(offer, wanted.plan, faults)
        + line("timezone", "Time zone", wanted.timezone, "Empty: that of the server.", placeholder="Europe/Berlin")
        + line("drift", "Wait where a plan is so many times the usual one", wanted.drift)
    )
    if may_notify:
        area = text_area("notify", wanted.notify, fault="notify" in faults, focus=_is_first("notify", faults))
        hint = "smtp://, smtps:// or https://, a line each; credentials as references."
        more += field("notify", "Who is told", area, hint, fault=faults.get("notify", ""))
    unfolded = " open" if faults or is_first else ""
    unfolded_more = " open" if any(name in faults for name in _IN_MORE) else ""
    return (
        f'<section class="panel"><details id="add-workflow"{unfolded}><summary>Add a workflow</summary>'
        f'<form data-act="add-workflow"><div class="fields">{when}</div>'
        f'<div class="fields">{_first(offer, wanted.plan, faults)}</div>'
        "<fieldset><legend>Plans that need no person</legend>"
        '<p class="small quiet">Within all of these bounds its plans count as approved by you. Without any, each plan '
        f'waits for a person.</p><div class="fields">{within}</div></fieldset>'
        f'<details class="fields-more"{unfolded_more}><summary>More</summary><div class="fields">{more}</div></details>'
        f'<div class="acts">{button("add-workflow", "Add the workflow", kind="first", submit=True)}</div>'
        '<p class="small quiet">Nothing is done by adding it. It runs when you run it here, by a schedule of the page '
        "of reports, or by a scheduler of yours.</p></form></details></section>"
    )


def _closed(offer: PlanOffer) -> str:
    closed = [says for name, says in offer.locations if name not in offer.opened]
    if not closed:
        return ""
    return message(
        f"{plural(len(closed), 'location is', 'locations are')} only read: {', '.join(closed)}",
        "Copies there are left out, each with that reason. An administrator opens a location for changes on the page "
        "of locations (permissions: change).",
        kind="note",
    )


def _first(offer: PlanOffer, wanted: PlanWanted, faults: Mapping[str, str]) -> str:
    """What every plan is made from."""
    return (
        field(
            "action",
            "What becomes of each copy",
            _choice("action", offer.actions, wanted.action, faults, hint=False),
            fault=faults.get("action", ""),
        )
        + boxes(
            "tiers",
            "Evidence that is strong enough",
            offer.tiers,
            wanted.tiers,
            fault=faults.get("tiers", ""),
            focus=_is_first("tiers", faults),
        )
        + field(
            "rule",
            "When two pictures are copies",
            _choice("rule", _marked(offer.rules, offer.rule), wanted.rule or offer.rule, faults, hint=True),
            "The rule, of evidence that is judged; equal bytes and pixels need none.",
            fault=faults.get("rule", ""),
        )
        + field(
            "policy",
            "Which copy stays",
            _choice("policy", _marked(offer.policies, offer.policy), wanted.policy or offer.policy, faults, hint=True),
            "The keep policy; each plan says for each file why that one stays.",
            fault=faults.get("policy", ""),
        )
        + boxes(
            "locations",
            "Only copies at",
            offer.locations,
            wanted.locations,
            "None ticked: at all of them.",
            fault=faults.get("locations", ""),
            focus=_is_first("locations", faults),
        )
    )


def _more(offer: PlanOffer, wanted: PlanWanted, faults: Mapping[str, str]) -> str:
    """What few plans need."""
    return (
        field(
            "limit",
            "Steps at most",
            _line("limit", wanted.limit, faults, placeholder="all"),
            "Those that free most.",
            fault=faults.get("limit", ""),
        )
        + field(
            "to",
            "Move to",
            _choice("to", (("", "–"), *offer.targets), wanted.to, faults, hint=True),
            "With moving alone.",
            fault=faults.get("to", ""),
        )
        + field("folder", "Folder there", text_input("folder", wanted.folder, hint=False))
        + field(
            "storage_class",
            "Storage class",
            _line("storage_class", wanted.storage_class, faults, placeholder="GLACIER"),
            "With changing the storage class alone.",
            fault=faults.get("storage_class", ""),
        )
    )


def _line(
    name: str,
    value: str,
    faults: Mapping[str, str],
    *,
    placeholder: str = "",
    needed: bool = False,
    hint: bool = True,
) -> str:
    return text_input(
        name,
        value,
        placeholder=placeholder,
        needed=needed,
        hint=hint,
        fault=name in faults,
        focus=_is_first(name, faults),
    )


def _choice(name: str, options: Sequence[tuple[str, str]], value: str, faults: Mapping[str, str], *, hint: bool) -> str:
    return choice(name, options, value, hint=hint, fault=name in faults, focus=_is_first(name, faults))


def _is_first(name: str, faults: Mapping[str, str]) -> bool:
    return name == next(iter(faults), None)


def _marked(options: tuple[tuple[str, str], ...], used: str) -> tuple[tuple[str, str], ...]:
    """The options, with a word at the one in use."""
    return tuple((name, f"{says} (in use)" if name == used else says) for name, says in options)
