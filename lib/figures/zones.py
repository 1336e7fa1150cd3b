"""Figure 1, drawn: the two curves, the zones between them, what runs did."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from lib.analysis.zones.boundaries import Map
from lib.analysis.zones.capacity import distinct_pairs, ordered_pairs
from lib.figures.stated import mark
from lib.figures.style import GREY, PHONE, TRAIN, VAL, WAVES, note, panels, width_axis

COLOURS = {
    "progression": WAVES, "ungrokking": VAL, "semi-grokking": "#E69F00", "grokking": TRAIN,
    "unlearned": GREY, "diverged": "#000000",
}  # fmt: skip
"""Okabe and Ito's colours, one for each zone."""


SIZE_TICKS = (0, 1000, 2000, 3000, 4000, 5000, 6000, 8000, 12769)
POINT = dict(fmt="none", ecolor="black", elinewidth=1, capsize=2.5, zorder=6)


def zone_map(
    found: Map, dots: pd.DataFrame, named: dict[str, tuple[int, int]], phone: bool = False
) -> Figure:
    """Figure 1, computed: the two curves, their crossing, the zones, and what runs did.

    Args:
        found: from `boundaries.measure`.
        dots: one row a run: d_model, train_size, seed, zone.  Each cell is a pie: the share of
            its seeds in each zone.
        named: cells to point out by a letter: name -> (d_model, train_size).
        phone: as narrow as one, the legend in one column.
    """
    figure, ((ax,),) = panels(1, 1, (PHONE, 6.2) if phone else (8.4, 5.4), stacks=False)
    if not phone:
        figure.phone = partial(zone_map, found, dots, named, phone=True)
    widths = sorted({*dots["d_model"], *found.capacity_points["d_model"]}) or [4, 100]
    sizes = [*dots["train_size"], *(size for _, size in named.values())]
    points = found.capacity_points
    width_axis(ax, widths, 1.35 if phone else 1.1)
    top = 1.05 * max([*distinct_pairs(np.array(sizes, float)), *points["estimate"], 1.0])
    _shade(ax, found, widths)
    _capacity_points(ax, points)
    _critical_points(ax, found.critical_points)
    _pies(ax, dots, 26 if phone else 62)
    if found.star:
        place = found.star[0], float(distinct_pairs(found.star[1]))
        ax.plot(*place, "*", ms=17, mfc="#F0E442", mec="black", zorder=9, label="intersection")
    mark(ax, 1, "D_crit", distinct_pairs)
    for letter, (d, size) in zip("abcdefgh", named.values()):
        ax.annotate(letter, (d, distinct_pairs(size)), xytext=(-6, 0), ha="right", va="center",
                    fontsize=9, textcoords="offset points", fontweight="bold", zorder=10,
                    path_effects=[withStroke(linewidth=2.5, foreground="white")])  # fmt: skip
    ax.set(ylabel="unordered pairs", ylim=(0, top), yticks=np.arange(0, top, 1000))
    other = ax.secondary_yaxis("right", functions=(ordered_pairs, distinct_pairs))
    other.set_ylabel("training points D" if phone else
                     "training points D that hold so many (ordered pairs)")  # fmt: skip
    other.set_yticks([size for size in SIZE_TICKS if distinct_pairs(size) <= top])
    if len(dots) + len(points):
        _zone_legend(figure, ax, dots, named, phone)
    else:
        note(ax)
    return figure


def _zone_legend(figure: Figure, ax, dots: pd.DataFrame, named: dict, phone: bool) -> None:
    """Above the picture: zones, curves, and what the letters stand for; nothing over data."""
    handles, labels = ax.get_legend_handles_labels()
    shares = " (share of a cell's seeds)"
    for name, colour in COLOURS.items():
        if (dots["zone"] == name).any():
            handles.append(Line2D([], [], marker="o", ls="", ms=8, color=colour))
            labels.append(name + shares)
            shares = ""  # said of the first
    columns = 1 if phone else 3
    place = dict(loc="outside upper center", frameon=False, fontsize=8.5)
    figure.legend(handles, labels, ncols=columns, **place)
    cells = (f"{letter} {name} ({d}, {size:,})"
             for letter, (name, (d, size)) in zip("abcdefgh", named.items()))  # fmt: skip
    between = ",\n" if phone else ", "
    ax.set_title("Figure 2's cells: " + between.join(cells) if named else "", fontsize=8.5)


def _name(ax, text: str, x: float, y: float, **place) -> None:
    """A curve's name beside its end."""
    ax.annotate(text, (x, y), xytext=(0, 5), textcoords="offset points", fontsize=9, **place)


