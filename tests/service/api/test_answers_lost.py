"""Requests of which something was made and no answer kept: sent again they are answered, not done again.

The ledger goes away before the answer is kept, which leaves what a kill at that moment leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from served_library import CAT, ROCKET, Library, as_base64, encoded

from deeplens_kit.errors import WorkspaceError
from deeplens_kit.ledger import Ledger


def lost_and_asked_again(
    own: Library, monkeypatch: pytest.MonkeyPatch, path: str, body: Any, status: int
) -> Mapping[str, Any]:
    """Ask, and again with the same key, and once more."""
    headers = {"Idempotency-Key": path}
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "end_request", _away)
        own.post(path, body, 503, headers=headers)
    again = own.client.post(f"/api/v1/{path}", json=body, headers=headers)
    assert (again.status_code, again.headers.get("idempotency-replayed")) == (status, "true"), again.text
    assert own.post(path, body, status, headers=headers) == again.json()
    answer: Mapping[str, Any] = again.json()
    return answer


def _away(*_: object) -> None:
    raise WorkspaceError("The ledger cannot be written to.")


def test_what_was_made_is_told_to_who_asks_again(own: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(path: str, body: Any, status: int = 201) -> Mapping[str, Any]:
        return lost_and_asked_again(own, monkeypatch, path, body, status)

    ledger = own.workspace.ledger
    assert asked("collections", {"collection_id": "holidays"})["collection_id"] == "holidays"
    rule = asked("rules", {"name": "mine", "thresholds": {"likelihood_min": 0.8}})
    assert (rule["name"], [item.version for item in ledger.rules(versions=True)]) == ("mine", [1])
    place = asked("storage/add", {"name": "more", "url": str(own.folder / "inbox" / "more"), "active": False,
                                  "unreachable": True})  # fmt: skip
    assert (place["name"], place["active"]) == ("more", False)
    sent = asked("ingest/upload", {"image_base64": as_base64(encoded(ROCKET)), "storage_location": "inbox"}, 202)
    images = [
        {"filename": "a.png", "image_base64": as_base64(encoded(CAT.rotate(9), "PNG"))},
        {"filename": "no.png", "image_base64": as_base64(b"no picture")},
    ]
    batch = asked("ingest/batch", {"images": images, "storage_location": "inbox"}, 202)
    assert [item["status"] for item in batch["images"]] == ["queued", "refused"]
    scan = asked("index/scan", {"storage_locations": ["photos"]}, 202)
    jobs = {job.job_id: job.kind for job in ledger.jobs()}
    assert jobs == {sent["job_id"]: "ingest", batch["batch_id"]: "ingest", scan["job_id"]: "index"}
    own.work()
    stored = own.get(f"images/{sent['image_id']}")
    assert stored["picture_id"] == sent["picture_id"]
    plan = asked("plans", {"tiers": ["bytes", "copy"], "storage_locations": ["photos"]})
    anew = asked(f"plans/{plan['plan_id']}/refresh", None)
    assert {item.plan_id for item in ledger.plans()} == {plan["plan_id"], anew["plan_id"]}
    assert own.get(f"plans/{plan['plan_id']}")["replaced_by"] == anew["plan_id"]
