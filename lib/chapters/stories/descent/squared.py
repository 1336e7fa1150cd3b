"""The squared task against addition: dips, critical sizes read in three ways, capacities (§4.3).

`lib.analysis.zones.critical.critical_size` takes every run that ends low for one with too few data.
A run may also have fallen back by its last epoch, or be so slow that it has not even memorized.
"""

import numpy as np
import pandas as pd

from lib.analysis import descent, dynamics, statistics
from lib.analysis.gather import Gathered
from lib.analysis.words import mean_words, number
from lib.analysis.zones import critical
from lib.analysis.zones.capacity import capacities
from lib.chapters.tables import critical_words, dip_cells, table
from lib.paper.takeaways import BY_NAME
from lib.runs.store import Store


def with_all_sizes(found: Gathered, sizes: int) -> pd.DataFrame:
    """The runs of those seeds and widths that have all training sizes, `with_best`."""
    runs = dynamics.with_best(found.runs, found.curves)
    count = runs.groupby(["seed", "d_model"])["key"].transform("size")
    return runs[count == sizes].reset_index(drop=True)


def critical_rows(
    points: dict[str, pd.DataFrame], shift: pd.DataFrame, widths: list[int]
) -> list[tuple]:
    """A row for each width: D_crit of addition and of the square, and how far it moves.

    Args:
        points: "add" and "square" -> `critical_sizes`.
        shift: one reading of `shifts`.
        widths: the rows.
    """
    rows = []
    bounds = points["square"].set_index("d_model")["bound"]
    for d in widths:
        values = shift[d].dropna().to_numpy(float) if d in shift else np.array([])
        said = f"{bounds[d]} {mean_words(values, '{:+,.0f}')}".strip() if len(values) else None
        sizes = (critical_words(points[task], d) for task in ("add", "square"))
        rows.append((d, *sizes, said or "no seed has both", len(values)))
    return rows


def moved_so_far(shift: pd.DataFrame, rows: list[tuple]) -> str:
    """How far the critical size moves at each width, in words; args as `critical_rows` has them."""
    moved = [f"{more} (width {d})" for d, *_, more, seeds in rows if seeds]
    if not moved:
        return "no seed has both critical sizes."
    first = "the harder task needs more points than addition" * bool((shift.mean() > 0).all())
    return f"{first or 'critical size, the square less addition'}: {', '.join(moved)}."


def trained_on(store: Store, names: dict[str, str]) -> str:
    """How many of takeaway 6's runs a GPU trained, by task: a difference could be one of trainers.

    Args:
        names: task -> its name in words.
    """
    runs = store.runs()
    runs = runs[runs["key"].isin({spec.key for spec in BY_NAME["takeaway 6"].specs()})]
    there = (runs["device"].fillna("cpu") != "cpu").groupby(runs["task"]).agg(["sum", "size"])
    if not there["sum"].any():
        return ""
    said = " and ".join(f"{k} of {n} for {names[task]}" for task, k, n in there.itertuples())
    return (
        f"The runs behind takeaway 6 are not all from one trainer: a GPU has trained {said}. "
        "[](other_implementations.ipynb) has runs of both kinds side by side."
    )


def deepest_rows(by_task: dict[str, pd.DataFrame], widths: list[int]) -> list[tuple]:
    """A row for each task: the deepest dip of the mean curve (`dip_cells`), and the widths beyond
    its first peak whose mean is about zero, which say how wide the valley is.

    Args:
        by_task: runs of one training size, by the task's name in words.
        widths: that a seed has to have.
    """
    rows = []
    for name, runs in by_task.items():
        curves = statistics.by_width(runs).reindex(columns=sorted(widths))
        dip, mean = descent.mean_dip(curves), curves.dropna().mean()
        *cells, seeds = dip_cells(dip)
        low = mean.index[(mean < dynamics.ZERO) & (mean.index > dip.peak)]
        rows.append((name, *cells, ", ".join(map(str, low)) or "–", seeds))
    return rows


def label_bits(modulus: int) -> tuple[int, float]:
    """How many squares there are, and how much the square of a random number says, in bits."""
    share = np.bincount(np.arange(modulus) ** 2 % modulus) / modulus
    share = share[share > 0]
    return len(share), float(-(share * np.log2(share)).sum())


