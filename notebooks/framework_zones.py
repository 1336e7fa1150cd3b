# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Two curves, four zones
#
# Section 3 of {cite:t}`huang2024unified`, figures 1 and 5, with the four cells of figure 2.
#
# The paper's framework is one picture. Against the size of the network it draws two curves:
# the number of facts that the network can memorize, $D_{\mathrm{mem}}$, which rises, and the
# number of training points that it needs to generalize, $D_{\mathrm{crit}}$, which falls.
# They cross. Left of $D_{\mathrm{mem}}$ lies *progression*, below both curves *ungrokking*, on
# $D_{\mathrm{crit}}$ *semi-grokking*, above it *grokking*.
#
# In the paper the picture is a sketch. Here it is computed: both curves from our runs, the
# crossing with an interval, and every run as a dot whose colour is the zone that its own
# training curve shows. Region and run need not agree; how often they do is the test.

# %% tags=["remove-cell"]
import sys
from pathlib import Path

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # of the grids of figures 3 and 6
capacity_seeds = [0, 1, 2]  # of the random labels, figure 4
progression_seeds = [0, 1, 2, 3, 4]  # of figure 5
epochs = 20000  # full-batch steps; figure 5 has twice as many
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

from lib.analysis.dynamics import first_epoch, zone
from lib.analysis.gather import gather
from lib.analysis.words import bracket
from lib.analysis.zones import boundaries
from lib.analysis.zones.capacity import distinct_pairs
from lib.analysis.zones.prediction import fit
from lib.chapters.export import export
from lib.chapters.tables import check_table, cost, table, zone_rules
from lib.figures import accuracy, curves, style, zones
from lib.paper.criteria import addition as criteria
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS
from lib.widgets.explorers import framework, phase_diagram

style.use_style()
recipe = dict(epochs=epochs, lr=lr, weight_decay=weight_decay)


def specs(name, chosen):
    """The runs of an experiment under this chapter's recipe."""
    return [spec.replace(**recipe) for spec in EXPERIMENTS[name].specs(chosen)]


# %% [markdown]
# ## Figure 1, computed

# %% tags=["hide-input"]
grids = gather(specs("figure3", seeds) + specs("figure6", seeds), train_missing)
random = gather(specs("figure4", capacity_seeds), train_missing)
found = boundaries.measure(grids.runs, random.runs)
shown = {key: zone(curve) for key, curve in grids.curves.groupby("key")}
dots = grids.runs[["d_model", "train_size", "seed", "train_accuracy", "val_accuracy", "key"]]
dots = dots.assign(
    zone=[shown[key] for key in dots["key"]],
    region=pd.Series(
        [found.zone(d, size) for d, size in zip(dots["d_model"], dots["train_size"])], dtype=object
    ),
)
export(dots, "figure1_runs")
export(found.critical_points, "figure1_critical")
export(found.capacity_points, "figure1_capacity")
Markdown(
    f"The grids of figures 3 and 6: {grids.provenance(paper_seeds=11)}\n\n"
    f"Random labels, figure 4: {random.provenance(paper_seeds=3)}"
)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A map over model size and data. A rising curve of memorization capacity and a falling curve of the critical data size, with points and intervals; shaded zones between them; a star where they cross, if they do; every run a small marker coloured by the zone its own curve shows."}, "figure": {"caption": "Figure 1 from our runs, by epoch T. Solid: memorization capacity; dashed: critical size, dotted where it is drawn beyond the widths it was fitted to; arrows: bounds. Shaded: the zones between the curves. Small markers: single runs. Left axis: unordered pairs; right axis: training points that hold so many. Data: [runs](data/figure1_runs.csv), [critical sizes](data/figure1_critical.csv), [capacities](data/figure1_capacity.csv).", "name": "fig-zones"}}
figure = zones.zone_map(found, dots, DYNAMICS)
plt.close(figure)
figure

# %% [markdown]
# How it is made, so that it can be judged:
#
# * **Capacity** is accuracy on random labels times the number of unordered pairs
#   ([](memorization_capacity.ipynb)); the curve runs through the means, made non-decreasing,
#   by monotone cubic interpolation (PCHIP) in the logarithm of the width.
# * **Critical size** of a width is the mean training size from which on its seeds reach a
#   validation accuracy of 0.95 (Spearman–Kärber estimate on the share of seeds, made
#   non-decreasing in $D$); the interval is a bootstrap over whole seeds. It does not know the
#   step of the grid: between two sizes the estimate takes the middle, so it can be off by 100
#   points in the rows of figure 3 and by 500 between 3,000 and 4,000 in those of figure 6 alone.
#   The curve is a power law, fitted by least squares in logarithms.
# * The interval of the **crossing** joins that bootstrap with draws of the capacities from
#   Student's distribution, as these have three seeds.
# * A critical size is only a **bound** where some seed generalizes with the smallest training
#   set of its row, or where one does not with the largest. Bounds are not fitted. Neither are
#   widths that cannot memorize even the smallest training set: all their cells are progression.
# * The **semi-grokking** band is as wide as the step from a tenth to nine tenths of the seeds,
#   averaged over the fitted widths.

