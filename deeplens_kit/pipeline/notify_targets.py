"""Where notices go: addresses as people write them, `smtp://`, `smtps://` and `https://`.

Takes a text in which every credential is a reference, gives a frozen target with the credentials as they are now; must
not connect, and never shows more of an address than its scheme and host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import EmailMessage
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.credentials import credential_in_clear, is_reference, references, resolve
from deeplens_kit.telemetry import register_secret

__all__ = ["MailTarget", "Target", "WebhookTarget", "check_target", "is_loopback", "label_of", "target_of"]

_FORMS = "write smtp://USER:${NAME}@HOST/?to=ADDRESS&from=ADDRESS, smtps://... or https://HOST/PATH"
_PORTS = {"smtp": 587, "smtps": 465}  # RFC 6409, RFC 8314
_MAIL_OPTIONS = ("from", "plain", "to")
_OURS = ("plain", "secret")
"""What of the query of a webhook is for us; the rest is sent as it is."""
# Chat services give out addresses whose path is the secret: a part of such a length with digits in it is no word.
_SECRET_PART = re.compile(r"(?=[^/]*\d)[\w.~%+=-]{16,}")


@dataclass(frozen=True, slots=True)
class MailTarget:
    """A mail server and whom to write to.

    Attributes:
        host: Its name.
        port: Its port.
        user: To log in as; "" for no login.
        password: Of the user.
        sender: Address that the mail comes from.
        recipients: Addresses that it goes to.
        tls_first: TLS from the first byte (`smtps`).
        may_be_plain: Go on without TLS where the server offers none; never with a login to another machine.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...]
    tls_first: bool
    may_be_plain: bool


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where a JSON document is posted.

    Attributes:
        url: Whole, without what is for us.
        host: Its host.
        secret: By which the document is signed; "" for no signature.
    """

    url: str = field(repr=False)
    host: str
    secret: str = field(repr=False)


Target: TypeAlias = MailTarget | WebhookTarget


def check_target(text: str) -> None:
    """Refuse an address that cannot be used, or that holds a credential in clear; nothing is looked up.

    Raises:
        SettingsError: It cannot be used; the message does not repeat it.
        UnknownNameError: A reference names a provider that does not exist.
    """
    words = credential_in_clear("", text)
    if words:
        raise SettingsError(
            f"The address to notify, {label_of(text)}, holds {words} in clear; write a reference such as ${{NAME}} in "
            "its place, or in the place of the whole address."
        )
    if not is_reference(text):
        _parsed(_marked(text))


def target_of(text: str) -> Target:
    """The target with its credentials as they are now.

    Raises:
        SettingsError: The address cannot be used.
        CredentialMissingError: A credential is not there.
    """
    return _parsed(resolve(text, fresh=True, in_url=True))


def label_of(text: str) -> str:
    """An address as it may be shown: scheme and host, or the reference that stands for it."""
    if is_reference(text):
        return text
    try:
        parts = urlsplit(_marked(text))
        return f"{parts.scheme}://{parts.hostname or ''}"
    except ValueError:
        return "an address that is no URL"


def _marked(text: str) -> str:
    """The text with a plain word for each reference, which may hold what divides an address."""
    for reference in references(text):
        text = text.replace(reference.text, "reference", 1)
    return text


def _parsed(text: str) -> Target:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        # The cause is left out: it may repeat the login.
        raise SettingsError(f"An address to notify is no URL; {_FORMS}.") from None
    if parts.scheme not in ("smtp", "smtps", "http", "https"):
        raise SettingsError(f"An address to notify begins with {parts.scheme or 'no scheme'!r}; {_FORMS}.")
    if not host:
        raise SettingsError(f"An address to notify names no host; {_FORMS}.")
    if parts.scheme.startswith("http"):
        return _webhook(parts, host)
    return _mail(parts, host, port)


def _mail(parts: SplitResult, host: str, port: int | None) -> MailTarget:
    where = f"{parts.scheme}://{host}"
    options = parse_qsl(parts.query, keep_blank_values=True)
    for name, _ in options:
        if name not in _MAIL_OPTIONS:
            allowed = ", ".join(_MAIL_OPTIONS)
            raise SettingsError(f"The address to notify, {where}, has the option {name!r}; allowed are {allowed}.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user and not password:
        raise SettingsError(f"The address to notify, {where}, names a user without a password; write USER:${{NAME}}@.")
    recipients = [item.strip() for name, value in options if name == "to" for item in value.split(",") if item.strip()]
    sender = next((value for name, value in options if name == "from"), user)
    for address in (sender, *recipients):
        if not _is_mail_address(address):
            raise SettingsError(
                f"The address to notify, {where}, needs mail addresses: ?to=ADDRESS&from=ADDRESS, and got {address!r}."
            )
    if not recipients:
        raise SettingsError(f"The address to notify, {where}, does not say to whom; add ?to=ADDRESS.")
    _require_headers(where, sender, recipients)
    return MailTarget(
        host=host,
        port=port or _PORTS[parts.scheme],
        user=user,
        password=password,
        sender=sender,
        recipients=tuple(recipients),
        tls_first=parts.scheme == "smtps",
        may_be_plain=_flag("plain", options, where),
    )


def _webhook(parts: SplitResult, host: str) -> WebhookTarget:
    where = f"{parts.scheme}://{host}"
    if parts.username is not None:
        raise SettingsError(
            f"The address to notify, {where}, holds a login, which is not sent; sign with ?secret=${{NAME}} instead."
        )
    items = [item for item in parts.query.split("&") if item]
    ours = [item for item in items if item.partition("=")[0] in _OURS]
    options = parse_qsl("&".join(ours), keep_blank_values=True)
    if parts.scheme == "http" and not (_flag("plain", options, where) or is_loopback(host)):
        raise SettingsError(
            f"The address to notify, {where}, is not encrypted; write https://, or add plain=true to its query if "
            "everybody on the way may read it."
        )
    secret = next((value for name, value in options if name == "secret"), None)
    if secret == "":
        raise SettingsError(f"The address to notify, {where}, has an empty secret; write secret=${{NAME}}.")
    query = "&".join(item for item in items if item not in ours)
    for part in (*parts.path.split("/"), *(item.partition("=")[2] for item in items)):
        if _SECRET_PART.fullmatch(part):
            register_secret(part)
    url = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, ""))
    return WebhookTarget(url=url, host=host, secret=secret or "")


def _flag(name: str, options: list[tuple[str, str]], where: str) -> bool:
    value = next((value for key, value in options if key == name), "false").lower()
    if value not in ("true", "false"):
        raise SettingsError(f"The address to notify, {where}, has {name}={value!r}; allowed are true and false.")
    return value == "true"


def _is_mail_address(text: str) -> bool:
    name, at, domain = text.rpartition("@")
    return bool(name and at and domain and text.isprintable() and not any(letter in text for letter in ' <>,;"'))


def _require_headers(where: str, sender: str, recipients: Sequence[str]) -> None:
    """Refuse addresses that no mail can be made with, before there is one to send."""
    try:
        mail = EmailMessage()
        mail["From"], mail["To"] = sender, ", ".join(recipients)
        mail["Message-ID"] = f"<{0:032x}@{sender.rpartition('@')[2]}>"
        bytes(mail)
        wrong = [str(defect) for name in ("From", "To") for defect in mail[name].defects]
    # The library's parser ends in these for some of what it cannot read.
    except (MessageError, ValueError, AttributeError, IndexError, KeyError, TypeError) as error:
        wrong = [type(error).__name__]
    if wrong:
        raise SettingsError(
            f"The address to notify, {where}, needs mail addresses that a mail can be written to and from, as in "
            f"?to=ben@example.org&from=anna@example.org; got to {', '.join(map(repr, recipients))} and from {sender!r}."
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or number alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
