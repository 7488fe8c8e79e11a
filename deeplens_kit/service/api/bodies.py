"""Bodies that come as JSON or as a form with files: read once, checked against one value.

Takes a request, gives a frozen value and the files beside it; must not look into a file. In a form every field of the
value is a part of its own: texts and numbers as they are, lists as repeated parts or JSON, objects as JSON.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.datastructures import FormData, UploadFile

from deeplens_kit.errors import NamedInBodyError, UnknownNameError

__all__ = ["FORM_LIMITS", "MOST_FILES", "body_schema", "named_in_body", "read_body"]

_Value = TypeVar("_Value", bound=BaseModel)

_JSON, _FORM = "application/json", "multipart/form-data"

MOST_FILES = 1_000
"""Of a form, inclusive."""

FORM_LIMITS: Mapping[str, int] = {"max_files": MOST_FILES, "max_fields": 200, "max_part_size": 2 * 2**20}
"""Of every form: it is read once, by whoever asks for it first. The last is of a text part; files are held back by the
limit of the whole body."""


@asynccontextmanager
async def read_body(
    request: Request, value: type[_Value], *, file_part: str = "file", most_files: int = 1
) -> AsyncIterator[tuple[_Value, tuple[UploadFile, ...]]]:
    """Read a body; its files are there until the block ends.

    Args:
        request: Not read yet.
        value: What it is to be.
        file_part: Name of the part, or parts, that are files.
        most_files: How many of them there may be.

    Yields:
        The value, and the files in the order in which they came; none beside JSON.

    Raises:
        RequestValidationError: It is no such value.
        HTTPException: 415, it is neither JSON nor a form; 400, it has more files.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _JSON:
        yield _checked(value, _json_of(await request.body()), strict=True), ()
        return
    if kind != _FORM:
        raise HTTPException(415, f"The body is {kind[:80] or 'of no kind'!r}; send {_JSON} or {_FORM}.")
    async with request.form(**FORM_LIMITS) as form:
        files = tuple(item for item in form.getlist(file_part) if isinstance(item, UploadFile))
        if len(files) > most_files:
            raise HTTPException(400, f"The form has {len(files):,} files; send {most_files:,} at most.")
        yield _checked(value, _plain(form, value, file_part), strict=False), files


@contextmanager
def named_in_body() -> Iterator[None]:
    """Have a name that does not exist be an error of the body, not of the address.

    Raises:
        NamedInBodyError: The block met an UnknownNameError.
    """
    try:
        yield
    except UnknownNameError as error:
        raise NamedInBodyError(str(error)) from error


def body_schema(
    value: type[BaseModel], *, file_part: str = "file", several: bool = False, file_needed: bool = False
) -> dict[str, Any]:
    """What the OpenAPI document says of a body that `read_body` reads.

    Args:
        value: What it is to be.
        file_part: As for `read_body`.
        several: Whether there may be several files.
        file_needed: Whether a form needs one.
    """
    plain = _inlined(value.model_json_schema())
    file: dict[str, Any] = {"type": "string", "format": "binary", "description": "A picture file."}
    form = {**plain, "properties": {**plain["properties"]}}
    form["properties"][file_part] = {"type": "array", "items": file} if several else file
    if file_needed:
        form["required"] = [*plain.get("required", ()), file_part]
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": plain}, _FORM: {"schema": form}}}}


def _checked(value: type[_Value], plain: Any, *, strict: bool) -> _Value:
    try:
        return value.model_validate(plain, strict=strict)
    except ValidationError as error:
        # Without what was given: it may be a picture, or a secret.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in found]) from error


def _json_of(content: bytes) -> Any:
    try:
        # Nobody else is answered meanwhile, on whatever thread; the standard library takes three times as long.
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        said = f"The body is no JSON: {error}"
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",), "msg": said}]) from error


def _plain(form: FormData, value: type[BaseModel], file_part: str) -> dict[str, Any]:
    """The parts that are no files, as JSON would have them."""
    plain: dict[str, Any] = {}
    for name in dict.fromkeys(form.keys()):
        parts = form.getlist(name)
        if name == file_part and all(isinstance(part, UploadFile) for part in parts):
            continue
        texts = [_text_of(name, part) for part in parts]
        field = value.model_fields.get(name)
        kind = _kind_of(value, name) if field is not None else "string"
        if kind == "array":
            listed = _parsed(name, texts[0]) if len(texts) == 1 and texts[0].lstrip().startswith("[") else texts
            plain[name] = listed
        elif len(texts) > 1:
            raise _wrong(name, "It stands in the form more than once.")
        else:
            plain[name] = _parsed(name, texts[0]) if kind == "object" else texts[0]
    return plain


def _kind_of(value: type[BaseModel], name: str) -> str:
    """What a field is in JSON: "object", "array" or anything else."""
    schema = _inlined(value.model_json_schema())["properties"][name]
    kinds = {schema.get("type"), *(item.get("type") for item in schema.get("anyOf", ()))}
    return next((kind for kind in ("object", "array") if kind in kinds), "string")


def _text_of(name: str, part: UploadFile | str) -> str:
    if isinstance(part, str):
        return part
    raise _wrong(name, "It is a file; send it as text.")


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(name, f"It is no JSON: {error}") from error


def _wrong(name: str, said: str) -> RequestValidationError:
    return RequestValidationError([{"type": "form", "loc": ("body", name[:80]), "msg": said}])


def _inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema in which no part refers to another: what it refers to stands in its place."""
    definitions = schema.get("$defs", {})

    def inline(part: Any) -> Any:
        if isinstance(part, list):
            return [inline(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            named = definitions[part["$ref"].rpartition("/")[2]]
            return inline({**named, **{key: item for key, item in part.items() if key != "$ref"}})
        return {key: inline(item) for key, item in part.items() if key != "$defs"}

    plain: dict[str, Any] = inline(dict(schema))
    return plain
