"""Texts that name files that went: which names change, which are left, and that all else stays as it is."""

from __future__ import annotations

import codecs
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.actions import Redirect, Rewritten, TextRewriter, rewrite_table

REDIRECTS = [
    Redirect("/p/two/c 0.jpg", "/p/pics/0.jpg"),
    Redirect("/p/two/c1.jpg", "/p/pics/sub/1 é.jpg"),
    Redirect("/p/other/c1.jpg", "/p/pics/2.jpg"),
    Redirect("s3://store/x/a b.png", "s3://store/y/a&b.png"),
    Redirect("/p/two/d.jpg", "/p/pics/d,1.jpg"),
]


def rewrite(text: str | bytes, address: str = "/p/two/list.txt") -> Rewritten:
    return TextRewriter(REDIRECTS).rewrite(text.encode() if isinstance(text, str) else text, address)


@pytest.mark.parametrize(
    ("address", "before", "after"),
    [
        ("/p/two/list.txt", "c1.jpg\r\nother\r\nc 0.jpg\r\n", "../pics/sub/1 é.jpg\r\nother\r\n../pics/0.jpg\r\n"),
        ("/p/list.txt", "./two/c 0.jpg", "./pics/0.jpg"),
        ("/p/deep/list.txt", "see ../two/c 0.jpg, at last", "see ../pics/0.jpg, at last"),
        ("/q/list.txt", "/p/two/c1.jpg /p/two/c1.jpg.", "/p/pics/sub/1 é.jpg /p/pics/sub/1 é.jpg."),
        ("/p/two/sums.txt", f"{'0' * 64} *c 0.jpg\n", f"{'0' * 64} *../pics/0.jpg\n"),
        ("/p/two/sums.txt", f"{'0' * 64}  c 0.jpg\n", f"{'0' * 64}  ../pics/0.jpg\n"),
        ("/p/two/list.yaml", "- c1.jpg\ncover: c 0.jpg\n", "- ../pics/sub/1 é.jpg\ncover: ../pics/0.jpg\n"),
        ("/q/i.html", '<a href="file:///p/two/c%200.jpg?x">', '<a href="file:///p/pics/0.jpg?x">'),
        ("/p/two/i.html", '<img src="c%200.jpg">', '<img src="../pics/0.jpg">'),
        ("/p/two/i.html", '<img src="c1.jpg">', '<img src="../pics/sub/1%20%C3%A9.jpg">'),
        ("/q/i.json", '{"a": "/p/two/c1.jpg"}', '{"a": "/p/pics/sub/1 é.jpg"}'),
        ("/q/t.csv", '"/p/two/d.jpg",1\n', '"/p/pics/d,1.jpg",1\n'),
        ("s3://store/x/list.txt", "a b.png\n", "../y/a&b.png\n"),
        ("/q/list.txt", "s3://store/x/a%20b.png", "s3://store/y/a%26b.png"),
    ],
)
def test_a_name_that_leads_to_a_file_that_went_changes(address: str, before: str, after: str) -> None:
    assert (rewrite(before, address).data or b"").decode() == after


@pytest.mark.parametrize(
    ("address", "text", "why"),
    [
        ("/p/two/list.txt", "at the sea c1.jpg", "end of a longer name"),
        ("/p/two/list.txt", "/p/two/c1.jpg copy.jpg", "beginning of a longer name"),
        ("/q/list.txt", "c1.jpg", "fits 2 files"),
        ("/q/list.txt", "two/c 0.jpg", "does not lead to it"),
        ("/q/t.csv", "/p/two/d.jpg,1\n", "written in several ways"),
        ("/p/two/i.xml", "<p>/p/two/c1.jpg</p>", "written in several ways"),
    ],
)
def test_a_name_in_doubt_is_left_and_told(address: str, text: str, why: str) -> None:
    found = rewrite(text, address)
    assert found.data is None
    assert why in found.left[0].why


@pytest.mark.parametrize(
    "text", ["/p/two/c1.jpg.bak", "C:/p/two/c1.jpg", "x/p/two/c1.jpg", "/p/two/c1.jpgx", "c10.jpg"]
)
def test_a_part_of_another_name_is_nothing(text: str) -> None:
    found = rewrite(text)
    assert (found.data, found.left) == (None, ())


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", "utf-8"),
    ],
)
def test_encoding_and_ends_of_lines_stay(mark: bytes, encoding: str) -> None:
    text = "a\r\n/p/two/c1.jpg\r/p/two/c1.jpg\n\x85é\u2028"
    after = text.replace("/p/two/c1.jpg", "/p/pics/sub/1 é.jpg")
    assert rewrite(mark + text.encode(encoding)).data == mark + after.encode(encoding)


