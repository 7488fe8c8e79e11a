"""What a page sends to a live board, the address and the box of a part: only what is one of ours is told."""

from __future__ import annotations

from typing import Any

import pytest

from deeplens_kit.views.address import Address
from deeplens_kit.views.crop_box import CropBox
from deeplens_kit.views.live_board import BoardAct, LiveBoard


def test_what_was_done_is_told() -> None:
    told: list[BoardAct] = []
    board = LiveBoard(told.append)
    board._handle_msg({"act": "select", "value": "x", "on": True, "all": ["x", "y"], "text": ""})
    board._handle_msg({"act": "save", "fields": {"name": "retina", "odd": 7}})
    assert told == [BoardAct("select", "x", on=True, cards=("x", "y")), BoardAct("save", fields={"name": "retina"})]


@pytest.mark.parametrize(
    "data", [None, "act", {}, {"act": 1}, {"act": "x", "value": None}, {"act": "x", "fields": []},
             {"act": "x", "all": "abc"}, {"act": "x", "all": ["a"] * 5000}, {"act": "x", "text": 1}]
)  # fmt: skip
def test_what_is_no_message_is_passed_over(data: Any) -> None:
    LiveBoard(lambda _act: pytest.fail("told"))._handle_msg(data)
    CropBox(lambda _crop: pytest.fail("told"))._handle_msg(data)
    Address(lambda _text: pytest.fail("told"))._handle_msg(data)


@pytest.mark.parametrize("crop", [[0, 0, 1], [0.5, 0, 0.4, 1], [0, 0, 1, 1.5], ["0", 0, 1, 1], [float("nan"), 0, 1, 1]])
def test_a_part_outside_the_picture_is_passed_over(crop: Any) -> None:
    CropBox(lambda _crop: pytest.fail("told"))._handle_msg({"crop": crop})


def test_a_part_is_told_and_so_is_the_whole() -> None:
    told: list[object] = []
    box = CropBox(told.append)
    box._handle_msg({"crop": [0.1, 0.2, 0.5, 1]})
    box._handle_msg({"crop": None})
    assert told == [(0.1, 0.2, 0.5, 1.0), None]


def test_the_address_is_written_once_and_told_when_somebody_goes_back() -> None:
    told: list[str] = []
    address = Address(told.append)
    address.push("words=a")
    address.push("words=a")
    assert (address.turn, address.is_new) == (1, True)
    address.replace("words=a&limit=25")
    assert (address.turn, address.is_new) == (2, False)
    address._handle_msg({"text": "words=a"})
    assert told == ["words=a"] and address.text == "words=a"
    address.push("x" * 5000)
    assert address.text == "words=a", "a browser would cut it"
