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

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page, show
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # of the grids of figures 3 and 6
capacity_seeds = [0, 1, 2]  # of the random labels, figure 4
progression_seeds = [0, 1, 2, 3, 4]  # of figure 5
epochs = 20000  # full-batch steps; figure 5 has twice as many
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
import pandas as pd
from IPython.display import Markdown

from lib.analysis.dynamics import zone
from lib.analysis.zones import boundaries
from lib.analysis.zones.prediction import fit
from lib.chapters.export import CAPACITY, CRITICAL
from lib.chapters.stories import framework as story
from lib.figures import accuracy, curves, zones
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS
from lib.widgets.explorers import framework, phase_diagram

page = Page("framework_zones", train_missing, epochs=epochs, lr=lr, weight_decay=weight_decay)
page.opening("takeaway 3")

# %% [markdown]
# The paper's framework is one picture. Against the size of the network it draws two curves: the
# number of facts that the network can memorize, $D_{\mathrm{mem}}$, which rises, and the number of
# training points that it needs to generalize, $D_{\mathrm{crit}}$, which falls. They cross. With
# more data than $D_{\mathrm{mem}}$ training is *progression*. With less, it is *ungrokking* below
# $D_{\mathrm{crit}}$, *semi-grokking* around it and *grokking* above it.
#
# In the paper the picture is a sketch. Here it is computed: both curves from our runs, the crossing
# with an interval, and every cell as a pie of the zones that the training curves of its seeds show.
# Region and run need not agree. How often they do is counted below; the test asks each boundary by
# itself.
#
# ## Figure 1, computed

# %% tags=["hide-input"]
grids = page.gather(page.cells("figure3", "figure6", seeds=seeds)).whole()
random = page.gather(page.cells("figure4", seeds=capacity_seeds))
found = boundaries.measure(grids.runs, random.runs)
shown = {key: zone(curve) for key, curve in grids.curves.groupby("key")}
dots = grids.runs[
    ["task", "modulus", "d_model", "train_size", "seed", "train_accuracy", "val_accuracy", "key"]
]
regions = [found.zone(d, size) for d, size in zip(dots["d_model"], dots["train_size"])]
dots = dots.assign(
    zone=[shown[key] for key in dots["key"]], region=pd.Series(regions, dtype=object)
)
page.export(dots, "figure1_runs", "the runs with region and zone")
critical = found.critical_points.copy()
critical[["low", "high"]] = critical[["low", "high"]].where(critical["bound"] == "")
page.export(critical.rename(columns=CRITICAL), "figure1_critical", "critical sizes")
page.export(found.capacity_points.rename(columns=CAPACITY), "figure1_capacity", "capacities")

# %% tags=["hide-input"] mystnb={"image": {"alt": "A map over model size and data. A rising curve of memorization capacity and a falling curve of the critical data size, with points and intervals; shaded zones between them; a star where they cross, if they do; every cell a pie coloured by the zones its seeds show. Most cells show the zone that the curves put them in."}, "figure": {"caption": "The paper's sketch, computed from our runs, by epoch T. Solid: memorization capacity; dashed: critical size, dotted where it is drawn beyond the widths it was fitted to; arrows: bounds. Shaded: the zones between the curves. Pies: cells, by the share of their seeds in each zone. Left axis: unordered pairs; right axis: training points that hold so many. Data: [runs](data/figure1_runs.csv), [critical sizes](data/figure1_critical.csv), [capacities](data/figure1_capacity.csv).", "name": "fig-zones"}}
zones.zone_map(found, dots, DYNAMICS)

# %% tags=["hide-input"]
labels = "The grids of figures 3 and 6 (the paper: 11 seeds)", "Random labels (the paper: 3 seeds)"
page.beside(1, dict(zip(labels, (grids, random))))

# %% [markdown]
# How it is made, so that it can be judged:
#
# * **Capacity** is accuracy on random labels times the number of unordered pairs
#   ([](memorization_capacity.ipynb)); the curve runs through the means, made non-decreasing,
#   by monotone cubic interpolation (PCHIP) in the logarithm of the width.
# * **Critical size** of a width is the mean training size from which its seeds reach a
#   validation accuracy of 0.95 (Spearman–Kärber estimate on the share of seeds, made
#   non-decreasing in $D$); the interval is Student's, of the seeds' own. It does not know the
#   step of the grid: between two sizes the estimate takes the middle, so it can be off by 100
#   points in the rows of figure 3 and by 500 between 3,000 and 4,000 in those of figure 6 alone.
#   The curve is a power law, fitted by least squares in logarithms.
# * The interval of the **crossing** joins a bootstrap over whole seeds with draws of the capacities
#   from Student's distribution, as these have three seeds. Of few seeds a bootstrap is somewhat too
#   sure.
# * A critical size is only a **bound** where half of the seeds or more generalize with the smallest
#   training set of its row, or half or fewer with the largest. Bounds are not fitted. Neither are
#   widths whose capacity lies below the smallest of their training sets: by the curve all their
#   cells are progression, though some runs there learn their set by heart.
# * The **semi-grokking** band is as wide as the step from a tenth to nine tenths of the seeds,
#   averaged over the fitted widths. (The verdict "semi-grokking interval" goes to 95% of them, and is
#   the narrower all the same: it takes the deviation of the seeds' own $D_{\mathrm{crit}}$, which
#   lies in the middle where a seed goes up and down with more data.)

# %% [markdown]
# Width by width, with 95% intervals:

