# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Other implementations
#
# Is a result of this book a result of its code?

# %% tags=["remove-cell"]
try:
    from lib.chapters.page import Page, told
except ImportError as error:  # not installed; on Linux `lib` may even be the folder /lib
    error._render_traceback_ = lambda: ["This chapter runs in the project that it comes from: "
        "get it (the book's front page says where) and start `make lab` in its folder."]  # fmt: skip
    raise

# %% tags=["parameters", "hide-input"]
cells = [[8, 3000], [32, 4000]]  # d_model and training points of each
seeds = [0, 1, 2, 3, 4]  # whose runs are compared
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train what the store lacks of the book's own runs

# %% tags=["hide-input"]
# %matplotlib inline
# %config InlineBackend.figure_formats = ["svg"]
from IPython.display import Markdown

from lib.chapters.stories.again import gpu, precision, trainers
from lib.figures.curves import trained_again

page = Page("other_implementations", train_missing, epochs=epochs, lr=lr, weight_decay=weight_decay)
asked = [
    s for d, size in cells for s in page.specs("figure6", d_model=d, train_size=size, seed=seeds)
]
found = page.gather(asked)
runs, curves = trainers.trained_again(page.store, asked)
Markdown(trainers.words(runs, curves))

# %% [markdown]
# The runs of this book are trained by native code of its own, which shares work between samples and
# computes gradients by hand. Tests hold a hundred of its steps at a time against automatic
# differentiation. A bug that shows only after ten thousand epochs would pass them. So whole runs
# are trained again by two programs that share nothing with it but the data, the first weights and
# the loop that decides when to evaluate and to stop:
#
# * **JAX**: forty lines that a reader would write (`benchmarks/jax_trainer.py`), attention at all
#   three positions, gradients by `jax.grad`, AdamW by hand;
# * **PyTorch**: the definition of the model (`lib/model.py`), autograd, `torch.optim.AdamW`
#   ([](../library.md)).
#
# The loss is the same function in all three, the exact one ([](../method.md)). We found no public
# trainer of this paper to compare with. Trainers for the same task exist, but they start from other
# weights and split the data differently; none was run here.
#
# ## The same runs by other hands

# %% tags=["hide-input"] mystnb={"image": {"alt": "Validation accuracy against epoch: a panel for each cell, a colour for each seed, a dash for each trainer. In every pair both trainers come to the rule, or neither does."}, "figure": {"caption": "The same runs by each trainer, from the same first weights on the same data. [Data](data/trained_again.csv).", "name": "fig-again"}}
trained_again(curves)

# %% tags=["hide-input"]
page.export(
    curves[["trainer", "d_model", "train_size", "seed", "epoch", "train_accuracy",
            "val_accuracy", "train_loss", "val_loss", "param_norm"]],
    "trained_again", "the curves by each trainer",
)  # fmt: skip
told(found)

# %% tags=["hide-input"]
Markdown(trainers.rows(runs))

# %% [markdown]
# In brackets are 95% intervals over seeds. A run that never generalizes has no such epoch; one that
# does stops soon after, so its norm is that of the epoch at which it stopped.
#
# ## Seed by seed
#
# Some of the book's runs have a twin by another trainer, all of them by JAX and a part by PyTorch.
# Below is the twin's value less the book's, averaged over seeds. Norms and epochs are compared as
# logarithms, so +0.1 is a tenth more.

# %% tags=["hide-input"]
less = trainers.differences(runs)
page.export(less, "trainers", "the differences")
Markdown(trainers.differences_rows(less))

# %% [markdown]
# ## The same runs on a GPU
#
# Some of the book's runs come from a GPU, where a stack of networks is trained as one
# ([](../method.md)): the same model, data, first weights and loss in float32, by another program,
# whose sums have another order. Are they runs of the same experiment? Runs of a GPU have been
# trained again by the native trainer, chosen before their outcome there was known.

# %% tags=["hide-input"]
both = gpu.twins(page.store)
page.export(both.drop(columns="device"), "on_gpu", "the pairs")
Markdown(gpu.told(page.store, both))

# %% [markdown]
# ## Does rounding matter?
#
# The paper does not state its precision. Ours is float32. On some servers the products can be made
# of bfloat16 instead ([](../method.md)): six of them are as exact as float32 (bf16x6); three round
# to 17 significant bits instead of 24 (bf16x3), still finer than the TF32 of a GPU. The engine for
# GPUs can make each product one of bfloat16 (bf16), whose operands and results have 8. Training is
# chaotic, so after some hundred epochs two precisions are two different runs, as two seeds are. The
# question is whether one of them generalizes later. Below are the runs that are stored in float32
# and in another precision, all trained on a processor, and the first evaluation of each at which it
# had generalized.

# %% tags=["hide-input"]
both = precision.two_precisions(page.store)
page.export(both, "rounding", "those in two precisions")
Markdown(precision.told(page.store, both))

# %% [markdown]
# ## Rerun it
#
# ```bash
# python -m lib run other_implementations -p cells "[[8, 3000]]" -o out.ipynb
# python -m benchmarks.again figure6 --by jax --widths 8 --sizes 3000 --seeds 0:5
# python -m benchmarks.again figure6 --by reference --widths 8 --sizes 3000 --seeds 0:5
# python -m benchmarks.again figure7 --by kernel --widths 8,12,16,20,24 --sizes 3000 --seeds 5:11
# python -m benchmarks.again emergent_law --by kernel --widths 48,64 --seeds 0:1
# python -m benchmarks.again figure3 --by bf16x3 --widths 48,64 --sizes 3200 --seeds 0:3
# python -m benchmarks.again figure3 --by bf16 --widths 48,64 --sizes 3200 --seeds 0:3
# ```
#
# The first shows what is stored of one cell. The next two train the runs of that cell again, by JAX
# (`pip install jax`) and by PyTorch; then what a GPU trained, by the book's own trainer; the last
# two train the runs of the last table again with rounded products, where the processor can (bf16 anywhere, on a GPU with `--device cuda`). All are
# stored beside the book's own, which its figures go on to show.

# %% tags=["hide-input"]
page.end()
