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
    from lib.chapters.page import Page, show, told
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
seeds = [0, 1, 2]  # one run each (the paper does not say how many it has)
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate of the one-layer runs
deep_lr = 0.001  # learning rate of the sizes with depth, ours and the paper's
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks (many hours)

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
from functools import partial

from IPython.display import Markdown

from lib.chapters.stories import mixture_rows as story
from lib.chapters.stories.mixtures import COLUMNS, panels, study
from lib.figures.mixtures import accuracy_by_size
from lib.paper.experiments import EXPERIMENTS
from lib.widgets.explorers import flipbook

page = Page("split_ffn", train_missing, lr=lr, weight_decay=weight_decay)
study = partial(study, page, seeds=seeds)

page.opening("takeaway 8")

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
# What the data to memorize ask of the MLP can therefore not reach addition's half: changing their
# labels changes none of its gradients, to the bit (`tests/engines/test_stacked.py`).
#
# ## Alone, shared, split
#
# The same scaled settings as in [](multitask_emergence.ipynb): one layer, 3,000 addition points at
# modulus 113 and 1,200 at modulus 59; and at modulus 59 up to four layers, with LayerNorm.

# %% tags=["hide-input"]
main, curves = study("emergent_113", more=["emergent_113_fill"], train=train_missing, epochs=epochs)
small, curves_59 = study(
    "emergent_59", more=["emergent_59_wider"], train=train_missing, epochs=epochs
)
depth, curves_depth = study("emergent_depth", lr=deep_lr)
page.export(main.runs, "split", "the runs at modulus 113", COLUMNS)
page.export(small.runs, "split_59", "those at modulus 59", COLUMNS)
page.export(depth.runs, "split_depth", "those with depth", COLUMNS)

# %% tags=["hide-input"] mystnb={"image": {"alt": "Modulus 113, a panel for each amount of memorization data: final validation accuracy on addition against d_model, alone in grey, with a shared MLP in brown, with a split one in green. Hatched boxes below zero are cells without runs."}, "figure": {"caption": "At our scale, modulus 113, by epoch T. Thick: best seed; thin: mean (lines where a size has all of its seeds); dots: single runs; hatched boxes below zero: a curve's cells without runs. [Data](data/split.csv).", "name": "fig-split"}}
accuracy_by_size(panels(curves), 113)

# %% tags=["hide-input"]
page.beside(10, {"Modulus 113": main, "Modulus 59": small, "Modulus 59, with depth": depth})

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same at modulus 59: validation accuracy on addition against d_model, alone, with a shared MLP and with a split one, a panel for each amount of memorization data."}, "figure": {"caption": "The same at modulus 59, by epoch T. [Data](data/split_59.csv).", "name": "fig-split-59"}}
accuracy_by_size(panels(curves_59), 59)

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same at modulus 59 for models of one to four layers: validation accuracy on addition against size, alone, with a shared MLP and with a split one."}, "figure": {"caption": "The same with depth at modulus 59, pre-LayerNorm, by epoch T. [Data](data/split_depth.csv).", "name": "fig-split-depth"}}
accuracy_by_size(panels(curves_depth), 59)

# %% [markdown]
# ## Does it emerge earlier?

# %% tags=["hide-input"]
studies = {"113": curves, "59": curves_59, "59, with depth": curves_depth}
rows = [(P, *row) for P, found in studies.items() for row in story.emergent_rows(found)]
show(["P", *story.EMERGENT_HEADER], rows, left=(1,))

# %% [markdown]
# The emergent size is the smallest size from which every larger size tried has validation accuracy
# of at least 0.9 in its best of three seeds; ">" marks the largest size tried where even that has
# not, and what is computed from it is a bound. "Times alone" looks at addition alone over the
# sizes of that row only. Whether the sizes just below generalize later is asked in
# [](multitask_emergence.ipynb).
#
# Size by size, which validation accuracy do the shared and the split MLP reach by epoch T, and what
# part of all training points, addition and memorization data together, do they fit by then? Means
# over the seeds of the runs listed above; in brackets the worst and the best seed. Both models have
# the same data, and as many parameters.

# %% tags=["hide-input"]
rows, tight, largest = story.shared_and_split(studies)
header = [
    "P",
    "to memorize",
    "size",
    "validation: shared",
    "split",
    "fits: shared",
    "split",
    "seeds",
]
show(header, rows)

# %% tags=["hide-input"]
ahead = sum(gain > 0 for gain in largest)
more = sum(fit["one"] > fit["other"] for fit in tight)
text = (
    f"At the largest size of each setting the split MLP is ahead in {ahead} of {len(largest)} pairs "
    f"of runs. In {len(tight)} of these {len(rows)} rows the shared MLP fits less than 0.99 of its training "
    f"points; in {more} of them the split one fits more."
)
if more == len(tight) > 0:
    text += (
        " With half of the hidden units for each input it is still the larger memory. One reason may "
        "be that the routes tell the two tasks apart, which a shared MLP has to learn."
    )
Markdown(text)

# %% [markdown]
# ## One amount after the other
#
# Move the slider, or use the arrow keys on it. It works in this page without a kernel.

# %% tags=["hide-input"]
pages = {}
for modulus, found in ((113, curves), (59, curves_59)):
    for title, drawn in panels(found).items():
        words = f"Modulus {modulus}, {title}: validation accuracy by width, alone, shared, split."
        picture = accuracy_by_size({title: drawn}, modulus)
        pages[f"P = {modulus}, {title.split()[0]}"] = picture, words
flipbook(pages, "points to memorize")

# %% [markdown]
# ## The paper's own sizes
#
# They need a GPU: `python -m lib sweep figure10 --device cuda` trains them.

# %% tags=["hide-input"]
told(page.gather(EXPERIMENTS["figure10"].specs(seeds)))

# %% [markdown]
# ## Against the paper's sentence
#
# The verdicts of [](verdicts.ipynb), which has the criteria; they speak of the book's recipe,
# whatever this page was run with.

# %% tags=["hide-input"]
page.verdicts("takeaway 8", "split at modulus 59")

# %% [markdown]
# "Smaller" counts all parameters. By the hidden units that an addition input can use, a split
# model is half as large as it looks, which makes a smaller emergent size say more, not less.
#
# ## Rerun it

# %% [markdown]
# ```bash
# python -m lib run split_ffn -p seeds "[0]" -o out.ipynb
# python -m lib train --task multitask --memorize-size 1200 --train-size 1200 --modulus 59 \
#     --d-model 64 --split-mlp true
# python -m lib sweep figure10 --device cuda
# ```
#
# The first shows what is stored. The second trains one split model. The third trains the paper's
# sizes on a GPU.

# %% tags=["hide-input"]
page.end()
