"""Groups of copies as HTML: the keeper, what could go, and the evidence for each.

Takes groups that `describe_duplicates` described and the addresses of thumbnails, gives HTML strings; must not choose,
order or judge. The words of the evidence are those of the page that `deeplens duplicates --html` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from urllib.parse import quote

from deeplens_kit.reporting.duplicates_view import GroupView, MemberView, PictureView, WithheldView
from deeplens_kit.reporting.words import format_bytes, format_score, plural
from deeplens_kit.views.cards import chip, picture_frame

__all__ = ["group_card", "group_link", "score_meter", "withheld_list"]

_FRAME_PX = 150
_SIDE_PX = 300

ImageSource = Callable[[str, int], str]


def group_link(group_id: str) -> str:
    """The address of a group on the page of duplicates."""
    return f"/duplicates?group={quote(group_id, safe='')}"


def group_card(
    group: GroupView, src: ImageSource, *, opened: bool = True, focus: bool = False, can_review: bool = False
) -> str:
    """One group that folds: what it would free, its pictures and why.

    Args:
        group: The group.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
        opened: Unfolded at first.
        focus: Give its heading the focus when it appears.
        can_review: Offer to review it, by the act "review" with its id.
    """
    review = ""
    if can_review:
        named = escape(group.group_id)
        review = f'<button type="button" data-act="review" data-value="{named}">Review this group</button> '
    chips = "".join(chip(tier) for tier in group.tiers)
    frees = "freed" if group.frees_bytes == group.gross_bytes else f"freed of {format_bytes(group.gross_bytes)}"
    pictures = "".join(f"<li>{_picture(item, src)}</li>" for item in group.pictures)
    more = f'<p class="more">and {plural(group.hidden_pictures, "more picture")} in this group</p>'
    return (
        f'<details class="group" id="group-{escape(group.group_id)}"{" open" if opened else ""}>'
        f"<summary{' data-focus' if focus else ''}>"
        f'<img src="{escape(src(group.pictures[0].digest, 150))}" alt="" loading="lazy" decoding="async">'
        f"<h3><bdi>{escape(group.title)}</bdi></h3>"
        f'<span class="sub small quiet">{chips}<span>1 stays, {group.removable:,} could go</span>'
        f"<span>kept at <bdi>{escape(group.location)}</bdi></span></span>"
        f'<span class="frees">{format_bytes(group.frees_bytes)}<span>{frees}</span></span></summary>'
        f'<ul class="pictures wide" role="list" aria-label="Pictures of this group">{pictures}</ul>'
        f"{more if group.hidden_pictures else ''}"
        f'<p class="more">{review}<a href="{escape(group_link(group.group_id))}">Link to this group</a></p></details>'
    )


def score_meter(score: float, tier: str) -> str:
    """A score as a number with a bar."""
    return (
        f'<p class="score"><b>{format_score(score)}</b><span class="meter" aria-hidden="true">'
        f'<i class="{escape(tier)}" style="width: {max(0, min(100, round(100 * score)))}%"></i></span></p>'
    )


def withheld_list(matches: Iterable[WithheldView]) -> str:
    """Matches that are not proposed, each with the reason."""
    items = "".join(
        f'<li>{chip(match.tier)} <b>{format_score(match.score)}</b> <bdi class="mono">{escape(match.keeper)}</bdi> and '
        f'<bdi class="mono">{escape(match.name)}</bdi>: {escape(match.reason)}</li>'
        for match in matches
    )
    return f'<ul class="withheld small" role="list">{items}</ul>' if items else ""


def _picture(picture: PictureView, src: ImageSource) -> str:
    over = chip("keeper") if picture.has_keeper else chip(picture.tier) + _relation_chip(picture)
    frame = picture_frame(
        src=src(picture.digest, _SIDE_PX),
        alt=f"Preview of {picture.title}",
        side_px=_FRAME_PX,
        over=f'<div class="chips">{over}</div>',
        regions=picture.regions,
        shape=picture.shape,
    )
    facts = f'<p class="small quiet">{escape(picture.facts)}</p>' if picture.facts else ""
    reasons = picture.has_keeper or not picture.evidence
    members = "".join(_member(item, beside_keeper=picture.has_keeper, with_reason=reasons) for item in picture.members)
    hidden = f'<li class="quiet">and {plural(picture.hidden_members, "more file")} with the same bytes</li>'
    return (
        f'<article class="picture{" keeper" if picture.has_keeper else ""}">{frame}<div class="text">'
        f"<div><h4><bdi>{escape(picture.title)}</bdi></h4>{facts}</div>{_evidence(picture)}"
        f'<ul class="files small" role="list">{members}{hidden if picture.hidden_members else ""}</ul></div></article>'
    )


def _relation_chip(picture: PictureView) -> str:
    """Only where a closer look told it: equal bytes need none."""
    return "" if picture.tier == "bytes" or picture.relation == "unverified" else chip(picture.relation)


def _evidence(picture: PictureView) -> str:
    if picture.has_keeper:
        return ""
    lines = "".join(f"<li>{escape(line)}</li>" for line in picture.evidence)
    says = f"{picture.score_says.capitalize()} evidence: {picture.tier_says}; {picture.relation_says}."
    first = f"<strong>Look first.</strong> {escape(picture.look_first.capitalize())}."
    warning = f'<p class="look-first small">{first}</p>' if picture.look_first else ""
    return f'{warning}{score_meter(picture.score, picture.tier)}<p class="small quiet">{escape(says)}</p>' + (
        f'<ul class="evidence" role="list" aria-label="Evidence">{lines}</ul>' if lines else ""
    )


def _member(member: MemberView, *, beside_keeper: bool, with_reason: bool) -> str:
    size = format_bytes(member.size_bytes)
    tier = f" {chip(member.tier)}" if beside_keeper else ""
    if member.is_keeper:
        fate = f'<span class="fate keep">Stays</span> <span class="quiet">{size}</span>'
    else:
        frees = ""
        if member.frees_bytes == 0:
            frees = ", frees nothing"
        elif member.frees_bytes != member.size_bytes:
            frees = f", frees {format_bytes(member.frees_bytes)}"
        fate = f'<span class="fate go">Could go</span> <span class="quiet">{size}{frees}</span>{tier}'
    why = f'<p class="quiet">{escape(member.reason)}</p>' if with_reason else ""
    return (
        f'<li><p>{fate}</p><p class="mono"><span class="quiet"><bdi>{escape(member.location)}</bdi>: '
        f"{escape(member.folder)}</span><bdi>{escape(member.name)}</bdi></p>{why}</li>"
    )
