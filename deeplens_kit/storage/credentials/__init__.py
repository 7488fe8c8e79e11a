"""Credentials by reference: what stands in a setting is where a secret is, never the secret.

Takes texts with references such as `${NAME}` or `${keyring:SERVICE/USER}` and gives them with the secrets in place,
read anew each time; must not keep a secret in a file, show one, or write where it is kept.
"""

from deeplens_kit.storage.credentials.base import CredentialProvider, Reference
from deeplens_kit.storage.credentials.clear_text import credential_in_clear, is_secret_option
from deeplens_kit.storage.credentials.registry import providers
from deeplens_kit.storage.credentials.resolving import has_reference, is_reference, references, resolve

__all__ = [
    "CredentialProvider",
    "Reference",
    "credential_in_clear",
    "has_reference",
    "is_reference",
    "is_secret_option",
    "providers",
    "references",
    "resolve",
]
