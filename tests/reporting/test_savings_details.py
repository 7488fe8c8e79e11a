"""What the savings report says beside its sums: the same sums, two runs a week apart, and of workspaces without any."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.synthetic_workspace import write_workspace
from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import ReportRunState
from deeplens_kit.matching import Thresholds
from deeplens_kit.pipeline import Workspace, approve_plan, index, list_groups, make_plan, summarise_savings
from deeplens_kit.pipeline.applying import apply
from deeplens_kit.pipeline.evaluating import evaluate
from deeplens_kit.pipeline.owners import parse_owners
from deeplens_kit.pipeline.proposal_record import PROPOSALS_FOLDER, PROPOSED, keep_proposals, kept_proposals
from deeplens_kit.pipeline.quarantining import chosen_items, empty_quarantine
from deeplens_kit.pipeline.report_evidence import believable_bytes
from deeplens_kit.pipeline.undoing import undo
from deeplens_kit.reporting import SavingsReport, report_savings
from deeplens_kit.reporting.report_figures import kpi_of
from deeplens_kit.reporting.report_lines import BreakdownLine, ChangeLine, SavedSoFar
from deeplens_kit.savings import exact

_WEEK = timedelta(days=7)
_PARTS = ("folder", "owner", "format", "age", "storage_class")
_WORDS = {
    *(f"by_{part}" for part in _PARTS),
    "interval",
    "overlaps",
    "scenarios",
    "change",
    "history",
    "payback",
    "lineage",
}


def _picture(file: Path, seed: int) -> int:
    """A picture of noise; gives its size."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((96, 72)).save(file)
    return file.stat().st_size


def _copied(file: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, target)
    return target.stat().st_size


@contextmanager
def _clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> Iterator[None]:
    """What the ledger takes for the time."""
    with monkeypatch.context() as patched:
        patched.setattr("deeplens_kit.ledger.transactions.database_now", lambda _connection: at)
        yield


def _reported(
    workspace: Workspace, at: datetime, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str]
) -> SavingsReport:
    """A report that is on record, as a scheduler makes it."""
    with _clock(monkeypatch, at):
        run = workspace.ledger.begin_report_run("savings", parameters)
        report = report_savings(workspace, now=at, parameters=parameters)
        keep_proposals(workspace, report.members, report.made_at)
        workspace.ledger.end_report_run(run.run_id, ReportRunState.FINISHED, kpi_of(report))
    return report


def test_a_report_of_each_minute_puts_none_of_each_week_aside(tmp_path: Path) -> None:
    members = pl.DataFrame(schema={"is_keeper": pl.Boolean, **PROPOSED})
    monday = datetime(2026, 11, 30, 6, tzinfo=UTC)
    with Workspace.create(tmp_path / "ws") as workspace:
        keep_proposals(workspace, members, monday, {"report": "savings", "rule": "strict"})
        for minute in range(1, 60):
            keep_proposals(workspace, members, monday + timedelta(minutes=minute), {"report": "savings"})
        assert kept_proposals(workspace, monday) is not None
        assert kept_proposals(workspace, monday + timedelta(minutes=59)) is not None
        assert kept_proposals(workspace, monday + timedelta(minutes=1)) is None
        assert len(list((workspace.directory / PROPOSALS_FOLDER).iterdir())) < 10


@dataclass(frozen=True)
class Week:
    """A workspace with three copies on a laptop of four pictures in an archive, and two times a week apart."""

    workspace: Workspace
    sizes: list[int]
    first: datetime

    @property
    def archive(self) -> Path:
        return self.workspace.directory.parent / "archive"

    @property
    def laptop(self) -> Path:
        return self.workspace.directory.parent / "laptop"

    @property
    def second(self) -> datetime:
        return self.first + _WEEK


@pytest.fixture
def week(tmp_path: Path) -> Iterator[Week]:
    # What acts on files goes by the machine's clock: the week ends after it.
    first = datetime.now(UTC) + timedelta(hours=1) - _WEEK
    with Workspace.create(tmp_path / "workspace") as workspace:
        made = Week(workspace, [_picture(tmp_path / "archive" / f"{at}.jpg", at) for at in range(4)], first)
        for at in range(3):
            _copied(made.archive / f"{at}.jpg", made.laptop / "old" / f"{at}.jpg")
        workspace.ledger.add_location("archive", str(made.archive), {})
        workspace.ledger.add_location("laptop", str(made.laptop), {"permissions": "change"})
        owners = 'owners: [{owner: Ann, location: laptop, paths: ["new/**"]}, {owner: Bob, location: laptop}]'
        (workspace.directory / "owners.yaml").write_text(owners, encoding="utf-8")
        index(workspace, and_match=False)
        yield made


