"""A slip in `workspace.toml` is one line that names the file and what TOML wants there."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import Deeplens

from deeplens_kit.pipeline import Workspace


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[index]\nworkers = 'many'", "it must be a whole number, for example 0"),
        ("[index]\nexclude = 7", 'a list of texts in brackets, for example ["*.tmp"]'),
        ("[index]\nworkers = -1", "at least 0"),
        ("[index]\nwrokers = 1", "did you mean 'index.workers'?"),
        ("[features]\nmodel_dir = 1", "a text in quotes"),
        ("[match]\nsscd_min_cosine = 'x'", "a number, for example 0.4"),
        ("index = 1", "TOML table, as in [index]"),
        ("[idnex]", "did you mean 'index'?"),
        ("[index", "not valid TOML"),
    ],
)
def test_a_slip_names_the_file(deeplens: Deeplens, tmp_path: Path, text: str, says: str) -> None:
    deeplens("init", tmp_path / "w")
    file = tmp_path / "w" / "workspace.toml"
    file.write_text(f"{file.read_text()}\n{text}\n")
    done = deeplens("--workspace", tmp_path / "w", "status")
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert str(file) in done.err
    assert done.err.count("\n") == 1


def test_a_relative_folder_of_models_is_one_of_the_workspace(deeplens: Deeplens, tmp_path: Path) -> None:
    deeplens("init", tmp_path / "w")
    file = tmp_path / "w" / "workspace.toml"
    file.write_text(f"{file.read_text()}\n[features]\nmodel_dir = 'models/own'\n")
    with Workspace.open(tmp_path / "w") as workspace:
        assert workspace.settings.features.model_dir == str(tmp_path / "w" / "models" / "own")
