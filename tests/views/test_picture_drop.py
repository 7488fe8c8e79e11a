"""Files that arrive in pieces: whole ones are taken, all else is refused, whatever a page sends."""

from __future__ import annotations

from typing import Any

import pytest

from deeplens_kit.views.board import Board
from deeplens_kit.views.picture_drop import PictureDrop


class Taker:
    """What came of an upload."""

    def __init__(self, max_bytes: int = 10) -> None:
        self.taken: list[tuple[bytes, str]] = []
        self.refused: list[tuple[str, str]] = []
        self.drop = PictureDrop(
            lambda content, name: self.taken.append((content, name)),
            lambda why, name: self.refused.append((why, name)),
            max_bytes=max_bytes,
        )

    def send(self, **message: Any) -> None:
        self.drop._handle_msg(message)

    def start(self, size: Any, name: Any = "a.jpg", number: int = 1) -> None:
        self.send(kind="start", number=number, name=name, size=size)

    def piece(self, data: Any, number: int = 1) -> None:
        self.send(kind="piece", number=number, data=data)


def test_pieces_become_a_file() -> None:
    taker = Taker()
    taker.start(10)
    taker.piece(b"012345")
    assert taker.taken == []
    taker.piece(b"6789")
    assert taker.taken == [(b"0123456789", "a.jpg")]
    assert taker.refused == []
    taker.piece(b"more")
    assert len(taker.taken) == 1


def test_a_file_above_the_limit_is_refused_before_it_is_sent() -> None:
    taker = Taker()
    taker.start(11)
    taker.piece(b"01234567890")
    assert taker.taken == []
    assert taker.refused == [
        (
            "a.jpg has 11 B; up to 10 B can be uploaded. Search for a larger one by its path: "
            "deeplens search --image FILE.",
            "a.jpg",
        )
    ]


def test_more_than_was_announced_is_refused_and_let_go() -> None:
    taker = Taker()
    taker.start(4)
    taker.piece(b"x" * 1000)
    assert taker.taken == []
    assert "changed while it was sent" in taker.refused[0][0]
    assert len(taker.drop._arrived) == 0


def test_an_empty_file_is_refused() -> None:
    taker = Taker()
    taker.start(0)
    assert "is empty" in taker.refused[0][0]


def test_a_piece_of_a_file_that_was_replaced_is_passed_over() -> None:
    taker = Taker()
    taker.start(4, "old.jpg", number=1)
    taker.piece(b"ol", number=1)
    taker.start(4, "new.jpg", number=2)
    taker.piece(b"d!", number=1)
    taker.piece(b"new!", number=2)
    assert taker.taken == [(b"new!", "new.jpg")]


@pytest.mark.parametrize(
    "message",
    [
        None,
        "start",
        {},
        {"kind": "start"},
        {"kind": "start", "name": 5, "size": 5, "number": 1},
        {"kind": "start", "name": "a.jpg", "size": "5", "number": 1},
        {"kind": "start", "name": "a.jpg", "size": 5, "number": None},
        {"kind": "piece", "number": 1, "data": b"x"},
        {"kind": "piece", "number": 0, "data": "text"},
        {"kind": "something else"},
    ],
)
def test_what_is_no_message_of_ours_is_passed_over(message: Any) -> None:
    taker = Taker()
    taker.drop._handle_msg(message)
    assert taker.taken == taker.refused == []


def test_a_board_tells_of_its_buttons_only() -> None:
    heard: list[tuple[str, str]] = []
    board = Board(lambda act, value: heard.append((act, value)))
    for message in (None, 3, {"act": 1, "value": "x"}, {"act": "x", "value": 1}, {"act": "group", "value": "d"}):
        board._handle_msg(message)
    assert heard == [("group", "d")]
    Board()._handle_msg({"act": "group", "value": "d"})
