"""Verdicts as cards: what the paper says, what we measured, and where that lies, as a picture."""

import math
from html import escape

from lib.analysis.words import unbroken
from lib.chapters.scoreboard import ICONS, PLAIN, PREDICTED, chapter_of, reason
from lib.chapters.tables import needs_words
from lib.paper.claims import NONE, Verdict
from lib.paper.criteria.rules import Condition, word

WIDTH, HEIGHT, EDGE = 320, 34, 8
"""Of an axis, in pixels; the room left at its ends."""


def axis(condition: Condition) -> str:
    """Where a condition's interval lies against the paper's range, as an SVG; "" without one."""
    ends = [condition.low, condition.high, condition.least, condition.most, condition.value]
    known = [end for end in ends if math.isfinite(end)]
    if math.isnan(condition.low) or not known:
        return ""
    room = (max(known) - min(known)) * 0.2 or abs(known[0]) * 0.2 or 1.0
    first, last = min(known) - room, max(known) + room

    def at(value: float) -> float:
        inside = min(max(value, first), last)
        return round(EDGE + (WIDTH - 2 * EDGE) * (inside - first) / (last - first), 1)

    paper = f'x="{at(condition.least)}" width="{at(condition.most) - at(condition.least):.1f}"'
    ours = f'x1="{at(condition.low)}" x2="{at(condition.high)}"'
    dot = f'<circle cx="{at(condition.value)}" cy="14" r="4"/>'
    limits = "".join(
        f'<text x="{at(end)}" y="32" text-anchor="middle">{word(end)}</text>'
        for end in (condition.least, condition.most)
        if math.isfinite(end)
    )
    return (
        f'<svg class="verdict-axis" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(str(condition))}">'
        f'<rect class="range" {paper} y="3" height="18"/>'
        f'<line class="ground" x1="0" x2="{WIDTH}" y1="21" y2="21"/>'
        f'<g class="ours"><line {ours} y1="14" y2="14"/>'
        f"{dot if math.isfinite(condition.value) else ''}</g>{limits}</svg>"
    )


def card(verdict: Verdict, who: str) -> str:
    """One claim in HTML: the verdict, what is said, what was measured, why, on what runs."""
    claim, found = verdict.claim, verdict.finding
    measured = []
    for condition in found.conditions if found else ():
        measured.append(f"<li>{escape(unbroken(str(condition)))}{axis(condition)}</li>")
    if found and found.note:
        measured.append(f"<li>{escape(found.note)}</li>")
    why = reason(verdict) if claim.name in PLAIN | PREDICTED or verdict.verdict == NONE else ""
    needs = "".join(f"<li>{escape(words)}</li>" for words in needs_words(claim))
    chapter = chapter_of(claim)
    kind = verdict.verdict.replace(" ", "-")
    return (
        f'<section class="verdict-card {kind}" data-claim="{escape(claim.name)}" '
        f'data-verdict="{verdict.verdict}" aria-label="{escape(claim.name)}">'
        f'<p class="verdict-word"><span aria-hidden="true">{ICONS[verdict.verdict]}</span> '
        f"{verdict.verdict}</p>"
        f'<p class="verdict-name">{escape(claim.name)}</p>'
        f"<p><em>{escape(who)}:</em> {escape(claim.says)}.</p>"
        + (f"<p><strong>{escape(why)}</strong></p>" if why else "")
        + (f"<p><em>We measured:</em></p><ul>{''.join(measured)}</ul>" if measured else "")
        + f"<details><summary>Reproduced if …</summary><p>{escape(claim.criterion)}.</p>"
        f"<p>On at least these runs:</p><ul>{needs}</ul></details>"
        f'<p class="verdict-runs">{verdict.runs:,} runs · <a href="{chapter}.html">the chapter</a>'
        "</p></section>"
    )


def cards(verdicts: list[Verdict], who: str = "The paper says") -> str:
    """Some claims as cards in HTML."""
    return f'<div class="verdict-cards">{"".join(card(v, who) for v in verdicts)}</div>'
