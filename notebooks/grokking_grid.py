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

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page, show
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
d_models = [32, 36, 40, 44, 48, 56, 64]  # model sizes
train_sizes = [2000, 2200, 2400, 2600, 2800, 3000, 3200, 3400, 3600, 3800, 4000]  # training points
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # one run each; figure 3's seeds
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
import time

import pandas as pd
from IPython.display import Markdown
from myst_nb import glue

from lib.analysis import statistics
from lib.analysis.dynamics import GENERALIZED, waits, zone
from lib.analysis.gather import gather
from lib.chapters.stories.descent import mirrors
from lib.chapters.stories.dynamics import four_cells
from lib.chapters.stories.dynamics import waiting as told
from lib.chapters.tables import zone_rules
from lib.figures import accuracy, curves
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import DYNAMICS
from lib.spec import RunSpec
from lib.train import train
from lib.widgets.explorers import run_explorer
from lib.widgets.presets import PRESETS
from lib.widgets.trainer import Trainer

page = Page("grokking_grid", train_missing, epochs=epochs, lr=lr, weight_decay=weight_decay)

page.opening("takeaway 1")

# %% [markdown]
# A network with `d_model` = 64 and one with 32 see the same task, (*a* + *b*) modulo 113. The
# paper trains both on more and more of the 12,769 pairs and asks when they generalize. Its
# answer is that the wider network needs less data, and that the way there has four forms.
#
# Every curve below is one of our own training runs. The paper states neither learning rate
# nor weight decay nor the number of epochs; [](../method.md) says which values are ours.
# All results are "by epoch T": a plateau may end later.
#
# ## Watch one grok
#
# Press Train: this network learns in the page, on the trainer that made nearly all runs here.
# [](../lab.md) has more of it.
#
# <div class="grokking-lab" data-short><noscript>With JavaScript a network would train here.</noscript></div>
#
# ## Four dynamics (figure 2)
#
# The paper shows one run for each of four kinds of dynamics:
#
# * **progression** (`d_model` 8, 3,000 points): too small to memorize everything; first a part is
#   memorized, then both accuracies rise;
# * **ungrokking** (32, 2,600): the training set is memorized, validation stays near zero.
#   (In {cite:t}`varma2023explaining` the same word means something else: a network that
#   grokked and loses it when training goes on with less data.)
# * **grokking** (64, 3,000): memorized first, generalized much later;
# * **semi-grokking** (32, 3,000): memorized first, then a plateau at moderate validation
#   accuracy.

# %% tags=["hide-input"]
cells = [dict(d_model=d, train_size=size) for d, size in DYNAMICS.values()]
four = page.gather([s for cell in cells for s in page.specs("figure2", seed=[0, 1, 2], **cell)])
page.export(four.curves, "figure2", "the curves of figure 2")
by_cell = dict(list(four.curves.groupby(["d_model", "train_size"])))
own = {name: by_cell.get(cell, four.curves.iloc[:0]) for name, cell in DYNAMICS.items()}
panels = {f"{n}: d_model {d}, D = {size:,}": own[n] for n, (d, size) in DYNAMICS.items()}
# %% tags=["hide-input"] mystnb={"image": {"alt": "Four panels of training and validation accuracy against epoch, logarithmic: d_model 8 with 3,000 points, 32 with 2,600, 64 with 3,000 and 32 with 3,000; seed 0 thick, other seeds thin. In the first some seeds find a part of the rule while they learn, in the second none does, in the third all find it long after they know their training set, in the fourth none does, and one ends just above 0.1."}, "figure": {"caption": "The paper's four cells, by epoch T. Thick: seed 0; thin: the others. [Data](data/figure2.csv).", "name": "fig-dynamics"}}
curves.dynamics(panels)

# %% tags=["hide-input"]
page.beside(2, four, paper_seeds=1)

# %% [markdown]
# What each run did, named by its own curve, next to the paper's name for the cell. The rule
# (`lib.analysis.dynamics.zone`):

# %% tags=["hide-input"]
Markdown(zone_rules())

