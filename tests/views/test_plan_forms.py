"""The form of a workflow says at each field what is wrong with it, and has the first such field given the focus."""

from __future__ import annotations

import re

import pytest

from deeplens_kit.views.plan_forms import workflow_form_html
from deeplens_kit.views.state.plans_state import PlanOffer, WorkflowWanted

OFFER = PlanOffer(
    actions=(("quarantine", "Move it"),),
    tiers=(("bytes", "Equal bytes"),),
    rules=(("strict", "Strict"),),
    rule="strict",
    policies=(("default", "Default"),),
    policy="default",
    locations=(("share", "share"),),
    opened=("share",),
    targets=(("nas", "nas"),),
)


def form(*faults: str) -> str:
    said = dict.fromkeys(faults, "It cannot be that.")
    return workflow_form_html(OFFER, WorkflowWanted(), said, may_notify=True, is_first=False)


@pytest.mark.parametrize("name", ["name", "every", "action", "rule", "policy", "limit", "to", "precision", "notify"])
def test_a_fault_is_told_with_its_control(name: str) -> None:
    (control,) = re.findall(rf'<(?:input|select|textarea)[^>]* id="field-{name}"[^>]*>', form(name))
    assert 'aria-invalid="true"' in control
    assert f'aria-describedby="fault-{name}' in control
    assert "data-focus" in control


@pytest.mark.parametrize("name", ["tiers", "locations"])
def test_a_fault_of_boxes_is_told_with_all_of_them(name: str) -> None:
    (control,) = re.findall(rf'<fieldset[^>]*aria-describedby="fault-{name}"[^>]*>', form(name))
    assert "data-focus" in control


def test_the_first_has_the_focus_and_what_is_right_says_nothing() -> None:
    assert form("rule", "every").count("data-focus") == 1
    assert "aria-invalid" not in form()
    assert "data-focus" not in form()
