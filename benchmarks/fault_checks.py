"""What is held against each other after a fault: the files as they were, as they are, the journal, and the plan.

Takes contents of trees and a ledger, gives what is wrong, a line each; nothing is wrong where a list is empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from benchmarks.fault_trees import PlannedUnit, Seen
from deeplens_kit.ledger import Ledger
from deeplens_kit.storage import QUARANTINE_FOLDER

__all__ = ["applied_wrong", "lost", "not_restored", "unfinished", "unlike_journal"]

_TEMPORARY = ".deeplens-"
File = tuple[str, str]
Contents = Mapping[File, Seen]


def lost(start: Contents, now: Contents) -> list[str]:
    """Contents of which there are fewer files than at the start, wherever they lie; links are no files."""
    missing = _files(start) - _files(now)
    return [f"{count} fewer of {digest[:8]}" for digest, count in sorted(missing.items())]


def _files(contents: Contents) -> Counter[str]:
    return Counter(seen.holds for seen in contents.values() if not seen.holds.startswith("->"))


def not_restored(start: Contents, now: Contents) -> list[str]:
    """Files that are not as they were, in content, time and number of names, and those that are too many."""
    left = set(unfinished(now))
    return [
        f"{where}/{path}: {start.get((where, path))} was, {now.get((where, path))} is"
        for where, path in sorted((start.keys() | now.keys()) - left)
        if start.get((where, path)) != now.get((where, path))
    ]


def unfinished(now: Contents) -> list[File]:
    """New files that were being written under a temporary name when all ended; hidden, and no picture of anybody."""
    return [
        (where, path)
        for where, path in now
        if path.rpartition("/")[2].startswith(_TEMPORARY) and not path.startswith(QUARANTINE_FOLDER)
    ]


def unlike_journal(ledger: Ledger, application_id: str, names: Mapping[str, str], now: Contents) -> list[str]:
    """What the ledger says and the storage does not, or the other way round.

    Args:
        ledger: With the journal.
        application_id: The application.
        names: Of the locations by id, as `now` calls them.
        now: What there is.
    """
    wrong = [f"open: step {line.step} {line.operation}" for line in ledger.open_operations(application_id)]
    held = {
        (names[item.location_id], item.quarantine_path): item.digest
        for item in ledger.quarantined(application_id=application_id)
    }
    found = {file: seen.holds for file, seen in now.items() if file[1].startswith(QUARANTINE_FOLDER)}
    found = {file: holds for file, holds in found.items() if not file[1].rpartition("/")[2].startswith(_TEMPORARY)}
    wrong += [f"held and not there: {file}" for file in held if found.get(file) != held[file]]
    wrong += [f"there and not held: {file}" for file in found if file not in held]
    verdict = ledger.verify_audit()
    return wrong if verdict.intact else [*wrong, f"chain: {verdict.reason}"]


def applied_wrong(
    units: Sequence[PlannedUnit], done: Collection[int], start: Contents, now: Contents, keepers: Sequence[File]
) -> list[str]:
    """Whether each unit was done whole or not at all, and nothing else was touched."""
    wrong, touched = [], set()
    for unit in units:
        numbers = {step.step for step in unit.steps}
        files = {*unit.gone, *unit.there}
        touched |= files
        if numbers <= set(done):
            wrong += [
                f"{unit.name}: still there: {file}" for file in unit.gone if file in now and file not in unit.there
            ]
            for file, digest in unit.there.items():
                if file not in now or (digest is not None and now[file].holds != digest):
                    wrong.append(f"{unit.name}: not there: {file}")
        elif numbers & set(done):
            wrong.append(f"{unit.name}: half done")
        else:
            wrong += [f"{unit.name}: not done, and touched: {file}" for file in files if _differ(start, now, file)]
    untouched = [file for file in start if file not in touched]
    wrong += [f"touched: {file}" for file in untouched if _differ(start, now, file) and file not in keepers]
    return wrong + [f"keeper touched: {file}" for file in keepers if _differ(start, now, file)]


def _differ(start: Contents, now: Contents, file: File) -> bool:
    """In content and time; a keeper may have got another name by a hard link."""
    one, other = start.get(file), now.get(file)
    if one is None or other is None:
        return one is not other
    return (one.holds, one.modified) != (other.holds, other.modified)
