"""How often somebody may ask, and how often somebody may try to sign in.

Takes names of who asks, lets pass or says when to come back; must not know what is asked for. Counted by `limits`, in
this process or where the settings say.
"""

from __future__ import annotations

import ipaddress
import math
import time
from hashlib import sha256

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute

from deeplens_kit.errors import RateLimitedError
from deeplens_kit.service.access.counting import Counted
from deeplens_kit.settings import SignInSettings

__all__ = ["Rates", "house_of"]

_WINDOWS = {60: "a minute", 3600: "an hour", 86400: "a day"}

# Each a multiple of what one address may try for one user in a minute. The longer windows are what makes the wait grow:
# whoever goes on waits a minute, then an hour, then a day.
_OF_ONE_HOURLY, _OF_ONE_DAILY = 4, 10
# A house behind one address has several people who mistype.
_PER_ADDRESS, _PER_ADDRESS_HOURLY = 3, 60
# Of a user from all addresses together that they never signed in from: what somebody with many addresses can guess.
_BY_STRANGERS_HOURLY, _BY_STRANGERS_DAILY = 10, 50
# Nothing is guessed at a provider; it is asked by us, though, and a whole house may come at nine.
_PER_PROVIDER = 30
# Lines of the audit trail on what somebody who is known may not do: more would fill the ledger.
_TOLD_PER_MINUTE = 10
# Drawers that names are counted in: two users of one drawer share a limit, which among so many is rare.
_OF_A_HOUSE, _OF_ALL = 1024, 65536
# RFC 6177: no network of a customer is smaller.
_HOUSE_BITS = 64


class Rates:
    """Counts requests and tries.

    Args:
        settings: How many are too many.
    """

    def __init__(self, settings: SignInSettings) -> None:
        self._counted = Counted(settings.rates_url)
        tries = settings.tries_per_minute
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute, namespace="requests")
        self._unknown = RateLimitItemPerMinute(settings.address_requests_per_minute, namespace="unknown")
        self._wrong = RateLimitItemPerMinute(tries, namespace="wrong")
        self._tries = (
            RateLimitItemPerMinute(tries, namespace="tries"),
            RateLimitItemPerHour(tries * _OF_ONE_HOURLY, namespace="tries"),
            RateLimitItemPerDay(tries * _OF_ONE_DAILY, namespace="tries"),
        )
        self._address_tries = (
            RateLimitItemPerMinute(tries * _PER_ADDRESS, namespace="address-tries"),
            RateLimitItemPerHour(tries * _PER_ADDRESS_HOURLY, namespace="address-tries"),
        )
        self._strangers_tries = (
            RateLimitItemPerHour(tries * _BY_STRANGERS_HOURLY, namespace="name-tries"),
            RateLimitItemPerDay(tries * _BY_STRANGERS_DAILY, namespace="name-tries"),
        )
        self._at_providers = RateLimitItemPerMinute(tries * _PER_PROVIDER, namespace="at-providers")
        self._told = RateLimitItemPerMinute(_TOLD_PER_MINUTE, namespace="told")

    def request_of(self, who: str) -> None:
        """Count a request of a user or key.

        Raises:
            RateLimitedError: They ask too often.
        """
        self._hit(self._requests, "You ask", who)

    def request_from(self, address: str) -> None:
        """Count a request of whoever has not said who they are.

        Raises:
            RateLimitedError: Too many come from this address.
        """
        self._hit(self._unknown, "Your address asks", house_of(address))

    def wrong_credential(self, address: str) -> None:
        """Count a key or token that is not good.

        Raises:
            RateLimitedError: Too many come from this address.
        """
        self._hit(self._wrong, "Your address sends wrong keys or tokens", house_of(address))

    def require_not_wrong(self, address: str) -> None:
        """Look whether an address has sent too many wrong ones, before somebody else is asked about one more.

        Raises:
            RateLimitedError: It has.
        """
        if not self._counted.test(self._wrong, house_of(address)):
            raise self._too_often(self._wrong, "Your address sends wrong keys or tokens", house_of(address))

    def try_to_sign_in(self, address: str, name: str, *, known: bool = False) -> None:
        """Count a try to sign in, before it is looked at.

        Args:
            address: Where it comes from.
            name: Whose sign-in is tried.
            known: They signed in from there before, so that nobody elsewhere can keep them from doing so again.

        Raises:
            RateLimitedError: There were too many from this address, or for this user from addresses not theirs.
        """
        for limit in self._tries:
            self._hit(limit, "You try to sign in", house_of(address), _drawer(name, _OF_A_HOUSE))
        for limit in self._address_tries:
            self._hit(limit, "Your address tries to sign in", house_of(address))
        for limit in () if known else self._strangers_tries:
            self._hit(limit, "This user is tried from addresses not theirs", _drawer(name, _OF_ALL))

    def signed_in(self, address: str, name: str) -> None:
        """Forget the tries of somebody who has proved who they are: their next mistake is the first one again."""
        for limit in self._tries:
            self._counted.clear(limit, house_of(address), _drawer(name, _OF_A_HOUSE))

    def go_to_provider(self, address: str) -> None:
        """Count somebody who goes to a provider, or comes back.

        Raises:
            RateLimitedError: Too many come from this address.
        """
        self._hit(self._at_providers, "Your address goes to sign in", house_of(address))

    def may_tell(self, who: str) -> bool:
        """Whether one more line on a refusal goes into the audit trail."""
        return self._counted.hit(self._told, who)

    def _hit(self, limit: RateLimitItem, what: str, *who: str) -> None:
        if not self._counted.hit(limit, *who):
            raise self._too_often(limit, what, *who)

    def _too_often(self, limit: RateLimitItem, what: str, *who: str) -> RateLimitedError:
        until = self._counted.get_window_stats(limit, *who).reset_time
        wait = min(max(until - time.time(), 1.0), limit.get_expiry())
        window = _WINDOWS[limit.get_expiry()]
        return RateLimitedError(
            f"{what} too often: {limit.amount} {window} are allowed. Come back in {_words(wait)}.", wait
        )


def _words(seconds: float) -> str:
    """So long in the unit that somebody would say it in, never shorter than it is."""
    for unit, lasts in (("hour", 3600), ("minute", 60)):
        if seconds > 2 * lasts:
            return f"{math.ceil(seconds / lasts)} {unit}s"
    return f"{math.ceil(seconds)} seconds"


def _drawer(name: str, of: int) -> str:
    """Under what a name is counted: made-up ones must not fill the memory, and what is typed may be a password."""
    return str(int.from_bytes(sha256(name.casefold().encode("utf-8", "replace")).digest()[:8]) % of)


def house_of(address: str) -> str:
    """What is counted as one address: of IPv6 a house has 2**64, and each of them would be new."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    carried = found.ipv4_mapped
    return str(carried) if carried is not None else str(ipaddress.ip_network((int(found), _HOUSE_BITS), strict=False))
