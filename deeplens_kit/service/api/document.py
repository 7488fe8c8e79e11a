"""The OpenAPI document: what FastAPI knows of the routes, with the problems that every one of them may answer.

Takes an application, gives the document; must not depend on a workspace, for it is committed and held against the code.
"""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from deeplens_kit.service.access.dependencies import PUBLIC
from deeplens_kit.service.access.rule_book import rules_of
from deeplens_kit.service.problems import FieldProblem, Problem, problems

__all__ = ["open_api"]

_PREFIX = "/api/"
_METHODS = ("get", "put", "post", "delete", "patch")
_REF = "#/components/schemas/{model}"
_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, which may be sent as the header x-api-key too, or a token of this server or of a "
        "provider that it trusts.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "deeplens-",
        "description": "Of who signed in in a browser. The name goes on with a mark of the server, and has __Host- "
        "before it over HTTPS; what changes something sends the header x-csrf-token as well.",
    },
}


def open_api(app: FastAPI) -> dict[str, Any]:
    """The document of an application; made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        _, ours = models_json_schema([(Problem, "validation"), (FieldProblem, "validation")], ref_template=_REF)
        schemas.update(ours["$defs"])
        components["schemas"] = dict(sorted(schemas.items()))
        components.setdefault("securitySchemes", {}).update(_SCHEMES)
        for path, operation, is_open in _operations(app, document):
            _complete(operation, is_open=is_open or not path.startswith(_PREFIX))
        app.openapi_schema = document
    return app.openapi_schema


def _operations(app: FastAPI, document: dict[str, Any]) -> list[tuple[str, dict[str, Any], bool]]:
    public = {
        (route.path_format, method.lower())
        for route in iter_route_contexts(app.routes)
        # A context has all that a route has.
        if PUBLIC in rules_of(cast("BaseRoute", route))
        for method in route.methods or ()
    }
    return [
        (path, operation, (path, method) in public)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]


def _complete(operation: dict[str, Any], *, is_open: bool) -> None:
    """Add what any route of this kind may answer, and how to say who one is."""
    answers = operation["responses"]
    if "422" in answers and "application/json" in answers["422"].get("content", {}):
        answers.pop("422")
    usual = [422] if operation.get("parameters") or operation.get("requestBody") else []
    # A body that is no JSON at all, or too large.
    usual += [400, 413] if operation.get("requestBody") else []
    usual += [403, 429] if is_open else [401, 403, 429]
    for status, answer in problems(*sorted(usual)).items():
        answers.setdefault(str(status), answer)
    # A defect of ours, or a store that is away; all that a client can cause stands on the route by its number.
    for status, answer in problems(500, 503).items():
        answers.setdefault(str(status), answer)
    operation["responses"] = dict(sorted(answers.items()))
    operation["security"] = [] if is_open else [{name: []} for name in _SCHEMES]


def main() -> None:
    """Write the document to standard output, as `docs/openapi.json` holds it."""
    import json
    import sys

    from deeplens_kit.service.application import described_application

    document = described_application().openapi()
    sys.stdout.write(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
