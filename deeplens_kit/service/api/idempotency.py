"""Requests that may be sent twice and are done once: the header `Idempotency-Key`.

Takes a request with such a key and what answers it, gives the answer of the first time; must not know what is asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from deeplens_kit.ledger import Job
from deeplens_kit.ledger.request_values import KeptAnswer, MadeThing
from deeplens_kit.service.access.dependencies import Caller
from deeplens_kit.service.api.bodies import FORM_LIMITS
from deeplens_kit.service.api.job_answers import job_started
from deeplens_kit.service.api.values.base import JobStarted
from deeplens_kit.service.context import Held, Service

__all__ = ["Idempotent", "Once"]

_Answer = TypeVar("_Answer", bound=BaseModel)
_PIECE_BYTES = 2**20
_DEFAULT_STATUS = 200

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="Made up by you: a request that comes again with the same key within a day is answered as it was "
        "the first time and not done again. With another request it is refused.",
    ),
]


class Once:
    """Does what a request asks for, once for each key.

    Args:
        service: What the process serves with.
        who: Who asks.
        key: Theirs; empty where the request has none.
        fingerprint: Of all that is asked for.
        status: Of the route's answers.
    """

    def __init__(self, service: Service, who: str, key: str, fingerprint: str, status: int) -> None:
        self._ledger = service.workspace.ledger
        self._who, self._key, self._fingerprint, self._status = who, key, fingerprint, status

    def __call__(
        self, act: Callable[[], _Answer], again: Callable[[MadeThing], _Answer] | None = None
    ) -> _Answer | Any:
        """Give what `act` gives, or what it gave before.

        Args:
            act: Does what is asked for.
            again: Answers by what an earlier try made whose answer was not kept; None where `act` does no more when
                it is done a second time.

        Raises:
            KeyReusedError: The key came with another request.
            RequestConflictError: The same request is being worked on.
        """
        if not self._key:
            return act()
        kept = self._ledger.begin_request(self._who, self._key, self._fingerprint)
        if isinstance(kept, MadeThing) and again is not None:
            kept = KeptAnswer(self._status, self._keep(again(kept)))
        if isinstance(kept, KeptAnswer):
            return JSONResponse(dict(kept.content), kept.status, {"Idempotency-Replayed": "true"})
        try:
            with self._ledger.working_on(self._who, self._key):
                answer = act()
        except BaseException:
            self._ledger.drop_request(self._who, self._key)
            raise
        self._keep(answer)
        return answer

    def job(self, submit: Callable[[], Job], path: str = "/api/v1/jobs/") -> JobStarted | Any:
        """Have a job asked for, and give what is told of it; it is asked for at `path` how it stands."""
        return self(lambda: job_started(submit(), path), lambda made: job_started(self._ledger.job(made.name), path))

    def _keep(self, answer: BaseModel) -> dict[str, Any]:
        content: dict[str, Any] = answer.model_dump(mode="json", by_alias=True)
        self._ledger.end_request(self._who, self._key, self._status, content)
        return content


async def _once(request: Request, service: Held, who: Caller, key: Key = "") -> Once:
    status = getattr(request.scope.get("route"), "status_code", None) or _DEFAULT_STATUS
    fingerprint = await _fingerprint(request) if key else ""
    return Once(service, f"{who.kind} {who.user_id or who.name}", key, fingerprint, status)


async def _fingerprint(request: Request) -> str:
    told = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    if "form" not in request.headers.get("content-type", ""):
        told.update(await request.body())
        return told.hexdigest()
    # The boundary between the parts is another one each time.
    for name, value in (await request.form(**FORM_LIMITS)).multi_items():
        told.update(f"\n{len(name)} {name} ".encode())
        if isinstance(value, UploadFile):
            told.update(f"{value.filename} {value.content_type} {value.size}\n".encode())
            while piece := await value.read(_PIECE_BYTES):
                told.update(piece)
            await value.seek(0)
        else:
            told.update(f"{len(value)} {value}".encode())
    return told.hexdigest()


Idempotent = Annotated[Once, Depends(_once)]
"""Of a POST that creates: `return once(lambda: make(...))`, with `once: Idempotent`."""
