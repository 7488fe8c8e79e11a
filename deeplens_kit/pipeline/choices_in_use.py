"""What is chosen in a workspace: everything that groups depend on besides the stores.

Takes an open workspace, gives one text; equal texts mean the same rule and the same keep policy with all that it looks
at. Must not group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.pipeline.keep_facts import policy_state
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.rule_in_use import chosen_rule

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["choices_state"]


def choices_state(workspace: Workspace) -> str:
    """The rule and the keep policy in use, and what the policy depends on."""
    return f"{chosen_rule(workspace)!r} {policy_state(workspace, chosen_policy(workspace))}"
