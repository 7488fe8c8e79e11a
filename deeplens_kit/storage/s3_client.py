"""A client of botocore as the options of a location on S3 want it.

Takes options, resolves the credentials in them and gives a client; must not send a request: a role is assumed when the
first one is signed. botocore's own retries are switched off, so that one setting holds for all kinds.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.storage.s3_options import S3Options

__all__ = ["s3_client"]

_SESSION_NAME = "deeplens"
"""Under which a role is assumed; stands in the logs of its owner."""
_DEFAULT_REGION = "us-east-1"


def s3_client(options: S3Options, *, fresh: bool) -> Any:
    """Make a client.

    Args:
        options: Of the location.
        fresh: Take no credential from a cache.

    Raises:
        ExtraMissingError: botocore is not installed.
        CredentialMissingError: A credential is not where its reference says.
    """
    try:
        import botocore.session
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError as error:
        raise ExtraMissingError("A location on S3", "s3") from error
    session = botocore.session.Session(profile=options.profile or None)
    # Parsing the times takes botocore longer than all the rest of a page of a listing.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    # What botocore knows of each service is read once for all clients, which takes most of making one.
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    common: dict[str, Any] = {
        "connect_timeout": options.timeout_seconds,
        "read_timeout": options.timeout_seconds,
        "retries": {"total_max_attempts": 1},
    }
    keys = _keys(options, fresh)
    if options.role_arn:
        sts = {
            "region_name": options.region or session.get_config_variable("region") or _DEFAULT_REGION,
            "endpoint_url": options.sts_endpoint or None,
            "verify": options.ca_file or None,
            "config": Config(**common),
        }
        session.register_component("credential_provider", _of_role(session, options, keys, sts, fresh))
        keys = {}
    return session.create_client(
        "s3",
        region_name=options.region or None,
        endpoint_url=options.endpoint or None,
        verify=options.ca_file or None,
        config=Config(
            **common,
            max_pool_connections=options.connections,
            s3={"addressing_style": options.addressing},
            # Older compatible services answer a range with the checksum of the whole, or refuse the newer headers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            signature_version=UNSIGNED if options.anonymous else None,
        ),
        **keys,
    )


@functools.cache
def _loader(search_path: str | None) -> Any:
    from botocore.loaders import create_loader

    return create_loader(search_path)


def _keys(options: S3Options, fresh: bool) -> dict[str, Any]:
    if not options.access_key:
        return {}
    return {
        "aws_access_key_id": resolve(options.access_key, fresh=fresh),
        "aws_secret_access_key": resolve(options.secret_key, fresh=fresh),
        "aws_session_token": resolve(options.session_token, fresh=fresh) or None,
    }


def _of_role(session: Any, options: S3Options, keys: Mapping[str, Any], sts: Mapping[str, Any], fresh: bool) -> Any:
    """What gives credentials of a role and renews them before they end, lent to those that we have."""
    from botocore.credentials import (
        AssumeRoleCredentialFetcher,
        CredentialProvider,
        CredentialResolver,
        Credentials,
        DeferredRefreshableCredentials,
    )
    from botocore.exceptions import NoCredentialsError

    def lent() -> Any:
        own = Credentials(*keys.values()) if keys else chain.load_credentials()
        if own is None:
            raise NoCredentialsError()
        asked = {"RoleSessionName": _SESSION_NAME}
        if options.external_id:
            asked["ExternalId"] = resolve(options.external_id, fresh=fresh)
        fetcher = AssumeRoleCredentialFetcher(
            lambda service, **given: session.create_client(service, **given, **sts),
            own,
            options.role_arn,
            extra_args=asked,
        )
        return fetcher.fetch_credentials()

    class Role(CredentialProvider):  # type: ignore[misc]
        METHOD = "deeplens-role"

        def load(self) -> Any:
            return DeferredRefreshableCredentials(refresh_using=lent, method=self.METHOD)

    chain = session.get_component("credential_provider")
    return CredentialResolver([Role()])


def _time(value: Any) -> datetime:
    """A time of a listing ('2026-11-30T00:08:10.911Z') or a header ('Mon, 30 Nov 2026 00:08:10 GMT').

    Every other form is left to botocore.
    """
    from botocore.utils import parse_timestamp

    try:
        read = parsedate_to_datetime(value) if str(value).endswith("GMT") else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed: datetime = parse_timestamp(value)
        return parsed
    return read if read.tzinfo else read.replace(tzinfo=UTC)
