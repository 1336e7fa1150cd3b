"""The paper's experiments as data, and the recipe: nothing here trains or plots.

Sections and figures are those of arXiv 2402.15175v2.  What the paper leaves open (learning
rate, weight decay, epochs, …) is ours, calibrated on seeds from 1000 on, which no figure
uses; the book's method page tells how.
"""

from lib.paper import mixtures, search
from lib.paper.circuits import (
    CALM,
    CALM_GENERALIZED,
    CALM_MEMORIZED,
    DECAY_SIZES,
    DECAYS,
    DYNAMICS_CELLS,
    GENERALIZED_SIZES,
    LONG,
    LOST_SIZES,
    MEMORIZED_SIZES,
    SEMI_SIZES,
    UNGROK_SIZES,
    _circuits,
    _decay,
    _grokked,
)
from lib.paper.recipe import BASE, CALIBRATION_SEED, DYNAMICS, RECIPE, RECIPES, STATED, STOP_AFTER
from lib.spec import Grid

WIDTHS_3 = (32, 36, 40, 44, 48, 56, 64)
SIZES_3 = tuple(range(2000, 4001, 200))
WIDTHS_6 = (4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100)
SIZES_6 = (2600, 3000, 4000, 5000)
_cells = tuple(dict(d_model=d, train_size=D) for d, D in DYNAMICS.values())


def _product(widths, sizes) -> tuple[dict, ...]:
    return tuple(dict(d_model=d, train_size=D) for d in widths for D in sizes)


_stops = BASE.replace(stop_after=STOP_AFTER)
_long = BASE.replace(epochs=40_000)  # figure 9's text speaks of epochs 30,000 to 40,000

EXPERIMENTS = {
    grid.name: grid
    for grid in (
        Grid("figure2", "Four training dynamics (§2.2, figure 2)", BASE, cells=_cells, seeds=1),
        Grid(
            "figure3",
            "Grokking grid (§2.2, figure 3)",
            _stops,
            axes=dict(d_model=WIDTHS_3, train_size=SIZES_3),
            seeds=11,
        ),
        Grid(
            "figure4",
            "Memorization capacity (§2.3, figure 4)",
            BASE.replace(task="random", train_size=113**2),
            axes=dict(d_model=WIDTHS_6),
            seeds=3,
        ),
        Grid(
            "figure5",
            "Progression, seed by seed (§3, figure 5)",
            _long,
            axes=dict(d_model=(8,), train_size=(3000,)),
            seeds=5,
        ),
        Grid(
            "figure6",
            "Double descent (§4.1–4.2, figure 6)",
            _stops,
            axes=dict(train_size=SIZES_6, d_model=WIDTHS_6),
            seeds=11,
        ),
        Grid(
            "figure6_long",
            "Figure 6's narrow networks, trained three times as long (ours)",
            _stops.replace(epochs=3 * RECIPE["epochs"]),
            axes=dict(train_size=(2600, 3000), d_model=(8, 12, 16, 20, 24, 28)),
            seeds=3,
        ),
        Grid(
            "figure7",
            "Squared task (§4.3, figure 7)",
            _stops.replace(task="square"),
            axes=dict(d_model=WIDTHS_6),
            seeds=11,
        ),
        Grid(
            "squared_critical",
            "Critical size of the squared task (takeaway 6's mechanism; ours)",
            _stops.replace(task="square"),
            axes=dict(d_model=(32, 48, 64), train_size=tuple(range(2000, 5201, 400))),
            seeds=5,
        ),
        Grid(
            "squared_capacity",
            "Capacity for labels as frequent as the squared task's (takeaway 6's mechanism; ours)",
            BASE.replace(task="random_square", train_size=113**2),
            axes=dict(d_model=(8, 16, 24, 32)),
            seeds=3,
        ),
        Grid(
            "stop_rule",
            "Runs that figure 3 stopped early, trained on to epoch T (ours)",
            BASE,
            cells=(
                *_product((32, 40, 44, 48, 56, 64), (3400, 3600, 4000)),
                *_product((36,), (3400, 3600)),
            ),
            seeds=1,
        ),
        Grid(
            "figure9",
            "Parameter norms (appendix A, figure 9)",
            _long,
            cells=(dict(d_model=8, train_size=3000), dict(d_model=64, train_size=3000)),
            seeds=5,
        ),
        *mixtures.grids(BASE, STOP_AFTER, CALIBRATION_SEED),
        *search.grids(BASE),
        *(
            Grid(
                name,
                f"Calibration: learning rate {values['lr']:g}, "
                f"weight decay {values['weight_decay']:g} (ours)",
                _stops.replace(**values),
                cells=tuple(dict(d_model=d, train_size=D) for d, D in STATED),
                seeds=3,
                first_seed=CALIBRATION_SEED,
            )
            for name, values in RECIPES.items()
        ),
    )
}
"""Every experiment by name; the number of seeds of `figure9`, `figure10` and of what is marked
"ours" is ours, the rest is the paper's.  Those on mixtures are in `lib.paper.mixtures`; those of
Varma et al. follow below."""


