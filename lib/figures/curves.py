"""Training curves (figures 2, 4, 5 and 9)."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.figures import style
from lib.figures.stated import mark
from lib.figures.style import TRAIN, VAL, epoch_axis, grid_of, legend, note, panels, seed_style

ACCURACIES = {
    "train_accuracy": ("training", dict(color=TRAIN)),
    "val_accuracy": ("validation", dict(color=VAL, ls="--")),
}
"""Column -> label and line of a training curve."""


def one_run(curve: pd.DataFrame) -> Figure:
    """Training and validation accuracy of a single run against epoch."""
    figure, ((ax,),) = panels(1, 1, (7, 2.6))
    for column, (label, line) in ACCURACIES.items():
        ax.plot(curve["epoch"], curve[column], label=label, **line)
    ax.set(xscale="symlog", xlabel="epoch", ylabel="accuracy", ylim=(-0.03, 1.03))
    ax.legend(frameon=False)
    return figure


def dynamics(shown: dict[str, pd.DataFrame]) -> Figure:
    """Training curves in panels, one a kind of dynamics (§2.2, figure 2).

    Args:
        shown: title -> curves with columns seed, epoch, train_accuracy, val_accuracy; the
            lowest seed is drawn in full, the others thin.  An empty frame is drawn as missing.
    """
    figure, axes = grid_of(len(shown), (8, 2.7), ylabel="accuracy", sharey=True)
    for ax, (title, curves) in zip(axes, shown.items()):
        ax.set(title=title, xscale="symlog", xlabel="epoch", ylim=(-0.03, 1.03))
        by_seed(ax, curves, ACCURACIES, first=dict(lw=1.8), others=dict(lw=0.8, alpha=0.55))
        mark(ax, 2, title.partition(":")[0])
    legend(figure, ncols=3)
    return figure


def by_seed(
    ax: Axes, curves: pd.DataFrame, columns: dict[str, tuple[str, dict]], first: dict, others: dict,
    empty: str = "no runs stored",
) -> None:  # fmt: skip
    """Columns of some seeds' curves against epoch: the lowest seed in full, the others thin."""
    for i, (_, curve) in enumerate(curves.groupby("seed")):
        for column, (label, line) in columns.items():
            look = line | others if i else first | line
            ax.plot(curve["epoch"], curve[column], label=None if i else label, **look)
    if curves.empty:
        note(ax, empty)


def course_panel(
    ax: Axes, title: str, measured: pd.DataFrame, columns: dict[str, tuple[str, dict]]
):
    """A panel of what was measured inside networks over training (`lib.circuits.measures`)."""
    by_seed(ax, measured, columns, first={}, others=dict(lw=0.6, alpha=0.5), empty="not measured")
    ax.set(title=title, xscale="symlog", xlim=(0, None), xlabel="epoch", ylim=(-0.04, 1.04))


def seed_curves(
    columns: dict[str, pd.DataFrame], rows: dict[str, str], marks: pd.DataFrame | None = None
) -> Figure:
    """Curves against epoch, a colour for each seed (figures 5 and 9).

    Args:
        columns: title of a column of panels -> curves with seed, epoch and the values.
        rows: name of a value's column -> its label; one row of panels each.
        marks: points to ring: title, seed, epoch, and the values' columns.
    """
    size = 4.2 * max(len(columns), 1.7), 2.3 * len(rows)
    figure, axes = panels(len(rows), len(columns), size, sharex="col", sharey="row")
    for i, (value, label) in enumerate(rows.items()):
        axes[i, 0].set_ylabel(label)
        for ax, (title, curves) in zip(axes[i], columns.items()):
            if i == 0:
                ax.set_title(title)
            if value == "param_norm":
                mark(ax, 9, title.partition(":")[0])
            if curves.empty:
                note(ax)
            for seed, curve in curves.groupby("seed"):
                line = seed_style(int(seed))
                ax.plot(curve["epoch"], curve[value], lw=1.3, label=f"seed {seed}", **line)
                if marks is not None and len(marks):
                    own = marks[(marks["title"] == title) & (marks["seed"] == seed)]
                    ax.plot(own["epoch"], own[value], "o", mfc="white", ms=5, color=line["color"])
    for ax in axes[-1]:
        epoch_axis(ax, 4)
    legend(figure, ncols=6)
    return figure


