"""The file of schedules: YAML, read strictly, with everything that is wrong told at once and by line.

Takes a path, gives frozen schedules; must not open a workspace, look a credential up, or connect anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deeplens_kit.errors import DeepLensError, SettingsError, UnknownNameError
from deeplens_kit.ledger import refuse_secrets
from deeplens_kit.pipeline.notify_targets import check_target
from deeplens_kit.reporting.cron import parse_cron
from deeplens_kit.reporting.files import PAGE_ENDINGS
from deeplens_kit.reporting.schedule import check_zone, local_zone
from deeplens_kit.service.schedules.making import check_report
from deeplens_kit.service.schedules.values import WORKFLOW, Schedule
from deeplens_kit.service.schedules.yaml_lines import StrictYaml
from deeplens_kit.storage import option_names
from deeplens_kit.storage.credentials import credential_in_clear

__all__ = ["SCHEDULES_FILE", "read_schedules", "schedule_named"]

SCHEDULES_FILE = "reports/schedules.yaml"
"""Where the schedules of a workspace are, in its folder."""

_TOP = ("defaults", "schedules")
_FOR_ALL = ("timezone", "notify", "retries", "retry_minutes")
_OF_ONE = ("report", "workflow", "parameters", "index", "cron", "to", "to_options", "formats", "link", "paused")
_OF_REPORTS = ("parameters", "to", "to_options", "formats", "link")
_FORMATS = ("html", "pdf")
_PLACES = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_DEFAULT_TO = "{name}-{{date}}.html"
_MOST_RETRIES, _LEAST_MINUTES, _MOST_MINUTES = 10, 0.0, 1440.0


def read_schedules(path: Path) -> tuple[Schedule, ...]:
    """Read a file of schedules, in its order.

    Args:
        path: YAML in UTF-8. Paths in it start from its folder.

    Raises:
        SettingsError: It cannot be read, or says what is not allowed: every problem with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SettingsError(
            f"There is no file of schedules {str(path)!r}; `deeplens schedule example` prints one to fill in."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"Cannot read the schedules {str(path)!r}: {reason}.") from error
    yaml = StrictYaml(text, f"The file of schedules {str(path)!r}")
    top = yaml.mapping(yaml.root, "key", _TOP)
    reader = _Reader(yaml, path.absolute().parent)
    defaults = reader.for_all(top.get("defaults", (None, None))[1])
    entries = yaml.mapping(top.get("schedules", (None, None))[1], "schedule")
    found = [reader.schedule(name, key, node, defaults) for name, (key, node) in entries.items()]
    reader.refuse_same_page()
    yaml.settle()
    return tuple(item for item in found if item is not None)


def schedule_named(schedules: tuple[Schedule, ...], name: str) -> Schedule:
    """The schedule of a name.

    Raises:
        UnknownNameError: There is none; the nearest is suggested.
    """
    for item in schedules:
        if item.name == name:
            return item
    raise UnknownNameError("schedule", name, (item.name for item in schedules))


