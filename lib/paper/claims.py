"""The paper's takeaways and sentences as numeric criteria, and what our runs say of them.

The criteria were written down before the runs that decide them.  A claim fixes the cells
and the number of seeds that it needs; with fewer the verdict is "not enough runs".  Where all
are there and do not settle the matter, it is "undecided".
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from lib.paper import criteria, criteria_circuits
from lib.paper.experiments import EXPERIMENTS
from lib.paper.finding import Finding
from lib.runs.store import Store
from lib.spec import Grid, RunSpec

NONE, OPEN = "not enough runs", "undecided"
VERDICTS = ("reproduced", "not reproduced", OPEN, NONE)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes:
        name: "takeaway 1" … or "sentence: …".
        says: what the paper says, with its section.
        criterion: when it counts as reproduced, in words.
        needs: (experiment, filter of its cells, number of seeds) that decide it.
        judge: from one frame of runs for each need to a `Finding`; a function of runs alone.
    """

    name: str
    says: str
    criterion: str
    needs: tuple[tuple[str, dict, int], ...]
    judge: Callable[..., Finding]

    def specs(self) -> list[RunSpec]:
        """All runs that the claim needs, each once."""
        return list({s.key: s for need in self.needs for s in _need_specs(*need)}.values())


@dataclass(frozen=True)
class Verdict:
    """A claim with what the store says of it."""

    claim: Claim
    verdict: str
    finding: Finding | None
    runs: int
    missing: list[RunSpec]


def _need_specs(experiment: str, cells: dict, seeds: int) -> list[RunSpec]:
    grid: Grid = EXPERIMENTS[experiment]
    return [
        spec
        for spec in grid.specs(range(seeds))
        if all(getattr(spec, name) in allowed for name, allowed in cells.items())
    ]


def judge(claim: Claim, store: Store, runs: pd.DataFrame | None = None) -> Verdict:
    """Evaluate one claim from the stored runs (all seeds that are there, not only the needed)."""
    runs = store.runs() if runs is None else runs
    stored = set(runs["key"])
    lacking = [spec for spec in claim.specs() if spec.key not in stored]
    frames, total = [], set()
    for experiment, cells, seeds in claim.needs:
        every = _need_specs(experiment, cells, max(seeds, EXPERIMENTS[experiment].seeds))
        keys = {spec.key for spec in every}
        if not lacking:  # whole seeds only: a half-swept seed would tilt a mean
            by_seed = pd.Series([s.seed for s in every if s.key in stored]).value_counts()
            whole = by_seed.index[by_seed == len(every) // len({s.seed for s in every})]
            keys = {spec.key for spec in every if spec.seed in whole}
        frame = runs[runs["key"].isin(keys) & (runs["status"] != "diverged")]
        if claim.judge in (*criteria.NEED_CURVES, *criteria_circuits.NEED_CURVES):
            frame = frame.assign(curve=_curves(store, frame["key"]))
        frames.append(frame)
        total |= set(frame["key"])
    if lacking:
        return Verdict(claim, NONE, None, len(total), lacking)
    finding = claim.judge(*frames)
    words = {True: "reproduced", False: "not reproduced", None: OPEN}
    return Verdict(claim, words[finding.holds], finding, len(total), [])


def _curves(store: Store, keys: pd.Series) -> list[dict]:
    curves = dict(iter(store.curves(keys).groupby("key")))
    return [curves[key] for key in keys]
