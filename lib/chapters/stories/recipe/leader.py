"""The recipe that leads the search: how far luck goes, and figure 6 on seeds that chose nothing."""

import itertools

import numpy as np
import pandas as pd

from lib.analysis import descent, statistics
from lib.analysis.gather import Gathered
from lib.analysis.words import seeds_phrase
from lib.chapters.stories.descent import dips
from lib.chapters.stories.recipe.search import of_figures, seeds_asked
from lib.paper.race.scores import met_by, of_recipes
from lib.paper.search import SENTENCES

TRIALS = 2000
"""How often recipes that are no better than the book's are drawn."""


def by_twos(own: Gathered, recipes: pd.DataFrame) -> str:
    """The book's recipe on two of its seeds, as many as others have, and how far luck goes.

    Args:
        own: the figures' runs at the search's cells.
        recipes: rows by recipe and T, as `scored` has them.
    """
    runs = own.runs
    seeds = itertools.combinations(sorted(runs["seed"].unique()), 2)
    pairs = [of_figures(own.of(runs[runs["seed"].isin(two)]["key"])) for two in seeds]
    if not pairs or recipes.empty:
        return ""
    scored = pd.concat(of_recipes(pair) for pair in pairs)
    (every,) = of_recipes(of_figures(own)).itertuples()
    score, met = scored["score"], scored["met"]
    best = recipes.loc[recipes["score"].idxmax()]
    tried, whole = (part["recipe"].nunique() for part in (recipes, recipes.query("runs > 0")))
    luckiest = by_luck(pairs, tried)
    return (
        f"The product of the book's own recipe is {every.score:.1e} on all its seeds; on two of "
        f"them, as many as others have, it is {score.min():.1e} to {score.max():.1e}, "
        f"{score.median():.1e} in the middle, and {met.min()} to {met.max()} sentences are met, "
        f"{met.mean():.1f} on average, for {every.met} on all. **Luck goes far**: of {tried} "
        f"recipes, as many as have a run (behind every sentence only {whole} have one), all "
        "exactly as good as the book's at its own T, the best would have "
        f"{np.median(luckiest):.1e} in the middle, and in one of twenty searches "
        f"{np.quantile(luckiest, 0.95):.1e} or more (two of the book's seeds drawn for each cell "
        f"of each recipe, {TRIALS:,} times). {best['recipe']} has {best['score']:.1e}, and chose "
        "its T as well."
    )


def by_luck(pairs: list[pd.DataFrame], recipes: int) -> np.ndarray:
    """The best product of so many recipes that are all as good as one: (TRIALS,).

    Args:
        pairs: one recipe's sentences on each two of its seeds, of which each cell draws its own.
    """
    cells = [str(SENTENCES[number].cell) for number in pairs[0]["sentence"]]
    logs = np.log([pair["probability"] for pair in pairs])
    by_cell = pd.DataFrame(logs.T).groupby(cells, sort=False).sum().to_numpy()  # cells × pairs
    draws = np.random.default_rng(0).integers(len(pairs), size=(TRIALS, recipes, len(by_cell)))
    return np.exp(by_cell[np.arange(len(by_cell)), draws].sum(axis=-1).max(axis=1))


def on_new_seeds(found: Gathered, book: Gathered) -> str:
    """How many of the sentences that figure 6 can answer the leader meets there, and the book's.

    Args:
        found: the leader's runs of figure 6.
        book: the book's own at the search's cells.
    """
    sentences = of_figures(found) if len(found.runs) else pd.DataFrame(dict(n=[]))
    asked = sentences[sentences["n"] > 0]
    if asked.empty:
        return "*None of these runs is in a cell that a sentence speaks of yet.*"
    return (
        f"**On new seeds the search's best meets {met_by(asked).sum()} of the {len(asked)} "
        f"sentences of which figure 6 has a cell**, by {seeds_asked(sentences)} so far"
        f"{_beside(book, asked, found.runs['seed'].nunique())}."
    )


def _beside(book: Gathered, asked: pd.DataFrame, n: int) -> str:
    """How many of the same sentences the book's recipe meets, on all its seeds, and on n of them.

    These are drawn with repetition: without it all draws would be alike once n is all of them.
    """
    if book.runs.empty:
        return ""
    single = [of_figures(book.of(one["key"])) for _, one in book.runs.groupby("seed")]
    single = [one[one["sentence"].isin(asked["sentence"])].set_index("sentence") for one in single]
    k, of = (np.array([one.loc[asked["sentence"], name] for one in single]) for name in "kn")
    draws = np.random.default_rng(0).integers(len(single), size=(TRIALS, n))
    every, ours = met_by(asked.assign(k=k.sum(axis=0), n=of.sum(axis=0))).sum(), met_by(asked).sum()
    many = dict(k=k[draws].sum(axis=1).ravel(), n=of[draws].sum(axis=1).ravel())
    many = met_by(pd.DataFrame(dict(sentence=np.tile(asked["sentence"], TRIALS)) | many))
    some = many.to_numpy().reshape(TRIALS, -1).sum(axis=1)
    low, high = np.quantile(some, (0.025, 0.975), method="nearest")
    words = f". The book's own meets {every} of them on {seeds_phrase(book.runs['seed'])}"
    if len(single) > 1:
        drawn = "one seed" if n == 1 else f"{n} seeds"
        words += f"; on {drawn} drawn from these, with repetition, {low} to {high} (95% of draws)"
    if low <= ours <= high:
        return f"{words}. **So the two are not told apart**"
    than = "better" if ours > high else "worse"
    return f"{words}. **So on new seeds it does {than} than the book's**"


def shape(found: Gathered) -> str:
    """Where accuracy falls and returns with width, over the seeds that have every run, in words."""
    runs = found.whole().runs
    seeds, each = seeds_phrase(runs["seed"]), runs["seed"].value_counts()
    if each.min() < found.wanted / len({spec.seed for spec in found.specs}) or runs.empty:
        return "*No seed has all of figure 6 yet.*"
    curves = {size: statistics.by_width(own) for size, own in runs.groupby("train_size")}
    seen = dips.seen(
        {size: curve.mean() for size, curve in curves.items()},
        {size: descent.mean_dip(curve) for size, curve in curves.items()},
    )
    return f"With all of figure 6 ({seeds}) its {seen}"
