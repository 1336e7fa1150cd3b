"""What would settle an open claim: made-up verdicts, and intervals that more seeds do narrow."""

import itertools

import numpy as np
import pandas as pd
import pytest

from lib.chapters.stories.settling import hours_a_seed, outlook, seeds_to_settle, what_settles
from lib.paper.claims import Verdict
from lib.paper.criteria.rules import (
    Condition,
    Finding,
    clustered,
    envelope,
    jackknifed,
    mean,
    share,
    widened,
)
from lib.paper.takeaways import BY_NAME

WORDS = {True: "reproduced", False: "not reproduced", None: "undecided"}


def verdict(*conditions, claim="takeaway 5"):
    found = Finding(conditions)
    return Verdict(BY_NAME[claim], WORDS[found.holds], found, 660, [])


def scatter(middle, deviation, seeds=11):
    """So many values with this mean and deviation."""
    values = np.linspace(-1, 1, seeds)
    return middle + deviation * values / np.std(values, ddof=1)


def dip(middle, gap, t, n, conditions=1):
    """A dip of eleven seeds, 0.1 or more asked, whose interval reaches `gap` below its mean with
    n seeds (t: Student's quantile for these), or a little less."""
    values = scatter(middle, 0.999 * gap * n**0.5 / t)
    return mean("a dip", values, conditions, least=0.1)


def test_how_many_seeds_would_settle_it():
    """By tables of Student's t: 2.045 for 30 seeds at 97.5%; for two conditions, at 98.75%, 2.364,
    and 2.300 for 60 seeds."""
    alone = seeds_to_settle(verdict(dip(0.2, 0.1, 2.045, 30)))
    assert "The verdict has 11 seeds" in alone and "it would take some 30 seeds" in alone
    open_ = dip(0.2, 0.1, 2.364, 30, 2)
    assert "some 30 seeds" in seeds_to_settle(verdict(open_, mean("", [0.5, 0.51], 2, least=0.1)))
    low = dip(0.05, 0.05, 2.300, 60, 2)  # outside the range: this one alone settles it
    assert "some 60 seeds" in seeds_to_settle(verdict(open_, low))
    assert outlook(verdict(open_, low)).speaks == "against it"
    near = mean("a dip", scatter(0.1001, 0.2), least=0.1)
    assert "than anyone will train" in seeds_to_settle(verdict(near))


def test_all_that_are_open_have_to_come_clear():
    near, far = dip(0.2, 0.1, 2.364, 30, 2), dip(0.15, 0.05, 2.300, 60, 2)
    found = outlook(verdict(near, far))
    assert found.speaks == "for the claim" and found.seeds == (11, 60)
    assert found.condition.value == pytest.approx(0.15)


def test_of_several_sets_of_conditions_one_that_fails_settles_nothing():
    low, high = (mean("", scatter(middle, 0.2, 6), least=0.1) for middle in (0.05, 0.15))
    assert outlook(verdict(low)) and outlook(verdict(low, claim="takeaway 6")) is None
    assert outlook(verdict(high, claim="takeaway 6"))


def test_nothing_is_said_of_a_settled_claim():
    wide = mean("", scatter(0.2, 0.5), least=0.1)
    assert seeds_to_settle(verdict(mean("", [0.5, 0.51], least=0.1))) == ""
    assert seeds_to_settle(verdict(wide, mean("", scatter(0, 0.01), least=0.1))) == ""  # it fails
    lacking = Verdict(BY_NAME["takeaway 5"], "not enough runs", None, 0, [])
    assert seeds_to_settle(lacking) == ""


def test_where_it_is_not_known():
    wide, (few, cells) = (
        mean("", scatter(0.2, 0.5), least=0.1),
        (mean("", scatter(0.2, 2, n), least=0.1) for n in (4, 116)),
    )
    steps = Condition("between two sizes", 2, 1, 4, least=3, by_steps=True)
    nothing = Condition("", 0.2, np.nan, np.nan, least=0.1, draws=11, again=lambda n: (np.nan,) * 2)
    for other in (few, cells, steps, nothing):
        assert outlook(verdict(other)) is None
        assert outlook(verdict(wide)) and outlook(verdict(wide, other)) is None


def of_shares(k, n):
    return share("", np.arange(n) < k, 3, least=0.5)


