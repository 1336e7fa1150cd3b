"""What chapters say of mixtures: from whole grids, over equal sizes, never past a bound."""

import math
from dataclasses import replace

import pandas as pd
from worlds import jump, runs

from lib.analysis.emergence import sizes
from lib.chapters.page import Page
from lib.chapters.stories.mixtures.curves import LONG, PAPERS, Curve, panels, scaled
from lib.chapters.stories.mixtures.rows import (
    ahead_rows,
    depth_rows,
    depth_words,
    emerged_so_far,
    emergent_rows,
    fallen,
    new_seeds,
    passing,
    until_then,
)
from lib.paper.experiments import EXPERIMENTS
from lib.spec import RunSpec

WIDTHS = (32, 64, 128, 256)
FINE = (28, 32, 36, 40, 44, 48, 56, *WIDTHS[1:])


def curve(values, amount=0, split=False, widths=WIDTHS, seeds=3):
    """A curve whose study asks for `widths`; values: as in `worlds.runs`."""
    label = f"+ {amount}" if amount else "alone"
    asked = tuple(RunSpec(d_model=d) for d in widths)
    own = runs(values, seeds, memorize_size=amount)
    return Curve(label, amount, split, own, asked)


def step(at, widths=WIDTHS, low=0.02):
    """A world in which addition emerges at a width."""
    return {d: 1.0 if d >= at else low for d in widths}


ALONE = curve(step(40, FINE), widths=FINE)
NONE = pd.DataFrame({"key": [], "val_accuracy": []})  # no evaluation on the way


def test_a_mixture_without_effect_does_not_emerge_later():
    """Alone's own outcomes, at the mixture's widths: a coarser grid is not an effect."""
    same = curve(step(40), 3000)
    low, high = emergent_rows([ALONE, same], NONE)[1][3].split(" to ")  # times alone
    assert float(low) < 1 < float(high)
    assert (
        str(emergent_rows([ALONE, same], NONE)[0][1]) == "40"
    )  # alone is shown with all its sizes


def test_times_alone_says_between_what_it_lies():
    """Of sizes tried: 128, and above 96; 40, and above 36."""
    filled = curve(step(128, (*WIDTHS, 96)), 3000, widths=(32, 64, 96, 128, 256))
    row = emergent_rows([ALONE, filled], NONE)[1]
    count = {d: sizes(curve({d: 1.0}).runs)["parameters"].item() for d in (36, 40, 96, 128)}
    assert str(row[1]) == "128"
    least, most = count[96] / count[40], count[128] / count[36]
    assert row[3] == f"{math.floor(10 * least) / 10:g} to {math.ceil(10 * most) / 10:g}"


def test_how_low_it_stays_until_then():
    mixed = curve({32: 0.0, 64: 0.1, 128: 0.3, 256: 1.0}, 3000)
    assert until_then([ALONE, mixed]) == "with 3,000: 0.10, 0.30"
    assert until_then([ALONE, curve(step(999), 3000)]) == "with 3,000: 0.02, 0.02, 0.02"
    assert until_then([ALONE, mixed, curve(step(64), 500)]) == "with 3,000: 0.10, 0.30"
    nothing = "no such size tried with three seeds"
    assert until_then([ALONE, curve(step(64), 3000)]) == nothing  # nothing lies in between
    assert until_then([curve(step(999)), curve(step(999), 3000)]) == until_then([]) == nothing


def test_who_passes_at_each_size_is_counted():
    both = [runs({32: 0.5, 64: (1.0, 1.0, 0.2)}, split_mlp=True), runs({64: 0.3}, split_mlp=None)]
    text = passing(pd.concat(both))
    assert "the split one gets there from 1 × 64 on, the shared one from none of these" in text
    said = "at 1 × 64, 2 of 3 networks with a split MLP and 0 of 3 with a shared one."
    assert text.endswith(f"last epoch: {said}")
    alike = [both[0], runs({64: 0.95}, split_mlp=None)]
    assert "both get there from 1 × 64 on" in passing(pd.concat(alike))
    assert passing(both[0]).startswith("No size")


def test_split_is_held_against_shared_at_every_size_and_seed():
    shared = curve({32: (0.1, 0.2, 0.3), 64: (0.5, 0.5, 0.5)}, 3000)
    split = curve({32: (0.2, 0.1, 0.3), 64: (0.9, 0.9, 0.9), 128: (1.0,)}, 3000, split=True)
    found = [ALONE, shared, split]
    assert ahead_rows(found) == [("+ 3,000", 2, "4 of 6 pairs", "+0.20", "+0.40")]
    none = [replace(own, runs=own.runs[:0]) for own in found]
    assert ahead_rows(none) == []


