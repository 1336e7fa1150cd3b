"""What chapters say of mixtures: from whole grids, over equal sizes, never past a bound."""

from dataclasses import replace

import pandas as pd
import pytest
from worlds import runs

from lib.analysis.emergence import n_parameters
from lib.chapters.mixture_sentences import NOTHING, emerges_later, split_is_smaller, stays_low
from lib.chapters.stories.mixtures import Curve, emergent_rows, price, steps
from lib.chapters.tables import check_table
from lib.paper.claims import OPEN
from lib.spec import RunSpec

WIDTHS = (32, 64, 128, 256)
FINE = (28, 32, 36, 40, 44, 48, 56, *WIDTHS[1:])


def curve(values, amount=0, split=False, widths=WIDTHS, seeds=3):
    """A curve whose study asks for `widths`; values: as in `worlds.runs`."""
    label = f"+ {amount}" if amount else "alone"
    asked = tuple(RunSpec(d_model=d) for d in widths)
    own = runs(values, seeds, memorize_size=amount)
    return Curve(label, amount, split, own, asked, frozenset((1, d) for d in widths))


def step(at, widths=WIDTHS, low=0.02):
    """A world in which addition emerges at a width."""
    return {d: 1.0 if d >= at else low for d in widths}


ALONE = curve(step(40, FINE), widths=FINE)


def test_a_mixture_without_effect_does_not_emerge_later():
    """Alone's own outcomes, at the mixture's widths: a coarser grid is not an effect."""
    same = curve(step(40), 3000)
    text, verdict = emerges_later([ALONE, same])
    assert verdict is False and text == "with 3,000: d = 64, alone d = 64"
    assert str(emergent_rows([ALONE, same])[1][3]) == "1"  # times alone
    assert str(emergent_rows([ALONE, same])[0][1]) == "40"  # alone is shown with all its sizes


def test_times_alone_is_over_the_sizes_that_both_have():
    """The mixture's own extra size must not make it emerge later than alone can."""
    filled = curve(step(64, (*WIDTHS, 96)) | {96: 0.02}, 3000, widths=(32, 64, 96, 128, 256))
    assert str(emergent_rows([ALONE, filled])[1][1]) == "128"  # its own size counts 96
    assert str(emergent_rows([ALONE, filled])[1][3]) == "1"


@pytest.mark.parametrize(
    "mixed, verdict",
    [(step(128), True), (step(999), True), (step(32), False), (step(64), False)],
)
def test_later_where_the_sizes_say_so(mixed, verdict):
    assert emerges_later([ALONE, curve(mixed, 3000)])[1] is verdict


def test_a_missing_cell_or_seed_is_not_enough():
    two = curve({32: 0.02, 64: 0.02}, 3000)  # "> 64", but 128 and 256 are missing
    assert emerges_later([ALONE, two]) == ("with 3,000: d > 64, alone d = 64", None)
    seed = curve(step(128) | {256: (1.0, 1.0)}, 3000)
    assert emerges_later([ALONE, seed])[1] is None
    part = curve({d: v for d, v in step(40, FINE).items() if d < 128}, widths=FINE)
    assert emerges_later([part, curve(step(128), 3000)])[1] is None
    assert emerges_later([ALONE, curve(step(128), 3000), two])[1] is None
    none = replace(two, runs=two.runs[:0])
    assert emerges_later([ALONE, none]) == (NOTHING, None)
    assert emerges_later([ALONE]) == (NOTHING, None) and emerges_later([]) == (NOTHING, None)


def test_bounds_decide_only_what_they_can():
    never = step(999)
    assert emerges_later([curve(never), curve(never, 3000)])[1] == OPEN
    assert emerges_later([curve(step(32)), curve(step(32), 3000)])[1] == OPEN
    assert emerges_later([curve(never), curve(step(64), 3000)])[1] is False
    found = [ALONE, curve(step(128), 1000), curve(step(64), 3000)]
    assert emerges_later(found)[1] is False  # one amount is enough to contradict
    found = [curve(step(32)), curve(step(128), 1000), curve(step(32), 3000)]
    assert emerges_later(found)[1] == OPEN


