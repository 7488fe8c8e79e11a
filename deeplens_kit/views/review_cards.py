"""The review of groups as HTML: the list of them, and one pair of pictures side by side with all that is known of it.

Takes what the state describes, gives HTML strings with every text escaped; must not choose, order or judge. Pictures
are named by `picture_address`, so that what is shown is small and each picture is sent once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from deeplens_kit.reporting.copy_facts import FactLine
from deeplens_kit.reporting.duplicates_view import MemberView, PictureView
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.schemas import DecisionKind, Verdict
from deeplens_kit.views.cards import chip, pager, picture_address, picture_frame
from deeplens_kit.views.group_cards import score_meter, withheld_list
from deeplens_kit.views.state.review_rows import GroupLine, ReviewEntry, ReviewGroup

__all__ = ["list_html", "pair_html"]

_LIST_PX, _STRIP_PX, _SIDE_PX = 150, 150, 600
_FRAME_PX = 300
_SHOWN_FILES = 3

_LABELS = (
    (Verdict.SAME, "Same", "s"),
    (Verdict.DIFFERENT, "Different", "d"),
    (Verdict.UNSURE, "Unsure", "u"),
)
_DECISIONS = (
    (DecisionKind.APPROVED, "May go", "a"),
    (DecisionKind.KEEP_BOTH, "Keep both", "b"),
    (DecisionKind.ALTERNATES, "Keep as versions", "v"),
    (DecisionKind.NEVER_PROPOSE, "Never propose", "x"),
)
_VERDICT_WORDS = {
    "same": ("same picture", "yes"),
    "different": ("different", "no"),
    "unsure": ("unsure", "plain"),
    "disputed": ("persons disagree", "no"),
}
_DECISION_WORDS = {
    "approved": ("may go", "no"),
    "keep_both": ("both stay", "yes"),
    "alternates": ("stay as versions", "yes"),
    "never_propose": ("never proposed", "yes"),
}


def list_html(
    lines: Sequence[GroupLine],
    current: str,
    *,
    first: int,
    groups: int,
    page: int,
    pages: int,
    marked: Collection[str] = (),
    may_act: bool = True,
) -> str:
    """The groups of a page, and what is done with all of them.

    Args:
        lines: The groups.
        current: Id of the one that is looked at.
        first: Number of the first, from 1.
        groups: How many there are in all.
        page: Number of the page, from 1.
        pages: How many pages there are.
        marked: Ids of the groups that are marked.
        may_act: Whether whoever looks may decide.
    """
    heading = plural(groups, "group")
    if pages > 1:
        heading = f"{first:,} to {first + len(lines) - 1:,} of {plural(groups, 'group')}"
    items = "".join(_line(line, current, marked=line.group_id in marked if may_act else None) for line in lines)
    return (
        f'<nav class="groups-list" aria-label="Groups"><h2>{heading}</h2>'
        f'<ol id="review-groups" data-scroll role="list" aria-label="Groups, those that free most first">{items}</ol>'
        f"{pager(page, pages)}{_bulk(len(lines), len(marked)) if may_act else ''}</nav>"
    )


def pair_html(
    found: ReviewGroup, said: str, *, pending: int, can_take_back: bool, looking: bool | None, may_act: bool = True
) -> str:
    """One copy beside its keeper, with what is known and what can be said.

    Args:
        found: The group and where one is in it.
        said: What the last act came to.
        pending: Decisions since the groups were made.
        can_take_back: Whether there is an act to undo.
        looking: The closer look is open; None where there is none to open.
        may_act: Whether whoever looks may label and decide.
    """
    entry = found.entry
    group = found.group
    frees = f"frees {format_bytes(group.frees_bytes)}"
    place = f"Group {found.number:,} of {found.groups:,} · {frees} · 1 stays, {group.removable:,} could go"
    hidden = ""
    if group.hidden_pictures:
        hidden = f'<p class="more">and {plural(group.hidden_pictures, "more picture")} in this group</p>'
    withheld = withheld_list(found.withheld)
    if withheld:
        withheld = f'<h3 class="sub-head">Not proposed, and why</h3>{withheld}'
    return (
        f'<section class="pair" tabindex="0" data-home aria-label="The pair; '
        f'{"letters act on it" if may_act else "letters and arrows move on"}">'
        f'<header class="head"><h2><bdi>{escape(group.title)}</bdi></h2><p class="small quiet">{place}</p>'
        f"{_moves(found)}</header>"
        f'<p class="said small" role="status">{escape(said)}</p>'
        f'<div class="sides">{_side(found.keeper, None)}{_side(entry.picture, entry)}</div>'
        f"{'<div data-closer></div>' if looking else ''}"
        f"{_acts(entry, can_take_back=can_take_back, looking=looking, pending=pending, may_act=may_act)}"
        f"{_facts(entry.facts)}{_strip(found)}{hidden}{_whole_group(found) if may_act else ''}{withheld}</section>"
    )


def _bulk(shown: int, marked: int) -> str:
    """What is done with many groups at once."""

    def buttons(act: str, name: str) -> str:
        return "".join(
            _button(act, str(kind), words, name=f"{name}-{kind}", kind="second") for kind, words, _ in _DECISIONS
        )

    said = (
        '<p class="small quiet">One decision for every copy of these groups; Undo takes all of it back. Labels are '
        "given pair by pair, for estimates rest on them.</p>"
    )
    some = ""
    if marked:
        none = _button("unmark", "", "Take the marks away", name="unmark", kind="second")
        some = (
            f'<div class="marked"><h3 class="sub-head">{plural(marked, "marked group")}</h3>{said}'
            f'<p class="acts">{buttons("decide-marked", "marked")}{none}</p></div>'
        )
    return (
        f'{some}<details class="fold" id="review-bulk"><summary>All {shown:,} of this page</summary>'
        f'{"" if marked else said}<p class="acts">{buttons("decide-page", "page")}</p></details>'
    )


def _line(line: GroupLine, current: str, *, marked: bool | None) -> str:
    """A group of the list; `marked` is None where there is no mark to set."""
    marks = []
    if line.decided:
        marks.append("decided" if line.decided == line.pairs else f"{line.decided:,} of {line.pairs:,} decided")
    if line.labelled:
        marks.append("labelled" if line.labelled == line.pairs else f"{line.labelled:,} of {line.pairs:,} labelled")
    done = f'<span class="mark">{" · ".join(marks)}</span>' if marks else ""
    here = ' aria-current="true"' if line.group_id == current else ""
    image = f'<img src="{picture_address(line.digest, _LIST_PX)}" alt="" decoding="async">'
    mark = ""
    if marked is not None:
        mark = (
            f'<button type="button" id="mark-{escape(line.group_id)}" class="mark-box" data-act="mark" '
            f'data-value="{escape(line.group_id)}" aria-pressed="{str(marked).lower()}" '
            f'aria-label="Mark {escape(line.title)}" title="Mark it, to decide on several at once"></button>'
        )
    return (
        f'<li>{mark}<button type="button" id="open-{escape(line.group_id)}" data-act="open" '
        f'data-value="{escape(line.group_id)}"{here}>{image}<span class="what"><b><bdi>{escape(line.title)}</bdi></b>'
        f'<span class="tiny quiet">{" ".join(map(chip, line.tiers))} {plural(line.removable, "copy", "copies")}</span>'
        f'{done}</span><span class="frees">{format_bytes(line.frees_bytes)}</span></button></li>'
    )


def _moves(found: ReviewGroup) -> str:
    last, first = found.number == found.groups, found.number == 1
    return (
        '<p class="moves">'
        + _button("move", "group -1", "Previous group", key="p", name="group-back", kind="second", off=first)
        + _button("move", "group 1", "Next group", key="n", name="group-on", kind="second", off=last)
        + "</p>"
    )


def _side(picture: PictureView, entry: ReviewEntry | None) -> str:
    """The keeper, or the copy beside it."""
    if entry is None:
        over, files = chip("keeper"), [member for member in picture.members if member.is_keeper]
        why = f'<p class="small"><b>Stays:</b> {escape(files[0].reason)}.</p>'
    else:
        over = chip("bytes" if entry.is_equal else picture.tier)
        over += chip(picture.relation) if picture.relation in ("part", "contains") else ""
        files = [member for member in picture.members if not member.is_keeper]
        why = _evidence(picture, entry)
    frame = picture_frame(
        src=picture_address(picture.digest, _SIDE_PX),
        alt=f"{'The picture that stays' if entry is None else 'The copy'}: {picture.title}",
        side_px=_FRAME_PX,
        over=f'<div class="chips">{over}</div>',
        regions=picture.regions if entry is not None else (),
        shape=picture.shape,
    )
    marks = "" if entry is None else _marks(entry)
    return (
        f'<article class="picture{" keeper" if entry is None else ""}">{frame}<div class="text">'
        f"<h3><bdi>{escape(files[0].name)}</bdi></h3>{marks}{_files(files)}{why}</div></article>"
    )


def _files(files: Sequence[MemberView]) -> str:
    shown = "".join(
        f'<li class="mono"><span class="quiet"><bdi>{escape(file.location)}</bdi>: {escape(file.folder)}</span>'
        f"<bdi>{escape(file.name)}</bdi></li>"
        for file in files[:_SHOWN_FILES]
    )
    left = len(files) - _SHOWN_FILES
    more = f'<li class="quiet small">and {plural(left, "more file")} with the same bytes</li>' if left > 0 else ""
    return f'<ul class="places" role="list">{shown}{more}</ul>'


def _evidence(picture: PictureView, entry: ReviewEntry) -> str:
    if entry.is_equal:
        return '<p class="small">Byte for byte the same as the keeper; no judgement is needed.</p>'
    lines = "".join(f"<li>{escape(line)}</li>" for line in picture.evidence)
    first = f"<strong>Look first.</strong> {escape(picture.look_first.capitalize())}."
    warning = f'<p class="look-first small">{first}</p>' if picture.look_first else ""
    says = f"{picture.score_says.capitalize()} evidence: {picture.tier_says}; {picture.relation_says}."
    return (
        f'{warning}{score_meter(picture.score, picture.tier)}<p class="small quiet">{escape(says)}</p>'
        f'<ul class="evidence" role="list" aria-label="Evidence">{lines}</ul>'
    )


def _marks(entry: ReviewEntry) -> str:
    marks = []
    if entry.verdict:
        words, kind = _VERDICT_WORDS[entry.verdict]
        marks.append(f'<span class="chip {kind}">labelled: {words}</span>')
    if entry.decision:
        words, kind = _DECISION_WORDS[entry.decision]
        marks.append(f'<span class="chip {kind}">decided: {words}</span>')
    if entry.instead:
        marks.append('<span class="chip plain">noted: should stay instead; waits until the keep policy agrees</span>')
    return f'<p class="marks">{"".join(marks)}</p>' if marks else ""


def _acts(entry: ReviewEntry, *, can_take_back: bool, looking: bool | None, pending: int, may_act: bool) -> str:
    digest = entry.picture.digest
    look = ""
    if looking is not None:
        look = _button("look", "", "Close look", key="c", name="look", off=entry.is_equal, pressed=looking)
    if not may_act:
        return f'<div class="says"><div role="group" aria-label="More">{look}</div></div>' if look else ""
    labels = "".join(
        _button("label", f"{verdict} {digest}", words, key=key, name=f"label-{verdict}", off=entry.is_equal,
                pressed=entry.verdict == verdict)
        for verdict, words, key in _LABELS
    )  # fmt: skip
    decisions = "".join(
        _button("decide", f"{kind} {digest}", words, key=key, name=f"decide-{kind}",
                off=entry.is_equal and kind is DecisionKind.APPROVED, pressed=entry.decision == kind)
        for kind, words, key in _DECISIONS
    )  # fmt: skip
    instead = _button("instead", digest, "Should stay instead", key="k", name="instead", off=entry.is_equal)
    mark = _button("mark", "", "Mark the group", key="m", name="mark", kind="second")
    undo = _button("undo", "", "Undo", key="z", name="undo", kind="second", off=not can_take_back)
    anew = ""
    if pending:
        words = f"Group anew ({plural(pending, 'decision')} since)"
        anew = _button("regroup", "", words, key="r", name="regroup", kind="second")
    return (
        f'<div class="says"><div role="group" aria-label="Is it the same picture?"><span class="label">Is it the same '
        f'picture?</span>{labels}</div><div role="group" aria-label="What becomes of the copy?"><span class="label">'
        f"What becomes of the copy?</span>{decisions}{instead}</div>"
        f'<div role="group" aria-label="More">{look}{mark}{undo}{anew}</div></div>'
    )


def _facts(facts: Sequence[FactLine]) -> str:
    rows = "".join(
        f'<tr{" class=differs" if fact.differs else ""}><th scope="row">{escape(fact.name)}'
        f"{'<span class=hidden> (differs)</span>' if fact.differs else ''}</th>"
        f"<td><bdi>{escape(fact.keeper)}</bdi></td><td><bdi>{escape(fact.copy)}</bdi></td></tr>"
        for fact in facts
    )
    return (
        '<table class="facts small"><caption class="hidden">Facts of both; what differs is marked</caption><thead><tr>'
        f'<td></td><th scope="col">Stays</th><th scope="col">The copy</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _strip(found: ReviewGroup) -> str:
    if len(found.entries) == 1:
        return ""
    items = "".join(
        f'<li><button type="button" id="member-{at}" data-act="member" data-value="{at}" '
        f'aria-label="Copy {at + 1}: {escape(entry.picture.title)}"{" aria-current=true" if at == found.at else ""}>'
        f'<img src="{picture_address(entry.picture.digest, _STRIP_PX)}" alt="" decoding="async">'
        f'<span class="tiny">{_short_mark(entry)}</span></button></li>'
        for at, entry in enumerate(found.entries)
    )
    back = _button("move", "member -1", "Previous copy", key="ArrowLeft", name="member-back", kind="second")
    on = _button("move", "member 1", "Next copy", key="ArrowRight", name="member-on", kind="second")
    return (
        f'<div class="strip"><h3 class="sub-head">Copy {found.at + 1:,} of {len(found.entries):,}</h3>'
        f'<p class="moves">{back}{on}</p><ol role="list" aria-label="Copies of this group">{items}</ol></div>'
    )


def _short_mark(entry: ReviewEntry) -> str:
    if entry.decision:
        return _DECISION_WORDS[entry.decision][0]
    return _VERDICT_WORDS[entry.verdict][0] if entry.verdict else entry.picture.tier


def _whole_group(found: ReviewGroup) -> str:
    if len(found.entries) == 1:
        return ""
    buttons = "".join(
        _button("decide-group", str(kind), words, name=f"group-{kind}", kind="second") for kind, words, _ in _DECISIONS
    )
    return (
        f'<details class="fold" id="review-whole"><summary>All {len(found.entries):,} copies of this group</summary>'
        f'<p class="acts">{buttons}</p></details>'
    )


def _button(
    act: str, value: str, words: str, *, name: str, key: str = "", kind: str = "", off: bool = False,
    pressed: bool | None = None,
) -> str:  # fmt: skip
    """A button, with the key that presses it."""
    shown = {"ArrowLeft": "←", "ArrowRight": "→"}.get(key, key.upper())
    keys = f' aria-keyshortcuts="{key}"' if key else ""
    state = "" if pressed is None else f' aria-pressed="{"true" if pressed else "false"}"'
    return (
        f'<button type="button" id="{escape(name)}" class="{kind}" data-act="{act}" data-value="{escape(value)}"{keys}'
        f"{state}{' disabled' if off else ''}>{escape(words)}{f' <kbd>{shown}</kbd>' if key else ''}</button>"
    )
