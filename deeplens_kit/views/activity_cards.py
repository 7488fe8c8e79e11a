"""Jobs and the audit trail as pieces of HTML: tables with their filters, a job alone, and what turns a page.

Takes described lines, gives HTML with every text escaped; must not know Panel, read a store or act.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from deeplens_kit.reporting.words import format_seconds, plural
from deeplens_kit.views.cards import marked, message
from deeplens_kit.views.form_parts import button, choice, field, table, text_input
from deeplens_kit.views.plan_cards import moment
from deeplens_kit.views.state.activity_state import AuditPage, AuditWanted, JobDetail, JobPage, JobRow, JobsWanted

__all__ = ["JOB_STATES", "audit_html", "job_detail_html", "jobs_html"]

JOB_STATES = (
    ("", "All"),
    ("at_work", "At work or waiting"),
    ("done", "Done"),
    ("failed", "Failed"),
    ("cancelled", "Stopped"),
)
"""What jobs can be narrowed to."""

_JOBS = (("Job", False), ("State", False), ("Asked for by", False), ("Asked, UTC", False), ("Took", True), ("", False))
_LINES = (("No.", True), ("Done, UTC", False), ("By", False), ("What", False), ("Details", False))
_STAGES = (("At, UTC", False), ("Stage", False), ("File", False))
_KINDS_OF_STATE = {"done": "good", "failed": "bad", "dead": "bad"}
_WORDS = {"queued": "waiting", "dead": "failed for good", "cancelled": "stopped"}


def jobs_html(page: JobPage, wanted: JobsWanted, kinds: Sequence[tuple[str, str]]) -> str:
    """A page of jobs."""
    state = field("states", "State", choice("states", JOB_STATES, wanted.states, change="filter"))
    kind = field("kind", "Kind", choice("kind", [("", "All"), *kinds], wanted.kind, change="filter"))
    filters = f'<form data-act="filter"><div class="fields">{state}{kind}</div></form>'
    if not page.rows:
        if wanted.states or wanted.kind:
            return filters + message("No job is like this", "Look at all of them.")
        return filters + message(
            "No job yet", "What takes a while is done as a job: indexing, reports, plans, pictures that are taken in."
        )
    rows = table(_JOBS, [_cells(row) for row in page.rows])
    return f"{filters}{_counts(page)}{rows}{_pager(turned=bool(wanted.pages), older=page.older is not None)}"


def _cells(row: JobRow) -> list[str]:
    line = row.line
    buttons = button("open", "Details", line.job_id, kind="second", of=line.title)
    if row.may_retry:
        buttons += button("retry", "Try again", line.job_id, of=line.title)
    says = "" if line.state == "done" else f'<p class="tiny quiet">{marked(line.says)}</p>'
    took = "–" if row.seconds is None else escape(format_seconds(row.seconds))
    title = f"<b>{escape(line.title)}</b>{says}"
    who = f"<bdi>{escape(row.who)}</bdi>"
    return [title, _state(row), who, moment(row.created_at), took, f'<div class="acts">{buttons}</div>']


def _state(row: JobRow) -> str:
    state = row.line.state
    kind = _KINDS_OF_STATE.get(state, "plain")
    tries = f' <span class="tiny quiet">{row.attempts} tries</span>' if row.attempts > 1 else ""
    return f'<span class="state {kind}">{escape(_WORDS.get(state, state))}</span>{tries}'


def _counts(page: JobPage) -> str:
    dead = page.counts.get("dead", 0)
    at_work = page.counts.get("running", 0)
    waiting = page.counts.get("queued", 0)
    said = [f"{at_work:,} at work", f"{waiting:,} waiting"]
    if dead:
        said.append(f"{plural(dead, 'job')} failed for good: see why, and try again")
    return f'<p class="more" role="status">{escape(" · ".join(said))}</p>'


def _pager(*, turned: bool, older: bool) -> str:
    if not (turned or older):
        return ""
    newer = button("newer", "← Newer", off="" if turned else "These are the latest.")
    older_button = button("older", "Older →", off="" if older else "There are none before these.")
    return f'<nav class="pager" aria-label="Pages">{newer}{older_button}</nav>'


def job_detail_html(detail: JobDetail) -> str:
    """A job alone."""
    row, line = detail.row, detail.row.line
    facts = "".join(
        f'<dt>{escape(name)}</dt><dd class="{"mono" if name in ("Job", "With", "Correlation") else ""}">'
        f"<bdi>{escape(text)}</bdi></dd>"
        for name, text in detail.facts
    )
    again = button("retry", "Try again", line.job_id, kind="first") if row.may_retry else ""
    card = (
        f'<section class="panel job" aria-label="{escape(line.title)}"><header><h3>{escape(line.title)}</h3>'
        f'{_state(row)}</header><p class="small">{marked(line.says)}</p><dl class="facts">{facts}</dl>'
        f'<div class="acts">{again}</div></section>'
    )
    stages = '<h3 class="sub-head">Stages, the latest first</h3>'
    if detail.stages:
        cells = [
            [moment(at), escape(stage), f'<span class="mono"><bdi>{escape(place)}</bdi></span>' if place else "–"]
            for at, stage, place in detail.stages
        ]
        stages += table(_STAGES, cells)
    else:
        stages += message("None is kept", "Stages are kept for some days, as the settings say.")
    return f'<p class="back">{button("list", "← All jobs", kind="second")}</p>{card}{stages}'


def audit_html(page: AuditPage, wanted: AuditWanted) -> str:
    """A page of the audit trail."""
    who = field("who", "By", text_input("who", wanted.who, placeholder="ana", hint=False))
    hint = "One, or how several begin: `plan` is all that is done with plans."
    action = field("action", "What", text_input("action", wanted.action, placeholder="plan.approved"), hint)
    narrow = button("filter", "Show", submit=True)
    filters = f'<form data-act="filter"><div class="fields">{who}{action}</div><div class="acts">{narrow}</div></form>'
    if not page.lines:
        return filters + message("No line is like this", "Take a filter away.")
    cells = [
        [
            f"{line.sequence:,}",
            moment(line.at),
            f"<bdi>{escape(line.who)}</bdi>",
            f'<span class="whole">{escape(line.action)}</span>',
            f'<span class="mono"><bdi>{escape(line.details)}</bdi></span>',
        ]
        for line in page.lines
    ]
    return filters + table(_LINES, cells) + _pager(turned=bool(wanted.pages), older=page.older is not None)
