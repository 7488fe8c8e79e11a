"""The controls of the lab: a slider for every bound, the tiers, saved rules to start from, and a rule to save.

Takes the state of the thresholds, gives what Panel draws; must not count, judge or write: what is pressed is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from deeplens_kit.views.slider_names import naming_script

if TYPE_CHECKING:
    from panel.viewable import Viewable

    from deeplens_kit.views.state.threshold_state import ThresholdState

__all__ = ["threshold_controls"]

_SAID = {
    "likelihood_min": "Of all that a close look found, 0 to 1. The strict rule asks for 0.90.",
    "page_likelihood_min": (
        "Where one tone covers most of a picture, or many others are near it. The strict rule asks for 0.90."
    ),
    "other_shots_pdq_max": "Of 256 of PDQ; a burst looks alike. The strict rule allows 2.",
    "page_tone_min": (
        "0 to 1: from it on a picture is judged as a page. Further up more are judged as plain. The strict rule: 0.50."
    ),
    "pdq_quality_min": (
        "0 to 100: below it a picture holds too little to be told from others, and no pair of it is a copy. The strict "
        "rule asks for 20."
    ),
}
_WIDE = {"sizing_mode": "stretch_width", "margin": (6, 10)}


def threshold_controls(
    state: ThresholdState,
    sheets: Sequence[str],
    *,
    rules: Sequence[str],
    on_start: Callable[[str], None],
    on_save: Callable[[str, str, bool], None],
    told: Viewable,
) -> Viewable:
    """The controls.

    Args:
        state: The thresholds.
        sheets: CSS of the viewers.
        rules: Names of rules to start from; empty for none, and for a lab that stands alone.
        on_start: Told the name of a rule that was chosen.
        on_save: Told a name, a note and whether the rule is to be used from now on.
        told: Where it is said what came of it.
    """
    import panel as pn

    parameters = state.param
    wide = {"stylesheets": list(sheets), **_WIDE}

    def said(html: str) -> Any:
        return pn.pane.HTML(html, stylesheets=list(sheets), sizing_mode="stretch_width", margin=(0, 10))

    def slider(name: str) -> list[Any]:
        whole = isinstance(getattr(state, name), int)
        kind: Any = pn.widgets.IntSlider if whole else pn.widgets.FloatSlider
        options = {} if whole else {"format": "0.00"}
        return [kind.from_param(parameters[name], **options, **wide), said(f'<p class="tiny quiet">{_SAID[name]}</p>')]

    strict = pn.widgets.Button(name="Back to the strict rule", **wide)
    strict.on_click(lambda _event: state.back_to_strict())
    parts = [said('<h2 class="controls-head">Thresholds</h2>')]
    if len(rules) > 1:
        start = pn.widgets.Select(name="Start from a rule", options=list(rules), value=rules[0], **wide)
        start.param.watch(lambda event: on_start(str(event.new)), ["value"])
        parts.append(start)
    for name in ("likelihood_min", "page_likelihood_min", "other_shots_pdq_max"):
        parts += slider(name)
    parts.append(said('<h3 class="controls-part">What counts as a page, and as too little</h3>'))
    for name in ("page_tone_min", "pdq_quality_min"):
        parts += slider(name)
    parts += [
        said(naming_script(count=len(_SAID))),
        said(f'<p class="label">{parameters.tiers.label}</p>'),
        pn.widgets.CheckBoxGroup.from_param(parameters.tiers, css_classes=["checks"], **wide),
        strict,
    ]
    if state.may_write:
        parts += _saving(wide, said, on_save)
    return pn.Column(
        *parts,
        told,
        styles={"flex": "1 1 260px", "min-width": "min(100%, 240px)"},
        max_width=420,
        sizing_mode="stretch_width",
    )


def _saving(wide: dict[str, Any], said: Callable[[str], Any], on_save: Callable[[str, str, bool], None]) -> list[Any]:
    import panel as pn

    name = pn.widgets.TextInput(name="Name of the rule", placeholder="careful", **wide)
    note = pn.widgets.TextInput(name="Note", placeholder="why these bounds", **wide)
    # A group of one: Panel 1.9 gives a lone checkbox no name for those who do not see it.
    use = pn.widgets.CheckBoxGroup(options=["Use it from now on"], css_classes=["checks"], **wide)
    save = pn.widgets.Button(name="Save as a rule", button_type="primary", **wide)

    def written(field: Any) -> str:
        # What is typed counts before the field is left.
        return str(field.value_input or field.value or "")

    save.on_click(lambda _event: on_save(written(name), written(note), bool(use.value)))
    return [said('<h3 class="controls-part">Save these bounds</h3>'), name, note, use, save]
