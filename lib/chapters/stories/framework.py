"""Figure 1 in words: width by width, the intersection, region against run (§3)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.analysis import dynamics, efficiency
from lib.analysis.words import bracket
from lib.analysis.zones import boundaries
from lib.analysis.zones.boundaries import Map
from lib.analysis.zones.capacity import distinct_pairs
from lib.analysis.zones.prediction import Errors, Prediction
from lib.chapters.tables import critical_words, crossing_words, table


def width_rows(found: Map) -> list[tuple]:
    """A row for each width: critical size in both units, seeds, fitted or not, capacity."""
    rows = []
    critical = found.critical_points.set_index("d_model")
    capacity = found.capacity_points.set_index("d_model")
    for d in sorted({*critical.index, *capacity.index}):
        row = ["no run", "–", 0, "no"]
        if d in critical.index:
            c = critical.loc[d]
            fit = "yes" if c["used"] else "no (bound)" if c["bound"] else "no (capacity below)"
            unordered = f"{c['bound']} {distinct_pairs(c['estimate']):,.0f}".strip()
            row = [critical_words(found.critical_points, d), unordered, c["seeds"], fit]
        held = "no run"
        if d in capacity.index:
            m = capacity.loc[d]
            held = f"{m['estimate']:,.0f}{bracket(m['low'], m['high'], '{:,.0f}')}"
        rows.append((d, *row, held))
    return rows


def intersection(found: Map) -> list[str]:
    """What was fitted and where the curves cross, a paragraph each."""
    if not found.critical:
        said = ["Not enough runs to fit $D_{\\mathrm{crit}}$: fewer than two widths have one."]
    else:
        said = [
            f"Fitted: $D_{{\\mathrm{{crit}}}}$ = {found.critical.scale:,.0f} · "
            f"`d_model`$^{{{found.critical.power:.2f}}}$ ordered pairs, from "
            f"{found.critical.low:.0f} to {found.critical.high:.0f}; half the semi-grokking band "
            f"is {found.critical.margin:,.0f} points."
        ]
    if not found.capacity:
        said.append("Not enough runs for $D_{\\mathrm{mem}}$: fewer than two widths are stored.")
    if not found.star:
        both = found.critical and found.capacity
        return said + ["The curves do not cross within the widths of our data."] * bool(both)
    width, size = crossing_words(found)
    share = len(found.star_samples) / found.resamples if len(found.star_samples) else 0.0
    said.append(f"The curves cross at: d_model {width}, {size} training points.")
    said.append(
        f"They cross in {share:.0%} of the bootstrap resamples; the intervals are over those."
        if share
        else "An interval needs three seeds of every width."
    )
    return said + _in_ordered_pairs(found)


def _in_ordered_pairs(found: Map) -> list[str]:
    """The naive reading: both numbers in ordered pairs, mirrored ones counted twice."""
    ratio = 113**2 / distinct_pairs(113**2)
    d = np.geomspace(found.capacity.widths[0], found.capacity.widths[-1], 20_000)
    above = found.capacity(d) * ratio >= found.critical(d)
    if not above.any() or above.all():
        return []
    naive = d[above][0]
    beyond = ", beyond the widths that $D_{\\mathrm{crit}}$ was fitted to"
    return [
        "Read in ordered pairs on both axes (capacity counted on all pairs with their mirror "
        "images, which the paper calls cheaper to memorize, training sets as they are), they would "
        "cross at "
        f"d_model {naive:.1f}, {float(found.critical(naive)):,.0f} points"
        + f"{beyond * bool(naive < found.critical.low)}."
    ]


def agreement(dots: pd.DataFrame, epochs: int) -> str:
    """How often the zone of a run is that of its region, as a table, and the worst pair."""
    placed = dots.dropna(subset="region")
    if placed.empty:
        return "Not enough runs: no run lies in a region that both curves delimit."
    counts = boundaries.agreement(dots)
    hits = int((placed["region"] == placed["zone"]).sum())
    rows = [
        (region, *(f"**{n}**" if region == name else n for name, n in row.items()))
        for region, row in counts.iterrows()
    ]
    text = f"**{hits:,} of {len(placed):,} runs ({hits / len(placed):.0%}) show the zone of their "
    text += f"region**, by epoch {epochs:,}.\n\n{table(['region', *counts.columns], rows)}"
    semi = dots[dots["zone"] == "semi-grokking"]
    if alike := efficiency.by_symmetry(semi).sum():
        text += (
            f"\n\n{alike} of the {len(semi)} runs that show semi-grokking get no more right, "
            f"within {efficiency.MARGIN:g}, than a network that treats $a$ and $b$ alike gets by "
            "heart, the mirror images of its training pairs: by accuracy alone they have no more "
            "than symmetry. [](grokking_grid.ipynb) and [](double_descent.ipynb) look into them."
        )
    wrong = placed[placed["region"] != placed["zone"]]
    if wrong.empty:
        return text
    sizes = wrong.groupby(["region", "zone"])["d_model"]
    region, name = sizes.size().idxmax()
    widths = sizes.get_group((region, name))
    return (
        f"{text}\n\nThe most frequent disagreement: {len(widths)} runs in the region of {region} "
        f"show {name} (widths {widths.min()} to {widths.max()})."
    )


BEGUN = 0.05
"""Validation accuracy below which what a run knows is learned by heart."""


def progression_row(seed: int, curve: Mapping[str, np.ndarray]) -> tuple:
    """One seed of figure 5: zone, accuracies by the end, when it begins, bumps."""
    epoch = dynamics.first_epoch(curve["epoch"], curve["val_accuracy"], 0.3)
    train, val = (np.asarray(curve[name]) for name in ("train_accuracy", "val_accuracy"))
    began = f"{epoch:,.0f}" if np.isfinite(epoch) else "never"
    first = f"{train[val < BEGUN].max(initial=0):.3f}"
    ends = f"{train[-1]:.3f}", f"{val[-1]:.3f}"
    return seed, dynamics.zone(curve), first, *ends, began, dynamics.bumps(curve["train_accuracy"])


def fit_words(fitted: tuple[Prediction, Errors] | None) -> str:
    """What the formula was fitted to, and how far off it is on the cells left out."""
    if fitted is None:
        return "*Not enough runs are stored for a fit.*"
    law, errors = fitted
    verdict = ""
    if errors.neighbours < errors.left_out:
        verdict = ", which is better: the formula says why the map has its shape, and is no rival "
        verdict += "to reading between its cells"
    return (
        f"Fitted to {errors.n_fitted} cells: r = {law.rule:.0f} pairs, f = {law.force:.2f}, "
        f"w = {law.step:.0f} training points. Root mean square error of the mean validation "
        f"accuracy: {errors.fitted:.3f} on these cells, **{errors.left_out:.3f} on the "
        f"{errors.n_left_out} cells that were left out**; always saying the fitted cells' mean "
        f"would give {errors.constant:.3f} there, and the mean of a cell's nearest fitted cells "
        f"{errors.neighbours:.3f}{verdict}. The cells left out have the seeds of those fitted, and "
        "lie among them."
    )
