"""Worlds of made-up runs in which a claim holds or does not: an outcome for every spec."""

import zlib

import made_up
import numpy as np
import pandas as pd

from lib.paper.claims import judge, specs_of
from lib.paper.takeaways import BY_NAME
from lib.runs.store import Store


def jump(spec, val=0.0, train=1.0, norms=(10.0, 10.0)):
    """A run whose validation accuracy jumps from 0 to `val` at the end."""
    return made_up.run(
        spec,
        [0, spec.epochs // 2, spec.epochs],
        val_accuracy=[0, 0, val],
        train_accuracy=[0, train, train],
        param_norm=[5, *norms],
    )


def settled(spec, val, norm=10.0, loss=1e-5, level=0.0, **fields):
    """A run with perfect training; validation goes from `level` to `val` half way."""
    epochs = np.linspace(0, spec.epochs, 41).astype(int)
    columns = dict(
        train_loss=np.where(epochs > 0, loss, 4.7),
        val_accuracy=np.where(epochs > spec.epochs / 2, val, level),
        param_norm=norm,
        train_accuracy=1.0,
    )
    return made_up.run(spec, epochs, **columns, **fields)


def outcome(spec):
    """A world much like the paper's: final training and validation accuracy, norms."""
    d, size = spec.d_model, spec.train_size
    luck = zlib.crc32(f"{d} {size} {spec.seed}".encode()) % 100 / 100  # 0 to 0.99
    later = 400 if spec.task == "square" else 0
    if spec.task.startswith("random"):
        return min(1.0, 0.018 * d + 0.002 * luck), np.nan, (5, 9)
    if d < 24:
        return 0.04 * d, 0.035 * d - 0.05 * luck, (5, 6)
    critical = 3900 - (d - 32) * 25 + 300 * (luck - 0.5) + later
    return 1.0, float(size >= critical) if abs(size - critical) > 100 else 0.5, (9, 6)


def like_the_paper(spec):
    """A run whose accuracies reach their outcome in steps: training early, validation late."""
    train, val, norms = outcome(spec)
    epochs = np.unique([*spec.eval_epochs()[::30], spec.epochs])
    early = np.clip(epochs / spec.epochs * 10, 0, 1)
    late = (epochs > spec.epochs / 2).astype(float) if spec.d_model >= 24 else early**2
    return made_up.run(
        spec,
        epochs,
        train_accuracy=train * early,
        val_accuracy=val * late,
        param_norm=norms[0] + (norms[1] - norms[0]) * late,
    )


def noise(spec):
    """A factor near 1."""
    return 1 + 0.01 * ((spec.seed * 7 + spec.train_size // 100) % 5 - 2)


def store_with(folder, claims, outcome, run=jump, seeds=0):
    """A store with every run that some claims need; outcome(spec) gives what `run` is to show.

    Args:
        seeds: that many of each cell, where a claim needs fewer.
    """
    store = Store(folder / "results")
    needs = [need for name in claims for need in BY_NAME[name].needs]
    specs = {
        s.key: s
        for *cells, least in needs
        for s in specs_of(*cells, max(least, seeds) if isinstance(least, int) else least)
    }
    store.add_many(run(s, **outcome(s)) for s in specs.values())
    return store


def verdict(store, name):
    return judge(BY_NAME[name], store).verdict


def runs(values, seeds=3, layers=1, **more):
    """A frame of runs of some widths: width -> validation accuracies, or one for all seeds."""
    rows = []
    for d, accuracies in values.items():
        accuracies = accuracies if isinstance(accuracies, tuple) else (accuracies,) * seeds
        for seed, value in enumerate(accuracies):
            rows.append(
                dict(n_layers=layers, d_model=d, seed=seed, val_accuracy=value, modulus=113,
                     memorize_accuracy=1.0, memorize_size=0, split_mlp=None, key=f"{d} {seed}")
                | more
            )  # fmt: skip
    return pd.DataFrame(rows)
