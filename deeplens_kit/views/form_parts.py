"""Pieces of forms and panels as HTML: fields with their labels and hints, buttons, what is told and what is asked.

Takes texts as they are shown, gives HTML with every text escaped; must not know Panel or act.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from deeplens_kit.views.cards import marked
from deeplens_kit.views.state.job_lines import JobLine
from deeplens_kit.views.state.told import Question, Told

__all__ = [
    "boxes",
    "button",
    "check",
    "choice",
    "fault_html",
    "field",
    "file_html",
    "job_html",
    "question_html",
    "said_html",
    "sentence",
    "table",
    "tabs",
    "text_area",
    "text_input",
    "told_html",
]


def button(
    act: str, label: str, value: str = "", *, kind: str = "", off: str = "", submit: bool = False, of: str = ""
) -> str:
    """A button that acts.

    Args:
        act: What it does.
        label: What it says.
        value: With what.
        kind: "first" (what one came for), "second" (quiet) or "danger"; empty for plain.
        off: Why it can not be pressed now; empty where it can.
        submit: It sends the form that it is in, so that what must be filled in is asked for.
        of: To what it belongs, told to those who do not see beside what it stands; empty where it says so itself.
    """
    how = "submit" if submit else "button"
    rest = f' disabled title="{escape(off)}"' if off else ""
    name = f' class="{kind}"' if kind else ""
    whole = f' aria-label="{escape(label)}: {escape(of)}"' if of else ""
    does = f'data-act="{escape(act)}" data-value="{escape(value)}"'
    return f'<button type="{how}" {does}{name}{whole}{rest}>{escape(label)}</button>'


def sentence(text: str) -> str:
    """A text that begins with a capital letter; the rest of it stays."""
    return text[:1].upper() + text[1:]


def tabs(present: str, names: Iterable[tuple[str, str]], *, label: str) -> str:
    """Buttons of which one is chosen, by the act "tab"."""
    shown = "".join(
        f'<button type="button" data-act="tab" data-value="{escape(name)}" '
        f'aria-pressed="{str(name == present).lower()}">{escape(says)}</button>'
        for name, says in names
    )
    return f'<div class="tabs" role="group" aria-label="{escape(label)}">{shown}</div>'


def field(
    name: str, label: str, control: str, hint: str = "", *, wide: bool = False, mono: bool = False, fault: str = ""
) -> str:
    """A control with its label above, and beneath what is wrong with it and a hint.

    Args:
        name: Of the control.
        label: What it is called.
        control: As HTML.
        hint: What it means.
        wide: It takes a row of its own.
        mono: The label is a name as it is written elsewhere.
        fault: What is wrong with what was filled in; empty for nothing. The control says so too, see `text_input`.
    """
    said = fault_html(name, fault) + (f'<p class="hint" id="hint-{escape(name)}">{marked(hint)}</p>' if hint else "")
    kind = " class=mono" if mono else ""
    return (
        f'<div class="field{" wide" if wide else ""}"><label{kind} for="field-{escape(name)}">{escape(label)}</label>'
        f"{control}{said}</div>"
    )


def fault_html(name: str, fault: str) -> str:
    """What is wrong with a field; empty for nothing."""
    return f'<p class="fault" id="fault-{escape(name)}">{marked(fault)}</p>' if fault else ""


def text_input(
    name: str,
    value: str = "",
    *,
    placeholder: str = "",
    kind: str = "text",
    needed: bool = False,
    hint: bool = True,
    complete: str = "off",
    fault: bool = False,
    focus: bool = False,
) -> str:
    """A line to type in.

    Args:
        name: Of the field.
        value: What stands in it.
        placeholder: What shows where nothing does.
        kind: Of the input.
        needed: The form is not sent without it.
        hint: A hint of this name stands beneath.
        complete: What a browser may fill in.
        fault: What is wrong with it stands beneath.
        focus: It is given the focus when it appears.
    """
    more = (" required" if needed else "") + _described(name, hint=hint, fault=fault, focus=focus)
    return (
        f'<input type="{kind}" id="field-{escape(name)}" name="{escape(name)}" value="{escape(value)}" '
        f'placeholder="{escape(placeholder)}" autocomplete="{escape(complete)}" spellcheck="false"{more}>'
    )


def _described(name: str, *, hint: bool, fault: bool, focus: bool) -> str:
    about = [f"{what}-{escape(name)}" for what, is_there in (("fault", fault), ("hint", hint)) if is_there]
    said = f' aria-describedby="{" ".join(about)}"' if about else ""
    return said + (' aria-invalid="true"' if fault else "") + (" data-focus" if focus else "")


def text_area(name: str, value: str = "", *, placeholder: str = "", fault: bool = False, focus: bool = False) -> str:
    """Several lines to type in; arguments as of `text_input`."""
    return (
        f'<textarea id="field-{escape(name)}" name="{escape(name)}" rows="2" placeholder="{escape(placeholder)}" '
        f'autocomplete="off" spellcheck="false"{_described(name, hint=True, fault=fault, focus=focus)}>'
        f"{escape(value)}</textarea>"
    )


def choice(
    name: str,
    options: Sequence[tuple[str, str]],
    value: str = "",
    *,
    change: str = "",
    hint: bool = False,
    fault: bool = False,
    focus: bool = False,
) -> str:
    """A list of which one is chosen.

    Args:
        name: Of the field.
        options: What can be chosen, each with what it says.
        value: What is chosen.
        change: The act that tells of another choice at once; empty for none.
        hint: As of `text_input`, and so are the others.
        fault: As of `text_input`.
        focus: As of `text_input`.
    """
    told = f' data-change="{escape(change)}"' if change else ""
    about = _described(name, hint=hint, fault=fault, focus=focus)
    shown = "".join(
        f'<option value="{escape(key)}"{" selected" if key == value else ""}>{escape(says)}</option>'
        for key, says in options
    )
    return f'<select id="field-{escape(name)}" name="{escape(name)}"{told}{about}>{shown}</select>'


def check(name: str, label: str, *, on: bool = False, value: str = "true") -> str:
    """A box that is ticked or not, with its label behind it."""
    return (
        f'<label class="box"><input type="checkbox" name="{escape(name)}" value="{escape(value)}"'
        f"{' checked' if on else ''}>{escape(label)}</label>"
    )


def boxes(
    name: str,
    label: str,
    options: Sequence[tuple[str, str]],
    chosen: Iterable[str],
    hint: str = "",
    *,
    fault: str = "",
    focus: bool = False,
) -> str:
    """Boxes of which several may be ticked; `fault`: what is wrong with what was ticked; `focus` as of `text_input`."""
    ticked = set(chosen)
    shown = "".join(check(name, says, on=key in ticked, value=key) for key, says in options)
    said = f'<p class="hint">{marked(hint)}</p>' if hint else ""
    about = f' aria-describedby="fault-{escape(name)}"' if fault else ""
    about += ' tabindex="-1" data-focus' if focus else ""
    return (
        f'<fieldset class="field"{about}><legend class="label">{escape(label)}</legend>'
        f'<div class="boxes">{shown}</div>{fault_html(name, fault)}{said}</fieldset>'
    )


def table(columns: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells stand under each other where there is little room.

    Args:
        columns: What each is called, and whether it holds numbers; an empty name for none.
        rows: Cells as HTML.
    """
    heads = "".join(
        f'<th scope="col"{" class=n" if number else ""}>{escape(name)}</th>' if name else "<td></td>"
        for name, number in columns
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(name)}"{" class=n" if number else ""}><div>{cell}</div></td>'
            for (name, number), cell in zip(columns, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def file_html(location: str, path: str, more: str = "") -> str:
    """Where a file is."""
    return f'<span class="mono"><bdi>{escape(location)}</bdi>: {escape(path)}</span>{more}'


def said_html(heading: str, text: str = "", *, problem: bool = False) -> str:
    """What is said in a few words and a sentence; names of commands between backticks are set as such."""
    role, kind = ("alert", "problem") if problem else ("status", "empty")
    body = f"<p>{marked(text)}</p>" if text else ""
    return f'<div class="message said {kind}" role="{role}"><h3>{escape(heading)}</h3>{body}</div>'


def told_html(told: Told) -> str:
    """What came of an act; it is given the focus, for the button that was pressed may be gone."""
    if not told.heading:
        return ""
    said = said_html(told.heading, told.text, problem=told.failed)
    return f'<div class="told" tabindex="-1" data-focus>{said}</div>'


def question_html(question: Question | None) -> str:
    """What is asked before an act, with the way back."""
    if question is None:
        return ""
    parts = ""
    if question.note:
        parts += field("note", question.note, text_input("note", hint=False))
    if question.word:
        says = f"Type {question.word} to go on"
        parts += field("word", says, text_input("word", needed=True, hint=False))
    acts = button(
        question.act, question.button, question.value, kind="danger" if question.danger else "first", submit=True
    )
    return (
        '<section class="panel ask" tabindex="-1" data-focus role="alertdialog" '
        f'aria-label="{escape(question.heading)}">'
        f'<h3>{escape(question.heading)}</h3><p class="small">{marked(question.text)}</p>'
        f'<form data-act="{escape(question.act)}" data-value="{escape(question.value)}">'
        f'<div class="fields">{parts}</div><div class="acts">'
        f"{acts}{button('back', 'No, leave it', kind='second')}</div>"
        "</form></section>"
    )


def job_html(line: JobLine, *, may_stop: bool) -> str:
    """A job with its progress; what has ended can be put away."""
    bar = ""
    if not line.ended:
        width = f"{line.permille / 10:.1f}%" if line.permille is not None else "2%"
        now = "" if line.permille is None else f' aria-valuenow="{line.permille // 10}"'
        bar = (
            f'<div class="bar" role="progressbar" aria-label="{escape(line.title)}" aria-valuemin="0" '
            f'aria-valuemax="100"{now}><i style="width: {width}"></i></div>'
        )
    acts = ""
    if line.ended:
        acts = button("dismiss", "Close", line.job_id, kind="second")
    elif may_stop:
        off = "It was asked to stop already." if line.stopping else ""
        acts = button("stop-job", "Stop after the step at hand", line.job_id, kind="second", off=off)
    kind = "bad" if line.failed else "good" if line.ended else "plain"
    word = {"done": "done", "queued": "waiting", "dead": "failed"}.get(line.state, line.state)
    return (
        f'<section class="panel job" data-job="{escape(line.job_id)}"><header><h3>{escape(line.title)}</h3>'
        f'<span class="state {kind}">{escape(word)}</span></header>{bar}'
        f'<p class="small" role="status">{marked(line.says)}</p><div class="acts">{acts}</div></section>'
    )