def capacity_rows(
    square: pd.DataFrame, add: pd.DataFrame, widths: list[int], modulus: int
) -> tuple[list[tuple], str]:
    """A row for each width: both capacities, their ratio seed by seed, without guessing, seeds.

    Who knows nothing does best to name the most frequent label: one in P of the random ones has
    it, and two in P of the squared ones, as all squares but 0 have two roots.  So where a share g
    comes right by guessing, accuracy A says that (A - g) / (1 - g) is known.

    Args:
        square, add: runs on squared random labels, and on random ones.

    Returns:
        The rows, and the second ratio over all widths in words; "" for fewer than three whole
        seeds.
    """
    held = [capacities(runs).set_index("d_model")["estimate"] for runs in (add, square)]
    facts = [statistics.by_width(runs, "train_accuracy") for runs in (square, add)]
    known = [(own - g) / (1 - g) for own, g in zip(facts, (2 / modulus, 1 / modulus))]
    ratios = [(a / b).reindex(columns=widths) for a, b in (facts, known)]
    rows = []
    for d in widths:
        values = [ratio[d].dropna().to_numpy(float) for ratio in ratios]
        sizes = (number(own.get(d), "{:,.0f}") for own in held)
        rows.append((d, *sizes, *map(mean_words, values), len(values[0])))
    whole_seeds = ratios[1].dropna().mean(axis=1)
    if len(whole_seeds) < 3:
        return rows, ""
    bits = np.log2(modulus) / label_bits(modulus)[1]
    return rows, (
        "Guessing gets one in P of the random labels and two in P of the squared ones, as every "
        f"square but 0 has two roots. Without what it gets, the ratio over the {len(widths)} "
        f"widths is {mean_words(whole_seeds)}; room that is counted in bits would give {bits:.2f}, "
        "room that is counted in pairs 1."
    )


def first_sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """Halfway from the first train_size at which a run generalizes to the one before it.

    Seeds down, widths across; the smallest size itself where that is enough, NaN where none is.
    """
    found = {}
    for key, cell in runs.groupby(["seed", "d_model"]):
        sizes = np.sort(cell["train_size"].unique())
        enough = cell[cell["val_accuracy"] >= dynamics.GENERALIZED]["train_size"]
        at = np.searchsorted(sizes, enough.min()) if len(enough) else None
        found[key] = np.nan if at is None else (sizes[at] + sizes[max(at - 1, 0)]) / 2
    return pd.Series(found, dtype=float).unstack()


VERDICTS = "at the last epoch (the verdict's)"
"""The reading that takeaway 6 is judged by."""


READINGS = {
    VERDICTS: (False, critical.seed_thresholds),
    "by the best on the way": (True, critical.seed_thresholds),
    "the first size that is enough, whatever larger ones do": (False, first_sizes),
}
"""Name -> whether a run counts with its best accuracy, and D_crit from runs, seed by seed."""


def shifts(square: pd.DataFrame, add: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Reading -> D_crit of the one less that of the other: seeds down, widths across.

    Args:
        square, add: runs `with_best`, whole rows of sizes for each seed and width.
    """
    made = {}
    for name, (best, sizes) in READINGS.items():
        if square.empty or add.empty:
            made[name] = pd.DataFrame(dtype=float)
            continue
        pair = [r.assign(val_accuracy=r["best"]) if best else r for r in (square, add)]
        made[name] = sizes(pair[0]) - sizes(pair[1])
    return made


def shift_table(found: dict[str, pd.DataFrame], widths: list[int]) -> str:
    """A row for each reading of `shifts`: the mean at every width, with Student's 95% interval."""
    rows = [
        (name, *(mean_words(shift[d].dropna() if d in shift else [], "{:+,.0f}") for d in widths))
        for name, shift in found.items()
    ]
    return table(["shift of D_crit, read", *(f"d = {d}" for d in widths)], rows)


def failures(runs: pd.DataFrame, least: int) -> str:
    """How runs with at least so many training points that end low came to it, in words."""
    own = runs[runs["train_size"] >= least]
    low = own[own["val_accuracy"] < dynamics.GENERALIZED]
    many = f"{len(low)} of {len(own)} runs with {least:,} points or more"
    text = f"{many} end below {dynamics.GENERALIZED:g}"
    if low.empty:
        return text
    back = (low["best"] >= dynamics.GENERALIZED).sum()
    unlearned = (low["train_accuracy"] < dynamics.GENERALIZED).sum()
    return (
        f"{text}; {back} of these had been there on the way, and in {unlearned} training "
        f"accuracy ends below {dynamics.GENERALIZED:g}, too"
    )
