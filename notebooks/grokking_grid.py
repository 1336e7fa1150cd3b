# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The grokking grid
#
# Section 2.2 of {cite:t}`huang2024unified`, figures 2 and 3.
#
# A network with `d_model` = 64 and one with 32 see the same task, $(a + b) \bmod 113$. The
# paper trains both on more and more of the 12,769 pairs and asks when they generalize. Its
# answer is that the wider network needs less data, and that the way there has four forms.
#
# Every curve below is one of our own training runs. The paper states neither learning rate
# nor weight decay nor the number of epochs; [](../method.md) says which values are ours.
# All results are "by epoch T": a plateau may end later.

# %% tags=["remove-cell"]
import sys
from pathlib import Path

from lib.analysis.zones.critical import critical_sizes
from lib.figures.curves import dynamics

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
d_models = [32, 36, 40, 44, 48, 56, 64]  # model sizes
train_sizes = [2000, 2200, 2400, 2600, 2800, 3000, 3200, 3400, 3600, 3800, 4000]  # training points
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # one run each; figure 3's seeds
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import time

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown
from myst_nb import glue

from lib.analysis import statistics
from lib.analysis.dynamics import GENERALIZED, ZERO, zone
from lib.analysis.gather import gather
from lib.analysis.words import bracket, span
from lib.chapters.export import export, export_runs
from lib.chapters.tables import ENOUGH, check_table, cost, enough, holds, say, zone_rules
from lib.figures import accuracy, style
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS
from lib.spec import RunSpec
from lib.train import train
from lib.widgets.explorers import flipbook, run_explorer
from lib.widgets.trainer import trainer

style.use_style()
recipe = dict(epochs=epochs, lr=lr, weight_decay=weight_decay)

# %% [markdown]
# ## The trainer at work
#
# First a run that is trained while this page is built: modulus 31, `d_model` 24, 500 of the
# 961 pairs, on one core.

# %% tags=["hide-input"]
small = RunSpec(modulus=31, train_size=500, d_model=24, epochs=2500)
train(small.replace(epochs=2))  # compile, so that the time below is the training's
began = time.perf_counter()
run = train(small)
seconds = time.perf_counter() - began
export(pd.DataFrame(run.curve), "live")
memorized = int(run.curve["epoch"][(run.curve["train_accuracy"] >= 0.99).argmax()])
glue("live_seconds", seconds, display=False)
glue("live_memorized", memorized, display=False)
glue("live_val", float(run.curve["val_accuracy"][-1]), display=False)
glue("live_zone", zone(run.curve), display=False)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Training and validation accuracy of a small network against epoch, logarithmic. Training accuracy is perfect early; validation accuracy follows much later."}, "figure": {"caption": "A run trained while the page was built (modulus 31, d_model 24, 500 training points, seed 0, 2,500 epochs, otherwise the [recipe](../method.md) of the book). [Data](data/live.csv).", "name": "fig-live"}}
figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.plot(run.curve["epoch"], run.curve["train_accuracy"], color=style.TRAIN, label="training")
axes.plot(run.curve["epoch"], run.curve["val_accuracy"], color=style.VAL, label="validation")
axes.set(xscale="symlog", xlabel="epoch", ylabel="accuracy", ylim=(-0.03, 1.03))
axes.legend(frameon=False)
plt.close(figure)
figure

# %% [markdown]
# It took {glue:text}`live_seconds:.1f` seconds. Training accuracy reaches 0.99 at epoch
# {glue:text}`live_memorized`; validation accuracy ends at {glue:text}`live_val:.2f`. By our
# thresholds this is {glue:text}`live_zone`.
#
# ## Four dynamics (figure 2)
#
# The paper shows one run for each of four kinds of dynamics:
#
# * **progression** (`d_model` 8, 3,000 points): too small to memorize everything; both
#   accuracies rise together;
# * **ungrokking** (32, 2,600): the training set is memorized, validation stays near zero.
#   (In {cite:t}`varma2023explaining` the same word means something else: a network that
#   grokked and loses it when it is trained on with less data.)
# * **grokking** (64, 3,000): memorized first, generalized much later;
# * **semi-grokking** (32, 3,000): memorized first, then a plateau at moderate validation
#   accuracy.

# %% tags=["hide-input"]
base = EXPERIMENTS["figure2"].base.replace(**recipe)
asked = [
    base.replace(d_model=d, train_size=size, seed=seed)
    for d, size in DYNAMICS.values()
    for seed in (0, 1, 2)
]
four = gather(asked, train_missing)
panels, shown = {}, []
for name, (d, size) in DYNAMICS.items():
    cell = (four.curves["d_model"] == d) & (four.curves["train_size"] == size)
    panels[f"{name}: d_model {d}, D = {size:,}"] = four.curves[cell]
    for seed, curve in four.curves[cell].groupby("seed"):
        last = curve.iloc[-1]
        shown.append(
            (name, d, size, seed, zone(curve), last["train_accuracy"], last["val_accuracy"])
        )
