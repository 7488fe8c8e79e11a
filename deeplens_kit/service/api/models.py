"""The models: what there is, what is installed, and what indexing computes.

Takes nothing, gives descriptions; must not load or fetch a model.
"""

from __future__ import annotations

from fastapi import APIRouter

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.features import Model, model_state, models
from deeplens_kit.ledger import Scope
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.paging import Cursor, Limit, page_of
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.overview import ModelAnswer
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/models", tags=["workspace"])


@router.get(
    "",
    summary="List the models",
    dependencies=[needs(Scope.SEARCH_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_models(held: Held, limit: Limit = 100, cursor: Cursor = None) -> Page[ModelAnswer]:
    """List the models by which pictures are compared: what each tells, and whether it is installed and enabled."""
    found = models(held.workspace.settings.features).models
    return page_of(found, limit, cursor, "models", lambda model: _shown(held, model))


@router.get(
    "/{name}",
    summary="Show a model",
    dependencies=[needs(Scope.SEARCH_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show_model(name: str, held: Held) -> ModelAnswer:
    """Show a model by its name."""
    found = {model.name: model for model in models(held.workspace.settings.features).models}
    if name not in found:
        raise UnknownNameError("model", name[:80], found)
    return _shown(held, found[name])


def _shown(held: Service, model: Model) -> ModelAnswer:
    settings = held.workspace.settings.features
    state = model_state(model, settings)
    return ModelAnswer(
        name=model.name,
        purposes=[str(purpose) for purpose in model.purposes],
        kind=model.kind,
        installed=state.installed,
        enabled=model.name in settings.enabled,
        # Where files lie on the server is nobody's business but its administrator's.
        reason="" if state.installed else f"`deeplens models list` says what {model.name} needs to be installed.",
        dimensions=model.dimensions or None,
        size_bytes=model.size_bytes or None,
        licence=model.licence,
        source=model.source,
        custom=model.custom,
    )
