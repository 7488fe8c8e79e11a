"""One step, or steps that are done all or none: checked, carried out, and taken back where the rest cannot be done.

Takes steps with what the journal says of them already, gives what became of each; the journal is written before and
after each act.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from deeplens_kit.actions.act_values import ActStep, Doubt, Outcome, SkipCode, StepResult
from deeplens_kit.actions.carrying import STORAGE_ERRORS, Carried, carry_out, take_back
from deeplens_kit.actions.checks import Checked, check_step
from deeplens_kit.actions.ground import Act, Ended, Ground
from deeplens_kit.actions.history import CHECK, NOTHING_LEFT, RECIPES, StepHistory
from deeplens_kit.actions.operations.base import failed, skipped
from deeplens_kit.actions.recipes import act_of
from deeplens_kit.errors import StoreFullError
from deeplens_kit.ledger.act_values import JournalPhase
from deeplens_kit.telemetry import redact

__all__ = ["StorageFull", "do_together", "try_together"]

_OUTCOMES = {JournalPhase.SKIPPED: Outcome.SKIPPED, JournalPhase.FAILED: Outcome.FAILED}


class StorageFull(Exception):
    """A storage has no space left: all stops.

    Args:
        cause: What it said.
        results: What became of the steps all the same.
    """

    def __init__(self, cause: StoreFullError, results: Sequence[StepResult]) -> None:
        self.cause, self.results = cause, results
        super().__init__(str(cause))


def try_together(ground: Ground, steps: Sequence[ActStep], acted_on: Collection[str]) -> list[StepResult]:
    """Look whether steps that are done all or none could be done now; changes nothing and writes nothing."""
    results = [_tried(ground, step, acted_on) for step in steps]
    for at, result in zip(steps, results, strict=True):
        if result.outcome is not Outcome.POSSIBLE:
            return [
                other if other.outcome is not Outcome.POSSIBLE else _result(step, _together(at))
                for step, other in zip(steps, results, strict=True)
            ]
    return results


def _tried(ground: Ground, step: ActStep, acted_on: Collection[str]) -> StepResult:
    checked = _checked(ground, step, acted_on)
    if isinstance(checked, Ended):
        return _result(step, checked)
    return StepResult(step.step, Outcome.POSSIBLE, frees_bytes=step.frees_bytes, read_bytes=checked.read_bytes)


def do_together(
    ground: Ground, steps: Sequence[ActStep], histories: Mapping[int, StepHistory], acted_on: Collection[str]
) -> list[StepResult]:
    """Do steps all or none; one alone is all.

    Args:
        ground: What they stand on.
        steps: In the order of acting; those that are done already are left as they are.
        histories: What the journal says of them.
        acted_on: `names_of` the files that the plan acts on.

    Raises:
        JournalUnwritable: Nothing more may happen.
        Unsettled: An operation stays open.
        StorageFull: A storage has no space left.
    """
    done: list[tuple[ActStep, list[Act]]] = []
    results: list[StepResult] = []
    if len(steps) > 1 and (doubtful := _doubtful(ground, steps, histories, acted_on)) is not None:
        at, why = doubtful
        left = _take_back_all(ground, [(step, histories[step.step].done) for step in steps if step.step in histories])
        return [_told(ground, step, why if step is at else left.get(step.step, _together(at))) for step in steps]
    for step in steps:
        history = histories.get(step.step)
        if history is not None and history.is_finished(step.action):
            done.append((step, history.done))
            results.append(_result_of(step, history))
            continue
        result, acts, full = _do(ground, step, history, acted_on)
        results.append(result)
        if result.outcome is Outcome.DONE:
            done.append((step, acts))
            continue
        if done:
            results = _all_back(ground, steps, step, result, done)
        elif len(steps) > 1:
            rest = [other for other in steps if other is not step]
            results = [result, *(_told(ground, other, _together(step)) for other in rest)]
        if full is not None:
            raise StorageFull(full, results)
        break
    return results


def _doubtful(
    ground: Ground, steps: Sequence[ActStep], histories: Mapping[int, StepHistory], acted_on: Collection[str]
) -> tuple[ActStep, Ended] | None:
    """The first of several steps that cannot be done; looked at before any of them acts."""
    for step in steps:
        if step.step in histories and histories[step.step].done:
            continue  # its file is not where a check would look
        checked = _checked(ground, step, acted_on)
        if isinstance(checked, Ended):
            return step, checked
    return None


def _do(
    ground: Ground, step: ActStep, history: StepHistory | None, acted_on: Collection[str]
) -> tuple[StepResult, list[Act], StoreFullError | None]:
    """Do one step; what of it was done before a crash is taken back first, and it begins anew."""
    if history is not None and history.amiss is not None:
        return _result_of(step, history), [], None
    if history is not None and history.done:
        hindrance = _hindrance(take_back(ground, history.done))
        if hindrance is not None:
            ended = failed(hindrance.ended.code, f"What was done of it cannot be taken back: {hindrance.ended.message}")
            return _told(ground, step, ended), [], None
    checked = _checked(ground, step, acted_on)
    if isinstance(checked, Ended):
        return _told(ground, step, checked), [], None
    acts: list[Act] = []
    for name in RECIPES[step.action]:
        try:
            act = act_of(ground, step, checked, name, acts)
        except Doubt as doubt:
            ended = skipped(doubt.code, doubt.message)
        except STORAGE_ERRORS as error:
            ended = failed(error.code, redact(str(error)))
        else:
            carried = carry_out(ground, act)
            if carried.done:
                acts.append(carried.act)
                continue
            ended = carried.ended
            _take_back_all(ground, [(step, acts)])
            result = _result(step, ended, checked)
            if acts:
                _told(ground, step, ended)
            return result, [], carried.full
        _take_back_all(ground, [(step, acts)])
        return _told(ground, step, ended), [], None
    return (
        StepResult(step.step, Outcome.DONE, frees_bytes=step.frees_bytes, read_bytes=checked.read_bytes),
        acts,
        None,
    )


def _checked(ground: Ground, step: ActStep, acted_on: Collection[str]) -> Checked | Ended:
    try:
        return check_step(ground, step, acted_on)
    except Doubt as doubt:
        return skipped(doubt.code, doubt.message)
    except STORAGE_ERRORS as error:
        return failed(error.code, redact(str(error)))


def _all_back(
    ground: Ground,
    steps: Sequence[ActStep],
    at: ActStep,
    why: StepResult,
    done: Sequence[tuple[ActStep, Sequence[Act]]],
) -> list[StepResult]:
    """Take back the steps that were done of those that are done all or none."""
    left = _take_back_all(ground, list(reversed(done)))
    results = []
    for step in steps:
        if step is at:
            results.append(why)
        elif step.step in left:
            results.append(_told(ground, step, left[step.step]))
        else:
            results.append(_told(ground, step, _together(at)))
    return results


def _take_back_all(ground: Ground, done: Sequence[tuple[ActStep, Sequence[Act]]]) -> dict[int, Ended]:
    """Take steps back; those that could not be, with the reason."""
    left = {}
    for step, acts in done:
        if (hindrance := _hindrance(take_back(ground, acts))) is not None:
            left[step.step] = failed(hindrance.ended.code, f"It cannot be taken back: {hindrance.ended.message}")
    return left


def _hindrance(came: Sequence[Carried]) -> Carried | None:
    """The taking back that could not be done."""
    for carried in came:
        if carried.ended.phase is not JournalPhase.DONE and carried.ended.code not in NOTHING_LEFT:
            return carried
    return None


def _together(other: ActStep) -> Ended:
    return skipped(SkipCode.TOGETHER, f"It is done together with step {other.step}, which cannot be done.")


def _told(ground: Ground, step: ActStep, ended: Ended) -> StepResult:
    """Write why a step did not act."""
    ground.end(Act(step.step, CHECK, {}), ended)
    return _result(step, ended)


def _result(step: ActStep, ended: Ended, checked: Checked | None = None) -> StepResult:
    outcome = _OUTCOMES.get(ended.phase, Outcome.FAILED)
    read = 0 if checked is None else checked.read_bytes
    return StepResult(step.step, outcome, ended.code, ended.message, read_bytes=read)


def _result_of(step: ActStep, history: StepHistory) -> StepResult:
    """What the journal says of a step that was done before."""
    if history.amiss is not None:
        return StepResult(step.step, Outcome.FAILED, history.amiss.code, history.amiss.message)
    return StepResult(step.step, Outcome.DONE, frees_bytes=step.frees_bytes)
