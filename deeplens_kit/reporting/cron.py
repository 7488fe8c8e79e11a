"""When something recurs, as cron says it, and the same for systemd and Kubernetes.

Takes a cron expression of five fields, gives its times checked and in the words of other schedulers; must not run or
install anything. Cron's own rule for days holds throughout: where both the day of the month and the weekday are
limited, either is enough, unless one of the two fields begins with a star (cron.c of Vixie's cron; crontab(5)).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from deeplens_kit.errors import ExtraMissingError, SettingsError

__all__ = ["CronTimes", "last_run", "next_runs", "parse_cron"]

_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTHS = {name: at for at, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)}
_WEEKDAYS = {name: at for at, name in enumerate("sun mon tue wed thu fri sat".split())}
# How far back the last time may lie: few times lie within the first span that holds one. A 29th of February can be
# eight years away, and one on a given weekday forty.
_LOOKS_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 32, 366, 3000, 18300))
_SPOKEN_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of an expression: its name, its least and greatest value, and the words for values."""

    name: str
    least: int
    greatest: int
    words: Mapping[str, int]

    @property
    def allowed(self) -> str:
        words = f" or {next(iter(self.words))}..{list(self.words)[-1]}" if self.words else ""
        return f"numbers {self.least}..{self.greatest}{words}, ranges such as 1-5, steps such as */2, lists, or *"


_MINUTE, _HOUR, _DAY = _Field("minute", 0, 59, {}), _Field("hour", 0, 23, {}), _Field("day of the month", 1, 31, {})
_MONTH, _WEEKDAY = _Field("month", 1, 12, _MONTHS), _Field("weekday", 0, 7, _WEEKDAYS)
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)


@dataclass(frozen=True, slots=True)
class CronTimes:
    """The times of an expression.

    Attributes:
        text: Five fields as every cron reads them: numbers for names, and whole ranges.
        minutes: Of 0..59.
        hours: Of 0..23.
        days: Of the month, 1..31.
        months: Of 1..12.
        weekdays: Of 0..6, 0 for Sunday.
        both_days: Day and weekday must both fit; else either is enough.
    """

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    both_days: bool

    @property
    def on_calendar(self) -> tuple[str, ...]:
        """The same for `OnCalendar=` of systemd: one line, or two where either of two days is enough."""
        every_day, every_weekday = len(self.days) == 31, len(self.weekdays) == 7
        days, weekdays = _padded(self.days, every_day), ",".join(_SPOKEN_DAYS[day] for day in self.weekdays)
        named = f"{weekdays} " if not every_weekday else ""
        date = f"*-{_padded(self.months, len(self.months) == 12)}"
        time = f"{_padded(self.hours, len(self.hours) == 24)}:{_padded(self.minutes, len(self.minutes) == 60)}:00"
        if self.both_days:
            return (f"{named}{date}-{days} {time}",)
        if every_day or every_weekday:
            return (f"{date}-* {time}",)
        return (f"{date}-{days} {time}", f"{named}{date}-* {time}")

    @property
    def kubernetes(self) -> str:
        """The same for `schedule:` of a CronJob.

        Raises:
            SettingsError: Day and weekday must both fit, which Kubernetes has no words for: there a star with a step
                does not make both count.
        """
        days, weekdays = _listed(self.days, 31), _listed(self.weekdays, 7)
        if days != "*" and weekdays != "*":
            if self.both_days:
                raise SettingsError(
                    f"Kubernetes cannot say {self.text!r}, where the day of the month and the weekday must both fit; "
                    "limit one of them only, or use crontab or systemd."
                )
        elif not self.both_days:
            days = weekdays = "*"
        return " ".join((_listed(self.minutes, 60), _listed(self.hours, 24), days, _listed(self.months, 12), weekdays))


