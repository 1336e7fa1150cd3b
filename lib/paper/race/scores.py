"""How well a recipe fits: each sentence of `lib.paper.search` from the runs that there are."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import betabinom

from lib.paper.search import SEARCH_EPOCHS, SEEDS_OF_PAPER, SENTENCES, Sentence

_VARIANTS = {
    "loss": "{} loss", "init_scale": "weights × {:g}", "batch": "batches of {:.0f}",
    "norm": "LayerNorm", "d_head": "heads of {:.0f}", "d_mlp": "{:.0f} hidden units",
    "tied": "tied embeddings", "decayed": "biases without decay",
}  # fmt: skip
RECIPE_FIELDS = ["lr", "weight_decay", "beta2", *_VARIANTS]
_CELL = ["task", "d_model", "train_size"]
MEASURED = ["epoch", "val_accuracy", "param_norm"]
"""What is asked of a run's curve."""

RISEN = 0.1
"""Validation accuracy at which generalization has begun (events "begins" and "norm")."""

TIMES = tuple(range(5_000, SEARCH_EPOCHS + 1, 5_000))
"""Training lengths T at which recipes are read."""


def in_words(recipe: tuple) -> str:
    """A recipe, the values of `RECIPE_FIELDS`, as a label: what is not as usual is named."""
    lr, decay, beta2, *rest = recipe
    more = [f"β₂ {beta2:g}"] if beta2 != 0.98 else []
    more += [form.format(v) for form, v in zip(_VARIANTS.values(), rest) if pd.notna(v)]
    return ", ".join([f"lr {lr:g}, wd {decay:g}", *more])


def shows(sentence: Sentence, curve: Mapping, T: int) -> bool | None:
    """Whether a run shows what a sentence asks, by epoch T; args and values as `shown_by`."""
    return shown_by(sentence, curve, [T])[0]


def shown_by(sentence: Sentence, curve: Mapping, times: Sequence[int]) -> list[bool | None]:
    """Whether a run shows what a sentence asks, by each of some epochs.

    Args:
        curve: `MEASURED` of one run by name, in the order of epochs.  A run that stopped early
            stays where it was: it had generalized.

    Returns:
        None where the sentence does not speak of such a run ("norm" without generalization).
    """
    epoch, accuracy, norm = (np.asarray(curve[name]) for name in MEASURED)
    ends, risen = np.searchsorted(epoch, times, side="right"), np.flatnonzero(accuracy >= RISEN)
    if sentence.event == "accuracy":
        last = accuracy[ends - 1]
        return ((sentence.low <= last) & (last <= sentence.high)).tolist()
    first = risen[0] if len(risen) else len(epoch)
    by_then = (first < ends).tolist()
    if sentence.event == "begins":
        inside = bool(len(risen) and sentence.low <= epoch[first] <= sentence.high)
        return [rose and inside for rose in by_then]
    return [bool(norm[end - 1] > norm[first]) if rose else None for end, rose in zip(ends, by_then)]


@functools.cache
def probability(sentence: Sentence, k: int, n: int) -> float:
    """That eleven new seeds meet a sentence, when k of n runs showed its event.

    Beta-binomial from Jeffreys' prior: with no run at all it is what the prior says.
    """
    counts = np.arange(sentence.least, sentence.most + 1)
    return float(betabinom.pmf(counts, SEEDS_OF_PAPER, k + 0.5, n - k + 0.5).sum())


def of_sentences(runs: pd.DataFrame, curves: pd.DataFrame, times=TIMES) -> pd.DataFrame:
    """One row for each recipe, T and sentence: k of n, `stored` and the probability.

    n are the runs that answer, `stored` all of its cell: one that never rises has no norm then.

    Args:
        runs, curves: as `lib.analysis.gather` gives them, of any recipes and seeds.
        times: the training lengths, each at most the runs' own.
    """
    columns = {name: curves[name].to_numpy() for name in MEASURED}
    places = curves.groupby("key", sort=False).indices
    by_key = {key: {name: columns[name][at] for name in MEASURED} for key, at in places.items()}
    rows = []
    for recipe, own in runs[[*RECIPE_FIELDS, *_CELL, "key"]].groupby(RECIPE_FIELDS, dropna=False):
        cells = {cell: part.tolist() for cell, part in own.groupby(_CELL)["key"]}
        for number, sentence in enumerate(SENTENCES):
            keys = cells.get(sentence.cell, ())
            shown = [shown_by(sentence, by_key[key], times) for key in keys]
            for i, T in enumerate(times):
                answers = [own[i] for own in shown if own[i] is not None]
                k, n = sum(answers), len(answers)
                rows.append((*recipe, T, number, k, n, len(keys), probability(sentence, k, n)))
    names = ["T", "sentence", "k", "n", "stored", "probability"]
    return pd.DataFrame(rows, columns=[*RECIPE_FIELDS, *names])


def met_by(sentences: pd.DataFrame) -> pd.Series:
    """Whether the share of runs that show an event is one that its sentence asks for."""
    part = sentences["k"] / sentences["n"].where(sentences["n"] > 0)
    least, most = (
        sentences["sentence"].map(lambda i, end=end: getattr(SENTENCES[i], end) / SEEDS_OF_PAPER)
        for end in ("least", "most")
    )
    return (least <= part) & (part <= most)


def of_recipes(sentences: pd.DataFrame) -> pd.DataFrame:
    """One row for each recipe and T: the product over sentences, and what stands behind it.

    Columns: the recipe's fields, T, `score` (the product), `seen` (sentences with a run),
    `met` (those that the runs so far meet in the share that the sentence asks), `runs` (the
    fewest runs behind one).
    """
    grouped = sentences.assign(met=met_by(sentences), seen=sentences["stored"] > 0).groupby(
        [*RECIPE_FIELDS, "T"], dropna=False
    )
    how = dict(score="prod", seen="sum", met="sum", runs="min")
    source = dict(score="probability", runs="stored")
    return grouped.agg(**{k: (source.get(k, k), f) for k, f in how.items()}).reset_index()
