"""The command `search`: a race that trains in batches and ends when the winner is known."""

import pytest
from click.testing import CliRunner
from made_up import fake_run
from worlds import jump

from lib.cli.main import main
from lib.cli.search import _without
from lib.paper.experiments import EXPERIMENTS
from lib.paper.race import standings as race
from lib.runs.store import Store
from lib.sweeps.sweep import Report

GOOD, BAD = (1e-3, 2.0), (1e-3, 0.5)
PERFECT = {(32, 4000), (64, 3000)}
ZERO = {(24, 2600), (32, 2600), (40, 2600), (64, 2600), (100, 2600)}


@pytest.fixture
def two(monkeypatch):
    """A search of two recipes; its runs, by recipe."""
    every = [s for n in ("search", "search_wide") for s in EXPERIMENTS[n] if s.beta2 == 0.98]
    recipes = {r: [s for s in every if (s.lr, s.weight_decay) == r] for r in (GOOD, BAD)}
    for where in ("lib.paper.race.standings.specs", "lib.cli.search.specs"):
        monkeypatch.setattr(where, lambda: [s for own in recipes.values() for s in own])
    monkeypatch.setattr("lib.cli.options.machine_rate", lambda *_, **__: lambda width: 1e9)
    return recipes


@pytest.fixture
def trained(monkeypatch):
    """What is trained, batch by batch: a stand-in for `sweep`, under which GOOD does as asked."""

    class Batches(list):
        broken = ()  # widths that cannot be trained
        elsewhere = False  # another search stores the runs

    batches = Batches()

    def sweep(specs, store, *, budget_s, first, **_):
        assert [spec for own in first for spec in own] == specs  # in the order of the race
        batches.append(specs)
        if budget_s <= 0:
            return Report(left=len(specs))
        bad = [spec for spec in specs if spec.d_model in batches.broken]
        for spec in [spec for spec in specs if spec not in bad]:
            zero = (spec.d_model, spec.train_size) in ZERO or (spec.task, spec.d_model) == (
                "square",
                24,
            )
            val = 0.05 if zero else 1.0 if (spec.d_model, spec.train_size) in PERFECT else 0.5
            worse = (spec.lr, spec.weight_decay) == BAD
            store.add(jump(spec, val=0.5 - val / 2 if worse else val))
        failed = [f"{spec.label()}: no" for spec in bad]
        done = 0 if batches.elsewhere else len(specs) - len(bad)
        return Report(done=done, failed=failed, left=len(bad))

    monkeypatch.setattr("lib.cli.search.sweep", sweep)
    return batches


def call(tmp_path, *more):
    return CliRunner().invoke(main, ["search", "--results", str(tmp_path), "--jobs", "1", *more])


def test_it_ends_when_nothing_else_can_win(two, trained, tmp_path):
    result = call(tmp_path)
    assert result.exit_code == 0, result.output
    stored = Store(tmp_path).keys()
    assert all(spec.key in stored for spec in two[GOOD])
    assert 0 < sum(spec.key in stored for spec in two[BAD]) < 16
    assert "0 of 2 recipes lack runs and may still come to first place" in result.output
    assert "place 1 is taken: lr 0.001, wd 2, product" in result.output and len(trained) > 3
    assert f"{sum(map(len, trained))} runs trained and stored" in result.output
    before = len(trained)
    assert call(tmp_path).exit_code == 0 and len(trained) == before  # nothing more to do


def test_a_dry_run_and_a_spent_budget_train_nothing(two, trained, tmp_path):
    result = call(tmp_path, "--dry-run", "--measure")
    assert result.exit_code == 0 and not trained
    assert "if all their 64 runs are needed" in result.output
    assert "2 of 2 recipes" in call(tmp_path, "--budget", "0s").output
    assert len(trained) == 1 and not Store(tmp_path).keys()


def test_a_run_that_fails_does_not_end_the_race(two, trained, tmp_path):
    """It is said at the end; the others are trained, and it is tried once."""
    trained.broken = (8,)
    result = call(tmp_path)
    assert result.exit_code == 1 and "runs failed, the first: add d=8" in result.stderr
    tried = [spec for batch in trained for spec in batch]
    assert len(tried) == len(set(tried))
    stored = Store(tmp_path).keys()
    assert all((spec.key in stored) == (spec.d_model != 8) for spec in two[GOOD])


def test_a_run_of_the_leader_that_fails_leaves_the_others_in_the_race():
    """What it could still have come to is nothing that others have to beat."""
    leader = race.Racer(("a",), 0.5, ("failed",), 0.05)
    other = race.Racer(("b",), 0.3, ("one", "two"), 0.2)
    assert race.in_the_race([leader, other]) == [leader, other]
    assert race.next_runs(_without({"failed"}, [leader, other])) == ["one"]
    assert race.next_runs(_without({"one"}, [leader, other]), at_once=9) == ["failed", "two"]


def test_it_goes_on_where_another_search_stores_its_runs(two, trained, tmp_path):
    trained.elsewhere = True
    result = call(tmp_path)
    assert result.exit_code == 0 and len(trained) > 3
    assert "0 of 2 recipes lack runs" in result.output


def test_a_sweep_that_fails_ends_the_race(two, tmp_path, monkeypatch):
    monkeypatch.setattr("lib.cli.search.sweep", lambda *_, **__: Report(fatal="no space"))
    result = call(tmp_path)
    assert result.exit_code == 1 and result.stderr.strip().endswith("error: no space")


def test_what_an_interrupted_search_has_stored_is_not_missing(two, tmp_path, monkeypatch):
    def sweep(specs, store, **_):
        store.add_many(map(fake_run, specs))
        return Report(done=len(specs), interrupted=True)

    monkeypatch.setattr("lib.cli.search.sweep", sweep)
    result = call(tmp_path)
    assert result.exit_code == 130 and "3 runs trained" in result.output
    assert "61 still missing" in result.output
