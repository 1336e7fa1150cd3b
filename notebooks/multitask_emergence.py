# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Emergence in a mixture
#
# Section 5 of {cite:t}`huang2024unified`, figure 8.

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page, show, told
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
seeds = [0, 1, 2]  # one run each; the paper has three and reports the best
epochs = 20000  # full-batch steps of the one-layer runs
lr = 0.003  # learning rate of the one-layer runs
deep_lr = 0.001  # learning rate of the sizes with depth
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the one-layer runs that the store lacks (many hours)
train_longer = False  # true: train the sizes just below the emergent ones at 5 times the epochs

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
from functools import partial

import pandas as pd
from IPython.display import Markdown

from lib.analysis.emergence import emergent_size, n_parameters
from lib.chapters.stories import mixture_rows as story
from lib.chapters.stories.mixtures import COLUMNS, just_below, panels, study
from lib.figures.mixtures import accuracy_by_size
from lib.paper.experiments import EXPERIMENTS
from lib.paper.mixtures import EPOCHS_DEPTH, SIZES_8
from lib.spec import RunSpec
from lib.sweeps.plan import format_duration
from lib.widgets.explorers import flipbook

page = Page("multitask_emergence", train_missing, lr=lr, weight_decay=weight_decay)
study = partial(study, page, seeds=seeds)

page.opening("takeaway 7")

# %% [markdown]
# Some abilities of large models are said to be *emergent*: absent in small models, present in
# large ones {cite:p}`wei2022emergent`. The paper makes one. It mixes addition, which can be
# generalized, with pairs that have random labels, which can only be memorized. Small models spend
# what they have on memorizing, the account goes, and addition stays at chance; only a model whose
# capacity far exceeds the data has room to find the rule.
#
# An input reads $[a, \mathrm{op}, b, =]$. Under "+" the answer is $(a + b) \bmod P$, and some of
# these pairs are training data. Under "−" the answer is random. Accuracy is measured on the
# addition pairs that were not trained on.
#
# ## What is whose
#
# The paper has 3,000 addition points, 3,000 to 6,000 points to memorize, and models from 1 layer ×
# 64 to 8 layers × 1024. It does not say how the two losses are weighed, nor whether the random
# labels are symmetric. Here
#
# * the loss is one mean over all training points, so addition weighs as much as its share of them;
# * every ordered pair has its own random label, as subtraction does not commute;
# * addition pairs and memorization pairs are drawn independently, but no input is shared: the
#   operator differs;
# * "alone" is addition without an operator token, $[a, b, =]$, as in the other chapters.
#
# The paper's sizes need a GPU. We ask its question at sizes that two cores can carry: one layer at
# modulus 113, and more width or depth at modulus 59. **The quantity is the emergent size: the
# smallest size from which every larger size tried has validation accuracy of at least 0.9 in its
# best of three seeds.** "The first size above 0.9" would not do, as small models can pass for a
# while by progression ([](double_descent.ipynb)).
#
# ## One layer, modulus 113

# %% tags=["hide-input"]
main, curves = study("emergent_113", more=["emergent_113_fill"], train=train_missing, epochs=epochs)
page.export(main.runs, "emergence", "the runs at modulus 113", COLUMNS)

# %% tags=["hide-input"] mystnb={"image": {"alt": "A panel for each amount of memorization data: final validation accuracy on addition against d_model, addition alone in grey, the mixture in brown; best seed thick, mean thin, single runs as dots. Hatched boxes below zero are cells without runs."}, "figure": {"caption": "At our scale: 3,000 addition points and one layer, by epoch T. Thick: best seed; thin: mean (lines where a size has all of its seeds); dots: single runs; thin line: 0.9; hatched boxes below zero: a curve's cells without runs. [Data](data/emergence.csv).", "name": "fig-emergence"}}
accuracy_by_size(panels(curves, split=False), 113)

# %% tags=["hide-input"]
page.beside(8, main, paper_seeds=3)

# %% tags=["hide-input"]
shared = [c for c in curves if not c.split]
show(story.EMERGENT_HEADER, story.emergent_rows(shared))

# %% tags=["hide-input"]
Markdown(
    '">" marks the largest size tried where even that does not generalize; what is computed from '
    'it is a bound. "Times alone" compares numbers of parameters, with addition alone looked at '
    "over the sizes of that row only: it is tried at more sizes than the mixtures, and would "
    "emerge earlier for that alone. The verdict at modulus 113 takes addition alone at all of its "
    "sizes, so its factor can be larger. Neighbouring sizes of a mixture lie "
    f"{story.steps(shared)} apart, and its emergent size is known to within such a step."
)

