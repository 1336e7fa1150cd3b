"""The law's picture and words, and what the chapter says of a network's hidden units."""

import re

import numpy as np
import pandas as pd
import pytest

from lib.analysis.growth import fit_law
from lib.chapters.export import MEANING
from lib.chapters.stories.mixtures import growth, two_tasks
from lib.chapters.stories.mixtures.curves import Curve
from lib.circuits.mlp import STEPS
from lib.figures.mixtures import SHARED, SPLIT, emergent_width
from lib.figures.mixtures import two_tasks as drawn
from lib.spec import RunSpec

WIDTHS = (16, 32, 64, 128, 256)


def study(power):
    """Curves whose seeds turn at 24 alone and later with more, shared and split."""
    found, curves = [], []
    for amount in growth.AMOUNTS:
        for split in (False, True) if amount else (False,):
            rows = []
            for d in WIDTHS:
                for seed in range(3):
                    turn = (24 + 6 * seed) * (1 + amount / 2651) ** (power / (1 + split))
                    key = f"{amount}-{split}-{d}-{seed}"
                    rows.append((key, amount, split or None, d, seed, float(d >= turn)))
                    curves += [(key, epoch, float(d >= turn) * epoch) for epoch in (0, 1)]
            names = ["key", "memorize_size", "split_mlp", "d_model", "seed", "val_accuracy"]
            runs = pd.DataFrame(rows, columns=names).assign(train_size=3000, modulus=113)
            runs["device"] = "a GPU" if amount == 250 else "cpu"
            runs["engine"] = "numba-bf16x6" if amount == 500 else "numba"
            found.append(Curve(f"+ {amount}", amount, split, runs, (RunSpec(),)))
    return found, pd.DataFrame(curves, columns=["key", "epoch", "val_accuracy"])


def random_labels():
    rows = [(d, s, min(1, 5 * d**1.5 / 6441)) for d in (8, 16, 32) for s in (0, 1)]
    frame = pd.DataFrame(rows, columns=["d_model", "seed", "train_accuracy"])
    return frame.assign(train_size=113**2, modulus=113)


def test_the_law_is_drawn_and_said_with_its_interval():
    found, curves = study(5)
    shared = growth.turns_of(found, curves, split=False)
    law = fit_law(shared)
    text = growth.words(found, curves, random_labels())
    assert f"{law.power:.1f} [{law.low:.1f}, {law.high:.1f}]" in text
    assert "With a split one: with 125 points" in text and "38% more facts make it" in text
    assert "fits better is not shown" in text
    assert "0, 125, 1,000 on a processor" in text and "250 on a GPU" in text
    assert "500 on a processor with bf16x6 products" in text
    assert "fits better" not in growth.words(found[:-2], curves, random_labels())
    unknown = growth.words(found, curves, random_labels()[:0])
    assert f"{law.power:.1f} [" in unknown and "without figure 4" in unknown
    assert "alone 32 to 64;" in text and "with 1,000 points to memorize 128 to 256" in text
    figure = growth.picture(found, curves, random_labels())
    (ax,) = figure.axes
    bars = [line for line in ax.lines if line.get_linewidth() == 3 and len(line.get_xdata())]
    assert len(bars) == 15 + 12  # three seeds of five amounts, and the split ones
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert labels == {"shared MLP, a seed", "split MLP, a seed", "law", "capacity = all data",
                      "the least and the largest power (95%)"}  # fmt: skip
    table = growth.rows(found, curves)
    assert set(table) <= set(MEANING) and len(table) == 15 + 12


def test_amounts_that_follow_no_power_are_said_to():
    """Every seed turns at 24, whatever the amount, but for 250: at 128."""
    found, curves = study(0)
    for curve in found:
        if curve.amount == 250:
            runs = curve.runs
            runs["val_accuracy"] = (runs["d_model"] >= 128).astype(float)
            values = runs.set_index("key")["val_accuracy"]
            own = curves["key"].isin(values.index)
            curves.loc[own, "val_accuracy"] = curves.loc[own, "key"].map(values)
    assert "fits these seeds better than any power of the facts" in growth.words(
        found, curves, random_labels()
    )


def test_what_lies_beyond_is_an_arrow_and_said():
    found, curves = study(30)
    text = growth.words(found, curves, random_labels())
    assert "3 of 3 beyond 256" in text
    shown = {"a": (growth.turns_of(found, curves, False), SHARED)}
    shown["b"] = (growth.turns_of(found, curves, True), SPLIT)
    (ax,) = emergent_width(shown, None, None).axes
    arrows = [line for line in ax.lines if line.get_marker() == "^"]
    beyond = sum(np.isinf(rows["high"]).sum() for rows, _ in shown.values())
    assert len(arrows) == beyond > 0


@pytest.mark.parametrize(
    "ends, said",
    [([(192, np.inf), (128, np.inf)], "2 of 2 beyond 128"),
     ([(128, 192), (16, np.inf)], "192, 1 of 2 beyond 16"),
     ([(64, 96), (0, 192)], "≤ 96 to 192"),
     ([(0, 16), (0, 16)], "≤ 16"),
     ([(64, 96), (48, 64)], "64 to 96")],
)  # fmt: skip
def test_widths_of_seeds_that_are_not_all_there_yet(ends, said):
    own = pd.DataFrame(ends, columns=["low", "high"], dtype=float)
    assert growth._of_amount(125, own) == f"with 125 points to memorize {said}"


def test_one_amount_is_no_law_yet():
    found, curves = study(5)
    assert "no law yet" in growth.words(found[:1], curves, random_labels())


@pytest.fixture
def inside():
    ends = dict(ablated_val=[1.0] * 5 + [0.5] * 4, ablated_memorize=[1.0] * 4 + [0.25] * 5,
                spared_val=[1.0] * 4 + [0.125] * 5, spared_memorize=[1.0] * 9)  # fmt: skip
    rows = [
        dict(seed=seed, epoch=epoch, last=epoch == 9, shown=seed == 0, val_accuracy=epoch / 9,
             memorize_accuracy=1.0, held_out_share=0.5, **ends)
        for seed in (0, 1) for epoch in (0, 9)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    return {"shared MLP": frame.iloc[:0].assign(split_mlp=None),
            "split MLP": frame.assign(split_mlp=True)}  # fmt: skip


def test_what_units_are_for_is_said_and_drawn(inside):
    text = re.sub(" *\\| *", "|", two_tasks.halves(inside))
    assert "|shared MLP|not looked into|" in text
    assert "|split MLP, seeds 0–1|held-out addition|1.00|1.00|0.12|" in text
    assert "|split MLP, seeds 0–1|random pairs|1.00|0.25|1.00|" in text
    assert text.endswith("a seed need not end alike in both.") and "\n1 of these 2 networks" in text
    figure = drawn(inside)
    *_, last = figure.axes
    assert max(len(line.get_xdata()) for line in last.lines) == STEPS
    table = two_tasks.without_units(inside)
    assert len(table) == 2 * 2 * STEPS and set(table) <= set(MEANING)
    assert table["units_off"].max() == 1
    assert two_tasks.without_units({"shared MLP": inside["shared MLP"]}).empty
