"""A connection by SSH to a server whose host key is known, logged in.

Takes an address and options, gives a channel of SFTP; must not be imported before a location is used, because it loads
paramiko. A host key that is not known is refused, and so is one that changed: either may be another machine.
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import paramiko
from paramiko.pkey import UnknownKeyType

from deeplens_kit.storage.credentials import resolve
from deeplens_kit.storage.resilience import FaultKind, KnownFault
from deeplens_kit.storage.sftp import SftpAddress, SftpOptions
from deeplens_kit.storage.sftp_wire import SftpChannel

__all__ = ["connect"]

_PORT = 22
_KEEPALIVE_SECONDS = 30  # routers forget connections over which nothing goes


class _Refuse(paramiko.MissingHostKeyPolicy):
    """Takes the one host key whose fingerprint was given, and no other.

    Args:
        fingerprint: As `ssh-keygen -l` shows it; empty for none.
        known: Where keys were looked for, in words.
    """

    def __init__(self, fingerprint: str, known: str) -> None:
        self._fingerprint, self._known = fingerprint, known

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise unless it is that one."""
        if self._fingerprint and key.fingerprint == self._fingerprint:
            return
        if self._fingerprint:
            raise KnownFault(FaultKind.LOCATION, _changed(hostname, key, self._fingerprint))
        raise KnownFault(
            FaultKind.LOCATION,
            f"the host key of {hostname} is not known: {key.get_name()} {key.fingerprint}, and {self._known} has none; "
            "compare it with the one that the owner of the server tells you, and give it as option 'host_key'",
        )


def connect(address: SftpAddress, options: SftpOptions, *, fresh: bool) -> SftpChannel:
    """Connect and log in.

    Args:
        address: Of the server.
        options: How.
        fresh: Take no credential from a cache.

    Raises:
        KnownFault: The host key, the key file or its passphrase are not what they should be.
        SSHException: Everything else that paramiko raises, and OSError.
    """
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_known(client, address, options))
    password = resolve(options.password, fresh=fresh) if options.password else None
    key = _private_key(options, fresh) if options.private_key_file else None
    tries_own = options.agent and password is None and key is None
    seconds = options.timeout_seconds
    try:
        client.connect(
            address.host,
            address.port,
            address.user or options.user or getpass.getuser(),
            password=password,
            pkey=key,
            timeout=seconds,
            banner_timeout=seconds,
            auth_timeout=seconds,
            channel_timeout=seconds,
            allow_agent=tries_own,
            look_for_keys=tries_own,
        )
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(_KEEPALIVE_SECONDS)
        return SftpChannel(client, seconds)
    except paramiko.BadHostKeyException as error:
        client.close()
        reason = _changed(address.host, error.key, error.expected_key.fingerprint)
        raise KnownFault(FaultKind.LOCATION, reason) from error
    except BaseException:
        client.close()
        raise


def _known(client: paramiko.SSHClient, address: SftpAddress, options: SftpOptions) -> _Refuse:
    """Give the client the keys that are known."""
    kind, _, encoded = options.host_key.partition(" ")
    if encoded:
        name = address.host if address.port == _PORT else f"[{address.host}]:{address.port}"
        entry = paramiko.hostkeys.HostKeyEntry.from_line(f"{name} {kind} {encoded}")
        if entry is None or entry.key is None:
            raise KnownFault(FaultKind.LOCATION, "option 'host_key' is no key; write it as `ssh-keyscan` prints it")
        client.get_host_keys().add(name, entry.key.get_name(), entry.key)
        return _Refuse("", "option 'host_key'")
    if options.host_key:
        return _Refuse(options.host_key, "option 'host_key'")
    file = Path(options.known_hosts_file).expanduser() if options.known_hosts_file else Path("~/.ssh/known_hosts")
    try:
        client.load_system_host_keys(str(file.expanduser()))
    except OSError as error:
        if options.known_hosts_file:
            reason = f"the file of known hosts '{file}' cannot be read: {error.strerror}"
            raise KnownFault(FaultKind.LOCATION, reason) from error
    return _Refuse("", f"'{file}'")


def _private_key(options: SftpOptions, fresh: bool) -> paramiko.PKey:
    file = Path(options.private_key_file).expanduser()
    passphrase = resolve(options.passphrase, fresh=fresh) if options.passphrase else None
    try:
        # Not the text that it says: what it calls takes bytes.
        secret: Any = passphrase.encode() if passphrase else None
        key: paramiko.PKey = paramiko.PKey.from_path(file, secret)
    except OSError as error:
        raise KnownFault(FaultKind.LOCATION, f"the private key '{file}' cannot be read: {error.strerror}") from error
    except (paramiko.SSHException, UnknownKeyType, ValueError, TypeError) as error:
        # The libraries beneath say a wrong passphrase, a missing one and a broken file in all of these ways.
        wanted = "option 'passphrase' does not open it" if passphrase else "it may need option 'passphrase'"
        reason = f"the private key '{file}' cannot be used: it is no key of SSH, or {wanted}"
        raise KnownFault(FaultKind.CREDENTIALS, reason) from error
    return key


def _changed(host: str, key: paramiko.PKey, expected: str) -> str:
    return (
        f"the host key of {host} is {key.get_name()} {key.fingerprint} and not the known {expected}: the server was "
        "set up anew, or another machine answers in its place; ask its owner before you give the new one"
    )
