"""The paper's experiments as data: nothing here trains or plots.

Sections and figures are those of arXiv 2402.15175v2.  What the paper leaves open (learning
rate, weight decay, epochs, …) is ours, calibrated on seeds from 1000 on, which no figure of
the paper's uses; the book's method page tells how.
"""

import itertools

from lib.paper import circuits, mixtures, search
from lib.paper.grid import Grid, by_name
from lib.paper.recipe import BASE, CALIBRATION_SEED, DYNAMICS, RECIPE, RECIPES, STATED, STOP_AFTER

WIDTHS_3 = (32, 36, 40, 44, 48, 56, 64)
SIZES_3 = tuple(range(2000, 4001, 200))
WIDTHS_6 = (4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 100)
SIZES_6 = (2600, 3000, 4000, 5000)
WIDTHS_DIP = (8, 12, 16, 20, 28, 32, 36, 48, 56, 64, 100)  # that a dip is read from
WIDTHS_RISEN = WIDTHS_DIP[3:-1]  # from where progression is done; 100 would cost as much as these


def _cells(pairs) -> tuple[dict, ...]:
    return tuple(dict(d_model=d, train_size=D) for d, D in pairs)


_stops = BASE.replace(stop_after=STOP_AFTER)
_long = BASE.replace(epochs=40_000)  # figure 9's text speaks of epochs 30,000 to 40,000

# fmt: off
EXPERIMENTS = by_name(
    (
        Grid("figure2", "Four training dynamics (§2.2, figure 2)", BASE,
             cells=_cells(DYNAMICS.values()), seeds=1),
        Grid("figure3", "Grokking grid (§2.2, figure 3)", _stops,
             axes=dict(d_model=WIDTHS_3, train_size=SIZES_3), seeds=11),
        Grid("figure4", "Memorization capacity (§2.3, figure 4)",
             BASE.replace(task="random", train_size=113**2), axes=dict(d_model=WIDTHS_6), seeds=3),
        Grid("figure5", "Progression, seed by seed (§3, figure 5)", _long,
             axes=dict(d_model=(8,), train_size=(3000,)), seeds=5),
        Grid("figure6", "Double descent (§4.1–4.2, figure 6)", _stops,
             axes=dict(train_size=SIZES_6, d_model=WIDTHS_6), seeds=11),
        Grid("figure6_long", "Figure 6's narrow networks, trained three times as long (ours)",
             _stops.replace(epochs=3 * RECIPE["epochs"]),
             axes=dict(train_size=(2600, 3000), d_model=(8, 12, 16, 20, 24, 28)), seeds=3),
        Grid("figure6_tied", "Figure 6 in the recipe that leads the search: tied embeddings (ours)",
             BASE.replace(**search.LEADER, stop_after=search.SEARCH_STOP),
             axes=dict(train_size=SIZES_6, d_model=WIDTHS_6),
             seeds=len(search.FRESH), first_seed=search.FRESH[0]),
        Grid("figure7", "Squared task (§4.3, figure 7)", _stops.replace(task="square"),
             axes=dict(d_model=WIDTHS_6), seeds=11),
        Grid("squared_critical",
             "Critical size of the squared task (takeaway 6's mechanism; ours)",
             _stops.replace(task="square"),
             axes=dict(d_model=(32, 48, 64), train_size=tuple(range(2000, 5201, 400))), seeds=11),
        Grid("beyond_3000", "Figures 6 and 7 with somewhat more data (takeaway 6; ours)", _stops,
             axes=dict(task=("add", "square"), train_size=(3400, 3600), d_model=WIDTHS_DIP),
             seeds=6, first_seed=5),
        Grid("beyond_3400", "Two more seeds at 3,400, of a test that was given up (ours)",
             _stops.replace(train_size=3400),
             axes=dict(task=("add", "square"), d_model=WIDTHS_DIP), seeds=2, first_seed=11),
        Grid("beyond_3600", "Both tasks at 3,600 points, on new seeds (takeaway 6; ours)",
             _stops.replace(train_size=3600),
             axes=dict(task=("add", "square"), d_model=WIDTHS_RISEN), seeds=20, first_seed=11),
        Grid("squared_capacity",
             "Capacity for labels as frequent as the squared task's (takeaway 6's mechanism; ours)",
             BASE.replace(task="random_square", train_size=113**2),
             axes=dict(d_model=(8, 16, 24, 32)), seeds=3),
        Grid("stop_rule", "Runs that figure 3 stopped early, trained on to epoch T (ours)", BASE,
             cells=_cells(itertools.product((32, 40, 44, 48, 56, 64), (3400, 3600, 4000)))
             + _cells([(36, 3400), (36, 3600)]), seeds=1),
        Grid("figure9", "Parameter norms (appendix A, figure 9)", _long,
             cells=_cells([(8, 3000), (64, 3000)]), seeds=5),
        Grid("figure9_controls", "Norms at figure 9's cells on random labels (takeaway 4; ours)",
             _long.replace(task="random"), cells=_cells([(8, 3000), (64, 3000)]), seeds=5),
        *mixtures.GRIDS,
        *search.grids(BASE),
        *(
            Grid(name,
                 f"Calibration: learning rate {values['lr']:g}, "
                 f"weight decay {values['weight_decay']:g} (ours)", _stops.replace(**values),
                 cells=_cells(STATED), seeds=3, first_seed=CALIBRATION_SEED)
            for name, values in RECIPES.items()
        ),
        *circuits.GRIDS,
    )
)
# fmt: on
"""Every experiment by name; the number of seeds of `figure9`, `figure10` and of what is marked
"ours" is ours, the rest is the paper's.  Those on mixtures are in `lib.paper.mixtures`, those of
Varma et al. in `lib.paper.circuits`."""
