"""Pictures of section 5 and appendix B: accuracy on addition against the model's size."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.analysis.emergence import EMERGED, SEEDS, sizes
from lib.analysis.growth import Law, Power
from lib.figures.curves import course_panel
from lib.figures.style import ADD, GREY, VAL, WAVES, grid_of, legend, panels

ALONE = dict(color=ADD, marker="s")
SHARED = dict(color="#994F00", marker="o")
SPLIT = dict(color="#117733", marker="^")
"""Addition alone; with memorization data in a shared MLP; with a split one."""


STRIP = 0.075
"""Height of a curve's strip of missing cells, below the axis's zero."""


Sizes = dict[tuple[int, int], float]
"""(n_layers, d_model) -> its number of parameters."""


def accuracy_by_size(shown: dict[str, dict[str, tuple[pd.DataFrame, dict, Sizes]]]) -> Figure:
    """Final validation accuracy on addition against the number of parameters (figures 8, 10).

    Thick: the best seed; thin: the mean; small dots: single runs.  Lines are drawn where a size
    has three seeds, or as many as any size here.  A cell without runs is a hatched box in its
    curve's colour below zero; a line never crosses one.

    Args:
        shown: title -> label -> (runs, style, the sizes that were asked for).
    """
    every = [curve for curves in shown.values() for curve in curves.values()]
    lacking = any(set(cells) - set(_sizes_of(runs)) for runs, _, cells in every)
    strips = max(map(len, shown.values()), default=1) if lacking else 0
    tables = [sizes(runs) for runs, *_ in every]
    seeds = min(SEEDS, max((table["seeds"].max() for table in tables if len(table)), default=1))
    across = 2 if len(shown) == 4 else min(3, max(1, len(shown)))
    look = dict(ylabel="final validation accuracy", sharey=True)
    figure, axes = grid_of(len(shown), (max(6.4, 3.1 * across), 3.3), across, **look)
    for ax, (title, curves) in zip(axes, shown.items()):
        at = {cell: x for *_, cells in curves.values() for cell, x in sorted(cells.items())}
        for i, (label, (runs, style, cells)) in enumerate(curves.items()):
            _curve(ax, runs, style, label, sorted(cells, key=at.get), at, seeds)
            there = set(_sizes_of(runs))
            _missing(ax, [at[c] for c in cells if c not in there], style["color"], i)
        _size_axis(ax, at)
        ax.axhline(EMERGED, color="#999999", lw=0.7)
        ax.axhline(0, color="#999999", lw=0.7)
        ax.set(title=title, ylim=(-STRIP * strips - 0.03, 1.04))
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    legend(figure)
    return figure


def emergent_width(
    shown: dict[str, tuple[pd.DataFrame, dict]], law: Law | None, capacity: Power | None
) -> Figure:
    """The width from which on each seed generalizes, against what is to be memorized.

    Bars: between which two widths tried a seed's turn lies; an arrow: beyond the widest.

    Args:
        shown: label -> (rows of `lib.analysis.growth.turns`, style).
        law: of the first of them, with the lines of its power's 95% interval; None: no line.
        capacity: where capacity equals all data is dashed.
    """
    figure, ((ax,),) = panels(1, 1, (6.4, 4))
    every = pd.concat([rows for rows, _ in shown.values()])
    for i, (label, (rows, style)) in enumerate(shown.items()):
        colour = style["color"]
        rank, n = rows["seed"].rank(method="dense") - 1, rows["seed"].nunique()
        side_by_side = 22.0 * (rank / max(n - 1, 1) - (n > 1) / 2)
        x = rows["memorize_size"] + side_by_side + 36.0 * (i - (len(shown) - 1) / 2)
        for at, low, high in zip(x, rows["low"], rows["high"]):
            if np.isfinite(high):
                ax.plot([at, at], [max(low, 1), high], color=colour, lw=3, solid_capstyle="butt")
            else:
                ax.plot(at, low, "^", color=colour, ms=5)
        ax.plot([], [], color=colour, lw=3, label=f"{label}, a seed")
    amounts = np.linspace(0, every["memorize_size"].max(), 200)
    alone = every[every["memorize_size"] == 0]["facts"]
    if len(alone):
        facts = alone.iloc[0] + amounts
        if law:
            colour = next(iter(shown.values()))[1]["color"]
            ax.plot(amounts, law(facts), color=colour, lw=1.4, label="law")
            # No band: how exactly a width is known these do not say.
            name = "the least and the largest power (95%)"
            for power in filter(np.isfinite, (law.low, law.high)):
                other = replace(law, power=power)(facts)
                ax.plot(amounts, other, color=colour, lw=0.8, ls=":", label=name)
                name = None
        if capacity:
            equal = dict(color=GREY, ls="--", lw=1.2, label="capacity = all data")
            ax.plot(amounts, capacity.inverse(facts), **equal)
    ticks = 16, 24, 32, 48, 64, 96, 128, 192, 256
    ax.set(yscale="log", ylim=(14, 300), xlabel="points to memorize", ylabel="emergent width")
    ax.set_yticks(ticks, map(str, ticks))
    ax.set_yticks([], minor=True)
    ax.set_xticks(sorted(every["memorize_size"].unique()))
    legend(figure, ncols=2)
    return figure


INSIDE = {
    "memorize_accuracy": ("random pairs, memorized", dict(color=GREY, lw=1)),
    "val_accuracy": ("addition, held out", dict(color=VAL, lw=1.6, ls="--")),
    "held_out_share": ("waves' share of held-out logits", dict(color=WAVES, lw=1.6)),
}
"""What `two_tasks` draws over training: column -> (label, line)."""


def two_tasks(shown: dict[str, pd.DataFrame]) -> Figure:
    """Both tasks of a mixture in training, and with hidden units switched off at its end.

    Args:
        shown: a column each, title -> measures (`lib.circuits.measures`) of some seeds; the
            lowest seed is drawn in full, the others thin.
    """
    figure, axes = panels(3, len(shown), (3.4 * len(shown), 7), sharey=True)
    for column, (title, frame) in zip(axes.T, shown.items()):
        course_panel(column[0], title, frame, INSIDE)
        ends = frame[frame["last"].astype(bool)].sort_values("seed")
        for ax, how, first in ((column[1], "ablated", "most"), (column[2], "spared", "least")):
            _without_units(ax, ends[f"{how}_val"], ends[f"{how}_memorize"])
            ax.set_xlabel(f"units off, {first} memorizing first")
    for ax, label in zip(axes[:, 0], ("share", "accuracy", "accuracy")):
        ax.set_ylabel(label)
    legend(figure, ncols=2)
    return figure


def _without_units(ax, val, memorized) -> None:
    for i, pair in enumerate(zip(val, memorized)):
        for name, values in zip(("val_accuracy", "memorize_accuracy"), pair):
            style = INSIDE[name][1] | (dict(lw=0.6, alpha=0.5) if i else {})
            ax.plot(np.linspace(0, 1, len(values)), values, **style)
    ax.axvline(0.5, color=GREY, lw=0.7, ls=":")
    ax.set_ylim(-0.04, 1.04)


def _curve(ax, runs, style, label, cells, at, seeds) -> None:
    table = sizes(runs).set_index(["n_layers", "d_model"])
    table = table[table["seeds"] >= seeds]  # a best of fewer would look worse than it is
    colour, marker = style["color"], style["marker"]
    table = table.reindex(pd.MultiIndex.from_tuples(cells, names=table.index.names))
    x = [at[cell] for cell in cells]
    ax.plot(x, table["best"], "-", color=colour, marker=marker, ms=4.5, lw=1.6, label=label)
    ax.plot(x, table["mean"], color=colour, lw=0.8, alpha=0.7)
    dots = [at[cell] for cell in _sizes_of(runs)]
    ax.plot(dots, runs["val_accuracy"], ".", color=colour, ms=3, alpha=0.5)


def _sizes_of(runs) -> list[tuple[int, int]]:
    return list(zip(runs["n_layers"], runs["d_model"]))


def _missing(ax, places, colour, i) -> None:
    for x in places:
        box = dict(facecolor="white", edgecolor=colour, hatch="/////", lw=0.5)
        ax.add_patch(Rectangle((x * 0.9, -STRIP * (i + 1)), x * 0.22, STRIP * 0.85, **box))


def _size_axis(ax, at: dict[tuple[int, int], float]) -> None:
    """Parameters on a logarithmic axis, with the widths (and layers) as labels."""
    ax.set(xscale="log", xlabel="d_model" if all(n == 1 for n, _ in at) else "layers × d_model")
    if not at:
        return
    low, high = min(at.values()), max(at.values())
    ax.set_xlim(low * 0.8, high * 1.25)
    shown, last = [], 0.0
    for cell, x in sorted(at.items(), key=lambda item: item[1]):
        if x >= last * (high / low) ** 0.09:
            shown, last = [*shown, cell], x
    flat = all(n == 1 for n, _ in at)
    names = [str(d) if flat else f"{n}×{d}" for n, d in shown]
    turned = dict() if flat else dict(rotation=45, ha="right", rotation_mode="anchor")
    ax.set_xticks([at[cell] for cell in shown], names, fontsize=7.5, **turned)
    ax.set_xticks([], minor=True)
