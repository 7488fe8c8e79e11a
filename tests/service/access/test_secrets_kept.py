"""What keeps secrets: passwords, sealed texts, and the key that signs sessions."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from deeplens_kit.errors import SettingsError, WorkspaceError
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.access import passwords
from deeplens_kit.service.access.credentials import digest_of, new_key
from deeplens_kit.service.access.key_file import access_key
from deeplens_kit.service.access.sealing import Sealer
from deeplens_kit.settings import ProviderSettings, SignInSettings, load_workspace_settings

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
RIGHT = "correct horse battery"


def test_passwords_are_argon2id_and_follow_its_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert passwords.hash_password("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    monkeypatch.setattr(passwords, "_hasher", CHEAP)
    hashed = passwords.hash_password(RIGHT)
    assert hashed != passwords.hash_password(RIGHT)
    assert passwords.is_right(RIGHT, hashed)
    for wrong in ("", RIGHT[:-1], RIGHT + "\0", "x" * 5000):
        assert not passwords.is_right(wrong, hashed)
    # Where there is none, not even the text that is looked at in its place.
    for given in ("", "nobody has this password"):
        assert not passwords.is_right(given, "")
    assert not passwords.is_right(RIGHT, "no hash at all")
    assert not passwords.needs_new_hash(hashed)
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert passwords.needs_new_hash(hashed)
    assert passwords.is_right(RIGHT, hashed)


def test_sealed_texts_open_for_one_use_one_server_and_in_time() -> None:
    sealer, other = Sealer(b"1" * 32), Sealer(b"2" * 32)
    text = sealer.seal("use", ["a", 1], 60)
    assert sealer.unseal("use", text) == ["a", 1]
    assert sealer.unseal("another use", text) is None
    assert other.unseal("use", text) is None
    assert sealer.unseal("use", sealer.seal("use", "over", -1)) is None
    content, _, signature = text.partition(".")
    for changed in ("", ".", content, f"{content}.", f".{signature}", f"{content}x.{signature}", f"é{text}", "\ud800"):
        assert sealer.unseal("use", changed) is None
    assert sealer.name != other.name


def test_the_key_of_a_workspace_is_its_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        key = access_key(workspace)
        path = workspace.directory / "access.key"
        assert (len(key), access_key(workspace), path in workspace.own_paths()) == (32, key, True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert key.hex() not in repr(workspace)
        path.chmod(0o640)
        with pytest.raises(WorkspaceError, match="chmod 600"):
            access_key(workspace)
        path.chmod(0o600)
        for wrong in ("not hex", "ab" * 31):
            path.write_text(wrong)
            with pytest.raises(WorkspaceError, match="no such key"):
                access_key(workspace)
        named = SignInSettings(secret="${DEEPLENS_TEST_KEY}")
        object.__setattr__(workspace.settings, "sign_in", named)
        monkeypatch.setenv("DEEPLENS_TEST_KEY", "short")
        with pytest.raises(SettingsError, match="32 letters"):
            access_key(workspace)
        monkeypatch.setenv("DEEPLENS_TEST_KEY", "a" * 32)
        assert access_key(workspace) not in (key, b"a" * 32)


def test_keys_are_known_by_their_digest() -> None:
    made = new_key()
    assert made.text.startswith(made.prefix)
    assert (made.digest, len(made.text) > 40) == (digest_of(made.text), True)
    assert made.text not in repr(made)


_HEAD = 'catalog_url = "c"\nledger_url = "sqlite:///l"\ncache_dir = "x"\n'
_PROVIDER = '[sign_in.providers.company]\nissuer = "https://id.test"\nclient_id = "c"\n'


def test_the_table_of_the_workspace_file(tmp_path: Path) -> None:
    def read(text: str) -> SignInSettings:
        (tmp_path / "workspace.toml").write_text(_HEAD + text)
        return load_workspace_settings(tmp_path).sign_in

    found = read(f'[sign_in]\npasswords = false\n{_PROVIDER}roles = {{ staff = "viewer" }}\n')
    provider = ProviderSettings(name="company", issuer="https://id.test", client_id="c", roles={"staff": "viewer"})
    assert (found.passwords, found.providers) == (False, (provider,))
    for text, why in (
        ("[sign_in]\npassword = true\n", "passwords"),
        ("[sign_in]\nsession_hours = 0\n", "above 0"),
        ('[sign_in]\nsecret = "in clear"\n', "in clear"),
        ("[sign_in]\npasswords = 1\n", "true or false"),
        ('[sign_in]\nproviders = "company"\n', "tables with names"),
        (f'{_PROVIDER}colour = "red"\n', "sign_in.providers.company.colour"),
        (f'{_PROVIDER}client_secret = "hunter2hunter2"\n', "in clear"),
        (f'{_PROVIDER}roles = {{ staff = "boss" }}\n', "viewer, analyst"),
        (_PROVIDER.replace("https://id.test", "http://id.test"), "https://"),
        (_PROVIDER.replace("https://id.test", "https://user:pw@id.test"), "https://"),
        ('[sign_in.providers.Bad_Name]\nissuer = "https://id.test"\nclient_id = "c"\n', "small letters"),
        ('[sign_in.providers.hub]\nkind = "oauth2"\nclient_id = "c"\n', "authorize_url"),
        ('[sign_in.tokens.x]\nissuer = "https://id.test"\n', "audience"),
    ):
        with pytest.raises(SettingsError, match=why) as caught:
            read(text)
        assert "hunter2" not in str(caught.value)
