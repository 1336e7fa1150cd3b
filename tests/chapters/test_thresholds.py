"""Verdicts with another threshold: which change, and that nothing stays moved."""

import pandas as pd
import pytest
from worlds import BY_NAME, jump, store_with

from lib.analysis import dynamics
from lib.analysis.zones import critical
from lib.chapters.stories import thresholds
from lib.paper.claims import judge


def test_a_verdict_that_hangs_on_a_threshold_is_named(tmp_path):
    """All runs of one claim end at 0.93; those of another at 1."""
    claims = [BY_NAME[name] for name in ("(64, 3000)", "D_crit(64)", "takeaway 7", "d = 32")]
    low = dict(val=0.93)
    store = store_with(tmp_path, ["(64, 3000)"], lambda spec: low, seeds=11)
    store.add_many(jump(spec, 1.0) for spec in BY_NAME["d = 32"].specs())
    told = thresholds.hangs_on([judge(claim, store) for claim in claims], store)
    rows = [row.strip("|").split("|") for row in told.splitlines()[2:]]
    changed = {float(row[2]): row[3].strip() for row in rows if "generalized" in row[0]}
    assert changed == {0.9: "(64, 3000): not reproduced → reproduced", 0.99: "none"}
    assert all(row[3].strip() == "none" for row in rows if "dip" in row[0])
    assert len(rows) == sum(len(values) for *_, values in thresholds.MOVED)


def test_critical_sizes_move_with_what_counts_as_generalized():
    rows = [(1000, 0, 0.5), (2000, 0, 0.93), (3000, 0, 0.96)]
    runs = pd.DataFrame(rows, columns=["train_size", "seed", "val_accuracy"])
    assert critical.critical_size(runs) == 2500
    with thresholds._moved(dynamics, "GENERALIZED", 0.9):
        assert critical.critical_size(runs) == 1500
        assert set(critical.critical_samples(runs, 3)) == {1500}


def test_a_threshold_comes_back_whatever_happens():
    before = dynamics.ZERO
    with pytest.raises(KeyError), thresholds._moved(dynamics, "ZERO", 0.2):
        assert dynamics.ZERO == 0.2
        raise KeyError
    assert dynamics.ZERO == before
