"""What a watch says while it goes on: lines for people, or one JSON object a line for programs.

Takes what the pipeline tells, gives lines; must not write them or decide anything. Paths are written as in every other
answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from deeplens_kit.cli.tables import place, shown
from deeplens_kit.reporting.words import format_bytes, format_seconds, plural, relation_words, tier_words

if TYPE_CHECKING:
    from deeplens_kit.pipeline.new_duplicates import NewDuplicate
    from deeplens_kit.pipeline.notify import Delivery
    from deeplens_kit.pipeline.watching import WatchEvent, WatchProblem, WatchRound, WatchStarted

__all__ = ["json_lines", "stopped_json", "text_lines"]

_MOST_SHOWN = 20
_COUNTED = ("new", "changed", "gone", "read_files", "failures", "left")


def text_lines(event: WatchEvent, at: datetime) -> Iterator[str]:
    """Lines for people; a round in which nothing happened has none."""
    from deeplens_kit.pipeline.watching import WatchRound, WatchStarted

    if isinstance(event, WatchStarted):
        yield from _started(event)
    elif isinstance(event, WatchRound):
        yield from _round(event, f"{at.astimezone():%H:%M:%S}")
    else:
        yield _delivery(event, f"{at.astimezone():%H:%M:%S}")


def json_lines(event: WatchEvent, at: datetime) -> Iterator[str]:
    """One JSON object a line, each with `event` and `at`; a line for every round."""
    from deeplens_kit.pipeline.watching import WatchRound, WatchStarted

    if isinstance(event, WatchStarted):
        yield _json("started", at, asdict(event) | {"not_followed": dict(event.not_followed)})
    elif isinstance(event, WatchRound):
        yield from (_json("problem", at, _problem_values(problem)) for problem in event.problems)
        yield from (_json("duplicate", at, _duplicate_values(item)) for item in event.found.listed)
        yield _json("round", at, _round_values(event))
    else:
        yield _json("notice", at, {**asdict(event), "sent": not event.reason})


def stopped_json(at: datetime) -> str:
    """The last line of a watch that was ended."""
    return _json("stopped", at, {})


def _started(event: WatchStarted) -> Iterator[str]:
    names = ", ".join(map(shown, event.locations)) or "no location yet"
    yield f"Watching {names} every {format_seconds(event.interval_seconds)}. Ctrl-C ends it."
    if event.followed:
        yield f"Changes are seen as they happen: {', '.join(map(shown, event.followed))}."
    for name, reason in event.not_followed:
        yield f"Changes are not seen as they happen: {shown(name)}: {shown(reason)}."


def _round(event: WatchRound, at: str) -> Iterator[str]:
    for report in event.reports:
        told = [f"{count:,} {word}" for word in ("new", "changed", "gone") if (count := getattr(report, word))]
        if told or report.read_files or report.left or event.number == 1:
            more = f"{plural(report.read_files, 'file')} read"
            failed = f", {report.failures:,} could not be analysed" if report.failures else ""
            left = f", {report.left:,} left for the next round" if report.left else ""
            yield f"{at} {shown(report.location)}: {', '.join([*told, more])}{failed}{left}"
    for problem in event.problems:
        yield f"{at} {_problem(problem)}"
    found = event.found
    for item in found.listed[:_MOST_SHOWN]:
        yield f"  {_duplicate(item)}"
    if (more_copies := found.duplicates - _MOST_SHOWN) > 0:
        yield f"  ... and {more_copies:,} more; `deeplens duplicates` lists all groups."
    if found.duplicates:
        what = plural(found.duplicates, "new picture is a copy", "new pictures are copies")
        yield f"{at} {what} of known ones: {format_bytes(found.saved_bytes)} could be freed."
    if found.among_new:
        yield f"{at} {plural(found.among_new, 'new picture is', 'new pictures are')} copies of one another."


def _duplicate(item: NewDuplicate) -> str:
    how = tier_words(item.tier)
    if item.relation != "whole":
        how += f", {relation_words(item.relation, 'the known one')}"
    others = f", and {item.matches - 1:,} more" if item.matches > 1 else ""
    known = place(item.known_location, item.known_path)
    return f"{place(item.location, item.path)} repeats {known}{others} ({how}; {_goes(item)})"


def _goes(item: NewDuplicate) -> str:
    freed = format_bytes(item.saved_bytes)
    return {"known": f"the new one could go, {freed}", "new": f"the known one could go, {freed}"}.get(
        item.stays, "both stay"
    )


def _problem(problem: WatchProblem) -> str:
    what = f"{shown(problem.location)}: " if problem.location else ""
    again = "" if problem.retry_seconds is None else f" Tried again in {format_seconds(problem.retry_seconds)}."
    return f"{what}{problem.message.rstrip('.')}.{again}"


def _delivery(event: Delivery, at: str) -> str:
    what = plural(event.duplicates, "copy", "copies")
    if not event.reason:
        more = f" But {shown(event.warning)}." if event.warning else ""
        return f"{at} Told {event.target} of {what}.{more}"
    again = (
        "it is kept, and the next `deeplens watch` with this address tries again"
        if event.retry_seconds is None
        else f"tried again in {format_seconds(event.retry_seconds)}"
    )
    return f"{at} Could not tell {event.target} of {what}: {shown(event.reason)}; {again}."


def _round_values(event: WatchRound) -> dict[str, object]:
    found = event.found
    return {
        "number": event.number,
        "locations": [
            {"location": shown(item.location), **{name: getattr(item, name) for name in _COUNTED}}
            for item in event.reports
        ],
        "problems": len(event.problems),
        "new_files": found.new_files,
        "duplicates": found.duplicates,
        "by_tier": dict(found.by_tier),
        "saved_bytes": found.saved_bytes,
        "among_new": found.among_new,
        "pairs": asdict(event.match) if event.match is not None else None,
        "seconds": round(event.seconds, 3),
    }


def _problem_values(problem: WatchProblem) -> dict[str, object]:
    return {
        "location": shown(problem.location) or None,
        "code": problem.code,
        "message": problem.message,
        "retry_seconds": problem.retry_seconds,
    }


def _duplicate_values(item: NewDuplicate) -> dict[str, object]:
    values = asdict(item)
    names = ("location", "path", "known_location", "known_path")
    return values | {name: shown(values[name]) for name in names} | {"score": round(item.score, 6)}


def _json(event: str, at: datetime, values: dict[str, object]) -> str:
    return json.dumps({"event": event, "at": at.isoformat(timespec="seconds"), **values}, ensure_ascii=False)
