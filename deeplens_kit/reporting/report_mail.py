"""A report as a mail: what a mail client shows of it, which is tables and plain words.

Takes the headline, figures and tables of a report as texts, gives a subject, a text and HTML with inline styles; must
not send anything. Clients drop style sheets, drawings, pictures within the page and modern layout, so that the page
itself arrives as ruins: this is a second, smaller telling of it, below the 102 kB at which Gmail cuts a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import SMTP
from html import escape

from deeplens_kit.reporting.templating import page_environment

__all__ = ["MailFigure", "MailTable", "ReportMail", "linked_mail", "mail_file", "report_mail"]

_TEMPLATE = "mail.html.jinja"
# Rows of a table in a mail; the page and the files hold all of them.
_MAX_ROWS = 10
# Bytes of a page that goes along, at most; base64 makes a third more of it, and many servers refuse 25 MB.
_MAX_PAGE_BYTES = 10_000_000
# Where a mail that is sent names its page; texts of a report are escaped, so that none is read as this.
_LINK_PLACE = "<!--page-->"
_LINK_STYLE = "font-family: Arial, Helvetica, sans-serif; font-size: 16px; line-height: 24px; padding-bottom: 16px;"


@dataclass(frozen=True, slots=True)
class MailFigure:
    """A number of the headline, what it is, and what it means."""

    name: str
    value: str
    says: str = ""


@dataclass(frozen=True, slots=True)
class MailTable:
    """A table of texts; the columns from `numbers_from` on are numbers and stand right."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int = 1


@dataclass(frozen=True, slots=True)
class ReportMail:
    """A report as a mail.

    Attributes:
        subject: One line.
        text: For clients without HTML.
        html: With inline styles alone: no script, picture, style sheet or address.
    """

    subject: str
    text: str
    html: str


def report_mail(
    *,
    title: str,
    headline: str,
    lead: str,
    about: str,
    figures: Sequence[MailFigure] = (),
    notes: Sequence[str] = (),
    tables: Sequence[MailTable] = (),
) -> ReportMail:
    """Tell a report as a mail.

    Args:
        title: What kind of report it is, for example "Savings".
        headline: The result in a few words.
        lead: What it means, in a sentence or two.
        about: Of what and when.
        figures: Numbers of the headline.
        notes: What limits the answer.
        tables: The main tables; one without rows is left out, and of a long one the first ten rows are told.
    """
    told = [table for table in tables if table.rows]
    html = page_environment().get_template(_TEMPLATE).render(
        title=title,
        headline=headline,
        lead=lead,
        about=about,
        figures=figures,
        notes=notes,
        tables=told,
        max_rows=_MAX_ROWS,
        link_place=_LINK_PLACE,
    )  # fmt: skip
    lines = [headline, "=" * min(len(headline), 72), "", lead, ""]
    lines += [f"{item.name}: {item.value}{f' ({item.says})' if item.says else ''}" for item in figures]
    lines += ["", *(f"Note: {note}" for note in notes)] if notes else []
    for table in told:
        lines += ["", table.title, "-" * len(table.title), *_columns(table)]
    lines += ["", about, ""]
    return ReportMail(subject=_line(f"{title}: {headline}"), text="\n".join(lines), html=html)


def linked_mail(mail: ReportMail, link: str) -> ReportMail:
    """The mail with where its page is, for one that goes without it.

    Args:
        mail: What to tell.
        link: An address, or a path; empty for none.
    """
    if not link:
        return mail
    shown = escape(link)
    if link.startswith(("https://", "http://")):
        shown = f'<a href="{shown}" style="color: #0b6647;">Open the report</a>'
    row = f'<tr><td style="{_LINK_STYLE} word-break: break-all;">{shown}</td></tr>'
    return replace(mail, text=f"{link}\n\n{mail.text}", html=mail.html.replace(_LINK_PLACE, row, 1))


def mail_file(mail: ReportMail, page: bytes = b"", name: str = "report.html") -> bytes:
    """The mail as a file that a mail program opens as a draft (RFC 5322), the page attached where it is small enough.

    Args:
        mail: What to tell.
        page: The report itself; empty for none.
        name: What the attachment is called.
    """
    message = EmailMessage(policy=SMTP)
    message["Subject"] = mail.subject
    # Outlook and Apple Mail open such a file for editing instead of as one that came in.
    message["X-Unsent"] = "1"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    if page and len(page) <= _MAX_PAGE_BYTES:
        message.add_attachment(page, maintype="text", subtype="html", filename=_line(name), params={"charset": "utf-8"})
    return message.as_bytes()


def _columns(table: MailTable) -> list[str]:
    """The rows of a table as lines, each value beside its heading."""
    told = [" | ".join(table.headings), *(" | ".join(map(_line, row)) for row in table.rows[:_MAX_ROWS])]
    more = len(table.rows) - _MAX_ROWS
    return [*told, f"and {more:,} more in the report"] if more > 0 else told


def _line(text: str) -> str:
    return " ".join(text.encode("utf-8", "backslashreplace").decode("utf-8").split())
