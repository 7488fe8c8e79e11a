"""Labels from the first pair to the threshold that they defend, on the sample library as a benchmark of its own."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest
from cli_process import Deeplens
from sample_workspace import SampleWorkspace, sample_workspace

from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.label_population import population_of


@pytest.fixture
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleWorkspace:
    """The test's own stores over the one sample library of the run."""
    return sample_workspace(tmp_path_factory)


@pytest.fixture
def benchmark(sample: SampleWorkspace) -> Path:
    """The truth of the library in the format of a benchmark folder."""
    folder = sample.folder / "benchmark"
    folder.mkdir()
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ("path", "source_id", "sha256"))
        writer.writeheader()
        for (location, path), row in sample.truth.items():
            file = sample.library / location / path
            if row["source_id"] and file.is_file():
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                writer.writerow({"path": f"{location}/{path}", "source_id": row["source_id"], "sha256": digest})
    return folder


def test_before_there_are_labels_every_command_says_what_to_do(deeplens: Deeplens, sample: SampleWorkspace) -> None:
    at = ("--workspace", sample.workspace)
    for words in (("evaluate",), ("recommend",)):
        refused = deeplens(*at, *words)
        assert (refused.code, refused.out) == (1, "")
        assert "There is no sample to judge by yet; `deeplens label sample --budget 400` draws one" in refused.err
    assert "`deeplens label sample --budget 400` draws one" in deeplens(*at, "label", "next").err
    assert "No sample was drawn yet" in deeplens(*at, "label", "status").out
    assert "No labels yet" in deeplens(*at, "label", "list").out
    assert deeplens(*at, "label", "sample", "--budget", 5).code == 0
    assert "None of the 5 pairs of the sample has a label yet" in deeplens(*at, "recommend").err


def test_a_census_by_the_truth_of_a_benchmark_gives_exactly_the_truth(
    deeplens: Deeplens, sample: SampleWorkspace, benchmark: Path
) -> None:
    at = ("--workspace", sample.workspace)
    drawn = deeplens(*at, "label", "sample", "--budget", 10_000, "--json").json["summary"]
    with Workspace.open(sample.workspace) as workspace:
        assert drawn["pairs"] == drawn["left"] == population_of(workspace)[0].candidates.height > 10
    labelled = deeplens(*at, "label", "import", "--benchmark", benchmark, "--sample", "--json").json["summary"]
    assert labelled["added"] == labelled["labels"] == drawn["pairs"] - labelled["unknown"]
    assert labelled["by_verdict"]["same"] > 5
    assert labelled["by_verdict"]["different"] > 0
    found = deeplens(*at, "evaluate", "--truth", benchmark, "--json").json
    summary = found["summary"]
    assert summary["labelled"] == labelled["labels"]
    interval, truth = summary["precision"], summary["truth"]
    assert interval["low"] == interval["high"] == interval["estimate"] == pytest.approx(truth["copy_precision"])
    by_tier = {row["tier"]: row for row in found["rows"]}
    assert by_tier["bytes"]["proven"] is by_tier["pixels"]["proven"] is True
    assert by_tier["copy"]["precision"] == interval["estimate"]
    listed = deeplens(*at, "duplicates", "--json").json["rows"]
    members = [row for row in listed if row["tier"] == "copy" and not row["is_keeper"]]
    assert by_tier["copy"]["objects"] == len(members)
    assert by_tier["copy"]["frees_bytes"] == sum(row["frees_bytes"] for row in members)
    # A rule is judged by itself: who keeps a picture does not make the others any surer.
    kept = f"{members[0]['location']}:{members[0]['path']}"
    assert deeplens(*at, "decide", "never-propose", kept).code == 0
    assert deeplens(*at, "evaluate", "--json").json["summary"]["precision"] == interval
    assert deeplens(*at, "decide", "withdraw", 1).code == 0
    said = deeplens(*at, "recommend", "--precision", 0.9, "--truth", benchmark).out
    assert "<- recommended" in said
    assert ": inside the interval." in said
    best = deeplens(*at, "recommend", "--precision", 0.9, "--json").json
    # What is recommended can be kept as a rule, and judged as one.
    bounds = said.split("rules save NAME ")[1].split(";")[0].split()
    assert deeplens(*at, "rules", "save", "mine", *bounds).code == 0
    kept = deeplens(*at, "evaluate", "--rule", "mine", "--json").json["summary"]
    assert kept["precision"] == best["summary"]["precision"]
    at_threshold = [row for row in best["rows"] if row["threshold"] == best["summary"]["threshold"]]
    assert at_threshold[0]["frees_bytes"] == best["summary"]["frees_bytes"]
    assert best["summary"]["frees_bytes"] == max(row["frees_bytes"] for row in best["rows"] if row["lower"] >= 0.9)


