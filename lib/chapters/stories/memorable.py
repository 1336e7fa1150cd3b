"""What stays with a reader: one line a result, from the numbers of a verdict or of measures."""

from collections.abc import Callable

from lib.analysis.efficiency import LASTING
from lib.chapters.scoreboard import chapter_of
from lib.chapters.stories.descent import mirrors
from lib.paper.claims import OPEN, Verdict
from lib.paper.criteria.rules import Condition
from lib.paper.takeaways import judge_named
from lib.runs.store import Store

YES, NO = "reproduced", "not reproduced"


def _between(condition: Condition, shown: Callable[[float], str], how: str = "95%") -> str:
    """A number and the ends of its interval."""
    low, high = map(shown, sorted((condition.low, condition.high)))
    return f"{shown(condition.value)} ({how}: {low} to {high})".replace("-", "−")


def _first(shown: Callable[[float], str]) -> Callable[[Verdict], str]:
    """The claim's first number in words."""
    return lambda verdict: _between(verdict.finding.conditions[0], shown)


def _places(verdict: Verdict) -> str:
    """Both places, where the runs tell them apart; the verdict asks only whether the rule goes."""
    also = verdict.finding.also
    if not also["kept on less"]:
        return ""
    return f"{also['kept from']} training sums; a new one needs {also['found from']}"


def _half_way(verdict: Verdict) -> str:
    """The share of all runs, and of those at sizes where some end without the rule."""
    some = verdict.finding.also.get("where some fail")
    also = f" (with so few that some end without the rule, {some})" if some else ""
    return (
        f"{_first('{:.0%}'.format)(verdict)} of the networks that are trained on about as many "
        f"sums as the rule needs keep a moderate accuracy for {LASTING:,} epochs{also}"
    )


# fmt: off
LINES = (
    ("takeaway 1", (YES,),
     "**A network twice as wide needs fewer sums to find the rule**: {} of what the narrower one "
     "needs, between widths 32 and 64.",
     _first(lambda power: f"{2**power:.0%}")),
    ("takeaway 2", (YES,),
     "**A network twice as wide learns more by heart**: {} times as many random answers, guesses "
     "counted, on average over a curve that bends.",
     _first(lambda power: f"{2**power:.1f}")),
    ("3,000: dip", (YES,),
     "**Wider can be worse.** Trained on 3,000 sums, networks of width 28 to 36 get fewer of the "
     "others right than narrower and wider ones: accuracy is {} lower.",
     _first("{:.2f}".format)),
    ("P3: ungrokking", (YES, OPEN),
     "**A rule, once found, lives on less than it takes to find it.** A network of width 48 that "
     "has it keeps it, on average over seeds, down to {}.", _places),
    ("P2: weight decay", (YES,),
     "**Weight decay, a pull of all weights to zero, does not visibly move how much data the rule "
     "needs**, if training is the shorter the stronger it is: at width 48 twice the weight decay "
     "and half the epochs move it by {} sums.",
     lambda verdict: _between(verdict.finding.conditions[1], "{:,.0f}".format,
                              "at least 95%, gaps between the sizes tried included")),  # 2 less 1
    ("P4: semi-grokking", (NO,),
     "**From scratch, half-way is seldom a place to stay**: {}.", _half_way),
)
# fmt: on
"""A claim, the verdicts of which a line is true, the line, and the number that stands in it."""


def memorable(store: Store) -> str:
    """The lines that are true of the stored runs, as a Markdown list for a page in `book/`."""
    verdicts = judge_named(store, *(name for name, *_ in LINES))
    lines = [
        f"* {words.format(numbers)} [How](chapters/{chapter_of(verdict.claim)}.ipynb)"
        for verdict, (_, true_of, words, number) in zip(verdicts, LINES, strict=True)
        if verdict.verdict in true_of and verdict.finding.conditions
        if (numbers := number(verdict))
    ]
    if half_way := mirrors.memorable(store):
        lines.append(f"* {half_way} [How](chapters/grokking_grid.ipynb)")
    return "\n".join(lines) or "*Nothing is decided by the runs that are stored.*"
