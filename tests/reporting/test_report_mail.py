"""A report as a mail: what every client shows, small enough that none cuts it."""

from __future__ import annotations

import email
import re
from email.policy import default
from typing import Any

from rich_report import HOSTILE, enriched
from test_savings_report import report_of

from deeplens_kit.reporting.report_mail import MailTable, mail_file, report_mail
from deeplens_kit.reporting.savings_mail import savings_headline, savings_mail, savings_notes

# Gmail cuts a message there.
GMAIL_BYTES = 102_000


def test_a_mail_holds_nothing_that_clients_drop(answer: Any) -> None:
    mail = savings_mail(enriched(report_of(answer, notes=["A <note> with `code`."])))
    for dropped in ("<style", "<svg", "<img", "<script", "data:", "var(--", "display: grid", "display: flex", "href="):
        assert dropped not in mail.html, dropped
    assert "&lt;script&gt;" in mail.html
    assert "A &lt;note&gt; with <code>code</code>." in mail.html
    # Layout tables say so; the others have headings.
    assert mail.html.count('role="presentation"') == 2
    assert mail.html.count('scope="col"') > 10
    for said in (mail.html, mail.text):
        assert "190 kB could be freed" in said
        assert "95.3 kB to 190 kB" in said
        assert "71.4 %" in said
        assert "Shop:phone backup" in said
    assert "<" not in mail.text.replace(HOSTILE, "").replace("<note>", "").replace("<b>of</b>", "").replace("<Web>", "")
    assert mail.subject == "Savings: 190 kB could be freed"


def test_a_mail_stays_below_what_clients_cut() -> None:
    rows = tuple((f"folder {at} {'x' * 200}", "1", "2 MB") for at in range(5000))
    mail = report_mail(
        title="Savings",
        headline="2 TB\ncould\r\nbe freed",
        lead="Many.",
        about="w",
        tables=[MailTable(f"Table {at}", ("Folder", "Files", "Size"), rows) for at in range(8)],
    )
    assert len(mail.html.encode()) < GMAIL_BYTES
    assert "and 4,990 more in the report" in mail.html
    assert mail.subject == "Savings: 2 TB could be freed"


def test_the_file_is_a_draft_with_a_text_and_the_page(answer: Any) -> None:
    mail = savings_mail(report_of(answer))
    message: Any = email.message_from_bytes(mail_file(mail, b"<!doctype html><p>page", "monday.html"), policy=default)
    assert message["Subject"] == mail.subject
    assert message["X-Unsent"] == "1"
    assert message["To"] is None
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == mail.text
    assert "<table" in message.get_body(("html",)).get_content()
    (page,) = message.iter_attachments()
    assert (page.get_filename(), page.get_content_type()) == ("monday.html", "text/html")
    large = email.message_from_bytes(mail_file(mail, b"x" * 10_000_001, "large.html"), policy=default)
    assert list(large.iter_attachments()) == []  # type: ignore[attr-defined]


def test_a_workspace_with_nothing_in_it_has_a_mail_too(
    answer: Any, no_duplicates: Any, nothing_analysed: Any, nothing_found: Any
) -> None:
    says = {}
    for name, item in (("none", no_duplicates), ("failures", nothing_analysed), ("empty", nothing_found)):
        notes = savings_notes(report_of(item))
        assert notes.mail is not None
        says[name] = notes.headline
        assert notes.headline in notes.mail.html
        assert "How sure it is" not in notes.mail.text
        assert re.search(r"Nothing has been removed", notes.mail.html)
    assert says == {"none": "Nothing to save", "failures": "Nothing could be analysed", "empty": "Nothing indexed yet"}
    assert savings_headline(report_of(answer)).endswith("could be freed")
