"""What errors of botocore mean to a location on S3.

Takes an error, gives a Fault or None; must not ask the storage. A permission that is missing is named as policies name
it, so that whoever reads the message knows what to allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from deeplens_kit.storage.resilience import Fault, FaultKind

__all__ = ["code_of", "is_forbidden", "s3_fault_of", "status_of"]

_PASSING = frozenset(
    {
        *("InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "Throttling", "ThrottlingException"),
        *("RequestLimitExceeded", "OperationAborted", "ConditionalRequestConflict", "TooManyRequests", "BadDigest"),
    }
)
_CREDENTIALS = frozenset(
    {
        *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken"),
        *("TokenRefreshRequired", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidSecurity"),
    }
)
_LOCATION = frozenset(
    {
        *("NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "IllegalLocationConstraintException"),
        *("AuthorizationHeaderMalformed", "AccountProblem", "NotSignedUp", "RequestTimeTooSkewed"),
    }
)
_GONE = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchVersion"})
_FORBIDDEN = frozenset({"AccessDenied", "403", "Forbidden", "AllAccessDisabled"})
_WRITING = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})
_NEEDED: Mapping[str, str] = {
    "ListObjectsV2": "s3:ListBucket",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CopyObject": "s3:GetObject and s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "GetObjectTagging": "s3:GetObjectTagging",
    "ListObjectVersions": "s3:ListBucketVersions",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPartCopy": "s3:GetObject and s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
}
# Services tell in their own words what is missing: "... not authorized to perform: kms:Decrypt on resource ...".
_NAMED = re.compile(r"\b(?:s3|s3express|kms|sts):[A-Z][A-Za-z]+")


def code_of(error: Any) -> str:
    """The code of a `ClientError`, such as 'NoSuchKey'; of an answer without a body its HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: Any) -> int:
    """The HTTP status of a `ClientError`; 0 where there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_forbidden(error: Any) -> bool:
    """Whether a `ClientError` says that the credential may not do that."""
    return code_of(error) in _FORBIDDEN or (status_of(error) == 403 and code_of(error) not in _CREDENTIALS | _LOCATION)


def s3_fault_of(error: BaseException) -> Fault | None:
    """Translate an error; None for one that is neither botocore's nor the network's."""
    from botocore import exceptions
    from urllib3.exceptions import HTTPError

    if isinstance(error, exceptions.ClientError):
        return _answered(error)
    if isinstance(error, HTTPError):
        return Fault(FaultKind.PASSING, str(error))  # of the body of an error's answer, which botocore reads bare
    if isinstance(error, exceptions.SSLError):
        return Fault(FaultKind.LOCATION, f"TLS failed, see to the certificate or the option 'ca_file': {error}")
    if isinstance(
        error,
        (
            *(exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError),
            *(exceptions.ChecksumError, exceptions.FlexibleChecksumError),
        ),
    ):
        return Fault(FaultKind.PASSING, str(error))
    if isinstance(
        error,
        (
            *(exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError),
            *(exceptions.SSOError, exceptions.TokenRetrievalError, exceptions.NoAuthTokenError),
        ),
    ):
        return Fault(FaultKind.CREDENTIALS, f"no credentials for AWS can be had: {error}")
    if isinstance(error, exceptions.BotoCoreError):
        return Fault(FaultKind.LOCATION, str(error))
    return Fault(FaultKind.PASSING, str(error)) if isinstance(error, (OSError, EOFError)) else None


def _answered(error: Any) -> Fault:
    """What an answer of the service means."""
    code, status, operation = code_of(error), status_of(error), error.operation_name
    said = error.response.get("Error", {})
    message = f"{str(said.get('Message') or code).rstrip('.')} ({code})"
    if code == "InvalidObjectState":
        where = said.get("StorageClass") or "archive"
        return Fault(FaultKind.BROKEN, f"it lies in {where}; restore it there, then run `deeplens failures retry`")
    if operation == "AssumeRole" and code not in _PASSING and status < 500:
        return Fault(FaultKind.CREDENTIALS, f"the role cannot be assumed (role_arn, external_id): {message}")
    if code in _CREDENTIALS:
        return Fault(FaultKind.CREDENTIALS, message)
    if code in _LOCATION:
        return Fault(FaultKind.LOCATION, message)
    if code in _GONE or status == 404:
        return Fault(FaultKind.GONE, message)
    if code in _PASSING or (status >= 500 and status != 501) or status == 429:
        return Fault(FaultKind.PASSING, message)
    if status in (409, 412):
        return Fault(FaultKind.EXISTS if operation in _WRITING else FaultKind.CHANGED, message)
    if is_forbidden(error):
        return Fault(FaultKind.FORBIDDEN, f"{_needed(operation, message, code)} is not allowed: {message}")
    return Fault(FaultKind.BROKEN, message)


def _needed(operation: str, message: str, code: str) -> str:
    named = _NAMED.search(message)
    if named:
        return named[0]
    if "kms" in message.lower() or code.startswith("KMS"):
        return "kms:GenerateDataKey" if operation == "PutObject" else "kms:Decrypt"
    return _NEEDED.get(operation, operation)