class _Reader:
    """Reads entries; what is wrong goes to the problems of the file."""

    def __init__(self, yaml: StrictYaml, folder: Path) -> None:
        self._yaml, self._folder = yaml, folder
        self._pages: list[tuple[str, str, Any]] = []

    def for_all(self, node: Any) -> dict[str, Any]:
        """The values that hold where a schedule does not say otherwise."""
        return self._shared(self._yaml.mapping(node, "default", _FOR_ALL))

    def refuse_same_page(self) -> None:
        """Refuse a page that two schedules write in turn."""
        first: dict[str, str] = {}
        for to, name, key in self._pages:
            if to in first:
                self._yaml.wrong(key, f"Schedules {first[to]!r} and {name!r} would write the same page; name another")
            first.setdefault(to, name)

    def schedule(self, name: str, key: Any, node: Any, defaults: dict[str, Any]) -> Schedule | None:
        """A schedule; None where it is too wrong to be one."""
        yaml, before = self._yaml, len(self._yaml.problems)
        if not _NAME.fullmatch(name):
            yaml.wrong(key, f"{name!r} cannot name a schedule: letters, digits, '.', '_' and '-' can, 100 at most")
        given = yaml.mapping(node, "key of a schedule", (*_OF_ONE, *_FOR_ALL))
        if ("report" in given) == ("workflow" in given):
            yaml.wrong(key, f"Schedule {name!r} must have one of `report` and `workflow`")
        values = {**defaults, **self._shared(given)}
        if "cron" in given:
            values["cron"] = self._tried(given["cron"][1], "cron", lambda text: parse_cron(text).text)
        else:
            yaml.wrong(key, f'Schedule {name!r} has no `cron`, which says when, for example "0 6 * * 1"')
        if "paused" in given:
            values["paused"] = yaml.flag(given["paused"][1], "paused")
        # What has neither is read as a report: all that is wrong is told at once.
        is_workflow = WORKFLOW in given and "report" not in given
        values |= self._workflow(given) if is_workflow else self._report(name, given)
        if values.get("to"):
            self._pages.append((values["to"], name, key))
        if "zone" not in values:
            values["zone"] = self._zone_here(key)
        return Schedule(name=name, **values) if len(yaml.problems) == before else None

    def _shared(self, given: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
        yaml, values = self._yaml, dict[str, Any]()
        if "timezone" in given:
            values["zone"] = self._tried(given["timezone"][1], "timezone", check_zone)
        if "notify" in given:
            values["notify"] = tuple(text for text in self._addresses(given["notify"][1]) if text)
        if "retries" in given:
            values["retries"] = int(yaml.number(given["retries"][1], "retries", 0, _MOST_RETRIES, whole=True))
        if "retry_minutes" in given:
            minutes = yaml.number(given["retry_minutes"][1], "retry_minutes", _LEAST_MINUTES, _MOST_MINUTES)
            values["retry_minutes"] = minutes
        return values

    def _addresses(self, node: Any) -> list[str]:
        found = []
        for item, text in [] if self._yaml.is_empty(node) else self._yaml.texts(node, "An address to notify"):
            try:
                check_target(text)
                found.append(text)
            except DeepLensError as error:
                self._yaml.wrong(item, str(error))
        return list(dict.fromkeys(found))

    def _workflow(self, given: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
        for name in _OF_REPORTS:
            if name in given:
                self._yaml.wrong(given[name][0], f"`{name}` is for reports; a workflow has none")
        index = "index" in given and self._yaml.flag(given["index"][1], "index")
        named = {WORKFLOW: self._yaml.text(given[WORKFLOW][1], "workflow")}
        return {"report": WORKFLOW, "parameters": {**named, "index": "true"} if index else named}

    def _report(self, name: str, given: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
        yaml = self._yaml
        if "index" in given and "report" in given and WORKFLOW not in given:
            yaml.wrong(given["index"][0], "`index` is for workflows; run `deeplens watch` or `deeplens index` beside")
        report = self._tried(given["report"][1], "report", _checked_name) if "report" in given else ""
        values: dict[str, Any] = {"report": report, "parameters": self._parameters(report, given)}
        if "formats" in given:
            asked = yaml.texts(given["formats"][1], "A format")
            for item, text in asked:
                if text and text not in _FORMATS:
                    yaml.wrong(item, str(UnknownNameError("format", text, _FORMATS)))
            values["pdf"] = any(text == "pdf" for _, text in asked)
        if "link" in given:
            values["link"] = self._tried(given["link"][1], "link", _checked_link)
        values["to"] = self._to(name, given.get("to", (None, None))[1])
        values["to_options"] = self._options(values["to"], given)
        return values

    def _parameters(self, report: str, given: dict[str, tuple[Any, Any]]) -> dict[str, str]:
        yaml, values = self._yaml, dict[str, str]()
        before = len(yaml.problems)
        for name, (key, node) in yaml.mapping(given.get("parameters", (None, None))[1], "parameter").items():
            texts = [text for _, text in yaml.texts(node, f"Parameter {name!r}")]
            values[name] = ",".join(texts)
            if not report:
                # Which parameters there are, only a report that exists says; that this one does not is told already.
                continue
            try:
                # One by one, so that each has its own line.
                check_report(report, {name: values[name]})
            except DeepLensError as error:
                yaml.wrong(key, str(error))
        if report and values and len(yaml.problems) == before:
            try:
                # Together: some do not go with others.
                check_report(report, values)
            except DeepLensError as error:
                yaml.wrong(given["parameters"][0], str(error))
        return values

    def _to(self, name: str, node: Any) -> str:
        text = _DEFAULT_TO.format(name=name) if node is None else self._yaml.text(node, "to")
        try:
            refuse_secrets("report", text if "://" in text else "", {})
            check_places(text, ("date", "time"))
            if Path(text).suffix.lower() not in PAGE_ENDINGS:
                raise SettingsError(f"`to` is {_bare(text)!r}; it must be a file that ends in .html")
            if "://" not in text:
                return str(self._folder / Path(text).expanduser())
            option_names(text)
            if not _PLACES.search(text.rpartition("/")[2]):
                raise SettingsError(
                    f"`to` is {_bare(text)!r}; the name of a file in a store needs {{date}} or {{time}}, since nothing "
                    "there is ever replaced"
                )
        except DeepLensError as error:
            self._yaml.wrong(node, str(error))
        return text

    def _options(self, to: str, given: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
        if "to_options" not in given:
            return {}
        key, node = given["to_options"]
        if "://" not in to:
            self._yaml.wrong(key, "`to_options` are of a store; `to` names none")
            return {}
        options: dict[str, Any] = {}
        for name, (at, value) in self._yaml.mapping(node, "option").items():
            options[name] = self._yaml.plain(value)
            try:
                if name not in (known := option_names(to)):
                    raise UnknownNameError("option", name, known)
                refuse_secrets("report", "", {name: options[name]})
            except DeepLensError as error:
                self._yaml.wrong(at, str(error))
        return options

    def _zone_here(self, key: Any) -> str:
        try:
            return local_zone()
        except DeepLensError:
            self._yaml.wrong(key, "The time zone of this machine has no name; give `timezone`, for example UTC")
            return ""

    def _tried(self, node: Any, what: str, check: Callable[[str], str]) -> str:
        text = self._yaml.text(node, what)
        if not text:
            return ""
        try:
            return check(text)
        except DeepLensError as error:
            self._yaml.wrong(node, str(error))
            return ""


def check_places(text: str, known: tuple[str, ...]) -> None:
    """Refuse what stands in braces and is not filled.

    Raises:
        UnknownNameError: There is such a name.
    """
    for name in _PLACES.findall(text):
        if name not in known:
            raise UnknownNameError("place to fill", f"{{{name}}}", [f"{{{item}}}" for item in known])


def _checked_name(text: str) -> str:
    check_report(text, {})
    return text


def _checked_link(text: str) -> str:
    check_places(text, ("date", "time", "file"))
    if not text.startswith(("https://", "http://")):
        raise SettingsError(f"`link` is {text!r}; it must begin with https://")
    if words := credential_in_clear("", text):
        raise SettingsError(f"`link` holds {words} in clear; people would be sent it")
    return text


def _bare(text: str) -> str:
    """Without a query or login, which may be a secret."""
    return text.partition("?")[0].rpartition("@")[2]