# %% tags=["hide-input"]
wider = RunSpec(task="multitask", d_model=512, memorize_size=6000, epochs=epochs, **page.recipe)
words = "Width 512 is not tried here"
if found := story.price(wider, shared):
    seconds, width = found
    words += (
        f": one run of it with {wider.memorize_size:,} points would take about "
        f"{format_duration(seconds)} of one core, counted by its operations at the speed of the stored "
        f"runs of width {width}; a size needs three"
    )
Markdown(words + ".")

# %% [markdown]
# The paper reports the best of three seeds. A best hides how often a size fails: where best and
# mean lie apart, another seed may say that the ability is not there.
#
# ## The amount of memorization data
#
# Move the slider. It works in this page without a kernel.


# %% tags=["hide-input"]
def one_amount(amount):
    """Alone, and with one amount: the picture and what it shows."""
    drawn = panels([c for c in shared if c.amount in (0, amount)])
    words = f"Validation accuracy on addition by width, {amount:,} points to memorize."
    return accuracy_by_size(drawn, 113), words


amounts = sorted({c.amount for c in shared})
flipbook({f"{amount:,}": one_amount(amount) for amount in amounts}, "points to memorize")

# %% [markdown]
# ## Modulus 59: smaller data, larger models
#
# 3,481 pairs, of which 1,200 are addition's training data. The models are as wide as above, so
# their capacity exceeds the data by more.

# %% tags=["hide-input"]
small, curves_59 = study(
    "emergent_59", more=["emergent_59_wider"], train=train_missing, epochs=epochs
)
page.export(small.runs, "emergence_59", "those at modulus 59", COLUMNS)
told(small, paper_seeds=3)

# %% tags=["hide-input"] mystnb={"image": {"alt": "The same at modulus 59: a panel for each amount of memorization data, validation accuracy on addition against d_model, alone and mixed."}, "figure": {"caption": "The same at modulus 59: 1,200 addition points, one layer, by epoch T. [Data](data/emergence_59.csv).", "name": "fig-emergence-59"}}
accuracy_by_size(panels(curves_59, split=False), 59)

# %% tags=["hide-input"]
shared_59 = [c for c in curves_59 if not c.split]
show(story.EMERGENT_HEADER, story.emergent_rows(shared_59))

# %% [markdown]
# ## With depth
#
# The paper's large models are deep. The book's other models have no LayerNorm; here every size
# has one, those of one layer too, so that nothing but size changes along the axis.
# [](recipe.ipynb) shows what was tried to make depth train, and what came of it.

# %% tags=["hide-input"]
depth, curves_depth = study("emergent_depth", lr=deep_lr)
page.export(depth.runs, "emergence_depth", "those with depth", COLUMNS)
Markdown(depth.provenance(paper_seeds=3) + f" T is {EPOCHS_DEPTH:,} here.")

# %% tags=["hide-input"] mystnb={"image": {"alt": "Validation accuracy on addition against size at modulus 59, from 1 layer of width 16 to 4 layers of width 128, alone, mixed with 1,200 points, and mixed with a split MLP."}, "figure": {"caption": "Sizes with depth at modulus 59: 1,200 addition points, pre-LayerNorm, by epoch T. [Data](data/emergence_depth.csv).", "name": "fig-emergence-depth"}}
accuracy_by_size(panels(curves_depth), 59)

# %% tags=["hide-input"]
show(story.EMERGENT_HEADER, story.emergent_rows(curves_depth))

# %% [markdown]
# ## Passed and lost again
#
# Everything above is read at the last epoch. A run that had passed 0.9 and is below it there counts
# as one that fails, as the criteria were fixed that way. The rate is constant to the end, and the
# loss has spikes: for some epochs a model loses even its training data. Counted here are
# evaluations with training accuracy below 0.9 after a run first had 0.99, split MLPs too:

# %% tags=["hide-input"]
places = ("P = 113", "P = 59", "P = 59, with depth")
evaluations = [own.curves for own in (main, small, depth)]
show(story.SPIKES_HEADER, [(place, *story.spikes(own)) for place, own in zip(places, evaluations)])

