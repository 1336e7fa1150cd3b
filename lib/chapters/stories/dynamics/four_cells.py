"""Which recipes show the paper's four dynamics in its four cells (figure 2)."""

import pandas as pd

from lib.analysis.dynamics import GENERALIZED, zone
from lib.analysis.efficiency import MARGIN, by_symmetry
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


def symmetric_words(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """How many runs are semi-grokking by symmetry alone, in words; nothing where none is."""
    seen = {key: zone(curve) for key, curve in curves.groupby("key")}
    semi = runs[runs["key"].map(seen) == "semi-grokking"]
    if not (alike := by_symmetry(semi).sum()):
        return ""
    whole = f"Of the {len(semi)} semi-grokking runs above, {alike}"
    if len(semi) == 1:
        whole = "The one semi-grokking run above"
    return (
        f"**{whole} got no more right than a network that only treats a and b alike**, within "
        f"{MARGIN:g}."
    )


def all_grok_words(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """How many of the runs that end with the rule grok."""
    good = runs[runs["val_accuracy"] >= GENERALIZED]["key"]
    kinds = [zone(curve) for _, curve in curves[curves["key"].isin(good)].groupby("key")]
    if not kinds:
        return ""
    return (
        f"How many of these networks grok? Of the {len(kinds)} runs of this grid that end at "
        f"{GENERALIZED:g} or above, {kinds.count('grokking')} do: they know their training set "
        "before they find the rule."
    )


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
    rows = [
        (f"{recipe}, {epochs:,} epochs", *(f"{k} of {n}" for k, n in cells))
        for recipe, epochs, *cells in found.itertuples(index=False)
    ]
    shares = found[[*DYNAMICS]].map(lambda cell: cell[0] / cell[1])
    whole = [rows[i][0] for i in range(len(rows)) if (shares.iloc[i] == 1).all()]
    order = [(own.min(), own.mean()) for own in shares.to_numpy()]  # the worst cell counts first
    nearest = rows[order.index(max(order))]
    text = (
        f"**With {' and with '.join(whole)}, every run shows what the paper shows in its cell.**"
        if whole
        else "**No recipe shows in every run what the paper shows in its cell.** Nearest, by its "
        f"worst cell, comes {nearest[0]}: "
        + ", ".join(f"{name} {said}" for name, said in zip(DYNAMICS, nearest[1:]))
        + "; a recipe with few runs a cell comes to such shares by chance, too."
    )
    text += f" {len(rows)} recipes have a run in each of the four:"
    return f"{text}\n\n{table(['recipe', *DYNAMICS], rows)}"
