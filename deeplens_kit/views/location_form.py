"""The form of a location, for any kind: what its options are is told by the storage.

Takes the kinds as the storage describes them and what was filled in, gives HTML with every text escaped; must not know
an option by itself, or test a location.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from deeplens_kit.reporting.words import format_bytes, format_seconds
from deeplens_kit.storage import KindDescription, OptionDescription
from deeplens_kit.views.form_parts import button, choice, field, said_html, sentence, text_area, text_input
from deeplens_kit.views.state.locations_state import LocationFilled

if TYPE_CHECKING:
    from deeplens_kit.pipeline.location_trial import LocationTrial

__all__ = ["OPTION", "location_form", "trial_html"]

OPTION = "option."
"""How the names of fields begin that are options of the kind."""

_SEVERAL = "again and again"
_TRUTH = "true or false"


def location_form(
    kinds: Sequence[KindDescription], filled: LocationFilled, trial: LocationTrial | None, *, new: bool
) -> str:
    """The form of a location.

    Args:
        kinds: Every kind.
        filled: What was filled in.
        trial: What came of the last test of exactly that; None for none.
        new: It is not saved yet; else its name, kind and address stay.
    """
    kind = next((item for item in kinds if item.scheme == filled.scheme), kinds[0])
    names = [(item.scheme, f"{item.scheme}: {item.title}") for item in kinds]
    if new:
        first = (
            field("scheme", "Kind", choice("scheme", names, kind.scheme, change="kind"), wide=True)
            + field("name", "Name", text_input("name", filled.name, needed=True), "What people call it; unique.")
            + field(
                "url",
                "Address",
                text_input("url", filled.url, placeholder=kind.url, needed=True),
                "A folder or an address without a password in it.",
            )
        )
    else:
        first = (
            f'<input type="hidden" name="name" value="{escape(filled.name)}"><input type="hidden" name="scheme" '
            f'value="{escape(kind.scheme)}"><input type="hidden" name="url" value="{escape(filled.url)}">'
        )
    own = [item for item in kind.options if item.own]
    common = [item for item in kind.options if not item.own]
    opened = " open" if any(item.name in filled.options for item in common) else ""
    heading = "Add a location" if new else f"Change {filled.name}"
    where = "" if new else f'<p class="mono quiet"><bdi>{escape(filled.url)}</bdi></p>'
    return (
        f'<p class="back">{button("list", "← All locations", kind="second")}</p>'
        f'<section class="panel location-form" aria-label="{escape(heading)}"><h3><bdi>{escape(heading)}</bdi></h3>'
        f"{where}"
        f'<p class="small quiet">{escape(sentence(kind.title))}. It is only read, unless you open it below.</p>'
        f'<form data-act="test"><div class="fields">{first}</div>{_advice(kind)}'
        f'{_group("Of this kind", own, filled)}<details class="fields-more"{opened}><summary>'
        "What is read there, how fast, "
        f'and what it is opened for</summary><div class="fields">{_fields(common, filled)}</div></details>'
        f"{_acts(trial, new=new)}</form></section>"
    )


def trial_html(trial: LocationTrial | None, name: str) -> str:
    """What came of a test."""
    if trial is None:
        return ""
    if not trial.reached:
        return said_html(f"{name or 'It'} cannot be reached", f"{trial.message} [{trial.state}]", problem=True)
    found = trial.found
    parts = ["Files can be listed."]
    if found.may_read is not None:
        parts.append("They can be read." if found.may_read else "They cannot be read.")
    if found.may_write is not None:
        parts.append("New ones can be made." if found.may_write else "New ones cannot be made.")
    if found.free_bytes is not None and found.capacity_bytes:
        parts.append(f"{format_bytes(found.free_bytes)} of {format_bytes(found.capacity_bytes)} are free.")
    if found.clock_skew_seconds is not None and abs(found.clock_skew_seconds) >= 1:
        ahead = "ahead of" if found.clock_skew_seconds > 0 else "behind"
        parts.append(f"Its clock is {format_seconds(abs(found.clock_skew_seconds))} {ahead} ours.")
    return said_html(f"{name or 'It'} was reached", " ".join([*parts, *found.remarks]))


def _advice(kind: KindDescription) -> str:
    secret = [item.name for item in kind.options if item.secret]
    safer = f"<b>Safer than a key.</b> {escape(kind.safer)} " if kind.safer else ""
    refer = ""
    if secret:
        names = " and ".join([", ".join(secret[:-1]), secret[-1]] if len(secret) > 1 else secret)
        refer = (
            f"Never type a credential here: {escape(names)} take references, such as <code>${{NAME}}</code>"
            " for an environment "
            "variable, <code>${keyring:SERVICE/USER}</code>, <code>${file:/PATH/secrets.toml#KEY}</code> or "
            "<code>${infisical:NAME}</code>."
        )
    return f'<p class="advice">{safer}{refer}</p>' if safer or refer else ""


def _acts(trial: LocationTrial | None, *, new: bool) -> str:
    reached = trial is not None and trial.reached
    test = button("test", "Test the connection", kind="" if reached else "first", submit=True)
    save = button("save", "Save it", kind="first" if reached else "", submit=True)
    anyway = ""
    if new and trial is not None and not trial.reached:
        anyway = button("save-anyway", "Save it though it cannot be reached", kind="second", submit=True)
    return f'<div class="acts">{test}{save}{anyway}</div>'


def _group(legend: str, options: Sequence[OptionDescription], filled: LocationFilled) -> str:
    if not options:
        return ""
    shown = f'<div class="fields">{_fields(options, filled)}</div>'
    return f'<fieldset><legend class="unseen">{escape(legend)}</legend>{shown}</fieldset>'


def _fields(options: Sequence[OptionDescription], filled: LocationFilled) -> str:
    return "".join(_option(item, filled.options.get(item.name, "")) for item in options)


def _option(item: OptionDescription, value: str) -> str:
    name = OPTION + item.name
    default = f" By default {item.default}." if item.default else ""
    if item.secret:
        control = text_input(name, value, placeholder="${NAME}")
    elif item.takes == _TRUTH:
        control = choice(name, (("", f"by default: {_yes(item.default)}"), ("true", "yes"), ("false", "no")), value)
        default = ""
    elif " | " in item.takes:
        offered = item.takes.split(" | ")
        control = choice(name, (("", f"by default: {item.default or 'none'}"), *((one, one) for one in offered)), value)
        default = ""
    elif _SEVERAL in item.takes:
        control, default = text_area(name, value), " One a line."
    else:
        control = text_input(name, value, placeholder=item.default)
    return field(name, item.name, control, f"{item.meaning}{default}", mono=True)


def _yes(default: str) -> str:
    return "yes" if default == "true" else "no"