def test_few_labels_say_what_cannot_be_shown_and_what_can(
    deeplens: Deeplens, sample: SampleWorkspace, benchmark: Path
) -> None:
    at = ("--workspace", sample.workspace)
    assert deeplens(*at, "label", "sample", "--budget", 8).code == 0
    assert deeplens(*at, "label", "import", "--benchmark", benchmark, "--sample").code == 0
    told = deeplens(*at, "recommend", "--precision", 0.99, "--json").json["summary"]
    assert told["threshold"] is None
    assert 0 <= told["shown_precision"] < 0.99
    assert told["more_labels"] > 0
    assert f"{told['more_labels']} more labels" in told["said"]
    # The larger sample holds the smaller: nothing is asked twice.
    more = deeplens(*at, "label", "sample", "--budget", 12, "--json").json["summary"]
    assert (more["pairs"], more["new"], more["left"]) == (12, 4, 4)


def test_after_another_keep_policy_it_says_that_the_labels_are_of_other_removals(
    deeplens: Deeplens, sample: SampleWorkspace, benchmark: Path
) -> None:
    at = ("--workspace", sample.workspace)
    assert deeplens(*at, "label", "sample", "--budget", 10_000).code == 0
    assert deeplens(*at, "label", "import", "--benchmark", benchmark, "--sample").code == 0
    before = deeplens(*at, "evaluate", "--json").json["summary"]
    assert (before["sample_drawn_by"], before["sample_unframed"]) == ("", 0)
    other = sample.folder / "smallest.json"
    other.write_text('{"name": "smallest", "criteria": ["path"], "preferred_paths": ["**/export/**", "**/thumbs/**"]}')
    assert deeplens(*at, "policy", "use", other).code == 0
    told = deeplens(*at, "recommend", "--precision", 0.9, "--json").json["summary"]
    assert (told["sample_drawn_by"], told["sample_unframed"] > 0) == ("default", True)
    assert told["sample_unframed"] <= told["candidates"]
    said = deeplens(*at, "recommend", "--precision", 0.9).out
    assert "drawn by the keep policy 'default', and 'smallest' is in use now" in said
    assert "unsure" in said.splitlines()[0]
    # Drawn anew, the labels are of the removals of now.
    assert deeplens(*at, "label", "sample", "--budget", told["candidates"]).code == 0
    assert deeplens(*at, "recommend", "--json").json["summary"]["sample_drawn_by"] == ""


