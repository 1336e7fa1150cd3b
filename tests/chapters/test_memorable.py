"""The front page's lines: true of the verdict, and with its numbers."""

import itertools

import pandas as pd
import pytest

from lib.chapters.stories import memorable as story
from lib.paper.claims import VERDICTS, Verdict
from lib.paper.criteria import circuits
from lib.paper.criteria.rules import Condition, Finding
from lib.paper.takeaways import BY_NAME
from lib.runs.store import Store


def told(monkeypatch, tmp_path, finding, *words):
    """The lines where every claim has this finding, and a verdict by its name, else one of all."""
    given = dict(words)
    verdicts = [
        Verdict(BY_NAME[name], given.get(name, "not enough runs"), finding, 5, [])
        for name, *_ in story.LINES
    ]
    monkeypatch.setattr(story, "judge_named", lambda store, *names: verdicts)
    return story.memorable(Store(tmp_path))


def learned(at):
    """Three networks that have the rule from so many sums on."""
    rows = itertools.product((800, 1000, 1200, 2600, 2800), range(3))
    return pd.DataFrame(
        [(d, seed, float(d >= at)) for d, seed in rows],
        columns=["train_size", "seed", "val_accuracy"],
    ).assign(d_model=48)


def finding(*numbers):
    return Finding(tuple(Condition("of it", *number, most=0) for number in numbers))


@pytest.mark.parametrize(
    "name, verdict, found, words",
    [
        ("takeaway 1", "reproduced", finding((-1, -2, -0.5)), "50% (95%: 25% to 71%) of what"),
        ("takeaway 2", "reproduced", finding((1, 0.5, 2)), "2.0 (95%: 1.4 to 4.0) times"),
        ("3,000: dip", "reproduced", finding((0.4, 0.01, 0.75)), "0.40 (95%: 0.01 to 0.75) lower"),
        ("P2: weight decay", "reproduced", finding((9, 9, 9), (80, -237, 397)),
         "by 80 (at least 95%, gaps between the sizes tried included: −237 to 397) sums"),
        ("P3: ungrokking", "undecided",
         circuits.rule_is_lost(learned(0), learned(1000), learned(2700)),
         "down to 900 training sums; a new one needs 2,700."),
        ("P4: semi-grokking", "not reproduced", finding((0, 0, 0.17)),
         "0% (95%: 0% to 17%) of the networks"),
    ],
)  # fmt: skip
def test_a_line_has_its_finding_s_numbers(monkeypatch, tmp_path, name, verdict, found, words):
    (line,) = told(monkeypatch, tmp_path, found, (name, verdict)).splitlines()
    assert words in line and "[How](chapters/" in line


@pytest.mark.parametrize("name, true_of", [(name, true_of) for name, true_of, *_ in story.LINES])
def test_a_line_is_told_where_it_is_true_and_nowhere_else(monkeypatch, tmp_path, name, true_of):
    found = circuits.rule_is_lost(learned(0), learned(1000), learned(2700))
    for verdict in VERDICTS:
        lines = told(monkeypatch, tmp_path, found, (name, verdict))
        assert lines.startswith("* ") == (verdict in true_of)


def test_a_rule_that_takes_as_much_to_keep_is_not_said_to_live_on_less(monkeypatch, tmp_path):
    """The verdict asks only whether a rule goes."""
    found = circuits.rule_is_lost(learned(0), learned(1000), learned(900))
    assert told(monkeypatch, tmp_path, found, ("P3: ungrokking", "undecided")).startswith("*Noth")


def test_an_empty_store_has_no_line(tmp_path):
    assert story.memorable(Store(tmp_path)).startswith("*Nothing is decided")
