"""Requests that are refused: for who sends them, for how many, or for what they ask; and what jobs cannot do.

Takes what an error speaks of, gives classes; the tree and what a message says are told in the package.
"""

from __future__ import annotations

from deeplens_kit.errors.base import DeepLensError, SettingsError

__all__ = [
    "AccessDeniedError",
    "AccessError",
    "BodyTooLargeError",
    "JobError",
    "JobLostError",
    "JobStateError",
    "KeyReusedError",
    "MissingError",
    "NamedInBodyError",
    "NotAuthenticatedError",
    "QueueFullError",
    "RateLimitedError",
    "RequestConflictError",
    "RequestError",
    "ServerBusyError",
]


class AccessError(DeepLensError):
    """Somebody may not do what they asked for."""

    code = "access"
    exit_code = 10


class NotAuthenticatedError(AccessError):
    """Nobody knows who asks: no sign-in, or one that is over, refused or not to be trusted."""

    code = "not_authenticated"


class AccessDeniedError(AccessError):
    """Whoever asks is known, and may not.

    Args:
        name: Who asks.
        scope: What it would need; empty where no scope would help.
        why: Then the reason, and what to do, in a sentence that goes on after "may not do this: ".

    Attributes:
        told: It is in the audit trail: one refusal may pass several places that would tell of it.
    """

    code = "access_denied"

    def __init__(self, name: str, scope: str = "", *, why: str = "") -> None:
        self.name, self.scope, self.told = name, scope, False
        self.why = why or f"it needs the scope {scope!r}. Ask an administrator for it."
        super().__init__(f"{name} may not do this: {self.why}")


class RateLimitedError(AccessError):
    """Too many requests in a while.

    Args:
        message: Which limit was reached.
        retry_after_seconds: When to ask again.
    """

    code = "rate_limited"

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)


class NamedInBodyError(SettingsError):
    """The body of a request names what there is not; the address that it was sent to exists."""

    code = "unknown_name"


class ServerBusyError(RateLimitedError):
    """As many costly requests as the server takes on are under way, and as many as may wait."""

    code = "busy"


class RequestError(DeepLensError):
    """A request over HTTP that cannot be done as it was sent."""

    code = "request"
    exit_code = 2


class MissingError(RequestError):
    """What a request speaks of is not there.

    Args:
        what: For example "picture".
        name: Its id or name.
    """

    code = "not_found"

    def __init__(self, what: str, name: str) -> None:
        self.what, self.name = what, name
        super().__init__(f"There is no {what} {name!r} here.")


class RequestConflictError(RequestError):
    """It contradicts what is there, or another request."""

    code = "conflict"


class KeyReusedError(RequestError):
    """An idempotency key came with another request before.

    Args:
        key: The key.
    """

    code = "key_reused"

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"The idempotency key {key!r} came with another request before; make up a new one for this.")


class BodyTooLargeError(RequestError):
    """A request brings more bytes than are taken.

    Args:
        limit_bytes: Inclusive.
    """

    code = "body_too_large"

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"A request may bring {limit_bytes:,} bytes here and this one brings more; send less at once.")


class JobError(DeepLensError):
    """A job cannot do what is asked.

    Args:
        message: What is wrong.
        job_id: The job; empty where there is none.
    """

    code = "job"

    def __init__(self, message: str, job_id: str = "") -> None:
        self.job_id = job_id
        super().__init__(message)


class JobStateError(JobError):
    """A job has ended already, or has not."""

    code = "job_state"


class JobLostError(JobError):
    """A worker has a job no more: it was too slow to show that it lives, and another may have taken it."""

    code = "job_lost"


class QueueFullError(JobError):
    """So many jobs wait that no more are taken.

    Args:
        waiting: How many.
        retry_after_seconds: When to ask again.
    """

    code = "queue_full"

    def __init__(self, waiting: int, retry_after_seconds: float) -> None:
        self.waiting, self.retry_after_seconds = waiting, retry_after_seconds
        super().__init__(f"{waiting:,} jobs wait already, so no more are taken; ask again later.")
