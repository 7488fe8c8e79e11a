"""The quarantine and standing workflows, as pieces of HTML.

Takes described lines, gives HTML with every text escaped; must not know Panel, read a store or act. An act that whoever
is there may not do has no button.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from deeplens_kit.reporting.standing_lines import HeldFile, HeldLine, RunLine, WorkflowLine
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.cards import chip, message, picture_frame
from deeplens_kit.views.form_parts import button, file_html, said_html, table
from deeplens_kit.views.plan_cards import moment, state_html

__all__ = ["quarantine_html", "workflows_html"]

_SIDE_PX = 150
_HELD = (("", False), ("File", False), ("The one that stays", False), ("Size", True), ("", False))
_RUNS = (("Run", False), ("Came to", False), ("What it says", False), ("Plan", False))


def quarantine_html(lines: Sequence[HeldLine], src: Callable[[str, int], str], *, may: Callable[[str], bool]) -> str:
    """What lies in quarantine, by application."""
    if not lines:
        return message("The quarantine is empty", "What plans remove comes here first, and can be had back from here.")
    files, size = sum(line.files for line in lines), sum(line.size_bytes for line in lines)
    head = (
        f'<div class="head"><h2>{plural(files, "file")}, {format_bytes(size)}</h2><p class="small quiet">'
        "Nothing here is gone: "
        "each file can be moved back. The space comes free when they are removed for good.</p></div>"
    )
    return head + "".join(_held(line, src, may) for line in lines)


def _held(line: HeldLine, src: Callable[[str, int], str], may: Callable[[str], bool]) -> str:
    name, buttons = line.application_id, []
    if may("restore"):
        buttons.append(button("restore-all", f"Move {plural(line.files, 'file')} back …", name))
    if may("empty"):
        if line.expired:
            buttons.append(button("empty-expired", f"Remove {line.expired:,} that expired …", name, kind="danger"))
        buttons.append(button("empty-all", "Remove all for good …", name, kind="danger"))
    expires = f"; may go for good from {moment(line.expires_at)} on" if line.expires_at else ""
    missing = (
        f'<p class="small fate go">{plural(line.missing, "file is", "files are")} not where they were put.</p>'
        if line.missing
        else ""
    )
    shown = table(_HELD, (_held_row(file, src, may) for file in line.shown))
    left = line.files - len(line.shown)
    more = f'<p class="more">and {left:,} more</p>' if left else ""
    return (
        f'<section class="panel"><header><h3>Application {escape(name)}</h3><span class="small quiet">'
        f"{plural(line.files, 'file')}, {format_bytes(line.size_bytes)}</span></header>"
        f'<p class="small">Moved {moment(line.moved_at)} UTC{expires}.</p>{missing}<div class="acts">'
        f"{''.join(buttons)}</div>"
        f"<details><summary>Files</summary>{shown}"
        f"{more}</details></section>"
    )


def _held_row(file: HeldFile, src: Callable[[str, int], str], may: Callable[[str], bool]) -> tuple[str, ...]:
    can = may("restore") and file.state == "held"
    state = "" if file.state == "held" else f' <span class="state bad">{escape(file.state)}</span>'
    return (
        picture_frame(src=src(file.digest, _SIDE_PX), alt=f"Preview of {file.path}", side_px=44),
        file_html(file.location, file.path, state),
        f'<span class="mono">{escape(file.keeper) or "–"}</span>',
        format_bytes(file.size_bytes),
        button("restore", "Move it back", file.item_id, kind="second", of=file.path) if can else "",
    )


def workflows_html(lines: Sequence[WorkflowLine], *, may: Callable[[str], bool]) -> str:
    """Standing workflows with their last runs."""
    if not lines:
        return message("There is no workflow", "A workflow makes its plan again and again, and applies what may be.")
    return "".join(_workflow(line, may) for line in lines)


def _workflow(line: WorkflowLine, may: Callable[[str], bool]) -> str:
    buttons = []
    if line.state == "active":
        if may("run_workflow"):
            buttons.append(button("run-workflow", "Run it now …", line.name, kind="first", of=line.name))
        if may("preview_workflow"):
            buttons.append(button("preview-workflow", "What would it plan now?", line.name, of=line.name))
        if may("pause_workflow"):
            buttons.append(button("pause-workflow", "Pause …", line.name, of=line.name))
    elif may("resume_workflow"):
        buttons.append(button("resume-workflow", "Resume …", line.name, kind="first", of=line.name))
    reason = said_html("It is paused", line.reason, problem=True) if line.reason else ""
    none = '<p class="small quiet">It has not run yet.</p>'
    shown = table(_RUNS, (_run(run) for run in line.runs)) if line.runs else none
    state = '<span class="state good">active</span>' if line.state == "active" else state_html(line.state)
    return (
        f'<section class="panel workflow"><header><h3><bdi>{escape(line.name)}</bdi></h3>{state}'
        f'{"".join(chip(tier) for tier in line.tiers)}</header><dl class="facts"><dt>To do</dt><dd>'
        f"{escape(line.does)}, at "
        f"{escape(', '.join(line.locations)) or 'all locations'}</dd><dt>When</dt><dd>{escape(line.every)}</dd>"
        f'<dt>Approval</dt><dd>{escape(line.bounds)}</dd></dl>{reason}<div class="acts">{"".join(buttons)}</div>'
        f"{shown}</section>"
    )


def _run(run: RunLine) -> tuple[str, ...]:
    kind = "bad" if run.state in ("anomaly", "crashed") else "good" if run.state == "applied" else "plain"
    plan = button("open", run.plan_id, run.plan_id) if run.plan_id else "–"
    return moment(run.started_at), f'<span class="state {kind}">{escape(run.state)}</span>', escape(run.message), plan
