"""Lines of listings are read as their servers mean them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deeplens_kit.storage.ftp_listing import Fact, LineUnknownError, Row, moment, parse_facts, parse_line


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("-rw-r--r--    1 0        0               3 Nov 22 20:11 a.jpg", Row("file", "a.jpg", 3)),
        ("-rw-r--r--  1 ann  domain users  1234 Jan  2  2019  a b ", Row("file", " a b ", 1234)),
        ("-rw-rw-r--+ 1 a b 7 Nov 22 20:11 7 Nov 22 20:11 x", Row("file", "7 Nov 22 20:11 x", 7)),
        ("-rw-r--r-- 1 owner 12 Feb 29 2024 x.jpg", Row("file", "x.jpg", 12)),
        ("drwxr-xr-x    2 0        0            4096 Nov 22 20:11 sub", Row("folder", "sub", 0)),
        ("lrwxrwxrwx    1 0        0               1 Nov 22 20:11 l -> sub", Row("link", "l", 0)),
        ("brw-rw----    1 0        6          8,   0 Nov 22 20:11 sda", Row("special", "sda", 0)),
        ("prw-r--r--    1 0        0               0 Nov 22 20:11 pipe", Row("special", "pipe", 0)),
        ("11-30-26  08:11PM       <DIR>          My Pictures", Row("folder", "My Pictures", 0)),
        ("11-30-2026  20:11                 1234 a b.jpg", Row("file", "a b.jpg", 1234)),
        ("11-30-26  08:11PM       <JUNCTION>     elsewhere", Row("link", "elsewhere", 0)),
        ("total 12", None),
    ],
)
def test_lines(line: str, row: Row | None) -> None:
    assert parse_line(line) == row


@pytest.mark.parametrize("line", ["", "a.jpg", "+i8388621.48594,m825718503,r,s280,\ta.jpg", "-rw-r--r-- a.jpg"])
def test_other_lines_are_not_guessed(line: str) -> None:
    with pytest.raises(LineUnknownError):
        parse_line(line)


def test_facts() -> None:
    assert parse_facts("Type=file;Size=3; a b=;.jpg") == Fact("a b=;.jpg", {"type": "file", "size": "3"})
    assert parse_facts("  lead") == Fact(" lead", {})
    for line in ("type=file;size=3;", "nothing at all", "type=file "):
        with pytest.raises(LineUnknownError):
            parse_facts(line)


def test_moments() -> None:
    assert moment(" 20261130201106") == datetime(2026, 11, 30, 20, 11, 6, tzinfo=UTC)
    assert moment("20261130201106.25") == datetime(2026, 11, 30, 20, 11, 6, 250_000, tzinfo=UTC)
    assert [moment(text) for text in (None, "", "20261399000000", "yesterday")] == [None] * 4
