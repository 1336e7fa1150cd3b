"""Mirrored pairs: where they are answered without a rule, and how many runs owe all to them."""

import pandas as pd

from lib.chapters.stories.descent import mirrors


def ends(*rows):
    columns = ["train_size", "d_model", "seed", "mirrored_accuracy", "unmirrored_accuracy"]
    frame = pd.DataFrame(rows, columns=columns)
    share = frame["train_size"] / 113**2
    own = frame["mirrored_accuracy"] * share + frame["unmirrored_accuracy"] * (1 - share)
    return frame.assign(val_accuracy=own)


FOUND = ends(
    (3000, 8, 0, 0.5, 0.5),
    (3000, 32, 0, 0.6, 0.02),  # 0.16 by symmetry alone
    (3000, 32, 1, 0.2, 0.02),  # the same, below 0.1
    (3000, 100, 0, 1.0, 1.0),
    (5000, 32, 0, 1.0, 0.9),
)


def test_the_widest_gap_and_what_symmetry_alone_gives():
    said = mirrors.words(FOUND)
    assert "with 3,000 points at width 32 (0.40 and 0.02)" in said
    assert "with 5,000 points at width 32 (1.00 and 0.90)" in said
    assert "Of the 4 runs that end at 0.1 or above, 1 owes it to symmetry alone" in said
    assert mirrors.words(FOUND[:0]).startswith("*No network")


def test_a_panel_for_each_training_size_has_both_kinds():
    panels = mirrors.curves(FOUND, [3000, 4000])
    assert list(panels) == [3000, 4000] and all(len(own) == 2 for own in panels.values())
    runs, value, *_ = panels[3000]["the others"]
    assert value == "unmirrored_accuracy" and len(runs) == 4
    assert runs.groupby("d_model")[value].mean()[32] == 0.02
