"""The one object that an analyst holds in a notebook: a thin door to everything DeepLens does.

Takes a workspace folder, gives polars frames and what the views show; must not compute anything itself. Every call
does what the command of its name does, with the same function behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

from deeplens_kit import pipeline
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.settings import workspace_of_environment
from deeplens_kit.workbench.keeping import WorkbenchKeeping
from deeplens_kit.workbench.labels import WorkbenchLabels
from deeplens_kit.workbench.selections import WorkbenchSelections
from deeplens_kit.workbench.workflows import WorkbenchWorkflows

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.matching import KeepPolicy, PolicyComparison
    from deeplens_kit.pipeline.clustering import PictureClusters
    from deeplens_kit.pipeline.findings import GroupsView
    from deeplens_kit.pipeline.lab_evidence import LabEvidence
    from deeplens_kit.pipeline.mapping import PictureMap
    from deeplens_kit.pipeline.rule_in_use import RuleLike
    from deeplens_kit.pipeline.thresholds import ThresholdLab
    from deeplens_kit.reporting.explanation_summary import ExplanationSummary
    from deeplens_kit.schemas import Tier

    PolicyLike: TypeAlias = KeepPolicy | str | Path | None
    Tiers: TypeAlias = Iterable[Tier | str] | None

__all__ = ["Workbench"]


class Workbench(WorkbenchLabels, WorkbenchWorkflows, WorkbenchKeeping, WorkbenchSelections):
    """Everything DeepLens knows about a set of locations, as frames.

    Open it with `Workbench.open` or make one with `Workbench.create`; use it as a context manager, or close it.
    Frames are polars; sizes are bytes, times UTC. `rule` is a Rule, Thresholds, a name, or None for
    the rule in use.

    Attributes:
        workspace: The open workspace behind it.
    """

    @classmethod
    def create(cls, path: Path | str) -> Self:
        """Make a new workspace in a folder and open it.

        Args:
            path: A folder that is not a workspace yet; made when missing.

        Raises:
            WorkspaceError: It is a workspace already, or cannot be written.

        Example:
            >>> new = Workbench.create(folder / "new-workspace")
            >>> print(new)
            Workbench of new-workspace: no locations yet; add one with `add_location(name, folder)`
            Nothing is indexed yet; `index()` does it
            >>> new.close()
        """
        return cls(pipeline.Workspace.create(path))

    @classmethod
    def open(cls, path: Path | str | None = None) -> Self:
        """Open a workspace.

        Args:
            path: Its folder; None or an empty text for the one that the environment variable DEEPLENS_WORKSPACE names.

        Raises:
            WorkspaceMissingError: There is none there, or none is named.
            WorkspaceSchemaError: It was made by another version of DeepLens.

        Example:
            >>> with Workbench.open(folder / "workspace") as opened:
            ...     opened.locations["location"].to_list()
            ['laptop', 'share']
        """
        return cls(pipeline.Workspace.open(Path(path) if path else workspace_of_environment()))

    def objects(self, *, private: bool = False) -> pl.DataFrame:
        """Every object with its location and its picture's facts; `private` adds where it was taken (GPS).

        Example:
            >>> workbench.objects().filter(location="share", path="photos/portraits/astronaut.png")["format"][0]
            'PNG'
        """
        return pipeline.list_objects(self.workspace, private=private)

    def pictures(self, *, private: bool = False) -> pl.DataFrame:
        """Every distinct content with its facts and how many objects hold it; `private` adds where it was taken (GPS).

        Example:
            >>> workbench.pictures()["digest"].is_unique().all()
            True
        """
        return pipeline.list_pictures(self.workspace, private=private)

    def pairs(self, tiers: Tiers = None) -> pl.DataFrame:
        """Pairs of objects with their scores, strongest first.

        Args:
            tiers: Tiers to list: "bytes", "pixels", "copy", "scene"; None for all.

        Example:
            >>> workbench.pairs(["bytes"])["score"].unique().to_list()
            [1.0]
        """
        return pipeline.list_pairs(self.workspace, tiers)

    def groups(
        self, rule: RuleLike = None, *, tiers: Tiers = None, include: Collection[str] = (), policy: PolicyLike = None
    ) -> pl.DataFrame:
        """Groups: each keeper, and the objects that are copies of it. Nothing is moved or removed.

        Args:
            rule: When a pair is a copy: a Rule, Thresholds, a name, or None for the rule in use.
            tiers: Tiers to propose from; None for those of the rule.
            include: Relations proposed besides `whole` and `part`: "composite", "contains". Look before you act.
            policy: Which copy stays: a KeepPolicy, the name of one, a JSON file, or None for the one in use.

        Example:
            >>> workbench.groups(Thresholds(likelihood_min=1)).height <= workbench.groups("strict").height
            True
        """
        return self._grouped(rule, tiers, include, policy).groups

    def withheld(self, rule: RuleLike = None, *, tiers: Tiers = None, policy: PolicyLike = None) -> pl.DataFrame:
        """Matches that are not proposed for removal, each with the reason.

        `rule`, `tiers` and `policy` are as for `groups`.

        Example:
            >>> "it has more colours than the keeper" in workbench.withheld()["reason"]
            True
        """
        return self._grouped(rule, tiers, policy=policy).withheld

    def related(self, rule: RuleLike = None) -> pl.DataFrame:
        """Pictures that match in part and are not proposed: a collage and what is in it. `rule` is as for `groups`.

        Example:
            >>> set(workbench.related()["relation"]) <= {"contains", "composite"}
            True
        """
        return self._grouped(rule, None).related

    def explain(
        self, what: str, rule: RuleLike = None, *, include: Collection[str] = (), policy: PolicyLike = None
    ) -> ExplanationSummary:
        """Why a group is one, or what stands between a file and all others; `matches` and `evidence` are frames.

        Args:
            what: The id of a group or how it begins, "location:path" of an indexed file, or its path.
            rule: As for `groups`, and so are `include` and `policy`.

        Raises:
            SettingsError: Nothing has this name (UnknownNameError), or several groups begin so.

        Example:
            >>> workbench.explain("laptop:export/astronaut_q85.jpg").counts["member"]
            1
        """
        from deeplens_kit.reporting.explanation_summary import ExplanationSummary

        found = pipeline.explain(
            self.workspace, what, rule=chosen_rule(self.workspace, rule), include=include, policy=policy
        )
        return ExplanationSummary(found)

    def compare_policies(
        self, policy: PolicyLike, against: PolicyLike = None, *, rule: RuleLike = None
    ) -> PolicyComparison:
        """What another keep policy would change: other keepers, bytes, and each file that would stand otherwise.

        Args:
            policy: As for `groups`: the one that is thought of.
            against: The same: the one that it is held against.
            rule: As for `groups`.

        Example:
            >>> workbench.compare_policies("default").other_keepers
            0
        """
        return pipeline.compare_policies(self.workspace, policy, against, rule=chosen_rule(self.workspace, rule))

    def savings(self, rule: RuleLike = None, *, tiers: Tiers = None, policy: PolicyLike = None) -> pl.DataFrame:
        """Bytes that the proposed removals would free, by location and tier, gross and realisable.

        `rule`, `tiers` and `policy` are as for `groups`.

        Example:
            >>> workbench.savings().filter(tier="bytes").select("location", "objects").rows()
            [('laptop', 1), ('share', 1)]
        """
        return pipeline.summarise_savings(self.workspace, tiers, rule=chosen_rule(self.workspace, rule), policy=policy)

    def coverage(self) -> pl.DataFrame:
        """What became of every object found, by location, outcome and reason: objects, bytes.

        Example:
            >>> workbench.coverage()["objects"].sum() == workbench.objects().height
            True
        """
        return pipeline.coverage(self.workspace)

    def failures(self) -> pl.DataFrame:
        """Every object and folder that could not be analysed, with the reason.

        Example:
            >>> sorted(workbench.failures()["code"].unique())
            ['corrupt', 'empty', 'not_a_picture', 'too_large', 'unsupported']
        """
        return pipeline.list_failures(self.workspace)

    def notes(self) -> list[str]:
        """Sentences that belong beside these answers; none where they are whole and up to date.

        Example:
            >>> workbench.notes()
            []
        """
        return pipeline.caveats(self.workspace, current=pipeline.is_current(self.workspace))

    def thumbnail(self, digest: str, side_px: int = 300) -> bytes | None:
        """The thumbnail of a picture as WebP; None when it can no longer be made.

        Args:
            digest: The picture.
            side_px: 150, 300 or 600, the longer side.

        Example:
            >>> workbench.thumbnail(workbench.pictures()["digest"][0])[8:12]
            b'WEBP'
        """
        return pipeline.thumbnail(self.workspace, digest, side_px)

    def map(
        self,
        feature: str = "sscd_small",
        *,
        seed: int = 0,
        neighbours: int = 15,
        rule: RuleLike = None,
        refit: bool = False,
    ) -> PictureMap:
        """A map on which pictures that are alike lie together. It is for looking; nothing is decided on it.

        Args:
            feature: The vectors that it is made of.
            seed: The same seed gives the same map.
            neighbours: How many each picture is drawn to: few show small clusters, many the whole.
            rule: Colours and groups on it; as for `groups`.
            refit: Lay all pictures out anew, also where only a few came or went since the last time.

        Example:
            >>> points = workbench.map().points
            >>> points.height == workbench.pictures().height
            True
        """
        from deeplens_kit.views.index_progress import progress_listener

        with progress_listener(quiet=True) as listener:
            return pipeline.map_pictures(
                self.workspace,
                feature,
                seed=seed,
                neighbours=neighbours,
                rule=chosen_rule(self.workspace, rule),
                refit=refit,
                progress=listener,
            )

    def clusters(self, feature: str = "", *, least: int = 5) -> PictureClusters:
        """Clusters of pictures that are alike and no copies of each other, with words. For looking, never a saving.

        Args:
            feature: The vectors by which they are alike; empty for those that say most of what pictures show.
            least: Different pictures of a cluster at least; a picture and its copies are one.

        Example:
            >>> found = workbench.clusters(least=2)
            >>> set(found.members["cluster"]) == set(found.clusters["cluster"])
            True
        """
        from deeplens_kit.views.index_progress import progress_listener

        with progress_listener(quiet=True) as listener:
            return pipeline.cluster_pictures(self.workspace, feature, least=least, progress=listener)

    def thresholds(self) -> ThresholdLab:
        """Everything that moving a threshold needs, loaded once: what it would find, and the borderline pairs.

        Example:
            >>> outcome = workbench.thresholds().outcome(Thresholds())
            >>> outcome.groups == workbench.groups()["group_id"].n_unique()
            True
        """
        return pipeline.ThresholdLab(self.workspace)

    def lab_evidence(self, lab: ThresholdLab, before: LabEvidence | None = None) -> LabEvidence:
        """What the labels say of the proposals at any bound of a lab: precision, recall, and where the pairs lie.

        Args:
            lab: From `thresholds`.
            before: From an earlier call for this lab; then only the labels are read anew.

        Example:
            >>> workbench.lab_evidence(workbench.thresholds()).estimate(workbench.rule("strict")).beyond
            0
        """
        return pipeline.LabEvidence.of(self.workspace, lab, before)

    def close(self) -> None:
        """Give the connections back; the workbench cannot be used afterwards."""
        self.workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        from markupsafe import escape

        head, *rest = (str(escape(line)) for line in self._lines())
        return "<br>".join([f"<b>{head}</b>", *rest])

    def _lines(self) -> list[str]:
        from deeplens_kit.reporting.workspace_words import describe_workspace

        return describe_workspace(self.workspace.directory.name, self.locations, self.coverage(), self.notes())

    def _grouped(
        self, rule: RuleLike, tiers: Tiers, include: Collection[str] = (), policy: PolicyLike = None
    ) -> GroupsView:
        return pipeline.list_groups(
            self.workspace, tiers, rule=chosen_rule(self.workspace, rule), include=include, policy=policy
        )
