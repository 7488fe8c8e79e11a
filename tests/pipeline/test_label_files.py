"""Files of labels and benchmark folders: what they say, and that nothing of a file with a wrong line counts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.benchmark_folder import read_benchmark
from deeplens_kit.pipeline.label_files import read_label_file

A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


def written(tmp_path: Path, text: str, name: str = "labels.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_labels_by_digest_with_all_that_a_file_can_say(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "digest_a,digest_b,verdict,who,labelled_at,note,likelihood\n"
        f'{A.upper()},{B},Same,anna@desk,2026-05-31T16:30:00+02:00,"a, b",0.9\n'
        f"\n{A},{C},unsure,,2026-05-31,,\n",
    )
    first, second = read_label_file(path)
    assert (first.line, first.ends, first.by_digest, first.verdict) == (2, (A, B), True, "same")
    assert (first.who, first.note) == ("anna@desk", "a, b")
    assert first.labelled_at == datetime(2026, 5, 31, 14, 30, tzinfo=UTC)
    assert (second.line, second.verdict, second.who, second.note) == (4, "unsure", None, "")
    assert second.labelled_at == datetime(2026, 5, 31, tzinfo=UTC)


def test_labels_by_place_as_a_spreadsheet_saves_them(tmp_path: Path) -> None:
    path = written(tmp_path, "place_a;place_b;verdict\r\npics:a.jpg;pics:b, c.jpg;different\r\n", encoding="utf-8-sig")
    (label,) = read_label_file(path)
    assert (label.ends, label.by_digest, label.labelled_at) == (("pics:a.jpg", "pics:b, c.jpg"), False, None)


def test_every_wrong_line_is_told_and_nothing_counts(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "digest_a,digest_b,place_a,place_b,verdict,labelled_at\n"
        f"{A},{B},,,same,\n"
        f"{A},{B},,,maybe,\n"
        f"{A},1234,,,same,\n"
        f"{A},{A},,,same,\n"
        ",,pics:a.jpg,,same,\n"
        f"{A},{C},,,same,yesterday\n"
        f"{A},{D},,,,\n",
    )
    with pytest.raises(SettingsError) as refused:
        read_label_file(path)
    said = str(refused.value)
    assert said.startswith(f"Nothing was imported from {str(path)!r}: line 3: the verdict is 'maybe'; allowed: same, ")
    assert "line 4: '1234' is no digest" in said
    assert "line 5: it names one picture twice" in said
    assert "line 6: it names no two pictures" in said
    assert "line 7: labelled_at is 'yesterday'" in said
    assert said.endswith("and 1 more.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks the column verdict, digest_a and digest_b or place_a and place_b"),
        ("digest_a,verdict\n", "lacks the column digest_a and digest_b or place_a and place_b"),
        (f"digest_a,digest_b,verdict\n{A},{B},same,more\n", "line 2 has more cells"),
        (f'digest_a,digest_b,verdict\n{A},{B},"sa"me\n', "is no CSV file: line 2"),
    ],
)
def test_what_is_no_file_of_labels_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_label_file(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_label_file(tmp_path / "none.csv")
    with pytest.raises(SettingsError, match="no text in UTF-8"):
        read_label_file(written(tmp_path, "digest_a,digest_b,verdict\nä", encoding="latin-1"))


def test_a_manifest_says_what_its_sources_say(tmp_path: Path) -> None:
    rows = [("1.jpg", "s1", A), ("2.jpg", "s1", B), ("3.jpg", "s2", C), ("4.jpg", "s3", D), ("5.jpg", "s3", D)]
    manifest = "path,source_id,sha256,width\n" + "".join(f"{path},{source},{sha},9\n" for path, source, sha in rows)
    written(tmp_path, manifest, "manifest.csv")
    written(tmp_path, "source_a,source_b,reason\ns2,s1,alike\n", "ignore.csv")
    truth = read_benchmark(tmp_path)
    asked = [(A, B), (B, A), (A, C), (C, B), (A, D), (C, D), (A, "e" * 64)]
    assert list(truth.verdicts(asked)) == ["same", "same", "unsure", "unsure", "different", "different", None]
    assert truth.files == 5


def test_equal_bytes_under_two_sources_are_copies_of_both(tmp_path: Path) -> None:
    written(tmp_path, f"path,source_id,sha256\n1,s1,{A}\n2,s2,{A}\n3,s1,{B}\n4,s2,{C}\n", "manifest.csv")
    truth = read_benchmark(tmp_path)
    assert list(truth.verdicts([(A, B), (A, C), (B, C)])) == ["same", "same", "different"]


def test_a_folder_whose_manifest_is_missing_or_wrong_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no manifest\.csv"):
        read_benchmark(tmp_path)
    written(tmp_path, f"path,source_id,sha256\n1,,{A}\n2,s,12\n", "manifest.csv")
    with pytest.raises(SettingsError, match=r"line 2: source_id is empty.*line 3: sha256 is '12'"):
        read_benchmark(tmp_path)
    written(tmp_path, f"path,source_id,sha256\n1,s,{A}\n", "manifest.csv")
    written(tmp_path, "source_a,source_b\ns,t\n", "ignore.csv")
    with pytest.raises(SettingsError, match=r"line 2: source 't' is not in manifest\.csv"):
        read_benchmark(tmp_path)
