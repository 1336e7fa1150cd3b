"""The emergent size, its bounds, and the claims on mixtures: each verdict can come out."""

from math import inf

import made_up
import pandas as pd
import pytest
from worlds import BY_NAME, runs, store_with

from lib.analysis.emergence import (
    Size,
    below,
    emergent_size,
    longer,
    n_parameters,
    paired,
    sizes,
    times,
    times_words,
)
from lib.chapters.page import Page
from lib.chapters.stories.mixtures.curves import curves, just_below, panel, study
from lib.chapters.stories.mixtures.rows import emergent_rows, longer_rows
from lib.paper.claims import judge
from lib.paper.experiments import EXPERIMENTS
from lib.spec import RunSpec


def test_progression_is_not_emergence():
    """Small sizes pass, larger ones fail again: only the last rise counts."""
    found = emergent_size(runs({8: 0.95, 16: 0.97, 32: 0.1, 64: 0.92, 128: 1.0}))
    assert (found.d_model, found.bound) == (64, "")
    assert below(runs({8: 0.95, 16: 0.97, 32: 0.1, 64: 0.92})).d_model == 32


def test_the_best_of_three_seeds_counts_and_only_of_three():
    values = {32: (0.1, 0.2, 0.3), 64: (0.1, 0.2, 0.95), 128: (1.0, 1.0, 1.0)}
    assert emergent_size(runs(values)).d_model == 64
    table = sizes(runs(values)).set_index("d_model")
    assert table.loc[64, "best"] == 0.95 and table.loc[64, "mean"] == pytest.approx(1.25 / 3)
    values[256] = (0.0, 0.1)  # two seeds: does not count
    assert emergent_size(runs(values)).d_model == 64
    assert emergent_size(runs({32: (1.0, 1.0)})) is None
    assert emergent_size(runs({32: 1.0}).iloc[:0]) is None


def test_a_run_that_diverged_has_no_ability():
    lost = float("nan")
    some = runs({32: 0.1, 64: (lost, lost, 1.0), 128: 1.0, 256: (lost, lost, lost)})
    assert str(emergent_size(some)) == "> 256"
    assert sizes(some).set_index("d_model").loc[64, "mean"] == pytest.approx(1 / 3)
    assert paired(runs({64: 0.5}), some)["other"].tolist() == [0.0, 0.0, 1.0]


def test_bounds():
    never, always = runs({32: 0.1, 64: 0.8}), runs({32: 0.95, 64: 1.0})
    assert str(emergent_size(never)) == "> 64" and emergent_size(never).bound == ">"
    assert str(emergent_size(always)) == "≤ 32"
    assert below(always) is None and below(never).d_model == 64
    deep = pd.concat([runs({64: 0.1}), runs({64: 1.0}, layers=4)])
    assert str(emergent_size(deep)) == "4 × 64"


def test_ratios_keep_what_is_not_known():
    """The one lies above 2,000 parameters and up to 4,000, the other above 500 and up to 1,000."""
    small, large = Size(1, 32, 1000, "", 500, 24), Size(1, 64, 4000, "", 2000, 48)
    assert times_words(large, small) == "2 to 8"
    assert times_words(Size(1, 64, 4000, ">", 4000, 64), small) == "≥ 4"
    always = Size(1, 32, 1000, "≤")
    assert times_words(large, always) == "≥ 2"
    assert times_words(Size(1, 64, 4000, "≤"), small) == "≤ 8"
    assert times_words(large, Size(1, 32, 1000, ">", 1000, 32)) == "≤ 4"
    assert times_words(Size(1, 64, 4000, "≤"), always) == "–"


def test_a_size_says_since_when_the_ability_is_there():
    assert Size(2, 48, 60000).since == "from 2 layers × 48 on"
    assert Size(1, 256, 850000, ">").since == "at no size up to d = 256"
    assert Size(1, 8, 1700, "≤").since == "from the smallest tried, d = 8, on"


def test_the_paper_s_factor_is_the_ratio_of_its_ends():
    ends = n_parameters(64, 1, mixed=True), n_parameters(1024, 8, mixed=True)
    assert 1400 < ends[1] / ends[0] < 2000  # "about 1570 times": its model differs a little
    assert n_parameters(16, 1, 13, mixed=True) == 12 * 16**2 + 5 * 16 + (16 + 4 + 13) * 16


def test_pairs_are_of_one_size_and_seed():
    one, other = runs({32: (0.5, 0.6), 64: (1.0,)}), runs({32: (0.1, 0.3, 0.9)})
    table = paired(one, other)
    assert table["one"].tolist() == [0.5, 0.6] and table["other"].tolist() == [0.1, 0.3]


