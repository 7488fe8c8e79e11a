"""Rules: when a pair is a copy, under a name and in versions.

Takes bounds and names, gives rules and what tells them apart; writes to the ledger, and into `workspace.toml` the name
of the one in use.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import SavedRule, Scope
from deeplens_kit.matching import STRICT, Rule, Thresholds, rule_from_json, rule_to_json
from deeplens_kit.pipeline import diff_rules, retire_rule, rule_named, save_rule, use_rule
from deeplens_kit.pipeline.saved_rules import counts_at_once
from deeplens_kit.service.access.dependencies import Caller, needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.paging import Cursor, Limit, page_of
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.judgements import RuleAnswer, RuleDiffAnswer, RuleRequest
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.limits import costly
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/rules", tags=["rules"])

RuleName = Annotated[str, Path(min_length=1, max_length=200, description='"strict", a saved rule, or "NAME@VERSION".')]
RuleText = Annotated[str, Query(min_length=1, max_length=200, description="As in the path.")]


@router.get(
    "",
    summary="List rules",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_rules(
    held: Held, retired: bool = False, versions: bool = False, limit: Limit = 100, cursor: Cursor = None
) -> Page[RuleAnswer]:
    """List the rules by name, the one that comes with DeepLens first: also retired ones, or all versions."""
    saved = held.workspace.ledger.rules(retired=retired, versions=versions)
    shown = [_strict(held), *(_saved(held, item) for item in saved)]
    return page_of(shown, limit, cursor, ("rules", retired, versions), lambda item: item)


@router.post(
    "",
    summary="Save a rule",
    status_code=201,
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 429, 503),
)
def save(asked: RuleRequest, held: Held, once: Idempotent, who: Caller) -> RuleAnswer:
    """Save a rule under a name; where a bound changed it becomes the next version. It is not used by that."""
    if counts_at_once(held.workspace, asked.name):
        who.require(Scope.PLANS_APPROVE)
    with named_in_body():
        return once(
            lambda: _saved(held, save_rule(held.workspace, asked.name, _rule_of(asked), asked.note)),
            lambda made: show(made.name, held),
        )


@router.get(
    "/diff",
    summary="Compare two rules",
    dependencies=[needs(Scope.IMAGES_READ), costly()],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def diff(first: RuleText, second: RuleText, held: Held) -> RuleDiffAnswer:
    """Compare two rules: which bounds differ, and what that comes to in this workspace."""
    with named_in_body():
        rules = [rule_named(held.workspace, name) for name in (first, second)]
    came = diff_rules(held.workspace, *rules)
    return RuleDiffAnswer(
        first=_name(came.first),
        second=_name(came.second),
        bounds=came.bounds.to_dicts(),
        outcomes=came.outcomes.to_dicts(),
    )


@router.get(
    "/{name}",
    summary="Show a rule",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show(name: RuleName, held: Held) -> RuleAnswer:
    """Show a rule with its bounds."""
    rule = rule_named(held.workspace, name)
    if rule.name == STRICT.name:
        return _strict(held)
    return _saved(held, held.workspace.ledger.rule(rule.name, rule.version))


@router.post(
    "/{name}/use",
    summary="Use a rule",
    dependencies=[needs(Scope.PLANS_APPROVE)],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def use(name: RuleName, held: Held) -> RuleAnswer:
    """Judge by a rule from now on, wherever no other one is named."""
    use_rule(held.workspace, name)
    return show(name, held)


@router.delete(
    "/{name}",
    summary="Retire a rule",
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def retire(name: RuleName, held: Held) -> RuleAnswer:
    """Take a rule out of use; its versions can still be read."""
    return _saved(held, retire_rule(held.workspace, name))


def _rule_of(asked: RuleRequest) -> Rule:
    if (asked.thresholds is None) == (asked.document is None):
        raise SettingsError("A rule is saved by 'thresholds' or by 'document'; give one of them.")
    if asked.thresholds is not None:
        given = asked.thresholds.model_dump(exclude_none=True)
        return Thresholds(**given).rule()
    return rule_from_json({**(asked.document or {}), "name": asked.name, "version": 1})


def _strict(held: Service) -> RuleAnswer:
    return RuleAnswer(
        name=STRICT.name,
        version=STRICT.version,
        in_use=held.workspace.chosen().rules.use == STRICT.name,
        note="The rule that comes with DeepLens.",
        who=None,
        at=None,
        retired_at=None,
        document=rule_to_json(STRICT),
    )


def _saved(held: Service, item: SavedRule) -> RuleAnswer:
    used = held.workspace.chosen().rules.use
    latest = held.workspace.ledger.rule(item.name).version
    return RuleAnswer(
        name=item.name,
        version=item.version,
        in_use=used == f"{item.name}@{item.version}" or (used == item.name and item.version == latest),
        note=item.note,
        who=item.who,
        at=item.at,
        retired_at=item.retired_at,
        document=dict(item.document),
    )


def _name(rule: Rule) -> str:
    return f"{rule.name}@{rule.version}"
