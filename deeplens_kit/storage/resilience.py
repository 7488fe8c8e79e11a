"""Trying again what can pass, and leaving a location that is dead.

Takes a function and what its errors mean, gives its result; must not know any kind of storage. Waits grow
exponentially with jitter (after "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), by tenacity.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from deeplens_kit.errors import (
    DeepLensError,
    LocationUnavailableError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectForbiddenError,
    ObjectGoneError,
    ObjectUnreadableError,
)
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["Attempts", "Fault", "FaultKind", "KnownFault", "PassingFault"]

_log = get_logger(__name__)
_Result = TypeVar("_Result")

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 20.0
_FAILURES_IN_A_ROW = 5
"""So many calls that failed in spite of their retries, one after the other, open the breaker: the location is left."""


class FaultKind(StrEnum):
    """What an error of a storage's library means to us."""

    PASSING = "passing"  # may go well in a moment
    FORBIDDEN = "forbidden"
    GONE = "gone"
    CHANGED = "changed"  # another state than the one that was asked for
    EXISTS = "exists"
    CREDENTIALS = "credentials"  # not accepted: they may have been changed, and are resolved anew once
    LOCATION = "location"  # the location as a whole cannot be used: credentials, bucket, share
    BROKEN = "broken"  # this object, and for good


@dataclass(frozen=True, slots=True)
class Fault:
    """An error, translated.

    Attributes:
        kind: What it means.
        reason: In a few words, without secrets, as the end of a sentence: "timed out".
    """

    kind: FaultKind
    reason: str


class PassingFault(Exception):
    """Raised by our own code where a library gives no error: a short body, for example."""


class KnownFault(Exception):
    """Raised by our own code that knows at once what it means, where a library would give no error.

    Args:
        kind: What it means.
        reason: As that of a Fault.
    """

    def __init__(self, kind: FaultKind, reason: str) -> None:
        self.fault = Fault(kind, reason)
        super().__init__(reason)


class Attempts:
    """Calls to one location; safe to share between threads.

    Args:
        location: Its name.
        retries: How often what can pass is tried again.
        fault_of: What an error means; None lets it through as a defect of ours.
        renew: Called before the one more try of a call whose credentials were not accepted.
        first_wait_seconds: Before the first retry; doubled each time, with jitter.
    """

    def __init__(
        self,
        location: str,
        retries: int,
        fault_of: Callable[[BaseException], Fault | None],
        *,
        renew: Callable[[], object] = lambda: None,
        first_wait_seconds: float = _FIRST_WAIT_SECONDS,
    ) -> None:
        self._location, self._retries, self._fault_of = location, retries, fault_of
        self._renew, self._first_wait_seconds = renew, first_wait_seconds
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._left: str | None = None
        self.retried = 0

    def reset(self) -> None:
        """Give a location that was left another chance."""
        with self._lock:
            self._in_a_row, self._left = 0, None

    def of_object(self, work: Callable[[], _Result], path: str) -> _Result:
        """Do something with one object.

        Raises:
            ObjectError: With the code of what went wrong.
            LocationUnavailableError: The location cannot be used, or was left after too many failures in a row.
        """
        return self._call(work, path)

    def of_location(self, work: Callable[[], _Result], what: str) -> _Result:
        """Do something with the location as a whole; `what` ends "cannot be ...".

        Raises:
            LocationUnavailableError: It did not succeed.
        """
        try:
            return self._call(work, what)
        except ObjectGoneError as error:
            raise LocationUnavailableError(
                self._location,
                f"Location {self._location!r} cannot be {what}: its folder, bucket or table is not there; mend its "
                "address or connect it. Nothing was marked as gone.",
            ) from error
        except ObjectUnreadableError as error:
            raise LocationUnavailableError(
                self._location, f"Location {self._location!r} cannot be {what}: {error} Nothing was marked as gone."
            ) from error

    def _call(self, work: Callable[[], _Result], of: str) -> _Result:
        from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

        if self._left is not None:
            raise self._abandoned(self._left)

        def passes(error: BaseException) -> bool:
            fault = self._meaning(error)
            return fault is not None and fault.kind == FaultKind.PASSING and self._left is None

        def note(state: RetryCallState) -> None:
            self.retried += 1
            fault = self._meaning(state.outcome.exception()) if state.outcome else None
            _log.info("tried again", location=self._location, what=of, reason=fault.reason if fault else "")

        retrying = Retrying(
            stop=stop_after_attempt(self._retries + 1),
            wait=wait_exponential_jitter(
                multiplier=self._first_wait_seconds, max=_LONGEST_WAIT_SECONDS, jitter=self._first_wait_seconds
            ),
            retry=retry_if_exception(passes),
            before_sleep=note,
            reraise=True,
        )

        def attempt() -> _Result:
            try:
                return work()
            except Exception as error:
                fault = self._meaning(error)
                if fault is None or fault.kind != FaultKind.CREDENTIALS:
                    raise
                _log.info("credentials resolved anew", location=self._location, reason=redact(fault.reason))
            self._renew()
            return work()

        try:
            result = retrying(attempt)
        except DeepLensError:
            raise
        except Exception as error:
            fault = self._meaning(error)
            if fault is None:
                raise
            raise self._translated(fault) from error
        with self._lock:
            self._in_a_row = 0
        return result

    def _meaning(self, error: BaseException | None) -> Fault | None:
        if isinstance(error, PassingFault):
            return Fault(FaultKind.PASSING, str(error))
        if isinstance(error, KnownFault):
            return error.fault
        return None if error is None else self._fault_of(error)

    def _translated(self, fault: Fault) -> DeepLensError:
        reason = redact(fault.reason.rstrip("."))
        match fault.kind:
            case FaultKind.PASSING:
                return self._failed(reason)
            case FaultKind.FORBIDDEN:
                return ObjectForbiddenError(f"Permission denied: {reason}; allow it and run `deeplens index` again.")
            case FaultKind.GONE:
                return ObjectGoneError("It is no longer there; run `deeplens index` again.")
            case FaultKind.CHANGED:
                return ObjectChangedError(
                    "It changed while it was read, or since it was listed; it is taken up again by the next "
                    "`deeplens index`."
                )
            case FaultKind.EXISTS:
                return ObjectExistsError("Something has this name already; it was left as it is.")
            case FaultKind.LOCATION | FaultKind.CREDENTIALS:
                return LocationUnavailableError(
                    self._location,
                    f"Location {self._location!r} cannot be used: {reason}. Nothing was marked as gone.",
                )
        return ObjectUnreadableError(f"The storage failed: {reason}.")

    def _failed(self, reason: str) -> DeepLensError:
        """Of a call whose retries are used up; opens the breaker where it is one too many in a row."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= _FAILURES_IN_A_ROW and self._left is None:
                self._left = reason
                _log.warning("location left", location=self._location, failures=self._in_a_row, reason=reason)
        if self._left is not None:
            return self._abandoned(self._left)
        times = f"{self._retries + 1} times" if self._retries else "once"
        return ObjectUnreadableError(f"The storage failed {times}: {reason}.")

    def _abandoned(self, reason: str) -> LocationUnavailableError:
        return LocationUnavailableError(
            self._location,
            f"Location {self._location!r} was left after {_FAILURES_IN_A_ROW} failures in a row: {reason}. What was "
            "read is kept and nothing was marked as gone; see to the storage and run `deeplens index` again.",
        )
