"""Secrets are masked in texts and values, and nothing else is."""

from __future__ import annotations

import base64
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.telemetry import MASK, redact, redact_value, register_secret
from deeplens_kit.telemetry.redaction import registered_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://anna:hunter22@db/ledger", "postgresql://anna:***@db/ledger"),
        ("postgresql+psycopg://anna:hun@ter22@db/ledger", "postgresql+psycopg://anna:***@db/ledger"),
        ("sftp://anna@host/pictures", "sftp://anna@host/pictures"),
        ("https://ghp_hunter22@host/x", "https://***@host/x"),
        ("GET https://h/a.jpg?X-Amz-Signature=hunter22&x=1", "GET https://h/a.jpg?X-Amz-Signature=***&x=1"),
        ("https://h/a.jpg?AWSAccessKeyId=hunter22", "https://h/a.jpg?AWSAccessKeyId=***"),
        ("https://h/a?sv=2022&sig=hunter22%3D", "https://h/a?sv=2022&sig=***"),
        ("Authorization: Bearer hunter22.aa", "Authorization: ***"),
        ("sent bearer hunter22.aa again", "sent bearer *** again"),
        ("{'password': 'hunter22', 'user': 'anna'}", "{'password': ***, 'user': 'anna'}"),
        ('{"api_key": "hunter22"}', '{"api_key": ***}'),
        ("ValueError: token=hunter22", "ValueError: token=***"),
        ("https://h/?url=https://g/?token=hunter22", "https://h/?url=https://g/?token=***"),
        ("https://h/?key=hunter22", "https://h/?key=***"),
        ("secret_access_key=hunter22 region=eu", "secret_access_key=*** region=eu"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://host:8080/path/img@2x.png",
        "https://h/a.jpg?width=300&page=2",
        "change_token=1700000000-42 size=3",
        "unknown key: colour; did you mean color?",
        "file:///data/a:b@c.jpg",
        "s3://bucket/a b/c.jpg",
        "indexed 12 of 13 objects, 1 failed",
    ],
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_values_are_masked_all_the_way_down() -> None:
    got = redact_value(
        {"options": {"key": "AKIAHUNTER", "secret": "hunter22", "anon": False}, "urls": ["s3://a:hunter22@b/c"], "n": 3}
    )
    assert got == {"options": {"key": MASK, "secret": MASK, "anon": False}, "urls": [f"s3://a:{MASK}@b/c"], "n": 3}
    assert redact_value({"password": None, "change_token": "1-2"}) == {"password": None, "change_token": "1-2"}


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=6, max_size=20))
def test_a_registered_value_is_masked_in_clear_and_in_a_url(tail: str) -> None:
    # A mark that no other line holds keeps what is registered here from masking letters in other tests.
    secret = f"zq§{tail}"
    register_secret(secret)
    assert redact(f"a {secret} b") == f"a {MASK} b"
    quoted = urllib.parse.quote(secret, safe="")
    assert quoted not in redact(f"https://h/p?x={quoted}")


def test_a_secret_within_another_leaves_no_rest() -> None:
    register_secret("qwxhunter22")
    register_secret("qwxhunter22-and-more")
    assert redact("<qwxhunter22-and-more>") == f"<{MASK}>"


@pytest.mark.parametrize("secret", ["qv9x", "qv9xy", "qv9xyz", "qv9/xyz+1", "qv9üxyz"])
@pytest.mark.parametrize("user", ["", "a", "bo", "cyd"])
def test_a_registered_value_is_masked_within_base64(secret: str, user: str) -> None:
    register_secret(secret)
    login = base64.b64encode(f"{user}:{secret}".encode()).decode()
    # Of four letters too little is left beside their neighbours to tell them by.
    if len(secret) > 4:
        assert redact(f"got [{login}].") == f"got [{MASK}]."
    assert redact(f"Authorization: Basic {login}") == f"Authorization: {MASK}"
    assert redact(f"basic {login}") == f"basic {MASK}"


def test_what_is_handed_to_a_worker_is_what_was_registered() -> None:
    for _ in range(2):
        register_secret("qy8/hunter 22")
    assert [value for value in registered_secrets() if "qy8" in value] == ["qy8/hunter 22"]
    for form in ("qy8%2Fhunter%2022", "qy8%2fhunter%2022", "qy8/hunter%2022", "qy8%2Fhunter+22"):
        assert redact(f"<{form}>") == f"<{MASK}>"


def test_a_long_line_costs_linear_time() -> None:
    def seconds(line: str) -> float:
        start = time.process_time()
        redact(line)
        return time.process_time() - start

    for unit in ("a", "a.", "a:", "://", "?a", "a=", "@:"):
        # Quadratic time would make the second about 64 times the first.
        short, long = (min(seconds(unit * size) for _ in range(3)) for size in (4_000, 32_000))
        assert long < 24 * short + 0.05, unit