EXPERIMENTS |= {
    grid.name: grid
    for grid in (
        Grid(
            "circuits_memorize",
            "Networks that can only memorize: random labels (Varma et al., P1)",
            _circuits.replace(task="random"),
            axes=dict(train_size=MEMORIZED_SIZES),
            seeds=3,
        ),
        Grid(
            "circuits_generalize",
            "Networks that generalize at once (Varma et al., P1)",
            _circuits.replace(epochs=6_000),
            axes=dict(train_size=GENERALIZED_SIZES),
            seeds=3,
        ),
        Grid(
            "circuits_settle",
            "The same, trained as long as those that memorize (ours)",
            _circuits,
            axes=dict(train_size=GENERALIZED_SIZES),
            seeds=3,
        ),
        Grid(
            "circuits_calm",
            "Both kinds at a third of the learning rate (ours)",
            _circuits.replace(**CALM),
            cells=(
                *(dict(task="random", train_size=D) for D in CALM_MEMORIZED),
                *(dict(train_size=D) for D in CALM_GENERALIZED),
            ),
            seeds=3,
        ),
        Grid(
            "circuits_decay",
            "D_crit at three weight decays (Varma et al., P2)",
            _circuits,
            cells=tuple(_decay(w) | dict(train_size=D) for w in DECAYS for D in DECAY_SIZES),
            seeds=5,
        ),
        Grid(
            "circuits_parents",
            "Networks that have generalized: where ungrokking starts (Varma et al., P3)",
            _grokked,
            cells=({},),
            seeds=5,
        ),
        Grid(
            "circuits_ungrok",
            "Those networks, continued on a subset (Varma et al., P3)",
            _circuits.replace(init_from=_grokked),
            axes=dict(train_size=UNGROK_SIZES),
            seeds=5,
        ),
        Grid(
            "circuits_ungrok_decay",
            "The same at two other weight decays (Varma et al., P2)",
            _circuits.replace(init_from=_grokked),
            cells=tuple(
                _decay(w) | dict(stop_after=None, train_size=D)
                for w in (1.0, 2.0)
                for D in LOST_SIZES
            ),
            seeds=5,
        ),
        Grid(
            "circuits_controls",
            "Those networks, continued on all their data; on little, without weight decay (ours)",
            _circuits.replace(init_from=_grokked),
            cells=(dict(train_size=5_000), dict(train_size=300, weight_decay=0.0)),
            seeds=5,
        ),
        Grid(
            "circuits_scratch",
            "The same subsets from scratch (Varma et al., P3)",
            _circuits.replace(stop_after=STOP_AFTER),
            axes=dict(train_size=UNGROK_SIZES),
            seeds=5,
        ),
        Grid(
            "circuits_semi",
            "Around D_crit, five times as long (Varma et al., P4)",
            _circuits.replace(epochs=LONG * RECIPE["epochs"], stop_after=STOP_AFTER),
            axes=dict(train_size=SEMI_SIZES),
            seeds=5,
        ),
        Grid(
            "circuits_dynamics",
            "Figure 2's four dynamics and double descent's valley, looked into (ours)",
            BASE,
            cells=tuple(dict(d_model=d, train_size=D) for d, D in DYNAMICS_CELLS.values()),
            seeds=3,
        ),
    )
}
