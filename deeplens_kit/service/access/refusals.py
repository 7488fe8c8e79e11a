"""What somebody who is known was refused, for the audit trail: requests, and acts of an open page.

Takes a gate, who was refused and what they wanted, writes a line; must not write more of one person in a minute than
somebody would read: what is beyond that would fill the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.errors import AccessDeniedError
from deeplens_kit.ledger.access_values import Principal
from deeplens_kit.ledger.holder import acting_as

if TYPE_CHECKING:
    from deeplens_kit.service.access.gate import Gate

__all__ = ["tell_refusal"]

_LONGEST_PATH = 200


def tell_refusal(gate: Gate, who: Principal, error: AccessDeniedError, *, path: str, method: str) -> None:
    """Put a refusal into the audit trail, once and within bounds.

    Args:
        gate: The gate.
        who: Was refused.
        error: Says what they would need.
        path: Of the request or the page.
        method: Of the request, "websocket", or "act" for what a page was asked to do.
    """
    if error.told or not gate.rates.may_tell(who.name):
        return
    error.told = True
    details = {"path": path[:_LONGEST_PATH], "method": method, "needed": error.scope or error.why, "by": who.kind.value}
    with acting_as(who.name):
        gate.ledger.record_audit("access.refused", details)