# %% tags=["hide-input"]
studies = {"": curves, "P = 59": curves_59, "P = 59, with depth": curves_depth}
every = pd.concat(evaluations)
rows = story.of_studies(studies, story.fallen_rows, every)
Markdown(
    f"{len(rows)} of {every['key'].nunique():,} runs passed 0.9 and ended below (the recipes, seeds "
    "and epochs are those above):\n\n" + (show(story.FALLEN_HEADER, rows).data if rows else "")
)

# %% [markdown]
# Where training accuracy is low at the last epoch, this epoch lies on a spike; another would have
# shown another number. Where it is high, generalization itself was given up again. The emergent
# sizes by both readings, the second by the highest validation accuracy of each run:

# %% tags=["hide-input"]
show(story.READINGS_HEADER, story.of_studies(studies, story.reading_rows, every))

# %% [markdown]
# ## Later, or never?
#
# Everything above is by epoch T. The sizes just below the emergent ones (where none was reached:
# the largest size tried) again, at five times the epochs, split MLPs ([](split_ffn.ipynb)) too.
# Which runs these are depends on the others' outcomes, so they belong to no experiment: `status`
# does not list them, `sweep` does not train them. `-p train_longer true` does, as below. Accuracy
# is read at the last epoch here, too; "on the way" is a cell's highest at any evaluation. Where only
# that is at least 0.9, the last column says so: a run had passed the threshold and is below it again.
# Accuracies are compared before they are rounded.

# %% tags=["hide-input"]
wanted = {name: just_below(found) for name, found in studies.items()}
asked = [spec for own in wanted.values() for *_, specs in own for spec in specs]
again = page.gather(asked, train_longer)
rows = story.of_studies(wanted, story.longer_rows, again.runs, again.curves)
show(story.LONGER_HEADER, rows, left=(0, 9))

# %% [markdown]
# ## The paper's own sizes
#
# They need a GPU: `python -m lib sweep figure8 --device cuda` trains them.

# %% tags=["hide-input"]
told(page.gather(EXPERIMENTS["figure8"].specs(seeds)), paper_seeds=3)

# %% [markdown]
# ## Against the paper's sentences
#
# The verdicts of [](verdicts.ipynb), which has the criteria; they speak of the book's recipe,
# whatever this page was run with.

# %% tags=["hide-input"]
page.verdicts("takeaway 7", "emergence at modulus 113", "emergence at modulus 59",
              "amount of memorization data")  # fmt: skip

# %% [markdown]
# The paper's account is that until then accuracy on addition is about zero. Over the sizes from
# that at which addition alone generalizes to that at which the mixture does:

# %% tags=["hide-input"]
where = {"modulus 113": curves, "modulus 59": curves_59, "modulus 59, with depth": curves_depth}  # fmt: skip
show(
    ["study", "until it emerges"], [(n, story.until_then(own)) for n, own in where.items()], (0, 1)
)

# %% tags=["hide-input"]
ends = [n_parameters(d, layers, mixed=True) for layers, d in (SIZES_8[0], SIZES_8[-1])]
text = (
    'The paper\'s "about 1570 times larger" is the ratio of the two ends of its grid: '
    f"{ends[1]:,} over {ends[0]:,} parameters in our model, {ends[1] / ends[0]:,.0f} times."
)
alone = next((emergent_size(c.runs) for c in shared if not c.amount), None)
if alone and alone.bound != ">":
    largest = max(n_parameters(d, layers, mixed=True) for c in shared for layers, d in c.cells)
    text += (
        f" Our grid cannot show such a ratio: its largest model has {largest / alone.parameters:,.0f} "
        "times the parameters of the size at which addition emerges alone."
    )
Markdown(text)

# %% [markdown]
# ## Rerun it
#
# ```bash
# python -m lib sweep emergent_113 --dry-run     # what is missing, what it costs here
# python -m lib sweep emergent_59 emergent_depth --seeds 0:1
# python -m lib sweep figure8 --device cuda      # the paper's sizes, on a GPU
# python -m lib run multitask_emergence -p train_longer true
# ```
#
# ## Appendix: every size

# %% tags=["hide-input"]
header = ["data", "size", "parameters", "best", "mean", "worst", "memorized", "seeds"]
listed = {"": shared, "P = 59": shared_59, "P = 59, with depth": curves_depth}
show(header, story.of_studies(listed, story.by_size_rows))

# %% tags=["hide-input"]
page.end()
