"""The search for the paper's recipe, told: tables and sentences of the recipe chapter."""

import pandas as pd

from lib.analysis.gather import Gathered
from lib.chapters.tables import table
from lib.paper.experiments import EXPERIMENTS
from lib.paper.scores import RECIPE_FIELDS, of_recipes, of_sentences
from lib.paper.search import FIRST_SEED, SENTENCES
from lib.spec import RunSpec

STAGES = ("search", "search_wide", "search_arms")


def specs() -> list[RunSpec]:
    """All runs of the search."""
    return [spec for name in STAGES for spec in EXPERIMENTS[name]]


def in_words(recipe: tuple) -> str:
    """A recipe, the values of `RECIPE_FIELDS`, as a label: what is not as usual is named."""
    lr, decay, beta2, loss, scale = recipe
    more = {f"β₂ {beta2:g}": beta2 != 0.98, f"{loss} loss": pd.notna(loss)}
    more[f"weights × {scale:g}"] = pd.notna(scale)
    return ", ".join([f"lr {lr:g}, wd {decay:g}", *(text for text, so in more.items() if so)])


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
    met = recipes.pivot(index="recipe", columns="T", values="met").loc[seen.index]
    return met, seen


def best_of_each(recipes: pd.DataFrame) -> str:
    """Each recipe at the training length that suits it best, in Markdown, the best first."""
    best = recipes.loc[recipes.groupby("recipe")["score"].idxmax()]
    rows = [
        (row.recipe, f"{row.T:,}", f"{row.met:.0f} of {len(SENTENCES)}",
         f"{row.seen:.0f} of {len(SENTENCES)}", f"{row.score:.1e}")
        for row in best.sort_values("score", ascending=False).itertuples()
    ]  # fmt: skip
    head = ["recipe", "best T", "met so far", "with a run behind it", "product"]
    return table(head, rows, left=(0,))


def of_the_best(sentences: pd.DataFrame, recipes: pd.DataFrame) -> str:
    """Sentence by sentence, how the leading recipe fares at its T, in Markdown."""
    if recipes.empty:
        return table([], [])
    best = recipes.loc[recipes["score"].idxmax()]
    own = sentences[(sentences["recipe"] == best["recipe"]) & (sentences["T"] == best["T"])]
    rows = [
        (SENTENCES[row.sentence].says, f"{row.k} of {row.n}", f"{row.probability:.2f}")
        for row in own.itertuples()
    ]
    return table(
        ["the paper", "runs that show it", "probability for eleven seeds"], rows, left=(0,)
    )


def standing(found: Gathered, recipes: pd.DataFrame) -> str:
    """Where the search stands, in words."""
    if recipes.empty:
        return "None of the search's runs is stored."
    best = recipes.loc[recipes["score"].idxmax()]
    whole = recipes[recipes["runs"] > 0]["recipe"].nunique()
    text = f"{len(found.runs):,} of the search's {found.wanted:,} runs are stored; "
    text += f"{whole} of {recipes['recipe'].nunique()} recipes have a run behind every sentence. "
    text += f"So far {best['recipe']} at T = {best['T']:,} leads, with {best['met']:.0f} of "
    return text + f"{len(SENTENCES)} sentences met by its runs."


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
    T = int(found.runs["epochs"].max())
    (row,) = of_recipes(of_sentences(found.runs, found.curves, times=(T,))).itertuples()
    return (
        "**The recipe out of sample.** Recipes are searched for on seeds from "
        f"{FIRST_SEED:,} on, by {len(SENTENCES)} sentences of the paper ([](recipe.ipynb)). On the "
        f"figures' own seeds ({found.runs['seed'].nunique()} so far) the book's recipe meets "
        f"{row.met} of the {row.seen} that have runs, by epoch {T:,}; one of them speaks of later "
        "epochs."
    )