figures_data = export(four.curves, "figure2")
Markdown(four.provenance(paper_seeds=1))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Four panels of training and validation accuracy against epoch, logarithmic: d_model 8 with 3,000 points, 32 with 2,600, 64 with 3,000 and 32 with 3,000; seed 0 thick, other seeds thin."}, "figure": {"caption": "Figure 2 from our runs: the paper's four cells. Thick: the lowest seed; thin: the others. [Data](data/figure2.csv).", "name": "fig-dynamics"}}
figure = dynamics(panels)
plt.close(figure)
figure

# %% [markdown]
# What each run did, named by its own curve, next to the paper's name for the cell. The rule
# (`lib.analysis.dynamics.zone`):

# %% tags=["hide-input"]
Markdown(zone_rules())

# %% tags=["hide-input"]
lines = [
    "| the paper's name | d_model | D | seed | our run | training | validation |",
    "|:--|--:|--:|--:|:--|--:|--:|",
]
for name, d, size, seed, ours, training, validation in shown:
    named = ours if ours == name else f"**{ours}**"
    lines.append(
        f"| {name} | {d} | {size:,} | {seed} | {named} | {training:.3f} | {validation:.3f} |"
    )
same = sum(row[0] == row[4] for row in shown)
glue("dynamics_same", same, display=False)
glue("dynamics_runs", len(shown), display=False)
Markdown("\n".join(lines))

# %% [markdown]
# {glue:text}`dynamics_same` of {glue:text}`dynamics_runs` runs carry the paper's name.
# Where they do not, look at the seeds: close to a boundary one seed generalizes and the next
# does not, with the same sizes and the same recipe. Semi-grokking in particular is a name
# for what a run shows by epoch T; {cite:t}`varma2023explaining` expect such plateaus to end.
#
# ## The grid (figure 3)
#
# Seven widths, eleven training sizes. Below: the final validation accuracy of every cell.

# %% tags=["hide-input"]
base = EXPERIMENTS["figure3"].base.replace(**recipe)
asked = [
    base.replace(d_model=d, train_size=size, seed=seed)
    for seed in seeds
    for d in d_models
    for size in train_sizes
]
grid = gather(asked, train_missing)
runs = grid.runs
export_runs(runs, "figure3")
glue("grid_stopped", int((runs["status"] == "stopped").sum()), display=False)
glue("grid_runs", len(runs), display=False)
Markdown(grid.provenance(paper_seeds=EXPERIMENTS["figure3"].seeds))

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy against the number of training points, one line for each width from 32 to 64, with a dot for each run."}, "figure": {"caption": "Figure 3 from our runs: final validation accuracy against training size, by epoch T. Lines: mean over the seeds that are stored; dots: single runs. [Data](data/figure3.csv).", "name": "fig-grid-lines"}}
figure = accuracy.accuracy_by_train_size(runs, d_models)
plt.close(figure)
figure

# %% tags=["hide-input"] mystnb={"image": {"alt": "A table of cells, widths up and training sizes across, coloured and labelled by mean final validation accuracy and by the number of runs. Hatched cells have no run."}, "figure": {"caption": "The same runs by cell: mean final validation accuracy, and below it the number of runs. Hatched: no run stored. [Data](data/figure3.csv).", "name": "fig-grid-cells"}}
figure = accuracy.accuracy_grid(runs, d_models, train_sizes)
plt.close(figure)
figure

# %% [markdown]
# {glue:text}`grid_stopped` of the {glue:text}`grid_runs` runs ended before epoch T because
# validation accuracy had stayed at 0.999 or more for 1,000 epochs; their last value counts as
# final.

# %% tags=["hide-input"]
checked = gather(EXPERIMENTS["stop_rule"], train_missing).runs
left = int((checked["val_accuracy"] < 0.99).sum())
Markdown(
    f"Is that safe? {len(checked)} of the stopped runs of seed 0 were trained on to epoch "
    f"{checked['epoch'].max():,}: {left} of them end below 0.99; the lowest ends at "
    f"{checked['val_accuracy'].min():.4f}."
    if len(checked)
    else "Whether that is safe is not known yet: none of these runs was trained on to epoch T."
)

# %% [markdown]
#
# ### Against the paper's sentences

# %% tags=["hide-input"]


cells = statistics.cell_means(runs)


def smallest(d):
    """The smallest D of the grid from which on every mean of this width is at 0.95 or above."""
    good = None
    for size in sorted(train_sizes, reverse=True):
        if not enough(cells, [(d, size)]) or cells.loc[(d, size), "mean"] < GENERALIZED:
            break
        good = size
    return good


def begins(d):
    """The smallest D of the grid at which the mean of this width is off zero."""
    own = cells.xs(d, level="d_model")["mean"]
    return own.index[own >= ZERO].min()