def test_what_is_seen_before_a_verdict():
    shared, split = (curve({64: v}, 3000, split=k) for k, v in ((False, 0.2), (True, 0.6)))
    never = emerged_so_far({"P": [ALONE, curve(step(999), 3000)]})
    assert "at larger sizes" in never and "to memorize at no size up to d = 256" in never
    same = emerged_so_far({"P": [curve(step(64)), curve(step(64), 3000)]})
    assert "at larger sizes" not in same and "alone from d = 64 on" in same
    finer = curve({d: (1.0 if d >= 40 else 0.0) for d in (16, 32, 40, 64, 256)})
    coarse = curve({d: (1.0 if d >= 40 else 0.0) for d in (16, 32, 64, 256)}, 3000)
    assert "at larger sizes" not in emerged_so_far({"P": [finer, coarse]})  # a row of other sizes
    assert emerged_so_far({"P": [ALONE]}).startswith("no study")
    two = emerged_so_far({"P": [curve(step(64)), curve(step(128), 1200), curve(step(256), 2400)]})
    assert "with 1,200 points to memorize from d = 128 on, with 2,400" in two


def test_a_study_has_a_panel_for_each_amount_that_has_runs():
    """The first is there anyway; titles leave out what a caption says."""
    shown = panels({LONG: [curve(step(64)), curve(step(128), 1200)]})
    assert list(shown) == ["P = 59, two layers, + 1,200"]
    shown = panels({LONG: [curve(step(64)), curve(step(128), 2400)]})
    assert list(shown)[1] == "P = 59, two layers, + 2,400" and len(shown) == 2


def test_runs_that_had_it_and_lost_it_are_counted():
    own = curve({32: (0.95, 0.5, 0.1)}, 3000).runs
    own = own.assign(key=["stays", "falls", "never"])
    rows = [("stays", 0.95), ("falls", 0.97), ("falls", 0.5), ("never", 0.1)]
    evaluations = pd.DataFrame(rows, columns=["key", "val_accuracy"])
    assert fallen(own, evaluations) == "1 of the 2 runs that passed 0.9 end below it"


def test_the_seeds_that_suggested_a_test_are_told_apart():
    def own(split, last, best):
        found = runs({64: 0.0}, 5, memorize_size=1200).assign(split_mlp=split or None)
        found["val_accuracy"] = last
        found["key"] = [f"{split} {seed}" for seed in found["seed"]]
        curves = [(key, value) for key, one, two in zip(found["key"], last, best)
                  for value in (one, two)]  # fmt: skip
        return found, pd.DataFrame(curves, columns=["key", "val_accuracy"])

    shared = own(False, [0.1] * 5, [0.9, 0.1, 0.1, 0.1, 0.9])
    split = own(True, [0.5, 0.5, 0.5, 0.5, 0.05], [0.8] * 5)
    found, curves = (pd.concat(pair, ignore_index=True) for pair in zip(shared, split))
    said = new_seeds(found, curves)
    assert "in 3 of 5 seeds by the highest accuracy on the way, and in 4 of 5 by the last" in said
    assert "without them it is 1 of 2 and 1 of 2" in said
    assert "No seed" in new_seeds(found[~found["split_mlp"].eq(True)], curves)


def test_depth_is_held_against_as_many_parameters():
    """One layer × 128 has more of them than two × 48; a run counts by its highest on the way."""
    one, two, way = mixtures(one=0.3, two=0.8, way=0.99)
    rows = depth_rows(pd.concat([one, two]), way)
    assert [row[0] for row in rows] == ["1 × 32", "2 × 48", "1 × 128"]  # by parameters
    assert rows[1][2:] == (3, "3 of 3", "0.99", "0.80", "0.80")
    assert depth_words(pd.concat([one, two]), way).startswith("**More layers got there with fewer")
    for values in (dict(one=0.95, two=0.95, way=0.95), dict(one=0.3, two=0.3, way=0.3)):
        one, two, way = mixtures(**values)
        assert not depth_words(pd.concat([one, two]), way).startswith("**More layers")
    assert "No mixture" in depth_words(two, way)


def mixtures(one, two, way):
    """One layer × 32 and × 128, two × 48: final accuracies, and the highest of the latter."""
    small = runs({32: 0.01, 128: one}, memorize_size=1200)
    large = runs({48: two}, layers=2, memorize_size=1200)
    ends = dict(zip(small["key"], small["val_accuracy"])) | dict.fromkeys(large["key"], way)
    return small, large, pd.DataFrame({"key": [*ends], "val_accuracy": [*ends.values()]})


def test_the_papers_sizes_have_a_panel_once_a_gpu_has_trained_them(store, monkeypatch):
    """Of what is stored alone: the rest of some thousand hours is not missing in the figure."""
    monkeypatch.setenv("GROKKING_RESULTS", str(store.folder))
    deep = EXPERIMENTS["figure8"].base.lr

    def names(split):
        page = Page("tiny", lr=0.003, epochs=20_000, weight_decay=1.5)
        return scaled(page, [0, 1, 2], 20_000, deep, train=False, split=split)[1]

    assert PAPERS not in names(split=True)
    page = Page("tiny", lr=0.003, epochs=20_000, weight_decay=1.5)
    cells = page.cells("figure8", "figure10", seeds=[0], lr=deep)
    asked = [s for s in cells if s.d_model == 64 and s.memorize_size in (0, 3000)]
    store.add_many(jump(spec, 1.0) for spec in asked)
    for split in (True, False):
        studies = names(split)
        assert list(studies)[-1] == PAPERS
        shown = panels(studies, split)[f"{PAPERS}, + 3,000"]
        assert {"alone", "mixed"} <= set(shown)
        assert {d for drawn in shown.values() for _, d in drawn[2]} == {64}
