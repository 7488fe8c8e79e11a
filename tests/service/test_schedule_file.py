"""The file of schedules says what it means, or all that is wrong with it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.service.schedules import Schedule, read_schedules, schedule_named

FULL = """
defaults: {timezone: Europe/Berlin, retries: 1, notify: "smtp://m.example/?to=b@x.org&from=a@x.org"}
schedules:
  weekly:
    report: savings
    parameters: {max_groups: 50, tiers: [bytes, pixels], rule: "007"}
    cron: 0 6 * * mon
    to: pages/savings-{date}.html
    link: https://intranet.example.org/{file}
    formats: [html, pdf]
    retry_minutes: 0.5
  to-a-bucket:
    report: savings
    cron: "@monthly"
    timezone: UTC
    to: s3://reports/a/{date}-{time}.html
    to_options: {region: eu-central-1, anonymous: true}
    notify: []
    paused: true
  clean-up:
    workflow: nightly
    index: true
    cron: "*/15 3 * * *"
  plain: {report: savings, cron: "0 0 1 1 *"}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "schedules.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_comes_back(tmp_path: Path) -> None:
    weekly, bucket, clean_up, plain = read_schedules(written(tmp_path, FULL))
    mail = ("smtp://m.example/?to=b@x.org&from=a@x.org",)
    parameters = {"max_groups": "50", "tiers": "bytes,pixels", "rule": "007"}
    assert weekly == Schedule(
        "weekly", "savings", parameters, "0 6 * * 1", "Europe/Berlin", str(tmp_path / "pages/savings-{date}.html"),
        {}, True, mail, "https://intranet.example.org/{file}", 1, 0.5,
    )  # fmt: skip
    assert (bucket.to, bucket.to_options, bucket.zone, bucket.notify, bucket.cron, bucket.paused, bucket.in_store) == (
        "s3://reports/a/{date}-{time}.html", {"region": "eu-central-1", "anonymous": True}, "UTC", (), "0 0 1 * *",
        True, True,
    )  # fmt: skip
    assert (clean_up.report, clean_up.parameters, clean_up.what) == (
        "workflow", {"workflow": "nightly", "index": "true"}, "workflow nightly",
    )  # fmt: skip
    assert plain.to == str(tmp_path / "plain-{date}.html") and plain.retries == 1
    assert [Schedule.of(item.to_json()) for item in (weekly, bucket)] == [weekly, bucket]
    with pytest.raises(UnknownNameError, match="no schedule named 'weakly'; did you mean 'weekly'"):
        schedule_named((weekly, bucket), "weakly")


def test_the_example_is_valid_and_so_is_what_it_leaves_out(repository: Path, tmp_path: Path) -> None:
    text = (repository / "reports" / "schedules.yaml").read_text(encoding="utf-8")
    assert [item.name for item in read_schedules(written(tmp_path, text))] == ["weekly-savings"]
    # What stands behind "# " is YAML too; a sentence is not, and begins with a capital letter.
    shown = []
    for line in text.splitlines():
        bare = line.lstrip()
        uncommented = bare.removeprefix("# ")
        is_prose = bare.startswith("# ") and not uncommented.lstrip().startswith(("- ", "notify", "parameters", "link"))
        is_key = bare.startswith("# ") and uncommented.lstrip().split(" ")[0].endswith(":") and uncommented[:1] != "A"
        indent = line[: len(line) - len(bare)]
        shown.append(indent + uncommented if is_key or (bare.startswith("# ") and not is_prose) else line)
    found = {item.name: item for item in read_schedules(written(tmp_path, "\n".join(shown)))}
    assert list(found) == ["weekly-savings", "monthly-to-a-bucket", "nightly-clean-up"]
    weekly = found["weekly-savings"]
    assert weekly.pdf and weekly.link and len(weekly.notify) == 2 and weekly.parameters["tiers"] == "bytes,pixels"
    assert found["monthly-to-a-bucket"].paused and found["nightly-clean-up"].parameters["index"] == "true"


