"""Credentials of the environment."""

from __future__ import annotations

import pytest

from deeplens_kit.errors import CredentialMissingError, SettingsError
from deeplens_kit.storage.credentials import resolve


def test_a_changed_variable_is_seen_at_the_next_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("zq-first-hunter", "zq-second-hunter"):
        monkeypatch.setenv("ZQ_ROTATED", value)
        assert resolve("${ZQ_ROTATED} ${env:ZQ_ROTATED}") == f"{value} {value}"


def test_a_variable_that_is_missing_or_empty_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZQ_MISSING", raising=False)
    with pytest.raises(CredentialMissingError, match=r"\$\{ZQ_MISSING\}.* is not set; set it and run again") as caught:
        resolve("sftp://a:${ZQ_MISSING}@h")
    assert (caught.value.code, caught.value.exit_code) == ("credential_missing", 2)
    assert (caught.value.reference, caught.value.passing) == ("${ZQ_MISSING}", False)
    assert isinstance(caught.value, SettingsError)
    monkeypatch.setenv("ZQ_MISSING", "")
    with pytest.raises(CredentialMissingError, match="is empty"):
        resolve("${env:ZQ_MISSING}")
