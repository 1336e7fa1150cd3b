"""The search for the recipe as a picture: recipes against training length."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.figures.style import MISSING, note, panels


def search_map(met: pd.DataFrame, seen: pd.Series, asked: int) -> Figure:
    """How many of the paper's sentences the runs of each recipe meet, by epoch T.

    Args:
        met: recipes (down, in words) by T (across), the number of sentences.
        seen: recipe -> sentences with a run behind them; a recipe that lacks some is hatched.
        asked: how many sentences there are.
    """
    figure, ((ax,),) = panels(1, 1, (8.4, 0.3 * len(met) + 1.5), stacks=False)
    if met.empty:
        note(ax)
        return figure
    colours = mpl.colormaps["cividis"].resampled(asked + 1)
    drawn = ax.imshow(met, cmap=colours, vmin=-0.5, vmax=asked + 0.5, aspect="auto")
    lacking = [y for y, recipe in enumerate(met.index) if seen[recipe] < asked]
    _hatch(ax, [(-0.5, y - 0.5, met.shape[1]) for y in lacking])
    for y, recipe in enumerate(met.index):
        for x, value in enumerate(met.loc[recipe]):
            ink = "#fefefe" if value < 0.55 * asked else "#010101"
            ax.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=7.5, color=ink)
    ax.set_xticks(range(met.shape[1]), [f"{T // 1000}" for T in met.columns], fontsize=8)
    ax.set_yticks(range(len(met)), met.index, fontsize=8)
    ax.set_xlabel("training length T, thousands of epochs")
    ax.grid(False)
    bar = figure.colorbar(drawn, ax=ax, ticks=np.arange(0, asked + 1, 3), pad=0.01)
    bar.set_label(f"sentences met, of {asked}")
    return figure


def _hatch(ax: Axes, boxes: list[tuple[float, float, float]]) -> None:
    """Hatches places without runs: left, lower end and width of each; a box is 1 high."""
    boxes = [Rectangle((x, y), width, 1) for x, y, width in boxes]
    ax.add_collection(PatchCollection(boxes, fc="none", ec=MISSING, hatch="//", lw=0))


def sentence_map(share: pd.DataFrame, met: pd.DataFrame, says: list[str]) -> Figure:
    """Which sentences of the paper the runs of each recipe meet, by one epoch T.

    Args:
        share: recipes (down, in words) by sentences (across), the share of runs that show the
            event; NaN where there is no run.
        met: the same, whether that share is one that the sentence asks for.
        says: the sentences, in few words.
    """
    figure, ((ax,),) = panels(1, 1, (8.4, 0.26 * len(share) + 3.6), stacks=False)
    if share.empty:
        note(ax)
        return figure
    seen, good = share.notna().to_numpy(), met.to_numpy(dtype=bool)
    ax.imshow(np.where(seen, good, np.nan), cmap="cividis", vmin=0, vmax=1, aspect="auto")
    _hatch(ax, [(x - 0.5, y - 0.5, 1) for y, x in np.argwhere(~seen)])
    for chosen, sign, ink in ((seen & good, "$✓$", "black"), (seen & ~good, "x", "white")):
        y, x = np.nonzero(chosen)
        ax.plot(x, y, ls="none", marker=sign, ms=5, color=ink, mew=0.8, label=sign.strip("$"))
    ax.set_yticks(range(len(share)), share.index, fontsize=8)
    ax.set_xticks(range(len(says)), says, fontsize=8, rotation=55, ha="right")
    ax.grid(False)
    return figure
