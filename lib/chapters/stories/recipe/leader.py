"""Figure 6 in the recipe that leads the search, on seeds that chose nothing, told."""

import pandas as pd

from lib.analysis import descent, statistics
from lib.analysis.gather import Gathered
from lib.analysis.words import seeds_phrase
from lib.chapters.stories.descent import dips
from lib.chapters.stories.recipe.search import of_figures, seeds_asked, sentence_by_sentence
from lib.figures.style import GREY, VAL
from lib.paper.race.scores import met_by


def on_new_seeds(found: Gathered) -> str:
    """How many of the sentences that figure 6 can answer the leader meets there, and which."""
    sentences = of_figures(found) if len(found.runs) else pd.DataFrame(dict(n=[]))
    asked = sentences[sentences["n"] > 0]
    if asked.empty:
        return "*None of these runs is in a cell that a sentence speaks of yet.*"
    return (
        f"**On new seeds it meets {met_by(asked).sum()} of the {len(asked)} sentences of which "
        f"figure 6 has a cell**, by {seeds_asked(sentences)} so far:\n\n"
        + sentence_by_sentence(found)
    )


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
    return f"On new seeds, with all of figure 6 ({seeds}), its {seen}"


def beside(leading: pd.DataFrame, usual: pd.DataFrame, size: int) -> dict[str, tuple]:
    """What a panel of `lib.figures.accuracy.accuracy_by_width` shows of two recipes at a size."""
    drawn = ("tied embeddings", leading, VAL, "--"), ("this book's recipe", usual, GREY, ":")
    return {
        label: (runs[runs["train_size"] == size], "val_accuracy", colour, dash)
        for label, runs, colour, dash in drawn
    }