# %% tags=["hide-input"]
rows = []
for name, (d, size) in DYNAMICS.items():
    for seed, curve in own[name].groupby("seed"):
        last, ours = curve.iloc[-1], zone(curve)
        rows.append((name, d, f"{size:,}", seed, ours if ours == name else f"**{ours}**",
                     f"{last['train_accuracy']:.3f}", f"{last['val_accuracy']:.3f}"))  # fmt: skip
glue("dynamics_same", sum(row[0] == row[4] for row in rows), display=False)
glue("dynamics_runs", len(rows), display=False)
header = ["the paper's name", "d_model", "D", "seed", "our run", "training", "validation"]
show(header, rows, left=(0, 4))

# %% [markdown]
# {glue:text}`dynamics_same` of {glue:text}`dynamics_runs` runs carry the paper's name. Where they
# do not, look at the seeds: close to a boundary one seed generalizes and the next does not, with
# the same sizes and the same recipe. Semi-grokking in particular is a name for what a run shows by
# epoch T: a run that is half-way then, or without the rule, may find it later
# ([](circuit_efficiency.ipynb), P4). A validation accuracy of
# 0.1 is not much, either: mirror images of training pairs, a share of about $D/P^2$ of the held-out
# pairs, come right in a network that has only learned to treat $a$ and $b$ alike;
# [](double_descent.ipynb) counts them apart.

# %% tags=["hide-input"]
Markdown(four_cells.symmetric_words(four.runs, four.curves))

# %% [markdown]
# Is it the recipe? The table has every recipe that was tried in these cells, each run judged at its
# own last epoch; [](recipe.ipynb) has the search that they come from.

# %% tags=["hide-input"]
tried = gather(four_cells.in_four_cells(), store=page.store)
Markdown(four_cells.recipes_table(four_cells.by_recipe(tried.runs, tried.curves)))

# %% [markdown]
# ## The grid (figure 3)
#
# Seven widths, eleven training sizes. Below: the final validation accuracy of every cell.

# %% tags=["hide-input"]
grid = page.runs("figure3", d_model=d_models, train_size=train_sizes, seed=seeds)
runs = grid.runs
page.export_runs(runs, "figure3", "the runs of figure 3")
glue("grid_stopped", int((runs["status"] == "stopped").sum()), display=False)
glue("grid_runs", len(runs), display=False)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Final validation accuracy against the number of training points, one line for each width from 32 to 64: wider networks rise to 1 with fewer points."}, "figure": {"caption": "Final validation accuracy against training size, mean over seeds, by epoch T. Rings: where the paper puts d = 64 and d = 32. [Data](data/figure3.csv).", "name": "fig-grid-lines"}}
accuracy.accuracy_by_train_size(runs, d_models)

# %% tags=["hide-input"]
page.beside(3, grid, paper_seeds=EXPERIMENTS["figure3"].seeds)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A table of cells, widths up and training sizes across, coloured by the share of seeds that generalize: a diagonal border between none and all, further left for wider networks."}, "figure": {"caption": "The same runs by cell: how many seeds end at a validation accuracy of 0.95 or above, and below it the mean. Near the border single runs are mostly all or nothing. [Data](data/figure3.csv).", "name": "fig-grid-cells"}}
accuracy.accuracy_grid(runs, d_models, train_sizes)

# %% [markdown]
# {glue:text}`grid_stopped` of the {glue:text}`grid_runs` runs ended before epoch T because
# validation accuracy had stayed at 0.999 or more for 1,000 epochs; their last value counts as
# final.

# %% tags=["hide-input"]
checked = page.gather(EXPERIMENTS["stop_rule"]).runs
left = int((checked["val_accuracy"] < 0.99).sum())
Markdown(
    f"Is that safe? {len(checked)} of the stopped runs of seed 0 were trained on to epoch "
    f"{checked['epoch'].max():,}: {left or 'none'} of them end{'s' * (left == 1)} below 0.99; the lowest ends at "
    f"{checked['val_accuracy'].min():.4f}."
    if len(checked)
    else "Whether that is safe is not known yet: none of these runs was trained on to epoch T."
)

