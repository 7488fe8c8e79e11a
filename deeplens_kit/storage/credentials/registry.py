"""The providers of credentials by name, each made when it is first asked for.

Takes a name and gives a provider; must not import a provider's library before one of its references is looked up.
"""

from __future__ import annotations

import functools
from importlib import import_module

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.storage.credentials.base import CredentialProvider

__all__ = ["provider", "providers"]

_PROVIDERS = {
    "env": "deeplens_kit.storage.credentials.environment:Environment",
    "file": "deeplens_kit.storage.credentials.secrets_file:SecretsFile",
    "infisical": "deeplens_kit.storage.credentials.infisical:Infisical",
    "keyring": "deeplens_kit.storage.credentials.system_keyring:SystemKeyring",
}


def providers() -> tuple[str, ...]:
    """The names of the providers there are, sorted."""
    return tuple(sorted(_PROVIDERS))


@functools.cache
def provider(name: str) -> CredentialProvider:
    """The provider of a name, one for the process.

    Raises:
        UnknownNameError: There is none of that name; the nearest is suggested.
    """
    if name not in _PROVIDERS:
        raise UnknownNameError("provider of credentials", name, _PROVIDERS)
    module, _, class_name = _PROVIDERS[name].partition(":")
    made: CredentialProvider = getattr(import_module(module), class_name)()
    return made
