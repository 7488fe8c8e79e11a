"""The options of a bucket.

Takes options as people give them, gives a frozen value; must not resolve a credential.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.options import RemoteOptions, option

__all__ = ["S3Options"]


@dataclass(frozen=True, slots=True)
class S3Options(RemoteOptions):
    """Options of a bucket."""

    safer: ClassVar[str] = (
        "A role is safer than a key: leave the keys empty where this machine has a role of its own, or name one in "
        "role_arn. What a role lends ends by itself, and there is nothing that somebody could copy."
    )

    region: str = option("", "The bucket's region; by default that of the environment.")
    endpoint: str = option("", "URL of an S3-compatible service, such as https://minio.example.org.")
    addressing: Literal["auto", "path", "virtual"] = option("auto", "How the bucket stands in the address.")
    access_key: str = option("", "Access key id; by default the provider chain of AWS is asked.", secret=True)
    secret_key: str = option("", "Secret access key.", secret=True)
    session_token: str = option("", "Session token of temporary credentials.", secret=True)
    profile: str = option("", "Profile of the AWS configuration files.")
    role_arn: str = option("", "A role to assume, safer than keys.")
    external_id: str = option("", "What the owner of the role asks for beside it.")
    sts_endpoint: str = option("", "URL of the service that lends the role; by default that of AWS.")
    anonymous: bool = option(False, "Ask without credentials, for buckets that everybody may read.")
    ca_file: str = option("", "File of the certificates that are trusted, for a service with one of its own.")
    sse: Literal["", "AES256", "aws:kms"] = option(
        "", "Server-side encryption of new objects; aws:kms also says that no ETag here is an MD5."
    )
    kms_key_id: str = option("", "Key of that encryption, with sse=aws:kms.")
    requester_pays: bool = option(False, "Whether requests and egress may be charged to us and not to the owner.")

    def __post_init__(self) -> None:
        RemoteOptions.__post_init__(self)
        if bool(self.access_key) != bool(self.secret_key):
            raise SettingsError("Location options 'access_key' and 'secret_key' go together; give both or neither.")
        if self.session_token and not self.access_key:
            raise SettingsError("Location option 'session_token' needs 'access_key' and 'secret_key'.")
        if self.access_key and self.profile:
            raise SettingsError("Location options 'access_key' and 'profile' exclude each other; give one of them.")
        if self.anonymous and (self.access_key or self.profile or self.role_arn):
            raise SettingsError("Location option 'anonymous' goes with no credentials; leave one of them out.")
        if not self.role_arn and (self.external_id or self.sts_endpoint):
            raise SettingsError("Location options 'external_id' and 'sts_endpoint' need 'role_arn'.")
        if self.kms_key_id and self.sse != "aws:kms":
            raise SettingsError("Location option 'kms_key_id' needs sse=aws:kms.")
        for name, url in (("endpoint", self.endpoint), ("sts_endpoint", self.sts_endpoint)):
            if url and not _is_address(url):
                raise SettingsError(f"Location option {name!r} is no address; write https://HOST, without a login.")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0) and parts.username is None
    except ValueError:  # a port that is none
        return False
