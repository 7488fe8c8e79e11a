"""What opening, describing and misusing a workbench comes to."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sample_workspace import SampleWorkspace

from deeplens_kit import Workbench
from deeplens_kit.errors import (
    Interrupted,
    LocationUnavailableError,
    SettingsError,
    UnknownNameError,
    WorkspaceMissingError,
)
from deeplens_kit.matching import STRICT, Thresholds
from deeplens_kit.pipeline import ProgressSnapshot
from deeplens_kit.views import index_progress


def test_the_environment_names_the_workspace(sample: SampleWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkspaceMissingError, match="DEEPLENS_WORKSPACE"):
        Workbench.open()
    monkeypatch.setenv("DEEPLENS_WORKSPACE", str(sample.workspace))
    for named in (None, ""):
        with Workbench.open(named) as workbench:
            assert workbench.workspace.directory == sample.workspace


def test_a_relative_name_is_meant_from_where_jupyterlab_was_started(
    sample: SampleWorkspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(sample.folder))
    monkeypatch.setenv("DEEPLENS_WORKSPACE", "workspace")
    with Workbench.open() as workbench:
        assert workbench.objects().height > 0


def test_one_name_is_not_a_sequence_of_letters(sample: SampleWorkspace) -> None:
    with Workbench.open(sample.workspace) as workbench:
        assert workbench.check_locations("share")["location"].to_list() == ["share"]
        assert workbench.check_locations(["share", "laptop"]).height == 2


def test_a_rule_is_a_rule_thresholds_or_none(sample: SampleWorkspace) -> None:
    with Workbench.open(sample.workspace) as workbench:
        strict = workbench.groups()
        assert workbench.groups(STRICT).equals(strict)
        assert workbench.groups(Thresholds()).equals(strict)
        tight = Thresholds(likelihood_min=1, page_likelihood_min=1)
        assert workbench.savings(tight)["objects"].sum() < workbench.savings()["objects"].sum()
        assert workbench.savings(tight)["objects"].sum() == (~workbench.groups(tight)["is_keeper"]).sum()
        with pytest.raises(SettingsError, match=r"0\.5 is no rule"):
            workbench.groups(0.5)  # type: ignore[arg-type]


def test_a_rule_is_given_by_its_name_wherever_one_is_asked_for(sample: SampleWorkspace) -> None:
    tight = Thresholds(likelihood_min=1, page_likelihood_min=1)
    with Workbench.open(sample.workspace) as workbench:
        workbench.save_rule("tight", tight)
        for asked in (workbench.groups, workbench.withheld, workbench.related, workbench.savings):
            assert asked("tight").equals(asked(tight))
        assert (
            workbench.compare_policies("default", rule="tight").objects
            == (workbench.groups(tight).filter(is_keeper=False).height,) * 2
        )
        assert workbench.diff_rules("tight@1", tight).bounds.is_empty()
        assert workbench.save_rule("again", "tight").version == 1
        with pytest.raises(UnknownNameError, match="tight"):
            workbench.groups("tigth")
        for name in ("tight", "again"):
            workbench.retire_rule(name)


def test_a_workspace_without_locations_says_what_to_do(tmp_path: Path) -> None:
    with Workbench.create(tmp_path / "new") as workbench:
        said = str(workbench.index(quiet=True))
        assert said == "No location is active; add one with `add_location(name, folder)` and index again."
        assert said in workbench.index(quiet=True)._repr_html_()
        with pytest.raises(LocationUnavailableError):
            workbench.add_location("gone", tmp_path / "nowhere")
        assert workbench.locations.is_empty()


def test_what_is_shown_of_names_is_no_markup(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with Workbench.create(tmp_path / "a <b> workspace") as workbench:
        workbench.add_location("<i>shared", tmp_path / "pictures")
        assert "<b>Workbench of a &lt;b&gt; workspace" in workbench._repr_html_()
        assert "&lt;i&gt;shared" in workbench._repr_html_()
        assert "&lt;i&gt;shared" in workbench.index(quiet=True)._repr_html_()


def test_an_interrupt_keeps_what_was_read_and_the_next_run_goes_on(
    sample: SampleWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    class Interrupting(index_progress.PlainProgress):
        """Stands for a person who presses Ctrl-C once, while files are read."""

        def update(self, snapshot: ProgressSnapshot) -> None:
            if snapshot.stage == "index" and not sent:
                sent.append(signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    with Workbench.create(tmp_path / "workspace") as workbench:
        workbench.add_location("share", sample.library / "share")
        monkeypatch.setattr(index_progress, "PlainProgress", Interrupting)
        with pytest.raises(Interrupted, match="what was read is kept"):
            workbench.index()
        summary = workbench.index()
        assert sent == [signal.SIGINT]
        assert summary.totals["found"] == summary.totals["unchanged"] + summary.totals["new"]
        assert workbench.objects().height == summary.totals["found"]


def test_an_error_is_its_message_in_a_notebook(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceMissingError) as caught:
        Workbench.open(tmp_path)
    (line,) = caught.value._render_traceback_()
    assert line.startswith("WorkspaceMissingError: ")
    assert "\n" not in line
