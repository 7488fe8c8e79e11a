"""Which network addresses are public, and the addresses of a host.

Takes names and addresses, gives verdicts; must not connect. An address that carries another one (IPv4 in IPv6) is as
public as that one. What is not known to be public is not.
"""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias

from deeplens_kit.errors import QueryError

__all__ = ["Address", "is_public", "resolved"]

Address: TypeAlias = IPv4Address | IPv6Address

# RFC 6052: IPv4 beyond a translator, in the last 32 bits.
_TRANSLATED = IPv6Network("64:ff9b::/96")
# RFC 4291: all that is handed out as global unicast; everything public begins so.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_IPV4_BITS = 32


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's: no loopback, private, link-local, multicast or reserved one."""
    if isinstance(address, IPv4Address):
        return address.is_global and not (address.is_multicast or address.is_reserved)
    carried = address.ipv4_mapped or address.sixtofour
    if address in _TRANSLATED:
        carried = IPv4Address(int(address) % (1 << _IPV4_BITS))
    if carried is not None:
        return is_public(carried)
    return address.is_global and not address.is_multicast and address in _GLOBAL_UNICAST and address.teredo is None


def resolved(host: str, port: int, seconds: float) -> tuple[Address, ...]:
    """All addresses of a host, as the system finds them; numbers in any form that the system takes for an address.

    Raises:
        QueryError: There is no such host, or no answer in time.
    """
    found: list[Address] = []
    failed: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(ip_address(str(answer[4][0])) for answer in answers)
        except (OSError, UnicodeError) as error:
            failed.append(error)

    # The system's resolver knows no deadline of ours; a late answer is dropped.
    thread = threading.Thread(target=ask, name="deeplens-resolve", daemon=True)
    thread.start()
    thread.join(max(seconds, 0.0))
    if thread.is_alive():
        raise QueryError(f"The name of the host {host!r} was not found in time; try again, or give a file.")
    if failed or not found:
        raise QueryError(f"There is no host {host!r}; look for a slip in the link.") from next(iter(failed), None)
    return tuple(dict.fromkeys(found))
