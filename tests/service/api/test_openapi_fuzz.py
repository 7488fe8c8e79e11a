"""Whatever is sent that the document allows, or does not: no answer is a defect, or one that the document lacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from served_library import ROCKET, Library, as_base64, copied_library, encoded, served

from deeplens_kit.pipeline import Workspace, draw_sample, make_plan
from deeplens_kit.service.application import described_application
from tests.examples import IN_FULL

_EXAMPLES, _TOGETHER = (25 if IN_FULL else 2), 5
# Access is off here, and a name that is spelt well need not be one that there is.
_LEFT_OUT = [ignored_auth, positive_data_acceptance]
# It has no end.
_ENDLESS = "/api/v1/jobs/events"


def operations() -> list[str]:
    """Of the document, without opening a workspace: all of them, or some where examples are to be few."""
    paths = described_application().openapi()["paths"]
    found = [
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1") and path != _ENDLESS
    ]
    return found if IN_FULL else found[::6]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, str]]]:
    """The document of a server over a library that may be changed, and ids that stand for something there."""
    folder = copied_library(tmp_path_factory)
    workspace, client = served(folder)
    with workspace, client:
        library = Library(folder, workspace, client)
        yield schemathesis.openapi.from_asgi("/api/v1/openapi.json", client.app), _known(library, workspace, folder)


def _known(library: Library, workspace: Workspace, folder: Path) -> dict[str, str]:
    plan = make_plan(workspace, tiers=["bytes", "copy"])
    draw_sample(workspace, 5)
    body = {"image_base64": as_base64(encoded(ROCKET)), "storage_location": "inbox", "collection_id": "launches"}
    job = library.post("ingest/upload", body, 202)
    library.work()
    return {
        "image_id": library.image("cat.png")["image_id"],
        "plan_id": plan.plan_id,
        "job_id": job["job_id"],
        "collection_id": "launches",
    }


@pytest.mark.parametrize("operation", operations())
def test_no_answer_is_a_defect_or_undeclared(operation: str, fuzzed: tuple[Any, dict[str, str]]) -> None:
    document, known = fuzzed
    method, path = operation.split(" ")
    asked = document[path][method]
    named = {"name": "photos"} if path.startswith("/api/v1/storage") else {"name": "strict"}

    _send(asked, schemathesis.GenerationMode.POSITIVE, {**known, **named})
    _send(asked, schemathesis.GenerationMode.NEGATIVE, {})


def _send(asked: Any, mode: schemathesis.GenerationMode, known: dict[str, str]) -> None:
    """Send examples of a kind; in every other one the path names what there is."""
    ran = 0
    for first in range(0, _EXAMPLES, _TOGETHER):
        try:
            _send_some(asked, mode, known, first)
        except ValueError as error:
            # schemathesis 4.32 changes a file of a form so that it cannot check it any more, before anything is sent.
            if "Unsupported type: 'Binary'" not in str(error):
                raise
        else:
            ran += 1
    assert ran, "no example could be made"


def _send_some(asked: Any, mode: schemathesis.GenerationMode, known: dict[str, str], number: int) -> None:
    @seed(11 + number)
    @settings(
        max_examples=min(_TOGETHER, _EXAMPLES),
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=asked.as_strategy(generation_mode=mode), there=st.booleans())
    def sent(case: Any, there: bool) -> None:
        values = case.path_parameters if isinstance(case.path_parameters, dict) else {}
        for name in values if there else ():
            values[name] = known.get(name, values[name])
        case.call_and_validate(excluded_checks=_LEFT_OUT)

    sent()
