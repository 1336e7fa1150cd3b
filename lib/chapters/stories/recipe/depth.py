"""What the trials with depth say: which choices make it train, and what they do to one layer.

Nothing is said of a choice and a depth before all of their seeds are stored.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd

from lib.analysis.dynamics import best_on_the_way
from lib.analysis.emergence import EMERGED
from lib.analysis.words import number
from lib.paper.experiments import EXPERIMENTS
from lib.paper.mixtures import DEEP, DEPTHS, EPOCHS_DEPTH, RECIPES_DEEP

CHOSEN = next(n for n, own in RECIPES_DEEP.items() if own == dict(DEEP, epochs=EPOCHS_DEPTH))
"""The choice that the book's deep models use."""


FALL = 0.1
"""Validation accuracy that a run has lost if it ends so far below its best."""


def keys_of(choice: str, layers: int, seeds: Collection[int]) -> dict[int, str]:
    """Seed -> key of the runs of one choice and depth."""
    trial = EXPERIMENTS["deep_recipe"].base.replace(n_layers=layers, **RECIPES_DEEP[choice])
    return {seed: trial.replace(seed=seed).key for seed in seeds}


def values(runs: pd.DataFrame, choice: str, layers: int, seeds: Collection[int]) -> pd.Series:
    """Final validation accuracy by seed of the stored runs; one that diverged counts as 0."""
    known = runs.set_index("key")["val_accuracy"].fillna(0.0)
    return pd.Series(keys_of(choice, layers, seeds)).map(known).dropna().astype(float)


def _mean(found: pd.Series, seeds: Collection[int]) -> float:
    """The mean over all seeds; NaN while one is missing."""
    return float(found.mean()) if len(found) == len(set(seeds)) else np.nan


def reached_rows(runs: pd.DataFrame, curves: pd.DataFrame, seeds: Collection[int]) -> list[tuple]:
    """A row for each choice: by depth, training and validation accuracy and the best on the way.

    A line for each seed within a cell.
    """
    best, stored = best_on_the_way(curves), runs.set_index("key")
    rows = []
    for name in RECIPES_DEEP:
        cells = []
        for layers in DEPTHS:
            keys = keys_of(name, layers, seeds)
            own = [stored.loc[keys[s]] for s in sorted(keys) if keys[s] in stored.index]
            cells.append("<br>".join(
                f"{r.train_accuracy:.2f} / {r.val_accuracy:.2f} ({best[r.name]:.2f})" for r in own
            ) or "–")  # fmt: skip
        rows.append((name, *cells))
    return rows


PLAIN_HEADER = ["layers", "plain, mean", "seeds", "chosen, mean", "seeds", "difference"]


def against_plain(runs: pd.DataFrame, seeds: Collection[int]) -> list[tuple]:
    """The chosen recipe against the plain model, a row for each depth (`PLAIN_HEADER`)."""
    rows = []
    for layers in DEPTHS:
        plain, chosen = (values(runs, name, layers, seeds) for name in ("plain", CHOSEN))
        gain = (chosen - plain).mean()  # over the seeds that both have
        sides = (cell for own in (plain, chosen) for cell in (number(own.mean()), len(own)))
        rows.append((layers, *sides, number(gain, "{:+.2f}")))
    return rows


def which_train(runs: pd.DataFrame, seeds: Collection[int]) -> list[str]:
    """A sentence for each depth: which choices reach `EMERGED` in the mean over all seeds."""
    sentences = []
    for layers in (n for n in DEPTHS if n > 1):
        means = {n: _mean(values(runs, n, layers, seeds), seeds) for n in RECIPES_DEEP}
        known = {name: mean for name, mean in means.items() if not np.isnan(mean)}
        if not known:
            sentences.append(f"At {layers} layers no choice has all its runs yet.")
            continue
        good = [name for name, mean in known.items() if mean >= EMERGED]
        text = f"At {layers} layers {len(good)} of the {len(known)} choices with all their runs "
        text += f"reach{'es' * (len(good) == 1)} a mean validation accuracy of {EMERGED:g}"
        text += f": {'; '.join(good)}." if good else "."
        if lacking := len(means) - len(known):
            text += f" Not trained yet: {lacking}."
        sentences.append(text)
    return sentences


def verdict(runs: pd.DataFrame, seeds: Collection[int]) -> str:
    """What the trials say of the choice: with depth, and with one layer against plain."""
    means = {n: _mean(values(runs, CHOSEN, n, seeds), seeds) for n in DEPTHS}
    plain = _mean(values(runs, "plain", 1, seeds), seeds)
    if np.isnan([*means.values(), plain]).any():
        return "Its trials are not all trained yet: whether it is a good choice is not shown."
    deep = [n for n in DEPTHS if n > 1]
    bad = [n for n in deep if means[n] < EMERGED]
    says = "does not reach" if bad else "reaches"
    return (
        f"It {says} {EMERGED:g} at {' and '.join(map(str, bad or deep))} layers. With one layer "
        f"its mean validation accuracy is {means[1]:.2f}, the plain model's {plain:.2f}: "
        f"a difference of {means[1] - plain:+.2f} over {len(set(seeds))} seeds."
    )


def falls(curves: pd.DataFrame, runs: pd.DataFrame) -> str:
    """How many deep runs end well below their best on the way, in words.

    By LayerNorm and learning rate: with LayerNorm a step of given length turns small weights
    further, and weight decay keeps them small.
    """
    deep = runs[runs["n_layers"] > 1]
    if deep.empty:
        return "No trial with more than one layer is trained yet."
    best = best_on_the_way(curves).reindex(deep["key"]).fillna(0.0)
    lost = best.to_numpy() - deep["val_accuracy"].fillna(0.0).to_numpy() >= FALL
    groups = pd.Series(lost).groupby([(deep["norm"] == "pre").to_numpy(), deep["lr"].to_numpy()])
    counts = [
        f"{own.sum()} of {len(own)} {'with' if norm else 'without'} LayerNorm at learning rate "
        f"{lr:g}"
        for (norm, lr), own in groups
    ]
    return (
        f"Of the runs with more than one layer these end {FALL:g} or more below their best on the "
        f"way: {', '.join(counts)}."
    )
