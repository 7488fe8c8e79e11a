"""Files appear, change, vanish and get linked while plans on them are applied, killed, resumed, undone and emptied.

Whatever the order: what is known to exist, and was not removed from outside, exists somewhere; and no file is touched
that no step names. With DEEPLENS_MACHINE_EXAMPLES=200 ten thousand steps are tried, else a tenth of them; in CI fewer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from deeplens_kit.actions import (
    Acting,
    ActStep,
    FileAt,
    Unsettled,
    empty_items,
    history_of,
    no_boundary,
    settle_open,
    undo_steps,
)
from deeplens_kit.ledger import Ledger
from deeplens_kit.schemas import ActionKind
from tests.actions.stage import Killed, Stage
from tests.examples import IN_FULL

EXAMPLES = int(os.environ.get("DEEPLENS_MACHINE_EXAMPLES", "20" if IN_FULL else "6"))
STEPS = 50
PATHS = (
    "one/a.jpg",
    "one/A.jpg",
    "one/b.jpg",
    "one/d/c.jpg",
    "one/d/é.jpg",
    "one/d/e\u0301.jpg",
    "two/a.jpg",
    "two/b.jpg",
)
QUARANTINE = ".deeplens-quarantine"
paths = st.sampled_from(PATHS)
contents = st.sampled_from([b"red", b"sea", b"sky"])
actions = st.sampled_from([ActionKind.REMOVE] * 4 + [ActionKind(name) for name in
    ("hardlink", "symlink", "redirect", "move", "rewrite", "create")])  # fmt: skip
wanted = st.tuples(
    st.integers(0, 7),
    st.permutations(PATHS).map(lambda some: list(some[:5])),
    st.sampled_from(["two/new{}.jpg", "two/new{}.jpg", "two/a.jpg"]),
    contents,
)
"""Of a plan: the number of its keeper, its victims as far as they can be, where new files go, and what they hold.

