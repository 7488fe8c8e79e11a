"""The search for secrets finds them, and finds nothing where there are none."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from leaks import assert_no_secret

SECRET = 'zq7/hunter+22 "ü"=='

FORMS: list[Callable[[str], str]] = [
    str,
    lambda secret: quote(secret, safe=""),
    lambda secret: quote(secret, safe="").lower(),
    quote,
    json.dumps,
    *(lambda secret, user=user: base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("a", "bo", "cyd")),
    lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_every_form(form: Callable[[str], str], tmp_path: Path) -> None:
    written = f"before {form(SECRET)} behind"
    with pytest.raises(AssertionError, match="secret 1 in text 0") as caught:
        assert_no_secret([], [written], ["other-one", SECRET])
    assert "hunter" not in str(caught.value)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "some.bin").write_bytes(b"\xff\0" + written.encode())
    with pytest.raises(AssertionError, match=r"some\.bin"):
        assert_no_secret([tmp_path], [], [SECRET])


def test_a_secret_is_found_in_a_database_and_in_a_name(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        database.execute("create table options (value text)")
        database.execute("insert into options values (?)", (SECRET,))
    database.close()
    with pytest.raises(AssertionError, match=r"ledger\.sqlite"):
        assert_no_secret([tmp_path], [], [SECRET])
    (tmp_path / "named").mkdir()
    (tmp_path / "named" / "x-hunter22-x").touch()
    with pytest.raises(AssertionError, match="the name"):
        assert_no_secret([tmp_path / "named"], [], ["hunter22"])


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "some.bin").write_bytes(bytes(range(256)) * 40)
    assert_no_secret([tmp_path], ["hunter2 and 22"], [SECRET, "hunter22"])


def test_a_search_that_looks_at_nothing_fails(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no secret to look for"):
        assert_no_secret([], ["text"], [])
    with pytest.raises(AssertionError, match="not there"):
        assert_no_secret([tmp_path / "nowhere"], [], ["hunter22"])
    with pytest.raises(AssertionError, match="too short"):
        assert_no_secret([], ["text"], ["abc"])


_LEAKS = """
from tests.servers.issued import issue

SECRET = issue("test-password-0123456789abcdef")


def test_prints():
    print("logged in with", SECRET)


def test_writes(tmp_path):
    issue("test-password-of-another-server")
    (tmp_path / "catalog").write_text(f"url = 'ftp://anna:{SECRET}@host'")


def test_is_silent(tmp_path):
    issue("test-password-of-a-third-server")
    (tmp_path / "catalog").write_text("url = 'ftp://anna:${SECRET}@host'")
"""


def test_a_test_that_leaves_a_servers_credential_anywhere_fails(tmp_path: Path) -> None:
    (tmp_path / "test_that_leaks.py").write_text(_LEAKS)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.leak_guard", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        [*run, "-c", os.devnull, f"--rootdir={tmp_path}"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed, 2 errors" in done.stdout, done.stdout + done.stderr
    assert "ERROR" in done.stdout
    assert "test_is_silent" not in done.stdout.partition("short test summary")[2]
