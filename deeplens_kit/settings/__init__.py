"""Frozen settings, one class per stage, and the file that names a workspace's stores.

Takes `workspace.toml` and gives frozen values; must not open a store. Units stand in the names. An unknown key
or a value out of range is an error that says what is allowed.
"""

from deeplens_kit.settings.service import LOOPBACK, ServiceSettings
from deeplens_kit.settings.sign_in import ProviderSettings, SignInSettings, TokenSettings
from deeplens_kit.settings.stages import (
    MOST_NICENESS,
    ActionSettings,
    DecodeSettings,
    FeatureSettings,
    GroupSettings,
    IndexSettings,
    IngestSettings,
    JobSettings,
    MatchSettings,
    PolicySettings,
    RuleSettings,
    SearchSettings,
    WatchSettings,
    WorkspaceSettings,
)
from deeplens_kit.settings.workspace_file import (
    WORKSPACE_FILE,
    WORKSPACE_VARIABLE,
    default_workspace_settings,
    load_workspace_settings,
    save_choice,
    save_workspace_settings,
    with_stores,
    workspace_of_environment,
)

__all__ = [
    "LOOPBACK",
    "MOST_NICENESS",
    "WORKSPACE_FILE",
    "WORKSPACE_VARIABLE",
    "ActionSettings",
    "DecodeSettings",
    "FeatureSettings",
    "GroupSettings",
    "IndexSettings",
    "IngestSettings",
    "JobSettings",
    "MatchSettings",
    "PolicySettings",
    "ProviderSettings",
    "RuleSettings",
    "SearchSettings",
    "ServiceSettings",
    "SignInSettings",
    "TokenSettings",
    "WatchSettings",
    "WorkspaceSettings",
    "default_workspace_settings",
    "load_workspace_settings",
    "save_choice",
    "save_workspace_settings",
    "with_stores",
    "workspace_of_environment",
]
