"""Questions, reports, models and parts of DeepLens that give no answer.

Takes what an error speaks of, gives classes; the tree and what a message says are told in the package.
"""

from __future__ import annotations

from deeplens_kit.errors.base import DeepLensError

__all__ = [
    "DecoderUnavailableError",
    "ExtraMissingError",
    "LinkRefusedError",
    "ModelCorruptError",
    "ModelUnavailableError",
    "QueryError",
    "ReportError",
    "ReportRunningError",
    "TooFewLabelsError",
]


class QueryError(DeepLensError):
    """A picture or link to search for cannot be used."""

    code = "query"
    exit_code = 2


class LinkRefusedError(QueryError):
    """A link is not followed: a private address, another scheme, too many redirects, too large, no picture."""

    code = "link_refused"


class ReportError(DeepLensError):
    """A report could not be made; nothing of it was written, and the last good one stands."""

    code = "report"


class ReportRunningError(ReportError):
    """A schedule's report is being made already, or was made for that time; nothing was begun.

    Args:
        message: Which, by whom and since when.
        schedule: Its name.
    """

    code = "report_running"
    exit_code = 5

    def __init__(self, message: str, schedule: str) -> None:
        self.schedule = schedule
        super().__init__(message)


class TooFewLabelsError(DeepLensError):
    """There are too few labels for what was asked; nothing is made up in their place."""

    code = "too_few_labels"


class DecoderUnavailableError(DeepLensError):
    """No process to decode in can be started."""

    code = "decoder_unavailable"


class ExtraMissingError(DeepLensError):
    """A part of DeepLens that is installed apart is not there.

    Args:
        what: What was wanted, for example "The map".
        extra: The extra that brings it, for example "workbench".
    """

    code = "extra_missing"
    exit_code = 6

    def __init__(self, what: str, extra: str) -> None:
        self.what, self.extra = what, extra
        super().__init__(f"{what} needs the extra {extra!r}; install it with `pip install 'deeplens-kit[{extra}]'`.")


class ModelUnavailableError(DeepLensError):
    """A model cannot be used: its weights or its runtime are not installed."""

    code = "model_unavailable"
    exit_code = 6


class ModelCorruptError(DeepLensError):
    """A model file does not have the checksum, inputs or outputs that it should."""

    code = "model_corrupt"
    exit_code = 6
