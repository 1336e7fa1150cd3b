"""The critical size read in three ways: they agree where runs are clean, and part where not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from worlds import jump

from lib.analysis import dynamics
from lib.chapters.stories.descent import beyond, squared
from lib.paper.takeaways import BY_NAME

SIZES = (1000, 2000, 3000, 4000)


def rows(edge, seeds=3, best=None, d_model=32, bad=(), trained=1.0):
    """Runs that generalize from `edge` on, but for the sizes in `bad`."""
    made = []
    for seed in range(seeds):
        for size in SIZES:
            good = size >= edge and size not in bad
            end = 1.0 if good else 0.1
            made.append(
                dict(seed=seed, d_model=d_model, train_size=size, val_accuracy=end,
                     train_accuracy=1.0 if good or size < edge else trained,
                     best=1.0 if best and size in bad else end, key=f"{d_model} {size} {seed}")
            )  # fmt: skip
    return pd.DataFrame(made)


def means(square, add):
    return {name: shift[32].mean() for name, shift in squared.shifts(square, add).items()}


def test_clean_runs_read_alike():
    assert set(means(rows(3000), rows(2000)).values()) == {1000.0}
    assert set(means(rows(2000), rows(2000)).values()) == {0.0}


def test_a_failure_above_moves_the_verdicts_reading_only():
    fell = means(rows(2000, bad=(4000,), best=True), rows(2000))
    verdicts, best, first = fell.values()
    assert verdicts > 0 and best == first == 0
    slow = means(rows(2000, bad=(4000,)), rows(2000))
    assert slow["by the best on the way"] > 0 and list(slow.values())[2] == 0


def test_first_sizes_at_the_ends():
    found = squared.first_sizes(pd.concat([rows(1000, d_model=8), rows(9000, d_model=16)]))
    assert (found[8] == 1000).all() and found[16].isna().all()
    assert (squared.first_sizes(rows(3000))[32] == 2500).all()


def test_failures_tell_a_fall_from_slowness():
    text = squared.failures(rows(2000, bad=(4000,), best=True), 4000)
    assert text.startswith("3 of 3 runs with 4,000 points or more end below 0.95; 3 of these")
    assert text.endswith("in 0 training accuracy ends below 0.95, too")
    assert "; 0 of these" in (slow := squared.failures(rows(2000, bad=(4000,), trained=0.3), 4000))
    assert "in 3 training" in slow
    assert (
        squared.failures(rows(2000), 4000) == "0 of 3 runs with 4,000 points or more end below 0.95"
    )
    assert squared.failures(rows(2000).iloc[:0], 4000).startswith("0 of 0")


def test_rows_without_runs_have_dashes():
    none = squared.shifts(rows(2000).iloc[:0], rows(2000))
    assert cells(squared.shift_table(none, [32])) == [squared.VERDICTS, "–"]
    found = squared.shift_table(squared.shifts(rows(3000), rows(2000)), [32, 64])
    _, first, second = cells(found)
    assert first.startswith("+1,000 [") and second == "–"


def cells(table):
    """The first row of a Markdown table."""
    return [cell.strip() for cell in table.splitlines()[2].strip("|").split("|")]


def test_best_comes_from_the_curves():
    runs = rows(2000).drop(columns="best")
    curves = pd.DataFrame(dict(key=["32 1000 0"] * 2, val_accuracy=[0.7, 0.2]))
    found = dynamics.with_best(runs, curves).set_index("key")["best"]
    assert found["32 1000 0"] == pytest.approx(0.7)


def test_bits_and_the_ratio_of_capacities():
    assert squared.label_bits(3) == (2, pytest.approx(np.log2(3) - 2 / 3))
    rows = [(d, s, 0.5, 113**2, 113) for d in (8, 16) for s in range(3)]
    columns = ["d_model", "seed", "train_accuracy", "train_size", "modulus"]
    half = pd.DataFrame(rows, columns=columns)
    table, _ = squared.capacity_rows(half.assign(train_accuracy=1.0), half, [8, 16], 113)
    assert table[0][3].startswith("2.00")


def test_what_is_guessed_is_not_known():
    """Both know 40% and name the most frequent label for the rest."""
    rows = [(d, s, 113**2, 113) for d in (8, 16) for s in range(3)]
    add = pd.DataFrame(rows, columns=["d_model", "seed", "train_size", "modulus"])
    runs = [add.assign(train_accuracy=0.4 + 0.6 * k / 113) for k in (2, 1)]
    table, every = squared.capacity_rows(*runs, [8, 16], 113)
    *_, raw, known, seeds = table[0]
    assert raw.startswith("1.01") and known.startswith("1.00") and seeds == 3
    assert "over the 2 widths is 1.00 [" in every and "would give 1.17" in every


def test_a_gpus_runs_are_told_by_task(store):
    specs = BY_NAME["takeaway 6"].specs()
    hard, plain = (next(s for s in specs if s.task == task) for task in ("square", "add"))
    names = {"add": "a + b", "square": "(a + b)²"}
    store.add(jump(plain, 1.0))
    assert squared.trained_on(store, names) == ""
    store.add(replace(jump(hard, 1.0), device="a GPU"))
    assert "trained 0 of 1 for a + b and 1 of 1 for (a + b)²." in squared.trained_on(store, names)


def curve(values, seeds=4, size=3400):
    """Runs whose validation goes with width as `values` has it."""
    return pd.DataFrame([
        dict(seed=seed, d_model=d, train_size=size, val_accuracy=value)
        for seed in range(seeds) for d, value in values.items()
    ])  # fmt: skip


def test_dips_are_told_by_the_tests_measure_and_at_their_deepest():
    """Fixed widths: 0.8 before, 1 beyond, 0.3 inside; the deepest falls from 0.9 to 0.2."""
    deep = curve({8: 0.7, 16: 0.9, 28: 0.2, 36: 0.4, 48: 1.0, 100: 1.0})
    flat = curve({8: 0.7, 16: 0.9, 28: 1.0, 36: 1.0, 48: 1.0, 100: 1.0}, size=3000)
    widths = [8, 16, 28, 36, 48]
    both = beyond.dip_rows({"square": deep, "add": pd.concat([flat, deep])}, widths)
    assert [(name, size, seeds) for name, size, *_, seeds in both] == [
        ("add", "3,000", 4), ("square", "3,400", 4), ("add", "3,400", 4)]  # fmt: skip
    assert both[0][2].startswith("-0.20") and both[0][4] == "0.00"
    assert both[1][2].startswith("0.50") and both[1][4] == "0.70, width 16 to 28"
    assert beyond.dip_rows({"square": deep[deep["seed"] < 0]}, widths) == []
    none = [("square", "3,400", "–", "–", "–", 0)]
    assert beyond.dip_rows({"square": deep}, [24, *widths]) == none
    risen = curve({20: 0.9, 28: 0.2, 36: 0.4, 48: 1.0})
    (row,) = beyond.dip_rows({"square": risen}, [20, 28, 36, 48])  # nothing narrower: one dip
    assert row[2] == "–" and row[3].startswith("0.60")
    none = beyond.dips_seen({"square": deep}, [24, *widths])
    assert none == "* square: no seed has every width."
    assert beyond.dips_seen({"square": deep, "add": flat}, widths) == (
        "* square: mean accuracy over seeds falls and returns with 3,400 points (0.90 at width 16, "
        "0.20 at 28, up to 1.00 beyond).\n"
        "* add: mean accuracy over seeds dips by 0.00 at most with 3,000."
    )


def test_two_tasks_are_compared_seed_by_seed():
    """The first dips by 0.6 from d 20, the second not, in each seed but for a shift of its own."""
    one, other = (curve({8: 0.9, 20: 0.9, 28: low, 36: low, 48: 1.0}) for low in (0.3, 0.9))
    shift = one["seed"].map({0: 0, 1: -0.2, 2: 0.1, 3: 0.1})
    one, other = (own.assign(val_accuracy=own["val_accuracy"] + shift) for own in (one, other))
    told = beyond.paired({"square": one, "add": other}, [8, 20, 28, 36, 48])
    assert told.replace("\xa0", " ") == (
        "at 3,400 +0.60 [+0.60, +0.60] from d 8–20, +0.60 [+0.60, +0.60] from d 20 (4 seeds)"
    )
    assert "d 8–20" not in beyond.paired({"square": one, "add": other}, [20, 28, 36, 48])
    assert beyond.paired({"square": one, "add": other[:0]}, [20]) == "no size has both"


def test_new_seeds_are_shown_at_their_size_to_who_asks_for_all():
    assert beyond.seeds_of(3600, list(range(11))) == list(range(5, 11))
    assert beyond.seeds_of(3400, list(range(11))) == list(range(5, 13))
    assert beyond.seeds_of(3400, [0, 4]) == [0, 4]
    assert beyond.seeds_of(3400, [0, 5, 6]) == [5, 6]


def test_how_wide_a_valley_is():
    low = curve({8: 0.05, 16: 0.9, 28: 0.04, 36: 0.05, 48: 1.0})
    (row,) = squared.deepest_rows({"square": low}, [8, 16, 28, 36, 48])
    assert row[0] == "square" and row[-2:] == ("28, 36", 4)  # not 8, before the peak
    (row,) = squared.deepest_rows({"square": low}, [8, 16, 28, 36, 48, 64])  # no seed has 64
    assert row[-2:] == ("–", 0)
