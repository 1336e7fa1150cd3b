"""The experiments on the two circuits of Varma et al. 2023 (all of it ours)."""

from lib.paper.grid import Grid
from lib.paper.recipe import BASE, DYNAMICS, RECIPE, STOP_AFTER

CIRCUIT_WIDTH = 48
"""The one width of the chapter on circuit efficiency: what two cores can carry."""


MEMORIZED_SIZES = (300, 400, 600, 800, 1200, 1600, 2000, 2400, 2800)
GENERALIZED_SIZES = (4000, 5000, 6500, 8500, 11_000)
LOST_SIZES = (150, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1200, 1400)
UNGROK_SIZES = (*LOST_SIZES, 2000, 2200, 2400, 2600, 3000)
DECAY_SIZES = (2000, 2400, 2600, 2800, 3000, 3200, 3400, 3600, 4000)
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

# fmt: off
GRIDS = (
    Grid("circuits_memorize", "Networks that can only memorize: random labels (Varma et al., P1)",
         _circuits.replace(task="random"), axes=dict(train_size=MEMORIZED_SIZES), seeds=3),
    Grid("circuits_generalize", "Networks that generalize at once (Varma et al., P1)",
         _circuits.replace(epochs=6_000), axes=dict(train_size=GENERALIZED_SIZES), seeds=3),
    Grid("circuits_settle", "The same, trained as long as those that memorize (ours)", _circuits,
         axes=dict(train_size=GENERALIZED_SIZES), seeds=3),
    Grid("circuits_calm", "Both kinds at a third of the learning rate (ours)",
         _circuits.replace(**CALM),
         cells=(*(dict(task="random", train_size=D) for D in CALM_MEMORIZED),
                *(dict(train_size=D) for D in CALM_GENERALIZED)), seeds=3),
    Grid("circuits_decay", "D_crit at three weight decays (Varma et al., P2)", _circuits,
         cells=tuple(_decay(w) | dict(train_size=D) for w in DECAYS for D in DECAY_SIZES),
         seeds=5),
    Grid("circuits_decay_more", "The same at two of them, for a second look (P2; ours)", _circuits,
         cells=tuple(_decay(w) | dict(train_size=D) for w in (1.0, 2.0) for D in DECAY_SIZES),
         seeds=6, first_seed=5),
    Grid("circuits_parents",
         "Networks that have generalized: where ungrokking starts (Varma et al., P3)", _grokked,
         cells=({},), seeds=8),
    Grid("circuits_ungrok", "Those networks, continued on a subset (Varma et al., P3)",
         _circuits.replace(init_from=_grokked), axes=dict(train_size=UNGROK_SIZES), seeds=8),
    Grid("circuits_ungrok_decay", "The same at two other weight decays (Varma et al., P2)",
         _circuits.replace(init_from=_grokked),
         cells=tuple(_decay(w) | dict(stop_after=None, train_size=D)
                     for w in (1.0, 2.0) for D in LOST_SIZES), seeds=5),
    Grid("circuits_controls",
         "Those networks, continued on all their data; on little, without weight decay (ours)",
         _circuits.replace(init_from=_grokked),
         cells=(dict(train_size=5_000), dict(train_size=300, weight_decay=0.0)), seeds=5),
    Grid("circuits_scratch", "The same subsets from scratch (Varma et al., P3)",
         _circuits.replace(stop_after=STOP_AFTER), axes=dict(train_size=UNGROK_SIZES), seeds=8),
    Grid("circuits_semi", "Around D_crit, five times as long (Varma et al., P4)",
         _circuits.replace(epochs=LONG * RECIPE["epochs"], stop_after=STOP_AFTER),
         axes=dict(train_size=SEMI_SIZES), seeds=8),
    Grid("circuits_dynamics",
         "Figure 2's four dynamics and double descent's valley, looked into (ours)", BASE,
         cells=tuple(dict(d_model=d, train_size=D) for d, D in DYNAMICS_CELLS.values()), seeds=3),
)
# fmt: on