# %% [markdown]
#
# ### Against the paper's sentences

# %% tags=["hide-input"]
page.verdicts("takeaway 1", "(64, 3000)", "d = 32", "(64, 2000–2800)", "D_crit(64)",
              "semi-grokking interval")  # fmt: skip

# %% [markdown]
# A sentence that fails here fails with this recipe and by epoch T. What the paper's networks do with
# the paper's recipe, which is not known, it does not tell.
#
# Takeaway 1 is tested across all widths and seeds. Read off the table of cells above, width by
# width, the smallest number of points from which every mean is at 0.95 or above is:

# %% tags=["hide-input"]
means = statistics.cell_means(runs)["mean"]
reached = {d: statistics.steady(own.droplevel("d_model"), GENERALIZED)
           for d, own in means.groupby(level="d_model")}  # fmt: skip
Markdown(
    ("; ".join(f"width {d}: {size:,.0f}" for d, size in reached.items() if size == size)
     or "none yet") + f".\n\n{four_cells.all_grok_words(runs, grid.curves)}"
)  # fmt: skip

# %% [markdown]
# The trend does not need this list to fall at every step: near a boundary one run more or less that
# generalizes moves a mean across 0.95, so a single run can break the order.
#
# ## Half-way, or only symmetric?
#
# A plateau between zero and one looks like a rule half found. There is a plainer way to it: who has
# learned that $a$ and $b$ can be swapped answers the mirror image of every training pair by heart.
# Of the held-out pairs these are a share of about $D/P^2$, 16% with 2,000 points and 31% with 4,000.
# So the networks at the plateau were asked both kinds of pairs. What they say of the others may
# depend on $a + b$ without being right yet, so that was measured, too: how much of their logits the
# sum explains, and what its waves alone would get right ([](circuit_efficiency.ipynb) has both).
# This page once read accuracy alone, and concluded that such networks had no rule.

# %% tags=["hide-input"]
ends = mirrors.at_their_ends(grid.specs)
stuck, near = mirrors.half_way(runs, ends), mirrors.near_zero(runs, ends)
page.export(stuck, "half_way", "the runs that end half-way, on both kinds of pairs", mirrors.COLUMNS)
Markdown(mirrors.half_way_words(stuck, near))

# %% [markdown]
# By `python -m lib circuits figure3 --half-way --checkpoints 1`, which trains these runs again, to
# the same bits; their data: [half_way.csv](data/half_way.csv). [](double_descent.ipynb) asks the
# same of all widths.
#
# ## How long it takes
#
# "By epoch T" hides the wait. Each line below is a training size, all widths and seeds together:
# the share of networks that do not have the rule yet (validation accuracy below 0.95) as training
# goes on. The unit is the decay time, 1 / (learning rate × weight decay): in so many epochs weights
# that no gradient holds up shrink to about a third. Without weight decay there is no such unit, and
# nothing is shown.

# %% tags=["hide-input"]
waited = waits(runs, grid.curves)
page.export(waited, "waiting", "how long each took",
            ["d_model", "train_size", "seed", "epoch", "waited", "came", "key"])  # fmt: skip
Markdown(told.words(waited))

# %% tags=["hide-input"] mystnb={"image": {"alt": "The share of networks that have not generalized yet against training, logarithmic, a falling staircase for each training size, the later the fewer points: with 4,000 points half have the rule after some five decay times, with 3,200 after some 35, with 2,600 hardly any by the end."}, "figure": {"caption": "The share of networks without the rule against training (survival curves after Kaplan and Meier): all widths and seeds of the grid above together, in its recipe, by epoch T. [Data](data/waiting.csv).", "name": "fig-waiting"}}
by_size = {size: statistics.survival(own) for size, own in waited.groupby("train_size")}
curves.waiting(by_size, lr * weight_decay)

# %% tags=["hide-input"]
Markdown(f"{told.rows(waited)}\n\n{grid.provenance(EXPERIMENTS['figure3'].seeds)}")