def test_longer_is_the_same_cell():
    base = RunSpec(task="multitask", memorize_size=300)
    made = longer(base, Size(2, 64, 1))
    assert [s.seed for s in made] == [0, 1, 2]
    assert {(s.d_model, s.n_layers, s.epochs) for s in made} == {(64, 2, 5 * base.epochs)}


# ---- claims ----------------------------------------------------------------------------


def paper_s(spec):
    """A world in which section 5 holds: alone from 64, mixed from 256, split from 128."""
    at = 64 if not spec.memorize_size else 128 if spec.split_mlp else 256
    return dict(val=1.0 if spec.d_model >= at else 0.02)


def one_step(spec):
    """Alone from 64, mixed from 128: between 1 and 4.5 times the parameters."""
    return dict(val=1.0 if spec.d_model >= (128 if spec.memorize_size else 64) else 0.02)


def never(spec):
    return dict(val=1.0 if not spec.memorize_size and spec.d_model >= 64 else 0.02)


def no_matter(spec):
    return dict(val=1.0 if spec.d_model >= 64 else 0.02)


def by_amount(spec):
    return dict(val=1.0 if spec.d_model >= (256 if spec.memorize_size > 3000 else 64) else 0.02)


def coarser(spec):
    """Alone's own outcomes whatever the mixture: from 40 on, which it has no size for."""
    return dict(val=1.0 if spec.d_model >= 40 else 0.02)


def bounded(small):
    """Emergent sizes "≤ 32" with 3,000 points, `small` with 6,000."""
    return lambda s: dict(val=1.0 if s.d_model >= (32 if s.memorize_size == 3000 else small) else 0)


def beyond(spec):
    """128 with 3,000 points, and "> 256", so more than twice that, with 6,000."""
    return dict(val=1.0 if spec.memorize_size == 3000 and spec.d_model >= 128 else 0.02)


def deep(alone, mixed, split=(9, 9)):
    """A world with depth: each curve passes from one (n_layers, d_model) on."""

    def outcome(spec):
        at = split if spec.split_mlp else mixed if spec.memorize_size else alone
        return dict(val=1.0 if (spec.n_layers, spec.d_model) >= at else 0.02)

    return outcome


def two_amounts(less, more):
    """Mixtures that pass from one width on with 1,200 points, from another with 2,400."""
    return lambda s: dict(val=float(s.d_model >= (more if s.memorize_size > 1200 else less)))


def split_in(seeds):
    """The split MLP does better in so many of sixteen seeds."""
    return lambda s: dict(val=0.5 if s.split_mlp else 0.4 if s.seed < seeds else 0.6)


WORLDS = [
    ("takeaway 7", deep((2, 24), (2, 48)), "reproduced"),  # 3.1 to 5 times the parameters
    ("takeaway 7", deep((2, 24), (2, 44)), "undecided"),  # 2.6 to 4.3 times
    ("takeaway 7", deep((2, 16), (9, 9)), "undecided"),  # does not return
    ("takeaway 7", deep((2, 32), (2, 44)), "not reproduced"),  # 1.5 to 2.3 times
    ("emergence with depth", deep((2, 32), (4, 128)), "reproduced"),
    ("emergence with depth", deep((2, 32), (2, 64)), "undecided"),  # 1 to 12 times the parameters
    ("emergence with depth", deep((2, 32), (9, 9)), "undecided"),  # does not return
    ("emergence with depth", deep((2, 64), (2, 64)), "undecided"),  # up to four times
    ("emergence with depth", deep((2, 64), (2, 32)), "not reproduced"),
    ("takeaway 8", split_in(13), "reproduced"),
    ("takeaway 8", split_in(12), "undecided"),
    ("takeaway 8", split_in(4), "undecided"),
    ("takeaway 8", split_in(3), "not reproduced"),
    ("emergence, twice to memorize", deep((2, 28), (2, 72)), "reproduced"),  # 3.2 to 5.9 times
    ("emergence, twice to memorize", deep((2, 28), (2, 96)), "reproduced"),  # 5.9 to 14 times
    ("emergence, twice to memorize", deep((2, 28), (2, 52)), "undecided"),  # 2.3 to 3.2 times
    ("emergence, twice to memorize", deep((2, 28), (9, 9)), "undecided"),  # does not return
    ("emergence, twice to memorize", deep((2, 28), (2, 36)), "not reproduced"),  # 2.1 at most
    # with 1,200 points from 44 on, as was known
    ("amount, in two layers", two_amounts(44, 44), "reproduced"),  # up to 1.2 times the width
    ("amount, in two layers", two_amounts(44, 72), "reproduced"),  # 1.2 to 1.8 times
    ("amount, in two layers", two_amounts(44, 96), "undecided"),  # 1.7 to 2.3 times
    ("amount, in two layers", two_amounts(44, 36), "undecided"),  # or far below 36
    ("amount, in two layers", two_amounts(44, 97), "not reproduced"),  # more than 2.2 times
    ("split at modulus 59", paper_s, "undecided"),
    ("emergence at modulus 113", paper_s, "reproduced"),
    ("emergence at modulus 113", one_step, "undecided"),
    ("emergence at modulus 113", never, "undecided"),
    ("emergence at modulus 113", no_matter, "not reproduced"),
    ("emergence at modulus 113", coarser, "not reproduced"),
    ("emergence at modulus 113", lambda spec: dict(val=0.0), "undecided"),
    ("emergence at modulus 59", paper_s, "reproduced"),
    ("amount of memorization data", paper_s, "reproduced"),
    ("amount of memorization data", by_amount, "not reproduced"),
    ("amount of memorization data", never, "undecided"),
    ("amount of memorization data", bounded(64), "undecided"),
    ("amount of memorization data", bounded(128), "not reproduced"),
    ("amount of memorization data", beyond, "not reproduced"),
]


