"""The search as a race: which of its runs can still change who leads.

A recipe that has failed several sentences cannot win any more, whatever its other runs would
show.  So the recipe that can still score highest is trained next, its cheapest cell first; the
race is over when that recipe has all its runs.  It ends with the recipe with which the whole
search would end, for a part of its cost.
"""

import functools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from lib.engines.flops import flops
from lib.paper.experiments import EXPERIMENTS
from lib.paper.race.scores import RECIPE_FIELDS, TIMES, of_sentences, probability
from lib.paper.search import SENTENCES
from lib.spec import RunSpec

STAGES = ("search", "search_wide", "search_arms")


def specs() -> list[RunSpec]:
    """All runs of the search."""
    return [spec for name in STAGES for spec in EXPERIMENTS[name]]


@dataclass(frozen=True)
class Racer:
    """A recipe in the race.

    Attributes:
        recipe: its values of `RECIPE_FIELDS`; None where a field is not used.
        bound: its score at the T that suits it best, if all that is missing showed what the
            sentences ask; where nothing is missing, its score.
        left: its missing runs, the cheapest first.
        score: what its runs so far give, at the T that suits them best.
    """

    recipe: tuple
    bound: float
    left: tuple[RunSpec, ...]
    score: float = 0.0


@functools.cache
def at_best(number: int, k: int, n: int, left: int) -> float:
    """The highest probability of a sentence that `left` more runs can bring.

    A run may also say nothing (the norm of one that never generalizes).
    """
    more = ((k + shown, n + asked) for asked in range(left + 1) for shown in range(asked + 1))
    return max(probability(SENTENCES[number], *counts) for counts in more)


def standings(
    specs: Iterable[RunSpec], runs: pd.DataFrame, curves: pd.DataFrame, times=TIMES
) -> list[Racer]:
    """All recipes of some specs, the one that can score highest first.

    Args:
        specs: the runs that make a recipe whole.
        runs, curves: those that are stored, as `lib.analysis.gather` gives them.
    """
    stored, lacking = set(runs["key"]), defaultdict(list)
    for spec in specs:
        lacking[_recipe(spec)] += [spec] if spec.key not in stored else []
    counts = {
        (_plain(row), T, number): (k, n)
        for *row, T, number, k, n, _ in of_sentences(runs, curves, times).itertuples(index=False)
    }

    def best(recipe, left=()):
        cells = Counter((spec.task, spec.d_model, spec.train_size) for spec in left)
        return max(
            math.prod(
                at_best(number, *counts.get((recipe, T, number), (0, 0)), cells[sentence.cell])
                for number, sentence in enumerate(SENTENCES)
            )
            for T in times
        )

    racers = (
        Racer(recipe, best(recipe, left), tuple(sorted(left, key=flops)), best(recipe))
        for recipe, left in lacking.items()
    )
    return sorted(racers, key=lambda racer: racer.bound, reverse=True)


def in_the_race(racers: list[Racer], places: int = 1) -> list[Racer]:
    """The recipes that lack runs and may still come among the first `places`."""
    whole = [racer.bound for racer in racers if not racer.left]  # they are sorted
    to_beat = whole[places - 1] if len(whole) >= places else 0.0
    return [racer for racer in racers if racer.left and racer.bound > to_beat]


def next_runs(racers: list[Racer], places: int = 1, at_once: int = 1) -> list[RunSpec]:
    """What to train next: of the recipes with the highest bounds, the cheapest missing run.

    Where several are trained at once, a recipe's second counts half, its third a quarter, and
    so on: those before it may rule the recipe out.  Empty once the first `places` are known.
    """
    able = [(r.bound / 2**i, s) for r in in_the_race(racers, places) for i, s in enumerate(r.left)]
    able.sort(key=lambda pair: pair[0], reverse=True)
    return [spec for _, spec in able[:at_once]]


def _recipe(spec: RunSpec) -> tuple:
    return tuple(getattr(spec, name) for name in RECIPE_FIELDS)


def _plain(values) -> tuple:
    return tuple(None if pd.isna(value) else value for value in values)
