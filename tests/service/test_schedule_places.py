"""Where the page of a schedule goes, and what becomes of the run where it cannot go there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from report_maker import Maker

from deeplens_kit.errors import DeepLensError, LocationError, ReportError, SettingsError
from deeplens_kit.ledger import ReportRunState
from deeplens_kit.pipeline import Workspace, add_location
from deeplens_kit.service.schedules import Schedule, making, perform, performing, send_waiting
from deeplens_kit.service.schedules.places import filled
from deeplens_kit.storage import open_location
from tests.servers.s3 import S3Server

TODAY = "2026-06-15"


class Noon(datetime):
    """A clock that stands: a page that is made at midnight is named by the other day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        """Noon of that day."""
        return datetime(2026, 6, 15, 12, tzinfo=UTC).astimezone(tz)


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(performing, "datetime", Noon)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "pics").mkdir()
    with Workspace.create(tmp_path / "ws") as made:
        add_location(made, "pics", str(tmp_path / "pics"))
        yield made


def schedule(to: Path | str, **how: object) -> Schedule:
    return Schedule("weekly", "savings", {}, "0 6 * * 1", "UTC", str(to), **how)  # type: ignore[arg-type]


def test_an_hour_that_comes_twice_has_two_names() -> None:
    zone = ZoneInfo("Europe/Berlin")
    names = [
        filled("p-{date}-{time}.html", datetime(2026, 10, 25, hour, 30, tzinfo=UTC).astimezone(zone))
        for hour in (23, 0, 1, 2)
    ]
    assert names[1:] == ["p-2026-10-25-0230.html", "p-2026-10-25-0230b.html", "p-2026-10-25-0330.html"]


def test_in_a_folder_nothing_is_replaced(workspace: Workspace, tmp_path: Path, maker: Maker) -> None:
    place = tmp_path / "store"
    place.mkdir()
    weekly = schedule(f"file://{place}/savings-{{date}}.html")
    first, second = perform(workspace, weekly), perform(workspace, weekly)
    stems = (f"savings-{TODAY}", f"savings-{TODAY}-2")
    assert [run.out for run in (first, second)] == [f"file://{place}/{stem}.html" for stem in stems]
    assert first.delivered_at is not None and not maker.made[0].exists(), "what was made on the way is gone"
    names = [f"{stem}.{ending}" for stem in stems for ending in ("html", "json")]
    assert sorted(path.name for path in place.iterdir()) == sorted(names)


