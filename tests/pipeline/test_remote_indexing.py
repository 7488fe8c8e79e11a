"""Indexing what lies behind a network: nothing is read twice, an estimate is what is read, a budget is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from bucket import Bucket

from deeplens_kit.errors import CredentialMissingError, LocationUnavailableError, SettingsError
from deeplens_kit.pipeline import (
    Budget,
    Workspace,
    add_location,
    change_location,
    estimate,
    index,
    list_groups,
    workspace_prices,
)
from deeplens_kit.savings import monthly_cost
from tests.servers.s3 import S3Server

_PRICES = """
currency: EUR
locations:
  bucket:
    storage_classes: {"*": {storage_per_gb_month: 1, retrieval_per_gb: 0}}
    requests: {list_per_1000: 1, read_per_1000: 1000, head_per_1000: 1}
    egress_per_gb: 1000
"""


@pytest.fixture
def bucket(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket(moto)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace that computes one cheap feature."""
    Workspace.create(tmp_path / "library").close()
    with (tmp_path / "library" / "workspace.toml").open("a") as stream:
        stream.write('\n[features]\nenabled = ["phash"]\n')
    with Workspace.open(tmp_path / "library") as opened:
        yield opened


def _bases(workspace: Workspace) -> dict[str, str | None]:
    objects = workspace.catalog.objects(columns=["path", "identity_basis"])
    return dict(objects.iter_rows())