def test_a_split_curve_of_filled_cells_alone_is_not_enough():
    """Split with 6,000 points is only filled in; "≤ 256" says nothing against "= 64"."""
    shared = curve(step(64), 6000)
    filled = curve({256: 1.0}, 6000, True, widths=())
    assert split_is_smaller([ALONE, shared, filled], 6000)[1] is None
    whole = curve(step(32), 6000, True, widths=())
    assert split_is_smaller([ALONE, shared, whole], 6000) == ("split d ≤ 32, shared d = 64", True)


def test_a_filled_cell_half_stored_takes_nothing_away():
    shared = curve(step(128), 3000)
    split = curve(step(64) | {96: (1.0,)}, 3000, True)
    assert split_is_smaller([shared, split], 3000) == ("split d = 64, shared d = 128", True)


def test_split_where_bounds_leave_it_open():
    pairs = {(999, 999): OPEN, (32, 32): OPEN, (64, 999): True, (999, 64): False, (64, 64): False}
    for (split, shared), verdict in pairs.items():
        found = [curve(step(shared), 3000), curve(step(split), 3000, True)]
        assert split_is_smaller(found, 3000)[1] == verdict
    assert split_is_smaller([curve(step(64), 3000)], 3000) == (NOTHING, None)


def test_how_low_it_stays():
    text, verdict = stays_low([ALONE, curve(step(256), 3000)])
    assert verdict is True and "in 2 cells" in text  # 64 and 128
    assert stays_low([ALONE, curve(step(256, low=0.3), 3000)])[1] is False
    assert stays_low([ALONE, curve(step(999), 3000)])[0].endswith("in 3 cells")
    assert stays_low([ALONE, curve({64: 0.02, 128: 0.02}, 3000)])[1] is None
    assert stays_low([ALONE, curve(step(64), 3000)])[1] == OPEN  # nothing lies in between
    assert stays_low([curve(step(999)), curve(step(999), 3000)])[1] == OPEN
    assert stays_low([])[1] is None


def test_steps_are_those_of_the_sizes_that_count():
    def words(small, big):
        factor = n_parameters(big, mixed=True) / n_parameters(small, mixed=True)
        return f"a factor of up to {factor:.2g} in parameters"

    assert steps([ALONE, curve(step(64), 3000)]) == words(128, 256)
    filled = {d: 0.0 for d in (32, 48, 64, 96, 128, 192, 256)}
    assert steps([curve(filled, 3000)]) == words(128, 192) != words(128, 256)
    assert steps([curve(filled | {192: (0.0,)}, 3000)]) == words(128, 256)  # one seed
    none = curve({32: (0.0,)}, 3000)  # no size counts yet: those that are asked for
    assert steps([none]) == words(128, 256)


def test_the_price_of_a_run_is_by_its_operations():
    """At the speed of the widest runs on a processor, whatever narrower ones or a GPU did."""
    specs = [RunSpec(d_model=32), RunSpec(d_model=64), RunSpec(d_model=64, seed=1)]
    rows = [
        dict(key=s.key, d_model=s.d_model, epoch=s.epochs // 2, epochs=s.epochs, device=device,
             wall_seconds=100.0, threads=1)
        for s, device in zip(specs, ("cpu", "cpu", "GPU X"))
    ]  # fmt: skip
    own = replace(ALONE, specs=tuple(specs), runs=pd.DataFrame(rows))
    seconds, width = price(RunSpec(d_model=64), [own])
    assert width == 64 and seconds == pytest.approx(200)  # the stored one did half its epochs
    assert price(RunSpec(d_model=128), [own])[0] > 2.5 * seconds
    assert (
        price(RunSpec(), [replace(own, runs=own.runs[:0])]) is None and price(RunSpec(), []) is None
    )


def test_an_undecided_row_is_not_a_missing_one():
    table = check_table([("a", "b", None), ("c", "d", OPEN), ("e", "f", True)])
    assert "| c | d | undecided |" in table and "| a | b | not enough runs |" in table
