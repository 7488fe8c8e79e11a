"""Plans as pieces of HTML: the list, one with its steps side by side, and what was done by it.

Takes described plans, gives HTML with every text escaped; must not know Panel, read a store or act. An act that whoever
is there may not do has no button.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape

from deeplens_kit.reporting.plan_list import ApplicationLine, DiffLine, PlanDetail, PlanLine, PlanPage
from deeplens_kit.reporting.plan_view import FileView, LeftOutLine, PlanView, StepView, TotalLine
from deeplens_kit.reporting.words import format_bytes, format_score, plural
from deeplens_kit.views.cards import chip, marked, message, pager, picture_frame
from deeplens_kit.views.form_parts import button, file_html, said_html, sentence, table

__all__ = ["moment", "plan_html", "plans_html", "state_html", "words_html"]

_SIDE_PX = 150
_STATES = {
    "draft": ("waits for an approval", "plain"),
    "approved": ("approved", "good"),
    "refused": ("refused", "bad"),
    "applying": ("being applied", "plain"),
    "applied": ("applied", "good"),
    "undone": ("undone", "plain"),
    "superseded": ("replaced", "plain"),
    "finished": ("finished", "good"),
    "running": ("running", "plain"),
    "paused": ("paused", "bad"),
    "halted": ("halted", "bad"),
    "undoing": ("being undone", "plain"),
}
_LISTED = (
    ("Plan", False), ("State", False), ("To do", False), ("Steps", True), ("Size", True), ("Freed", True),
    ("A month", True), ("Made", False),
)  # fmt: skip
_TOTALS = (("Location", False), ("Evidence", False), ("Steps", True), ("Size", True), ("Freed", True), ("", True))
_LEFT_OUT = (("Location", False), ("Why", False), ("For example", False), ("Copies", True), ("Size", True))
_DIFFERENCES = (("Change", False), ("File", False), ("What", False), ("Freed", True))
_FILES = (("CSV", ".csv"), ("Parquet", ".parquet"), ("signed manifest", ".json"))


def state_html(state: str) -> str:
    """How something stands, in a colour."""
    says, kind = _STATES.get(state, (state, "plain"))
    return f'<span class="state {kind}">{escape(says)}</span>'


def moment(at: datetime | None) -> str:
    """A time, UTC; a dash for none."""
    return "–" if at is None else f'<time datetime="{at.isoformat()}">{at:%Y-%m-%d %H:%M}</time>'


def words_html(words: tuple[str, Sequence[str]] | tuple[()]) -> str:
    """What somebody asked for, its heading and its sentences; it is given the focus."""
    if not words:
        return ""
    heading = words[0]
    lines = "".join(f'<p class="small">{marked(line)}</p>' for line in words[1])
    label = f'tabindex="-1" data-focus aria-label="{escape(heading)}"'
    return f'<section class="panel told" {label}><h3>{escape(heading)}</h3>{lines}</section>'


def plans_html(plans: PlanPage, *, superseded: bool, may_make: bool) -> str:
    """A page of the list of plans."""
    if not plans.in_all:
        text = "A plan says what would be done with copies, and nothing happens before somebody approves it."
        make = f'<p class="acts">{button("tab", "Make a plan", "make", kind="first")}</p>' if may_make else ""
        return message("There is no plan yet", text) + make
    other = ("Hide plans that others replaced", "false") if superseded else ("Show plans that others replaced", "true")
    shown = table(_LISTED, map(_row, plans.lines))
    turn = pager(plans.page, plans.pages)
    return f'<div class="panel">{shown}</div>{turn}<p class="acts">{button("superseded", *other, kind="second")}</p>'


def _row(line: PlanLine) -> tuple[str, ...]:
    by = f' <span class="tiny quiet">by {escape(line.approved_by)}</span>' if line.approved_by else ""
    author = f'<span class="tiny quiet">by <bdi>{escape(line.author)}</bdi></span>'
    return (
        button("open", line.plan_id, line.plan_id),
        state_html(line.state) + by,
        escape(line.does),
        f"{line.steps:,}",
        format_bytes(line.size_bytes),
        format_bytes(line.frees_bytes),
        escape(line.money) or "no price",
        f"{moment(line.created_at)} {author}",
    )


def plan_html(
    detail: PlanDetail, src: Callable[[str, int], str], *, may: Callable[[str], bool], waits_for_other: str = ""
) -> str:
    """One plan: what it is, where it acts, its steps, what changed, what was done.

    Args:
        detail: The plan.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        may: Whether whoever is there may do an act.
        waits_for_other: Why whoever is there cannot approve it; empty where they can.
    """
    back = f'<p class="back">{button("list", "← All plans", kind="second")}</p>'
    return (
        back
        + _head(detail, may, waits_for_other)
        + "".join(_note(note) for note in detail.view.notes)
        + _applications(detail, may)
        + _totals(detail.view)
        + _steps(detail, src, may)
        + _left_out(detail.view.left_out, detail.view.left_out_objects)
        + _changes(detail)
    )


def _note(text: str) -> str:
    return f'<div class="message note" role="note"><h3>{marked(text)}</h3></div>'


def _head(detail: PlanDetail, may: Callable[[str], bool], waits_for_other: str) -> str:
    view, record = detail.view, detail.record
    money = f"{escape(view.money)} {escape(view.currency)}" if view.money else "no price"
    figures = (
        f'<dl class="figures"><div><dt>Steps</dt><dd>{view.steps_in_all:,}</dd><dd>'
        f"{format_bytes(view.size_bytes)}</dd></div>"
        f"<div><dt>Freed in the end</dt><dd>{format_bytes(view.frees_bytes)}</dd><dd>"
        "once the quarantine is emptied</dd></div>"
        f"<div><dt>Saved a month</dt><dd>{money}</dd><dd>by the price book</dd></div>"
        f"<div><dt>Left out</dt><dd>{view.left_out_objects:,}</dd><dd>copies, each with a reason</dd></div></dl>"
    )
    approvals = "".join(f"<dt>Said</dt><dd>{escape(line)}</dd>" for line in view.approvals)
    replaced = (
        f"<dt>Replaced by</dt><dd>{button('open', record.replaced_by, record.replaced_by)}</dd>"
        if record.replaced_by
        else ""
    )
    facts = (
        f'<dl class="facts"><dt>To do</dt><dd>{escape(view.action_says)}; this {escape(detail.effect)}.</dd>'
        f"<dt>Made</dt><dd>by <bdi>{escape(view.author)}</bdi>, {moment(view.created_at)} UTC</dd>"
        f"<dt>Rule, keep policy</dt><dd>{escape(view.rule) or '–'}, {escape(view.policy) or '–'}</dd>"
        f"<dt>Proof</dt><dd>{escape(view.proof_says)}</dd>{approvals}{replaced}</dl>"
    )
    stale = said_html("It has to be made anew before it is applied", detail.stale, problem=True) if detail.stale else ""
    return (
        f'<section class="panel plan" aria-label="Plan {escape(record.plan_id)}"><header><h3>'
        f"Plan {escape(record.plan_id)}</h3>"
        f'{state_html(str(record.state))}<span class="chips-inline">'
        f"{''.join(chip(tier) for tier in view.tiers)}</span></header>"
        f"{figures}{facts}{_acts(detail, may, waits_for_other)}</section>{stale}"
    )


def _acts(detail: PlanDetail, may: Callable[[str], bool], waits_for_other: str) -> str:
    state, plan_id = str(detail.record.state), detail.record.plan_id
    buttons = []
    if state == "approved" and may("apply"):
        buttons.append(button("apply", "Apply it …", plan_id, kind="first", off=detail.stale))
    if state == "draft" and may("approve"):
        buttons.append(button("approve", "Approve …", plan_id, kind="first", off=detail.stale or waits_for_other))
    if state in ("draft", "approved"):
        if may("look"):
            buttons.append(button("look", "Look what it would do now", plan_id, off=detail.stale))
        if may("refuse"):
            buttons.append(button("refuse", "Refuse …", plan_id))
    if state in ("draft", "approved", "refused") and may("refresh"):
        buttons.append(button("refresh", "Make it anew …", plan_id, kind="second"))
    if may("file"):
        buttons += [button("file", f"Save as {says}", ending, kind="second") for says, ending in _FILES]
    why = f'<p class="small quiet">{escape(waits_for_other)}</p>' if waits_for_other and state == "draft" else ""
    return f'<div class="acts">{"".join(buttons)}</div>{why}' if buttons else why


def _applications(detail: PlanDetail, may: Callable[[str], bool]) -> str:
    return "".join(_application(line, may) for line in detail.applications)


def _application(line: ApplicationLine, may: Callable[[str], bool]) -> str:
    name = line.application_id
    buttons = [button("certificate", "Certificate", name)] if may("certificate") else []
    if may("file"):
        buttons.append(button("file", "Save the certificate", f"certificate {name}", kind="second"))
    if line.state == "running" and may("pause"):
        buttons.append(button("pause", "Pause it", name))
    if line.can_go_on and may("go_on"):
        buttons.append(button("go-on", "Go on with it", name))
    if line.can_undo and may("undo"):
        buttons.append(button("undo-ask", "Undo …", name, kind="danger"))
    ended = f" to {moment(line.finished_at)}" if line.finished_at else ""
    return (
        f'<section class="panel application"><header><h3>Application {escape(name)}</h3>'
        f"{state_html(line.state)}</header>"
        f'<p>{escape(line.says)}.</p><p class="small quiet">By <bdi>{escape(line.who)}</bdi>, {moment(line.started_at)}'
        f'{ended} UTC.</p><div class="acts">{"".join(buttons)}</div></section>'
    )


def _totals(view: PlanView) -> str:
    if not view.totals:
        return ""
    columns = [*_TOTALS[:-1], (f"{view.currency or 'Money'} a month", True)]
    shown = table(columns, (_total(line) for line in view.totals))
    return f'<section class="panel"><h3>Where it acts</h3>{shown}</section>'


def _total(line: TotalLine) -> tuple[str, ...]:
    return (
        f"<bdi>{escape(line.location)}</bdi>",
        chip(line.tier) if line.tier else "–",
        f"{line.steps:,}",
        format_bytes(line.size_bytes),
        format_bytes(line.frees_bytes),
        escape(line.money) or "no price",
    )


def _steps(detail: PlanDetail, src: Callable[[str, int], str], may: Callable[[str], bool]) -> str:
    view = detail.view
    if not view.steps:
        return ""
    said = "Those that free most come first."
    if len(view.steps) < view.steps_in_all:
        said = f"{len(view.steps):,} of {view.steps_in_all:,}: those that free most. A saved file has all of them."
    may_trim = may("trim") and str(detail.record.state) in ("draft", "approved", "refused") and view.steps_in_all > 1
    shown = "".join(_step(step, view.currency, src, may_trim=may_trim) for step in view.steps)
    return f'<h3 class="sub-head">Steps</h3><p class="small quiet">{said}</p><div class="steps">{shown}</div>'


def _step(step: StepView, currency: str, src: Callable[[str, int], str], *, may_trim: bool) -> str:
    money = f", {escape(step.money)} {escape(currency)} a month" if step.money else ""
    score = f" ({escape(step.score_says)} evidence, score {format_score(step.score)})" if step.tier == "copy" else ""
    target = f": <bdi class=mono>{escape(step.target)}</bdi>" if step.target else ""
    reason = sentence(step.reason)
    why = f'<p class="small">{escape(sentence(step.action_says))}{target}. {escape(reason)}{score}.</p>'
    if step.together:
        why += f'<p class="small">It belongs with other files of <bdi>{escape(step.together)}</bdi>.</p>'
    if step.loses:
        why += f'<p class="small">It alone tells {escape(step.loses)}.</p>'
    relation = chip(step.relation) if step.relation and step.relation != "whole" else ""
    trim = (
        button("trim", "Leave this one out", str(step.step), kind="second", of=f"step {step.step + 1:,}")
        if may_trim
        else ""
    )
    return (
        f'<article class="panel step"><header><h3>Step {step.step + 1:,}</h3>'
        f"{chip(step.tier) if step.tier else ''}{relation}"
        f'<span class="small quiet">{format_bytes(step.frees_bytes)} freed{money}</span>{trim}</header>'
        f"{_side(step.victim, 'Goes' if step.action != 'storage_class' else 'Changes', 'go', src)}"
        f'{_side(step.keeper, "Stays", "keep", src) if step.keeper else ""}<div class="why">{why}</div></article>'
    )


def _side(file: FileView, fate: str, kind: str, src: Callable[[str, int], str]) -> str:
    frame = (
        picture_frame(src=src(file.digest, _SIDE_PX), alt=f"Preview of {file.name}", side_px=64) if file.digest else ""
    )
    facts = f", {escape(file.facts)}" if file.facts else ""
    return (
        f'<div class="side">{frame or "<span></span>"}<div><p class="fate {kind}">{fate}</p><h4><bdi>'
        f"{escape(file.name)}</bdi></h4>"
        f'<p class="small quiet">{format_bytes(file.size_bytes)}{facts}</p>'
        f'<p class="mono quiet"><bdi>{escape(file.location)}</bdi>: {escape(file.folder)}</p></div></div>'
    )


def _left_out(lines: Sequence[LeftOutLine], objects: int) -> str:
    if not lines:
        return ""
    shown = table(_LEFT_OUT, (_left_out_row(line) for line in lines))
    return f'<section class="panel"><h3>Left out: {plural(objects, "copy", "copies")}</h3>{shown}</section>'


def _left_out_row(line: LeftOutLine) -> tuple[str, ...]:
    return (
        f"<bdi>{escape(line.location)}</bdi>",
        marked(line.reason),
        "<br>".join(f"<bdi class=mono>{escape(name)}</bdi>" for name in line.examples),
        f"{line.objects:,}",
        format_bytes(line.size_bytes),
    )


def _changes(detail: PlanDetail) -> str:
    if not detail.before:
        return ""
    heading = f"Since plan {detail.before}"
    if not detail.differences_in_all:
        return f'<section class="panel"><h3>{escape(heading)}</h3><p class="small">Nothing changed.</p></section>'
    shown = table(_DIFFERENCES, (_difference(line) for line in detail.differences))
    left = detail.differences_in_all - len(detail.differences)
    more = f'<p class="more">and {left:,} more</p>' if left else ""
    count = plural(detail.differences_in_all, "difference")
    return f'<section class="panel"><h3>{escape(heading)}: {count}</h3>{shown}{more}</section>'


def _difference(line: DiffLine) -> tuple[str, ...]:
    freed = f"{'+' if line.frees_bytes > 0 else ''}{format_bytes(line.frees_bytes)}"
    return escape(line.change), file_html(line.location, line.path), escape(line.what) or "–", freed
