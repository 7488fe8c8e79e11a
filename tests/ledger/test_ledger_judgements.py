"""Rules, labels and decisions in the ledger, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import LabelCounts, Ledger, rules
from deeplens_kit.ledger.backup import back_up
from deeplens_kit.schemas import DECISIONS, LABEL_ITEMS, LABELS

Maker = Callable[..., Ledger]
A, B, C, D = (letter * 64 for letter in "abcd")


def labelled(*rows: tuple[str, str, str], **columns: object) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["digest_a", "digest_b", "verdict"], orient="row")
    return frame.with_columns(pl.lit(value).alias(name) for name, value in columns.items())


def decided(*rows: tuple[str, str | None, str], **columns: object) -> pl.DataFrame:
    schema = {"kind": pl.String, "keeper_digest": pl.String, "member_digest": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.lit(value).alias(name) for name, value in columns.items())


class JudgementConformance:
    """Inherited once per database."""

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    # --- Rules ---

    def test_a_rule_is_saved_in_versions_that_never_change(
        self, url: str, ledger: Ledger, made: Maker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = ledger.save_rule("archive", {"verified": [{"likelihood_min": 0.9}]}, "as agreed")
        assert (first.name, first.version, first.note, first.retired_at) == ("archive", 1, "as agreed", None)
        assert ledger.save_rule("archive", {"verified": [{"likelihood_min": 0.9}]}) == first
        noted = ledger.save_rule("archive", {"verified": [{"likelihood_min": 0.9}]}, "again")
        assert (noted.version, noted.note, noted.at) == (1, "again", first.at)
        assert ledger.audit_trail()[-1].details == {"name": "archive", "version": 1, "was": "as agreed"}
        second = ledger.save_rule("archive", {"verified": [{"likelihood_min": 0.95}]})
        ledger.save_rule("Ünder", {})
        other = made(url, new=False)
        assert (other.rule("archive"), other.rule("archive", 1), second.version) == (second, noted, 2)
        assert [(item.name, item.version) for item in ledger.rules()] == [("archive", 2), ("Ünder", 1)]
        assert [item.version for item in ledger.rules(versions=True)] == [1, 2, 1]
        with pytest.raises(UnknownNameError, match="did you mean 'archive'"):
            ledger.rule("archiv")
        with pytest.raises(UnknownNameError, match="version of rule 'archive'"):
            ledger.rule("archive", 3)
        with pytest.raises(SettingsError, match="cannot name a rule"):
            ledger.save_rule("two\nlines", {})
        monkeypatch.setattr(rules, "_LONGEST_RULE", 100)
        with pytest.raises(SettingsError, match="at most 100"):
            ledger.save_rule("large", {"x": "y" * 100})

    def test_a_retired_rule_is_read_and_comes_back_with_a_new_version(self, ledger: Ledger) -> None:
        ledger.save_rule("archive", {"x": 1})
        ledger.save_rule("archive", {"x": 2})
        retired = ledger.retire_rule("archive")
        assert retired.retired_at is not None and retired.retired_by is not None
        assert ledger.retire_rule("archive") == retired
        assert ledger.rules() == [] and ledger.rules(retired=True) == [retired]
        assert ledger.rule("archive", 1).document == {"x": 1}
        assert ledger.save_rule("archive", {"x": 2}).version == 3
        assert [item.version for item in ledger.rules()] == [3]
        with pytest.raises(UnknownNameError):
            ledger.retire_rule("other")
        told = [(entry.action, entry.details["version"]) for entry in ledger.audit_trail()]
        assert told == [("rule.saved", 1), ("rule.saved", 2), ("rule.retired", 2), ("rule.saved", 3)]

    # --- Labels ---

    def test_one_verdict_of_a_person_on_a_pair_stands(self, url: str, ledger: Ledger, made: Maker) -> None:
        when = datetime(2024, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
        assert ledger.labels().equals(LABELS.empty())
        assert ledger.record_labels(labelled((B, A, "same"), (A, C, "different"))) == LabelCounts(2, 0, 0, 0)
        assert ledger.record_labels(labelled((A, B, "same"))) == LabelCounts(0, 0, 1, 0)
        assert ledger.record_labels(labelled((A, B, "unsure"))) == LabelCounts(0, 1, 0, 0)
        guest = labelled((A, B, "same"), who="eve@elsewhere", labelled_at=when, sample_id="5a", note="sure")
        assert ledger.record_labels(guest) == LabelCounts(1, 0, 0, 0)
        found = made(url, new=False).labels()
        assert LABELS.check(found).height == 3
        assert found.filter(who="eve@elsewhere").row(0) == (A, B, "same", "eve@elsewhere", when, "5a", "sure")
        assert ledger.labels(verdict="unsure")["digest_b"].to_list() == [B]
        assert ledger.labels(sample_id="5a").height == ledger.labels(who="eve@elsewhere").height == 1
        assert ledger.labels(digests=[C])["verdict"].to_list() == ["different"]
        assert ledger.labels(digests=[C, *(f"{n:064x}" for n in range(2000))])["verdict"].to_list() == ["different"]
        changed = [entry.details for entry in ledger.audit_trail() if entry.action == "label.changed"]
        assert [(item["was"], item["verdict"], item["digest_a"]) for item in changed] == [("same", "unsure", A)]

    def test_a_label_that_is_older_than_what_stands_changes_nothing(self, ledger: Ledger) -> None:
        now = datetime.now(UTC)
        ledger.record_labels(labelled((A, B, "same")))
        earlier = labelled((A, B, "different"), labelled_at=now - timedelta(days=1))
        assert ledger.record_labels(earlier) == LabelCounts(0, 0, 0, 1)
        both = pl.concat([labelled((A, B, "unsure"), labelled_at=now + timedelta(days=day)) for day in (1, 2)])
        twice = both.with_columns(verdict=pl.Series(["different", "unsure"])).reverse()
        assert ledger.record_labels(twice) == LabelCounts(0, 1, 0, 0)
        assert ledger.labels()["verdict"].to_list() == ["unsure"]

    def test_a_label_is_withdrawn_and_stays_in_the_history(self, url: str, ledger: Ledger, made: Maker) -> None:
        ledger.record_labels(labelled((A, B, "same"), (A, C, "unsure"), note="sure"))
        ledger.record_labels(labelled((A, B, "different"), who="eve@elsewhere"))
        stood = ledger.labels(verdict="same")
        assert ledger.record_labels(labelled((A, B, "same"), sample_id="5a")) == LabelCounts(0, 0, 1, 0)
        assert ledger.withdraw_label(B, A).equals(stood)
        other = made(url, new=False)
        assert other.labels()["verdict"].to_list() == ["different", "unsure"]
        ended = other.withdrawn_labels()
        assert ended.select(LABELS.names).equals(stood)
        assert ended["withdrawn_by"].to_list() == stood["who"].to_list() and ended["withdrawn_at"].null_count() == 0
        # A file from before does not bring it back; the same person may say it again.
        assert ledger.record_labels(stood) == LabelCounts(0, 0, 0, 1)
        assert ledger.record_labels(labelled((A, B, "same"))) == LabelCounts(1, 0, 0, 0)
        assert ledger.withdraw_label(A, B, "eve@elsewhere").height == 1
        with pytest.raises(SettingsError, match="has no label"):
            ledger.withdraw_label(C, D)
        with pytest.raises(UnknownNameError, match="did you mean"):
            ledger.withdraw_label(A, B, stood["who"][0] + "x")
        ledger.record_labels(labelled((C, D, "same"), who="eve@elsewhere"))
        with pytest.raises(SettingsError, match="one of eve@elsewhere"):
            ledger.withdraw_label(C, D)

    def test_a_label_that_says_nothing_is_refused_with_all_beside_it(self, ledger: Ledger) -> None:
        refused = [
            (labelled((A, B, "maybe")), "did you mean|known: different"),
            (labelled((A, A, "same")), "twice"),
            (labelled((A, "short", "same")), "64 hexadecimal digits"),
            (labelled((A, B.upper(), "same")), "lower case"),
            (labelled((A, B, "same"), verdikt="x"), "did you mean 'verdict'"),
            (labelled((A, B, "same"), note="x" * 10_001), "at most 10,000"),
        ]
        for rows, message in refused:
            good = labelled((C, D, "same"))
            with pytest.raises(SettingsError, match=message):
                ledger.record_labels(pl.concat([good, rows], how="diagonal"))
        assert ledger.labels().height == 0 and ledger.audit_trail() == []

    def test_a_draw_is_kept_with_its_pairs_in_order(self, ledger: Ledger, tmp_path: Path) -> None:
        pairs = pl.DataFrame(
            [(C, A, "copy .9"), (A, B, "scene")], schema=["digest_a", "digest_b", "stratum"], orient="row"
        )
        document = {"strata": {"copy .9": 10, "scene": 400}}
        first = ledger.add_label_sample("stratified", -(2**40), document, pairs)
        second = ledger.add_label_sample("boundary", 7, {}, pairs.clear())
        assert (first.kind, first.seed, first.document, first.items) == ("stratified", -(2**40), document, 2)
        assert ledger.label_sample(first.sample_id) == first
        assert {item.sample_id for item in ledger.label_samples()} == {first.sample_id, second.sample_id}
        assert ledger.label_samples("boundary") == [second]
        items = LABEL_ITEMS.check(ledger.label_items(first.sample_id))
        assert items.rows() == [(0, A, C, "copy .9"), (1, A, B, "scene")]
        assert ledger.label_items(second.sample_id).height == 0
        with pytest.raises(UnknownNameError):
            ledger.label_items("none")
        with pytest.raises(SettingsError, match="stratum"):
            ledger.add_label_sample("x", 1, {}, pairs.with_columns(stratum=pl.lit("y" * 201)))
        back_up(ledger._engine, tmp_path / "copies", "x")

    # --- Decisions ---

    def test_decisions_are_recorded_and_withdrawn(self, url: str, ledger: Ledger, made: Maker) -> None:
        assert ledger.decisions().equals(DECISIONS.empty())
        none = ledger.decisions_version()
        act = ledger.record_decisions(
            decided(("approved", A, B), ("approved", A, C), ("never_propose", None, D), why="asked Ana")
        )
        assert (act.added, act.standing, act.withdrawn) == (3, 0, 0)
        found = DECISIONS.check(made(url, new=False).decisions())
        assert found["keeper_digest"].to_list() == [A, A, None] and set(found["why"]) == {"asked Ana"}
        assert set(found["act_id"]) == {act.act_id} and set(found["who"]) == {ledger.audit_trail()[0].who}
        assert ledger.decisions(kind="never_propose")["member_digest"].to_list() == [D]
        assert ledger.decisions(digests=[D])["kind"].to_list() == ["never_propose"]
        assert ledger.decisions(digests=[B, *(f"{n:064x}" for n in range(2000))]).height == 1
        made_ = ledger.decisions_version()
        again = ledger.record_decisions(decided(("approved", A, B)))
        assert (again.act_id, again.added, again.standing) == ("", 0, 1)
        assert ledger.decisions_version() == made_ != none
        first = found["decision_id"][0]
        assert ledger.withdraw_decisions([first]) == [first]
        assert ledger.withdraw_decisions([first]) == []
        assert ledger.withdraw_decisions(act_ids=[act.act_id]) == found["decision_id"].to_list()[1:]
        assert ledger.decisions().height == 0 and ledger.decisions_version() == (3, 3)
        ended = ledger.decisions(withdrawn=True)
        assert ended["withdrawn_by"].to_list() == ended["who"].to_list() and ended["withdrawn_at"].null_count() == 0
        assert ledger.record_decisions(decided(("approved", A, B))).added == 1, "it can be decided again"
        with pytest.raises(UnknownNameError, match="decide list"):
            ledger.withdraw_decisions([10**6])
        with pytest.raises(UnknownNameError, match="decide list"):
            ledger.withdraw_decisions(act_ids=["none"])

    def test_what_is_decided_later_on_a_pair_holds(self, ledger: Ledger) -> None:
        ledger.record_decisions(decided(("keep_both", A, B), ("approved", C, A)))
        assert ledger.record_decisions(decided(("keep_both", B, A))).standing == 1, "it holds in both orders"
        assert ledger.record_decisions(decided(("approved", A, C))).added == 1, "either may go for the other"
        act = ledger.record_decisions(decided(("alternates", B, A), ("keep_both", A, C)))
        assert (act.added, act.withdrawn) == (2, 3)
        assert set(ledger.decisions()["kind"]) == {"alternates", "keep_both"}
        act = ledger.record_decisions(decided(("never_propose", None, A), ("approved", A, A)))
        assert (act.added, act.withdrawn) == (2, 0)
        assert ledger.decisions().height == 4
        (told,) = [entry.details for entry in ledger.audit_trail() if entry.details.get("withdrawn") == 3]
        assert (told["kind"], told["decisions"]) == ("alternates, keep_both", 2)

    def test_an_export_is_taken_back_as_it_was(self, ledger: Ledger, made: Maker, tmp_path: Path) -> None:
        ledger.record_decisions(decided(("keep_both", A, B), ("approved", C, D), ("never_propose", None, A)))
        other = made(f"sqlite:///{tmp_path / 'other.sqlite'}")
        exported = ledger.decisions().drop("decision_id", "act_id", "withdrawn_at", "withdrawn_by")
        assert other.record_decisions(exported).added == 3
        assert other.decisions().select(exported.columns).equals(exported)
        assert other.record_decisions(exported).standing == 3
        other.withdraw_decisions(other.decisions(kind="keep_both")["decision_id"])
        assert other.record_decisions(exported).added == 0, "what was withdrawn here does not come back by itself"
        other.record_decisions(decided(("keep_both", C, D)))
        late = exported.filter(kind="approved").with_columns(who=pl.lit("eve@elsewhere"))
        assert (act := other.record_decisions(late)).older == 1 and act.added == 0
        assert set(other.decisions()["kind"]) == {"never_propose", "keep_both"}

    def test_of_contradictions_in_one_import_the_latest_holds(self, ledger: Ledger) -> None:
        times = pl.Series([datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)]).cast(
            DECISIONS.polars["at"]
        )
        both = decided(("approved", A, B), ("keep_both", B, A)).with_columns(at=times)
        act = ledger.record_decisions(both)
        assert (act.added, act.older) == (1, 1)
        assert ledger.decisions()["kind"].to_list() == ["approved"]

    def test_a_decision_that_says_nothing_is_refused_with_all_beside_it(self, ledger: Ledger) -> None:
        refused = [
            (decided(("keep_bot", A, B)), "did you mean 'keep_both'"),
            (decided(("keep_both", None, B)), "keeper_digest is None"),
            (decided(("never_propose", A, B)), "leave keeper_digest empty"),
            (decided(("keep_both", A, "b")), "member_digest is 'b'"),
            (decided(("keep_both", A, B), wy="x"), "did you mean 'why'|did you mean 'who'"),
            (decided(("keep_both", A, B), why="x" * 10_001), "at most 10,000"),
        ]
        for rows, message in refused:
            with pytest.raises(SettingsError, match=message):
                ledger.record_decisions(pl.concat([decided(("approved", C, D)), rows], how="diagonal"))
        assert ledger.decisions_version() == (0, 0) and ledger.audit_trail() == []


class TestSqlite(JudgementConformance):
    """SQLite in a file."""

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_more_labels_and_decisions_than_a_condition_takes_are_changed_at_once(self, ledger: Ledger) -> None:
        # SQLite takes no more than 32,766 values in a condition.
        digests = [f"{number:064x}" for number in range(16_501)]
        pairs = pl.DataFrame({"keeper_digest": digests[:-1], "member_digest": digests[1:]})
        assert ledger.record_decisions(pairs.with_columns(kind=pl.lit("approved"))).added == 16_500
        assert ledger.record_decisions(pairs.with_columns(kind=pl.lit("keep_both"))).withdrawn == 16_500
        assert len(ledger.withdraw_decisions(ledger.decisions()["decision_id"])) == 16_500
        named = pairs.rename({"keeper_digest": "digest_a", "member_digest": "digest_b"})
        assert ledger.record_labels(named.with_columns(verdict=pl.lit("same"))).added == 16_500
        assert ledger.record_labels(named.with_columns(verdict=pl.lit("same"))).same == 16_500


class TestPostgres(JudgementConformance):
    """A real PostgreSQL server."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
