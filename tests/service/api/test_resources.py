"""Locations, collections, labels, rules and reports over HTTP; what bodies and cursors are refused for."""

from __future__ import annotations

import base64
import json

import pytest
from served_library import Library

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.service.api.ids import image_id_of, is_picture_id, object_id_of


def test_an_image_id_is_the_object_and_back_and_nothing_else_is_one() -> None:
    for object_id in ("ab12cd34/a.jpg", "ab12cd34/Ärger/été/雪.png", f"ab12cd34/{'x' * 900}"):
        assert object_id_of(image_id_of(object_id)) == object_id
        assert not is_picture_id(image_id_of(object_id))
    right = image_id_of("ab12cd34/a.jpg")
    # Of the last letter a few bits are left over: others in them are another spelling of the same.
    respelt = right[:-1] + chr(ord(right[-1]) + 1)
    for wrong in ("", "nothing", "a" * 64, right + "A", respelt, "../../etc/passwd", "YWJj"):
        with pytest.raises(UnknownNameError):
            object_id_of(wrong)


def test_a_location_is_added_tested_changed_and_left_out(own: Library) -> None:
    place = own.folder / "more"
    place.mkdir()
    made = own.post("storage/add", {"name": "more", "url": str(place), "options": {"hidden": True}}, 201)
    assert (made["kind"], made["permissions"], made["options"]) == ("file", "read", {"hidden": True})
    assert own.post("storage/more/test")["state"] == "ok"
    changed = own._asked("PUT", "storage/more", 200, json={"options": {"permissions": "create"}, "name": "other"})
    assert (changed["name"], changed["options"]) == ("other", {"permissions": "create"})
    assert own._asked("PUT", "storage/other", 409, json={"url": str(own.folder / "inbox")})["code"] == "conflict"
    # All of it or nothing: the name is taken.
    own._asked("PUT", "storage/other", 422, json={"options": {}, "active": False, "name": "photos"})
    assert own.get("storage/other") == changed
    assert own._asked("DELETE", "storage/other", 200)["active"] is False
    place.rmdir()
    assert own.post("storage/other/test")["state"] == "location_unavailable"
    assert own.post("storage/add", {"name": "gone", "url": str(place)}, 424)["code"] == "location_unavailable"
    clear = {"name": "bucket", "url": "s3://pictures", "options": {"secret_access_key": "a-key-in-clear"}}
    refused = own.post("storage/add", {**clear, "unreachable": True}, 422)
    assert "a-key-in-clear" not in str(refused)
    assert own.get("storage/bucket", 404)["code"] == "unknown_name"


def test_images_go_into_collections_and_out_and_carry_what_is_said(own: Library) -> None:
    assert own.post("collections", {"collection_id": "cats", "description": "All of them"}, 201)["pictures"] == 0
    image = own.image("cat.png")["image_id"]
    put = own.post("collections/cats/images", {"image_ids": [image]})
    assert put == {"collection_id": "cats", "changed": 1, "unchanged": 0}
    assert own.post("collections/cats/images", {"image_ids": [image]})["unchanged"] == 1
    said = own._asked("PATCH", f"images/{image}", 200, json={"add_tags": ["pet"], "description": "On a chair"})
    assert (said["notes"]["collection_id"], said["notes"]["tags"]) == ("cats", ["pet"])
    assert [item["file_path"] for item in own.get("images", params={"tag": "pet"})["items"]] == ["cat.png"]
    own.post("collections/cats/images", {"image_ids": [image], "action": "remove"})
    assert own.get("collections/cats/images")["items"] == []
    assert own.get("images", 422, params={"tag": "pets"})["code"] == "unknown_name"


def test_labels_are_given_asked_for_and_withdrawn(own: Library) -> None:
    cat, copy = own.image("cat.png"), own.image("cat.jpg")
    sample = own.post("labels/samples", {"budget": 5}, 201)
    waiting = own.get("labels/next")
    assert (sample["left"], waiting["left"]) == (1, 1)
    said = own.post("labels", {"first": cat["image_id"], "second": copy["picture_id"], "verdict": "same"}, 201)
    assert said["changed"] and said["sample_id"] == sample["sample_id"]
    assert own.get("labels/next", 204) is None
    (label,) = own.get("labels")["items"]
    assert (label["verdict"], label["place_a"] is not None) == ("same", True)
    assert 0 < own.get("labels/evaluation")["precision"]["share"] <= 1
    ends = {"first": cat["picture_id"], "second": copy["picture_id"]}
    own._asked("DELETE", "labels", 204, params=ends)
    assert own.get("labels")["items"] == [] and len(own.get("labels?withdrawn=true")["items"]) == 1
    twice = {"first": cat["image_id"], "second": cat["picture_id"], "verdict": "same"}
    assert own.post("labels", twice, 422)["code"] == "settings"


