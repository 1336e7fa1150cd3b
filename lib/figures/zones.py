"""Pictures over sizes of model and data: figure 1's zones, success by size, recipes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.analysis.zones.boundaries import Map
from lib.analysis.zones.capacity import distinct_pairs, ordered_pairs
from lib.figures.style import _width_axis

ZONE_STYLES = {
    "progression": dict(color="#009E73", marker="s"),
    "ungrokking": dict(color="#D55E00", marker="v"),
    "semi-grokking": dict(color="#E69F00", marker="D"),
    "grokking": dict(color="#0072B2", marker="o"),
    "unlearned": dict(color="#666666", marker="x"),
    "diverged": dict(color="#000000", marker="+"),
}
"""Okabe and Ito's colours, and a marker for each zone."""


SIZE_TICKS = (0, 1000, 2000, 3000, 4000, 5000, 6000, 8000, 12769)
POINT = dict(fmt="none", ecolor="black", elinewidth=1, capsize=2.5, zorder=6)


def zone_map(found: Map, dots: pd.DataFrame, named: dict[str, tuple[int, int]]) -> Figure:
    """Figure 1, computed: boundaries, their crossing, zones, and every run as a dot.

    Args:
        found: from `zones.measure`.
        dots: one row a run: d_model, train_size, seed, zone.
        named: cells to point out: name -> (d_model, train_size).
    """
    figure, ax = plt.subplots(figsize=(8.4, 5.6), layout="constrained")
    widths = sorted({*dots["d_model"], *found.capacity_points["d_model"]}) or [4, 100]
    sizes = [*dots["train_size"], *(size for _, size in named.values())]
    _width_axis(ax, widths)
    _shade(ax, found, widths)
    _dots(ax, dots, widths)
    points = found.capacity_points
    if len(points):
        ends = _ends(points["estimate"], points["low"], points["high"])
        ax.errorbar(points["d_model"], points["estimate"], yerr=ends, **POINT)
        ax.plot(points["d_model"], points["estimate"], "^", color="black", ms=5, zorder=7,
                label="D_mem")  # fmt: skip
    _critical_points(ax, found.critical_points)
    if found.star:
        place = found.star[0], float(distinct_pairs(found.star[1]))
        ax.plot(*place, "*", ms=19, mfc="#F0E442", mec="black", zorder=9, label="intersection")
    for name, (d, size) in named.items():
        ax.annotate(
            name, (d, distinct_pairs(size)), xytext=(9, 9), textcoords="offset points",
            fontsize=8, zorder=10, bbox=dict(fc="white", ec="#999999", lw=0.6, pad=1.5),
            arrowprops=dict(arrowstyle="-", lw=0.6),
        )  # fmt: skip
    top = max([*distinct_pairs(np.array(sizes, float)), *points["estimate"], 1.0])
    ax.set(ylabel="unordered pairs", ylim=(0, top * 1.05))
    other = ax.secondary_yaxis("right", functions=(ordered_pairs, distinct_pairs))
    other.set_ylabel("training points D that hold so many (ordered pairs)")
    other.set_yticks([size for size in SIZE_TICKS if distinct_pairs(size) <= top * 1.05])
    if len(dots) + len(points):
        ax.legend(loc="upper left", fontsize=8, framealpha=0.9)
    else:
        ax.text(0.5, 0.5, "no runs stored", ha="center", transform=ax.transAxes)
    return figure


def _shade(ax, found: Map, widths: Sequence[int]) -> None:
    """The zones between the curves, over the widths at which both are known."""
    d = np.geomspace(min(widths), max(widths), 400)
    facts = found.capacity(d) if found.capacity else np.full(len(d), np.nan)
    ceiling = 1e5

    def area(low, high, name):
        where = np.isfinite(low) & np.isfinite(high) & (high > low)
        style = dict(color=ZONE_STYLES[name]["color"], alpha=0.17, lw=0, zorder=0)
        ax.fill_between(d, low, high, where=where, **style)

    if found.capacity:
        ax.plot(d, facts, color="black", lw=1.4, zorder=5)
        area(facts, np.full(len(d), ceiling), "progression")
    if found.critical:
        size, margin = found.critical(d), found.critical.margin
        fitted = (d >= found.critical.low) & (d <= found.critical.high)
        line = distinct_pairs(np.clip(size, 0, 113**2))
        ax.plot(d[fitted], line[fitted], "--", color="black", lw=1.4, zorder=5)
        ax.plot(d, line, ":", color="black", lw=0.9, zorder=5)
        low = distinct_pairs(np.clip(size - margin, 0, None))
        high = distinct_pairs(np.clip(size + margin, 0, 113**2))
        area(np.zeros(len(d)), np.minimum(low, facts), "ungrokking")
        area(np.minimum(low, facts), np.minimum(high, facts), "semi-grokking")
        area(np.minimum(high, facts), facts, "grokking")


def _dots(ax, dots: pd.DataFrame, widths: Sequence[int]) -> None:
    """Every run, the seeds of a cell side by side."""
    if dots.empty:
        return
    order = {seed: i for i, seed in enumerate(sorted(dots["seed"].unique()))}
    place = dots["seed"].map(order) - (len(order) - 1) / 2
    beside = np.exp(place * min(0.012, 0.06 / len(order)))
    for name, style in ZONE_STYLES.items():
        own = dots["zone"] == name
        if own.any():
            x, y = dots["d_model"][own] * beside[own], distinct_pairs(dots["train_size"][own])
            kind = dict(style, s=11, lw=0.8, zorder=4, label=f"run: {name}")
            ax.scatter(x, y, **kind)


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
        ax.plot(row.d_model, place, marker=marker, color="black", mfc=face, ms=6, zorder=7, ls="")
    if len(points):
        ax.plot([], [], "o", color="black", ms=6, label="D_crit (hollow: not fitted)")
        if (points["bound"] != "").any():
            ax.plot([], [], marker="$\\uparrow$", color="black", ls="", label="D_crit, a bound")


def _ends(middle, low, high) -> np.ndarray:
    """Lengths of error bars, (2, n), at least 0."""
    below, above = np.asarray(middle) - np.asarray(low), np.asarray(high) - np.asarray(middle)
    return np.maximum(np.nan_to_num(np.stack([below, above])), 0)
