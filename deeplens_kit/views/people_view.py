"""The pages of users and of one's own profile.

Takes the state of a page and what reads and acts for it, gives Panel components; must not act by itself, nor send back
what was typed as a password. What is shown once goes with the next act.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import panel as pn

from deeplens_kit.views.acting_view import ActingView
from deeplens_kit.views.cards import message
from deeplens_kit.views.form_board import Fields
from deeplens_kit.views.people_cards import handed_html, user_html, users_html
from deeplens_kit.views.profile_cards import profile_html
from deeplens_kit.views.state.job_lines import JobLine
from deeplens_kit.views.state.people_state import PeopleState, ProfileActing, UserActing

__all__ = ["ProfileView", "UsersView"]


class _NoJobs:
    """Of pages that begin no jobs."""

    def may(self, _name: str) -> bool:
        return False

    def look_at_jobs(self, _job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        return ()

    def stop_job(self, job_id: str) -> JobLine:
        raise LookupError(job_id)


class _PeopleView(ActingView, ABC):
    """What both pages have in common: what is read, and what is shown once."""

    def __init__(self, state: PeopleState) -> None:
        super().__init__(state, _NoJobs())
        self._state = state
        state.param.watch(lambda *_: self._read(), ["revision"])
        state.param.watch(lambda *_: self._show(), ["shown"])
        state.param.watch(lambda *_: self._show_head(), ["handed"])
        self._show()
        pn.state.onload(self._read)

    def _above(self) -> str:
        return handed_html(self._state.handed)

    @abstractmethod
    def _load(self) -> Any:
        """Read what is looked at, on a thread."""

    @abstractmethod
    def _html(self) -> str:
        """What was read."""

    def _read(self) -> None:
        asked = self._state.revision

        def take(shown: Any) -> None:
            if self._state.revision == asked:
                # The same once more is drawn anew too: what was typed into its forms goes.
                self._state.shown = shown

        self._work(self._load, take, failed="It cannot be shown", shown=True)

    def _show(self) -> None:
        self.body.html = message("Loading…", kind="busy") if self._state.shown is None else self._html()

    def _was_asked(self, act: str, value: str) -> bool:
        asked = self._state.question
        return asked is not None and (asked.act, asked.value) == (act, value)

    def _do(self, work: Callable[[], Any], heading: str, text: str = "") -> None:
        self._state.handed = None
        self._work(work, lambda _answer: self._state.done(heading, text))


class UsersView(_PeopleView):
    """Users and what is done for them.

    Args:
        state: What is looked at.
        acts: Reads and acts.
    """

    def __init__(self, state: PeopleState, acts: UserActing) -> None:
        self._acts = acts
        super().__init__(state)

    def _load(self) -> Any:
        name = self._state.name
        return self._acts.user(name) if name else self._acts.users()

    def _html(self) -> str:
        shown = self._state.shown
        return user_html(shown) if self._state.name else users_html(shown)

    def _act(self, act: str, value: str, fields: Fields) -> None:
        state, acts = self._state, self._acts
        if act == "close":
            state.handed = None
        elif act == "list":
            state.look_at("")
        elif act == "open":
            state.look_at(value)
        elif act == "invite":
            name, role = _one(fields, "name"), _one(fields, "role")
            self._work(lambda: acts.invite(name, role), state.hand, failed="Nobody was invited")
        elif state.name and state.shown is not None:
            self._act_on_user(act, value, fields)

    def _act_on_user(self, act: str, value: str, fields: Fields) -> None:
        state, acts, name = self._state, self._acts, self._state.name
        if act in ("disable-ask", "reset-ask", "forgot-ask", "sign-out-ask"):
            state.ask_about_user(act.removesuffix("-ask"), state.shown.user)
        elif act == "disable" and self._was_asked(act, name):
            self._do(lambda: acts.set_active(name, False), f"{name} is shut out", "Their sign-ins are over.")
        elif act == "enable":
            self._do(lambda: acts.set_active(name, True), f"{name} may sign in again")
        elif act == "reset" and self._was_asked(act, name):
            self._work(lambda: acts.reset_link(name), state.hand, failed="No link was made")
        elif act == "forgot" and self._was_asked(act, name):
            self._work(lambda: acts.reset_link(name, keep_keys=True), state.hand, failed="No link was made")
        elif act == "sign-out" and self._was_asked(act, name):
            self._do(lambda: acts.sign_out(name), f"{name} is signed out everywhere", "Their keys are revoked.")
        elif act == "role":
            role = _one(fields, "role")
            self._do(lambda: acts.set_role(name, role), f"{name} is {role} now")
        elif act == "end":
            self._do(lambda: acts.end_session(name, value), "That sign-in is over")
        elif act == "revoke-ask":
            for key in state.shown.keys:
                if key.key_id == value:
                    state.ask_about_key(key)
        elif act == "revoke" and self._was_asked(act, value):
            self._do(lambda: acts.revoke_key(name, value), "The key is revoked")


class ProfileView(_PeopleView):
    """One's own page.

    Args:
        state: What is shown.
        acts: Reads and acts.
    """

    def __init__(self, state: PeopleState, acts: ProfileActing) -> None:
        self._acts = acts
        super().__init__(state)

    def _load(self) -> Any:
        return self._acts.profile()

    def _html(self) -> str:
        return profile_html(self._state.shown)

    def _act(self, act: str, value: str, fields: Fields) -> None:
        state, acts = self._state, self._acts
        if act == "close":
            state.handed = None
        elif act == "password":
            # As they were typed: a blank at an end may be meant.
            old, new, again = (next(iter(fields.get(name, ())), "") for name in ("old", "new", "again"))
            self._do(
                lambda: acts.change_password(old, new, again),
                "The password is changed",
                "Your other sign-ins are over.",
            )
        elif act == "make-key":
            name, days, scopes = _one(fields, "name"), _one(fields, "days"), fields.get("scope", ())
            self._work(lambda: acts.make_key(name, scopes, days), state.hand, failed="No key was made")
        elif act == "end":
            self._do(lambda: acts.end_session(value), "That sign-in is over")
        elif act == "end-others":
            self._do(acts.end_others, "Your other sign-ins are over")
        elif act == "end-all-ask":
            state.ask_about_all()
        elif act == "end-all" and self._was_asked(act, ""):
            self._do(lambda: acts.end_others(keep_keys=False), "Your other sign-ins are over", "Your keys are revoked.")
        elif act == "revoke-ask" and state.shown is not None:
            for key in state.shown.keys:
                if key.key_id == value:
                    state.ask_about_key(key)
        elif act == "revoke" and self._was_asked(act, value):
            self._do(lambda: acts.revoke_key(value), "The key is revoked")


def _one(fields: Fields, name: str) -> str:
    return next(iter(fields.get(name, ())), "").strip()
