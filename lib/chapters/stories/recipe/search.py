"""The search for the paper's recipe, told: tables and sentences of the recipe chapter."""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lib.analysis.gather import Gathered
from lib.chapters.tables import table
from lib.paper.experiments import EXPERIMENTS
from lib.paper.race.scores import RECIPE_FIELDS, in_words, met_by, of_recipes, of_sentences
from lib.paper.race.standings import Racer, in_the_race
from lib.paper.search import SENTENCES
from lib.spec import RunSpec


def scored(found: Gathered) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows by recipe, T and sentence, and rows by recipe and T, each with the recipe in words."""
    sentences = of_sentences(found.runs, found.curves)
    return tuple(
        frame.assign(recipe=[in_words(row) for row in frame[RECIPE_FIELDS].itertuples(index=False)])
        for frame in (sentences, of_recipes(sentences))
    )


def map_of(recipes: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """What `lib.figures.recipes.search_map` draws: sentences met by recipe and T, and seen."""
    seen = recipes.groupby("recipe", sort=False)["seen"].max()
    return recipes.pivot(index="recipe", columns="T", values="met").loc[seen.index], seen


def at(sentences: pd.DataFrame, T: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What `lib.figures.recipes.sentence_map` draws by one T: shares of runs, and what is met."""
    own = sentences[sentences["T"] == T]
    own = own.assign(share=own["k"] / own["n"].where(own["n"] > 0), met=met_by(own))
    order = own["recipe"].unique()
    return tuple(
        own.pivot(index="recipe", columns="sentence", values=value).loc[order]
        for value in ("share", "met")
    )


