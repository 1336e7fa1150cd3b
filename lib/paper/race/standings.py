"""The search as a race: which of its runs can still change who leads.

A recipe that has failed several sentences cannot win any more, whatever its other runs would
show.  So the recipe that can still score highest is trained next, in the cell that has told most
of recipes for its cost; the race is over when that recipe has all its runs.  It ends with the
recipe with which the whole search would end, for a part of its cost.
"""

import functools
import math
from collections import Counter, defaultdict, namedtuple
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lib.engines.flops import flops
from lib.paper.experiments import EXPERIMENTS
from lib.paper.race.scores import RECIPE_FIELDS, TIMES, of_sentences, probability
from lib.paper.search import SENTENCES
from lib.spec import RunSpec

STAGES = ("search", "search_wide", "search_arms", "search_batches", "search_norm", "search_shapes")


def specs() -> list[RunSpec]:
    """All runs of the search."""
    return [spec for name in STAGES for spec in EXPERIMENTS[name]]


Racer = namedtuple("Racer", "recipe bound left score", defaults=(0.0,))
"""A recipe in the race.

Attributes:
    recipe: its values of `RECIPE_FIELDS`, a tuple; None where a field is not used.
    bound: its score at the T that suits it best, if all that is missing showed what the
        sentences ask; where nothing is missing, its score.
    left: its missing runs (a tuple); those first that have told most of recipes for their cost.
    score: what its runs so far give, at the T that suits them best.
"""


@functools.cache
def at_best(number: int, k: int, n: int, left: int) -> float:
    """The highest probability of a sentence that `left` more runs can bring.

    A run may also say nothing (the norm of one that never generalizes).
    """
    more = ((k + shown, n + asked) for asked in range(left + 1) for shown in range(asked + 1))
    return max(probability(SENTENCES[number], *counts) for counts in more)


class _Seen:
    """How many runs show what each sentence asks, by recipe and T."""

    def __init__(self, runs: pd.DataFrame, curves: pd.DataFrame, times: Sequence[int]):
        rows = of_sentences(runs, curves, times)[[*RECIPE_FIELDS, "T", "sentence", "k", "n"]]
        found = rows.itertuples(index=False)
        self._counts = {(_plain(row), T, i): (k, n) for *row, T, i, k, n in found}
        self._times = times

    def parts(self, recipe: tuple, T: int, left: Counter) -> list[float]:
        """The highest probability of each sentence, with so many runs of each cell to come."""
        counts = (self._counts.get((recipe, T, i), (0, 0)) for i in range(len(SENTENCES)))
        return [at_best(i, *own, left[SENTENCES[i].cell]) for i, own in enumerate(counts)]

    def best(self, recipe: tuple, left: Counter) -> tuple[float, int]:
        """The highest product over the sentences, and the T that has it."""
        return max((math.prod(self.parts(recipe, T, left)), T) for T in self._times)


def standings(
    specs: Iterable[RunSpec], runs: pd.DataFrame, curves: pd.DataFrame, times=TIMES
) -> list[Racer]:
    """All recipes of some specs, the one that can score highest first.

    Args:
        specs: the runs that make a recipe whole.
        runs, curves: those that are stored, as `lib.analysis.gather` gives them.
    """
    seen, stored = _Seen(runs, curves, times), set(runs["key"])
    every, lacking = defaultdict(list), {}
    for spec in specs:
        every[_recipe(spec)].append(spec)
    for recipe, own in every.items():
        lacking[recipe] = [spec for spec in own if spec.key not in stored]
    telling, racers = _telling(seen, every, lacking), []
    for recipe, left in lacking.items():
        order = sorted(left, key=lambda spec: flops(spec) / telling[_cell(spec)])
        bound, score = (seen.best(recipe, more)[0] for more in (_cells(left), Counter()))
        racers.append(Racer(recipe, bound, tuple(order), score))
    return sorted(racers, key=lambda racer: racer.bound, reverse=True)


def _telling(seen: _Seen, every: dict, lacking: dict) -> dict[tuple, float]:
    """By how much a run of each cell has lowered a recipe's bound: mean of the logarithms.

    A cell in which few recipes were tried is drawn to the mean of all.  This orders the runs and
    decides nothing: the bound is the same in any order.
    """
    drops = defaultdict(list)
    for recipe, specs in every.items():
        whole, left = _cells(specs), _cells(lacking[recipe])
        _, T = seen.best(recipe, left)
        told = Counter()
        for number, now in enumerate(seen.parts(recipe, T, left)):
            cell = SENTENCES[number].cell
            told[cell] += math.log(at_best(number, 0, 0, whole[cell]) / now)
        for cell, ran in (whole - left).items():
            drops[cell].append(told[cell] / ran)
    usual = np.mean([drop for own in drops.values() for drop in own] or [1.0])
    cells = {_cell(spec) for specs in every.values() for spec in specs}
    return {cell: (sum(drops[cell]) + usual) / (len(drops[cell]) + 1) + 1e-6 for cell in cells}


def in_the_race(racers: list[Racer], places: int = 1) -> list[Racer]:
    """The recipes that lack runs and may still come among the first `places`."""
    whole = sorted((racer.bound for racer in racers if not racer.left), reverse=True)
    to_beat = whole[places - 1] if len(whole) >= places else 0.0
    return [racer for racer in racers if racer.left and racer.bound > to_beat]


def next_runs(racers: list[Racer], places: int = 1, at_once: int = 1) -> list[RunSpec]:
    """What to train next: of the recipes with the highest bounds, the first missing run.

    Where several are trained at once, a recipe's second counts half, its third a quarter, and
    so on: those before it may rule the recipe out.  Empty once the first `places` are known.
    """
    able = [(r.bound / 2**i, s) for r in in_the_race(racers, places) for i, s in enumerate(r.left)]
    able.sort(key=lambda pair: pair[0], reverse=True)
    return [spec for _, spec in able[:at_once]]


def _cell(spec: RunSpec) -> tuple:
    return spec.task, spec.d_model, spec.train_size


def _cells(specs: Iterable[RunSpec]) -> Counter:
    """How many runs of each cell."""
    return Counter(map(_cell, specs))


def _recipe(spec: RunSpec) -> tuple:
    return tuple(getattr(spec, name) for name in RECIPE_FIELDS)


def _plain(values) -> tuple:
    return tuple(None if pd.isna(value) else value for value in values)