# %% [markdown]
# Width by width, with 95% intervals:

# %% tags=["hide-input"]
capacity = found.capacity_points.set_index("d_model")
critical = found.critical_points.set_index("d_model")


def interval(row):
    return bracket(row["low"], row["high"], "{:,.0f}")


def line(d):
    """One width: critical size in both units, capacity."""
    row = [f"{d}"]
    if d in critical.index:
        c = critical.loc[d]
        fit = "yes" if c["used"] else "no (bound)" if c["bound"] else "no (progression)"
        sign = f"{c['bound']} " if c["bound"] else ""
        row += [f"{sign}{c['estimate']:,.0f}{'' if c['bound'] else interval(c)}",
                f"{sign}{distinct_pairs(c['estimate']):,.0f}", c["seeds"], fit]  # fmt: skip
    else:
        row += ["no run", "–", 0, "no"]
    if d in capacity.index:
        m = capacity.loc[d]
        row += [f"{m['estimate']:,.0f}{interval(m)}"]
    else:
        row += ["no run"]
    return row


Markdown(
    table(
        ["d_model", "D_crit, ordered", "D_crit, unordered", "seeds", "fitted", "D_mem, unordered"],
        [line(d) for d in sorted({*critical.index, *capacity.index})],
    )  # fmt: skip
)

# %% [markdown]
# ### The intersection

# %% tags=["hide-input"]
share = len(found.star_samples) / found.resamples if len(found.star_samples) else 0.0


def crossing():
    """The crossing in words: width and training size, each with its interval."""
    if found.star is None:
        return "none within the widths of our data"
    place, ends = found.star, found.star_intervals()
    return (
        f"d_model {place[0]:.1f}{bracket(*ends[0], '{:.1f}')}, "
        f"{place[1]:,.0f} training points{bracket(*ends[1], '{:,.0f}')}"
    )


lines = []
if found.critical:
    lines.append(
        f"Fitted: $D_{{\\mathrm{{crit}}}}$ = {found.critical.scale:,.0f} · "
        f"`d_model`$^{{{found.critical.power:.2f}}}$ ordered pairs, from "
        f"{found.critical.low:.0f} to {found.critical.high:.0f}; half the semi-grokking band is "
        f"{found.critical.margin:,.0f} points."
    )
else:
    lines.append("Not enough runs to fit $D_{\\mathrm{crit}}$: fewer than two widths have one.")
if not found.capacity:
    lines.append("Not enough runs for $D_{\\mathrm{mem}}$: fewer than two widths are stored.")
if found.critical and found.capacity:
    lines.append(f"The curves cross at: {crossing()}.")
    if found.star:
        lines.append(
            f"They cross in {share:.0%} of the bootstrap resamples; the intervals are over those."
            if share else "An interval needs three seeds of every width."
        )  # fmt: skip
        # The paper's own reading: both numbers in ordered pairs, mirrored ones counted twice.
        ratio = 113**2 / distinct_pairs(113**2)
        d = np.geomspace(found.capacity.widths[0], found.capacity.widths[-1], 20_000)
        above = found.capacity(d) * ratio >= found.critical(d)
        if above.any() and not above[np.isfinite(above)].all():
            naive = d[above][0]
            lines.append(
                "Read in ordered pairs on both axes, as the paper does (capacity counted on all "
                "pairs with their mirror images, training sets as they are), they would cross at "
                f"d_model {naive:.1f}, {float(found.critical(naive)):,.0f} points"
                + (
                    ", beyond the widths that $D_{\\mathrm{crit}}$ was fitted to."
                    if naive < found.critical.low
                    else "."
                )
            )
Markdown("\n\n".join(lines))

# %% [markdown]
# ### How often do region and run agree?
#
# The regions come from the two fitted curves; the zone of a run from thresholds on its own
# training curve (`lib.analysis.dynamics.zone`):

# %% tags=["hide-input"]
Markdown(zone_rules())

# %% [markdown]
# Regions down, runs across:

