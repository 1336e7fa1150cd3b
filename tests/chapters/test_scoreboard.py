"""The scoreboard: a plain row for each takeaway that follows its verdict."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from lib.chapters.report import README
from lib.chapters.scoreboard import (
    COLOURS,
    ICONS,
    PLAIN,
    PREDICTED,
    _still_open,
    chapter_of,
    mark,
    opening,
    reason,
    score,
    scoreboard,
)
from lib.paper.claims import OPEN, VERDICTS, Claim, Verdict
from lib.paper.criteria.rules import Condition, Finding
from lib.paper.takeaways import BY_NAME
from lib.runs.store import Store


def test_every_takeaway_has_a_row_and_every_verdict_a_face():
    assert list(PLAIN) == [f"takeaway {i}" for i in range(1, 9)]
    assert set(ICONS) == set(COLOURS) == set(VERDICTS)


@pytest.mark.parametrize("name", [*PLAIN, *PREDICTED])
def test_the_reason_follows_the_verdict(name):
    said = {
        word: reason(Verdict(BY_NAME[name], word, None, 0, ["a run", "another"]))
        for word in VERDICTS
    }
    assert len(set(said.values())) == len(VERDICTS)
    wanted = len(set(BY_NAME[name].specs()))
    assert said["not enough runs"] == f"2 of {wanted:,} runs are missing."


def test_a_test_that_is_younger_than_its_runs_is_marked(tmp_path):
    """By the dates of the runs: the same claim on runs from before and from after the change."""
    claim = BY_NAME["takeaway 2"]
    verdict = Verdict(claim, "reproduced", None, 0, [])
    keys = [spec.key for spec in claim.specs()]

    def runs(year):
        return pd.DataFrame(dict(key=keys, timestamp=pd.Timestamp(f"{year}-01-01", tz="UTC")))

    assert (mark(verdict, runs(2025)), mark(verdict, runs(2036))) == ("†", "‡")
    assert not mark(Verdict(claim, "not enough runs", None, 0, keys), runs(2025))
    assert not mark(Verdict(BY_NAME["3,000: loss"], "undecided", None, 0, []), runs(2025))


def test_p1_says_which_half_is_known():
    claim = BY_NAME["P1: efficiency"]
    halves = [reason(Verdict(claim, "undecided", Finding(also=also), 0, []))
              for also in ({}, {"memorizing": "0.3"})]  # fmt: skip
    assert halves[0] != halves[1] and halves[1].startswith("Learning by heart takes a larger norm")


def test_a_claim_without_plain_words_opens_a_chapter():
    own = Claim("own", "A harder task (§4; ours)", "", (("nobody's", {}, 3),), lambda: None)
    assert reason(Verdict(own, "reproduced", None, 3, [])) == "This is reproduced."
    steps = Condition("times", 2.0, 1.0, 3.0, least=2, by_steps=True)
    told = opening([Verdict(own, "undecided", Finding((steps,)), 3, [])])
    assert "*A question of ours:* A harder task" in told
    assert "tried 1 to 3), required: ≥\N{NO-BREAK SPACE}2. *Required*: the range" in told
    assert "95%" not in told
    assert not replace(own, says="Hours of colours").ours
    with pytest.raises(KeyError, match="CHAPTERS which chapter shows nobody's"):
        chapter_of(own)


def test_what_other_runs_show_stands_for_a_finding():
    lacking = Verdict(BY_NAME["takeaway 6"], "not enough runs", None, 0, ["a run"])
    assert "**So far: it moves.**" in opening([lacking], "it moves.")
    assert "So far" not in opening([lacking])
    unsettled, settled = (
        opening([Verdict(lacking.claim, word, None, 0, [])], "it moves.")
        for word in ("undecided", "reproduced")
    )
    assert "So far" not in unsettled and unsettled.count("What is seen: it moves.") == 1
    assert "it moves" not in settled


def test_an_empty_store_has_eight_rows_and_no_verdict(tmp_path):
    rows = scoreboard(Store(tmp_path)).splitlines()[2:]
    assert len(rows) == 8 and all("not enough runs" in row for row in rows)
    assert "chapters/grokking_grid.ipynb" in scoreboard(Store(tmp_path), book=True)
    assert score(Store(tmp_path)) == "8 with not enough runs (1, 2, 3, 4, 5, 6, 7, 8)"


def test_the_readme_says_what_its_verdicts_say():
    """In today's words: `python -m lib claims --write` follows every change of them."""
    rows = [row.split("|")[1:-1] for row in README.read_text("utf-8").splitlines()]
    rows = [[cell.strip() for cell in row] for row in rows if row and row[0].strip().isdigit()]
    rows = [row for row in rows if len(row) == 4]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 9)]
    (headline,) = re.findall(r"takeaways, in our runs so far: (.*)\.", README.read_text("utf-8"))
    for number, word, _, why in rows:
        name, word = f"takeaway {number}", word.strip(f"†‡ {''.join(ICONS.values())}")
        told = word.replace("not enough runs", "with not enough runs")
        listed = re.search(rf"\d {told} \(([^)]*)\)", headline)
        assert listed and number in listed[1].split(", "), (number, told)
        if word != "not enough runs":  # that one counts runs
            said = reason(Verdict(BY_NAME[name], word, None, 0, []))
            found = re.fullmatch(rf"{re.escape(said)}( Open: .+\.)?", why)
            assert found and (word == OPEN or not found[1]), why


def test_what_is_open_is_named_beside_what_is_met():
    def conditions(**found):
        return [SimpleNamespace(says=says, holds=holds) for says, holds in found.items()]

    assert _still_open(conditions(a=None, b=True)) == "Open: a; the other one is met."
    told = _still_open(conditions(a=None, b=True, c=True, d=None))
    assert told == "Open: a, d; the other 2 conditions are met."
    assert _still_open(conditions(a=None, b=None)) == "Open: a, b."