Nothing is drawn that depends on the files: kills in threads leave these one time so, another time so."""
recent = st.integers(0, 2)
moments = st.none() | st.none() | st.integers(0, 25)
Outside = Callable[["ActingMachine"], None]


def write(machine: ActingMachine, path: str, data: bytes, in_place: bool) -> None:
    """A file appears, or changes: its very bytes, or by another file that gets its name."""
    file = machine.file(path)
    file.parent.mkdir(exist_ok=True)
    if not in_place and not file.is_dir():
        file.unlink(missing_ok=True)
    file.write_bytes(data)


def vanish(machine: ActingMachine, path: str) -> None:
    machine.file(path).unlink(missing_ok=True)


def link(machine: ActingMachine, path: str, other: str, hard: bool) -> None:
    old, new = machine.file(path), machine.file(other)
    if not old.is_file() or os.path.lexists(new) or (hard and old.is_symlink()):
        return
    new.parent.mkdir(exist_ok=True)
    if hard:
        new.hardlink_to(old)
    else:
        new.symlink_to(old)


def rename(machine: ActingMachine, path: str, other: str) -> None:
    old, new = machine.file(path), machine.file(other)
    if os.path.lexists(old) and not os.path.lexists(new):
        new.parent.mkdir(exist_ok=True)
        old.rename(new)


def ruin(machine: ActingMachine, path: str, gone: bool) -> None:
    """All files that hold the same vanish, or change; those in quarantine stay."""
    file = machine.file(path)
    held = file.read_bytes() if file.is_file() else None
    for other in map(machine.file, PATHS):
        if other.is_file() and not other.is_symlink() and other.read_bytes() == held:
            other.unlink() if gone else other.write_bytes(b"bad")


outsides: st.SearchStrategy[tuple[Any, ...]] = st.one_of(
    st.tuples(st.just(write), paths, contents, st.booleans()),
    st.tuples(st.just(vanish), paths),
    st.tuples(st.just(link), paths, paths, st.booleans()),
    st.tuples(st.just(rename), paths, paths),
    st.tuples(st.just(ruin), paths, st.booleans()),
    st.tuples(st.just(ruin), paths, st.booleans()),
)


class ActingMachine(RuleBasedStateMachine):
    """What people and DeepLens do to the same files, in any order."""

    steps_done = 0

    def __init__(self, empty_ledger: Path) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else None))
        shutil.copy(empty_ledger, self.folder / "ledger.db")
        self.ledger = Ledger.open(f"sqlite:///{self.folder}/ledger.db")
        self.stage = Stage(self.folder, self.ledger)
        self.expected: set[str] = set()
        self.plans: list[list[ActStep]] = []
        self.applied: list[tuple[str, list[ActStep]]] = []
        self.disturbed: set[str] = set()

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    def file(self, path: str) -> Path:
        name, _, rest = path.partition("/")
        return self.stage.folders[name] / rest

    def outside(self, doing: tuple[Any, ...]) -> None:
        """Something else does it, and what it ended is not expected any more."""
        before, expected = self.stage.contents(), self.expected
        assert expected <= before
        doing[0](self, *doing[1:])
        now = self.stage.contents()
        self.expected = (expected & now) | (now - before)
        self.disturbed |= {word for word in doing[1:] if isinstance(word, str)}

    def act(
        self, steps: list[ActStep], what: Callable[[Callable[[str], None]], object], kill: int | None, other: Any
    ) -> None:
        """Do something of ours, killed at a moment or disturbed at one; then look at everything."""
        before, self.disturbed, left = self.states(), set(), [kill]

        def boundary(_name: str) -> None:
            if left[0] is None:
                return
            left[0] -= 1
            if left[0] == -1 and other is not None:
                self.outside(other)
            elif left[0] < 0 and other is None:
                raise Killed

        with contextlib.suppress(Killed, Unsettled):
            what(no_boundary if kill is None else boundary)
        assert self.expected <= self.stage.contents(), "a picture is lost"
        named = {f"{self.name_of(file)}/{file.path}" for step in steps for file in (step.victim, step.target) if file}
        named |= self.disturbed
        now = self.states()
        for path in before.keys() | now.keys():
            # A file outside that is another name of one that was disturbed changed with it.
            if path not in named and QUARANTINE not in path and not self.disturbed:
                assert before.get(path) == now.get(path), f"{path} was touched"
        assert self.ledger.verify_audit().intact

    def states(self) -> dict[str, tuple[str, int]]:
        return self.stage.tree()

    def name_of(self, file: FileAt) -> str:
        return next(name for name, location_id in self.stage.ids.items() if location_id == file.location_id)

    @initialize()
    def some_copies(self) -> None:
        for number, path in enumerate(PATHS):
            if number % 3:
                write(self, path, [b"red", b"sea"][number % 2], in_place=False)
        self.expected = self.stage.contents()

    @rule(doing=outsides)
    def something_else_happens(self, doing: tuple[Any, ...]) -> None:
        self.outside(doing)

    @rule(action=actions, wanted=wanted, pair=st.booleans(), blind=st.sampled_from([False, False, True]))
    def a_plan_is_made(self, action: ActionKind, wanted: tuple[Any, ...], pair: bool, blind: bool) -> None:
        if steps := self._planned(action, *wanted, pair=pair, blind=blind):
            self.plans.append(steps)

    def _planned(
        self, action: ActionKind, at: int, victims: list[str], target: str, data: bytes, *, pair: bool, blind: bool
    ) -> list[ActStep]:
        """Of copies; or, blindly, of whatever there is."""
        there = [path for path in PATHS if self.file(path).is_file() and not self.file(path).is_symlink()]
        if not there:
            return []
        keeper = there[at % len(there)]
        held = self.file(keeper).read_bytes()
        steps: list[ActStep] = []
        for path in victims:
            if path not in there or not (blind or (path != keeper and self.file(path).read_bytes() == held)):
                continue
            number = len(steps)
            more: dict[str, Any] = {"together": "pair"} if pair else {}
            if action in (ActionKind.MOVE, ActionKind.CREATE):
                more["target"] = self.stage.at(target.format(number))
            plain = action in (ActionKind.MOVE, ActionKind.CREATE, ActionKind.REWRITE)
            kept = None if plain else self.stage.at(keeper)
            steps.append(self.stage.step(number, self.stage.at(path), kept, action=action, **more))
            self.stage.content[number] = data
        return steps

    @rule(late=st.booleans(), kill=moments, other=st.none() | outsides)
    def a_plan_is_applied(self, late: bool, kill: int | None, other: Any) -> None:
        if self.plans:
            self._apply(self.plans.pop(0 if late else -1), kill, other)

    @rule(action=actions, wanted=wanted)
    def a_plan_is_made_and_applied(self, action: ActionKind, wanted: tuple[Any, ...]) -> None:
        if steps := self._planned(action, *wanted, pair=False, blind=False):
            self._apply(steps, None, None)

    def _apply(self, steps: list[ActStep], kill: int | None, other: Any) -> None:
        self.stage.begin()
        self.applied.append((self.stage.application_id, steps))
        self.act(steps, lambda boundary: Acting(self.stage.ground(boundary)).run(steps), kill, other)

    @rule(which=recent, kill=moments, other=st.none() | outsides)
    def it_is_resumed(self, which: int, kill: int | None, other: Any) -> None:
        steps = self._some(which)
        self.act(steps, lambda boundary: self.stage.resume(steps, boundary), kill, other)

    @rule(which=recent, number=st.none() | st.integers(0, 2), kill=moments, other=st.none() | outsides)
    def it_is_undone_or_a_file_restored(self, which: int, number: int | None, kill: int | None, other: Any) -> None:
        steps = self._some(which)

        def restore(boundary: Callable[[str], None]) -> None:
            ground = self.stage.ground(boundary)
            settle_open(ground)
            histories = history_of(self.ledger.journal(ground.application_id))
            undo_steps(ground, {step: history for step, history in histories.items() if number in (None, step)})

        self.act(steps, restore, kill, other)

    @rule(which=recent, kill=moments, other=st.none() | outsides)
    def its_quarantine_is_emptied(self, which: int, kill: int | None, other: Any) -> None:
        holding = {item.application_id for item in self.ledger.quarantined()}
        held = [application_id for application_id, _ in self.applied if application_id in holding]
        if not held:
            return
        self.stage.application_id = held[-1 - which % len(held)]

        def empty(boundary: Callable[[str], None]) -> None:
            ground = self.stage.ground(boundary)
            settle_open(ground)
            # The old content of a text that was rewritten has no keeper: that it ends is what was planned.
            items = [
                item
                for item in self.ledger.quarantined(application_id=ground.application_id)
                if not item.kept.get("rewritten")
            ]
            for _ in empty_items(lambda _id: ground, items, lambda _file, _digest: None):
                pass

        self.act([], empty, kill, other)

    def _some(self, which: int) -> list[ActStep]:
        """One of the latest applications; where there is none yet, one of nothing."""
        if not self.applied:
            self.stage.begin()
            self.applied.append((self.stage.application_id, []))
        self.stage.application_id, steps = self.applied[-1 - which % len(self.applied)]
        return steps

    def check_invariants(self, *arguments: Any, **named: Any) -> None:
        """Counts the steps too."""
        ActingMachine.steps_done += 1
        super().check_invariants(*arguments, **named)


@pytest.mark.timeout(3600)
def test_no_picture_is_lost_and_nothing_else_is_touched(empty_ledger: Path) -> None:
    machine = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    before = ActingMachine.steps_done
    run_state_machine_as_test(lambda: ActingMachine(empty_ledger), settings=machine)
    done = ActingMachine.steps_done - before
    print(f"{done} steps")
    assert done >= EXAMPLES * STEPS * 0.7