@pytest.mark.parametrize("name, world, word", WORLDS)
def test_every_verdict_can_come_out(tmp_path, name, world, word):
    found = judge(BY_NAME[name], store_with(tmp_path, [name], world))
    assert found.verdict == word, found.finding
    assert not found.missing


def on_the_way(spec, val=0.02):
    """Alone from 64; the mixture reaches 0.93 at 128 and loses it, and stays from 256 on."""
    mixed = spec.memorize_size > 0
    peak = 0.93 if mixed and spec.d_model == 128 else val
    end = 1.0 if spec.d_model >= (256 if mixed else 64) else val
    return made_up.run(spec, [0, spec.epochs // 2, spec.epochs],
                       val_accuracy=[0, max(peak, end), end])  # fmt: skip


def test_a_claim_holds_only_by_every_reading(tmp_path):
    """Levels up to 0.9 say 128 on the way, the last accuracy and 0.95 say 256."""
    name = "emergence at modulus 113"
    found = judge(BY_NAME[name], store_with(tmp_path, [name], lambda spec: {}, on_the_way))
    assert found.verdict == "undecided"
    factor = found.finding.conditions[0]
    low = n_parameters(64, mixed=True) / n_parameters(64, mixed=True)
    high = n_parameters(256, mixed=True) / n_parameters(56, mixed=True)
    assert (factor.low, factor.high) == pytest.approx((low, high))
    assert "mixed from d = 128 (3 of 8 readings)" in found.finding.note
    assert "mixed from d = 256 (5 of 8 readings)" in found.finding.note


def test_a_factor_is_between_what_the_sizes_allow(tmp_path):
    """Alone lies in (56, 64], the mixture in (128, 256]: one number would say too much."""
    claim = BY_NAME["emergence at modulus 113"]
    factor = judge(claim, store_with(tmp_path, [claim.name], paper_s)).finding.conditions[0]
    assert factor.low == n_parameters(128, mixed=True) / n_parameters(64, mixed=True)
    assert factor.high == n_parameters(256, mixed=True) / n_parameters(56, mixed=True)
    factor = judge(claim, store_with(tmp_path / "n", [claim.name], never)).finding.conditions[0]
    assert factor.high == float("inf") and factor.holds is True


def test_a_size_lies_between_what_fails_and_what_does_not():
    found = emergent_size(runs({32: 0.1, 64: 0.2, 128: 1.0}))
    assert found.span == (n_parameters(64, mixed=True), n_parameters(128, mixed=True))
    assert emergent_size(runs({32: 0.1})).span == (n_parameters(32, mixed=True), float("inf"))
    assert emergent_size(runs({32: 1.0})).span == (0, n_parameters(32, mixed=True))
    a, b = Size(1, 64, 400, "", 200), Size(1, 32, 100, "≤")
    assert times(a, b) == (2, float("inf")) and times(b, a) == (0, 0.5)


# ---- what the chapters show ------------------------------------------------------------


def test_a_study_as_curves_and_rows(tmp_path):
    grid = EXPERIMENTS["emergent_59"]
    store = store_with(tmp_path, ["emergence at modulus 59", "split at modulus 59"], paper_s)
    found = curves(store.runs(), grid.specs())
    assert [(c.amount, c.split) for c in found] == [
        (0, False), (300, False), (300, True), (1200, False), (1200, True),
    ]  # fmt: skip
    assert list(panel(found, 300)) == ["alone", "mixed", "mixed, split MLP"]
    assert list(panel(found, 1200, split=False)) == ["alone", "mixed"]
    rows = {row[0]: row for row in emergent_rows(found, store.curves())}
    assert str(rows["alone"][1]) == "64" and str(rows["+ 300"][1]) == "256"
    assert float(rows["+ 300"][3].split(" to ")[1]) > 10
    assert "+ 1,200" not in rows  # which has no run
    wanted = just_below(found)
    assert [(c.label, size.d_model) for c, size, _ in wanted] == [
        ("alone", 48), ("+ 300", 128), ("+ 300 split", 64),
    ]  # fmt: skip
    long = pd.concat([runs({48: 0.95}, key="x")] * 1)
    long["key"] = [spec.key for spec in wanted[0][2]]
    long["modulus"] = 59

    def so(cell, highest=0.0):
        """The first curve's row: the highest on the way and the verdict."""
        ends = cell[["key", "val_accuracy"]]
        way = ends.assign(val_accuracy=cell["val_accuracy"].clip(lower=highest))
        rows = longer_rows(wanted, cell, pd.concat([way, ends]))
        return rows and rows[0][-2:]

    assert so(long.iloc[:0]) == []
    assert so(long) == ("0.950", "later")
    assert so(long.iloc[:1]) == ("0.950", "later, 1 of 3 seeds trained")
    long["val_accuracy"] = 0.5
    assert so(long) == ("0.500", "not by then either")
    assert so(long.iloc[:1]) == ("0.500", "1 of 3 seeds trained")
    assert so(long, 0.97) == ("0.970", "on the way only")
    assert so(long.iloc[:1], 0.97) == ("0.970", "on the way only, 1 of 3 seeds trained")


def test_a_size_by_the_best_on_the_way_is_no_larger():
    own = runs({32: 0.2, 64: 0.3, 128: 0.95})
    specs = [RunSpec(d_model=d, train_size=2600, seed=s) for d in (32, 64, 128) for s in range(3)]
    own["key"] = [s.key for s in specs]
    tops = (0.2, 0.2, 0.2, 0.3, 0.97, 0.3, 0.95, 0.95, 0.95)
    evaluations = pd.DataFrame(
        dict(key=s.key, epoch=epoch, val_accuracy=v)
        for s, top, last in zip(specs, tops, own["val_accuracy"], strict=True)
        for epoch, v in ((0, 0.0), (5000, top), (6000, last))
    )
    found = curves(own, specs)
    ((label, last, *_, highest),) = emergent_rows(found, evaluations)
    assert (label, str(last), str(highest)) == ("alone", "128", "64")
    assert emergent_rows(curves(own.iloc[:0], specs), evaluations) == []


def test_cells_between_count_only_where_they_are_stored(tmp_path, monkeypatch):
    store = store_with(tmp_path, ["emergence at modulus 59", "split at modulus 59"], paper_s)
    monkeypatch.setenv("GROKKING_RESULTS", str(store.folder))
    whole, _ = study(Page("test"), "emergent_59", seeds=[0, 1, 2])
    assert whole.wanted == len(EXPERIMENTS["emergent_59"].specs([0, 1, 2]))
    between, found = study(Page("test"), "emergent_113", seeds=[0, 1, 2], more=["emergent_59"])
    cells = len(EXPERIMENTS["emergent_113"].specs([0, 1, 2]))
    assert between.wanted == cells + len(whole.runs) > cells
    assert sum(len(c.runs) for c in found) == len(whole.runs)


def test_the_second_look_widens_the_interval(tmp_path):
    """13 of 16: at 95% it would begin at 0.544."""
    store = store_with(tmp_path, ["takeaway 8"], split_in(13))
    (found,) = judge(BY_NAME["takeaway 8"], store).finding.conditions
    assert found.low == pytest.approx(0.508, abs=1e-3)


def test_takeaway_7_asks_for_all_that_it_says(tmp_path):
    name = "takeaway 7"
    found = judge(BY_NAME[name], store_with(tmp_path, [name], deep((2, 24), (2, 48)))).finding
    assert [(c.least, c.most) for c in found.conditions[::2]] == [(3, inf), (-inf, 0.5)]
    assert found.conditions[1].most == n_parameters(64, 2, 59, mixed=True)


def test_the_same_accuracy_in_both_is_no_gain(tmp_path):
    """Of the split MLP, seed by seed: a tie is not ahead."""
    name = "takeaway 8"
    same = judge(BY_NAME[name], store_with(tmp_path, [name], lambda spec: dict(val=0.5)))
    assert same.finding.conditions[0].value == 0
