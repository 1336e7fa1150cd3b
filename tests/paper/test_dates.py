"""Tests are older than the runs they judge, where a claim says so; what was changed is told."""

import ast
import os
import subprocess
from dataclasses import astuple, dataclass

import history
import pandas as pd
import pytest

from lib.chapters.tables import changes
from lib.paper import search
from lib.paper.claims import VERDICTS, specs_of
from lib.paper.recipe import BASE
from lib.paper.search import SENTENCES
from lib.paper.takeaways import BY_NAME, CLAIMS
from lib.runs.store import Store

ALONE = dict(task=("add",), d_model=(32,), n_layers=(2,))
OLD = {spec.key for spec in specs_of("emergent_depth_long", ALONE, 3)}
"""Runs that takeaway 7 shares with an older study: addition alone, 2 × 32."""

LATER = [claim for claim in CLAIMS if claim.later]
needs_history = pytest.mark.skipif(not history.whole(), reason="no history, or a part of it")


@needs_history
@pytest.mark.parametrize("claim", LATER, ids=lambda claim: claim.name)
def test_the_test_is_older_than_its_runs_or_its_change_is_told(claim):
    needs = [need for need in claim.needs if need[0] in claim.later]
    keys = {spec.key for need in needs for spec in specs_of(*need) if spec.key not in OLD}
    runs = Store(history.ROOT / "results").runs()
    first = runs[runs["key"].isin(keys)]["timestamp"].min()
    told = pd.to_datetime(changes().query("claim == @claim.name")["time"], utc=True)
    where = history.place(claim.judge)
    since = max([first, *told[told > first]])  # NaT, without a run, is not older than anything
    assert pd.isna(first) or history.unchanged_since(since, claim.name, *where), (
        f"{claim.name}: its words, {where[1]} of {where[0]} or a constant that it reads changed "
        f"after its runs of {since:%F %T}: commit that, then add a row to "
        "lib/paper/criteria/changes.csv (CONTRIBUTING.md has its columns)"
    )


def test_takeaway_6_gives_way_to_its_test_on_new_seeds():
    """Whatever that says: a promise of its criterion, made before its runs."""
    late, stored = BY_NAME["a harder task, new seeds"], Store(history.ROOT / "results").keys()
    whole = all(spec.key in stored for spec in late.specs())
    assert not whole or BY_NAME["takeaway 6"].judge is late.judge


@needs_history
def test_changes_name_commits_of_this_history():
    for commit, time in changes()[["commit", "time"]].drop_duplicates().itertuples(index=False):
        assert history.git("show", "-s", "--format=%cI", commit).strip() == time


@needs_history
def test_what_the_search_asks_is_older_than_its_runs_but_for_a_first_arm():
    """Its commit says so, and the recipe page: one seed of seven recipes was known."""
    commit, wanted = "818fe2f", {"SEEDS_OF_PAPER", "Sentence", "_zero", "_perfect", "_some"}
    file = "search.py"  # of lib, at the time
    tree = ast.parse(history.git("show", f"{commit}:lib/{file}"))

    def named(node):
        return {getattr(node, "name", None), *(t.id for t in getattr(node, "targets", ()))}

    tree.body = [n for n in tree.body if named(n) & {*wanted, "SENTENCES"}]
    then = {"dataclass": dataclass}
    exec(compile(tree, commit, "exec"), then)
    first, asked = ([astuple(one)[1:] for one in all_] for all_ in (then["SENTENCES"], SENTENCES))
    assert len(asked) == 19 and asked == first  # all but the words

    keys = {spec.key for grid in search.grids(BASE) for spec in grid}
    runs = Store(history.ROOT / "results").runs()
    runs = runs[runs["key"].isin(keys)]
    time = pd.Timestamp(history.git("show", "-s", "--format=%cI", commit).strip())
    old = runs[runs["timestamp"] < time]
    assert set(old["seed"]) == {1000} and len(old) < len(runs) / 2
    assert len(old[["lr", "weight_decay"]].drop_duplicates()) <= 7 and (old["beta2"] == 0.98).all()