# %% [markdown]
# In decay times. ">": fewer than half have it when training ends. The last column is the least and
# the greatest of the seeds' medians over widths.

# %% tags=["hide-input"]
longer = page.gather(EXPERIMENTS["circuits_semi"], train=False)
Markdown(told.longer_words(waits(longer.runs, longer.curves)))

# %% [markdown]
# ## Why it takes data
#
# Two ways lead to a perfect training set. Memorizing costs parameter norm for every point, so it
# gets more expensive with D. The rule costs the same whatever D is, in the theory. Weight decay
# charges for norm; once memorizing is the more expensive way, the network is better off with the
# rule, and in the theory D_crit is where the two cost the same ({cite:t}`varma2023explaining`).
# {cite:t}`huang2024unified` add the size of the model, and find that D_crit falls with it.
#
# Our D_crit is not that place. As [](circuit_efficiency.ipynb) estimates at one width, the two
# prices meet at far less data, and a rule once found is kept on far less, too. By epoch T, D_crit
# is where the wait for the cheaper way has become as long as the training; there the seed decides
# who comes in time. Why it falls with width, these measurements do not tell.
#
# ## Every run
#
# Pick a width, a training size and a seed: the run's own curves, and the name that its curve earns.
# All runs of figures 2 and 3 that are stored are in this page, with every fourth evaluation; it
# needs neither a Jupyter kernel nor an internet connection. A run that is not stored says so.

# %% tags=["hide-input"]
first = {title: own[own["seed"] == 0] for title, own in panels.items()}
run_explorer(grid, four, fallback=curves.dynamics(first))

# %% [markdown]
# ## Train wider networks
#
# Opened in Jupyter, the cell below is the lab of the top of this page once more, with your
# own machine instead of the browser behind it: up to `d_model` 256, at the full speed of the
# trainer, and a finished run can be kept in the store.

# %% tags=["hide-input", "remove-output"]
Trainer(EXPERIMENTS["figure2"].base.replace(**page.recipe, d_model=64, train_size=3000))

# %% [markdown]
# ## The trainer at work
#
# The run of the lab's first button, for readers without JavaScript, trained on one core while this
# page was built: modulus 31, `d_model` 24, 400 of the 961 pairs.

# %% tags=["hide-input"]
small = RunSpec(**PRESETS[0]["setting"])
train(small.replace(epochs=2))  # compile, so that the time below is the training's
began = time.perf_counter()
run = train(small)
glue("live_seconds", time.perf_counter() - began, display=False)
live = pd.DataFrame(run.curve)
page.export(live, "live", "the run trained here")
memorized = live["epoch"][(live["train_accuracy"] >= 0.99).idxmax()]
glue("live_memorized", int(memorized), display=False)
glue("live_val", float(live["val_accuracy"].iloc[-1]), display=False)
glue("live_zone", zone(run.curve), display=False)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Training and validation accuracy of a small network against epoch, logarithmic. Training accuracy is perfect early; validation accuracy follows much later."}, "figure": {"caption": "A run trained while the page was built (modulus 31, d_model 24, 400 training points, weight decay 1, seed 1, 4,000 epochs, otherwise the [recipe](../method.md) of the book). [Data](data/live.csv).", "name": "fig-live"}}
curves.one_run(live)

# %% [markdown]
# It took {glue:text}`live_seconds:.1f` seconds. Training accuracy reaches 0.99 at epoch
# {glue:text}`live_memorized`; validation accuracy ends at {glue:text}`live_val:.2f`. By our
# thresholds this is {glue:text}`live_zone`.

# %% [markdown]
# ## Rerun it
#
# ```bash
# python -m lib run grokking_grid -p d_models "[32, 64]" -p seeds "[0]" -o out.ipynb
# python -m lib run grokking_grid -p weight_decay 2.0 -p seeds "[0]" -p train_missing true -o out.ipynb
# ```
#
# The first takes seconds: everything is stored. The second trains 89 runs; it prints an
# estimate for your machine before it starts and can be interrupted without loss.

# %% tags=["hide-input"]
page.end()
