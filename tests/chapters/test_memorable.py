"""The front page's lines: each from the numbers of a verdict, none without."""

import itertools

import pandas as pd
import pytest

from lib.chapters.memorable import LINES, memorable
from lib.paper.criteria import circuits
from lib.paper.criteria.rules import Condition, Finding
from lib.runs.store import Store


def finding(*numbers, says="runs (0 of 20)", note=""):
    """A finding of conditions with these values and ends."""
    ends = dict(least=-600, most=600)
    made = (Condition(says, value, low, high, **ends) for value, low, high in numbers)
    return Finding(tuple(made), note)


@pytest.mark.parametrize(
    "name, found, words",
    [
        ("takeaway 1", finding((-1, -2, -0.5)), ": from 50% (95%: 25% to 71%) of them"),
        ("takeaway 2", finding((1, 0.5, 2)), "2.0 (95%: 1.4 to 4.0) times"),
        ("3,000: dip", finding((0.4, 0.01, 0.75)), "is 0.40 (95%: 0.01 to 0.75) lower"),
        (
            "P2: weight decay",
            finding((9, 9, 9), (80, -237, 397)),
            "by 80 (95%: −237 to 397) sums.",
        ),
        (
            "P4: semi-grokking",
            finding((0, 0, 0.1)),
            "of 20 networks near the critical size, 0 stay",
        ),
    ],
)
def test_a_line_has_its_finding_s_numbers(name, found, words):
    assert words in LINES[name][1](found)


def test_the_rule_is_kept_where_it_is_not_found():
    """Read in the words of the claim's own finding: they must go on fitting."""

    def learned(at):
        rows = itertools.product((800, 1000, 1200, 2600, 2800), range(3))
        return pd.DataFrame(
            [(d, seed, float(d >= at)) for d, seed in rows],
            columns=["train_size", "seed", "val_accuracy"],
        ).assign(d_model=48)

    found = circuits.rule_is_lost(learned(0), learned(1000), learned(2700))
    words = LINES["P3: ungrokking"][1](found)
    assert "keeps it on as few as 900 training sums; a new one needs 2,700." in words


def test_a_claim_without_runs_has_no_line(tmp_path):
    assert memorable(Store(tmp_path)) == "*No run is stored.*"