def test_rules_are_saved_compared_used_and_retired(own: Library) -> None:
    saved = own.post(
        "rules", {"name": "careful", "thresholds": {"likelihood_min": 0.999}, "note": "for the press"}, 201
    )
    assert (saved["version"], saved["in_use"]) == (1, False)
    again = own.post("rules", {"name": "careful", "document": saved["document"]}, 201)
    assert again["version"] == 1
    difference = own.get("rules/diff", params={"first": "strict", "second": "careful"})
    assert {row["bound"] for row in difference["bounds"]} and difference["outcomes"][0]["what"] == "groups"
    assert own.post("rules/careful/use")["in_use"]
    assert own._asked("DELETE", "rules/careful", 422)["code"] == "settings"
    own.post("rules/strict/use")
    assert own._asked("DELETE", "rules/careful", 200)["retired_at"] is not None
    assert [item["name"] for item in own.get("rules")["items"]] == ["strict"]


def test_reports_say_what_they_take_and_refuse_what_not(library: Library) -> None:
    reports = {item["name"]: item for item in library.get("reports")["items"]}
    assert set(reports) == {"savings", "coverage", "drift", "evidence"}
    assert "workspace" not in {item["name"] for item in reports["savings"]["parameters"]}
    refused = library.post("reports/savings/run", {"parameters": {"max_group": 3}}, 422)
    assert "did you mean 'max_groups'?" in refused["detail"]
    file = library.post("reports/savings/run", {"parameters": {"policy": "/etc/passwd"}}, 422)
    assert file["code"] == "unknown_name"
    assert library.post("reports/saving/run", {}, 404)["code"] == "unknown_name"
    assert library.get(f"reports/runs/{'0' * 32}", 404)["code"] == "unknown_name"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("search/similarity", {"max_result": 3}, "did you mean 'max_results'?"),
        ("search/similarity", {"max_results": "3", "words": "cat"}, "integer"),
        ("search/similarity", {"image_id": "AAAA", "image_url": "https://example.org"}, "given in one way"),
        ("search/similarity", {}, "nothing to search for"),
        ("search/similarity", {"words": "cat", "storage_locations": ["photo"]}, "did you mean 'photos'?"),
        ("search/duplicates", {"storage_locations": ["photo"]}, "did you mean 'photos'?"),
        ("index/scan", {"storage_locations": ["photo"]}, "did you mean 'photos'?"),
        ("ingest/upload", {"image_base64": "!!", "storage_location": "inbox"}, "no base64"),
        ("ingest/batch", {"images": [{"filename": "a.jpg"}], "storage_location": "inbox"}, "neither a file nor"),
        ("labels", {"first": "AAAA", "second": "0" * 64, "verdict": "same"}, "There is no image"),
    ],
)
def test_a_body_is_refused_for_what_is_wrong_with_it(library: Library, path: str, body: object, said: str) -> None:
    refused = library.post(path, body, 422)
    assert said in str(refused), refused
    assert refused["type"].startswith("urn:deeplens:problem:") and refused["correlation_id"]


def test_a_body_that_is_no_json_and_no_form_is_refused(library: Library) -> None:
    answer = library.client.post(
        "/api/v1/search/similarity", content=b"<picture/>", headers={"Content-Type": "text/xml"}
    )
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"
    for content in (b"{", b'{"similarity_threshold": NaN}', b'{"words": "\\ud800"}', b"[" * 10_000, b"\xff"):
        broken = library.client.post(
            "/api/v1/search/similarity", content=content, headers={"Content-Type": "application/json"}
        )
        assert (broken.status_code, "The body is no JSON" in broken.json()["detail"]) == (422, True), content


def test_lists_come_in_pages_that_hold_everything_once(library: Library) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = library.get("images", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [item["picture_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 3
    assert library.get("images", 422, params={"cursor": "no cursor"})["code"] == "settings"
    for made_up in (["0001-01-01T00:00:00+23:00", "a"], ["2026-01-01T00:00:00+00:00", "\0"], ["2026-01-01", "a"], 5):
        cursor = base64.urlsafe_b64encode(json.dumps(made_up).encode()).rstrip(b"=").decode()
        assert library.get("jobs", 422, params={"cursor": cursor})["code"] == "settings"