# %% tags=["hide-input"]
header = ["d_model", "D_crit, ordered", "D_crit, unordered", "seeds", "fitted", "D_mem, unordered"]
show(header, story.width_rows(found))

# %% [markdown]
# ### The intersection

# %% tags=["hide-input"]
Markdown("\n\n".join(story.intersection(found)))

# %% [markdown]
# ### How often do region and run agree?
#
# The regions come from the two fitted curves; the zone of a run from thresholds on its own
# training curve ([](grokking_grid.ipynb) has them). Regions down, runs across:

# %% tags=["hide-input"]
Markdown(story.agreement(dots, epochs))

# %% [markdown]
# These curves were fitted to the very runs that they are compared with, and near D_crit one run says
# little: there semi-grokking is a band in which some seeds generalize and some do not.
# [](verdicts.ipynb) judges each boundary by itself, D_crit by the curve without the cell in question.
# How many of its cells two straight lines would tell, chosen on them, stands there, too: that the
# curves rise and fall is not what this test shows but what takeaways 1 and 2 say.
# How wide the band is comes from the same runs, so what happens in it is told and not judged. In the
# paper semi-grokking is a zone of single runs, too; ours hardly ever stop
# half-way, and most of the runs that disagree with their region lie in this band.
# The four cells that the map names are the paper's examples, figure 2;
# [](grokking_grid.ipynb) shows their training curves.
#
# ## Progression, seed by seed (figure 5)
#
# Of progression the paper says that it "is not consistent across all runs": its speed differs
# between seeds, and training accuracy has bumps.

# %% tags=["hide-input"]
slow = page.runs("figure5", d_model=8, train_size=3000, epochs=2 * epochs, seed=progression_seeds)
page.export(slow.curves, "figure5", "the curves of figure 5")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Training accuracy above and validation accuracy below, against epoch, for d_model 8 with 3,000 points; one colour and dash for each seed. Seeds end far apart, in training between a tenth and eight tenths, in validation between nothing and two thirds."}, "figure": {"caption": "d_model 8, 3,000 training points, one line a seed. [Data](data/figure5.csv).", "name": "fig-progression-seeds"}}
curves.seed_curves(
    {"d_model 8, D = 3,000": slow.curves},
    {"train_accuracy": "training accuracy", "val_accuracy": "validation accuracy"},
)

# %% tags=["hide-input"]
page.beside(5, slow, paper_seeds=EXPERIMENTS["figure5"].seeds)

# %% [markdown]
# A bump is a fall of training accuracy by 0.05 or more of which at least half is made good
# later. Runs are looked at some 300 times, so a shorter one is not seen. "First a part is memorized"
# (§2.2) is the third column: how much training comes right before validation does.

# %% tags=["hide-input"]
rows = [story.progression_row(seed, curve) for seed, curve in slow.curves.groupby("seed")]
header = ["seed", "zone", f"training, while validation is below {story.BEGUN}", "training by epoch T",
          "validation by epoch T", "validation 0.3 at epoch", "bumps in training accuracy"]  # fmt: skip
show(
    header, rows, left=(0, 1), after=f"Bumps in {sum(r[-1] > 0 for r in rows)} of {len(rows)} runs."
)

# %% [markdown]
# ## Against the paper's sentences
#
# "Progression varies" asks only where runs end; speed and bumps, of which the paper speaks, too,
# are not judged.

# %% tags=["hide-input"]
page.verdicts("takeaway 1", "takeaway 3", "progression varies")

# %% tags=["hide-input"]
counts = dots["zone"].value_counts()
kinds = ("progression", "ungrokking", "semi-grokking", "grokking")
Markdown(
    "Runs by the zone of their own curve: " + ", ".join(f"{z}: {counts.get(z, 0)}" for z in kinds)
)

# %% [markdown]
# ## The zones form
#
# The same cells while training goes on. Move the epoch, or press Play; tap a cell, or choose it with a
# mouse, or with the arrow keys once the map has the focus. The numbers are means over seeds and
# were all stored on the way: nothing is trained here. A critical size is drawn only where it is no
# bound, so early epochs have none.

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
# In words: there must be room for the rule ($a$; it takes about as much as $r$ pairs); a network that
# cannot memorize its $n(D)$ unordered pairs is forced to generalize ($s$); one that can,
# generalizes when the data are enough ($g$). Two numbers say how gradual the transitions
# are: $f$, in the logarithm of data over capacity, and $w$, in training points. $\sigma$ is the logistic function,
# $c$ the difficulty: 1 for addition; a harder task raises it (takeaway 6). $D_\text{crit}$ and the
# three numbers $r$, $f$, $w$ are fitted to every other cell of the grid, as on a chequerboard; the
# other cells test it.

# %% tags=["hide-input"]
fitted = fit(grids.runs, random.runs)
Markdown(story.fit_words(fitted))

# %% tags=["hide-input"]
framework(fitted and fitted[0], grids.runs, fallback=cells)

# %% [markdown]
# Raise the difficulty at 3,000 points, or the training size, and see what the fitted curves make
# of the dip. Where the measured dots leave the line, the formula is wrong.
#
# ## Rerun it

# %% [markdown]
# ```bash
# python -m lib run framework_zones -p seeds "[0, 1, 2]" -o out.ipynb
# python -m lib sweep figure4 figure5 --dry-run
# ```
#
# The first shows what is stored of three seeds. The second says what is missing of figures 4
# and 5 and what that costs; `figure3` and `figure6` are the large grids.

# %% tags=["hide-input"]
page.end()