def test_a_bucket_gets_the_page_and_its_numbers(
    workspace: Workspace, maker: Maker, moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_KEY", moto.keys.access_key)
    monkeypatch.setenv("REPORT_SECRET", moto.keys.secret_key)
    options = {
        "endpoint": moto.endpoint,
        "region": moto.region,
        "addressing": "path",
        "access_key": "${REPORT_KEY}",
        "secret_key": "${REPORT_SECRET}",
    }
    folder = f"s3://{moto.bucket}/reports-{secrets.token_hex(4)}"
    made = perform(workspace, schedule(f"{folder}/{{date}}.html", to_options=options))
    assert made.out == f"{folder}/{TODAY}.html"
    with closing(open_location("", "reports", folder, options)) as store:
        assert sorted(store.list().frame["path"]) == [f"{TODAY}.html", f"{TODAY}.json"]
    inside = f"{folder}/pictures"
    workspace.ledger.add_location("bucket", inside, options)
    with pytest.raises(SettingsError, match="inside the location 'bucket'"):
        perform(workspace, schedule(f"{inside}/deeper/{{date}}.html", to_options=options))


def test_a_page_of_this_machine_is_replaced(workspace: Workspace, tmp_path: Path, maker: Maker) -> None:
    weekly = schedule(tmp_path / "s.html", notify=("https://127.0.0.1/x",))
    runs = [perform(workspace, weekly) for _ in range(2)]
    assert [run.out for run in runs] == [str(tmp_path / "s.html")] * 2 and runs[1].figures == {"n": 2}
    assert runs[1].message == "2 GB could be freed." and runs[1].schedule == "weekly" and runs[1].due_at is None


@pytest.mark.parametrize(
    "to", ["pics/s-{date}.html", "file://{}/pics/deeper/s-{date}.html", "ws/workspace.toml/s.html"]
)
def test_nothing_is_written_among_what_is_looked_after(
    workspace: Workspace, tmp_path: Path, maker: Maker, to: str
) -> None:
    weekly = schedule(to.replace("{}", str(tmp_path)) if "://" in to else tmp_path / to)
    with pytest.raises(SettingsError, match=r"inside the location 'pics'|part of the workspace"):
        perform(workspace, weekly)
    (run,) = workspace.ledger.report_runs()
    assert run.state is ReportRunState.FAILED and "Cannot" in run.message
    assert list((tmp_path / "pics").iterdir()) == maker.made == []


def test_what_cannot_be_put_there_has_failed_and_is_told(workspace: Workspace, tmp_path: Path, maker: Maker) -> None:
    place = tmp_path / "store"
    place.mkdir()
    weekly = schedule(f"file://{place}/s-{{date}}.html", notify=("https://127.0.0.1:1/x",))
    good = perform(workspace, weekly)
    place.chmod(0o500)
    for name in (f"s-{TODAY}.html", f"s-{TODAY}.json"):
        (place / name).chmod(0o400)
    try:
        weekly = schedule(f"file://{place}/nowhere/deeper/s-{{date}}.html", notify=weekly.notify)
        with pytest.raises(DeepLensError):
            perform(workspace, weekly, due_at=good.started_at, attempt=2, last=False)
        with pytest.raises(DeepLensError):
            perform(workspace, weekly, due_at=good.started_at, attempt=3)
    finally:
        place.chmod(0o700)
    runs = workspace.ledger.report_runs()
    assert [(run.state, run.attempt) for run in runs] == [("failed", 3), ("failed", 2), ("finished", 1)]
    told = [event.payload["document"] for event in workspace.ledger.undelivered("report.run")]
    assert [(item["made"], item["attempt"]) for item in told] == [(True, 1), (False, 3)]
    assert told[1]["link"] == good.out, "the last good one"


def test_what_fails_on_its_way_to_a_store_is_kept_there(workspace: Workspace, tmp_path: Path, maker: Maker) -> None:
    place = tmp_path / "store"
    place.mkdir()
    maker.fails = ["no space", "no space"]
    for number, name in ((1, f"s-{TODAY}.failed.ipynb"), (2, f"s-{TODAY}-2.failed.ipynb")):
        with pytest.raises(ReportError, match=f"no space Look into file://.*/store/{name}"):
            perform(workspace, schedule(f"file://{place}/s-{{date}}.html"))
        assert len(list(place.iterdir())) == number and (place / name).read_bytes() == b"as far as it got"


def test_a_fault_that_is_no_error_of_ours_is_told_too(
    workspace: Workspace, tmp_path: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(making, "make_report", full)
    weekly = schedule(tmp_path / "s.html", notify=("https://127.0.0.1:1/x",))
    with pytest.raises(OSError, match="No space"):
        perform(workspace, weekly)
    (event,) = workspace.ledger.undelivered("report.run")
    assert "No space left" in event.payload["document"]["problem"]


def test_a_message_that_is_not_taken_stays_and_holds_back_those_after_it(
    workspace: Workspace, tmp_path: Path, maker: Maker
) -> None:
    weekly = schedule(tmp_path / "s.html", notify=("https://127.0.0.1:1/x",))
    perform(workspace, weekly)
    perform(workspace, weekly)
    assert send_waiting(workspace.ledger, ["https://elsewhere/"]) == []
    (told,) = send_waiting(workspace.ledger, weekly.notify, first_wait_seconds=0)
    assert (told.document["schedule"], told.target) == ("weekly", "https://127.0.0.1") and told.reason
    assert len(workspace.ledger.undelivered("report.run")) == 2


def test_a_report_that_fails_by_hand_is_on_record_once(workspace: Workspace, tmp_path: Path, maker: Maker) -> None:
    maker.fails = ["no space"]
    with pytest.raises(ReportError, match="no space"):
        perform(workspace, schedule(tmp_path / "s.html"))
    assert [run.message for run in workspace.ledger.report_runs()] == ["no space"]
    with pytest.raises(LocationError):
        perform(workspace, schedule(f"file://{tmp_path}/none/s-{{date}}.html"))
    assert len(workspace.ledger.report_runs()) == 2
