"""What chapters say of mixtures: from whole grids, over equal sizes, never past a bound."""

from dataclasses import replace

import pandas as pd
import pytest
from worlds import runs

from lib.analysis.emergence import n_parameters
from lib.chapters.stories.mixture_rows import emergent_rows, price, steps, until_then
from lib.chapters.stories.mixtures import Curve
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
    assert str(emergent_rows([ALONE, same])[1][3]) == "1"  # times alone
    assert str(emergent_rows([ALONE, same])[0][1]) == "40"  # alone is shown with all its sizes


def test_times_alone_is_over_the_sizes_that_both_have():
    """The mixture's own extra size must not make it emerge later than alone can."""
    filled = curve(step(64, (*WIDTHS, 96)) | {96: 0.02}, 3000, widths=(32, 64, 96, 128, 256))
    assert str(emergent_rows([ALONE, filled])[1][1]) == "128"  # its own size counts 96
    assert str(emergent_rows([ALONE, filled])[1][3]) == "1"


def test_how_low_it_stays_until_then():
    assert until_then([ALONE, curve(step(256), 3000)]) == "best seed from 0.02 to 0.02 in 2 cells"
    assert until_then([ALONE, curve(step(999), 3000)]).endswith("in 3 cells")
    nothing = "no such size tried with three seeds"
    assert until_then([ALONE, curve(step(64), 3000)]) == nothing  # nothing lies in between
    assert until_then([curve(step(999)), curve(step(999), 3000)]) == until_then([]) == nothing


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
