"""One catalog over several kinds of storage at once: copies are found across them, and nothing is read twice."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from skimage import data

from benchmarks.fault_proxy import FaultProxy
from benchmarks.served_places import of_azure, of_gcs, of_s3, of_sftp, of_smb, of_webdav
from benchmarks.storage_place import StoragePlace
from deeplens_kit.errors import LocationUnavailableError
from deeplens_kit.pipeline import (
    Budget,
    ProgressSnapshot,
    Workspace,
    add_location,
    change_location,
    estimate,
    index,
    list_groups,
    summarise_savings,
)
from tests.servers import sshd as sshd_server

_PLACES: dict[str, Callable[[Any], StoragePlace]] = {
    "seaweedfs": of_s3,
    "fake_gcs": of_gcs,
    "samba": of_smb,
    "sshd": of_sftp,
    "webdav": of_webdav,
    "azurite": of_azure,
}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace that computes hashes only."""
    Workspace.create(tmp_path / "library").close()
    with (tmp_path / "library" / "workspace.toml").open("a") as stream:
        stream.write('\n[features]\nenabled = ["clarity", "phash", "pdq"]\n')
    with Workspace.open(tmp_path / "library") as opened:
        yield opened


def _picture(name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(getattr(data, name)()).convert("RGB").save(stream, "JPEG", **options)
    return stream.getvalue()


def _add(workspace: Workspace, place: StoragePlace, port: int | None = None, **options: object) -> None:
    url, given = place.located(port or place.port)
    add_location(workspace, place.kind, url, {**given, **options})


def test_copies_are_found_across_five_kinds_and_a_second_run_reads_nothing(
    library: Workspace, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    coffee, cat = _picture("coffee", quality=92), _picture("chelsea", quality=92)
    smaller = io.BytesIO()
    Image.open(io.BytesIO(coffee)).resize((400, 267)).save(smaller, "JPEG", quality=80)
    folder = tmp_path / "laptop"
    folder.mkdir()
    (folder / "coffee.jpg").write_bytes(coffee)
    add_location(library, "laptop", str(folder))
    with ExitStack() as stack:
        places, proxies = {}, {}
        for fixture in ("seaweedfs", "fake_gcs", "samba", "sshd"):
            place = _PLACES[fixture](request.getfixturevalue(fixture))
            place.put("backup/coffee copy.jpg", coffee)
            place.put(f"only/{place.kind}.jpg", _picture("astronaut", quality=70 + len(places)))
            if fixture in ("samba", "sshd"):
                place.put("cat.jpg", cat)
                place.put("small/coffee.jpg", smaller.getvalue())
            place.age()  # else what was written just now is read twice
            proxies[place.kind] = stack.enter_context(FaultProxy(place.port))
            _add(library, place, proxies[place.kind].port)
            places[place.kind] = place
        first = {report.location: report for report in index(library)}
        # The exact copies at stores that list MD5 cost nothing: the laptop's was read before.
        assert {kind: first[kind].identified for kind in ("s3", "gcs")} == {"s3": 1, "gcs": 1}
        before = {kind: proxy.sent_bytes for kind, proxy in proxies.items()}
        reports = index(library)
        assert [(report.read_files, report.read_bytes) for report in reports] == [(0, 0)] * 5
        sent = {kind: proxy.sent_bytes - before[kind] for kind, proxy in proxies.items()}
        # Listings alone, with what logging in takes; the smallest picture is larger than any of them.
        assert max(sent.values()) < 12_000 < min(len(coffee), len(cat), len(smaller.getvalue())), sent

    groups = list_groups(library).groups
    by_bytes = groups.filter(groups["tier"] == "bytes")
    assert set(groups["location"]) == {"laptop", "s3", "gcs", "smb", "sftp"}
    exact = by_bytes.filter(by_bytes["digest"] == by_bytes["digest"].mode()[0])
    assert exact.height >= 4
    savings = summarise_savings(library)
    told = {row["location"]: row["realisable_bytes"] for row in savings.iter_rows(named=True) if row["tier"] == "bytes"}
    # Five objects hold the one picture and two the other; one of each stays.
    assert len(told) == 4
    assert sum(told.values()) == 4 * len(coffee) + len(cat)
    copies = groups.filter((groups["tier"] == "copy") & (groups["path"] == "small/coffee.jpg"))
    assert sorted(copies["location"]) == ["sftp", "smb"]


@pytest.mark.parametrize("fixture", ["seaweedfs", "azurite", "fake_gcs"])
def test_estimate_and_budget_are_what_a_cloud_really_serves(
    library: Workspace, request: pytest.FixtureRequest, noise_pictures: Callable[[int], Path], fixture: str
) -> None:
    place = _PLACES[fixture](request.getfixturevalue(fixture))
    files = {file.name: file.read_bytes() * 3 for file in noise_pictures(8).rglob("*.jpg")}
    place.put_many(files)
    total = sum(map(len, files.values()))
    with FaultProxy(place.port) as proxy:
        _add(library, place, proxy.port)
        (told,) = estimate(library)
        assert (told.to_read, told.read_bytes) == (8, total)
        for limit in (total // 2, total):
            before = proxy.sent_bytes
            (report,) = index(library, budget=Budget(max_bytes=limit), and_match=False)
            served = proxy.sent_bytes - before
            # Headers and a listing besides: a kilobyte an object is more than any of them takes.
            assert report.read_bytes <= limit
            assert report.read_bytes <= served <= report.read_bytes + 1000 * len(files) + 4000
        assert (report.left, library.catalog.objects().height) == (0, 8)


def test_a_server_that_is_killed_while_it_is_read_loses_nothing(
    library: Workspace, tmp_path: Path, noise_pictures: Callable[[int], Path]
) -> None:
    with sshd_server.running(tmp_path / "sshd") as server:
        place = of_sftp(server)
        files = {file.name: file.read_bytes() for file in noise_pictures(30).rglob("*.jpg")}
        place.put_many(files)
        _add(library, place, retries=1, retry_wait_seconds=0.01, connections=1)
        change_location(library, place.kind, {"max_bytes_per_second": 40_000})
        killed: list[bool] = []

        class Killer:
            def update(self, snapshot: ProgressSnapshot) -> None:
                if snapshot.stage == "index" and snapshot.done >= 5 and not killed:
                    server.kill()
                    killed.append(True)

        with pytest.raises(LocationUnavailableError, match=r"(?i)nothing was marked as gone"):
            index(library, progress=Killer(), and_match=False)
        kept = library.catalog.objects().height
        assert 5 <= kept < len(files)
        server.restart()
        change_location(library, place.kind, {}, without=["max_bytes_per_second"])
        (report,) = index(library, and_match=False)
        objects = library.catalog.objects()
        assert (report.gone, objects.height, objects["path"].n_unique()) == (0, len(files), len(files))
        assert objects["digest"].null_count() == 0
