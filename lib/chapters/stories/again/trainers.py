"""Stored runs that another trainer trained again, from the same weights and data, told.

The question is whether any result is a result of the book's own trainer.
"""

import numpy as np
import pandas as pd
from scipy import stats

from lib.analysis.dynamics import GENERALIZED, PERFECT, first_epoch
from lib.analysis.statistics import student
from lib.analysis.words import bracket, mean_words, number, seeds_phrase
from lib.chapters.tables import table
from lib.runs.store import Store
from lib.spec import RunSpec

OWN = "numba"
NAMES = {OWN: "this book", "reference": "PyTorch", "jax": "JAX"}
"""Engine -> the trainer's name on the page."""

PARTED = 0.01
"""Two trainings are one until their training losses differ by this part for the first time."""

LEAST = 3
"""Seeds that a comparison needs: epochs stand on a grid, so two may differ by the same step."""

MEASURES = {
    "train_accuracy": "final training accuracy",
    "val_accuracy": "final validation accuracy",
    "log_norm": "log of the final norm",
    "log_fitted": "log of the epoch at which training is perfect",
    "log_came": "log of the epoch at which it has generalized",
}
"""Column of `trained_again` -> what two trainers are compared by."""


def trained_again(store: Store, specs: list[RunSpec]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs of some specs by every trainer of `NAMES`, and their curves.

    Only specs that another trainer than the book's has trained, too.  Columns beside those of
    `Store.runs`: trainer; fitted and came, the epochs at which training accuracy reached `PERFECT`
    and validation accuracy `GENERALIZED` (infinite if it never did); `log_norm`, `log_fitted` and
    `log_came`, NaN where infinite.  Curves: key, trainer, d_model, train_size, seed, the values.
    """
    runs = store.runs(every=True)
    runs = runs[runs["key"].isin([spec.key for spec in specs]) & runs["engine"].isin(NAMES)]
    runs = runs.drop_duplicates(["key", "engine"])
    both = runs.groupby("key")["engine"].agg(lambda own: OWN in set(own) and len(own) > 1)
    runs = runs[runs["key"].isin(both[both.astype(bool)].index)]
    runs = runs.assign(trainer=runs["engine"].map(NAMES))
    parts = [store.curves(runs["key"], engine).assign(engine=engine) for engine in NAMES]
    labels = runs[["key", "engine", "trainer", "d_model", "train_size", "seed"]]
    curves = pd.concat(parts).merge(labels, on=["key", "engine"])
    by_run = {name: own for name, own in curves.groupby(["key", "engine"])}
    for name, column, level in (
        ("fitted", "train_accuracy", PERFECT), ("came", "val_accuracy", GENERALIZED)
    ):  # fmt: skip
        runs[name] = [
            first_epoch(own["epoch"], own[column], level)
            for own in (by_run[run] for run in zip(runs["key"], runs["engine"]))
        ]
    logs = {"log_norm": runs["param_norm"], "log_fitted": runs["fitted"], "log_came": runs["came"]}
    finite = {name: values.astype(float).replace(np.inf, np.nan) for name, values in logs.items()}
    return runs.assign(**{name: np.log(values) for name, values in finite.items()}), curves


def rows(runs: pd.DataFrame) -> str:
    """Cell by cell and trainer by trainer: what the runs come to."""
    cells = []
    for (d, size, trainer), own in runs.groupby(["d_model", "train_size", "trainer"], sort=False):
        came = own["came"][np.isfinite(own["came"])]
        cells.append((
            f"({d}, {size:,})", trainer, len(own), mean_words(own["train_accuracy"], "{:.3f}"),
            mean_words(own["val_accuracy"]), number(own["param_norm"].mean(), "{:.1f}"),
            f"{len(came)} of {len(own)}", number(came.median(), "{:,.0f}"),
        ))  # fmt: skip
    header = ["cell", "trainer", "runs", "training", "validation", "norm", "generalize",
              "by epoch (median)"]  # fmt: skip
    return table(header, cells, left=(0, 1))


def differences(runs: pd.DataFrame) -> pd.DataFrame:
    """Each other trainer less the book's in each cell, seed by seed.

    Columns: trainer, d_model, train_size, measure (of `MEASURES`), seeds with both values, value,
    low, high: mean of the paired differences and Student's 95% interval; p of their being 0.
    """
    found = []
    own = runs[runs["engine"] == OWN].set_index("key")
    for (trainer, d, size), other in runs[runs["engine"] != OWN].groupby(
        ["trainer", "d_model", "train_size"]
    ):
        other = other.set_index("key")
        for measure in MEASURES:
            less = (other[measure] - own[measure].reindex(other.index)).dropna()
            found.append((trainer, d, size, measure, len(less), *student(less), _chance(less)))
    columns = ["trainer", "d_model", "train_size", "measure", "seeds", "value", "low", "high", "p"]
    return pd.DataFrame(found, columns=columns)


def _chance(less: pd.Series) -> float:
    """The probability of a mean so far from 0 by chance (Student's test).

    NaN below `LEAST` seeds, and where no seed differs at all: that is no comparison.
    """
    if len(less) < LEAST or not less.any():
        return np.nan
    return 0.0 if np.ptp(less) == 0 else float(stats.ttest_1samp(less, 0).pvalue)


def differences_rows(found: pd.DataFrame) -> str:
    """`differences` in Markdown: a row for each cell and trainer, a column for each measure."""
    cells = []
    for (trainer, d, size), own in found.groupby(["trainer", "d_model", "train_size"], sort=False):
        by_measure = {row.measure: row for row in own.itertuples()}
        values = [by_measure[m] for m in MEASURES]
        cells.append((
            f"({d}, {size:,})", trainer,
            *(f"{number(v.value, '{:+.3f}')}{bracket(v.low, v.high, '{:+.3f}')}" for v in values),
        ))  # fmt: skip
    return table(["cell", "trainer", *MEASURES.values()], cells, left=(0, 1))


def parted(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.Series:
    """The first evaluation at which a training loss is off the book's by `PARTED`, run by run.

    Indexed by (key, trainer); infinite if none is.
    """
    by_run = {name: own.set_index("epoch") for name, own in curves.groupby(["key", "engine"])}
    found = {}
    for run in runs[runs["engine"] != OWN].itertuples():
        own, other = by_run[run.key, OWN]["train_loss"], by_run[run.key, run.engine]["train_loss"]
        off = (other / own - 1).abs().dropna() >= PARTED  # one may stop earlier
        found[run.key, run.trainer] = first_epoch(off.index, off, True)
    return pd.Series(found, dtype=float)


def spreads(runs: pd.DataFrame) -> tuple[float, float]:
    """How far two runs of a cell end apart in validation accuracy, on average.

    Returns: the same seed by two trainers; two seeds by one trainer.
    """
    same, seeds = [], []
    for _, cell in runs.groupby(["d_model", "train_size"]):
        values = cell.pivot_table(index="seed", columns="trainer", values="val_accuracy")
        array = values.to_numpy()
        same += [_apart(row) for row in array]
        seeds += [_apart(column) for column in array.T]
    return float(np.nanmean(same or [np.nan])), float(np.nanmean(seeds or [np.nan]))


def _apart(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    i, j = np.triu_indices(len(values), 1)
    return float(np.abs(values[i] - values[j]).mean()) if len(i) else np.nan


def words(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """What the comparison comes to."""
    if runs.empty:
        return "*No run is stored of another trainer.*"
    others = runs[runs["engine"] != OWN]
    by_trainer = "; ".join(
        f"{name}: {len(own)} runs of {own.groupby(['d_model', 'train_size']).ngroups} cells"
        for name, own in others.groupby("trainer")
    )
    again = f"Trained again ({by_trainer}; {seeds_phrase(others['seed'])}), "
    return (
        again + _difference_words(differences(runs))
        + _until_words(parted(runs, curves)) + _spread_words(runs)
    )  # fmt: skip


def _difference_words(found: pd.DataFrame) -> str:
    """Whether any of the comparisons, corrected for their number, tells trainers apart."""
    known = found[found["p"].notna()]
    if known.empty:
        return "too few runs to compare."
    off = known[known["p"] * len(known) < 0.05]
    outside = ((known["low"] > 0) | (known["high"] < 0)).sum()
    chance = (
        f"{outside} of {len(known)} intervals leave 0 out, where chance alone makes it "
        f"{0.05 * len(known):.1f} or so"
    )
    if off.empty:
        return (
            "**the runs come to the same**: no comparison, corrected for their number, tells the "
            f"trainers apart ({chance})."
        )
    cells = (f"({r.d_model}, {r.train_size:,}), {MEASURES[r.measure]}" for r in off.itertuples())
    return (
        f"**the runs do not all come to the same**: corrected for their number, {len(off)} of "
        f"{len(known)} comparisons tell the trainers apart: {'; '.join(cells)} ({chance})."
    )


def _until_words(until: pd.Series) -> str:
    finite = until[np.isfinite(until)]
    if finite.empty:
        return ""
    return (
        f" Two trainers make the same run, training loss within {PARTED:.0%}, for the first "
        f"{finite.min():,.0f} to {finite.max():,.0f} epochs; then rounding has parted them."
    )


def _spread_words(runs: pd.DataFrame) -> str:
    same, seeds = spreads(runs)
    if np.isnan(same) or np.isnan(seeds):
        return ""
    return (
        f" From there on they are as good as two seeds: the same seed ends {same:.3f} apart in "
        f"validation accuracy on average, two seeds of one trainer {seeds:.3f}."
    )
