"""Pictures of circuits: norms, long runs, the course of a run's waves, spectra, races."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.analysis.efficiency import mirror_share
from lib.figures import style
from lib.figures.curves import course_panel
from lib.figures.style import GREY, epoch_axis, grid_of, hatch, legend, note, panels, seed_style


def norms_by_size(
    groups: dict[str, tuple[pd.DataFrame, dict]], marks: dict[str, float], sizes: Sequence[int]
) -> Figure:
    """Norm needed for a training loss against training size (Varma et al., P1).

    Args:
        groups: label -> (rows with train_size, seed, norm; color, marker and the like of a line);
            lines are means over seeds, small dots are single runs.
        marks: label -> training size of a vertical line; NaN is left out.
        sizes: every size asked for; one without a run is hatched.  A cross at the bottom, in a
            group's colour: none of its runs settled at the loss.
    """
    figure, ((ax,),) = panels(1, 1, (7.4, 4))
    there, stored = set(), set()
    for label, (rows, line) in groups.items():
        stored |= (own := set(rows["train_size"]))
        rows = rows.dropna(subset="norm")
        for size in own - set(rows["train_size"]):
            at = ax.get_xaxis_transform()
            ax.plot(size, 0.03, "x", color=line["color"], transform=at, clip_on=False)
        mean = rows.groupby("train_size")["norm"].mean()
        ax.plot(mean.index, mean, ms=5, lw=1.6, label=label, **line)
        ax.plot(rows["train_size"], rows["norm"], ".", color=line["color"], ms=4, alpha=0.5)
        there |= set(rows["train_size"])
    for (label, size), dash in zip(marks.items(), ("--", ":", "-.")):
        if np.isfinite(size):
            ax.axvline(size, color=GREY, ls=dash, lw=1.3, label=f"{label} {size:,.0f}")
    hatch(ax, sizes, stored)
    ax.set(xscale="log", yscale="log", xlabel="training points D", ylabel="norm needed")
    ticks = sorted(stored) or sorted(sizes)
    ax.set_xticks(ticks, [f"{size:,}" for size in ticks], fontsize=8, rotation=45)
    ax.set_xticks([], minor=True)
    ax.yaxis.set_major_locator(mpl.ticker.MaxNLocator(6))
    ax.yaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    if there:
        legend(figure, ncols=2)
    elif stored:
        note(ax, "no run settles")
    return figure


def long_runs(curves: pd.DataFrame, sizes: Sequence[int], epochs: int, usual: int) -> Figure:
    """Validation accuracy of every seed, a panel for each training size (Varma et al., P4).

    Args:
        curves: train_size, seed, epoch, val_accuracy, in epochs.
        sizes: the panels.
        epochs: the end of the axis.
        usual: where other runs of the book end; a vertical line.
    """
    how = dict(sharex=True, sharey=True)
    figure, axes = grid_of(len(sizes), (8.6, 2.4), ylabel="validation accuracy", **how)
    for ax, size in zip(axes, sizes):
        own = curves[curves["train_size"] == size]
        for seed, curve in own.groupby("seed"):
            line = seed_style(int(seed))
            ax.plot(curve["epoch"], curve["val_accuracy"], lw=1.2, label=f"seed {seed}", **line)
            ax.plot(*curve[["epoch", "val_accuracy"]].iloc[-1], "o", ms=4, color=line["color"])
        ax.axhline(mirror_share(size), color=GREY, lw=0.9, ls=(0, (1, 2)), label="mirrored pairs")
        ax.axvline(usual, color=GREY, lw=0.9)
        ax.set(title=f"D = {size:,}", ylim=(-0.04, 1.04), xlim=(0, epochs * 1.02))
        if own.empty:
            note(ax)
    for ax in axes[-2:]:
        epoch_axis(ax, 5)
    legend(figure, ncols=6)
    return figure


COURSE = {
    "train_accuracy": ("training accuracy", dict(color=style.TRAIN, lw=1)),
    "val_accuracy": ("validation accuracy", dict(color=style.VAL, lw=1.6, ls="--")),
    "trig_share": ("waves' share of the logits", dict(color=style.WAVES, lw=1.6)),
    "held_out_share": ("the same on held-out pairs", dict(color="black", lw=1.1, ls=":")),
}
"""What `course` draws: column -> (label, line)."""


def course(shown: dict[str, pd.DataFrame]) -> Figure:
    """Accuracy and the waves' share over training, a panel for each dynamics.

    Args:
        shown: title -> measures (`lib.circuits.measures`) of some seeds; the lowest seed is
            drawn in full, the others thin.  An empty frame is drawn as missing.
    """
    figure, axes = grid_of(len(shown), (8.6, 2.5), ylabel="share", sharey=True)
    for ax, (title, frame) in zip(axes, shown.items()):
        course_panel(ax, title, frame, COURSE)
    legend(figure, ncols=2)
    return figure


def spectra(shown: dict[str, tuple[np.ndarray, np.ndarray] | None]) -> Figure:
    """Embedding (up) and logits (down) by frequency, a panel for each network.

    Args:
        shown: title -> (logit spectrum, embedding spectrum), or None where it was not measured.
    """
    figure, axes = panels(1, max(1, len(shown)), (2.9 * max(len(shown), 2), 2.7), sharey=True)
    for ax, (title, found) in zip(axes.flat, shown.items()):
        ax.set(title=title, xlabel="frequency k", ylim=(-0.75, 0.75))
        ax.axhline(0, color="black", lw=0.6)
        if found is None:
            note(ax, "not measured")
            continue
        logits, embedding = found
        k = np.arange(1, len(logits) + 1)
        ax.bar(k, embedding, width=0.9, color=style.TRAIN, label="embedding (up)")
        ax.bar(k, -np.asarray(logits), width=0.9, color=style.WAVES, label="logits (down)")
    axes[0, 0].set_ylabel("share")
    axes[0, 0].yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{abs(v):g}"))
    legend(figure)
    return figure


def races(shown: dict[str, dict[str, np.ndarray]]) -> Figure:
    """Logits and losses of some races (`lib.circuits.simulation.simulate`), a column each."""
    figure, axes = panels(2, len(shown), (2.7 * len(shown), 4.2), sharex=True, sharey="row")
    for (above, below), (title, run) in zip(axes.T, shown.items()):
        above.plot(run["time"], run["generalizing"], color=style.WAVES, label="generalizing")
        above.plot(run["time"], run["memorizing"], ":", color="black", label="memorizing")
        below.plot(run["time"], run["train_loss"], color=style.TRAIN, label="training")
        below.plot(run["time"], run["val_loss"], "--", color=style.VAL, label="validation")
        above.set_title(title, fontsize=9)
        below.set(xlabel="time", xscale="symlog", xlim=(0, None))
    axes[0, 0].set_ylabel("logit")
    axes[1, 0].set_ylabel("loss")
    legend(figure)
    return figure