def test_a_pair_is_asked_for_labelled_changed_and_listed(deeplens: Deeplens, sample: SampleWorkspace) -> None:
    at = ("--workspace", sample.workspace)
    deeplens(*at, "label", "sample", "--budget", 6)
    first = deeplens(*at, "label", "next", "--json").json["rows"][0]
    words = deeplens(*at, "label", "next").out
    assert f"A  {first['digest_a'][:12]}  {first['location_a']}:{first['path_a']}" in words
    assert "likelihood" not in words
    place = f"{first['location_a']}:{first['path_a']}"
    done = deeplens(*at, "label", "set", place, first["digest_b"][:16], "different", "--note", "another one")
    assert done.code == 0
    assert "are different pictures" in done.out
    assert "5 pairs of the latest sample to label" in done.out
    after = deeplens(*at, "label", "next", "--json").json
    assert after["summary"]["left"] == 5
    assert after["rows"][0]["digest_a"] + after["rows"][0]["digest_b"] != first["digest_a"] + first["digest_b"]
    assert deeplens(*at, "label", "set", place, first["digest_b"], "same").out.startswith("Changed: ")
    listed = deeplens(*at, "label", "list", "--json").json
    assert listed["summary"]["by_verdict"] == {"same": 1}
    assert listed["rows"][0]["place_a"] == place
    assert deeplens(*at, "label", "list", "--verdict", "different", "--json").json["rows"] == []
    refused = deeplens(*at, "label", "set", place, first["digest_b"], "maybe")
    assert refused.code == 2
    assert "no verdict named 'maybe'" in refused.err
    assert "byte for byte the same" in deeplens(*at, "label", "set", place, first["digest_a"], "same").err
    assert (
        "There is no picture named 'share:none.jpg'"
        in deeplens(*at, "label", "set", place, "share:none.jpg", "same").err
    )


def test_a_label_is_withdrawn_and_one_that_serves_no_estimate_says_so(
    deeplens: Deeplens, sample: SampleWorkspace, tmp_path: Path
) -> None:
    at = ("--workspace", sample.workspace)
    deeplens(*at, "label", "sample", "--budget", 6)
    deeplens(*at, "label", "sample", "--budget", 8)
    first = deeplens(*at, "label", "next", "--json").json["rows"][0]
    pair = (first["digest_a"], first["digest_b"])
    said = deeplens(*at, "label", "set", *pair, "different", "--note", "another one")
    assert said.err == ""
    # Of two samples the larger holds the smaller: 7 pairs wait, and not 12.
    status = deeplens(*at, "label", "status", "--json").json
    assert (status["summary"]["left"], [row["left"] for row in status["rows"]]) == (7, [7, 5])
    assert status["summary"]["sample_id"] == status["rows"][0]["sample_id"]
    file = tmp_path / "labels.csv"
    assert deeplens(*at, "label", "export", file).code == 0
    refused = deeplens(*at, "label", "withdraw", *pair, "--who", "nobody")
    assert refused.code == 2 and "no person with a label on this pair named 'nobody'" in refused.err
    done = deeplens(*at, "label", "withdraw", *pair)
    assert done.code == 0 and "were different pictures" in done.out
    assert deeplens(*at, "label", "status", "--json").json["summary"]["left"] == 8
    assert "has no label" in deeplens(*at, "label", "withdraw", *pair).err
    listed = deeplens(*at, "label", "list", "--withdrawn", "--json").json
    assert (listed["summary"]["labels"], listed["summary"]["withdrawn"]) == (0, 1)
    assert listed["rows"][0]["withdrawn_by"] == listed["rows"][0]["who"] and listed["rows"][0]["withdrawn_at"]
    assert "different (withdrawn)" in deeplens(*at, "label", "list", "--withdrawn").out
    # What was written before does not bring it back; saying it again does.
    assert deeplens(*at, "label", "import", file, "--json").json["summary"]["older"] == 1
    assert deeplens(*at, "label", "set", *pair, "same").out.startswith("Labelled: ")
    (jpeg,) = sample.places(source_id="astronaut", family="reencode")
    (rocket,) = sample.places(source_id="rocket", family="reencode")
    warned = deeplens(*at, "label", "set", ":".join(jpeg), ":".join(rocket), "different")
    assert warned.code == 0 and "This pair is no candidate" in warned.err


