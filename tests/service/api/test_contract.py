"""Each path with its example: what is sent, and every field of what comes back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from served_library import CAT, COFFEE, ROCKET, Library, as_base64, encoded

from deeplens_kit.service.limits import Turnstile

TIME = "a time"
NUMBER = "a number"
DIGEST = re.compile(r"[0-9a-f]{64}")


def fields(value: dict[str, Any], *names: str) -> None:
    """The named fields are there; what else there may be is of later versions."""
    missing = [name for name in names if name not in value]
    assert not missing, f"{missing} not in {sorted(value)}"


def is_time(value: Any) -> bool:
    return datetime.fromisoformat(value).tzinfo is not None


# --- Searching --------------------------------------------------------------------------------------------


def test_similarity_answers_with_scores_every_place_and_a_thumbnail(library: Library) -> None:
    answer = library.client.post(
        "/api/v1/search/similarity",
        files={"file": ("cup.jpg", encoded(COFFEE, quality=92), "image/jpeg")},
        data={
            "similarity_threshold": "0.5",
            "max_results": "5",
            "include_metadata": "true",
            "storage_locations": ["photos"],
        },
    )
    assert answer.status_code == 200, answer.text
    found = answer.json()
    fields(found, "query_id", "results", "total_results", "processing_time_ms")
    assert found["total_results"] == len(found["results"]) == 1
    assert found["processing_time_ms"] > 0 and re.fullmatch("[0-9a-f]{32}", found["query_id"])
    (best,) = found["results"]
    fields(best, "image_id", "picture_id", "similarity_score", "file_path", "storage_location", "locations")
    fields(best, "metadata", "thumbnail_url")
    assert (best["storage_location"], best["file_path"], best["similarity_score"]) == ("photos", "cup.jpg", 1.0)
    assert [place["file_path"] for place in best["locations"]] == ["copies/cup again.jpg", "cup.jpg"]
    assert {"width": 300, "height": 200, "file_size": 23278, "format": "JPEG"}.items() <= best["metadata"].items()
    # An image is one stored file, a picture what it holds: of two equal files there are two images and one picture.
    images = {place["image_id"] for place in best["locations"]}
    assert len(images) == 2 and best["image_id"] in images and DIGEST.fullmatch(best["picture_id"])
    assert library.client.get(best["thumbnail_url"]).headers["content-type"] == "image/webp"


@pytest.mark.parametrize(
    "asked",
    [
        {"image_base64": as_base64(encoded(CAT, quality=60))},
        {"image_base64": f"data:image/jpeg;base64,{as_base64(encoded(CAT, quality=60))}"},
        {"words": "cat"},
    ],
)
def test_similarity_takes_base64_a_data_uri_and_words(library: Library, asked: dict[str, Any]) -> None:
    found = library.post("search/similarity", {**asked, "include_metadata": False})
    assert {result["file_path"] for result in found["results"]} == {"cat.jpg", "cat.png"}
    assert all(result["metadata"] is None for result in found["results"])


def test_similarity_takes_the_id_of_an_image_or_a_picture(library: Library) -> None:
    cat = library.image("cat.png")
    for name in (cat["image_id"], cat["picture_id"]):
        best = library.post("search/similarity", {"image_id": name})["results"][0]
        assert (best["image_id"], best["similarity_score"]) == (cat["image_id"], 1.0)


def test_similarity_takes_a_vector_in_place_of_the_picture_it_is_of(library: Library) -> None:
    cat = library.image("cat.png")
    (feature,) = library.get(f"images/{cat['image_id']}/features?vectors=true&name=sscd_small")["features"]
    vector, asked = feature["vector"], {"feature": "sscd_small", "max_results": 2}
    found = library.post("search/similarity", {**asked, "vector": vector})["results"]
    assert {result["file_path"] for result in found} == {"cat.jpg", "cat.png"}
    assert found[0]["picture_id"] == cat["picture_id"] and found[0]["similarity_score"] == pytest.approx(1, abs=1e-3)
    assert found[0]["match"]["why"].startswith("sscd_small ") and found[0]["match"]["tier"] == "scene"
    # Its length says nothing, only where it points.
    twice = library.post("search/similarity", {**asked, "vector": [2 * number for number in vector]})["results"]
    assert [result["image_id"] for result in twice] == [result["image_id"] for result in found]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"vector": [1.0] * 511, "feature": "sscd_small"}, "511 numbers, and sscd_small has 512"),
        ({"vector": [0] * 512, "feature": "sscd_small"}, "points nowhere"),
        ({"vector": [1.0] * 512}, "without 'feature'"),
        ({"feature": "sscd_small"}, "there is none"),
        ({"vector": [1.0] * 512, "feature": "sscd_smal"}, "did you mean 'sscd_small'"),
        ({"vector": [1.0] * 64, "feature": "phash"}, "is a hash"),
        ({"vector": [1.0] * 512, "feature": "sscd_small", "image_id": "0" * 64}, "given in one way"),
        ({"vector": [1.0] * 512, "feature": "sscd_small", "search_by": "copies"}, "takes one picture"),
        ({"vector": [1.0] * 512, "feature": "sscd_small", "weights": {"phash": 1}}, "give 'sscd_small' a weight"),
        ({"vector": [], "feature": "sscd_small"}, "at least 1 item"),
        ({"vector": ["1"], "feature": "sscd_small"}, "valid number"),
    ],
)
def test_a_vector_that_is_none_of_its_feature_is_refused(library: Library, asked: dict[str, Any], said: str) -> None:
    refused = library.post("search/similarity", asked, 422)
    assert said in f"{refused['detail']} {refused.get('errors')}", refused


def test_a_vector_of_what_is_no_finite_number_is_refused(library: Library) -> None:
    for number in ("NaN", "Infinity", "1e400"):
        answer = library.client.post(
            "/api/v1/search/similarity",
            content=f'{{"feature": "sscd_small", "vector": [{number}]}}',
            headers={"content-type": "application/json"},
        )
        assert answer.status_code == 422, answer.text


def test_similarity_follows_no_link_to_an_address_that_is_not_public(library: Library) -> None:
    for link in ("http://127.0.0.1:1/cat.jpg", "http://[::1]/cat.jpg", "file:///etc/passwd", "photos:cat.png"):
        refused = library.post("search/similarity", {"image_url": link}, 422)
        assert refused["code"] in ("link_refused", "query"), refused


def test_results_come_in_pages_that_follow_each_other(library: Library) -> None:
    asked = {"image_base64": as_base64(encoded(CAT, quality=60)), "max_results": 1}
    first = library.post("search/similarity", asked)
    second = library.post("search/similarity", {**asked, "cursor": first["next_cursor"]})
    assert [first["results"][0]["file_path"], second["results"][0]["file_path"]] in (
        ["cat.png", "cat.jpg"],
        ["cat.jpg", "cat.png"],
    )
    assert second["next_cursor"] is None
    other = library.post("search/similarity", {"words": "cat", "cursor": first["next_cursor"]}, 422)
    assert "another list" in other["detail"]


def test_duplicates_are_groups_with_their_confidence(library: Library) -> None:
    found = library.post("search/duplicates", {"similarity_threshold": 0.5})
    fields(found, "query_id", "groups", "total_groups", "total_duplicates", "reclaimable_bytes", "processing_time_ms")
    assert (found["total_groups"], found["total_duplicates"]) == (2, 2)
    by_tier = {group["tier"]: group for group in found["groups"]}
    assert set(by_tier) == {"bytes", "copy"}
    assert by_tier["bytes"]["confidence"] == 1.0 and 0.9 < by_tier["copy"]["confidence"] < 1
    group = by_tier["copy"]
    assert group["keeper"]["file_path"] == "cat.png" and group["keeper"]["is_keeper"]
    assert [member["file_path"] for member in group["duplicates"]] == ["cat.jpg"]
    only = library.post("search/duplicates", {"image_id": group["keeper"]["image_id"], "tiers": ["copy"]})
    assert [item["group_id"] for item in only["groups"]] == [group["group_id"]]


# --- What is known ----------------------------------------------------------------------------------------


def test_an_image_tells_where_it_is_what_it_is_and_why_not(library: Library) -> None:
    cup = library.get(f"images/{library.image('cup.jpg')['image_id']}?groups=true")
    fields(cup, "image_id", "picture_id", "storage_location", "file_path", "status", "locations", "metadata", "notes")
    assert (cup["status"], len(cup["locations"]), len(cup["group_ids"])) == ("indexed", 2, 1)
    location_id = library.get("storage/photos")["location_id"]
    from deeplens_kit.service.api.ids import image_id_of

    broken = library.get(f"images/{image_id_of(location_id + '/broken.jpg')}")
    assert (broken["status"], broken["failure"]["code"], broken["metadata"]) == ("unreadable", "corrupt", None)
    assert library.get(f"images/{image_id_of(location_id + '/gone.jpg')}", 404)["code"] == "unknown_name"
    assert library.get("images/nothing", 404)["code"] == "unknown_name"


def test_features_are_hashes_measures_and_vectors(library: Library) -> None:
    cat = library.image("cat.png")
    found = {item["name"]: item for item in library.get(f"images/{cat['image_id']}/features?vectors=true")["features"]}
    assert len(found["pdq"]["hash"]) == 64 and len(found["phash"]["hash"]) == 16
    assert found["clarity"]["values"]["sharpness"] > 0
    assert len(found["sscd_small"]["vector"]) == found["sscd_small"]["size"] == 512
    alone = library.get(f"images/{cat['picture_id']}/features?name=pdq")
    assert [(item["name"], item["vector"]) for item in alone["features"]] == [("pdq", None)]


def test_thumbnails_are_kept_for_ever_by_picture_and_asked_for_again_by_image(library: Library) -> None:
    cat = library.image("cat.png")
    sizes = {}
    for size in ("small", "medium", "150", "600"):
        answer = library.client.get(f"/api/v1/thumbnails/{cat['picture_id']}", params={"size": size})
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        sizes[size] = answer.headers["etag"]
        again = library.client.get(answer.url, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert sizes["small"] == sizes["150"] != sizes["600"]
    by_image = library.client.get(f"/api/v1/thumbnails/{cat['image_id']}?size=small")
    assert by_image.headers["cache-control"] == "private, no-cache" and by_image.headers["etag"] == sizes["small"]
    assert library.get(f"thumbnails/{'0' * 64}", 404)["code"] == "unknown_name"
    assert library.get(f"thumbnails/{cat['picture_id']}?size=301", 422)["code"] == "not_valid"


def test_the_overview_counts(library: Library) -> None:
    found = library.get("stats/overview")
    assert (found["total_images"], found["indexed_images"], found["total_pictures"]) == (5, 4, 3)
    assert {item["storage_location"] for item in found["storage_locations"]} == {"photos", "inbox"}
    assert found["duplicates"]["removable_images"] == 2 and found["jobs"]["queued"] == 0


def test_models_say_what_is_installed_and_enabled(library: Library) -> None:
    models = {item["name"]: item for item in library.get("models")["items"]}
    assert models["sscd_small"]["enabled"] and models["sscd_small"]["dimensions"] == 512
    assert "did you mean 'sscd_small'?" in library.get("models/sscd_smal", 404)["detail"]


# --- Taking in --------------------------------------------------------------------------------------------


def test_who_sends_slowly_keeps_no_search_waiting(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    async def sent_and_found() -> tuple[int, int]:
        app: Any = library.client.app
        # What a state has is not among its own attributes, so that pytest would take it away afterwards.
        for name in ("turnstile", "arrivals"):
            monkeypatch.setitem(app.state._state, name, Turnstile(1, 0, 5.0))
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield b'{"storage_location": "inbox", "image_base64": '
            begun.set()
            await go_on.wait()
            yield b'"no picture"}'

        json_body = {"Content-Type": "application/json"}
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:5006") as client:
            sending = asyncio.create_task(client.post("/api/v1/ingest/upload", content=slowly(), headers=json_body))
            await begun.wait()
            found = await client.post("/api/v1/search/similarity", json={"words": "cat"})
            go_on.set()
            return (await sending).status_code, found.status_code

    assert asyncio.run(sent_and_found()) == (422, 200)


def test_an_upload_says_which_image_it_will_be_and_its_job_makes_it_so(own: Library) -> None:
    answer = own.client.post(
        "/api/v1/ingest/upload",
        files={"file": ("rocket.jpg", encoded(ROCKET, quality=90), "image/jpeg")},
        data={
            "collection_id": "launches",
            "metadata": '{"tags": ["night", "rocket"], "description": "A start", "category": "space"}',
            "processing_options": '{"generate_thumbnails": true, "extract_features": true, "duplicate_check": true}',
            "storage_location": "inbox",
        },
    )
    assert answer.status_code == 202, answer.text
    sent = answer.json()
    fields(sent, "image_id", "status", "job_id", "storage_path", "estimated_processing_time_ms", "created_at")
    assert sent["status"] == "queued" and is_time(sent["created_at"]) and sent["estimated_processing_time_ms"] > 0
    assert re.fullmatch(r"launches/\d{4}/\d\d/[0-9a-f]{64}\.jpg", sent["storage_path"])
    waiting = own.get(f"ingest/status/{sent['job_id']}")
    assert (waiting["status"], waiting["progress"]["remaining"]) == ("queued", 1)
    own.work()
    done = own.get(f"ingest/status/{sent['job_id']}")
    fields(done, "job_id", "status", "progress", "timing", "results")
    fields(done["progress"], "total_images", "processed", "failed", "remaining", "percentage")
    fields(done["timing"], "started_at", "estimated_completion", "average_processing_time_ms")
    fields(done["results"], "successful_uploads", "duplicates_found", "errors")
    assert done["status"] == "done"
    assert done["progress"] == {"total_images": 1, "processed": 1, "failed": 0, "remaining": 0, "percentage": 100.0}
    assert (done["results"]["successful_uploads"], done["results"]["errors"]) == (1, [])
    image = own.get(f"images/{sent['image_id']}")
    assert (image["file_path"], image["storage_location"]) == (sent["storage_path"], "inbox")
    assert image["notes"] == {
        "collection_id": "launches",
        "tags": ["night", "rocket"],
        "description": "A start",
        "category": "space",
        "source": "",
    }
    assert (own.folder / "inbox" / sent["storage_path"]).read_bytes() == encoded(ROCKET, quality=90)
    assert [item["picture_id"] for item in own.get("collections/launches/images")["items"]] == [sent["picture_id"]]


def test_a_batch_takes_what_it_can_and_says_what_not(own: Library) -> None:
    cup = (own.folder / "photos" / "cup.jpg").read_bytes()
    answer = own.client.post(
        "/api/v1/ingest/batch",
        files=[
            ("files", ("a.jpg", encoded(ROCKET, quality=80), "image/jpeg")),
            ("files", ("b.png", encoded(ROCKET.rotate(90), "PNG"), "image/png")),
            ("files", ("cup.jpg", cup, "image/jpeg")),
            ("files", ("notes.jpg", b"no picture at all", "image/jpeg")),
        ],
        data={
            "images": '[{"filename": "a.jpg", "metadata": {"tags": ["one"]}, "content_type": "image/jpeg"},'
            '{"filename": "b.png"}, {"filename": "cup.jpg"}, {"filename": "notes.jpg"}]',
            "processing_options": '{"parallel_processing": true, "batch_size": 2}',
            "storage_location": "inbox",
        },
    )
    assert answer.status_code == 202, answer.text
    sent = answer.json()
    fields(sent, "batch_id", "job_id", "total_images", "estimated_completion", "status", "images")
    assert (sent["total_images"], sent["status"]) == (4, "queued") and is_time(sent["estimated_completion"])
    states = {item["filename"]: item["status"] for item in sent["images"]}
    assert states == {"a.jpg": "queued", "b.png": "queued", "cup.jpg": "duplicate", "notes.jpg": "refused"}
    own.work()
    done = own.get(f"ingest/status/{sent['job_id']}")
    assert (done["results"]["successful_uploads"], done["progress"]["processed"]) == (2, 3)
    assert done["results"]["duplicates_found"] >= 1
    for item in sent["images"]:
        if item["status"] != "refused":
            assert own.get(f"images/{item['image_id']}")["picture_id"] == item["picture_id"]


def test_a_link_is_looked_at_at_once_or_by_the_job(own: Library) -> None:
    body = {
        "image_url": "http://127.0.0.1:9/cat.jpg",
        "metadata": {"source": "press", "original_url": "https://example.org/press?key=1"},
        "processing_options": {"validate_url": True, "timeout_ms": 2000},
        "storage_location": "inbox",
    }
    refused = own.post("ingest/url", body, 422)
    assert refused["code"] == "link_refused"
    body["image_url"] = "http://ana:hidden-word@127.0.0.1:9/cat.jpg?X-Amz-Signature=hidden-mark"
    later = own.post("ingest/url", {**body, "processing_options": {"validate_url": False, "timeout_ms": 2000}}, 202)
    ledger, spool = own.workspace.ledger, own.workspace.directory / "spool"
    (link,) = spool.glob("*/link")
    assert link.read_text() == body["image_url"]
    fields(later, "image_id", "status", "job_id", "storage_path", "estimated_processing_time_ms", "created_at")
    assert (later["image_id"], later["status"]) == (None, "queued")
    own.work()
    done = own.get(f"ingest/status/{later['job_id']}")
    (error,) = done["results"]["errors"]
    fields(error, "image_id", "error", "details")
    job = ledger.job(later["job_id"])
    told = (later, done, job, ledger.audit_trail(), ledger.latest_job_events(job.job_id, limit=100))
    assert "hidden" not in repr(told), "a key in a link is the job's alone"
    assert job.parameters["items"][0]["url"] == "http://127.0.0.1:9/cat.jpg"
    assert not link.exists()
    assert (done["status"], error["error"], done["results"]["successful_uploads"]) == ("done", "link_refused", 0)


def test_an_image_is_forgotten_until_somebody_asks_for_it(own: Library) -> None:
    cup = own.image("copies/cup again.jpg")
    gone = own._asked("DELETE", f"ingest/{cup['image_id']}", 200)
    assert (gone["status"], gone["remaining_locations"]) == ("forgotten", 1)
    assert own.get(f"images/{cup['image_id']}", 404)["code"] == "unknown_name"
    job = own.post("index/scan", {"storage_locations": ["photos"], "find_duplicates": False}, 202)
    own.work()
    status = own.get(f"index/status/{job['job_id']}")
    fields(status, "job_id", "status", "progress", "timing", "results")
    assert status["status"] == "done"
    # Its file is there, and so is the other one with the same bytes.
    assert (own.folder / "photos" / "copies" / "cup again.jpg").is_file()
    left = own.get(f"images/{cup['picture_id']}")
    assert [place["file_path"] for place in left["locations"]] == ["cup.jpg"]
    own.post("index/scan", {"storage_locations": ["photos"], "include_forgotten": True}, 202)
    own.work()
    assert own.get(f"images/{cup['image_id']}")["status"] == "indexed"


def test_from_storage_makes_a_plan_and_does_nothing_else(own: Library) -> None:
    cup, other = own.image("copies/cup again.jpg"), own.image("cup.jpg")
    planned = own._asked("DELETE", f"ingest/{cup['image_id']}", 200, params={"from_storage": "true"})
    assert planned["status"] == "planned"
    plan = own.get(f"plans/{planned['plan_id']}")
    assert (plan["status"], plan["steps"]) == ("draft", 1)
    (step,) = own.get(f"plans/{planned['plan_id']}/steps")["items"]
    assert (step["action"], step["image_id"], step["keeper_image_id"]) == ("remove", cup["image_id"], other["image_id"])
    assert own.get(f"images/{cup['image_id']}")["status"] == "indexed"
    assert (own.folder / "photos" / "copies" / "cup again.jpg").is_file()
    # The one that stays is never moved, whatever was asked.
    refused = own._asked("DELETE", f"ingest/{other['image_id']}", 409, params={"from_storage": "true"})
    assert "the last copy of its picture or the one that stays" in refused["detail"]
