"""The experiments on the two circuits of Varma et al. 2023 (all of it ours)."""

from lib.paper.recipe import BASE, DYNAMICS, RECIPE, STOP_AFTER

# ---- the two circuits of Varma et al. 2023 (issue of its own; all of it ours) ------------

CIRCUIT_WIDTH = 48
"""The one width of the chapter on circuit efficiency: what two cores can carry."""


MEMORIZED_SIZES = (300, 400, 600, 800, 1200, 1600, 2000, 2400, 2800)
GENERALIZED_SIZES = (4000, 5000, 6500, 8500, 11_000)
LOST_SIZES = (150, 200, 300, 400, 500, 600, 700, 800, 1000, 1400)
UNGROK_SIZES = (*LOST_SIZES, 2000, 2600, 3000)
DECAY_SIZES = tuple(range(2000, 4001, 400))
SEMI_SIZES = (2600, 2800, 3000, 3200)
CALM = dict(lr=1e-3, epochs=12_000)
CALM_MEMORIZED = MEMORIZED_SIZES[::2]
CALM_GENERALIZED = (5000, 7500, 11_000)
LONG = 5  # times the usual epochs
_circuits = BASE.replace(d_model=CIRCUIT_WIDTH)
_grokked = _circuits.replace(train_size=5_000, epochs=6_000)  # one of circuits_generalize


def _decay(weight_decay: float) -> dict:
    """Weight decay acts on a time scale of 1 / (lr · weight decay): T in proportion."""
    epochs = round(RECIPE["epochs"] * RECIPE["weight_decay"] / weight_decay)
    return dict(weight_decay=weight_decay, epochs=epochs, stop_after=STOP_AFTER)


DECAYS = (1.0, 1.5, 2.0)
DYNAMICS_CELLS = {**DYNAMICS, "double descent's valley": (28, 3000)}
"""The four dynamics of figure 2, and a cell in the dip that the paper sees at 3,000."""
