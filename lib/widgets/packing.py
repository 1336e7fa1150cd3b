"""Curves as 16-bit integers: how numbers travel in a page (`lib/widgets/js/draw.js` reads them)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.analysis import dynamics

POINTS = 75
"""Evaluations of a run that an explorer keeps, about: of the stored 300, every fourth; with all
runs of figure 3 a page of less than two megabytes has no room for many more."""


COLUMNS = {
    "train_accuracy": "accuracy",
    "val_accuracy": "accuracy",
    "train_loss": "loss",
    "val_loss": "loss",
    "param_norm": "norm",
}
"""Columns of a packed curve, and how each is written in 16 bits."""


def pack(values: np.ndarray, kind: str, top: float = 1.0) -> np.ndarray:
    """Numbers as 16-bit integers: 0 … 65534, and 65535 for "none".

    Accuracies are exact to 8e-6, norms to 8e-6 of `top`; losses are written as logarithms
    from 1e-12 to 1e4, exact to 0.03 per cent.
    """
    values = np.asarray(values, float)
    if kind == "loss":
        unit = (np.log10(np.clip(values, 1e-12, 1e4)) + 12) / 16
    else:
        unit = np.clip(values / top, 0, 1)
    return np.where(np.isfinite(values), np.rint(unit * 65534), 65535).astype("<u2")


def kept(n: int, step: int) -> np.ndarray:
    """Which of n evaluations are kept: every `step`-th and the last."""
    return np.append(np.arange(0, n - 1, step), n - 1)


def epoch_grids(curves: Iterable[np.ndarray]) -> list[np.ndarray]:
    """The evaluation schedules among some runs: a run that stopped early has the beginning of
    another's, and needs none of its own."""
    grids: list[np.ndarray] = []
    for epochs in sorted(map(tuple, curves), key=len, reverse=True):
        if not any(tuple(grid[: len(epochs)]) == epochs for grid in grids):
            grids.append(np.array(epochs))
    return grids


def packed_runs(curves: pd.DataFrame, runs: pd.DataFrame) -> tuple[dict, bytes]:
    """All curves of some runs: what the browser has to know about them, and the numbers."""
    by_key = {key: curve for key, curve in curves.groupby("key")}
    runs = runs[runs["key"].isin(by_key)]
    grids = epoch_grids(c["epoch"].to_numpy() for c in by_key.values())
    step = max(1, round(max((len(grid) for grid in grids), default=1) / POINTS))
    norms = curves["param_norm"].to_numpy()
    top = float(np.nanmax(norms, initial=1.0, where=np.isfinite(norms)))
    entries, parts, start = [], [], 0
    for run in runs.itertuples():
        curve = by_key[run.key]
        epochs = curve["epoch"].to_numpy()
        grid = next(i for i, g in enumerate(grids) if np.array_equal(g[: len(epochs)], epochs))
        at = kept(len(epochs), step)
        for name, kind in COLUMNS.items():
            parts.append(pack(curve[name].to_numpy()[at], kind, top if kind == "norm" else 1.0))
        entries.append(
            dict(d_model=run.d_model, train_size=run.train_size, seed=run.seed,
                 zone=dynamics.zone(curve), status=run.status, grid=grid,
                 evaluations=len(epochs), start=start)
        )  # fmt: skip
        start += len(at) * len(COLUMNS)
    meta = dict(
        runs=entries, grids=[grid.tolist() for grid in grids], step=step, norm_top=top,
        columns=list(COLUMNS.items()),
    )  # fmt: skip
    return meta, np.concatenate(parts or [np.empty(0, "<u2")]).tobytes()
