"""Tables and sentences that several chapters share."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.analysis import words
from lib.chapters import tables
from lib.paper import search
from lib.paper.experiments import EXPERIMENTS
from lib.paper.recipe import BASE, CALIBRATION_SEED, RECIPE, RECIPES, STATED, within


def test_missing_numbers_do_not_show():
    assert words.number(np.nan) == words.number(None) == "–"
    assert words.number(0.5) == "0.50"
    assert words.bracket(np.nan, 1) == ""
    assert words.bracket(1000, 2000, "{:,.0f}") == " [1,000,\N{NO-BREAK SPACE}2,000]"
    assert words.span([]) == "–" and words.span([0.1, np.nan, 0.2]) == "0.10–0.20"
    assert "No run" in tables.table(["a"], [])
    rule = tables.table(["a", "b"], [("x", 1)]).splitlines()[1]
    assert rule.startswith("|:-") and rule.endswith("-:|")


def test_tests_that_are_older_than_their_runs_are_named():
    a, b, c = (SimpleNamespace(name=name, later=name == "a") for name in "abc")
    changed = pd.DataFrame(dict(claim=["a", "b"]))
    told = tables.younger([a, b, c], changed)
    assert "these 1 tests, or will be: *a*. Of the 2 others 1 were changed" in told
    assert told.endswith("stored, and not *c*.")
    assert "the 1 others all were changed" in tables.younger([a, b], changed)


def test_cost_counts_a_run_once():
    runs = pd.DataFrame(dict(key=["a", "b"], wall_seconds=60.0, threads=[1, 2], device="cpu"))
    assert "2 stored runs" in tables.cost(runs, runs) and "3 min" in tables.cost(runs, runs)
    assert "No run" in tables.cost(runs.iloc[:0])


def test_cost_of_a_gpu_is_its_own_time():
    """Its runs record the machine's threads, which are not that many cores' time."""
    runs = pd.DataFrame(
        dict(key=list("abcd"), wall_seconds=60.0, threads=[1, 1, 16, 16],
             device=[None, "cpu", "GPU X", "GPU X"])
    )  # fmt: skip
    assert tables.cost(runs) == (
        "The 4 stored runs behind this page took 2 min of one core, so about 60 s on two; "
        "and 2 min on GPU X."
    )
    assert tables.cost(runs[2:]) == "The 2 stored runs behind this page took 2 min on GPU X."


@pytest.mark.parametrize("mean, hit", [(0.0, False), (0.1, True), (0.94, True), (0.95, False)])
def test_ranges_are_half_open(mean, hit):
    assert within(mean, (0.1, 0.95, "")) is hit
    assert within(1.0, (0.95, 1.0, "")) and within(0.0, (0.0, 0.1, ""))


def test_recipes_are_tried_on_seeds_that_no_figure_uses():
    keys = {s.key for name in RECIPES for s in EXPERIMENTS[name]}
    assert len(STATED) == 12 and len(RECIPES) >= 4
    assert len(keys) == len(RECIPES) * len(STATED) * 3
    tried = {*RECIPES, "deep_recipe", "figure6_tied"} | {grid.name for grid in search.grids(BASE)}
    for name, grid in EXPERIMENTS.items():
        first = min(s.seed for s in grid)
        assert (first >= CALIBRATION_SEED) == (name in tried)
    assert any(
        (v["lr"], v["weight_decay"]) == (RECIPE["lr"], RECIPE["weight_decay"])
        for v in RECIPES.values()
    )
