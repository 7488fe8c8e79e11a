"""What happens at servers between two requests of ours: nobody's content is taken for ours, none is left nameless."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deeplens_kit.actions import SkipCode
from deeplens_kit.actions.acting import Came
from deeplens_kit.actions.checks import REMOVING
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import UNSETTLED
from deeplens_kit.storage.listing import Entry
from tests.actions.stage import Killed, Stage
from tests.storage.test_remote import _Acting as ClassedStore
from tests.storage.test_remote import _opened as opened
from tests.storage.test_remote import _Renaming as RenamingStore


def _codes(came: Came) -> list[str]:
    return [result.code or str(result.outcome) for result in came.results]


@pytest.mark.parametrize("theirs", [None, b"PICTURE"])
def test_another_object_in_the_class_is_not_told_as_the_one_that_was_put_there(
    stage: Stage, theirs: bytes | None
) -> None:
    """Killed after the request, and somebody stored as many bytes under the name, in that class."""
    store = ClassedStore()
    store.put("a.jpg", b"picture")
    stage.kinds[stage.ids["one"]] = opened(store)
    step = stage.step(0, stage.at("one/a.jpg"), None, action=ActionKind.STORAGE_CLASS, storage_class="COLD")
    with pytest.raises(Killed):
        stage.apply([step], _killed_after_the_request)
    if theirs is not None:
        store.put("a.jpg", theirs)
    assert _codes(stage.resume([step])) == ([] if theirs is None else [SkipCode.VICTIM_CHANGED])
    assert store.objects["a.jpg"][1] == (theirs or b"picture")


def _killed_after_the_request(name: str) -> None:
    if name == "0.set_class.set":
        raise Killed


class _Coarse(RenamingStore):
    """A server whose clock is too coarse to tell two writings of one moment apart."""

    keeps_times_on_move = True

    def stat(self, path: str) -> Entry:
        found = super().stat(path)
        return found._replace(
            change_token=f"{found.size_bytes}{UNSETTLED}", modified_at=datetime(2026, 1, 1, tzinfo=UTC)
        )


def test_what_was_saved_within_the_second_of_a_move_stays_at_its_place(stage: Stage) -> None:
    store = _Coarse()
    store.put("b.jpg", b"picture")
    stage.kinds[stage.ids["one"]] = opened(store)
    step = stage.step(0, stage.at("one/b.jpg"), stage.write("two/a.jpg", b"picture"))

    def save(name: str) -> None:
        if name == "0.quarantine.before-move":
            store.put("b.jpg", b"PICTURE")

    assert _codes(stage.apply([step], save)) == [SkipCode.VICTIM_CHANGED]
    assert {name: data for name, (_, data) in store.objects.items()} == {"b.jpg": b"PICTURE"}


@pytest.mark.parametrize("undone", [False, True])
def test_a_text_of_a_server_that_has_no_name_when_the_process_ends_gets_its_old_content_back(
    stage: Stage, undone: bool
) -> None:
    store, dead = RenamingStore(), list[str]()
    store.put("a.txt", b"old words")
    stage.kinds[stage.ids["one"]] = opened(store)
    step = stage.step(0, stage.at("one/a.txt"), None, action=ActionKind.REWRITE)
    stage.content[0] = b"new words"

    def die(done: str) -> None:
        if dead or (done == "move" and "a.txt" not in store.objects):
            dead.append(done)
            raise Killed

    if undone:
        assert _codes(stage.apply([step])) == ["done"]
    store.after = die
    with pytest.raises(Killed):
        stage.undo() if undone else stage.apply([step])
    assert "a.txt" not in store.objects
    store.after = lambda _step: None
    if undone:
        assert stage.undo().complete
    else:
        stage.resume([step])
    assert store.objects["a.txt"][1] == b"old words"


def test_without_any_evidence_nothing_is_taken_away(stage: Stage) -> None:
    keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"another picture")
    start = stage.tree()
    for action in REMOVING:
        assert _codes(stage.apply([stage.step(0, victim, keeper, action=action, tier=None)])) == [SkipCode.TIER]
    assert stage.tree() == start


def test_what_is_saved_over_a_redirect_as_it_is_taken_back_stays(stage: Stage) -> None:
    """On a storage that compares, and removes by another request."""
    store = RenamingStore()
    store.put("b.jpg", b"picture")
    stage.kinds[stage.ids["one"]] = opened(store)
    keeper = stage.write("two/a.jpg", b"picture")
    stage.apply([stage.step(0, stage.at("one/b.jpg"), keeper, action=ActionKind.REDIRECT)])
    asked: list[str] = []

    def save(step: str) -> None:
        asked.append(step)
        if len(asked) == 1:
            store.put("b.jpg", b"hers")

    store.after, remove = save, store.remove
    store.remove = lambda path, token: (save("removing"), remove(path, token))[1]  # type: ignore[method-assign]
    assert [trouble.code for trouble in stage.undo().troubles] == [SkipCode.TAKEN]
    assert sorted(data for _, data in store.objects.values()) == [b"hers", b"picture"]
    assert store.objects["b.jpg"][1] == b"hers"