def _capacity_points(ax, points: pd.DataFrame) -> None:
    """D_mem with intervals, named at the end of its curve."""
    if points.empty:
        return
    ends = _ends(points["estimate"], points["low"], points["high"])
    ax.errorbar(points["d_model"], points["estimate"], yerr=ends, **POINT)
    ax.plot(points["d_model"], points["estimate"], "^", color="black", ms=4.5, zorder=7,
            label="capacity, 95%")  # fmt: skip


def _pies(ax, dots: pd.DataFrame, size: float = 62) -> None:
    """One pie a cell: the share of its seeds in each zone (`size` in points²)."""
    for (d, train_size), cell in dots.groupby(["d_model", "train_size"]):
        shares = cell["zone"].value_counts(normalize=True).reindex(COLOURS, fill_value=0.0)
        start, place = 0.25, (d, distinct_pairs(train_size))
        for name, share in shares[shares > 0].items():
            turn = 2 * np.pi * np.linspace(start, start + share, max(3, int(40 * share) + 2))
            rim = np.column_stack([np.cos(turn), np.sin(turn)])
            wedge = rim if share == 1 else np.concatenate([[[0, 0]], rim])
            style = dict(color=COLOURS[name], lw=0, zorder=4)
            ax.scatter(*place, marker=wedge, s=size * np.abs(wedge).max() ** 2, **style)
            start += share
        ax.scatter(*place, s=size, fc="none", ec="white", lw=0.7, zorder=4.5)


def _shade(ax, found: Map, widths: Sequence[int]) -> None:
    """The zones between the curves, over the widths at which both are known."""
    d = np.geomspace(min(widths), max(widths), 400)
    facts = found.capacity(d) if found.capacity else np.full(len(d), np.nan)
    ceiling = 1e5

    def area(low, high, name):
        where = np.isfinite(low) & np.isfinite(high) & (high > low)
        style = dict(color=COLOURS[name], alpha=0.17, lw=0, zorder=0)
        ax.fill_between(d, low, high, where=where, **style)

    if found.capacity:
        ax.plot(d, facts, color="black", lw=1.4, zorder=5)
        _name(ax, "capacity D_mem", d[-1], facts[-1], ha="right")
        area(facts, np.full(len(d), ceiling), "progression")
    if found.critical:
        size, margin = found.critical(d), found.critical.margin
        fitted = (d >= found.critical.low) & (d <= found.critical.high)
        line = distinct_pairs(np.clip(size, 0, 113**2))
        ax.plot(d[fitted], line[fitted], "--", color="black", lw=1.4, zorder=5)
        ax.plot(d, line, ":", color="black", lw=0.9, zorder=5)
        _name(ax, "critical size D_crit", d[0], line[0], ha="left")
        low = distinct_pairs(np.clip(size - margin, 0, None))
        high = distinct_pairs(np.clip(size + margin, 0, 113**2))
        area(np.zeros(len(d)), np.minimum(low, facts), "ungrokking")
        area(np.minimum(low, facts), np.minimum(high, facts), "semi-grokking")
        area(np.minimum(high, facts), facts, "grokking")


def _critical_points(ax, points: pd.DataFrame) -> None:
    """D_crit with intervals; bounds as arrows; hollow where the curve is not fitted to it."""
    for row in points.itertuples():
        place = distinct_pairs(row.estimate)
        if np.isfinite(row.low) and not row.bound:
            low, high = distinct_pairs(row.low), distinct_pairs(row.high)
            ends = _ends(*(np.array([v]) for v in (place, low, high)))
            ax.errorbar([row.d_model], [place], yerr=ends, **POINT)
        marker = {"≥": "$\\uparrow$", "≤": "$\\downarrow$"}.get(row.bound, "o")
        face = "black" if row.used or row.bound else "white"
        ax.plot(row.d_model, place, marker=marker, color="black", mfc=face, ms=5, zorder=7, ls="")
    if len(points):
        words = "critical size, 95% (hollow and dotted: not fitted)"
        ax.plot([], [], "o", color="black", ms=6, label=words)
        if (points["bound"] != "").any():
            ax.plot([], [], marker="$\\uparrow$", color="black", ls="", label="a bound of it")


def _ends(middle, low, high) -> np.ndarray:
    """Lengths of error bars, (2, n), at least 0."""
    below, above = np.asarray(middle) - np.asarray(low), np.asarray(high) - np.asarray(middle)
    return np.maximum(np.nan_to_num(np.stack([below, above])), 0)
