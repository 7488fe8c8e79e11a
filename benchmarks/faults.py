"""What faults in the middle of acting do to pictures: none is lost, the journal tells the truth, undo restores all.

Each run applies a small plan at a place of one kind, with copies, links and companions, and is struck once at a seeded
occasion: the process killed (by an exception that passes everything, or truly, by the system), an error of the storage,
a full disk, a cut network, a clock that jumps. Then it is resumed or undone, often struck again, and in the end undone
without a fault. After each part all files are counted by what they hold, past everything of ours.

    python -m benchmarks.faults [--runs 2000] [--kinds local,smb,sftp,s3,azure,gcs] [--json]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fault_checks import applied_wrong, lost, not_restored, unfinished, unlike_journal
from benchmarks.fault_proxy import FaultProxy
from benchmarks.fault_strikes import FaultWay, Killed, Strike
from benchmarks.fault_trees import FAR, NEAR, PlannedUnit, Tree
from benchmarks.fault_victim import OPTIONS, Victim, act, killed_at
from benchmarks.report import Report, print_report
from deeplens_kit.actions import Ground, JournalUnwritable, Unsettled
from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import Ledger
from deeplens_kit.storage import LocationKind, open_location
from deeplens_kit.telemetry import configure_logging

__all__ = ["KINDS", "main", "measure"]

SEED = 20261130
KINDS = ("local", "smb", "sftp", "s3", "azure", "gcs")
_WAYS = (
    *[FaultWay.KILLED] * 7,
    *[FaultWay.ERROR] * 5,
    *[FaultWay.FULL] * 3,
    *[FaultWay.CUT] * 3,
    FaultWay.CLOCK,
    FaultWay.SIGKILL,
)
_AGAIN = (None, None, None, FaultWay.KILLED, FaultWay.ERROR, FaultWay.FULL)
_OPENED: dict[str, object] = {"permissions": "change"}
_CALM = {**_OPENED, "connections": 2}
_HASTY = {**_CALM, "retry_wait_seconds": 0.01, "timeout_seconds": 0.6, "retries": 0}
"""How a place is opened: to be left in peace, and through the proxy, where a broken connection is soon told."""

_WRONG = ("lost", "inconsistent", "not_restored", "crashed")
_MEMORY = Path("/dev/shm")
_NO_PLAN = "0" * 64


@dataclass
class _Subject:
    """One kind under test.

    Attributes:
        kind: Its name.
        folder: Of its own.
        tree: Its files.
        start: What there is when nothing is done.
        kinds: Its two locations, opened, by id; those through the proxy are the second.
        proxy: Before its server; None where it has none.
        locations: As a process of its own opens them.
        environment: Variables that the options refer to.
        occasions: How many there were lately, by way and part.
        told: What went wrong, for people.
    """

    kind: str
    folder: Path
    tree: Tree
    start: Mapping[tuple[str, str], Any]
    kinds: tuple[Mapping[str, LocationKind], Mapping[str, LocationKind]]
    proxy: FaultProxy | None
    locations: Sequence[tuple[str, str, str, Mapping[str, Any]]]
    environment: Mapping[str, str]
    occasions: dict[tuple[FaultWay, str], int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


@dataclass
class _Run:
    """One run: an application of its own in a ledger of its own."""

    subject: _Subject
    ledger: Ledger
    application_id: str
    units: Sequence[PlannedUnit]
    chance: random.Random

    @property
    def steps(self) -> list[Any]:
        return [step for unit in self.units for step in unit.steps]

    def ground(self, strike: Strike, kinds: Mapping[str, LocationKind]) -> Ground:
        writes = {number: data for unit in self.units for number, data in unit.writes.items()}
        return Ground(
            self.application_id,
            kinds,
            strike.of_journal(self.ledger),
            OPTIONS,
            strike.boundary,
            content=lambda step: writes.get(step.step),
            now=strike.now,
        )


def measure(runs: int, folder: Path, kinds: Sequence[str] = KINDS) -> Report:
    """Inject faults, one or two a run, in turn at each kind."""
    report = Report("faults", SEED)
    chance = random.Random(SEED)
    counts: dict[tuple[str, str], Counter[str]] = {}
    told: list[str] = []
    began = time.monotonic()
    with ExitStack() as stack:
        subjects = {kind: stack.enter_context(_subject(kind, folder / kind, chance)) for kind in kinds}
        for number in range(runs):
            subject = subjects[kinds[number % len(kinds)]]
            ways = _WAYS if subject.proxy else tuple(way for way in _WAYS if way is not FaultWay.CUT)
            way = chance.choice(ways)
            counts.setdefault((subject.kind, way), Counter()).update(_one(subject, way, number, chance))
            if sys.stderr.isatty() and number % 10 == 9:
                left = (time.monotonic() - began) / (number + 1) * (runs - number - 1)
                print(f"\r{number + 1} of {runs} runs, {left:.0f} s left ", end="", file=sys.stderr)
        told = [line for subject in subjects.values() for line in subject.told]
    columns = ("runs", "struck", "struck_again", "steps", "done", "skipped_with_reason", "leftover", *_WRONG)
    for (kind, way), counted in sorted(counts.items()):
        report.add(kind=kind, fault=str(way), **{name: counted[name] for name in columns})
    total: Counter[str] = sum(counts.values(), Counter())
    report.figures = {name: total[name] for name in columns}
    report.figures["seconds"] = round(time.monotonic() - began, 1)
    if told:
        report.figures["told"] = told[:20]
    return report


def _one(subject: _Subject, way: FaultWay, number: int, chance: random.Random) -> Counter[str]:
    """One run from its plan to the tree as it was."""
    counted: Counter[str] = Counter(runs=1)
    with _run(subject, chance) as run:
        counted["steps"] = len(run.steps)

        def note(name: str, found: Sequence[str]) -> None:
            counted[name] += bool(found)
            shown = ", ".join(unit.name for unit in run.units)
            lines = [f"run {number}, {subject.kind}, {way} ({shown}): {name}: {line}" for line in found]
            subject.told += lines
            print("".join(f"{line}\n" for line in lines), end="", file=sys.stderr)

        try:
            _through(run, way, counted, note)
        except Exception:  # noqa: BLE001 - the edge of a run: it is told, and the next begins
            note("crashed", traceback.format_exc().splitlines()[-6:])
        final = subject.tree.contents()
        counted["leftover"] = len(unfinished(final))
        note("lost", lost(subject.start, final))
        note("not_restored", not_restored(subject.start, final))
        if final != subject.start:
            _make_anew(subject)
    return counted


def _through(run: _Run, way: FaultWay, counted: Counter[str], note: Callable[[str, Sequence[str]], None]) -> None:
    subject, chance = run.subject, run.chance
    counted["struck"] = int(_part(run, "apply", way))
    note("lost", lost(subject.start, subject.tree.contents()))
    goal = chance.choice(["resume", "undo"])
    if (again := chance.choice(_AGAIN)) is not None:
        counted["struck_again"] = int(_part(run, goal, again))
        note("lost", lost(subject.start, subject.tree.contents()))
    # What was begun to be undone is not gone on with: the ledger refuses it.
    if goal == "resume" or (again is None and chance.random() < 0.2):
        came = _calmly(run, "resume")
        if came is not None:
            now = subject.tree.contents()
            note("lost", lost(subject.start, now))
            note("inconsistent", unlike_journal(run.ledger, run.application_id, _ids(subject), now))
            done = {result.step for result in came.results if result.outcome == "done"}
            done |= _done_before(run)
            counted["done"] += len(done)
            counted["skipped_with_reason"] += len(run.steps) - len(done)
            note("inconsistent", applied_wrong(run.units, done, subject.start, now, subject.tree.keepers()))
            note("inconsistent", [came.halted] if came.halted else [])
    report = _calmly(run, "undo")
    note("not_restored", [f"{trouble.code}: {trouble.message}" for trouble in _troubles(report)])
    note("inconsistent", unlike_journal(run.ledger, run.application_id, _ids(subject), subject.tree.contents()))


def _done_before(run: _Run) -> set[int]:
    from deeplens_kit.actions import history_of

    histories = history_of(run.ledger.journal(run.application_id))
    return {step.step for step in run.steps if step.step in histories and histories[step.step].is_finished(step.action)}


def _troubles(report: Any) -> list[Any]:
    return [trouble for trouble in report.troubles if trouble.code != "times_kept"]


def _ids(subject: _Subject) -> dict[str, str]:
    return {location_id: name for location_id, name, _, _ in subject.locations}


def _calmly(run: _Run, what: str) -> Any:
    return act(what, run.ground(_no_strike(run.chance), run.subject.kinds[0]), run.steps)


def _no_strike(chance: random.Random) -> Strike:
    return Strike(None, 0, chance)


def _part(run: _Run, what: str, way: FaultWay) -> bool:
    """Apply, resume or undo under a fault; whether it struck."""
    subject, chance = run.subject, run.chance
    expected = subject.occasions.get((way, what), 30 if way is not FaultWay.CUT else 3000)
    at = chance.randrange(max(2, int(expected * 1.1)))
    if way is FaultWay.SIGKILL:
        return _killed(run, what, at)
    strike = Strike(way, at, chance, subject.proxy)
    kinds = subject.kinds[1 if way is FaultWay.CUT else 0]
    try:
        with strike.armed(kinds):
            act(what, run.ground(strike, kinds), run.steps)
    except (Killed, Unsettled, JournalUnwritable):
        pass
    if not strike.struck or way is FaultWay.CLOCK:
        subject.occasions[way, what] = strike.seen
    return strike.struck


def _killed(run: _Run, what: str, at: int) -> bool:
    subject = run.subject
    writes = {number: data for unit in run.units for number, data in unit.writes.items()}
    victim = Victim(
        _ledger_url(subject.folder), run.application_id, subject.locations, subject.environment, run.steps, writes
    )
    killed = killed_at(victim, what, at)
    expected = subject.occasions.get((FaultWay.SIGKILL, what), 30)
    # It cannot tell how many there were: where it lived there were fewer, and else perhaps more.
    subject.occasions[FaultWay.SIGKILL, what] = max(20, int(expected * (1.2 if killed else 0.8)))
    return killed


def _ledger_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


@contextmanager
def _run(subject: _Subject, chance: random.Random) -> Iterator[_Run]:
    file = subject.folder / "ledger.db"
    for leftover in subject.folder.glob("ledger.db*"):
        leftover.unlink()
    shutil.copy(subject.folder / "template.db", file)
    with Ledger.open(_ledger_url(subject.folder)) as ledger:
        (plan,) = ledger.plans()
        application = ledger.start_application(plan.plan_id, _NO_PLAN, {})
        units = subject.tree.plan(subject.kinds[0], chance)
        yield _Run(subject, ledger, application.application_id, units, chance)


def _make_anew(subject: _Subject) -> None:
    """After something went wrong: the next run shall not suffer from it."""
    for where, path in subject.tree.contents():
        kind = subject.kinds[0][next(at for at, name, _, _ in subject.locations if name == where)]
        try:
            kind.remove(path, expected=kind.stat(path))
        except DeepLensError as error:
            if where == NEAR and (folder := subject.tree.folder) is not None:
                (folder / path).unlink()
            elif where == FAR:
                (subject.folder / "far" / path).unlink()
            else:
                subject.told.append(f"cannot be cleared: {path}: {error}")
    subject.tree.make()
    subject.start = subject.tree.contents()


@contextmanager
def _subject(kind: str, folder: Path, chance: random.Random) -> Iterator[_Subject]:
    # Here, for it brings most of the product: a process that is to be killed imports this module too.
    from benchmarks.storage_places import PLACES

    with ExitStack() as stack:
        quick = stack.enter_context(_quick_folder(folder))
        place = stack.enter_context(PLACES[kind](quick if kind == "local" else folder / "served"))
        proxy = None if place.server is None else stack.enter_context(FaultProxy(place.port))
        far = quick / "far"
        far.mkdir(parents=True)
        served = place.server is not None
        direct, cut = place.located(place.port), place.located(proxy.port if proxy else 0)
        with Ledger.create(f"sqlite:///{quick / 'template.db'}") as ledger:
            near = ledger.add_location(NEAR, direct[0], direct[1])
            beside = ledger.add_location(FAR, str(far), {"permissions": "change"})
            plan = ledger.save_plan("duplicates", {}, [b""], _NO_PLAN, 1)
            ledger.approve_plan(plan.plan_id, _NO_PLAN)
        ids = {NEAR: near.location_id, FAR: beside.location_id}
        there = (beside.location_id, FAR, beside.url, dict(beside.options))
        settings = [
            [(near.location_id, NEAR, url, {**options, **(given if served else _OPENED)}), there]
            for (url, options), given in ((direct, _CALM), (cut, _HASTY))
        ]
        opened = []
        for locations in settings:
            opened.append({item[0]: open_location(*item) for item in locations})
            for kind_at in opened[-1].values():
                stack.callback(kind_at.close)
        tree = Tree(place, far, ids, chance)
        tree.make()
        environment = {name: value for name, value in os.environ.items() if name.startswith("PLACE_")}
        yield _Subject(kind, quick, tree, tree.contents(), (opened[0], opened[1]), proxy, settings[0], environment)


@contextmanager
def _quick_folder(folder: Path) -> Iterator[Path]:
    """In memory where the machine has such: a ledger is written durably some dozen times a run."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(_MEMORY, os.W_OK):
        yield folder
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="deeplens-faults-") as quick:
        yield Path(quick)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print; ends with 1 where anything was lost, inconsistent or not restored."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="runs, in turn at each kind (2000)")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"comma-separated kinds ({','.join(KINDS)})")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(words)
    configure_logging(level="error")
    os.environ.setdefault("DEEPLENS_REQUIRE_SERVERS", "1")
    with tempfile.TemporaryDirectory(prefix="deeplens-faults-") as folder:
        try:
            report = measure(arguments.runs, Path(folder), tuple(arguments.kinds.split(",")))
        except pytest.fail.Exception as missing:
            raise SystemExit(f"faults: {missing}") from missing
    print_report(report, as_json=arguments.json)
    wrong = [name for name in _WRONG if report.figures[name]]
    if wrong:
        raise SystemExit(f"faults: not zero: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
