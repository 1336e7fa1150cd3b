"""Claims: sentences of the paper as numeric criteria, and what the stored runs say of them.

A claim fixes the cells and the number of seeds that it needs; with fewer the verdict is "not
enough runs".  Where all are there and do not settle the matter, it is "undecided".
`lib.paper.takeaways` lists them; criteria/changes.csv tells which tests were changed when.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lib.analysis import dynamics
from lib.analysis.gather import of_whole_seeds
from lib.paper.criteria.rules import Finding
from lib.paper.experiments import EXPERIMENTS
from lib.runs.store import Store
from lib.spec import RunSpec

NONE, OPEN = "not enough runs", "undecided"
VERDICTS = ("reproduced", "not reproduced", OPEN, NONE)
_WORDS = {True: "reproduced", False: "not reproduced", None: OPEN}


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes:
        name: "takeaway 1" … or the sentence in few words.
        says: what the paper says, with its section; "ours" in it: a reading or question of ours.
        criterion: when it counts as reproduced, in words.
        needs: (experiment, filter of its cells, seeds) that decide it: how many seeds at least,
            from the experiment's first on, or a range of the only ones that count.
        judge: from one frame of runs for each need to a `Finding`; a function of runs alone.
        curves: whether the judge looks at training curves, which are then in a column `curve`.
        later: experiments of `needs` whose runs have to be younger than the criterion.
    """

    name: str
    says: str
    criterion: str
    needs: tuple[tuple[str, dict, int | range], ...]
    judge: Callable[..., Finding]
    curves: bool = False
    later: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        """Whether it is a reading or a question of ours, and no sentence of the paper."""
        return bool(re.search(r"\bours\b", self.says))

    def specs(self) -> list[RunSpec]:
        """All runs that the claim needs, each once."""
        return list({s.key: s for need in self.needs for s in specs_of(*need)}.values())


@dataclass(frozen=True)
class Verdict:
    """A claim with what the store says of it."""

    claim: Claim
    verdict: str
    finding: Finding | None
    runs: int
    missing: list[RunSpec]


def specs_of(experiment: str, cells: dict, seeds: int | range) -> list[RunSpec]:
    """The runs of one of a claim's `needs`.

    Raises:
        ValueError: if no cell of the experiment is one of these.
    """
    grid = EXPERIMENTS[experiment]
    if isinstance(seeds, int):
        seeds = range(grid.first_seed, grid.first_seed + seeds)
    try:
        found = [
            spec
            for spec in grid.specs(seeds)
            if all(getattr(spec, name) in allowed for name, allowed in cells.items())
        ]
    except (AttributeError, TypeError) as error:  # no such field; a value that is no tuple of them
        raise ValueError(f"{cells} are no cells of {experiment}: {error}") from error
    if not found:
        raise ValueError(f"{experiment} has no cell of {cells}")
    return found


@dataclass(frozen=True)
class Case:
    """A claim with its stored runs: one frame for each of its needs, and what it lacks."""

    claim: Claim
    frames: list[pd.DataFrame]
    missing: list[RunSpec]

    def verdict(self) -> Verdict:
        """What they say of it."""
        total = len({key for frame in self.frames for key in frame["key"]})
        if self.missing:
            return Verdict(self.claim, NONE, None, total, self.missing)
        finding = self.claim.judge(*self.frames)
        return Verdict(self.claim, _WORDS[finding.holds], finding, finding.used or total, [])


def case(claim: Claim, store: Store, runs: pd.DataFrame | None = None) -> Case:
    """Its stored runs (all seeds that are there, not only the needed)."""
    runs = store.runs() if runs is None else runs
    stored = set(runs["key"])
    lacking = [spec for spec in claim.specs() if spec.key not in stored]
    frames = [_frame(runs, *need, whole=not lacking) for need in claim.needs]
    if claim.curves and not lacking:
        frames = [dynamics.with_curves(own, store.curves(own["key"])) for own in frames]
    return Case(claim, frames, lacking)


def judge(claim: Claim, store: Store, runs: pd.DataFrame | None = None) -> Verdict:
    """Evaluate one claim from the stored runs."""
    return case(claim, store, runs).verdict()


def _frame(runs, experiment: str, cells: dict, seeds, whole: bool):
    """The runs of one need; `whole`: of whole seeds only.  Who diverged has learned nothing."""
    if isinstance(seeds, int):
        seeds = max(seeds, EXPERIMENTS[experiment].seeds)
    every = specs_of(experiment, cells, seeds)
    if whole:
        runs = of_whole_seeds(runs, every)
    runs = runs[runs["key"].isin({spec.key for spec in every})]
    lost = runs["status"] == "diverged"
    return runs.assign(**{name: runs[name].mask(lost, 0.0) for name in _ACCURACIES})


_ACCURACIES = ("train_accuracy", "val_accuracy")
