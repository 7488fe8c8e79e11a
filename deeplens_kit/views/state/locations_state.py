"""The page of locations: which one is looked at, what was filled in, and what is asked before an act.

Takes what acts read and do, holds it for a viewer; must not import Panel, or keep a credential that stands in clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlencode

import param

from deeplens_kit.reporting.words import plural
from deeplens_kit.views.state.acting_state import ActingState
from deeplens_kit.views.state.told import Question

if TYPE_CHECKING:
    from deeplens_kit.pipeline.location_trial import LocationTrial
    from deeplens_kit.reporting.location_lines import LocationDetail, LocationLine
    from deeplens_kit.storage import KindDescription
    from deeplens_kit.views.state.job_lines import JobLine

__all__ = ["LocationActing", "LocationFilled", "LocationsState"]


@dataclass(frozen=True, slots=True)
class LocationFilled:
    """What was filled in for a location.

    Attributes:
        scheme: Of its kind.
        name: What to call it.
        url: Where it is.
        options: By name, as texts; of those that may come several times a line each. Without credentials in clear.
    """

    scheme: str = "file"
    name: str = ""
    url: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def items(self) -> tuple[str, ...]:
        """The options as a command line has them, `KEY=VALUE`."""
        return tuple(
            f"{name}={line.strip()}"
            for name, text in self.options.items()
            for line in text.splitlines()
            if line.strip()
        )


class LocationActing(Protocol):
    """What is read and done on the page of locations; each asks whether whoever is there may."""

    def may(self, name: str) -> bool:
        """Whether whoever is there may do an act of this name."""

    def kinds(self) -> tuple[KindDescription, ...]:
        """Every kind of location with its options."""

    def locations(self) -> tuple[LocationLine, ...]:
        """Every location by name."""

    def location(self, name: str) -> LocationDetail:
        """A location with what is known of it."""

    def without_secrets(self, filled: LocationFilled) -> LocationFilled:
        """The same without what must not stand in clear."""

    def test(self, filled: LocationFilled) -> LocationTrial:
        """Whether a location can be reached as it was filled in; nothing is saved."""

    def test_saved(self, name: str) -> LocationTrial:
        """Whether a location can be reached as it is."""

    def add(self, filled: LocationFilled, *, unreachable: bool = False) -> None:
        """Save a location."""

    def change(self, filled: LocationFilled) -> None:
        """Save other options of a location."""

    def set_active(self, name: str, active: bool) -> None:
        """Take a location into runs, or leave it out."""

    def set_prices(self, name: str, given: Mapping[str, str], currency: str) -> None:
        """Write what a location costs."""

    def estimate(self, name: str) -> tuple[str, str]:
        """What an index run would read and cost: a heading and a text."""

    def index(self, name: str) -> JobLine:
        """Begin to index a location."""

    def retry(self, name: str, code: str) -> JobLine:
        """Begin to read files again that failed: of one code, or all."""

    def jobs_at_work(self) -> tuple[JobLine, ...]:
        """Jobs of this page that have not ended."""

    def look_at_jobs(self, job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        """How jobs stand now."""

    def stop_job(self, job_id: str) -> JobLine:
        """Ask a job to stop."""


class LocationsState(ActingState):
    """What the page of locations looks at.

    Attributes:
        part: "list", "one" (a location), "add" (the form of a new one) or "change" (that of one that is there).
        location: The location that is looked at; empty for none.
        shown: What was read for what is looked at; None while it is being read.
        filled: What was filled in for a location.
        trial: What came of the last test, and of what; None for none.
    """

    part: Any = param.Selector(default="list", objects=["list", "one", "add", "change"])
    location = param.String(default="")
    filled: Any = param.ClassSelector(class_=LocationFilled, default=LocationFilled())
    trial: Any = param.Parameter(default=None)

    @property
    def where(self) -> str:
        """What is looked at, as it stands in the address of the page."""
        if self.part == "add":
            return urlencode({"part": "add"})
        return urlencode({"location": self.location}) if self.location else ""

    def go_to(self, text: str) -> None:
        """Look at what an address says; what it says amiss is passed over."""
        asked = dict(parse_qsl(text))
        if asked.get("part") == "add":
            self.begin_to_add("file")
        else:
            self.look_at(asked.get("location", ""))

    def look_at(self, name: str) -> None:
        """Look at a location; with an empty name at all of them."""
        self.leave()
        part = "one" if name else "list"
        self.param.update(part=part, location=name, shown=None, trial=None, revision=self.revision + 1)

    def begin_to_add(self, scheme: str) -> None:
        """Fill in a new location."""
        self.leave()
        filled = LocationFilled(scheme=scheme)
        self.param.update(part="add", location="", shown=None, trial=None, filled=filled, revision=self.revision + 1)

    def begin_to_change(self, detail: LocationDetail) -> None:
        """Fill in other options of a location."""
        self.leave()
        scheme = detail.kind.scheme if detail.kind else "file"
        filled = LocationFilled(scheme, detail.line.name, detail.line.url, dict(detail.options))
        self.param.update(part="change", shown=None, trial=None, filled=filled, revision=self.revision + 1)

    def ask_about(self, act: str, detail: LocationDetail, code: str = "") -> None:
        """Ask before an act on a location, with its numbers."""
        line = detail.line
        if act == "deactivate":
            text = (
                "It is not indexed any more, and its files are in no group, search or plan until it is taken in again. "
                "Nothing is removed."
            )
            files = plural(line.totals.objects, "file")
            self.ask(Question(act, line.name, f"Leave {line.shown} out, with its {files}?", text, "Leave it out"))
        elif act == "retry":
            reasons = [reason for reason in detail.reasons if not code or reason.code == code]
            files = plural(sum(reason.files for reason in reasons), "file")
            text = "They are read again though they did not change. Whatever fails again is told again."
            self.ask(Question(act, code, f"Read {files} of {line.shown} again?", text, f"Read {files} again"))

    def ask_to_index(self, name: str, estimate: tuple[str, str]) -> None:
        """Ask before a location is indexed, with what it would read and cost."""
        self.ask(Question("index", name, estimate[0], estimate[1], "Index it now"))
