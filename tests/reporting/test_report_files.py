"""The numbers of a report as files: a text is never a formula, and all files hold the same numbers."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.reporting.report_files import file_endings, is_numbers, outdated_files, save_report_files
from deeplens_kit.reporting.report_mail import ReportMail, mail_file
from deeplens_kit.reporting.selection_files import selection_file
from deeplens_kit.reporting.spreadsheet import csv_table, workbook

MADE_AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
NASTY = [
    "=1+1.jpg", "+a", "-b", "@c", '=HYPERLINK("http://x")', "http://a.example/b", "\tq", "plain", "x\x01y", "12",
]  # fmt: skip


def frame_of(names: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"name": names, "bytes": [10**15 + at for at in range(len(names))], "at": [MADE_AT] * len(names)}
    )


def sheet_texts(content: bytes) -> tuple[list[str], list[str]]:
    """The XML of each sheet, and the shared texts."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        texts = re.findall(r"<t[^>]*>(.*?)</t>", archive.read("xl/sharedStrings.xml").decode())
    return sheets, texts


def test_a_text_in_a_workbook_is_a_text_whatever_it_begins_with() -> None:
    content = workbook(
        {"Files": frame_of(NASTY), "None of it": frame_of([]), "Long": frame_of(["a" * 40_000])}, MADE_AT
    )
    sheets, texts = sheet_texts(content)
    assert len(sheets) == 3
    for sheet in sheets:
        assert "<f>" not in sheet
        assert "<hyperlink" not in sheet
        # Every cell of the first column points to a shared text.
        assert all('t="s"' in cell for cell in re.findall(r'<c r="A\d+"[^>]*>', sheet))
    assert {"=1+1.jpg", "@c", "12", "x\ufffdy", "2026-03-04T05:06:00.000000+00:00"} <= set(texts)
    assert max(map(len, texts)) == 32_767


def test_equal_numbers_make_equal_workbooks() -> None:
    assert workbook({"Files": frame_of(NASTY)}, MADE_AT) == workbook({"Files": frame_of(NASTY)}, MADE_AT)


def test_csv_may_be_opened_in_a_spreadsheet() -> None:
    read = pl.read_csv(csv_table(frame_of(NASTY)))
    assert read["name"].to_list() == [f"'{name}" if name[0] in "=+-@\t" else name for name in NASTY]
    assert read["bytes"].to_list() == frame_of(NASTY)["bytes"].to_list()


def test_selected_pictures_are_such_a_csv_too() -> None:
    one = {"path": "=cmd|' /C calc'!A0", "x": 0.5, "y": 0.5, "dated_at": MADE_AT.replace(tzinfo=None)}
    selected = pl.DataFrame([one, {**one, "path": "\n=1+1.jpg"}])
    read = pl.read_csv(selection_file(selected, ".csv"))
    assert read["path"].to_list() == ["'=cmd|' /C calc'!A0", "'\n=1+1.jpg"]
    assert read.columns == ["path", "dated_at"] and read["dated_at"][0].startswith("2026-03-04T05:06:00")


def test_the_pdf_of_the_report_before_is_outdated_and_one_of_somebody_else_is_not(tmp_path: Path) -> None:
    page, pdf, mail = (tmp_path / f"monday{ending}" for ending in (".html", ".pdf", ".eml"))
    pdf.write_bytes(b"%PDF-1.4\n" + b"x" * 9000 + b"/Producer (Skia/PDF m150)\n%%EOF")
    mail.write_bytes(mail_file(ReportMail("s", "t", "h")))
    assert outdated_files("savings", page, pdf=False, mail=False) == [], "no numbers say that it is a report's"
    (tmp_path / "monday.json").write_text('{\n"command": "savings",', encoding="utf-8")
    assert outdated_files("savings", page, pdf=False, mail=False) == [pdf, mail]
    assert outdated_files("savings", page, pdf=True, mail=False) == [mail]
    assert outdated_files("drift", page, pdf=False, mail=False) == []
    pdf.write_bytes(b"%PDF-1.4 of a scanner")
    mail.write_bytes(b"Subject: hello")
    assert outdated_files("savings", page, pdf=False, mail=False) == []


@pytest.mark.parametrize("name", ["savings", "coverage", "drift", "evidence"])
def test_the_files_are_those_that_are_told_and_nothing_without_a_folder(tmp_path: Path, name: str) -> None:
    rows = frame_of(["a"])
    document = [f'{{\n"command": "{name}",\n"rows": []}}\n']
    more = dict.fromkeys(file_endings(name)[4:], rows)
    save_report_files(name, "", document, rows, {"Rows": rows}, MADE_AT, more)
    assert list(tmp_path.iterdir()) == []
    save_report_files(name, tmp_path, document, rows, {"Rows": rows}, MADE_AT, more)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        f"{name}{ending}" for ending in file_endings(name)
    )
    json_file = tmp_path / f"{name}.json"
    assert json.loads(json_file.read_text())["command"] == name
    assert is_numbers(json_file, name)
    assert not is_numbers(json_file, "other")
    assert not is_numbers(tmp_path / "none.json", name)
    assert pl.read_parquet(tmp_path / f"{name}.parquet").equals(rows)
