"""Credentials of a secrets file: real files, their owner and their mode."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deeplens_kit.errors import CredentialMissingError, SettingsError
from deeplens_kit.storage.credentials import resolve

CONTENT = 'top = "zq-top-hunter"\nnumber = 7\nnothing = ""\n[shop.azure]\nkey = "zq-azure-hunter"\n'


@pytest.fixture
def secrets_file(tmp_path: Path) -> Path:
    path = tmp_path / "with space#1" / "secrets.toml"
    path.parent.mkdir()
    path.write_text(CONTENT)
    path.chmod(0o600)
    return path


def test_keys_and_nested_keys_are_read(secrets_file: Path) -> None:
    assert resolve(f"${{file:{secrets_file}#top}}") == "zq-top-hunter"
    assert resolve(f"AccountKey=${{file:{secrets_file}#shop.azure.key}};") == "AccountKey=zq-azure-hunter;"


def test_a_file_of_ones_home_is_named_shortly(secrets_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(secrets_file.parent))
    assert resolve("${file:~/secrets.toml#top}") == "zq-top-hunter"
    with pytest.raises(SettingsError, match="whole path"):
        resolve("${file:~nobody-of-that-name/secrets.toml#top}")


def test_a_changed_file_is_seen_at_the_next_resolve(secrets_file: Path) -> None:
    reference = f"${{file:{secrets_file}#top}}"
    assert resolve(reference) == "zq-top-hunter"
    secrets_file.write_text('top = "zq-next-hunter"')
    assert resolve(reference) == "zq-next-hunter"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_mode_that_keeps_others_out_is_allowed(secrets_file: Path, mode: int) -> None:
    secrets_file.chmod(mode)
    assert resolve(f"${{file:{secrets_file}#top}}") == "zq-top-hunter"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602, 0o601, 0o700])
def test_a_mode_that_lets_others_in_is_refused_with_what_to_do(secrets_file: Path, mode: int) -> None:
    secrets_file.chmod(mode)
    with pytest.raises(SettingsError, match=rf"mode {mode:04o}.*`chmod 600 '.*/with space#1/secrets.toml'`") as caught:
        resolve(f"${{file:{secrets_file}#top}}")
    assert "hunter" not in str(caught.value)


def test_a_file_of_somebody_else_is_refused(secrets_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(SettingsError, match=rf"belongs to user {user - 1} and not to {user}.*chown"):
        resolve(f"${{file:{secrets_file}#top}}")


def test_what_is_no_file_is_refused_without_waiting(secrets_file: Path) -> None:
    pipe = secrets_file.with_name("pipe")
    os.mkfifo(pipe, 0o600)
    for path in (pipe, secrets_file.parent):
        with pytest.raises(SettingsError, match="no regular file"):
            resolve(f"${{file:{path}#top}}")


def test_a_link_is_judged_by_the_file_behind_it(secrets_file: Path) -> None:
    link = secrets_file.with_name("link.toml")
    link.symlink_to(secrets_file)
    assert resolve(f"${{file:{link}#top}}") == "zq-top-hunter"
    secrets_file.chmod(0o644)
    with pytest.raises(SettingsError, match="mode 0644"):
        resolve(f"${{file:{link}#top}}")


def test_what_is_missing_is_named(secrets_file: Path) -> None:
    for key in ("nope", "shop.azure.nope", "top.deeper", "shop.azurre.key"):
        with pytest.raises(CredentialMissingError, match=rf"'{key}' is not in '.*secrets.toml'; add it"):
            resolve(f"${{file:{secrets_file}#{key}}}")
    with pytest.raises(CredentialMissingError, match="'nothing' is empty"):
        resolve(f"${{file:{secrets_file}#nothing}}")
    with pytest.raises(CredentialMissingError, match=r"no file '.*nope.toml'; make it with mode 0600"):
        resolve(f"${{file:{secrets_file.with_name('nope.toml')}#top}}")
    with pytest.raises(CredentialMissingError, match="cannot be read: Not a directory"):
        resolve(f"${{file:{secrets_file}/nope.toml#top}}")


def test_what_is_no_text_is_refused(secrets_file: Path) -> None:
    for key in ("number", "shop.azure"):
        with pytest.raises(SettingsError, match=rf"'{key}' .* is no text; write its value in quotes") as caught:
            resolve(f"${{file:{secrets_file}#{key}}}")
        assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("content", [b'top = "zq-top-hunter', b"zq-top-hunter", b"\xff\xfe", b'a = "b" # \xfc'])
def test_a_broken_file_is_refused_and_not_quoted(secrets_file: Path, content: bytes) -> None:
    secrets_file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"is not valid TOML( \(line 1\))?; mend it") as caught:
        resolve(f"${{file:{secrets_file}#top}}")
    assert "hunter" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_large_file_is_refused(secrets_file: Path) -> None:
    secrets_file.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        resolve(f"${{file:{secrets_file}#top}}")
