"""What every error has, and settings that are not allowed.

Takes what an error speaks of, gives classes; the tree and what a message says are told in the package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CredentialMissingError",
    "DeepLensError",
    "Interrupted",
    "SettingsError",
    "UnknownNameError",
]


class DeepLensError(Exception):
    """The root: anything DeepLens says went wrong.

    Attributes:
        code: Stable name of the kind of error.
        exit_code: What a command ends with.
        reports: What work over several locations had done before or besides; set by whoever did it.
        others: What else went wrong at other locations; set as `reports`.
    """

    code = "error"
    exit_code = 1
    reports: tuple[object, ...] = ()
    others: tuple[DeepLensError, ...] = ()

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows in place of a traceback: the message says what to do."""
        return [f"{type(self).__name__}: {self}"]


class SettingsError(DeepLensError):
    """A setting, option or argument has a value that is not allowed."""

    code = "settings"
    exit_code = 2


class UnknownNameError(SettingsError):
    """A name that does not exist.

    Args:
        kind: What the name names, for example "setting" or "location".
        name: The name that was given.
        known: The names that exist; the nearest is suggested.
        advice: Where they may be too many to list: `known` is then what is near, the nearest first, and this is what to
            do where nothing is.
    """

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: Iterable[str], *, advice: str = "") -> None:
        names = list(known)
        self.kind, self.name, self.known, self.advice = kind, name, tuple(sorted(names)), advice
        near = names if advice else difflib.get_close_matches(name, self.known, n=1, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else advice
        hint = hint or f"known: {', '.join(self.known) or 'none yet'}."
        super().__init__(f"There is no {kind} named {name!r}; {hint}")


class CredentialMissingError(SettingsError):
    """A credential is not where its reference says.

    Args:
        reference: The reference as it was written, for example "${NAME}".
        looked: What was found where it was looked for, without "." at the end.
        advice: What to do next, without "." at the end.
        passing: It may be the circumstances (a server that does not answer): another try may go well.
    """

    code = "credential_missing"

    def __init__(self, reference: str, looked: str, advice: str, *, passing: bool = False) -> None:
        self.reference, self.passing = reference, passing
        super().__init__(f"There is no credential for {reference}: {looked}; {advice}.")


class Interrupted(DeepLensError):
    """The user stopped the work; what was committed is kept and the next run goes on."""

    code = "interrupted"
    exit_code = 130
