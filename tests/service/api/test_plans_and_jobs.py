"""Plans from draft to undone, and jobs: listed, followed, cancelled, tried again, and done once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from served_library import CAT, ROCKET, Library, as_base64, encoded

from deeplens_kit.errors import StoreFullError
from deeplens_kit.ledger.access_values import local_principal
from deeplens_kit.service.api.ingest import _batched
from deeplens_kit.service.api.taking_in import Arrival
from deeplens_kit.service.api.values.ingest import BatchRequest
from deeplens_kit.service.jobs.spool import Spool
from deeplens_kit.service.page_acts.plan_acts import PlanActs
from deeplens_kit.service.pages import PAGES, PageSession


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    """Names and data of server-sent events."""
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_plan_is_made_approved_as_it_was_looked_at_applied_and_undone(own: Library) -> None:
    # The files of this library are copies of those that were indexed, of which a plan would say that they changed.
    own.post("index/scan", {"storage_locations": ["photos"]}, 202)
    own.work()
    plan = own.post("plans", {"tiers": ["bytes", "copy"], "storage_locations": ["photos"]}, 201)
    assert (plan["status"], plan["steps"]) == ("draft", 2)
    path = f"plans/{plan['plan_id']}"
    steps = own.get(f"{path}/steps", params={"limit": 1})
    rest = own.get(f"{path}/steps", params={"limit": 1, "cursor": steps["next_cursor"]})
    files = {item["file_path"] for item in (*steps["items"], *rest["items"])}
    assert files == {"cat.jpg", "copies/cup again.jpg"} and rest["next_cursor"] is None
    # Nothing is applied that nobody approved.
    early = own.post(f"{path}/apply", status=202)
    own.work()
    assert (job := own.get(f"jobs/{early['job_id']}"))["status"] == "failed" and job[
        "error_code"
    ] == "plan_not_approved"
    less = own.post(f"{path}/trim", {"drop_groups": [_group(own, "cat.jpg")]}, 201)
    assert less["steps"] == 1 and own.get(path)["replaced_by"] == less["plan_id"]
    path = f"plans/{less['plan_id']}"
    changes = own.get(f"{path}/diff")["items"]
    assert [(item["change"], item["file_path"]) for item in changes] == [("gone", "cat.jpg")]
    stale = own.post(f"{path}/approve", {"steps_digest": plan["steps_digest"]}, 409)
    assert stale["code"] == "plan_stale"
    yes = own.post(f"{path}/approve", {"steps_digest": less["steps_digest"], "note": "looked"})
    assert (yes["status"], yes["approvals"][0]["note"]) == ("approved", "looked")
    begun = own.post(f"{path}/apply", status=202)["job_id"]
    # Whoever asks for the same on a page is told of the same job.
    page = PlanActs(own.workspace, PageSession(PAGES[0], local_principal))
    assert page.apply(less["plan_id"]).job_id == begun
    own.work()
    assert not (own.folder / "photos" / "copies" / "cup again.jpg").exists()
    (application,) = own.get(f"{path}/applications")["items"]
    certificate = own.get(f"applications/{application['application_id']}/certificate")
    assert (application["status"], certificate["totals"]["done"]) == ("finished", 1)
    needless = own.post(f"applications/{application['application_id']}/resume", status=202)["job_id"]
    begun = own.post(f"applications/{application['application_id']}/undo", status=202)["job_id"]
    assert page.undo(application["application_id"]).job_id == begun
    own.work()
    assert "so there is nothing to go on with" in own.get(f"jobs/{needless}")["error"]
    assert (own.folder / "photos" / "copies" / "cup again.jpg").is_file()
    assert own.get(path)["status"] == "undone"


def test_a_plan_with_nothing_to_do_is_a_conflict_and_a_name_that_is_not_there_no_address(own: Library) -> None:
    assert own.post("plans", {"tiers": ["bytes"], "storage_locations": ["inbox"]}, 409)["code"] == "plan"
    refused = own.post("plans", {"rule": "strikt"}, 422)
    assert refused["code"] == "unknown_name" and "did you mean 'strict'?" in refused["detail"]
    # A policy by its name alone: no file of the server is read for a caller.
    assert own.post("plans", {"policy": str(own.folder / "policy.json")}, 422)["code"] == "unknown_name"


def _group(own: Library, path: str) -> str:
    found = own.post("search/duplicates", {"image_id": own.image(path)["image_id"]})
    return str(found["groups"][0]["group_id"])


def test_a_job_is_followed_to_its_end_and_goes_on_from_where_a_reader_was(own: Library) -> None:
    body = {"image_base64": as_base64(encoded(ROCKET)), "storage_location": "inbox"}
    sent = own.post("ingest/upload", body, 202)
    own.work()
    stream = own.client.get(f"/api/v1/jobs/{sent['job_id']}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")
    told = events(stream.text)
    assert told[-1][0] == "end" and told[-1][1]["state"] == "done"
    stages = [data for name, data in told if name == "stage"]
    assert sent["image_id"] in {data["image_id"] for data in stages}
    last = stages[-1]["sequence"]
    again = events(own.client.get(f"/api/v1/jobs/{sent['job_id']}/events", headers={"Last-Event-ID": str(last)}).text)
    assert [name for name, _ in again] == ["progress", "end"]


def test_jobs_are_listed_cancelled_and_tried_again(own: Library) -> None:
    first = own.post("index/scan", {"storage_locations": ["photos"]}, 202)
    second = own.post("features/extract", {"image_ids": [own.image("cat.png")["image_id"]]}, 202)
    page = own.get("jobs", params={"limit": 1})
    rest = own.get("jobs", params={"limit": 1, "cursor": page["next_cursor"]})
    assert [page["items"][0]["job_id"], rest["items"][0]["job_id"]] == [second["job_id"], first["job_id"]]
    cancelled = own.post(f"jobs/{first['job_id']}/cancel")
    assert cancelled["status"] == "cancelled"
    assert own.post(f"jobs/{first['job_id']}/cancel", status=409)["code"] == "job_state"
    assert own.post(f"jobs/{first['job_id']}/retry")["status"] == "queued"
    own.work()
    for job in (first, second):
        assert own.get(f"jobs/{job['job_id']}")["status"] == "done"
    assert own.get(f"jobs/{second['job_id']}")["results"] == {"pictures": 1, "complete": 1, "computed": 0, "failed": []}
    assert own.get("jobs", params={"status": "done", "kind": "index"})["items"][0]["job_id"] == first["job_id"]
    assert own.get(f"ingest/status/{first['job_id']}", 404)["code"] == "unknown_name"


def test_a_request_that_comes_twice_with_one_key_is_done_once(own: Library) -> None:
    key = {"Idempotency-Key": "sent-by-a-flaky-network"}
    form = {"data": {"storage_location": "inbox"}, "headers": key}
    files = {"file": ("rocket.jpg", encoded(ROCKET), "image/jpeg")}
    first = own.client.post("/api/v1/ingest/upload", files=files, **form)
    second = own.client.post("/api/v1/ingest/upload", files=files, **form)
    assert (first.status_code, second.status_code) == (202, 202) and first.json() == second.json()
    assert len(own.get("jobs")["items"]) == 1
    other = own.client.post("/api/v1/ingest/upload", files={"file": ("cat.jpg", encoded(CAT), "image/jpeg")}, **form)
    assert other.status_code in (409, 422)
    # Of two files none is passed over, with a key as without one.
    two = [("file", (name, encoded(CAT), "image/jpeg")) for name in ("cat.jpg", "again.jpg")]
    for headers in ({"Idempotency-Key": "two"}, {}):
        many = own.client.post("/api/v1/ingest/upload", files=two, data=form["data"], headers=headers)
        assert (many.status_code, many.json()["detail"]) == (400, "The form has 2 files; send 1 at most.")


def test_what_was_taken_is_on_the_disk_before_it_is_told_and_goes_when_its_job_is_done(own: Library) -> None:
    body = {"image_base64": as_base64(encoded(ROCKET)), "storage_location": "inbox", "filename": "rocket.jpg"}
    sent = own.post("ingest/upload", body, 202)
    (item,) = own.get(f"jobs/{sent['job_id']}")["parameters"]["items"]
    kept: Path = Spool(own.workspace.directory).path(item["file"])
    assert kept.read_bytes() == encoded(ROCKET)
    # No scan takes the spool for pictures, also where the workspace lies among them.
    assert own.workspace.directory / "spool" in own.workspace.own_paths()
    own.work()
    assert not kept.exists()
    # What cannot be taken leaves nothing behind.
    own.post("ingest/upload", {**body, "image_base64": as_base64(b"no picture")}, 415)
    assert not list((own.workspace.directory / "spool").iterdir())

    def full() -> bytes:
        raise StoreFullError("The disk is full.")

    batch = BatchRequest(images=[], storage_location="inbox")
    came = [Arrival(lambda: encoded(ROCKET), "rocket.jpg"), Arrival(full, "cat.jpg")]
    with pytest.raises(StoreFullError):
        _batched(own.client.app.state.service, batch, came)  # type: ignore[attr-defined]
    assert not list((own.workspace.directory / "spool").iterdir())


def test_a_picture_is_stored_without_features_and_gets_them_when_it_is_asked_for(own: Library) -> None:
    body = {"image_base64": as_base64(encoded(ROCKET)), "storage_location": "inbox"}
    plain = {"generate_thumbnails": False, "extract_features": False}
    sent = own.post("ingest/upload", {**body, "processing_options": plain}, 202)
    own.work()
    image = f"images/{sent['image_id']}"
    assert own.get(f"{image}/features")["features"] == []
    assert own.workspace.thumbnails.get(sent["picture_id"]) is None
    job = own.post("features/extract", {"image_ids": [sent["image_id"]]}, 202)
    own.work()
    assert own.get(f"jobs/{job['job_id']}")["results"]["computed"] == 1
    assert "sscd_small" in {item["name"] for item in own.get(f"{image}/features")["features"]}