def curves_by_width(
    curves: pd.DataFrame, d_models: Sequence[int], value: str, label: str, epochs: int
) -> Figure:
    """One value of every run against epoch, coloured by width; the last tenth is shaded.

    Widths are named at the right end of their highest curve, where there is room.
    """
    figure, ((ax,),) = panels(1, 1, (7, 4))
    ax.axvspan(0.9 * epochs, epochs, color="#f0f0f0", lw=0, zorder=0)
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(d_models)))
    ends = []
    for d_model, colour in zip(d_models, colours):
        own = curves[curves["d_model"] == d_model]
        for _, curve in own.groupby("seed"):
            ax.plot(curve["epoch"], curve[value], color=colour, lw=1)
        if len(own):
            ends.append((own.groupby("seed")[value].last().mean(), d_model, colour))
    last = -1.0
    for height, d_model, colour in sorted(ends, key=lambda end: end[:2]):
        if height >= last + 0.032:
            at = dict(xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
            ax.annotate(f"d = {d_model}", (epochs, height), color=colour, **at)
            last = height
    if curves.empty:
        note(ax)
    ax.set(xlabel="epoch", ylabel=label, ylim=(-0.03, 1.03), xlim=(0, epochs))
    return figure


def waiting(shown: dict[int, tuple[np.ndarray, np.ndarray]], rate: float) -> Figure:
    """The share of networks that have not generalized yet against training (ours).

    Args:
        shown: training size -> times and shares, from `lib.analysis.statistics.survival`.
        rate: decay times in an epoch, for the axis above.
    """
    figure, ((ax,),) = panels(1, 1, (8, 3.8))
    ax.set(ylim=(-0.03, 1.03), xlabel="decay times 1 / (lr · wd)")
    ax.set_ylabel("networks without the rule")
    if not shown:
        note(ax)
        return figure
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(shown)))
    end = max(times[-1] for times, _ in shown.values())
    for (size, (times, left)), colour in zip(sorted(shown.items()), colours):
        times, left = np.append(times, end), np.append(left, left[-1])  # none comes after these
        ax.step(times, left, where="post", color=colour, lw=1.6, label=f"D = {size:,}")
    begin = min(times[1] for times, _ in shown.values())
    ax.set(xscale="log", xlim=(begin * 0.8, end * 1.05))
    scale = (lambda times: times / rate, lambda epochs: epochs * rate)
    ax.secondary_xaxis("top", functions=scale).set_xlabel("epoch")
    legend(figure)
    return figure


def trained_again(curves: pd.DataFrame) -> Figure:
    """Validation accuracy of the same runs by several trainers (ours).

    Args:
        curves: with d_model, train_size, seed, trainer, epoch and val_accuracy; a panel for each
            cell, a colour for each seed, a dash for each trainer.
    """
    cells = list(curves.groupby(["d_model", "train_size"]))
    figure, axes = grid_of(max(1, len(cells)), (8.4, 2.7), ylabel="validation accuracy")
    dashes = dict(zip(curves["trainer"].unique(), ("-", "--", ":")))
    for ax, ((d, size), own) in zip(axes, cells):
        for (seed, trainer), curve in own.groupby(["seed", "trainer"], sort=False):
            colour = seed_style(int(seed))["color"]
            ax.plot(curve["epoch"], curve["val_accuracy"], color=colour, ls=dashes[trainer], lw=1.2)
        ax.set(title=f"d_model {d}, D = {size:,}", ylim=(-0.03, 1.03))
        epoch_axis(ax, 4)
    for trainer, dash in dashes.items():
        axes[0].plot([], [], color=style.GREY, ls=dash, label=trainer)
    if not cells:
        note(axes[0])
    legend(figure)
    return figure
