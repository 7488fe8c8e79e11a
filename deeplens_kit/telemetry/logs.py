"""One logging set-up for ours and the libraries' lines, with run and correlation ids.

Takes events from any module and gives text or JSON lines on standard error, without secrets, with the ids that are
bound in the thread, task or worker process; must not write a file or know what a stage does.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Generic, Literal, ParamSpec, TypeVar

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.telemetry.redaction import redact_value, register_secret, registered_secrets

__all__ = [
    "Carried",
    "LogLevel",
    "bound_context",
    "carry_context",
    "configure_logging",
    "current_context",
    "get_logger",
]

LogLevel = Literal["debug", "info", "warning", "error"]

_LEVELS: dict[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# At debug level these write a line per byte code, file or request, which would drown ours; and the URL of a request may
# end in a signature.
_TALKATIVE = ("numba", "PIL", "asyncio", "fsspec", "azure", "google", "msal", "urllib3", "uvicorn")

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _LoggingChoice:
    json: bool
    level: LogLevel


_choice: _LoggingChoice | None = None


class _LogHandler(logging.StreamHandler[IO[str]]):
    """Our one handler. Without a stream it looks up standard error for each line, so that a progress bar which
    replaces `sys.stderr` keeps the lines above itself."""

    def __init__(self, fixed: IO[str] | None) -> None:
        self._fixed = fixed
        super().__init__(fixed or sys.stderr)

    @property
    def stream(self) -> IO[str]:
        return self._fixed or sys.stderr

    @stream.setter
    def stream(self, value: IO[str]) -> None:
        pass


_HEADINGS = frozenset({"event", "level", "logger", "timestamp"})
_BEFORE: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logging(*, json: bool = False, level: LogLevel = "info", stream: IO[str] | None = None) -> None:
    """Set up logging of the process, ours and that of the libraries. May be called again; the last call counts.

    Args:
        json: One JSON object per line instead of text.
        level: The least severe level that is shown.
        stream: Where lines go; None is standard error, as it is when the line is written.

    Raises:
        UnknownNameError: The level does not exist.
    """
    global _choice
    if level not in _LEVELS:
        raise UnknownNameError("log level", level, _LEVELS)
    handler = _LogHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_BEFORE,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Tracebacks become text first: they are where credentials hide.
                structlog.processors.format_exc_info,
                _redact_event,
                _renderer(json, handler.stream),
            ],
        )
    )
    _route_structlog(structlog.stdlib.ProcessorFormatter.wrap_for_formatter)
    root = logging.getLogger()
    for old in [item for item in root.handlers if isinstance(item, _LogHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(_LEVELS[level], logging.WARNING))
    # It tells of each connection that breaks, with a traceback; who asked for it is told by an error of ours.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    logging.captureWarnings(True)
    _choice = _LoggingChoice(json, level)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; call it as `log.info("scanned", objects=12)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _route_structlog(last: Processor) -> None:
    """Send our events through the standard library's loggers, where level and handlers are decided on."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_BEFORE,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            last,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _plain_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    masked = dict(_redact_event(_logger, _method, event))
    facts = " ".join(f"{key}={value}" for key, value in masked.items() if key not in _HEADINGS)
    return f"{masked['event']} {facts}".rstrip()


def _renderer(json: bool, stream: IO[str]) -> Processor:
    if json:
        return structlog.processors.JSONRenderer(default=str, sort_keys=True)
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def _redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    masked = redact_value(event)
    assert isinstance(masked, dict)
    return masked


@contextlib.contextmanager
def bound_context(*, run_id: str | None = None, correlation_id: str | None = None) -> Iterator[None]:
    """Put ids on every log line of this thread or task until the block ends; None leaves an id as it is."""
    ids = {"run_id": run_id, "correlation_id": correlation_id}
    with structlog.contextvars.bound_contextvars(**{name: value for name, value in ids.items() if value is not None}):
        yield


def current_context() -> dict[str, str]:
    """Return the ids that are bound here."""
    return {name: str(value) for name, value in structlog.contextvars.get_contextvars().items()}


def carry_context(function: Callable[_Args, _Result]) -> Carried[_Args, _Result]:
    """Wrap a function so that its log lines, in a worker thread or process, bear the ids that are bound now.

    A worker process that has no logging yet sets it up as this process has it, secrets included. The result
    can be sent to a process when `function` can.
    """
    return Carried(function, tuple(current_context().items()), _choice, registered_secrets())


@dataclass(frozen=True, slots=True)
class Carried(Generic[_Args, _Result]):
    """A function together with the ids and the logging set-up of the place that handed it out."""

    function: Callable[_Args, _Result]
    context: tuple[tuple[str, str], ...]
    logging_choice: _LoggingChoice | None
    secrets: tuple[str, ...]

    def __call__(self, *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        """Call the function with the ids bound."""
        for value in self.secrets:
            if value not in registered_secrets():
                register_secret(value)
        if _choice is None and self.logging_choice is not None:
            configure_logging(json=self.logging_choice.json, level=self.logging_choice.level)
        with structlog.contextvars.bound_contextvars(**dict(self.context)):
            return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        # The default would print the secrets.
        return f"Carried({self.function!r})"


# Until a front sets logging up we behave as a library does: warnings on standard error, nothing below them, and
# never a line on standard output, which belongs to the program that imports us.
_route_structlog(_plain_line)
