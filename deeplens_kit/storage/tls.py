"""Whose certificates are trusted, for the kinds whose library takes a context of TLS.

Takes the option `ca_file`, gives a context that always verifies; must not connect.
"""

from __future__ import annotations

import ssl

from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault

__all__ = ["trusting", "untrusted"]


def trusting(ca_file: str) -> ssl.SSLContext:
    """A context that verifies certificates and host names.

    Args:
        ca_file: File of certificates; empty for those that the machine trusts.

    Raises:
        KnownFault: The file cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # also SSLError, which is one
        reason = f"the file {ca_file!r} (option ca_file) holds no certificates that can be read: {error}"
        raise KnownFault(FaultKind.LOCATION, reason) from error


def untrusted(error: BaseException) -> Fault | None:
    """What it means where a certificate was not trusted, also as the cause of a library's own error; else None."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    return Fault(
        FaultKind.LOCATION,
        f"the server's certificate is not trusted ({cause.verify_message}); option ca_file names the certificates that "
        "are",
    )
