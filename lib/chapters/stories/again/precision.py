"""What the precision of products does to real runs: the same specs trained in two."""

import numpy as np
import pandas as pd

from lib.analysis.dynamics import GENERALIZED, first_epoch
from lib.analysis.gather import Gathered
from lib.analysis.statistics import student
from lib.analysis.words import bracket, number, span
from lib.chapters.tables import table
from lib.engines.precision import precision_of
from lib.runs.store import Store

COLUMNS = ["precision", "d_model", "train_size", "seed", "val_float32", "val", "epoch_float32",
           "epoch", "key"]  # fmt: skip


def two_precisions(store: Store) -> pd.DataFrame:
    """One row for each run that is stored in float32 and again in another precision.

    Where two engines have it in float32, the one that figures show (`lib.runs.store.PREFERRED`).
    Columns: precision (the other), d_model, train_size, seed, key; val and val_float32, final
    validation accuracy; epoch and epoch_float32, the first evaluation at `GENERALIZED`, infinite
    for a run that does not reach it.
    """
    runs = store.runs(every=True)  # of one key, those that are read first come first
    runs = runs.assign(precision=runs["engine"].map(precision_of), val=runs["val_accuracy"])
    runs = runs.drop_duplicates(["key", "precision"])
    runs = runs[runs["key"].duplicated(keep=False)]
    runs["epoch"] = [_came(store, *run) for run in zip(runs["key"], runs["engine"])]
    plain = runs[runs["precision"] == "float32"][["key", "val", "epoch"]]
    both = runs[runs["precision"] != "float32"].merge(plain, on="key", suffixes=("", "_float32"))
    return both.sort_values(COLUMNS[:4], ignore_index=True)[COLUMNS]


def _came(store: Store, key: str, engine: str) -> float:
    curve = store.curves([key], engine)
    return first_epoch(curve["epoch"], curve["val_accuracy"], GENERALIZED)


def alike(both: pd.DataFrame) -> int:
    """How many runs of `two_precisions` generalize in both or in neither."""
    return int(((both["val"] >= GENERALIZED) == (both["val_float32"] >= GENERALIZED)).sum())


def lateness(both: pd.DataFrame) -> tuple[float, float, float]:
    """By which factor runs of `two_precisions` generalize later than in float32, with its interval.

    Geometric mean, over the runs that generalize in both; the interval is Student's over seeds of
    their mean logs, as runs of one seed share their data.  NaN where there is nothing to take
    it of.
    """
    ends = both[np.isfinite(both["epoch"]) & np.isfinite(both["epoch_float32"])]
    logs = np.log(ends["epoch"] / ends["epoch_float32"]).groupby(ends["seed"]).mean()
    return tuple(float(np.exp(log)) for log in student(logs))


HEADER = ["precision", "d_model", "D", "seed", "validation, float32", "validation",
          "generalized at epoch, float32", "generalized at epoch"]  # fmt: skip


def told(store: Store, both: pd.DataFrame) -> str:
    """What the pairs of `two_precisions` come to, in Markdown: their runs, words, a table."""
    if both.empty:
        return "*No run is stored in two precisions.*"
    runs = store.runs()
    runs = runs[runs["key"].isin(both["key"])]
    where = Gathered(runs, runs.iloc[:0], len(runs)).provenance()
    cells = [
        (r.precision, r.d_model, f"{r.train_size:,}", r.seed, f"{r.val_float32:.3f}",
         f"{r.val:.3f}", span([r.epoch_float32], "{:,.0f}"), span([r.epoch], "{:,.0f}"))
        for r in both.itertuples()
    ]  # fmt: skip
    words = [in_words(own) for _, own in both.groupby("precision")]
    return "\n\n".join([f"In float32: {where}", *words, table(HEADER, cells)])


def in_words(both: pd.DataFrame) -> str:
    """The pairs of one precision against float32."""
    came = np.isfinite(both[["epoch", "epoch_float32"]]).all(axis=1)
    moved = both[came & (both["epoch"] != both["epoch_float32"])]
    later = (moved["epoch"] > moved["epoch_float32"]).sum()
    factor, low, high = lateness(both)
    text = (
        f"{both['precision'].iloc[0]}: in {alike(both)} of {len(both)} runs both precisions find "
        "the rule, or neither does."
    )
    if len(moved):
        text += f" Of {len(moved)} that find it at different epochs, {later} find it later than in "
        text += "float32."
    if np.isnan(factor):
        return text
    text += (
        f" Where both come to it, it takes {number(factor)}{bracket(low, high)} times as long "
        "(geometric mean; 95% over seeds)"
    )
    return text + (": these seeds do not settle whether it is later." if low < 1 < high else ".")
