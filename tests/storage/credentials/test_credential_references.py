"""References in texts: found, checked, replaced, logged by name, and their values masked from then on."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from urllib.parse import quote

import pytest
from leaks import assert_no_secret

from deeplens_kit.errors import CredentialMissingError, SettingsError, UnknownNameError
from deeplens_kit.storage.credentials import has_reference, is_reference, providers, references, resolve
from deeplens_kit.telemetry import MASK, get_logger, redact, redact_value

PASSWORD = "zq1/p@ss word:%1+ü"


@pytest.mark.parametrize(
    ("text", "whole", "within"),
    [
        ("${NAME}", True, True),
        ("${env:NAME}", True, True),
        ("${keyring:https://share/x/anna}", True, True),
        ("${file:/a b/secrets.toml#shop.key}", True, True),
        ("${infisical:p/prod/NAME}", True, True),
        ("${A}${B}", False, True),
        ("postgresql://u:${PGPASS}@h/db", False, True),
        ("$NAME", False, False),
        ("${}", False, False),
        ("${NAME", False, False),
        ("${NA\nME}", False, False),
        ("", False, False),
    ],
)
def test_a_reference_is_told_by_its_form(text: str, whole: bool, within: bool) -> None:
    assert (is_reference(text), has_reference(text)) == (whole, within)


def test_references_are_taken_apart() -> None:
    first, second = references("AccountKey=${AZURE_KEY};Pwd=${keyring:a/b/c}")
    assert (first.text, first.provider, first.name) == ("${AZURE_KEY}", "env", "AZURE_KEY")
    assert (second.text, second.provider, second.name) == ("${keyring:a/b/c}", "keyring", "a/b/c")
    assert references("nothing here") == ()


def test_all_references_of_a_text_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZQ_USER", "zq-anna")
    monkeypatch.setenv("ZQ_PASSWORD", PASSWORD)
    url = "postgresql://${ZQ_USER}:${env:ZQ_PASSWORD}@h/db"
    assert resolve(url) == f"postgresql://zq-anna:{PASSWORD}@h/db"
    assert resolve(url, in_url=True) == f"postgresql://zq-anna:{quote(PASSWORD, safe='')}@h/db"
    assert resolve("${ZQ_PASSWORD}", in_url=True) == PASSWORD, "the whole text is the value"
    assert resolve("no ${ reference $HERE") == "no ${ reference $HERE"


def test_a_value_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZQ_OUTER", "zq-${ZQ_INNER}\\1")
    assert resolve("<${ZQ_OUTER}>") == "<zq-${ZQ_INNER}\\1>"


def test_an_unknown_provider_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"'keyrings'; did you mean 'keyring'"):
        resolve("${keyrings:a/b}")
    assert providers() == ("env", "file", "infisical", "keyring")


@pytest.mark.parametrize(
    "text", ["${a b}", "${env:1X}", "${keyring:alone}", "${keyring:/anna}", "${file:secrets.toml#a}", "${file:/a.toml}",
             "${file:/a.toml#a..b}", "${infisical:a/b}", "${infisical:a//b}"]
)  # fmt: skip
def test_a_name_that_cannot_be_is_refused_with_how_it_is_written(text: str) -> None:
    with pytest.raises(SettingsError, match="write") as caught:
        references(f"password={text}")
    assert text in str(caught.value)
    assert not isinstance(caught.value, CredentialMissingError)


def test_each_resolve_is_logged_by_name_and_never_by_value(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZQ_PASSWORD", PASSWORD)
    for _ in range(2):
        resolve("sftp://anna:${ZQ_PASSWORD}@host", in_url=True)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["event"], line["reference"], line["level"]) for line in lines] == [
        ("credential read", "${ZQ_PASSWORD}", "info")
    ] * 2
    assert_no_secret([], [log.getvalue()], [PASSWORD])


def test_a_resolved_value_is_masked_wherever_it_shows_up(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZQ_PASSWORD", PASSWORD)
    value = resolve("${ZQ_PASSWORD}")
    shown = [f"login with {value} failed", quote(value, safe=""), quote(value, safe="").lower(), json.dumps(value)]
    # As HTTP Basic sends it: what base64 makes of it depends on how long the user's name is.
    shown += [base64.b64encode(f"{user}:{value}".encode()).decode() for user in ("a", "bo", "cyd", "")]
    shown += [base64.urlsafe_b64encode(f"{user}:{value}".encode()).decode() for user in ("a", "bo", "cyd", "")]
    for text in shown:
        assert MASK in redact(text), text
        get_logger("test").warning("refused", header=text)
    try:
        raise ConnectionError(shown[0])
    except ConnectionError:
        get_logger("test").exception("failed")
    document = json.dumps(redact_value({"rows": [{"message": text} for text in shown]}))
    assert_no_secret([], [log.getvalue(), document, *map(redact, shown)], [value])


def test_the_whole_of_a_login_in_base64_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZQ_PASSWORD", PASSWORD)
    login = base64.b64encode(f"anna:{resolve('${ZQ_PASSWORD}')}:x".encode()).decode()
    assert redact(f"sent [{login}] and [{login}], refused") == f"sent [{MASK}] and [{MASK}], refused"


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys; import deeplens_kit.storage.credentials as c; c.references('${keyring:a/b}${infisical:a}${A}'); "
        "assert not {'keyring', 'httpx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