def parse_cron(expression: str) -> CronTimes:
    """The times of a cron expression.

    Args:
        expression: Five fields, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually.

    Raises:
        SettingsError: It is none, or its time never comes.
        ExtraMissingError: cronsim is not installed.
    """
    words = expression.split()
    if len(words) == 1 and words[0].startswith("@"):
        if words[0].lower() not in _MACROS:
            raise SettingsError(f"Cron expression {expression!r} is none of {', '.join(_MACROS)}.")
        words = _MACROS[words[0].lower()].split()
    if len(words) != len(_FIELDS):
        raise SettingsError(
            f"Cron expression {expression!r} has {len(words)} fields; it must have five: minute, hour, day of the "
            "month, month, weekday, for example '0 6 * * 1' for Mondays at six."
        )
    fields = [_parsed(word, field, expression) for word, field in zip(words, _FIELDS, strict=True)]
    texts, (minutes, hours, days, months, weekdays) = [text for text, _ in fields], [values for _, values in fields]
    times = CronTimes(
        text=" ".join(texts),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=tuple(sorted(days)),
        months=tuple(sorted(months)),
        weekdays=tuple(sorted({day % 7 for day in weekdays})),
        both_days=texts[2].startswith("*") or texts[4].startswith("*"),
    )
    if not list(islice(_runs(times, datetime(2000, 1, 1)), 1)):
        raise SettingsError(f"Cron expression {expression!r} never comes: none of these months has such a day.")
    return times


def next_runs(times: CronTimes, after: datetime, count: int) -> list[datetime]:
    """The next times at which it is due.

    Args:
        times: When.
        after: Exclusive; its zone is that of the times.
        count: How many.
    """
    # In the hour that comes twice, the library begins with what was due in its first pass.
    later = (run for run in _runs(times, after) if run.astimezone(UTC) > after.astimezone(UTC))
    return list(islice(later, count))


def last_run(times: CronTimes, until: datetime) -> datetime | None:
    """The last time at which it was due; None where that is more than fifty years ago.

    Args:
        times: When.
        until: Inclusive; its zone is that of the times.
    """
    end = until.astimezone(UTC)
    for span in _LOOKS_BACK:
        found = None
        # Forwards, as all else: the two directions need not agree on a day that is an hour shorter or longer.
        for run in _runs(times, (end - span).astimezone(until.tzinfo)):
            if run.astimezone(UTC) > end:
                break
            found = run
        if found is not None:
            return found
    return None


def _runs(times: CronTimes, after: datetime) -> Iterator[datetime]:
    try:
        from cronsim import CronSim, CronSimError
    except ModuleNotFoundError as error:
        raise ExtraMissingError("A schedule", "workbench") from error
    try:
        # Ends by itself where nothing comes within fifty years.
        yield from CronSim(times.text, after)
    except CronSimError:
        return


def _parsed(word: str, field: _Field, expression: str) -> tuple[str, set[int]]:
    """A field as every cron reads it, and its values."""
    texts, values = [], set()
    for term in word.split(","):
        text, found = _term(term, field, expression)
        texts.append(text)
        values |= found
    return ",".join(texts), values


def _term(term: str, field: _Field, expression: str) -> tuple[str, set[int]]:
    def refused(why: str) -> SettingsError:
        return SettingsError(
            f"Cron expression {expression!r}: {field.name} {term!r} {why}; allowed are {field.allowed}."
        )

    base, slash, step_text = term.partition("/")
    if slash and not (step_text.isascii() and step_text.isdigit() and int(step_text) > 0):
        raise refused("has a step that is no number above 0")
    step = int(step_text) if slash else 1
    first, dash, last = base.partition("-")
    if base == "*":
        start, end = field.least, field.greatest
    else:
        limits = [_value(word, field) for word in ((first, last) if dash else (first,))]
        numbers = [value for value in limits if value is not None]
        if len(numbers) != len(limits):
            raise refused("is not understood")
        # As every cron but the oldest: "5/15" goes on to the greatest value.
        start, end = numbers[0], numbers[-1] if dash or not slash else field.greatest
        if start > end:
            raise refused("is a range that goes backwards")
    values = set(range(start, end + 1, step))
    # Sunday is 0 and 7: a star means each day once.
    if base == "*" and field is _WEEKDAY:
        values = {value for value in values if value < 7}
    text = base if base == "*" else str(start) if start == end and not dash and not slash else f"{start}-{end}"
    return text + (f"/{step}" if slash else ""), values


def _value(word: str, field: _Field) -> int | None:
    if word.lower() in field.words:
        return field.words[word.lower()]
    number = int(word) if word.isascii() and word.isdigit() else -1
    return number if field.least <= number <= field.greatest else None


def _padded(values: tuple[int, ...], every: bool) -> str:
    return "*" if every else ",".join(f"{value:02d}" for value in values)


def _listed(values: tuple[int, ...], in_all: int) -> str:
    return "*" if len(values) == in_all else ",".join(map(str, values))
