"""The page of locations: the list, one with all that is known of it, and the form of a new one.

Takes the state of the page and what reads and acts for it, gives Panel components; must not test, index or save by
itself, nor send a credential back to the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import panel as pn

from deeplens_kit.errors import DeepLensError
from deeplens_kit.views.acting_view import ActingView
from deeplens_kit.views.cards import message
from deeplens_kit.views.form_board import Fields
from deeplens_kit.views.location_cards import location_html, locations_html
from deeplens_kit.views.location_form import OPTION, location_form, trial_html
from deeplens_kit.views.state.job_lines import JobLine, came_to
from deeplens_kit.views.state.locations_state import LocationActing, LocationFilled, LocationsState
from deeplens_kit.views.theme import viewer_style

if TYPE_CHECKING:
    from deeplens_kit.pipeline.location_trial import LocationTrial

__all__ = ["LocationsView"]

_PRICE = "price."


class LocationsView(ActingView):
    """Locations and what is done with them.

    Args:
        state: What is looked at.
        acts: Reads and acts.
        src: Gives the address of a thumbnail for a digest and a side in pixels.
    """

    def __init__(self, state: LocationsState, acts: LocationActing, src: Callable[[str, int], str]) -> None:
        self._state, self._acts, self._src = state, acts, src
        super().__init__(state, acts)
        folder = files("deeplens_kit.views")
        sheets = [folder.joinpath(name).read_text(encoding="utf-8") for name in ("coverage.css", "forms.css")]
        self.body.stylesheets = [viewer_style(), *sheets]
        state.param.watch(lambda *_: self._read(), ["revision"])
        state.param.watch(lambda *_: self._show(), ["shown", "filled", "trial"])
        for line in acts.jobs_at_work():
            state.watch(line)
        self._show()
        # Once the page stands: what comes before its websocket is there may not reach it.
        pn.state.onload(self._read)

    def _where(self) -> str:
        return self._state.where

    def _go_to(self, text: str) -> None:
        self._state.go_to(text)

    # --- Reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read what is looked at, off the event loop; what was asked for meanwhile is read then."""
        state, acts = self._state, self._acts
        asked, part, name = state.revision, state.part, state.location

        def read() -> Any:
            if part in ("add", "change"):
                return acts.kinds()
            return acts.location(name) if part == "one" else acts.locations()

        def take(shown: Any) -> None:
            if state.revision == asked:
                state.shown = (part, shown)

        self._work(read, take, failed="It cannot be shown", shown=True)

    @property
    def _detail(self) -> Any:
        """The location that is looked at; None where there is none."""
        shown = self._state.shown
        return shown[1] if shown and shown[0] == "one" else None

    # --- What the person does -----------------------------------------------------------------------------------------

    def _act(self, act: str, value: str, fields: Fields) -> None:
        state, acts = self._state, self._acts
        if act == "list":
            state.look_at("")
            self._moved()
        elif act == "open":
            state.look_at(value)
            self._moved()
        elif act == "add":
            state.begin_to_add("file")
            self._moved()
        elif act == "index-ask":
            self._work(lambda: acts.estimate(value), lambda said: state.ask_to_index(value, said))
        elif act == "index" and self._was_asked(act, value):
            self._begin(lambda: acts.index(value))
        elif state.part in ("add", "change"):
            self._act_on_form(act, value, fields)
        elif self._detail is not None:
            self._act_on_location(act, value, fields)

    def _was_asked(self, act: str, value: str) -> bool:
        asked = self._state.question
        return asked is not None and (asked.act, asked.value) == (act, value)

    def _act_on_location(self, act: str, value: str, fields: Fields) -> None:
        state, acts, detail = self._state, self._acts, self._detail
        name = detail.line.name
        if act == "test-saved":
            self._work(lambda: acts.test_saved(name), self._tried)
        elif act == "change":
            state.begin_to_change(detail)
        elif act == "deactivate" and not self._was_asked(act, value):
            state.ask_about(act, detail)
        elif act in ("deactivate", "activate"):
            self._work(
                lambda: acts.set_active(name, act == "activate"),
                lambda _: self._changed(name, active=act == "activate"),
            )
        elif act == "retry-ask":
            state.ask_about("retry", detail, value)
        elif act == "retry" and self._was_asked(act, value):
            self._begin(lambda: acts.retry(name, value))
        elif act == "prices":
            given = {
                key.removeprefix(_PRICE): values[0].strip() for key, values in fields.items() if key.startswith(_PRICE)
            }
            currency = next(iter(fields.get("currency", ())), "").strip().upper()
            self._work(
                lambda: acts.set_prices(name, given, currency), lambda _: self._told("The price book is written")
            )

    def _act_on_form(self, act: str, value: str, fields: Fields) -> None:
        state, acts = self._state, self._acts
        typed = _filled(fields, state.filled.scheme)
        if act == "kind":
            # Options of another kind mean nothing here.
            state.param.update(filled=replace(typed, scheme=value, options={}), trial=None)
            return
        if act not in ("test", "save", "save-anyway"):
            return

        def work() -> tuple[LocationFilled, Any, DeepLensError | None]:
            # What goes back to the page holds no credential, whatever comes of it.
            kept = acts.without_secrets(typed)
            try:
                if act == "test":
                    return kept, acts.test(typed), None
                if state.part == "change":
                    acts.change(typed)
                else:
                    acts.add(typed, unreachable=act == "save-anyway")
            except DeepLensError as error:
                return kept, None, error
            return kept, None, None

        def then(came: tuple[LocationFilled, Any, DeepLensError | None]) -> None:
            kept, trial, error = came
            state.param.update(filled=kept, trial=None if trial is None else (kept, trial))
            if error is not None:
                state.fail(error, "It was not reached" if act == "test" else "It was not saved")
            elif trial is not None:
                state.leave()
            else:
                state.look_at(typed.name)
                self._moved()
                state.tell("The location is saved", "Index it now, or let the next run take it in.")

        self._work(work, then)

    # --- What came of it ----------------------------------------------------------------------------------------------

    def _tried(self, trial: LocationTrial) -> None:
        self._state.trial = (None, trial)

    def _told(self, heading: str) -> None:
        self._state.tell(heading)
        self._state.reread()

    def _changed(self, name: str, *, active: bool) -> None:
        self._told(f"{name} is taken in again" if active else f"{name} is left out")

    def _ended(self, line: JobLine) -> None:
        if line.state == "done":
            self._state.tell(f"{line.title}: done", came_to(line))
        self._state.reread()

    # --- What the person sees -----------------------------------------------------------------------------------------

    def _show(self) -> None:
        state, may = self._state, self._acts.may
        if state.shown is None:
            self.body.html = message("Loading…", kind="busy")
            return
        part, shown = state.shown
        of, trial = state.trial or (None, None)
        if part in ("add", "change"):
            name = state.filled.name
            form = location_form(shown, state.filled, trial if of == state.filled else None, new=part == "add")
            told = trial_html(trial, name) if trial is not None else ""
            self.body.html = form + (f'<div tabindex="-1" data-focus class="told">{told}</div>' if told else "")
        elif part == "one":
            beneath = (
                f'<div tabindex="-1" data-focus class="told">{trial_html(trial, shown.line.shown)}</div>'
                if trial
                else ""
            )
            self.body.html = location_html(shown, self._src, may=may, beneath=beneath)
        else:
            self.body.html = locations_html(shown, may=may)


def _filled(fields: Fields, scheme: str) -> LocationFilled:
    """What a form says."""

    def one(name: str) -> str:
        return next(iter(fields.get(name, ())), "").strip()

    options = {
        name.removeprefix(OPTION): values[0].strip()
        for name, values in fields.items()
        if name.startswith(OPTION) and values and values[0].strip()
    }
    return LocationFilled(one("scheme") or scheme, one("name"), one("url"), options)
