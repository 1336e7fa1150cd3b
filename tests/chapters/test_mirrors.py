"""Mirrored pairs: where they are answered without a rule, and how many runs owe all to them."""

import pandas as pd
import pytest

from lib.chapters.stories.descent import mirrors
from lib.paper.experiments import EXPERIMENTS


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
    assert "Of the 4 runs that end at 0.1 or above, 1 owes it to mirror images alone" in said
    assert mirrors.words(FOUND[:0]).startswith("*None of the runs")


def with_keys(frame):
    keys = [f"run {i}" for i in range(len(frame))]
    inside = dict(held_out_share=0.5, restricted_loss=1.0)
    return frame.assign(
        key=keys, train_accuracy=1.0, epoch=9, shown=True, modulus=113, **inside
    )


def test_seeds_that_were_looked_into_in_part_are_left_out():
    """They were chosen by how they end."""
    cells = ends(*((size, 32, seed, 0.5, 0.5) for size in (3000, 4000) for seed in (5, 6)),
                 (3000, 32, 0, 0.6, 0.02))  # fmt: skip
    assert set(mirrors.whole(with_keys(cells))["seed"]) == {5, 6}


def test_half_way_by_symmetry_or_by_a_rule():
    found = with_keys(ends(
        (3000, 32, 0, 0.6, 0.02),
        (3000, 36, 0, 0.5, 0.4),
        (3000, 40, 0, 0.0, 0.0),  # no rule
        (3000, 44, 0, 1.0, 1.0),  # the whole rule
        (3000, 8, 0, 0.5, 0.4),  # does not know its training set
        (3000, 48, 0, 0.5, 0.4),  # another training of it was looked into
    ))  # fmt: skip
    found.loc[found["d_model"] == 8, "train_accuracy"] = 0.7
    found.loc[found["d_model"] == 48, "shown"] = False
    found.loc[found["d_model"] == 32, ["held_out_share", "restricted_loss"]] = 0.1, 5.0
    runs = found.drop(columns=[*mirrors.KINDS, *mirrors.INSIDE])
    stuck = mirrors.half_way(runs, found)
    assert stuck["d_model"].tolist() == [32, 36, 48]
    assert set(mirrors.COLUMNS) <= set(stuck)
    near = mirrors.near_zero(runs, found)
    assert near["d_model"].tolist() == [40]
    said = mirrors.half_way_words(stuck, near)
    assert said.startswith("**1 of 2 runs that are half-way answer hardly more than mirror")
    assert "explains 0.30 of the variance" in said and "runs; 0.10 to 0.50; in the 1 runs" in said
    assert "end below 0.1: 0.50). " in said  # what all have here but one
    assert "1 of the 2 runs would" in said and "below 4.73); so would 1 of those 1." in said
    assert " 2 of 3 such runs were looked into." in said and "by epoch 9)" in said
    assert "0.55 of the mirror images right, and 0.21 of the others" in said
    alone = mirrors.half_way_words(stuck, near[:0])
    assert "runs; 0.10 to 0.50). " in alone and "(a loss below 4.73)." in alone
    assert "such runs" not in mirrors.half_way_words(stuck[:2], near)
    assert mirrors.half_way_words(stuck[2:], near).endswith("none of them was looked into.")
    assert mirrors.half_way_words(stuck[:0], near).startswith("No run of this figure knows")


class Kept:
    """A store of these runs."""

    def __init__(self, frame):
        self.frame = frame

    def runs(self):
        return self.frame


def told(monkeypatch, found, **more):
    """The front page's line on these measures of three runs of figure 3."""
    keys = [spec.key for spec in EXPERIMENTS["figure3"].specs([0])][: len(found)]
    found = found.assign(**{"key": keys, "last": True, "digest": keys, **more})
    monkeypatch.setattr(mirrors, "measures", lambda store: found)
    runs = found.drop(columns=[*mirrors.KINDS, *mirrors.INSIDE, "shown"]).assign(digest=keys)
    return mirrors.memorable(Kept(runs))


@pytest.mark.parametrize("symmetric, said", [(0, False), (1, False), (2, True), (3, True)])
def test_a_line_of_the_front_page_where_most_answer_mirror_images(monkeypatch, symmetric, said):
    kinds = [(0.6, 0.02)] * symmetric + [(0.5, 0.4)] * (3 - symmetric)
    found = with_keys(ends(*((3000, 32, seed, *kind) for seed, kind in enumerate(kinds))))
    line = told(monkeypatch, found)
    assert (f"Of 3 networks that know their sums and get some of the others right, {symmetric}"
            in line) == said == bool(line)  # fmt: skip
    assert told(monkeypatch, found, digest="of another training") == ""


def test_that_line_says_how_much_a_plus_b_explains(monkeypatch):
    """Beside networks that end near zero."""
    rows = [(3000, 32, seed, 0.6, 0.02) for seed in range(2)]
    found = with_keys(ends(*rows, (3000, 40, 0, 0.0, 0.0)))
    found.loc[2, "held_out_share"] = 0.03
    line = told(monkeypatch, found)
    assert line.startswith("**Half-way, $a + b$ is in the logits and hardly in the answers.**")
    assert "$a + b$ explains 50% of the variance" in line
    assert line.endswith("; in networks that end below 0.1, 3%.")
    found["held_out_share"] = 0.4
    line = told(monkeypatch, found[:2])
    assert line.startswith("**Half a rule is mostly symmetry.**") and "explains 40% of" in line