def never_together(sentences: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of sentences each of which some recipe meets, and none both at one T."""
    own = sentences.assign(met=met_by(sentences))[sentences["n"] > 0]
    if own.empty:
        return []
    met = own.pivot(index=["recipe", "T"], columns="sentence", values="met")
    seen, met = met.notna().astype(int), met.eq(True).astype(int)
    both, together = seen.T @ seen, met.T @ met
    some = met.any()
    return [
        (SENTENCES[i].says, SENTENCES[j].says)
        for i, j in itertools.combinations(met.columns, 2)
        if some[i] and some[j] and both.loc[i, j] and not together.loc[i, j]
    ]


def conflicts(sentences: pd.DataFrame) -> str:
    """`never_together` in Markdown."""
    if not sentences["n"].any():
        return "*None of the search's runs is stored.*"
    pairs = never_together(sentences)
    if not pairs:
        return "No two sentences that are met one by one are known to exclude each other."
    return table(["one sentence", "the other"], pairs, left=(0, 1))


def best_of_each(recipes: pd.DataFrame, racers: list[Racer]) -> str:
    """Each recipe at the training length that suits it best, in Markdown, the best first."""
    best = recipes.loc[recipes.groupby("recipe")["score"].idxmax()]
    bound = {in_words(racer.recipe): racer.bound for racer in racers}
    rows = [
        (row.recipe, _lengths(recipes, row), f"{row.met:.0f} of {len(SENTENCES)}",
         f"{row.seen:.0f} of {len(SENTENCES)}", f"{row.score:.1e}", f"{bound[row.recipe]:.1e}")
        for row in best.sort_values("score", ascending=False).itertuples()
    ]  # fmt: skip
    head = ["recipe", "best T", "met so far", "with a run behind it", "product", "at best"]
    return table(head, rows, left=(0,))


def _lengths(recipes: pd.DataFrame, best) -> str:
    """The training length of a recipe's best score, or from which to which it is as good."""
    own = recipes[recipes["recipe"] == best.recipe]
    low, high = own[np.isclose(own["score"], best.score, rtol=1e-9, atol=0)]["T"].agg(
        ["min", "max"]
    )
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def race(racers: list[Racer]) -> str:
    """How far the race is, in words."""
    able, first = in_the_race(racers), racers[0]
    if not first.left:
        return (
            f"**{in_words(first.recipe)} has won**: all its runs are stored, its product is "
            f"{first.bound:.1e}, and no other recipe would pass it if all its missing runs showed "
            "what the paper says."
        )
    if whole := [racer for racer in racers if not racer.left]:
        return (
            f"{in_words(whole[0].recipe)} has all its runs; its product is "
            f"{whole[0].bound:.1e}. {len(able)} of {len(racers)} recipes may still pass it, those "
            "without any run counted."
        )
    return (
        f"No recipe has all its runs yet, so none of the {len(racers)} is out; the most that one "
        f"can still reach is {first.bound:.1e}."
    )


def of_the_best(sentences: pd.DataFrame, recipes: pd.DataFrame) -> str:
    """Sentence by sentence, how the leading recipe fares at its T, in Markdown."""
    if recipes.empty:
        return table([], [])
    best = recipes.loc[recipes["score"].idxmax()]
    own = sentences[(sentences["recipe"] == best["recipe"]) & (sentences["T"] == best["T"])]
    chances = own["probability"].map("{:.2f}".format)
    return _by_sentence(own, "probability for eleven seeds", chances)


def _by_sentence(own: pd.DataFrame, head: str, last: Iterable[str]) -> str:
    """A row a sentence: what the paper says, what is counted, our runs, and what `last` has."""
    rows = [
        (SENTENCES[row.sentence].says, SENTENCES[row.sentence].asked, f"{row.k} of {row.n}", said)
        for row, said in zip(own.itertuples(), last, strict=True)
    ]
    header = ["the paper, as we read it", "counted, of eleven seeds", "our runs", head]
    return table(header, rows, left=(0, 1))


def standing(found: Gathered, recipes: pd.DataFrame) -> str:
    """Where the search stands, in words."""
    if recipes.empty:
        return "None of the search's runs is stored."
    best = recipes.loc[recipes["score"].idxmax()]
    whole = recipes[recipes["runs"] > 0]["recipe"].nunique()
    text = f"{len(found.runs):,} of the search's {found.wanted:,} runs are stored; "
    text += f"{whole} of {recipes['recipe'].nunique()} recipes have a run behind every sentence. "
    return text + f"So far {best['recipe']} leads, at T = {_lengths(recipes, best)}."


def opening(recipes: pd.DataFrame, own: Gathered) -> str:
    """The chapter's first words: how far the best recipe so far goes, and how far the book's."""
    if recipes.empty or own.runs.empty:
        return "*Nothing is stored that recipes can be compared by.*"
    best = recipes.loc[recipes["score"].idxmax()]
    sentences = of_figures(own)
    (row,) = of_recipes(sentences).itertuples()
    return (
        f"**The search's best so far, {best['recipe']} for {_lengths(recipes, best)} epochs, meets "
        f"{best['met']:.0f} of the {best['seen']:.0f} sentences of the paper, some of them our "
        "reading, that have runs**, on the one or two runs a sentence on which it was chosen (how "
        "far luck alone goes there is said below). **The book's own meets "
        f"{row.met} of {row.seen}**, on {seeds_asked(sentences)} on which nothing was chosen; one "
        "of the sentences speaks of epochs later than ours. The paper states no recipe, "
        "and we know of no published one that gives its pictures."
    )


def seeds_asked(sentences: pd.DataFrame) -> str:
    """How many seeds each sentence is asked of, in words."""
    asked = sentences[sentences["n"] > 0]["stored"]
    low, high = asked.min(), asked.max()
    if low < high:
        return f"{low} to {high} seeds a sentence"
    return "one seed" if high == 1 else f"{high} seeds"


FIGURES = ("figure3", "figure6", "figure7")
"""Experiments whose seeds the search has not seen."""


def unseen() -> list[RunSpec]:
    """The runs of the book's figures at the cells that the search is judged by."""
    cells = {sentence.cell for sentence in SENTENCES}
    every = (spec for name in FIGURES for spec in EXPERIMENTS[name])
    return [spec for spec in every if (spec.task, spec.d_model, spec.train_size) in cells]


def out_of_sample(found: Gathered) -> str:
    """How many of the paper's sentences the book's recipe meets on seeds that chose nothing."""
    if found.runs.empty:
        return "*No run is stored that scores the recipe out of sample.*"
    sentences = of_figures(found)
    T = sentences["T"].iloc[0]
    (row,) = of_recipes(sentences).itertuples()
    return (
        "**The recipe out of sample.** On the figures' seeds, on which nothing was chosen "
        f"({seeds_asked(sentences)}), the book's recipe meets {row.met} of the {row.seen} "
        f"sentences that have runs, by epoch {T:,}; one of these sentences speaks of epochs later "
        "than ours."
    )


def sentence_by_sentence(found: Gathered) -> str:
    """The same in Markdown: what the book's recipe meets on those seeds, and what not."""
    if found.runs.empty:
        return ""
    asked = of_figures(found).query("n > 0")
    return _by_sentence(asked, "met", ("yes" if ok else "no" for ok in met_by(asked)))


def of_figures(found: Gathered) -> pd.DataFrame:
    """Rows by sentence, by the last epoch."""
    return of_sentences(found.runs, found.curves, times=(int(found.runs["epochs"].max()),))
