# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The grokking grid
#
# This chapter follows section 2.2 of {cite:t}`huang2024unified`, figures 2 and 3.
# The run of every cell comes from the store.

# %% tags=["remove-cell"]
import sys
from pathlib import Path

# A notebook opened in Jupyter starts in its own folder; the library is a level up.
sys.path.insert(0, str(next(p for p in [Path.cwd(), *Path.cwd().parents] if (p / "lib").is_dir())))

# %% tags=["parameters"]
d_models = [32, 36, 40, 44, 48, 56, 64]  # model sizes
train_sizes = [2000, 2200, 2400, 2600, 2800, 3000, 3200, 3400, 3600, 3800, 4000]  # training points
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]  # one run each
epochs = 20000  # full-batch steps
lr = 0.003  # learning rate
weight_decay = 1.5  # of AdamW
train_missing = False  # true: train the runs that the store lacks

# %% tags=["hide-input"]
# %config InlineBackend.figure_formats = ["svg"]
import matplotlib.pyplot as plt
import numpy as np
from myst_nb import glue

from lib.spec import RunSpec

glue("n_cells", len(d_models) * len(train_sizes), display=False)
glue("n_seeds", len(seeds), display=False)

# %% [markdown]
# The grid has {glue:text}`n_cells` cells and {glue:text}`n_seeds` seeds of each.
# {numref}`fig-schedule` shows at which epochs a run of it is evaluated: the first epochs
# densely, $\log_{10} t$ evenly, the rest at even distance.

# %% tags=["hide-input"] mystnb={"image": {"alt": "Evaluation number against epoch: a curve that rises steeply over the first hundred epochs and then evenly."}, "figure": {"caption": "The evaluation schedule of a run.", "name": "fig-schedule"}}
spec = RunSpec(epochs=epochs, lr=lr, weight_decay=weight_decay)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(spec.eval_epochs(), np.arange(len(spec.eval_epochs())), drawstyle="steps-post")
axes.set(xlabel="epoch", ylabel="evaluations so far", xscale="symlog")
plt.close(figure)
figure

# %% [markdown]
# Move the slider (or use the arrow keys on it): the schedule for other lengths of a run.

# %% tags=["hide-input"]
import io

import ipywidgets as widgets


def frame(length):
    """A picture of the schedule of a run of `length` epochs, as PNG bytes."""
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    points = spec.replace(epochs=length).eval_epochs()
    axes.plot(points, np.arange(len(points)))
    axes.set(xlabel="epoch", ylabel="evaluations so far", title=f"{length:,} epochs")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()


lengths = [1000, 2000, 5000, 10000, 20000]
frames = widgets.Stack(
    [
        widgets.Image(
            value=frame(n), format="png", layout={"max_width": "100%", "object_fit": "contain"}
        )
        for n in lengths
    ],
    selected_index=0,
)
slider = widgets.SelectionSlider(
    options=[(f"{n:,}", i) for i, n in enumerate(lengths)], description="epochs"
)
widgets.jslink((slider, "index"), (frames, "selected_index"))
widgets.VBox([slider, frames])

# %% [markdown]
# Download {download}`this notebook, executed <grokking_grid.ipynb>` or
# {download}`its source <../../notebooks/grokking_grid.py>`.