# %% tags=["hide-input"]
placed = dots.dropna(subset="region")
counts = boundaries.agreement(dots)
hits = int((placed["region"] == placed["zone"]).sum())
if len(placed):
    text = (
        f"**{hits:,} of {len(placed):,} runs ({hits / len(placed):.0%}) show the zone of their "
        f"region**, by epoch {epochs:,}.\n\n"
        + table(["region", *counts.columns],
                [(region, *(f"**{n}**" if region == name else n for name, n in row.items()))
                 for region, row in counts.iterrows()])
    )  # fmt: skip
    wrong = placed[placed["region"] != placed["zone"]].groupby(["region", "zone"]).size()
    if len(wrong):
        (region, name), count = wrong.idxmax(), wrong.max()
        widths = placed[(placed["region"] == region) & (placed["zone"] == name)]["d_model"]
        text += (
            f"\n\nThe most frequent disagreement: {count} runs in the region of {region} show "
            f"{name} (widths {widths.min()} to {widths.max()})."
        )
else:
    text = "Not enough runs: no run lies in a region that both curves delimit."
Markdown(text)

# %% [markdown]
# These curves were fitted to the very runs that they are compared with. [](verdicts.ipynb) has
# the stricter count, in which each seed is held against boundaries from the other seeds.
# The four cells that the map names are the paper's examples, figure 2;
# [](grokking_grid.ipynb) shows their training curves.
#
# ## Progression, seed by seed (figure 5)
#
# Of progression the paper says that it "is not consistent across all runs": its speed differs
# between seeds, and training accuracy has bumps.

# %% tags=["hide-input"]
base = EXPERIMENTS["figure5"].base.replace(
    d_model=8, train_size=3000, lr=lr, weight_decay=weight_decay, epochs=2 * epochs
)
slow = gather([base.replace(seed=seed) for seed in progression_seeds], train_missing)
export(slow.curves, "figure5")
Markdown(slow.provenance(paper_seeds=EXPERIMENTS["figure5"].seeds))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Training accuracy above and validation accuracy below, against epoch, for d_model 8 with 3,000 points; one colour and dash for each seed."}, "figure": {"caption": "Figure 5 from our runs: d_model 8, 3,000 training points, one line a seed. [Data](data/figure5.csv).", "name": "fig-progression-seeds"}}
figure = curves.seed_curves(
    {"d_model 8, D = 3,000": slow.curves},
    {"train_accuracy": "training accuracy", "val_accuracy": "validation accuracy"},
)
plt.close(figure)
figure

# %% [markdown]
# A bump is a fall of training accuracy by 0.05 or more of which at least half is made good
# later. Runs are looked at some 300 times, so a shorter one is not seen.

# %% tags=["hide-input"]
rows = []
for seed, curve in slow.curves.groupby("seed"):
    epoch = first_epoch(curve["epoch"], curve["val_accuracy"], 0.3)
    rows.append(
        dict(seed=seed, zone=zone(curve), train=curve["train_accuracy"].iloc[-1],
             val=curve["val_accuracy"].iloc[-1], epoch=epoch,
             bumps=boundaries.bumps(curve["train_accuracy"]))
    )  # fmt: skip
Markdown(
    table(
        [
            "seed",
            "zone",
            "training by epoch T",
            "validation by epoch T",
            "validation 0.3 at epoch",
            "bumps in training accuracy",
        ],
        [
            (
                r["seed"],
                r["zone"],
                f"{r['train']:.3f}",
                f"{r['val']:.3f}",
                f"{r['epoch']:,.0f}" if np.isfinite(r["epoch"]) else "never",
                r["bumps"],
            )
            for r in rows
        ],
        left=(0, 1),
    )  # fmt: skip
)

# %% [markdown]
# ## Against the paper's sentences

