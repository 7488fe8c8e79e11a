"""When each location is looked at again: by the clock, sooner after a change, later after a failure.

Takes names, changes and what came of a look, all with the time on a clock of the caller's; gives the names that are
due. Must not wait, and must not know what a look is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Rounds"]

SETTLE_SECONDS = 1.0
"""A change is looked at when no other has followed for so long: whoever copies a folder is at it for a while."""

LONGEST_SETTLE_SECONDS = 10.0
"""But so long after the first change at the latest: a file that is written to all the time must not hide the others."""

FIRST_RETRY_SECONDS = 30.0
"""After a failure; doubled with each that follows, up to the interval."""


@dataclass(slots=True)
class _Place:
    """One location: when it is due by the clock, before when it rests, and the changes not looked at yet."""

    due: float
    rests_until: float
    first_change: float | None = None
    last_change: float = 0.0
    failures: int = 0


class Rounds:
    """The times of the locations; the first look at each is due at once.

    Args:
        interval_seconds: From the end of a look to the next one.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds
        self._places: dict[str, _Place] = {}

    def keep(self, names: Iterable[str], now: float) -> None:
        """Take up names that are new, and forget those that are not among them."""
        self._places = {name: self._places.get(name) or _Place(now, now) for name in dict.fromkeys(names)}

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are kept, in the order in which they were given."""
        return tuple(self._places)

    def changed(self, name: str, now: float) -> None:
        """Note that something changed; a name that is not kept is passed over."""
        place = self._places.get(name)
        if place is None:
            return
        place.first_change = now if place.first_change is None else place.first_change
        place.last_change = now

    def due(self, now: float) -> tuple[str, ...]:
        """The names that are due, in the order in which they were given."""
        return tuple(name for name, place in self._places.items() if _time_of(place) <= now)

    def seconds_left(self, now: float) -> float | None:
        """Until the next name is due, 0 where one is; None where there is no name."""
        times = [_time_of(place) for place in self._places.values()]
        return max(0.0, min(times) - now) if times else None

    def begun(self, name: str) -> None:
        """A look begins: it sees every change so far."""
        self._places[name].first_change = None

    def done(self, name: str, now: float, *, took_seconds: float) -> None:
        """A look went well; a location rests for as long as it took, so that one that changes all the time leaves half
        of it to others.
        """
        self._places[name] = _after(self._places[name], now + self._interval, now + took_seconds, 0)

    def failed(self, name: str, now: float) -> float:
        """A look failed; no change makes the next one come sooner.

        Returns:
            Seconds until it is tried again.
        """
        place = self._places[name]
        # The exponent is bounded: a location may be away for a year.
        wait = min(self._interval, FIRST_RETRY_SECONDS * 2.0 ** min(place.failures, 20))
        self._places[name] = _after(place, now + wait, now + wait, place.failures + 1)
        return wait


def _after(place: _Place, due: float, rests_until: float, failures: int) -> _Place:
    return _Place(due, rests_until, place.first_change, place.last_change, failures)


def _time_of(place: _Place) -> float:
    if place.first_change is None:
        return place.due
    settled = min(place.last_change + SETTLE_SECONDS, place.first_change + LONGEST_SETTLE_SECONDS)
    return min(place.due, max(place.rests_until, settled))
