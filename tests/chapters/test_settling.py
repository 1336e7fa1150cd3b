"""What would settle an open claim: made-up verdicts, and intervals that more seeds do narrow."""

import numpy as np
import pandas as pd
import pytest

from lib.chapters.stories.settling import outlook, seeds_to_settle, what_settles
from lib.paper.claims import Verdict
from lib.paper.criteria.rules import Condition, Finding, clustered, mean, share, widened
from lib.paper.takeaways import BY_NAME

WORDS = {True: "reproduced", False: "not reproduced", None: "undecided"}


def verdict(*conditions, draws=11, claim="takeaway 5", **more):
    found = Finding(tuple(
        Condition("a dip", *values, least=0.1, draws=draws, **more) for values in conditions
    ))  # fmt: skip
    return Verdict(BY_NAME[claim], WORDS[found.holds], found, 660, [])


def around(middle, gap, few, many, n):
    """An interval of 11 seeds that comes clear of `middle` less `gap` with n."""
    half = 0.999 * gap * (few / 11**0.5) / (many / n**0.5)  # a little narrower: n will do
    return middle, middle - half, middle + half


def test_how_many_seeds_would_settle_it():
    """By tables of Student's t: 2.228 for 11 seeds and 2.045 for 30 at 97.5%; for two conditions,
    at 98.75%, 2.634, 2.364 and, for 60 seeds, 2.300."""
    alone = seeds_to_settle(verdict(around(0.2, 0.1, 2.228, 2.045, 30)))
    assert "The verdict has 11 seeds" in alone and "it would take some 30 seeds" in alone
    open_ = around(0.2, 0.1, 2.634, 2.364, 30)
    assert "some 30 seeds" in seeds_to_settle(verdict(open_, (0.5, 0.3, 0.7)))
    low = around(0.05, 0.05, 2.634, 2.300, 60)  # outside the range: this one alone settles it
    assert "some 60 seeds" in seeds_to_settle(verdict(open_, low))
    assert outlook(verdict(open_, low)).speaks == "against it"
    assert "than anyone will train" in seeds_to_settle(verdict((0.1001, 0.0, 0.2)))


def test_all_that_are_open_have_to_come_clear():
    near, far = around(0.2, 0.1, 2.634, 2.364, 30), around(0.15, 0.05, 2.634, 2.300, 60)
    found = outlook(verdict(near, far))
    assert found.speaks == "for the paper" and found.seeds == (11, 60)
    assert found.condition.value == 0.15


def test_what_shrinks_is_the_side_of_the_limit():
    """A share's interval is wider on one side; the other may reach as far as it will."""
    one, other = ((0.2, 0.05, high) for high in (0.25, 0.9))
    assert outlook(verdict(one)).seeds == outlook(verdict(other)).seeds


def test_nothing_is_said_of_a_settled_claim():
    assert seeds_to_settle(verdict((0.3, 0.2, 0.4))) == ""
    assert seeds_to_settle(verdict((0.2, 0.0, 0.4), (0.0, -0.1, 0.05))) == ""  # it fails
    lacking = Verdict(BY_NAME["takeaway 5"], "not enough runs", None, 0, [])
    assert seeds_to_settle(lacking) == ""


@pytest.mark.parametrize("more", [
    dict(draws=4),  # their scatter is hardly known
    dict(draws=0),
    dict(draws=116),  # cells, and not seeds
    dict(by_steps=True),  # between two sizes tried
])  # fmt: skip
def test_where_more_seeds_would_not_settle_it(more):
    assert outlook(verdict((0.2, 0.0, 0.4), **more)) is None
    assert outlook(verdict((0.2, 0.0, 0.4), (0.2, np.nan, np.nan))) is None


def test_draws_are_what_an_interval_rests_on():
    hits = [True] * 8 + [False] * 3
    assert share("", hits).draws == 11
    assert clustered("", hits * 2, [*range(11)] * 2, "seeds").draws == 11
    found = mean("", [0.1, 0.2, 0.3, np.nan], least=0)
    assert found.draws == 3 and widened(found, 1.0).draws == 0


def test_a_share_that_keeps_its_value_settles_about_then():
    """The estimate against the exact interval of so many runs: 10 of 11, two thirds asked."""
    found = Finding((share("runs", [True] * 10 + [False], least=2 / 3),))
    _, wanted = outlook(Verdict(BY_NAME["(64, 3000)"], "undecided", found, 11, [])).seeds
    sure = next(n for n in range(11, 100)
                if share("", np.arange(n) < round(n * 10 / 11), least=2 / 3).holds)  # fmt: skip
    assert abs(wanted - sure) <= 4


def test_the_table_has_the_cheapest_first_and_names_the_rest():
    claims = BY_NAME["takeaway 5"], BY_NAME["(64, 3000)"]
    runs = pd.DataFrame([
        dict(key=s.key, device=device, wall_seconds=seconds, threads=1)
        for claim in claims for s in claim.specs()
        for device, seconds in [("cpu", 36.0), ("a GPU", 9999.0)]
    ])  # fmt: skip
    open_ = around(0.2, 0.1, 2.228, 2.045, 30)
    verdicts = [verdict(open_, claim=c.name) for c in claims]
    verdicts += [verdict((0.3, 0.2, 0.4), claim="takeaway 1"),
                 verdict((0.2, 0, 0.4), draws=2, claim="takeaway 2")]  # fmt: skip
    text = what_settles(verdicts, runs)
    first, second = (line for line in text.splitlines() if " a dip " in line)
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells == ["(64, 3000)", "a dip", "≥ 0.1", "11", "30", "0.2", "for the paper"]
    a_seed = len({s.with_seed(0).key for s in claims[0].specs()})
    assert f"| {19 * a_seed * 36 / 3600:.0f} |" in " ".join(second.split())
    assert "*takeaway 2*" in text and "takeaway 1" not in text
