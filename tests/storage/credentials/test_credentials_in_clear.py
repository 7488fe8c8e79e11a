"""What of a location is a credential in clear, by the name of an option or by the form of its value."""

from __future__ import annotations

import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.storage.credentials import credential_in_clear, is_secret_option

SECRET_OPTIONS = """
    secret_key session_token account_key sas password passphrase key token api_key client_secret aws_secret_access_key
    private_key Password pass pwd sse_customer_key shared_access_signature authorization credentials sas_token
"""
OTHER_OPTIONS = """
    access_key profile role_arn external_id sse kms_key_id account container connection_string managed_identity
    client_id service_account_file user domain private_key_file password_file host_key known_hosts_file dsn table
    key_column blob_column name_column secret_column keyboard passive bypass max_keys region hidden exclude change_token
"""


@pytest.mark.parametrize("option", SECRET_OPTIONS.split())
def test_an_option_that_is_a_secret_by_its_name_takes_a_reference_and_nothing_else(option: str) -> None:
    assert is_secret_option(option)
    for value in ("hunter22", "${HALF}hunter22", "Bearer ${TOKEN}"):
        assert credential_in_clear(option, value) == "a credential"
    for value in ("${NAME}", "${keyring:a/b}", "${file:/a;b/c.toml#k}", "${A}${B}", "", None, 7, True):
        assert credential_in_clear(option, value) is None


@pytest.mark.parametrize("option", OTHER_OPTIONS.split())
def test_an_option_that_only_sounds_like_a_secret_takes_any_text(option: str) -> None:
    assert not is_secret_option(option)
    assert credential_in_clear(option, "AKIAHUNTER22") is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("AccountName=a;AccountKey=aHVudGVy==;EndpointSuffix=x", "a value of 'AccountKey'"),
        ("AccountName=a;AccountKey=${KEY};EndpointSuffix=x", None),
        ("AccountName=a;accountkey = hunter22", "a value of 'accountkey'"),
        ("BlobEndpoint=https://h/;SharedAccessSignature=sv=1&sig=aHVudGVy%3D", "a value of 'sig'"),
        ("BlobEndpoint=https://h/;SharedAccessSignature=sig=aHVudGVy&sv=1", "a value of 'sig'"),
        ("BlobEndpoint=https://h/;SharedAccessSignature=aHVudGVy=", "a value of 'SharedAccessSignature'"),
        ("BlobEndpoint=https://h/;SharedAccessSignature=${SAS}", None),
        ("BlobEndpoint=https://h/;SharedAccessSignature=sv=1&sig=${infisical:SIG}", None),
        ("Endpoint=sb://h/;SharedAccessKeyName=root;SharedAccessKey=hunter22", "a value of 'SharedAccessKey'"),
        ("https://h/c?sv=1&sig=hunter22", "a value of 'sig'"),
        ("https://h/c?sv=1&sig=${SIG}&sp=r", None),
        ("https://h/c?X-Amz-Signature=0a0b", "a value of 'X-Amz-Signature'"),
        ("https://h/c?X-Goog-Signature=0a0b", "a value of 'X-Goog-Signature'"),
        ("host=h user=u password=hunter22 dbname=d", "a value of 'password'"),
        ("host=h user=u password='hunter 22' dbname=d", "a value of 'password'"),
        ("host=h user=u password='${PGPASS}' dbname=d", None),
        ("Server=h;Uid=u;Pwd=hunter22;", "a value of 'Pwd'"),
        ("postgresql://u:hunter22@h/d", "a password"),
        ("postgresql://u:x${HALF}@h/d", "a password"),
        ("postgresql://u:${PGPASS}@h/d", None),
        ("postgresql://u:${file:/a/b c.toml#k}@h/d?sslmode=require", None),
        ("postgresql://u@h:5432/d", None),
        ("sqlite:////data/a:b@c.sqlite", None),
        ("DefaultEndpointsProtocol=http;BlobEndpoint=http://127.0.0.1:10000/a;", None),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter22\n", "a private key"),
        ('{"private_key": "-----BEGIN PRIVATE KEY-----\\nhunter22"}', "a private key"),
        (["*.tmp", "https://u:hunter22@h"], "a password"),
        ({"anon": False, "secret": "hunter22"}, "a credential"),
        ({"anon": False, "secret": "${X}"}, None),
        ("signature pictures, token of thanks", None),
    ],
)
def test_a_credential_in_clear_is_found_in_any_option(value: object, found: str | None) -> None:
    assert credential_in_clear("connection_string", value) == found


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sftp://anna:hunter22@host/x", "a password"),
        ("sftp://anna:${SFTP_PASSWORD}@host/x", None),
        ("sftp://anna:${file:/a#b/c.toml#k/@}@host/x", None),
        ("sftp://anna:reference@host/x", "a password"),
        ("https://acct.blob.core.windows.net/c?sv=1&sig=hunter22", "a value of 'sig'"),
        ("https://acct.blob.core.windows.net/c?sv=1&sig=${SIG}", None),
        ("s3://bucket/token=1/password=x/", None),
        ("/data/token=1/password=x", None),
        ("file:///data/password=x", None),
        ("smb://anna@host/share", None),
    ],
)
def test_an_address_holds_no_credential_in_clear(url: str, found: str | None) -> None:
    assert credential_in_clear("", url) == found


def test_a_reference_that_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(UnknownNameError, match="'keyrings'"):
        credential_in_clear("password", "${keyrings:a/b}")
    with pytest.raises(SettingsError, match="write"):
        credential_in_clear("", "sftp://a:${keyring:b}@h")


def test_an_address_that_is_no_url_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="no URL") as caught:
        credential_in_clear("", "sftp://anna:hunter22\u2100@host")
    assert "hunter22" not in str(caught.value)
    assert caught.value.__suppress_context__
