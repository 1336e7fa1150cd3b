"""Both tasks with more than 3,000 points: does the square dip where addition does not (§4.3)?"""

import pandas as pd

from lib.analysis import descent, statistics
from lib.analysis.gather import Gathered
from lib.analysis.words import mean_words, number
from lib.chapters.page import Page
from lib.chapters.stories.descent.dips import seen
from lib.paper.experiments import EXPERIMENTS

JUDGED = set(EXPERIMENTS["beyond_3000"].seed_range)
"""Seeds that takeaway 6 is judged by."""


def seeds_of(size: int, seeds: list[int]) -> list[int]:
    """The seeds that are shown with more than 3,000 training points, at all widths.

    Args:
        size: training points.
        seeds: those of the chapter.  Of them it is those that takeaway 6 is judged by; all, if
            these are none; where they are all of these, the two more at 3,400 points, too.
    """
    more = EXPERIMENTS["beyond_3400"]
    asked = [seed for seed in seeds if seed in JUDGED] or list(seeds)
    whole = JUDGED <= set(seeds) and size == more.base.train_size
    return [*asked, *more.seed_range] if whole else asked


def gathered(
    page: Page, names: dict[str, str], seeds: list[int], d_models: list[int]
) -> tuple[dict[str, Gathered], dict[str, Gathered]]:
    """The runs with more than 3,000 points, by task and size in words; and those of new seeds, of
    which a chapter that asks for all seeds before them has some, by task in words.

    Args:
        names: task -> its name in words.
    """
    axes, new = EXPERIMENTS["beyond_3000"].axes, EXPERIMENTS["beyond_3600"]
    found, fresh = {}, {}
    for task, name in names.items():
        for size in axes["train_size"]:
            which = dict(task=task, train_size=[size], seed=seeds_of(size, seeds))
            widths = [d for d in axes["d_model"] if d in d_models]
            found[f"{name}, D = {size:,}"] = page.runs("beyond_3000", d_model=widths, **which)
        if JUDGED <= set(seeds):
            which = dict(task=task, d_model=new.axes["d_model"], seed=new.seed_range)
            label = f"{name}, D = {new.base.train_size:,}, new seeds"
            fresh[label] = page.runs(new.name, **which)
    return found, fresh


def dip_rows(by_task: dict[str, pd.DataFrame], widths: list[int]) -> list[tuple]:
    """A row for each task and training size: the dip over fixed widths and seed by seed, with
    Student's interval, from d 8-20 and from d 20; the deepest of the mean curve; the seeds.

    Args:
        by_task: runs of any training sizes, by the task's name in words.
        widths: that a seed has to have at least; without narrow ones there is no first dip.
    """
    rows = []
    for name, runs in by_task.items():
        for size, own in runs.groupby("train_size"):
            curves = _whole(own, widths)
            deepest = descent.mean_dip(curves)
            places = f"width {deepest.peak:.0f} to {deepest.valley:.0f}" * (deepest.depth >= 0.005)
            narrow = curves if min(widths) < descent.RISEN[0] else curves.iloc[:0]
            dips = [
                mean_words(descent.dip(one, before).dropna())
                for one, before in ((narrow, descent.BEFORE), (curves, descent.RISEN))
            ]
            deep = f"{number(deepest.depth)}, {places}" if places else number(deepest.depth)
            rows.append((name, f"{size:,}", *dips, deep, len(curves)))
    return sorted(rows, key=lambda row: row[1])


def paired(by_task: dict[str, pd.DataFrame], widths: list[int]) -> str:
    """The first task's dip less the second's, seed by seed, at each training size that both have.

    The paper compares the two at one size; args as `dip_rows`.
    """
    (_, one), (_, other) = by_task.items()
    said = []
    for size in sorted(set(one["train_size"]) & set(other["train_size"])):
        pair = [_whole(own[own["train_size"] == size], widths) for own in (one, other)]
        ways = {"d 20": descent.RISEN}
        if min(widths) < descent.RISEN[0]:
            ways = {"d 8–20": descent.BEFORE} | ways
        parts = []
        for name, before in ways.items():
            less = (descent.dip(pair[0], before) - descent.dip(pair[1], before)).dropna()
            parts.append(f"{mean_words(less, '{:+.2f}')} from {name}")
        said.append(f"at {size:,} {', '.join(parts)} ({len(less)} seeds)")
    return "; ".join(said) or "no size has both"


def dips_seen(by_task: dict[str, pd.DataFrame], widths: list[int]) -> str:
    """Where mean accuracy falls and returns with width, by task; args as `dip_rows`."""
    lines = []
    for name, runs in by_task.items():
        sizes = {n: _whole(own, widths) for n, own in runs.groupby("train_size")}
        sizes = {n: curves for n, curves in sizes.items() if len(curves)}
        means = {n: curves.mean() for n, curves in sizes.items()}
        deepest = {n: descent.mean_dip(curves) for n, curves in sizes.items()}
        told = seen(means, deepest) if sizes else "no seed has every width."
        lines.append(f"* {name}: {told}")
    return "\n".join(lines)


def _whole(runs: pd.DataFrame, widths: list[int]) -> pd.DataFrame:
    """Accuracy of the seeds that have all of these widths, and any others that all have."""
    curves = statistics.by_width(runs)
    return curves.reindex(columns=sorted({*curves, *widths})).dropna()