# %% tags=["hide-input"]
enough = len(rows) >= 5
used = found.critical_points[found.critical_points["used"]]
firm = len(used) >= 3 and bool((used["seeds"] >= 3).all())
values = [r["val"] for r in rows]
seen = {
    z: int((dots["zone"] == z).sum())
    for z in ("progression", "ungrokking", "semi-grokking", "grokking")
}
grid_3 = grids.runs[grids.runs["key"].isin({spec.key for spec in specs("figure3", seeds)})]
whole = [
    seed for seed, own in grid_3.groupby("seed") if len(own) == len(EXPERIMENTS["figure3"].points())
]
falls = criteria.critical_falls(grid_3[grid_3["seed"].isin(whole)]) if len(whole) >= 5 else None
crossing_known = firm and found.capacity is not None
Markdown(
    check_table(
        [
            (
                "critical size falls with model size",
                falls.text + bracket(falls.low, falls.high, "{:,.0f}")
                if falls
                else "not enough runs",
                falls and falls.holds,
            ),
            (
                "the two curves cross",
                crossing() if crossing_known else "not enough runs",
                bool(found.star) if crossing_known else None,
            ),
            (
                "four kinds of dynamics",
                ", ".join(f"{z}: {n}" for z, n in seen.items()) + " runs",
                all(seen.values()) if firm else None,
            ),
            (
                "progression is not consistent across runs",
                f"final validation accuracy from {min(values):.2f} to {max(values):.2f}, {len(rows)} seeds"
                if rows
                else "no run",
                bool(max(values) - min(values) >= 0.2) if enough else None,
            ),
            (
                "bumps in training accuracy",
                f"in {sum(r['bumps'] > 0 for r in rows)} of {len(rows)} runs" if rows else "no run",
                any(r["bumps"] for r in rows) if enough else None,
            ),
        ]
    )  # fmt: skip
)

# %% [markdown]
# ## The zones form
#
# The same cells while training goes on. Move the epoch, or press Play; choose a cell with the
# pointer, or with the arrow keys once the map has the focus. The numbers are means over seeds
# and were all stored on the way: nothing is trained here. A critical size is drawn only where
# it is no bound, so early epochs have none.

# %% tags=["hide-input"]
sizes, widths = (sorted(grids.runs[name].unique()) for name in ("train_size", "d_model"))
cells = accuracy.accuracy_grid(grids.runs, widths, sizes) if len(grids.runs) else None
phase_diagram(grids, random, fallback=cells)

# %% [markdown]
# ## From the curves to double descent
#
# The paper derives double descent from the two curves in words. As a formula, which is ours:
#
# $$ \text{accuracy} = a\,\bigl(s + (1 - s)\,g\bigr), \quad a = 1 - e^{-D_\text{mem}/r}, \quad
#    s = \sigma\!\left(\tfrac{1}{f} \ln \tfrac{n(D)}{D_\text{mem}}\right), \quad
#    g = \sigma\!\left(\tfrac{D - c\,D_\text{crit}}{w}\right) $$
#
# In words: there must be room for the rule ($a$); a network that cannot memorize its $n(D)$
# unordered pairs is forced to generalize ($s$); one that can, generalizes when the data are
# enough ($g$). $\sigma$ is the logistic function, $c$ the difficulty: 1 for addition; a harder
# task raises it (takeaway 6). $D_\text{crit}$ and the three numbers $r$, $f$, $w$ are fitted to
# every other cell of the grid, as on a chequerboard; the other cells test it.

# %% tags=["hide-input"]
fitted = fit(grids.runs, random.runs)
if fitted is None:
    text = "*Not enough runs are stored for a fit.*"
else:
    law, errors = fitted
    text = (
        f"Fitted to {errors.n_fitted} cells: r = {law.rule:.0f} pairs, f = {law.force:.2f}, "
        f"w = {law.step:.0f} training points. Root mean square error of the mean validation "
        f"accuracy: {errors.fitted:.3f} on these cells, **{errors.left_out:.3f} on the "
        f"{errors.n_left_out} cells that were left out**; always saying the fitted cells' mean "
        f"would give {errors.constant:.3f} there."
    )
Markdown(text)

# %% tags=["hide-input"]
framework(fitted and fitted[0], grids.runs, fallback=cells)

# %% [markdown]
# Raise the difficulty at 3,000 points and the dip deepens; raise the training size and it
# closes, if the fitted curves say so. Where the measured dots leave the line, the formula is
# wrong.
#
# ## Rerun it

# %% tags=["hide-input"]
Markdown(cost(grids.runs, random.runs, slow.runs))

# %% [markdown]
# ```bash
# python -m lib run framework_zones -p seeds "[0, 1, 2]" -o out.ipynb
# python -m lib sweep figure4 figure5 --dry-run
# ```
#
# The first shows what is stored of three seeds. The second says what is missing of figures 4
# and 5 and what that costs; `figure3` and `figure6` are the large grids.
#
# Download {download}`this notebook, executed <framework_zones.ipynb>`,
# {download}`its source <../../notebooks/framework_zones.py>`, or its data:
# {download}`the runs with region and zone <data/figure1_runs.csv>`,
# {download}`critical sizes <data/figure1_critical.csv>`,
# {download}`capacities <data/figure1_capacity.csv>`,
# {download}`the curves of figure 5 <data/figure5.csv>`.
