"""The parameters of a report's notebook: a name that it does not have, or a value of another kind, is an error.

Takes a notebook and values by name, gives values of the declared types; must not run anything. Papermill itself only
warns about a misspelt name and goes on with the default.
"""

from __future__ import annotations

import ast
import io
import json
import math
import tokenize
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.errors import ReportError, SettingsError, UnknownNameError
from deeplens_kit.matching.thresholds import refuse_replaced

__all__ = ["Parameter", "checked_parameters", "report_parameters"]

_TAG = "parameters"
_SPOKEN = {
    "str": "a text",
    "int": "a whole number, for example 20",
    "float": "a number, for example 0.5",
    "bool": "true or false",
    "list[str]": "texts with commas between them, for example bytes,copy",
}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as its notebook declares it.

    Attributes:
        name: Its name.
        kind: str, int, float, bool or list[str].
        default: What it is when nobody says.
        meaning: The comment beside it.
    """

    name: str
    kind: str
    default: object
    meaning: str


def report_parameters(notebook: Path) -> Mapping[str, Parameter]:
    """The parameters that a notebook declares in its cell tagged `parameters`, in their order.

    Raises:
        ReportError: The file is no notebook, has no such cell, or declares one without a type that is known.
    """
    source = _parameters_cell(notebook)
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ReportError(
            f"The parameters of {notebook.name!r} are no valid Python: {error.msg}; mend them."
        ) from error
    comments = _comments(source)
    declared = {}
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or kind not in _SPOKEN:
            raise ReportError(
                f"Line {node.lineno} of the parameters of {notebook.name!r} is {ast.unparse(node)!r}; write "
                f"`name: type = value` with one of the types {', '.join(_SPOKEN)}."
            )
        name = node.target.id
        try:
            default = ast.literal_eval(node.value) if node.value is not None else None
        except ValueError as error:
            raise ReportError(f"Parameter {name!r} of {notebook.name!r} has no plain value; write one.") from error
        declared[name] = Parameter(name, kind, default, comments.get(node.end_lineno or 0, ""))
    return declared


def checked_parameters(
    notebook: Path, values: Mapping[str, object], allowed: Collection[str] | None = None
) -> dict[str, object]:
    """Values as the notebook declares them.

    Args:
        notebook: The notebook.
        values: By name; texts are converted, as they come from a command line.
        allowed: The parameters that may be given; None for all.

    Raises:
        UnknownNameError: The notebook has no parameter of that name; the nearest is suggested.
        SettingsError: A value is not of the declared type, or the name is of a bound that was replaced.
        ReportError: As for `report_parameters`.
    """
    declared = report_parameters(notebook)
    known = declared if allowed is None else {name: declared[name] for name in declared if name in allowed}
    refuse_replaced("report parameter", values, known)
    for name in values:
        if name not in known:
            raise UnknownNameError("report parameter", name, known)
    return {name: _converted(declared[name], value) for name, value in values.items()}


def _converted(parameter: Parameter, value: object) -> object:
    text = value.strip() if isinstance(value, str) else ""
    found: object = None
    if parameter.kind == "str" and isinstance(value, str):
        found = value
    elif parameter.kind == "bool":
        found = value if isinstance(value, bool) else _TRUTH.get(text.lower())
    elif parameter.kind == "list[str]":
        if isinstance(value, str):
            found = [item.strip() for item in value.split(",") if item.strip()]
        elif isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            found = list(value)
    elif parameter.kind in ("int", "float") and not isinstance(value, bool):
        found = _number(parameter.kind, text or value)
    if found is None:
        raise SettingsError(f"Report parameter {parameter.name!r} is {value!r}; it must be {_SPOKEN[parameter.kind]}.")
    return found


def _number(kind: str, value: object) -> int | float | None:
    try:
        number = int(value) if kind == "int" and isinstance(value, str | int) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and (kind == "float" or isinstance(number, int)) else None


def _parameters_cell(notebook: Path) -> str:
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if _TAG in cell.get("metadata", {}).get("tags", [])]
        source = tagged[0]["source"] if tagged else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReportError(f"{str(notebook)!r} cannot be read as a notebook; name another one.") from error
    if source is None:
        raise ReportError(f"Notebook {notebook.name!r} has no cell tagged {_TAG!r}; tag the one with its parameters.")
    return source if isinstance(source, str) else "".join(source)


def _comments(source: str) -> dict[int, str]:
    """Comments by the line that they end."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