def test_all_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    wrong = """\
defalts: {}
schedules:
  a week:
    report: savngs
    cron: "0 6 * * 8"
    to: s3://b/x.html
    formats: [pfd]
    notify: smtp://a:hunter22@h/?to=x@y.z
  b:
    workflow: x
    to: x
    cron: 0 5 * * *
    cron: 1 5 * * *
  c:
    report: savings
    cron: "@dialy"
    timezone: Europe/Belin
    parameters: {max_grups: 3, max_groups: x, workspace: a}
    retries: 11
    paused: maybe
    to: "{day}.html"
    to_options: {region: x}
    link: file:///x
  d: 3
  e: {report: savings, cron: 0 0 1 1 *, to: "s3://b/{date}.html", to_options: {regon: x, secret_key: hunter22}}
  f: {report: savings, cron: 0 0 1 1 *, to: g-2.html, index: true}
  g: {report: savings, cron: 0 0 1 1 *, to: g-2.html}
"""
    with pytest.raises(SettingsError) as refused:
        read_schedules(written(tmp_path, wrong))
    said = str(refused.value)
    assert "hunter22" not in said and "\n" not in said
    for line, words in (
        (1, "no key named 'defalts'; did you mean 'defaults'?"),
        (3, "'a week' cannot name a schedule"),
        (4, "no report named 'savngs'; did you mean 'savings'?"),
        (5, "weekday '8' is not understood"),
        (6, "needs {date} or {time}"),
        (7, "did you mean 'pdf'?"),
        (8, "smtp://h, holds a password in clear"),
        (11, "`to` is for reports"),
        (13, "'cron' stands here twice"),
        (16, "'@dialy' is none of @hourly"),
        (17, "no time zone 'Europe/Belin'"),
        (18, "'max_groups' is 'x'"),
        (18, "did you mean 'max_groups'?"),
        (18, "'workspace' is set by"),
        (19, "retries is '11'; it must be a whole number from 0 to 10"),
        (20, "paused is 'maybe'; it must be true or false"),
        (21, "'{day}'; "),
        (22, "`to_options` are of a store"),
        (23, "`link` is 'file:///x'; it must begin with https://"),
        (24, "keys with values"),
        (25, "did you mean 'region'?"),
        (25, "Option 'secret_key' of location 'report' holds"),
        (26, "`index` is for workflows"),
        (27, "'f' and 'g' would write the same page"),
    ):
        told = [part for part in said.split("Line ") if part.startswith(f"{line}: ")]
        assert any(words in part for part in told), (line, words, told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schedules:\n  a:\n    cron: @daily\n", r"line 3: .*in quotation marks"),
        ("schedules:\n  a:\n    cron: * * * * *\n", r"in quotation marks"),
        ("a: [", "is not valid YAML: line"),
        ("- a", "must stand keys with values"),
        ("schedules: {a: {report: savings, workflow: x, cron: 0 0 1 1 *}}", "one of `report` and `workflow`"),
        ("schedules: {a: {report: savings}}", r"Schedule 'a' has no `cron`"),
    ],
)
def test_what_is_no_file_of_schedules_says_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_schedules(written(tmp_path, text))


def test_what_lacks_a_report_is_told_its_other_faults_too(tmp_path: Path) -> None:
    text = "schedules: {a: {cron: 99 0 1 1 1, to: page.txt, formats: [doc], retries: -1, link: nowhere}}"
    with pytest.raises(SettingsError) as raised:
        read_schedules(written(tmp_path, text))
    for words in (
        "one of `report` and `workflow`",
        "minute",
        "ends in .html",
        "'doc'",
        "retries",
        "`link` is 'nowhere'",
    ):
        assert words in str(raised.value)


def test_a_file_that_is_not_there_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="deeplens schedule example"):
        read_schedules(tmp_path / "none.yaml")
    assert read_schedules(written(tmp_path, "")) == read_schedules(written(tmp_path, "schedules:\n")) == ()