def test_two_runs_a_week_apart_tell_what_is_new_gone_and_saved(week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, sizes, laptop = week.workspace, week.sizes, week.laptop
    before = _reported(workspace, week.first, monkeypatch, {"tiers": "bytes"})
    assert (before.change, before.history) == (None, ())
    assert "first report" in before.words["change"]
    # 1. In the week between: two copies go by a plan, one is put away by hand, and three come.
    plan_id = make_plan(workspace, tiers=["bytes"]).plan_id
    approve_plan(workspace, plan_id)
    (laptop / "old" / "2.jpg").unlink()
    done = apply(workspace, plan_id).application
    assert done is not None
    new = [
        _copied(week.archive / "3.jpg", laptop / "new" / "a" / "3.jpg"),
        _copied(week.archive / "3.jpg", laptop / "b"),
    ]
    new.append(_copied(week.archive / "0.jpg", week.archive / "again.jpg"))
    index(workspace, and_match=False, accept_gone=True)
    # 2. The second run says so, to the byte.
    other = report_savings(workspace, now=week.second, parameters={"tiers": "copy"})
    assert other.change is None, "a report with other parameters is not compared with"
    after = _reported(workspace, week.second, monkeypatch, {"tiers": "bytes"})
    change = after.change
    assert change is not None
    assert (change.at, change.known, change.new_objects, change.new_bytes) == (week.first, True, 3, sum(new))
    assert change.new_by_location == (ChangeLine("laptop", 2, sum(new[:2])), ChangeLine("archive", 1, new[2]))
    assert {line.name: line.bytes for line in change.new_by_owner} == dict(
        zip(("Ann", "Bob", "no owner named"), new, strict=True)
    )
    assert {line.name for line in change.new_by_folder} == {"laptop:new/a/", "laptop:", "archive:"}
    assert (change.gone_objects, change.gone_bytes) == (3, sum(sizes[:3]))
    assert set(change.gone_why) == {
        ChangeLine("taken by an applied plan", 2, sum(sizes[:2])),
        ChangeLine("no longer at its place", 1, sizes[2]),
    }
    assert change.since == change.ever == SavedSoFar(quarantined_objects=2, quarantined_bytes=sum(sizes[:2]))
    headline = {figure.name: (figure.before, figure.now) for figure in change.figures}
    assert headline["realisable_bytes"] == (sum(sizes[:3]), sum(new))
    assert [point.figures for point in after.history] == [kpi_of(before)]
    # 3. A week on one of the two is gone for good, and the other is back.
    items = chosen_items(workspace, expired_only=False)
    with _clock(monkeypatch, week.second + timedelta(days=1)):
        freed = empty_quarantine(workspace, items[:1]).freed_bytes
    undo(workspace, done.application_id)
    third = _reported(workspace, week.second + _WEEK, monkeypatch, {"tiers": "bytes"}).change
    assert third is not None and freed
    assert third.since == SavedSoFar(emptied_objects=1, emptied_bytes=freed)
    assert third.ever == SavedSoFar(1, items[0].size_bytes, 1, freed, 1, items[1].size_bytes)
    # 4. Where the record was removed, the figures alone are compared.
    shutil.rmtree(workspace.directory / PROPOSALS_FOLDER)
    last = report_savings(workspace, now=week.second + 2 * _WEEK, parameters={"tiers": "bytes"})
    assert last.change is not None and not last.change.known
    assert "left no list" in last.words["change"]


def _sums(lines: tuple[BreakdownLine, ...]) -> tuple[int, int, int, Decimal]:
    with exact():
        money = sum((Decimal(line.money) for line in lines if line.money is not None), Decimal(0))
    return (
        sum(line.objects for line in lines),
        sum(line.gross_bytes for line in lines),
        sum(line.realisable_bytes for line in lines),
        money,
    )


def test_every_part_says_the_sums_of_deeplens_savings(tmp_path: Path) -> None:
    with Workspace.open(write_workspace(tmp_path / "workspace", 800, labels=25)) as workspace:
        report = report_savings(workspace)
        sums = summarise_savings(workspace)
        assert report.numbers.rows.equals(sums.select(report.numbers.rows.columns))
        numbers = report.numbers
        assert numbers.money is not None
        for part in _PARTS:
            lines = getattr(report, f"by_{part}")
            expected = (numbers.objects, numbers.gross_bytes, numbers.realisable_bytes, numbers.money.per_month)
            assert _sums(lines) == expected, part
            assert sum(line.share for line in lines) == pytest.approx(1)
            assert part == "age" or all(sum(line.spark) == line.realisable_bytes for line in lines)
        assert {line.name for line in report.by_owner} == {"archive team", "studio", "office", "no owner named"}
        assert {line.name for line in report.by_storage_class} >= {"GLACIER", "STANDARD", "none named by the storage"}
        # The mirror is told first, and whole.
        first = report.overlaps[0]
        assert (first.folder_a, first.folder_b, first.share) == ("laptop:backup/", "share:", 1.0)
        # The scenario in use is the report, and stricter ones propose no more.
        ours = [line for line in report.scenarios if line.in_use]
        assert [(line.groups, line.objects, line.realisable_bytes) for line in ours] == [
            (report.totals.groups, numbers.objects, numbers.realisable_bytes)
        ]
        strict = next(line for line in report.scenarios if line.policy == "default" and "0.98" in line.rule)
        assert strict.realisable_bytes <= numbers.realisable_bytes
        for name, bound in (("default", 0.8), ("oldest", 0.7)):
            rule = Thresholds(likelihood_min=bound, page_likelihood_min=bound).rule()
            groups = list_groups(workspace, rule=rule, policy=name).groups
            line = next(line for line in report.scenarios if line.policy == name and line.rule == rule.name)
            assert line.realisable_bytes == groups["frees_bytes"].sum()
            assert line.groups == groups["group_id"].n_unique()
        # The interval is that of the labels, and holds the headline.
        interval, judged = report.interval, evaluate(workspace)
        assert interval is not None
        assert (interval.precision_low, interval.precision_high) == (judged.precision.low, judged.precision.high)
        assert interval.fact_bytes + interval.copy_bytes == interval.realisable_bytes == numbers.realisable_bytes
        assert interval.fact_bytes <= interval.low_bytes <= interval.high_bytes <= interval.realisable_bytes
        assert interval.low_bytes < interval.high_bytes
        assert all(line.precision_low is not None for line in report.scenarios if line.policy == "default")
        # Every number has its rule and its tables, the interval its labels.
        by_number = {line.number: line for line in report.lineage}
        assert by_number["Can be freed"].value == f"{numbers.realisable_bytes} bytes"
        assert by_number["Interval"].labels == interval.labels and len(by_number["Interval"].labels_digest) == 12
        assert {line.catalog for line in report.lineage} == {"objects 2, pictures 2, pairs 2"}
        assert report.payback is not None and report.payback.lines[1].unstated == () and report.payback.cost is None
        assert len(report.money_notes) == 5
        assert set(report.words) == _WORDS


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "", "same", "different", "unsure"])), max_size=6),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_believable_bytes_are_those_of_every_way_in_which_so_many_pairs_can_be_wrong(
    rows: list[tuple[int, str]], fewest: int, more: int
) -> None:
    known = sum(said == "different" for _, said in rows)
    open_rows = sum(said in ("", "unsure") for _, said in rows)
    fewest = min(fewest, known + open_rows)
    most = min(fewest + more, known + open_rows)
    pairs = pl.DataFrame(rows, schema={"frees_bytes": pl.Int64, "verdict": pl.String}, orient="row")
    sums = []
    for wrong in product((False, True), repeat=len(rows)):
        fits = all(is_wrong == (said == "different") for (_, said), is_wrong in zip(rows, wrong, strict=True)
                   if said in ("same", "different"))  # fmt: skip
        if fits and max(fewest, known) <= sum(wrong) <= max(most, known):
            sums.append(sum(size for (size, _), is_wrong in zip(rows, wrong, strict=True) if not is_wrong))
    assert believable_bytes(pairs, fewest, most) == (min(sums), max(sums))


