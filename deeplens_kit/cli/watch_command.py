"""`deeplens watch`: index what is new as it comes, and say which of it is known already.

Takes locations and whom to tell, says what comes of each round until it is stopped; must not act on a picture.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.durations import given_seconds
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import print_lines
from deeplens_kit.cli.throttle_options import IoLimit, MemoryLimit, Nice, throttle_of
from deeplens_kit.cli.watch_lines import json_lines, stopped_json, text_lines
from deeplens_kit.errors import DeepLensError, ExtraMissingError, Interrupted
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    from deeplens_kit.pipeline.folder_events import ChangeSource
    from deeplens_kit.pipeline.watching import WatchEvent

__all__ = ["watch"]


def watch(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="LOCATION", help="Locations; all of them by default.")
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="From one look at a location to the next: 90s, 15m, 2h. By default 15m."),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End after one round.")] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Tell of new copies: smtp://USER:${NAME}@HOST/?to=ADDRESS&from=ADDRESS or https://HOST/PATH; may come "
            "again. Instead of those of the settings.",
        ),
    ] = None,
    notify_after: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Gather new copies for so long in one message; 0s: one a round."),
    ] = None,
    events: Annotated[
        bool | None,
        typer.Option("--events/--no-events", help="See changes in local folders as they happen, or by the clock only."),
    ] = None,
    nice: Nice = None,
    memory_limit: MemoryLimit = None,
    io_limit: IoLimit = None,
    lines: Annotated[bool, typer.Option("--json-lines", help="Print one JSON object a line as it happens.")] = False,
) -> None:
    """Index what is new or changed as it comes, and say which new pictures are copies of known ones. Ctrl-C ends it."""
    interval = given_seconds("--every", every, least_seconds=1)
    batch = given_seconds("--notify-after", notify_after, least_seconds=0)
    throttle = throttle_of(nice, memory_limit, io_limit)
    problems: list[Exception] = []

    def tell(event: WatchEvent) -> None:
        at = datetime.now(UTC)
        _print(list(json_lines(event, at) if lines else text_lines(event, at)))
        if once:
            problems.extend(problem.error for problem in getattr(event, "problems", ()))

    with opened(context) as workspace, stop_on_signals() as stop:
        from deeplens_kit import pipeline

        settings = workspace.settings.watch
        notifier = pipeline.Notifier(
            notify if notify else settings.notify,
            ledger=workspace.ledger,
            workspace=workspace.directory.name,
            batch_seconds=settings.batch_seconds if batch is None else batch,
            stop=stop,
        )
        changes = _changes(workspace.own_paths(), events, wanted=not once)
        try:
            pipeline.watch(
                workspace,
                names,
                tell=tell,
                stop=stop,
                once=once,
                interval_seconds=interval,
                changes=changes,
                notifier=notifier,
                throttle=throttle,
            )
        finally:
            changes.close()
        interrupted = once and stop.is_set()
    if interrupted:
        raise Interrupted("Stopped; what was read is kept. Run it again to go on.")
    if not once:
        _print([stopped_json(datetime.now(UTC)) if lines else "Stopped."])
    if problems:
        raise problems[0]
    if once and notifier.waiting:
        raise DeepLensError(
            f"{plural(notifier.waiting, 'message')} could not be delivered; the next `deeplens watch` with the same "
            "addresses tries again."
        )


def _changes(own_paths: Sequence[Path], events: bool | None, *, wanted: bool) -> ChangeSource:
    from deeplens_kit.pipeline.folder_events import FolderEvents, NoEvents

    if events is False or not wanted:
        return NoEvents()
    try:
        return FolderEvents(own_paths)
    except ExtraMissingError as error:
        if events:
            raise
        typer.echo(f"{error} Until then locations are looked at by the clock only.", err=True)
        return NoEvents()


def _print(lines: Sequence[str]) -> None:
    """At once: whoever reads waits for it."""
    print_lines(lines)
    sys.stdout.flush()
