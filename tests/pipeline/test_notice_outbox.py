"""Notices of things whose names are no text can be sent all the same."""

from __future__ import annotations

import json

from deeplens_kit.pipeline.notice_outbox import Notice


def test_names_that_are_no_text_are_written_out() -> None:
    document = {"made_at": "2026-03-02T06:00:41+00:00", "workspace": "a\udcff"}
    notice = Notice("1", "x/1", "of a\udcff", ("in a\udcff",), document)
    assert json.loads(notice.as_document())["workspace"] == "a\udcff"
    mail = notice.as_mail("anna@example.org", ["ben@example.org"])
    assert mail["Subject"] == "of a\\udcff" and mail.get_content() == "in a\\udcff\n" and mail.as_bytes()
