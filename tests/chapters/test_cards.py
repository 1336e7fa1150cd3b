"""Cards of verdicts: the picture says where the interval lies, the words what was decided."""

import math
import re
from html import escape

from lib.chapters.scoreboard import CHAPTERS, chapter_of
from lib.chapters.stories.cards import axis, cards
from lib.paper.claims import Verdict
from lib.paper.criteria.rules import Condition, Finding
from lib.paper.takeaways import BY_NAME, CLAIMS
from lib.paths import ROOT


def numbers(svg, part, *names):
    found = re.search(rf"<{part}[^>]*>", svg)[0]
    return [float(re.search(rf'\b{name}="([-\d.]+)"', found)[1]) for name in names]


def test_an_interval_lies_in_the_picture_where_it_lies():
    for low, high, inside in ((0.6, 0.9, True), (0.1, 0.3, False)):
        svg = axis(Condition("a share", 0.5, low, high, least=0.5))
        x, width = numbers(svg, 'rect class="range"', "x", "width")
        x1, x2 = numbers(svg, "line x1", "x1", "x2") if "<line x1" in svg else (0, 0)
        assert x1 < x2
        assert (x <= x1 and x2 <= x + width) == inside
        assert ">0.5<" in svg and "a share" in svg


def test_a_number_known_from_one_side_reaches_the_edge_and_one_unknown_is_not_drawn():
    svg = axis(Condition("times as many", 30, 30, math.inf, least=3))
    assert numbers(svg, "line x1", "x2") == [312]
    assert axis(Condition("times as many", math.nan, math.nan, math.nan, least=3)) == ""


def test_a_card_says_verdict_claim_numbers_and_chapter():
    claim = BY_NAME["takeaway 1"]
    finding = Finding((Condition("power of d", -0.3, -0.4, -0.2, most=0),), "a < b")
    html = cards([Verdict(claim, "reproduced", finding, 385, [])])
    assert html.index("verdict-word") < html.index(claim.says)  # the verdict first, on a phone too
    assert (
        'data-verdict="reproduced"' in html
        and "385 runs" in html
        and "figure3, 5 seeds" in html
        and "a &lt; b" in html
    )
    assert 'href="grokking_grid.html"' in html and escape(claim.criterion) in html
    missing = cards([Verdict(claim, "not enough runs", None, 0, [1, 2])])
    assert "2 of 385 runs are missing" in missing and "<svg" not in missing


def test_every_claim_leads_to_a_chapter():
    for claim in CLAIMS:
        assert (ROOT / "notebooks" / f"{chapter_of(claim)}.py").is_file()
    assert chapter_of(BY_NAME["split at modulus 59"]) == "split_ffn"
    assert chapter_of(BY_NAME["addition at 24"]) == "squared_task"
    assert chapter_of(BY_NAME["P2: weight decay"]) == "circuit_efficiency"
    assert set(CHAPTERS.values()) <= {path.stem for path in (ROOT / "notebooks").glob("*.py")}
