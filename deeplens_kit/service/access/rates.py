"""How often somebody may ask, and how often somebody may try to sign in.

Takes names of who asks, lets pass or says when to come back; must not know what is asked for. Counted by `limits`, in
this process or where the settings say.
"""

from __future__ import annotations

import ipaddress
import time

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from deeplens_kit.errors import RateLimitedError
from deeplens_kit.settings import SignInSettings

__all__ = ["Rates"]

# A house behind one address has several people who mistype, and a user several addresses.
_PER_ADDRESS, _PER_NAME = 3, 10
# Nothing is guessed at a provider; it is asked by us, though, and a whole house may come at nine.
_PER_PROVIDER = 30
# Lines of the audit trail on what somebody who is known may not do: more would fill the ledger.
_TOLD_PER_MINUTE = 10
_A_MINUTE = 60.0
# RFC 6177: no network of a customer is smaller.
_HOUSE_BITS = 64


class Rates:
    """Counts requests and tries.

    Args:
        settings: How many are too many.
    """

    def __init__(self, settings: SignInSettings) -> None:
        self._counted = SlidingWindowCounterRateLimiter(storage_from_string(settings.rates_url))
        tries = settings.tries_per_minute
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute, namespace="requests")
        self._unknown = RateLimitItemPerMinute(settings.address_requests_per_minute, namespace="unknown")
        self._wrong = RateLimitItemPerMinute(tries, namespace="wrong")
        self._tries = RateLimitItemPerMinute(tries, namespace="tries")
        self._address_tries = RateLimitItemPerMinute(tries * _PER_ADDRESS, namespace="address-tries")
        self._name_tries = RateLimitItemPerMinute(tries * _PER_NAME, namespace="name-tries")
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
        self._hit(self._unknown, "Your address asks", _house(address))

    def wrong_credential(self, address: str) -> None:
        """Count a key or token that is not good.

        Raises:
            RateLimitedError: Too many come from this address.
        """
        self._hit(self._wrong, "Your address sends wrong keys or tokens", _house(address))

    def require_not_wrong(self, address: str) -> None:
        """Look whether an address has sent too many wrong ones, before somebody else is asked about one more.

        Raises:
            RateLimitedError: It has.
        """
        if not self._counted.test(self._wrong, _house(address)):
            raise self._too_often(self._wrong, "Your address sends wrong keys or tokens", _house(address))

    def try_to_sign_in(self, address: str, name: str) -> None:
        """Count a try to sign in, before it is looked at.

        Raises:
            RateLimitedError: There were too many from this address or for this name.
        """
        self._hit(self._tries, "You try to sign in", _house(address), name.casefold())
        self._hit(self._address_tries, "Your address tries to sign in", _house(address))
        self._hit(self._name_tries, "This user is tried", name.casefold())

    def go_to_provider(self, address: str) -> None:
        """Count somebody who goes to a provider, or comes back.

        Raises:
            RateLimitedError: Too many come from this address.
        """
        self._hit(self._at_providers, "Your address goes to sign in", _house(address))

    def may_tell(self, who: str) -> bool:
        """Whether one more line on a refusal goes into the audit trail."""
        return self._counted.hit(self._told, who)

    def _hit(self, limit: RateLimitItem, what: str, *who: str) -> None:
        if not self._counted.hit(limit, *who):
            raise self._too_often(limit, what, *who)

    def _too_often(self, limit: RateLimitItem, what: str, *who: str) -> RateLimitedError:
        until = self._counted.get_window_stats(limit, *who).reset_time
        wait = min(max(until - time.time(), 1.0), _A_MINUTE)
        return RateLimitedError(
            f"{what} too often: {limit.amount} a minute are allowed. Come back in {wait:.0f} seconds.", wait
        )


def _house(address: str) -> str:
    """What is counted as one address: of IPv6 a house has 2**64, and each of them would be new."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    carried = found.ipv4_mapped
    return str(carried) if carried is not None else str(ipaddress.ip_network((int(found), _HOUSE_BITS), strict=False))
