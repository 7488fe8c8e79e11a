"""Reports and schedules as pieces of HTML: what can be made, what was, and what recurs.

Takes described values, gives HTML with every text escaped; must not know Panel, read a store or act. An act that
whoever is there may not do has no button.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.reporting.words import format_seconds
from deeplens_kit.views.cards import message
from deeplens_kit.views.form_parts import button, check, choice, field, sentence, table, text_input
from deeplens_kit.views.plan_cards import moment
from deeplens_kit.views.state.reports_state import typed_text

if TYPE_CHECKING:
    from deeplens_kit.reporting.notebook_parameters import Parameter
    from deeplens_kit.views.state.reports_state import (
        MadeReports,
        ReportLine,
        ReportOffer,
        ScheduleLine,
        SchedulesShown,
    )

__all__ = ["PARAMETER", "made_html", "schedules_html"]

PARAMETER = "parameter."
"""Before the names of parameters among the fields of a form."""

_RUNS = (("Begun, UTC", False), ("Came to", False), ("", False))
_STATES = {
    "finished": ("good", "made"),
    "failed": ("bad", "failed"),
    "running": ("plain", "being made"),
    "interrupted": ("bad", "ended before it was made"),
}
_DOES = {"finished": "done", "failed": "failed", "running": "running", "interrupted": "ended before it was done"}


def made_html(shown: MadeReports, *, asking: str, typed: Mapping[str, str], may: Callable[[str], bool]) -> str:
    """What can be made, and what was.

    Args:
        shown: Both.
        asking: The report whose parameters are filled in.
        typed: What was filled in for it.
        may: Whether whoever is there may do an act.
    """
    offers = "".join(_offer(offer, asking, typed, may_run=may("run")) for offer in shown.offers)
    if not shown.lines:
        text = "Make one above." if may("run") else "Somebody who may index can make one."
        made = message("No report was made yet", text)
    else:
        made = "".join(_line(line) for line in shown.lines)
        if shown.in_all > len(shown.lines):
            made += f'<p class="more">The latest {len(shown.lines):,} of {shown.in_all:,}.</p>'
    return (
        f'<div class="offers" role="group" aria-label="Reports that can be made">{offers}</div>'
        f'<h2 class="sub-head">Made before</h2>{made}'
    )


def _offer(offer: ReportOffer, asking: str, typed: Mapping[str, str], *, may_run: bool) -> str:
    head = f"<h3>{escape(offer.name.capitalize())}</h3><p class=small>{escape(sentence(offer.tells))}.</p>"
    label = f'aria-label="{escape(offer.name)}"'
    if not may_run:
        return f'<section class="panel offer" {label}>{head}</section>'
    if asking != offer.name:
        acts = button("ask", "Make it …", offer.name)
        return f'<section class="panel offer" {label}>{head}<div class="acts">{acts}</div></section>'
    fields = "".join(_parameter(item, typed) for item in offer.parameters)
    acts = button("run", "Make it now", offer.name, kind="first", submit=True) + button("ask", "Not now", kind="second")
    return (
        f'<section class="panel offer open" tabindex="-1" data-focus {label}>{head}'
        f'<form data-act="run" data-value="{escape(offer.name)}"><div class="fields">{fields}</div>'
        f'<div class="beside">{check("pdf", "A PDF beside it", on=typed.get("pdf") == "true")}</div>'
        f'<div class="acts">{acts}</div></form></section>'
    )


def _parameter(item: Parameter, typed: Mapping[str, str]) -> str:
    name = PARAMETER + item.name
    value = typed.get(name, typed_text(item.default))
    truth = choice(name, [("true", "Yes"), ("false", "No")], value)
    control = truth if item.kind == "bool" else text_input(name, value)
    return field(name, item.name, control, f"{sentence(item.meaning)}." if item.meaning else "", mono=True)


def _line(line: ReportLine) -> str:
    kind, word = _STATES.get(line.state, ("plain", line.state))
    by = f"by schedule {line.schedule}" if line.schedule else f"by {line.author}"
    took = f", took {format_seconds(line.seconds)}" if line.seconds is not None and line.state == "finished" else ""
    figures = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in line.figures)
    asked = ", ".join(f"{name}={value}" for name, value in line.parameters.items())
    return (
        f'<section class="panel report" aria-label="{escape(line.report)}"><header>'
        f'<h3>{escape(line.report.capitalize())}</h3><span class="state {kind}">{escape(word)}</span></header>'
        + (f'<p class="headline">{escape(line.headline)}</p>' if line.headline else "")
        + (f'<dl class="numbers">{figures}</dl>' if figures else "")
        + (f'<p class="mono quiet">{escape(asked)}</p>' if asked else "")
        + f'<p class="small quiet">{moment(line.started_at)} UTC {escape(by)}{escape(took)}</p>{_links(line)}</section>'
    )


def _links(line: ReportLine) -> str:
    """Where it is read, and what can be fetched; a page is read apart, where it can reach nothing of this one."""
    if not line.page:
        gone = "Its page is not kept on this server."
        return f'<p class="small quiet">{gone}</p>' if line.state == "finished" else ""
    named = f"{line.report} {line.started_at:%Y-%m-%d}"
    links = [
        f'<a class="read" href="{escape(line.page)}" target="_blank" rel="noopener">Read it<span class="unseen">: '
        f"{escape(named)}, in a tab of its own</span></a>",
        f'<a href="{escape(line.page)}" download="{escape(line.report)}-{line.started_at:%Y%m%d-%H%M}.html">HTML</a>',
        *(f'<a href="{escape(path)}" download>{escape(kind)}</a>' for kind, path in line.files),
    ]
    return f'<p class="links">{"".join(links)}</p>'


def schedules_html(shown: SchedulesShown, *, may: Callable[[str], bool]) -> str:
    """What recurs, with when it is due next and what came of it."""
    if shown.problem:
        return message("The file of schedules cannot be read", shown.problem, kind="problem")
    if not shown.lines:
        text = (
            "Write them into reports/schedules.yaml in the folder of the workspace: deeplens schedule example prints "
            "one to fill in. Then deeplens schedule run makes them when they are due."
        )
        return message("There is no schedule yet", text)
    return "".join(_schedule(line, may) for line in shown.lines)


def _schedule(line: ScheduleLine, may: Callable[[str], bool]) -> str:
    if line.paused or line.next_at is None:
        state, due = '<span class="state bad">paused</span>', "Not due: it is paused."
    else:
        state, due = "", f"Next {line.next_at:%Y-%m-%d %H:%M} in {line.zone}."
    acts = ""
    if line.is_workflow and may("run_workflow"):
        acts = button("workflow-ask", "Run it now …", line.name)
    elif not line.is_workflow and may("run_schedule"):
        acts = button("run-schedule", "Run it now", line.name)
    told = f" Tells {', '.join(line.told)}." if line.told else ""
    history = '<p class="small quiet">It did not run yet.</p>'
    if line.runs:
        last = "The last run" if len(line.runs) == 1 else f"The last {len(line.runs):,} runs"
        history = f"<details><summary>{last}</summary>{table(_RUNS, (_run(run) for run in line.runs))}</details>"
    return (
        f'<section class="panel schedule" aria-label="{escape(line.name)}"><header>'
        f'<h3><bdi>{escape(line.name)}</bdi></h3>{state}</header><p class="small">{escape(sentence(line.what))}, '
        f'<span class="mono">{escape(line.cron)}</span>. {escape(due)}{escape(told)}</p>'
        f'{history}<div class="acts">{acts}</div></section>'
    )


def _run(run: ReportLine) -> tuple[str, ...]:
    kind, _ = _STATES.get(run.state, ("plain", ""))
    word = _DOES.get(run.state, run.state)
    read = ""
    if run.page:
        read = f'<a href="{escape(run.page)}" target="_blank" rel="noopener">Read it</a>'
    return (
        moment(run.started_at),
        f'<span class="state {kind}">{escape(word)}</span> {escape(run.headline)}',
        read,
    )
