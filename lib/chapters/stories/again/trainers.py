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

CELL = ["d_model", "train_size"]
PARTED = 0.01
"""Two trainings are one until their training losses differ by this part for the first time."""

LEAST = 3
"""Seeds that a comparison needs: epochs stand on a grid, so two may differ by the same step."""

MEASURES = {
    "train_accuracy": "training",
    "val_accuracy": "validation",
    "log_norm": "log norm",
    "log_fitted": "log epoch of perfect training",
    "log_came": "log epoch of the rule",
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
    for name, column, level in (
        ("fitted", "train_accuracy", PERFECT), ("came", "val_accuracy", GENERALIZED)
    ):  # fmt: skip
        first = curves[curves[column] >= level].groupby(["key", "engine"])["epoch"].min()
        runs[name] = [float(first.get(run, np.inf)) for run in zip(runs["key"], runs["engine"])]
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

    NaN below `LEAST` seeds, and where all differ alike: that has no scatter to compare with.
    """
    if len(less) < LEAST or np.ptp(less) == 0:
        return np.nan
    return float(stats.ttest_1samp(less, 0).pvalue)


def differences_rows(found: pd.DataFrame) -> str:
    """`differences` in Markdown: a row for each cell and trainer, a column for each measure."""
    cells = []
    for (trainer, d, size), own in found.groupby(["trainer", "d_model", "train_size"], sort=False):
        values = own.itertuples()  # in the order of `MEASURES`
        cells.append((
            f"({d}, {size:,})", trainer,
            *(f"{number(v.value, '{:+.2f}')}{bracket(v.low, v.high, '{:+.2f}')}" for v in values),
        ))  # fmt: skip
    return table(["cell", "trainer", *MEASURES.values()], cells, left=(0, 1))


def parting(own: pd.Series, other: pd.Series) -> float:
    """The first epoch at which two training losses, by epoch, differ by `PARTED`; or infinite."""
    off = (other / own - 1).abs().dropna() >= PARTED  # one may stop earlier
    return first_epoch(off.index, off, True)


def parted(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.Series:
    """The first evaluation at which a training loss is off the book's by `PARTED`, run by run.

    Indexed by (key, trainer); infinite if none is.
    """
    by_run = {name: own.set_index("epoch") for name, own in curves.groupby(["key", "engine"])}
    found = {}
    for run in runs[runs["engine"] != OWN].itertuples():
        own, other = by_run[run.key, OWN]["train_loss"], by_run[run.key, run.engine]["train_loss"]
        found[run.key, run.trainer] = parting(own, other)
    return pd.Series(found, dtype=float)


def spreads(cell: pd.DataFrame) -> tuple[float, float]:
    """How far two runs of one cell end apart in validation accuracy, on average.

    Returns: the same seed by two trainers; two seeds by one trainer.
    """
    values = cell.pivot_table(index="seed", columns="trainer", values="val_accuracy").to_numpy()
    pairs = [[_apart(own) for own in array] for array in (values, values.T)]
    known = (np.array(p)[~np.isnan(p)] for p in pairs)
    return tuple(float(own.mean()) if len(own) else np.nan for own in known)


def _apart(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    i, j = np.triu_indices(len(values), 1)
    return float(np.abs(values[i] - values[j]).mean()) if len(i) else np.nan


def words(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """What the comparison comes to."""
    if runs.empty:
        return "*No run is stored of another trainer.*"
    others = runs[runs["engine"] != OWN]
    by_trainer = ", ".join(f"{len(own)} runs by {name}" for name, own in others.groupby("trainer"))
    cells = ", ".join(f"({d}, {size:,})" for d, size in others.groupby(CELL).groups)
    told = f"Trained again in {cells}, {seeds_phrase(others['seed'])}: {by_trainer}."
    rest = _one_sided_words(runs), until_words(parted(runs, curves)), _spread_words(runs)
    return " ".join(filter(None, (_difference_words(differences(runs)), told, *rest)))


def _difference_words(found: pd.DataFrame) -> str:
    """Whether any of the comparisons, corrected for their number, tells trainers apart."""
    known = found[found["p"].notna()]
    if known.empty:
        return "These are too few to compare."
    off = known[known["p"] * len(known) < 0.05]
    others = " and ".join(sorted(found["trainer"].unique()))
    if off.empty:
        return (
            f"**No difference shows when runs are trained again from the same first weights by "
            f"{others}: of {len(known)} comparisons, corrected for their number, none tells the "
            f"trainers apart.** {_left_open(known)}"
        )
    cells = (
        f"{r.trainer} at ({r.d_model}, {r.train_size:,}), {MEASURES[r.measure]}"
        for r in off.itertuples()
    )
    return (
        f"**Corrected for their number, {len(off)} of {len(known)} comparisons tell the trainers "
        f"apart**: {'; '.join(cells)}."
    )


def _left_open(known: pd.DataFrame) -> str:
    """How large a difference the widest interval of each kind of measure does not exclude."""
    ends = known[["low", "high"]].abs().max(axis=1).groupby(known["measure"]).max()
    logs = ends[ends.index.str.startswith("log_")]
    epochs = logs.drop("log_norm", errors="ignore")
    parts = []
    if len(accuracies := ends.drop(logs.index)):
        parts.append(f"{accuracies.max():.2f} in accuracy")
    if "log_norm" in logs:
        parts.append(f"{np.expm1(logs['log_norm']):.0%} in the norm")
    if len(epochs):
        parts.append(f"a factor of {np.exp(epochs.max()):.1f} in epochs")
    return (
        f"With so few seeds, differences of up to {', '.join(parts)} are not excluded (by each "
        "comparison's own 95% interval)."
    )


def _one_sided_words(runs: pd.DataFrame) -> str:
    """How often only one of two trainers brings a run to the rule."""
    came = np.isfinite(runs.set_index("key")["came"])
    own, others = (came[kind.to_numpy()] for kind in (runs["engine"] == OWN, runs["engine"] != OWN))
    apart = (others != own.reindex(others.index)).sum()
    if not apart:
        return (
            f"In all {len(others)} pairs both come to the rule, or neither does; in cells like "
            "these, far from a boundary, that takes no luck."
        )
    return f"In {apart} of {len(others)} pairs only one of the two comes to the rule."


def until_words(until: pd.Series, so: str = "rounding alone does that") -> str:
    """When the losses of pairs part (`parting`), and what follows."""
    finite = until[np.isfinite(until)]
    if finite.empty:
        return ""
    never = f", and in {len(until) - len(finite)} never" if len(finite) < len(until) else ""
    return (
        f"The training losses of a pair first differ by {PARTED:.0%} at epoch "
        f"{finite.min():,.0f} to {finite.max():,.0f}{never}: {so}."
    )


def _spread_words(runs: pd.DataFrame) -> str:
    """The cell in which seeds differ most: whether trainers differ as much."""
    cells = {cell: spreads(own) for cell, own in runs.groupby(CELL)}
    known = {cell: pair for cell, pair in cells.items() if not np.isnan(pair).any()}
    if not known:
        return ""
    (d, size), (same, seeds) = max(known.items(), key=lambda item: item[1][1])
    return (
        f"At ({d}, {size:,}), where seeds differ most, two seeds of one trainer end {seeds:.2f} "
        f"apart in validation accuracy on average, and one seed by two trainers {same:.2f}."
    )