def test_copies_at_another_store_are_known_by_their_listed_checksum(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    folder = noise_pictures(6)
    add_location(library, "a local", str(folder))
    bucket.put_folder(folder)
    bucket.add_to(library)
    local, far = index(library)
    assert (local.read_files, far.found, far.identified, far.indexed, far.read_bytes) == (6, 6, 6, 6, 0)
    assert library.catalog.objects()["identity_basis"].to_list().count("md5+size") == 6
    groups = list_groups(library).groups
    assert groups.filter(pl.col("tier") == "bytes")["location"].unique().sort().to_list() == ["a local", "bucket"]
    for report in index(library):
        assert (report.read_files, report.unchanged, report.identified) == (0, 6, 0)


def test_equal_objects_of_a_bucket_are_read_once_and_an_etag_of_parts_is_no_checksum(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    picture = next(noise_pictures(1).rglob("*.jpg")).read_bytes()
    for key in ("a.jpg", "b.jpg", "c.jpg"):
        bucket.put(key, picture)
        bucket.put(f"text/{key}.txt", b"no picture")
    bucket.put_parts("d.jpg", picture)
    bucket.add_to(library)
    (told,) = estimate(library)
    (report,) = index(library)
    assert (report.read_files, report.identified, report.pictures) == (3, 4, 1)
    assert (told.to_read, told.read_bytes, told.known) == (3, report.read_bytes, 4)
    assert report.read_bytes == 2 * len(picture) + len(b"no picture")
    bases = _bases(library)
    assert (bases["d.jpg"], sorted(str(bases[f"{key}.jpg"]) for key in "abc")) == ("read", ["md5+size"] * 2 + ["read"])
    # What is no picture is told of every object, whether its bytes were read or only known.
    assert library.catalog.failures()["code"].to_list() == ["not_a_picture"] * 3


def test_a_budget_in_bytes_is_never_passed_and_the_next_run_goes_on(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    folder = noise_pictures(12)
    total = bucket.put_folder(folder)
    bucket.add_to(library)
    (told,) = estimate(library)
    assert (told.to_read, told.read_bytes, told.over_network, told.seconds) == (12, total, True, None)
    limit, runs, read = total // 3, 0, 0
    while True:
        (report,) = index(library, budget=Budget(max_bytes=limit), and_match=False)
        assert report.read_bytes <= limit
        read, runs = read + report.read_bytes, runs + 1
        (left,) = estimate(library)
        assert (left.to_read, left.read_bytes) == (report.left, report.left_bytes)
        assert left.read_bytes == total - read
        if not report.left:
            break
    assert (read, library.catalog.objects().height) == (total, 12)
    assert 3 <= runs <= 5


def test_a_budget_reaches_what_shares_its_size_first(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    files = sorted(noise_pictures(5).rglob("*.jpg"))
    for file in files:
        bucket.put(file.name, file.read_bytes())
    largest = max(files, key=lambda file: file.stat().st_size)
    bucket.put_parts("copy.jpg", largest.read_bytes())
    bucket.add_to(library)
    (report,) = index(library, budget=Budget(max_bytes=2 * largest.stat().st_size), and_match=False)
    assert report.left > 0
    assert {"copy.jpg", largest.name} <= set(library.catalog.objects()["path"])


def test_a_budget_of_money_counts_requests_and_egress(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    total = bucket.put_folder(noise_pictures(4))
    bucket.add_to(library)
    with pytest.raises(SettingsError, match="location 'bucket' has none"):
        index(library, budget=Budget(max_money=Decimal(5), currency="EUR"))
    (library.directory / "prices.yaml").write_text(_PRICES)
    with pytest.raises(SettingsError, match="in USD, the price book in EUR"):
        index(library, budget=Budget(max_money=Decimal(5), currency="USD"))
    (told,) = estimate(library)
    assert told.money == Decimal("0.001") + 4 + Decimal(total) / 10**6
    # A request costs 1: the listing and two objects with their egress fit, a third does not.
    (report,) = index(library, budget=Budget(max_money=Decimal("2.9"), currency="EUR"), and_match=False)
    assert (report.read_files, report.left) == (2, 2)


def test_a_local_folder_costs_no_budget(library: Workspace, noise_pictures: Callable[[int], Path]) -> None:
    add_location(library, "here", str(noise_pictures(3)))
    (report,) = index(library, budget=Budget(max_bytes=0), and_match=False)
    assert (report.read_files, report.left) == (3, 0)


def test_what_is_compared_closely_stays_within_the_budget_too(
    library: Workspace, bucket: Bucket, pictures: Path
) -> None:
    for file in pictures.rglob("*.jpg"):
        bucket.put(file.name, file.read_bytes())
    bucket.add_to(library)
    index(library, and_match=False)
    found: list[object] = []
    index(library, budget=Budget(max_bytes=0), matched=found.append)
    (match,) = found
    assert match.pending == match.unverified > 0  # type: ignore[attr-defined]
    index(library, matched=found.append)
    assert found[1].pending == 0  # type: ignore[attr-defined]


def test_a_location_that_is_left_out_is_kept_and_nothing_is_marked_gone(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    bucket.put_folder(noise_pictures(3))
    bucket.add_to(library)
    index(library)
    library.ledger.set_location_active("bucket", False)
    bucket.client.delete_object(Bucket=bucket.name, Key="0/0.jpg")
    assert index(library) == []
    assert library.catalog.objects().height == 3


def test_a_dead_location_is_left_and_the_others_are_indexed(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path], tmp_path: Path
) -> None:
    bucket.put_folder(noise_pictures(3))
    bucket.add_to(library, "dead", retries=0)
    index(library, ["dead"])
    change_location(library, "dead", {"endpoint": "http://127.0.0.1:9", "retries": 0})
    add_location(library, "here", str(noise_pictures(3)))
    with pytest.raises(LocationUnavailableError, match="Nothing was marked as gone") as caught:
        index(library)
    assert [report.location for report in caught.value.reports] == ["here"]  # type: ignore[attr-defined]
    assert library.catalog.objects().height == 6


def test_a_storage_class_that_changes_is_noted_without_reading(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    picture = next(noise_pictures(1).rglob("*.jpg")).read_bytes()
    bucket.put("a.jpg", picture)
    bucket.add_to(library)
    index(library)
    assert library.catalog.objects()["storage_class"].to_list() == ["STANDARD"]
    bucket.client.put_object(Bucket=bucket.name, Key="a.jpg", Body=picture, StorageClass="STANDARD_IA")
    (report,) = index(library)
    assert (report.unchanged, report.read_files) == (1, 0)
    assert library.catalog.objects()["storage_class"].to_list() == ["STANDARD_IA"]


def test_an_estimate_writes_nothing_and_tells_of_what_cannot_be_listed(
    library: Workspace, noise_pictures: Callable[[int], Path]
) -> None:
    folder = noise_pictures(4)
    add_location(library, "here", str(folder))
    before = len(library.ledger.runs())
    (told,) = estimate(library)
    assert (told.found, told.to_read, told.over_network) == (4, 4, False)
    assert (library.catalog.objects().height, len(library.ledger.runs())) == (0, before)
    index(library)
    (told,) = estimate(library)
    assert (told.found, told.known, told.to_read, told.seconds) == (4, 4, 0, 0.0)
    shutil.rmtree(folder)
    (told,) = estimate(library)
    assert "does not exist" in told.problem
    assert library.catalog.objects().height == 4


def test_a_class_without_a_price_is_left_by_a_budget_of_money(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    picture = next(noise_pictures(1).rglob("*.jpg")).read_bytes()
    bucket.client.put_object(Bucket=bucket.name, Key="cold.jpg", Body=picture, StorageClass="GLACIER_IR")
    bucket.put("warm.jpg", picture + b" ")
    bucket.add_to(library)
    stated = _PRICES.replace('"*": {', "STANDARD: {")
    (library.directory / "prices.yaml").write_text(stated)
    (report,) = index(library, budget=Budget(max_money=Decimal(100), currency="EUR"), and_match=False)
    assert (report.read_files, report.left) == (1, 1)
    assert library.catalog.objects()["path"].to_list() == ["warm.jpg"]
    unpriced = stated.replace("GLACIER", "X").replace("retrieval_per_gb: 0}}", "retrieval_per_gb: 0}, GLACIER_IR: {}}")
    (library.directory / "prices.yaml").write_text(unpriced)
    with pytest.raises(SettingsError, match="does not state retrieval_per_gb"):
        index(library, budget=Budget(max_money=Decimal(100), currency="EUR"))


def test_redundancy_multiplies_the_price_of_storage(library: Workspace, tmp_path: Path) -> None:
    (library.directory / "prices.yaml").write_text(_PRICES.replace("  bucket:", '  "*":'))
    for name, copies in (("once", 1), ("thrice", 3)):
        (tmp_path / name).mkdir()
        add_location(library, name, str(tmp_path / name), {"redundancy": copies})
    book = workspace_prices(library)
    assert book is not None
    costs = [monthly_cost(book.of(name), None, 10**9) for name in ("once", "thrice")]
    assert costs == [Decimal(1), Decimal(3)]


def test_what_the_budget_does_not_reach_waits_for_no_rate(
    library: Workspace, bucket: Bucket, noise_pictures: Callable[[int], Path]
) -> None:
    bucket.put_folder(noise_pictures(6))
    bucket.add_to(library, max_bytes_per_second=100)  # minutes for all of them
    (report,) = index(library, budget=Budget(max_bytes=0), and_match=False)
    assert (report.left, report.read_files) == (6, 0)
    assert report.seconds < 30


def test_a_credential_that_is_gone_costs_its_location_and_not_the_matching(
    library: Workspace, bucket: Bucket, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in pictures.rglob("*.jpg"):
        bucket.put(file.name, file.read_bytes())
    bucket.add_to(library)
    index(library, and_match=False)
    monkeypatch.delenv("TEST_S3_SECRET")
    found: list[Any] = []
    with pytest.raises(CredentialMissingError, match="TEST_S3_SECRET"):
        index(library, matched=found.append)
    assert found[0].pending == found[0].unverified > 0
