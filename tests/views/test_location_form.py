"""The form of a location: every option of every kind as the storage describes it, and no credential in clear."""

from __future__ import annotations

import re

import pytest

from deeplens_kit.pipeline.location_trial import LocationTrial
from deeplens_kit.storage import KindDescription, LocationCheck, describe_kinds
from deeplens_kit.views.location_form import OPTION, location_form, trial_html
from deeplens_kit.views.state.locations_state import LocationFilled

KINDS = describe_kinds()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.scheme)
def test_every_option_of_a_kind_has_one_field_with_what_it_means(kind: KindDescription) -> None:
    form = location_form(KINDS, LocationFilled(scheme=kind.scheme), None, new=True)
    named = re.findall(rf'name="{re.escape(OPTION)}([^"]+)"', form)
    assert sorted(named) == sorted(item.name for item in kind.options)
    secret = [item.name for item in kind.options if item.secret]
    assert ("Never type a credential here" in form) == bool(secret)
    assert ("Safer than a key." in form) == bool(kind.safer)
    for name in secret:
        assert f'name="{OPTION}{name}" value="" placeholder="${{NAME}}"' in form


def test_kinds_that_take_keys_say_what_is_safer() -> None:
    safer = {kind.scheme: kind.safer for kind in KINDS}
    assert "role" in safer["s3"]
    assert "managed identity" in safer["az"]
    assert "identity" in safer["gs"]
    assert safer["file"] == safer["zip"] == ""


def test_what_was_filled_in_stays_and_markup_in_it_is_text() -> None:
    filled = LocationFilled("s3", '<b>"pics"</b>', "s3://b/p", {"exclude": "*.tmp\n*.bak", "permissions": "change"})
    form = location_form(KINDS, filled, None, new=True)
    assert "&lt;b&gt;&quot;pics&quot;&lt;/b&gt;" in form
    assert "<b>" not in form.replace("<b>Safer", "")
    assert "*.tmp\n*.bak</textarea>" in form
    assert '<option value="change" selected>' in form
    assert filled.items == ("exclude=*.tmp", "exclude=*.bak", "permissions=change")
    # Only after a test of exactly this is saving what one came for.
    assert form.count('class="first"') == 1
    tested = location_form(KINDS, filled, LocationTrial(filled.url), new=True)
    assert re.search(r'data-act="save" data-value="" class="first"', tested)
    failed = LocationTrial(filled.url, "location_unavailable", "nobody is there")
    assert "save-anyway" in location_form(KINDS, filled, failed, new=True)


def test_what_a_test_found_is_said() -> None:
    found = LocationCheck(True, False, -90.0, 10**12, 5 * 10**11, ("Allow s3:PutObject.",))
    said = trial_html(LocationTrial("s3://b/p", found=found), "pics")
    for words in ("pics was reached", "New ones cannot be made", "500 GB of 1.00 TB", "1 min 30 s behind", "PutObject"):
        assert words in said
    assert "alert" in trial_html(LocationTrial("s3://b/p", "credential_missing", "no NAME"), "pics")
