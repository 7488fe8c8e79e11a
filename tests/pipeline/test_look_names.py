"""Names of what was seen change with everything that it depends on, and with the name what is known."""

from __future__ import annotations

from itertools import combinations

from deeplens_kit.decode import DECODE_SPEC, GREY_SPEC
from deeplens_kit.matching.verification import LOOK_SIDE_PX, VERIFICATION
from deeplens_kit.matching.verification.resolution import RESOLUTION
from deeplens_kit.pipeline.look_names import LOOKS, RESOLUTIONS, VERDICTS, look_name, resolution_name, verdict_name


def all_differ(*names: str) -> bool:
    return all(one != other for one, other in combinations(names, 2))


def test_each_input_changes_the_name() -> None:
    assert all_differ(LOOKS, look_name(method="m"), look_name(grey="g"), look_name(side_px=LOOK_SIDE_PX + 1))
    assert all_differ(VERDICTS, verdict_name(method="m"), verdict_name(grey="g"))
    assert all_differ(
        RESOLUTIONS, resolution_name(method="m"), resolution_name(grey="g"), resolution_name(measure="r/9")
    )


def test_the_names_of_this_release_are_made_of_its_versions() -> None:
    assert look_name(VERIFICATION, GREY_SPEC, LOOK_SIDE_PX) == LOOKS
    assert verdict_name(VERIFICATION, GREY_SPEC) == VERDICTS
    assert resolution_name(VERIFICATION, GREY_SPEC, RESOLUTION) == RESOLUTIONS
    # Grey comes through the same readers as features.
    assert GREY_SPEC.endswith(DECODE_SPEC)


def test_a_name_is_one_folder_and_one_part_of_a_fingerprint() -> None:
    assert not set("/:") & set(LOOKS + VERDICTS + RESOLUTIONS)