@pytest.mark.parametrize("content", ["nothing", "failures", "one picture"])
def test_every_section_has_its_words_where_there_is_nothing_to_say(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    if content == "failures":
        (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
        (folder / "empty.jpg").write_bytes(b"")
    elif content == "one picture":
        _picture(folder / "one.jpg", 1)
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("pics", str(folder), {})
        index(workspace, and_match=False)
        report = report_savings(workspace)
        assert report.numbers.objects == 0
        assert not any(getattr(report, f"by_{part}") for part in _PARTS)
        assert report.overlaps == () and report.interval is None and report.payback is None and report.change is None
        assert set(report.words) == _WORDS and all(report.words.values())
        assert all(line.realisable_bytes == 0 for line in report.scenarios)
        assert [line.number for line in report.lineage][:2] == ["Can be freed", "Files proposed"]
        assert kpi_of(report)["analysed_objects"] == (1 if content == "one picture" else 0)


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        (["x"], SettingsError, "one key 'owners'"),
        ({"owners": [{"owner": ""}]}, SettingsError, "must be a name"),
        ({"owners": [{"owner": "a", "path": ["x"]}]}, UnknownNameError, "paths"),
        ({"owners": [{"owner": "a", "paths": [1]}]}, SettingsError, "list of globs"),
        ({"owners": ["a"]}, SettingsError, "Entry 1"),
    ],
)
def test_a_list_of_owners_that_cannot_be_meant_is_refused(values: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        parse_owners(values, Path("owners.yaml"))


def test_an_owner_of_a_location_that_there_is_none_of_is_refused(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("share", str(tmp_path), {})
        (workspace.directory / "owners.yaml").write_text("owners: [{owner: Ann, location: shore}]", encoding="utf-8")
        with pytest.raises(UnknownNameError, match="share"):
            report_savings(workspace)