@pytest.mark.parametrize("made", [
    lambda n: mean("", scatter(0.2, 0.5, n), 2, least=0.1),
    lambda n: jackknifed("", np.exp(np.tile(scatter(0, 0.5, 11), n // 11))[:, None],
                         lambda v: float(np.exp(np.log(v).mean())), least=0.1),
    lambda n: of_shares(8 * n // 11, n),
    lambda n: clustered("", [True, False] * n, np.repeat(np.arange(n), 2), "seeds", most=0.6),
    lambda n: widened(mean("", scatter(0.2, 0.5, n), least=0.1), 0.3),
    lambda n: envelope([of_shares(k * n // 11, n) for k in (7, 9)]),
])  # fmt: skip
def test_an_interval_again_is_that_of_as_many_values(made):
    """What eleven values say of 110 like them against ten times the same values."""
    few, many = made(11), made(110)
    assert few.draws == 11 and few.again(11) == pytest.approx((few.low, few.high))
    assert few.again(110) == pytest.approx((many.low, many.high), rel=0.02)


@pytest.mark.parametrize("k, least, conditions", [(10, 2 / 3, 1), (4, 1 / 3, 1), (8, 0.5, 3)])
def test_a_share_that_keeps_its_value_settles_about_then(k, least, conditions):
    found = share("runs", np.arange(11) < k, conditions, least=least)
    _, wanted = outlook(verdict(found)).seeds
    whole = (n for n in itertools.count(11, 11)
             if share("", np.arange(n) < k * n // 11, conditions, least=least).holds)  # fmt: skip
    assert next(whole) - 11 < wanted <= next(n for n in itertools.count(11, 11) if n >= wanted)


def test_a_seed_costs_what_its_cells_take_in_the_middle():
    claim = BY_NAME["takeaway 5"]
    specs = claim.specs()
    runs = pd.DataFrame(dict(key=[s.key for s in specs], wall_seconds=36.0, threads=2))
    runs["device"] = [None] * len(runs)  # an older file does not say
    cells = len({s.with_seed(0).key for s in specs})
    assert hours_a_seed(claim, runs) == pytest.approx(cells * 72 / 3600)
    runs.loc[0, "wall_seconds"] = 1e6  # one slow run does not count
    assert hours_a_seed(claim, runs) == pytest.approx(cells * 72 / 3600)
    first = specs[0].with_seed(0).key
    runs.loc[[s.with_seed(0).key == first for s in specs], "device"] = "a GPU"
    assert hours_a_seed(claim, runs) == pytest.approx(cells * 72 / 3600)  # as its task's others
    assert np.isnan(hours_a_seed(claim, runs.assign(device="a GPU")))


def test_the_table_has_the_cheapest_first_and_names_the_rest():
    claims = BY_NAME["takeaway 5"], BY_NAME["(64, 3000)"], BY_NAME["P2: weight decay, continued"]
    runs = pd.DataFrame([
        dict(key=s.key, device=device, wall_seconds=36.0, threads=1)
        for claim, device in zip(claims, ("cpu", "cpu", "a GPU")) for s in claim.specs()
    ]).drop_duplicates("key")  # fmt: skip
    open_ = mean("a dip", scatter(0.2, 0.999 * 0.1 * 30**0.5 / 2.045), least=0.1)
    five = mean("a dip", scatter(0.2, 0.2, 5), least=0.1)
    verdicts = [verdict(open_, claim=c.name) for c in claims[:2]]
    verdicts.insert(0, verdict(five, claim="P2: weight decay, continued"))
    verdicts += [verdict(mean("", [0.5, 0.51], least=0.1), claim="takeaway 1"),
                 verdict(mean("", [0.0, 0.4], least=0.1), claim="takeaway 2")]  # fmt: skip
    text = what_settles(verdicts, runs)
    first, second, last = (line for line in text.splitlines() if " a dip " in line)
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells == ["(64, 3000)", "a dip", "≥ 0.1", "11", "30", "0.2", "for the claim"]
    a_seed = len({s.with_seed(0).key for s in claims[0].specs()})
    assert f"| {19 * a_seed * 36 / 3600:.0f} |" in " ".join(second.split())
    assert last.startswith("| P2") and "| – |" in " ".join(last.split())  # a GPU alone had it
    assert "*takeaway 2*" in text and "takeaway 1" not in text