def test_changes_are_told_in_the_words_of_verdicts():
    table = changes()
    assert {*table["before"], *table["after"]} <= set(VERDICTS)
    assert set(table["claim"]) <= set(BY_NAME) and table.notna().all(axis=None)


def test_a_change_after_a_run_is_seen(tmp_path):
    """A made-up history: a test, a new layout, another test; a run between each two."""
    words, file = tmp_path / history.WORDS[0], tmp_path / "judge.py"
    words.parent.mkdir(parents=True)
    words.write_text('CLAIMS = (Claim("a claim", "says", judge),)\n')

    def commit(text, year):
        file.write_text(text)
        date = f"{year}-01-01T00:00:00Z"
        author = dict(GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date, HOME=str(tmp_path))
        names = ("-c", "user.name=a", "-c", "user.email=a@b")
        for line in (("init", "-q"), ("add", "-A"), (*names, "commit", "-qm", "x")):
            subprocess.run(["git", *line], cwd=tmp_path, check=True, env=os.environ | author)

    commit("def judge(runs):\n    return runs > 1\n", 2020)
    commit("def judge(runs):\n    return (runs > 1)  # the same\n", 2021)
    run = [pd.Timestamp(f"{year}-06-01", tz="UTC") for year in (2019, 2020, 2021, 2022)]

    def same(when):
        return history.unchanged_since(when, "a claim", "judge.py", "judge", tmp_path)

    assert [same(when) for when in run] == [False, True, True, True]
    commit("def judge(runs):\n    return runs > 2\n", 2022)
    assert [same(when) for when in run] == [False, False, False, True]
    helped = "{}\n\ndef limit():\n    return LIMIT\n\ndef judge(runs):\n    return runs > limit()\n"
    commit(helped.format("LIMIT = OTHER = 3"), 2021)
    assert same(run[3])
    commit(helped.format("LIMIT = OTHER = 4"), 2023)  # a limit that a helper reads
    assert not same(run[3]) and same(pd.Timestamp("2023-06-01", tz="UTC"))
    commit(helped.format("LIMIT = OTHER = 4\nUNREAD = 5"), 2024)
    assert same(pd.Timestamp("2023-06-01", tz="UTC"))
    then = pd.Timestamp("2025-06-01", tz="UTC")
    for before, after in (
        ("LIMIT, OTHER = 1, 2", "LIMIT, OTHER = 2, 2"),
        ("LIMIT: float = 1", "LIMIT: float = 2"),
        ("HALF = 1\nLIMIT = 2 * HALF", "HALF = 2\nLIMIT = 2 * HALF"),
    ):
        commit(helped.format(before), 2025)
        assert same(then)
        commit(helped.format(after), 2026)
        assert not same(then)
    limits = words.parent.parent / "limits.py"
    for imports, limit in (
        ("from lib.limits import LIMIT as OTHER", "LIMIT = OTHER"),
        ("from lib import limits", "def unread():\n    pass\n\nLIMIT = 2 * limits.LIMIT"),
    ):
        limits.write_text("HALF = 1\nLIMIT = 2 * HALF\nUNREAD = 1\n")
        commit(helped.format(f"{imports}\n{limit}"), 2025)
        limits.write_text("HALF = 1\nLIMIT = 2 * HALF\nUNREAD = 2\n")
        commit(helped.format(f"{imports}\n{limit}"), 2026)
        assert same(then)
        limits.write_text("HALF = 2\nLIMIT = 2 * HALF\nUNREAD = 2\n")
        commit(helped.format(f"{imports}\n{limit}"), 2026)
        assert not same(then)
    words.write_text('CLAIMS = (Claim("a claim", "says more", judge),)\n')
    assert not same(run[3])
