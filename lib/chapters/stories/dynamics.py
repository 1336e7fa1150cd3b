"""Which recipes show the paper's four dynamics in its four cells (figure 2)."""

import pandas as pd

from lib.analysis.dynamics import zone
from lib.chapters.tables import table
from lib.paper.experiments import EXPERIMENTS
from lib.paper.race.scores import RECIPE_FIELDS, in_words
from lib.paper.recipe import DYNAMICS
from lib.spec import RunSpec

CELL = ["d_model", "train_size"]


def in_four_cells() -> list[RunSpec]:
    """The runs in figure 2's cells, of the book's recipe and of all that were tried beside it."""
    names = ["figure6", *(n for n in EXPERIMENTS if n.startswith(("recipe-", "search")))]
    every = (spec for name in names for spec in EXPERIMENTS[name])
    return [s for s in every if s.task == "add" and (s.d_model, s.train_size) in DYNAMICS.values()]


def by_recipe(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """How many runs show the dynamics that the paper shows in their cell.

    One row for each recipe and training length that has a run in each of the four cells: the
    recipe in words, `epochs`, and for each name of `DYNAMICS` a pair (such runs, all runs).
    """
    names = {cell: name for name, cell in DYNAMICS.items()}
    seen = {key: zone(curve) for key, curve in curves.groupby("key")}
    rows = []
    for how, own in runs.groupby([*RECIPE_FIELDS, "epochs"], dropna=False):
        cells = {
            names[cell]: (int((found["key"].map(seen) == names[cell]).sum()), len(found))
            for cell, found in own.groupby(CELL)
        }
        if len(cells) == len(names):
            rows.append(dict(recipe=in_words(how[:-1]), epochs=int(how[-1])) | cells)
    return pd.DataFrame(rows, columns=["recipe", "epochs", *DYNAMICS])


def recipes_table(found: pd.DataFrame) -> str:
    """`by_recipe` in Markdown, after what it says."""
    if found.empty:
        return "*No recipe has a stored run in each of the four cells.*"
    always = found[[all(k == n for k, n in row) for row in found[[*DYNAMICS]].to_numpy()]]
    which = (
        f"{row.recipe} to {row.epochs:,} epochs ({min(n for _, n in row[3:])} a cell)"
        for row in always.itertuples()
    )
    text = "every run of " + " and of ".join(which) if len(always) else "no recipe in every run"
    rows = [
        (recipe, f"{epochs:,}", *(f"{k} of {n}" for k, n in cells))
        for recipe, epochs, *cells in found.itertuples(index=False)
    ]
    head = ["recipe", "epochs", *DYNAMICS]
    return (
        f"**The paper's dynamics in all four cells: {text}**, of {len(found)} recipes with a run "
        f"in each. Runs that show what the paper shows:\n\n{table(head, rows)}"
    )