def test_labels_go_out_and_come_back_as_they_were(
    deeplens: Deeplens, sample: SampleWorkspace, benchmark: Path, tmp_path: Path
) -> None:
    at = ("--workspace", sample.workspace)
    deeplens(*at, "label", "sample", "--budget", 10)
    deeplens(*at, "label", "import", "--benchmark", benchmark, "--sample")
    file = tmp_path / "labels.csv"
    assert deeplens(*at, "label", "export", file).code == 0
    back = deeplens(*at, "label", "import", file, "--json").json["summary"]
    assert (back["labels"], back["added"], back["changed"], back["same"]) == (back["same"], 0, 0, back["labels"])
    # A later sample that holds them changes no label.
    deeplens(*at, "label", "sample", "--budget", 12)
    again = deeplens(*at, "label", "import", file, "--json").json["summary"]
    assert (again["changed"], again["same"]) == (0, back["labels"])
    made = tmp_path / "made"
    assert deeplens(*at, "label", "export", "--benchmark", made).code == 0
    again = deeplens(*at, "label", "import", "--benchmark", made, "--sample", "--json").json["summary"]
    before = deeplens(*at, "label", "list", "--json").json["summary"]["by_verdict"]
    assert {name: 2 * count for name, count in again["by_verdict"].items()} == before
    assert "is there already" in deeplens(*at, "label", "export", "--benchmark", made).err
    # A wrong line, and nothing of the file counts.
    head, first, second, *_ = file.read_text().splitlines()
    second = second.replace(",same,", ",maybe,").replace(",different,", ",maybe,")
    file.write_text("\n".join([head, first.replace("benchmark", "bruno"), second]))
    wrong = deeplens(*at, "label", "import", file)
    assert wrong.code == 2
    assert "line 3: the verdict is 'maybe'; allowed: same, different, unsure" in wrong.err
    assert deeplens(*at, "label", "list", "--json").json["summary"]["by_verdict"] == before


def test_pairs_near_a_threshold_are_for_people_and_in_no_estimate(
    deeplens: Deeplens, sample: SampleWorkspace, benchmark: Path
) -> None:
    at = ("--workspace", sample.workspace)
    deeplens(*at, "label", "sample", "--budget", 6)
    deeplens(*at, "label", "import", "--benchmark", benchmark, "--sample")
    near = deeplens(*at, "label", "sample", "--budget", 4, "--near-threshold", 0.9, "--json").json["summary"]
    assert (near["kind"], near["new"]) == ("boundary", 4)
    before = deeplens(*at, "evaluate", "--json").json["summary"]
    deeplens(*at, "label", "import", "--benchmark", benchmark, "--sample")
    after = deeplens(*at, "evaluate", "--json").json["summary"]
    assert (before["beside"], after["precision"]) == (0, before["precision"])
    assert 0 < after["beside"] <= 4


def test_what_is_left_out_of_a_location_leaves_the_sample(deeplens: Deeplens, sample: SampleWorkspace) -> None:
    at = ("--workspace", sample.workspace)
    deeplens(*at, "label", "sample", "--budget", 10_000)
    whole = deeplens(*at, "label", "status", "--json").json["rows"][0]
    deeplens(*at, "locations", "deactivate", "laptop")
    part = deeplens(*at, "label", "status", "--json").json["rows"][0]
    assert part["gone"] > 0
    assert part["gone"] + part["left"] == whole["left"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("label", "sample", "--budget", "5", "--strictest", "0.3"), "strictest threshold is 0.3"),
        (("label", "import"), "Name one thing to import"),
        (("label", "import", "x.csv", "--sample"), "--sample goes with --benchmark"),
        (("label", "export"), "Name one thing to write"),
        (("evaluate", "--confidence", "1"), "The confidence is 1; it must be above 0.5 and below 1"),
        (("recommend", "--precision", "0.4"), "The precision is 0.4"),
    ],
)
def test_values_that_are_not_allowed_are_told(
    words: tuple[str, ...], said: str, deeplens: Deeplens, sample: SampleWorkspace
) -> None:
    refused = deeplens("--workspace", sample.workspace, *words)
    assert refused.code == 2
    assert said in refused.err
