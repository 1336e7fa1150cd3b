# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A split feed-forward network
#
# Appendix B of {cite:t}`huang2024unified`, figure 10.

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page, show
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
seeds = [0, 1, 2]  # one run each (the paper does not say how many it has)
more_seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]  # of takeaway 8's two sizes
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate of the one-layer runs
deep_lr = 0.001  # learning rate of the sizes with depth, ours and the paper's
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks (many hours)

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
import pandas as pd
from IPython.display import Markdown

from lib.chapters.stories.mixtures import rows as story
from lib.chapters.stories.mixtures import two_tasks
from lib.chapters.stories.mixtures.curves import COLUMNS, panels, scaled, study
from lib.figures.mixtures import accuracy_by_size
from lib.figures.mixtures import two_tasks as two_tasks_figure

page = Page("split_ffn", train_missing, lr=lr, weight_decay=weight_decay)
more, curves_more = study(page, "split_depth", seeds=more_seeds, lr=deep_lr)
page.opening("takeaway 8", so_far=story.new_seeds(more.runs, more.curves))

# %% [markdown]
# In a mixture, memorizing and generalizing compete for the same parameters
# ([](multitask_emergence.ipynb)). What if they did not have to? The paper divides the
# intermediate dimension of the MLP (the feed-forward network, FFN) in two: one section works for
# addition only, the other for the memorization data only. It reports that addition then emerges at
# a much smaller size.
#
# The operator token of an input decides which section it goes through, at all of its positions.
# The paper does not say how large the sections are; here each is exactly half. Attention, the
# embeddings and the unembedding stay shared. A split model has as many parameters as a shared one,
# $12 d^2 + 5 d$ a layer beside the embeddings, but an input uses only half of the hidden units.
# At any one step the labels of the data to memorize change none of the gradients of addition's
# half, to the bit (`tests/engines/test_stacked.py`); over training they still reach it, through
# attention and the embeddings.
#
# ## Alone, shared, split
#
# The same scaled settings as in [](multitask_emergence.ipynb): one layer, 3,000 addition points at
# modulus 113 and 1,200 at modulus 59; and at modulus 59 up to four layers, with LayerNorm.

# %% tags=["hide-input"]
found, studies = scaled(page, seeds, epochs, deep_lr, train_missing, split=True)
every = pd.concat([own.curves for own in found.values()])
page.export(pd.concat([own.runs for own in found.values()]), "split", "the runs", COLUMNS)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Validation accuracy on addition against the size of the network, a panel for each study: alone in grey, mixed in a shared MLP in brown, mixed in a split MLP in green. Split returns before shared with depth; with one layer neither returns at modulus 113; at 59 the split one falls and returns, the shared one passes 0.9 at one width."}, "figure": {"caption": "Figure 10's form at our sizes: one layer by epoch 20,000 (P = 113: 3,000 points to memorize; P = 59: 300), and up to four layers with pre-LayerNorm by epoch 6,000 (1,200 points). Thick: best seed; thin: mean (lines where a size has all of its seeds); dots: single runs; a hatched box: a cell without runs. [Data](data/split.csv).", "name": "fig-split"}}
accuracy_by_size(panels(studies))

# %% tags=["hide-input"]
page.beside(10, found)

# %% [markdown]
# ## Does it emerge earlier?

# %% tags=["hide-input"]
long, curves_long = study(page, "emergent_59_long", seeds=seeds, epochs=5 * epochs)
studies |= {"P = 59, d 32–128, 5 × as long": curves_long}
every = pd.concat([every, long.curves])
show(story.EMERGENT_HEADER, story.of_studies(studies, story.emergent_rows, every))

# %% [markdown]
# The emergent size is the smallest size from which every larger size tried has validation accuracy
# of at least 0.9 in its best of three seeds, by the last epoch or, in the last column, by the
# highest on the way; "> 256" says that even at 256, the largest size tried, it is lower, and what is
# computed from it is a bound. "Times alone" lies between two numbers, as each size lies between two tried. Whether
# the sizes just below generalize later is asked in [](multitask_emergence.ipynb).
#
# An emergent size hangs on one threshold. Size by size and seed by seed the question is a simpler
# one: which of two networks with the same data, the same size and the same seed is ahead at its
# last epoch? The last row has more seeds, at the two sizes where takeaway 8 is decided.

