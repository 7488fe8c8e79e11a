"""What the page of locations reads and does.

Takes an open workspace and the session of the page, gives described values; every act asks first whether whoever is
there may do it. Nothing here keeps, logs or tells a credential: only references to them are saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from deeplens_kit import pipeline
from deeplens_kit.errors import LocationUnavailableError
from deeplens_kit.ledger import Scope
from deeplens_kit.pipeline.location_trial import LocationTrial, try_location
from deeplens_kit.pipeline.price_entry import set_price_entry
from deeplens_kit.reporting.location_lines import (
    LocationDetail,
    LocationLine,
    describe_location,
    describe_locations,
    estimate_words,
)
from deeplens_kit.service.page_acts.guarded import guarded
from deeplens_kit.service.page_acts.job_acts import JobbingActs
from deeplens_kit.storage import KindDescription, describe_kinds, given_options
from deeplens_kit.storage.credentials import credential_in_clear
from deeplens_kit.views.state.job_lines import JobLine
from deeplens_kit.views.state.locations_state import LocationFilled

__all__ = ["LocationActs"]


class LocationActs(JobbingActs):
    """Locations, their tests, prices and index runs; implements `views.state.LocationActing`."""

    job_kinds = ("index",)

    @guarded(Scope.IMAGES_READ)
    def locations(self) -> tuple[LocationLine, ...]:
        """Every location by name, those that are left out too."""
        return describe_locations(self._workspace)

    @guarded(Scope.IMAGES_READ)
    def location(self, name: str) -> LocationDetail:
        """A location with what is known of it."""
        return describe_location(self._workspace, name)

    @guarded(Scope.ADMIN)
    def kinds(self) -> tuple[KindDescription, ...]:
        """Every kind of location with its options."""
        return describe_kinds()

    @guarded(Scope.ADMIN)
    def without_secrets(self, filled: LocationFilled) -> LocationFilled:
        """The same without what must not stand in clear, so that it is not sent back to the page."""
        options = {name: text for name, text in filled.options.items() if not credential_in_clear(name, text)}
        return replace(filled, options=options, url="" if credential_in_clear("", filled.url) else filled.url)

    @guarded(Scope.ADMIN)
    def test(self, filled: LocationFilled) -> LocationTrial:
        """Whether a location can be reached as it was filled in; nothing is saved."""
        return try_location(filled.name or "new", filled.url, given_options(filled.url, filled.items))

    @guarded(Scope.IMAGES_WRITE)
    def test_saved(self, name: str) -> LocationTrial:
        """Whether a location can be reached as it is."""
        location = self._workspace.ledger.location(name)
        return try_location(location.name, location.url, location.options)

    @guarded(Scope.ADMIN)
    def add(self, filled: LocationFilled, *, unreachable: bool = False) -> None:
        """Save a location; it is only read unless its permissions say otherwise."""
        options = given_options(filled.url, filled.items)
        pipeline.add_location(self._workspace, filled.name, filled.url, options, unreachable=unreachable)

    @guarded(Scope.ADMIN)
    def change(self, filled: LocationFilled) -> None:
        """Save other options of a location; one that is not filled in goes back to its default."""
        location = self._workspace.ledger.location(filled.name)
        options = given_options(location.url, filled.items)
        trial = try_location(location.name, location.url, options)
        if not trial.reached and location.active:
            raise LocationUnavailableError(location.name, f"{trial.message} Nothing was saved.")
        gone = [name for name in location.options if name not in options]
        pipeline.change_location(self._workspace, location.name, options, without=gone)

    @guarded(Scope.ADMIN)
    def set_active(self, name: str, active: bool) -> None:
        """Take a location into runs, or leave it out."""
        self._workspace.ledger.set_location_active(name, active)

    @guarded(Scope.ADMIN)
    def set_prices(self, name: str, given: Mapping[str, str], currency: str) -> None:
        """Write what a location costs into the price book."""
        set_price_entry(self._workspace, name, given, currency=currency)

    @guarded(Scope.IMAGES_WRITE)
    def estimate(self, name: str) -> tuple[str, str]:
        """What an index run would read and cost: a heading and a text."""
        (row,) = pipeline.estimate(self._workspace, [name])
        if row.problem:
            raise LocationUnavailableError(name, row.problem)
        return estimate_words(row)

    @guarded(Scope.IMAGES_WRITE)
    def index(self, name: str) -> JobLine:
        """Begin to index a location."""
        return self._index(name, False, key=f"index {name}")

    @guarded(Scope.IMAGES_WRITE)
    def retry(self, name: str, code: str) -> JobLine:
        """Begin to read files again that failed: of one code, or with an empty one all."""
        return self._index(name, [code] if code else True, key=f"retry {name} {code}")

    def _index(self, name: str, retry_failed: bool | list[str], *, key: str) -> JobLine:
        whole = self._workspace.ledger.location(name).name
        return self._submit("index", {"locations": [whole], "retry_failed": retry_failed}, key=key)