def test_bytes_that_are_no_text_stay() -> None:
    assert rewrite(b"\xe9\xff\n/p/two/c 0.jpg\n").data == b"\xe9\xff\n/p/pics/0.jpg\n"


def test_many_names_in_one_long_line_take_no_time_for_each_other() -> None:
    text = '{"p": "/p/two/c 0.jpg"}, c1.jpg copy.jpg, ' * 5_000
    found = rewrite(text, "/p/two/one line.json")
    assert (found.references, len(found.left), len(found.changes)) == (5_000, 5_000, 1)
    assert len(found.changes[0].after) == 300


_PATHS = st.lists(
    st.text("ab é&\"',.", min_size=1, max_size=6).map(str.strip).filter(lambda part: bool(part.strip("."))),
    min_size=1,
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_PATHS, min_size=1, max_size=4), st.text("/ab \n\"',.&é[]"), st.sampled_from(["t.txt", "t.json", "t.html"])
)
def test_the_way_back_gives_the_same_bytes(paths: list[list[str]], around: str, name: str) -> None:
    olds = [f"/old{number}/{'/'.join(parts)}.png" for number, parts in enumerate(paths)]
    there = [Redirect(old, f"/new{old.removeprefix('/old')}") for old in olds]
    back = [Redirect(redirect.new, redirect.old) for redirect in there]
    text = f"{around}\n".join(["", *olds, ""]).encode()
    found = TextRewriter(there).rewrite(text, f"/lists/{name}")
    again = TextRewriter(back).rewrite(found.data or text, f"/lists/{name}")
    assert (again.data or found.data or text) == text
    assert (found.data is None) == (again.data is None)


def test_each_line_that_changes_is_shown_once() -> None:
    found = rewrite("x\n/p/two/c 0.jpg,/p/two/c 0.jpg\n")
    change = found.changes[0]
    assert (change.line, change.references, len(found.changes)) == (2, 2, 1)
    assert (change.before, change.after) == ("/p/two/c 0.jpg,/p/two/c 0.jpg", "/p/pics/0.jpg,/p/pics/0.jpg")


def test_the_redirects_that_it_names_give_the_same_again() -> None:
    text = b"c1.jpg\nat c 0.jpg\n/p/two/d.jpg\n"
    found = rewrite(text)
    assert TextRewriter(list(found.used)).rewrite(text, "/p/two/list.txt").data == found.data


def test_columns_of_texts_of_a_table_change_and_nothing_else() -> None:
    names = TextRewriter(REDIRECTS).names("text")
    paths = ["c 0.jpg", "file:///p/two/c1.jpg", "see /p/two/c1.jpg", None] * 2
    packed = pa.array(paths).dictionary_encode()
    table = pa.table({"path": paths, "again": packed, "n": range(8)}).replace_schema_metadata({"made by": "somebody"})
    source = io.BytesIO()
    pq.write_table(table, source, compression="zstd", row_group_size=3)
    found = rewrite_table(source.getvalue(), "/p/two/t.parquet", names)
    again = pq.ParquetFile(io.BytesIO(found.data or b""))
    after = again.read()
    assert after["path"].to_pylist()[:4] == ["../pics/0.jpg", "file:///p/pics/sub/1%20%C3%A9.jpg", paths[2], None]
    assert after["again"].to_pylist() == after["path"].to_pylist()
    assert (after.schema, after["n"]) == (table.schema, table["n"])
    assert after.schema.metadata == {b"made by": b"somebody"}
    assert [again.metadata.row_group(at).num_rows for at in range(3)] == [3, 3, 2]
    assert again.metadata.row_group(0).column(0).compression == "ZSTD"
    assert [(change.column, change.references) for change in found.changes] == [("path", 2)] * 2 + [("again", 2)] * 2
    assert rewrite_table(source.getvalue(), "/p/two/t.parquet", names).data == found.data


def test_a_table_whose_other_columns_would_change_is_left() -> None:
    """Times as INT96, as Spark writes them: they would come back as another type, and far ones as another time."""
    table = pa.table({"path": ["/p/two/c 0.jpg"], "at": pa.array([0], pa.timestamp("ns"))})
    source = io.BytesIO()
    pq.write_table(table, source, use_deprecated_int96_timestamps=True)
    with pytest.raises(ValueError, match="column 'at' would have another type"):
        rewrite_table(source.getvalue(), "/p/two/t.parquet", TextRewriter(REDIRECTS).names("text"))