# %% tags=["hide-input"]
page.export(more.runs, "split_depth", "the runs of more seeds", COLUMNS)
paired = studies | {"P = 59, 2 × 64 and 4 × 64": curves_more}
show(story.AHEAD_HEADER, story.of_studies(paired, story.ahead_rows))

# %% tags=["hide-input"]
Markdown(f"{story.new_seeds(more.runs, more.curves)}\n\n{story.passing(more.runs)}")

# %% [markdown]
# The paper speaks of a smaller *size*; the verdict compares networks of the same size. With depth all
# runs of this page end at epoch 6,000. Trained five times as long, networks with a shared MLP find
# the rule at these sizes, too ([](multitask_emergence.ipynb)), so "earlier" is here also a matter of
# time; to compare at that length, more split networks would have to be trained as long. The verdict
# and the first table may name different emergent sizes: each takes its best seed, the verdict of
# sixteen at two sizes, the table of three at six.

# %% [markdown]
# ## The two tasks, seen inside

# %% tags=["hide-input"]
inside = two_tasks.measured(page, seeds, epochs=epochs)

# %% [markdown]
# Where do the two tasks live in the MLP? At modulus 59, one layer, `d_model` = 128, 1,200 + 300
# points: each hidden unit is switched off alone, which says how much of the random pairs hangs on
# it, and then more and more units together: the most memorizing first, and the least memorizing
# first.

# %% tags=["hide-input"]
Markdown(two_tasks.halves(inside))

# %% [markdown]
# From the lowest of the seeds to the highest. In a split MLP the two halves belong to one task each
# by construction, so there the outcome is a check. A shared one does not sort its tasks like that.
# What it has memorized sits in half of its units, which is no surprise, as they were ranked by it.
# Addition, where one of these three networks has it, sits in the same half: it loses far more with
# these units than with the others. That is of one cell, with units set to zero; no random halves and
# no ranking by addition stand beside it.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Above, training: the random pairs are memorized within a hundred epochs; addition and its waves come hundreds to thousands of epochs later, in every seed of the split MLP and not in every seed of the shared one. In the middle, accuracy as hidden units are switched off, the most memorizing first: with the split MLP addition stays whole until half of them are off, with the shared MLP it falls as fast as what is memorized. Below, the least memorizing first: with the split MLP addition is lost by half, with the shared MLP more of it is left than when the others go."}, "figure": {"caption": "Above: what is memorized, held-out addition, and the share of waves in its logits (as in [](circuit_efficiency.ipynb)) over training. Below: the same networks at their last epoch, as hidden units are switched off. Thick: seed 0; thin: seeds 1 and 2. The book's recipe, by epoch 20,000. [Data](data/two_tasks.csv), by `python -m lib circuits mixture_inside`.", "name": "fig-inside"}}
page.export(pd.concat(inside.values()), "two_tasks", "the course inside", two_tasks.COLUMNS)
page.export(two_tasks.without_units(inside), "units_off", "accuracy without hidden units")
two_tasks_figure(inside)

# %% [markdown]
# ## Against the paper's sentence
#
# An emergent size stands with the two sizes tried between which it lies.

# %% tags=["hide-input"]
page.verdicts("takeaway 8", "split at modulus 59")

# %% [markdown]
# "Smaller" counts all parameters. By the hidden units that an addition input can use, a split
# model is half as large as it looks, which makes a smaller emergent size say more, not less.
#
# ## Rerun it
#
# ```bash
# python -m lib run split_ffn -p seeds "[0]" -o out.ipynb
# python -m lib train --task multitask --memorize-size 1200 --train-size 1200 --modulus 59 \
#     --d-model 64 --split-mlp true
# python -m lib sweep figure10 figure8 --device cuda
# ```
#
# The first shows what is stored. The second trains one split model. The third trains the paper's
# sizes on a GPU.

# %% tags=["hide-input"]
page.end()