every = [(d, size) for d in d_models for size in train_sizes]
full = enough(cells, every)
reach = {d: smallest(d) for d in d_models}
reached = [reach[d] or float("inf") for d in sorted(d_models)]
spans = {d: reach[d] - begins(d) for d in d_models if reach[d]} if full else {}
moderate = [(64, size) for size in train_sizes if 2000 <= size < 3000]
critical = critical_sizes(runs[runs["d_model"] == 64])
critical = critical.iloc[0] if len(critical) and critical["seeds"].iloc[0] >= ENOUGH else None
rows = [
    ("d = 64 is near-perfect with just 3,000 points", say(cells, [(64, 3000)]),
     holds(cells, [(64, 3000)], lambda v: v >= GENERALIZED)),
    ("d = 32 needs 4,000", "the mean is at least 0.95 from "
     + (f"{reach[32]:,} on" if reach.get(32) else "no size on") if 32 in reach else "no run",
     reach[32] in (3800, 4000) if 32 in reach and full else None),
    ("d = 64 is semi-grokking from 2,000 to 3,000", say(cells, moderate),
     holds(cells, moderate, lambda v: ZERO <= v < GENERALIZED)),
    ("D_crit of d = 64 is about 3,000",
     "not enough runs" if critical is None
     else f"{critical.bound}{critical.estimate:,.0f}{bracket(critical.low, critical.high, '{:,.0f}')}",
     None if critical is None else bool(abs(critical.estimate - 3000) <= 300)),
    ("the semi-grokking interval spans about 1,000 points for all models",
     "from a mean of 0.1 to means of 0.95: "
     + (", ".join(f"{d}: {span:,}" for d, span in spans.items()) or "not enough runs"),
     len(spans) == len(d_models) and all(600 <= span <= 1400 for span in spans.values())
     if full else None),
    ("wider networks need less data", "smallest D from which on the mean is at least 0.95: "
     + ", ".join(f"{d}: {reach[d]:,}" if reach[d] else f"{d}: not reached" for d in d_models),
     bool(reached[-1] < reached[0] and all(a >= b for a, b in zip(reached, reached[1:])))
     if full else None),
]  # fmt: skip
Markdown(check_table(rows))

# %% [markdown]
# A row needs three seeds in every cell that it speaks of; [](verdicts.ipynb) asks for more.
# The last row is strict: it asks that no wider network needs more than a narrower one. Next
# to a boundary a mean over a few seeds jumps by a whole run, so with few seeds a single run
# can break the order.
#
# ## Why data, and why less for a wider network
#
# Two ways lead to a perfect training set. Memorizing costs parameter norm for every point, so
# it grows dearer with D. The rule costs the same whatever D is. Weight decay charges for norm;
# once memorizing is the dearer way, the network is better off with the rule, and D_crit is
# where the two cost the same ({cite:t}`varma2023explaining`). {cite:t}`huang2024unified` add
# the size of the model, and find that D_crit falls with it. Both prices are measured in
# [](circuit_efficiency.ipynb). Near D_crit the two ways are almost equally good, little pulls
# a network from one to the other, and the seed decides whether it gets there by epoch T.
#
# ## Every run
#
# Pick a width, a training size and a seed: the run's own curves, and the name that its curve
# earns. All runs of figures 2 and 3 that are stored are in this page, with every second
# evaluation; it needs neither a kernel nor a network. A run that is not stored says so.

# %% tags=["hide-input"]
fallback = dynamics({title: curves[curves["seed"] == 0] for title, curves in panels.items()})
run_explorer(grid, four, fallback=fallback)

# %% [markdown]
# ## One width after the other
#
# Move the slider, or use the arrow keys on it: the training curves with 3,000 points, width
# by width. It works in this page without a kernel; the pictures are in the page.

# %% tags=["hide-input"]


def page(d):
    """The training curves of one width at D = 3,000, and what they are in words."""
    curves = grid.curves[(grid.curves["d_model"] == d) & (grid.curves["train_size"] == 3000)]
    figure = dynamics({f"d_model {d}, D = 3,000": curves})
    figure.set_size_inches(7, 3.2)
    ends = curves.sort_values("epoch").groupby("seed")["val_accuracy"].last()
    seen = f"validation ends at {span(ends)}" if len(ends) else "no run"
    return figure, f"Accuracies against epoch at d_model {d} with 3,000 points; {seen}."


flipbook({str(d): page(d) for d in d_models}, "d_model")

# %% [markdown]
# ## Train it yourself
#
# Opened in Jupyter, the sliders below choose a setting and the button trains it, on one core
# of your machine; the curves are drawn while it trains. This page has no kernel, so here
# the cell shows a run that was recorded.

# %% tags=["hide-input"]
trainer(base.replace(d_model=64, train_size=3000, stop_after=None))

# %% [markdown]
# ## Rerun it

# %% tags=["hide-input"]
Markdown(cost(runs, four.runs, checked))

# %% [markdown]
# ```bash
# python -m lib run grokking_grid -p d_models "[32, 64]" -p seeds "[0]"
# python -m lib run grokking_grid -p weight_decay 2.0 -p seeds "[0]" -p train_missing true
# ```
#
# The first takes seconds: everything is stored. The second trains 89 runs; it prints an
# estimate for your machine before it starts and can be interrupted without loss.
#
# Download {download}`this notebook, executed <grokking_grid.ipynb>`,
# {download}`its source <../../notebooks/grokking_grid.py>`, or its data:
# {download}`the curves of figure 2 <data/figure2.csv>`,
# {download}`the runs of figure 3 <data/figure3.csv>`.
