"""The eight takeaways in plain words: the scoreboard of the front page and of the README.

What a row says depends on the verdict alone; the numbers behind it are on the verdict page.
"""

from collections.abc import Sequence

import pandas as pd

from lib.analysis.words import unbroken
from lib.chapters.tables import changes, table
from lib.paper.claims import NONE, OPEN, Claim, Verdict
from lib.paper.criteria.circuits import FACTOR as LOST
from lib.paper.criteria.circuits import NEAR, SOME
from lib.paper.criteria.rules import Condition
from lib.paper.takeaways import judge_named
from lib.runs.store import Store

ICONS = {"reproduced": "✔", "not reproduced": "✘", OPEN: "?", NONE: "…"}
MARK, AGAIN = "†", "‡"
COLOURS = {"reproduced": "success", "not reproduced": "danger", OPEN: "warning", NONE: "light"}

# takeaway -> a reason for each verdict: reproduced, not reproduced, undecided
PLAIN = {
    "takeaway 1": (
        "Wider networks find the rule from fewer sums.",
        "Wider networks do not find the rule from fewer sums.",
        "These runs do not settle whether wider networks need fewer sums.",
    ),
    "takeaway 2": (
        "Wider networks learn more random labels by heart.",
        "Wider networks do not learn more random labels by heart.",
        "These runs do not settle whether wider networks learn more by heart.",
    ),
    "takeaway 3": (
        "The two curves tell progression, ungrokking and grokking apart, outside a band around "
        "D_crit; the fourth kind, semi-grokking, lies in that band and is not judged, nor whether "
        "curves tell more than straight lines.",
        "Even outside a band around D_crit the two curves tell too seldom which kind of training a "
        "network shows.",
        "How well the two curves tell the kinds apart, outside a band around D_crit, is open.",
    ),
    "takeaway 4": (
        "While it comes to the rule, or to a part of it, a small network's weights grow, and a "
        "large one's shrink, both beyond what they do on random labels. Whether both come late is "
        "not judged; the chapter says what is seen.",
        "Weights do not both grow in small and shrink in large networks beyond what they do on "
        "random labels.",
        "These runs do not settle whether the weights move because of generalizing or of training "
        "alone.",
    ),
    "takeaway 5": (
        "With little data accuracy falls with width and returns; with more it does not fall.",
        "Accuracy does not fall and return with width where the paper sees it, or falls elsewhere.",
        "Whether accuracy falls with width, and returns, by as much as the test asks, these runs "
        "do not settle.",
    ),
    "takeaway 6": (
        "The harder task needs more sums, and its accuracy still dips with more data where "
        "addition's does not.",
        "The harder task does not show all three: a need for more sums, lower accuracy at 3,000 "
        "sums, and a dip where addition has none.",
        "Three things were asked of the harder task: that it needs more sums, that its accuracy "
        "at 3,000 sums is lower, and, which is our reading, that it dips where addition does not. "
        "Together they are not settled.",
    ),
    "takeaway 7": (
        "In networks of two layers, adding modulo 59, data to memorize keep the rule away until "
        "the network is at least three times as large.",
        "In networks of two layers, adding modulo 59, data to memorize do not keep the rule away "
        "until the network is three times as large.",
        "In networks of two layers, adding modulo 59: whether data to memorize keep the rule away "
        "until the network is three times as large is open.",
    ),
    "takeaway 8": (
        "In networks of two and four layers, adding modulo 59, more unseen sums come out right "
        "at the same size if each task has its own half of the layer after attention, the MLP. "
        "The paper says more, that a much smaller network is enough; this does not ask it.",
        "In networks of two and four layers, adding modulo 59, no more unseen sums come out right "
        "at the same size if each task has its own half of the layer after attention, the MLP.",
        "Whether a half of the layer after attention, the MLP, for each task helps networks of the "
        "same size is open.",
    ),
}

EFFICIENCY = "P1: efficiency"

# what the paper's theory predicts -> a reason for each verdict
PREDICTED = {
    EFFICIENCY: (
        "Learning by heart takes a larger norm with every example; the rule takes the same, "
        "whatever the data.",
        "Learning by heart does not take a larger norm with more examples, or the rule does.",
        "Whether learning by heart takes a larger norm with every example, and the rule the same "
        "whatever the data, is open.",
    ),
    "P2: weight decay": (
        f"At weight decay 1, 1.5 and 2 the rule needs the same number of sums, within {NEAR}.",
        "With weight decay, the number of sums that the rule needs changes.",
        "Whether weight decay moves the number of sums that the rule needs is open.",
    ),
    "P2: weight decay, continued": (
        "How few sums a rule, once found, lives on is the same at weight decay 1, 1.5 and 2, "
        f"within a factor of {LOST}.",
        "With weight decay, the number of sums on which a rule, once found, lives on changes.",
        "Whether weight decay moves the number of sums on which a rule, once found, lives on is "
        "open.",
    ),
    "P3: ungrokking": (
        "A network that has found the rule loses it when training goes on with too few sums.",
        "A network that has found the rule does not lose it when training goes on with fewer sums.",
        "Networks that have found the rule lose it when training goes on with too few sums, in too "
        "few seeds to say how many keep it.",
    ),
    "P4: semi-grokking": (
        f"From scratch, {SOME:.0%} of the networks or more get stuck half-way near the size at "
        "which the rule is found.",
        f"From scratch, fewer than {SOME:.0%} of the networks get stuck half-way near the size at "
        "which the rule is found, by the end of a training that is far shorter than Varma et "
        "al.'s.",
        "How many networks get stuck half-way, from scratch near the size at which the rule is "
        "found, is open.",
    ),
}


HALF_OPEN = (
    "Learning by heart takes a larger norm with more examples; whether the rule takes the same, "
    "whatever the data, these runs do not settle."
)
"""What is known of P1 where the norm of memorizing alone is settled."""


CHAPTERS = {
    "figure3": "grokking_grid", "figure4": "memorization_capacity", "figure5": "framework_zones",
    "figure6": "double_descent", "figure6_tied": "recipe", "figure7": "squared_task",
    "figure9": "parameter_norms", "emergent_113": "multitask_emergence",
    "emergent_59": "multitask_emergence", "emergent_depth_long": "multitask_emergence",
}  # fmt: skip
"""First experiment of a claim -> the chapter that shows it; of circuits and splits it is known."""

OTHERS = {
    "takeaway 3": "framework_zones", "takeaway 6": "squared_task", "addition at 24": "squared_task",
    "a harder task, new seeds": "squared_task",
}  # fmt: skip
"""Claim -> the chapter that shows it, where that is not the one of its first experiment."""


def chapter_of(claim: Claim) -> str:
    """The chapter that shows a claim's runs."""
    if claim.name in OTHERS:
        return OTHERS[claim.name]
    if any(cells.get("split_mlp") == (True,) for _, cells, _ in claim.needs):
        return "split_ffn"
    first = claim.needs[0][0]
    if first.startswith("circuits_"):
        return "circuit_efficiency"
    if first not in CHAPTERS:
        raise KeyError(f"{claim.name!r}: say in {__name__}.CHAPTERS which chapter shows {first}")
    return CHAPTERS[first]


def reason(verdict: Verdict) -> str:
    """Why a claim has its verdict, or none, in one sentence.

    Takeaways and predictions have plain words; another's verdict has none but itself.
    """
    if verdict.verdict == NONE:
        wanted = {spec.key for spec in verdict.claim.specs()}
        lack = len(verdict.missing)
        return f"{lack:,} of {len(wanted):,} runs {'is' if lack == 1 else 'are'} missing."
    words = f"This is {verdict.verdict}."
    yes, no, unsettled = (PLAIN | PREDICTED).get(verdict.claim.name, (words,) * 3)
    if verdict.claim.name == EFFICIENCY and verdict.finding and verdict.finding.also:
        unsettled = HALF_OPEN
    return {"reproduced": yes, "not reproduced": no, OPEN: unsettled}[verdict.verdict]


def score(store: Store) -> str:
    """Which takeaways have which verdict, in words: "3 reproduced (1, 2, 8), 1 undecided (7)"."""
    verdicts = judge_named(store, *PLAIN)
    found: dict[str, list[str]] = {kind: [] for kind in ICONS}
    for v in verdicts:
        found[v.verdict].append(v.claim.name.split()[-1])
    return ", ".join(
        f"{len(which)} {'with not enough runs' if kind == NONE else kind} ({', '.join(which)})"
        for kind, which in found.items()
        if which
    )


def opening(verdicts: list[Verdict], so_far: str = "") -> str:
    """A chapter's first words, in Markdown: what was found, then what the paper claims; of three
    claims or more without numbers, which would stand before any picture.

    Args:
        so_far: what is seen where a verdict lacks runs, or they do not settle it.
    """
    lines, few = [], len(verdicts) < 3
    for v in verdicts:
        badge = f"{{bdg-{COLOURS[v.verdict]}}}`{ICONS[v.verdict]} {v.verdict}`"
        if v.verdict == NONE and so_far:
            lines.append(f"{badge} **So far: {so_far}** To decide it, {reason(v)}")
        else:
            seen = f" What is seen: {so_far}" if v.verdict == OPEN and so_far else ""
            lines.append(f"{badge} **{reason(v)}**{seen}")
        predicted = f"Predicted ({v.claim.name.split(':')[0]})"
        asked = "A question of ours" if v.claim.ours else "The paper's claim"
        whose = predicted if v.claim.name in PREDICTED and not v.claim.ours else asked
        lines.append(f"*{whose}:* {v.claim.says}.")
        if few and v.finding and (numbers := _telling(v.finding.conditions)):
            measured = f"*Measured* on {v.runs:,} runs{unbroken(numbers)}."
            told = "In brackets: 95% intervals; *required*" if "[" in numbers else "*Required*"
            told += ": the range by which we read it. All numbers: [](verdicts.ipynb)."
            lines.append(f"{measured} {told}")
    if not few:
        lines.append("The numbers stand below and on the page [](verdicts.ipynb).")
    return "\n\n".join(lines)


def _telling(conditions: Sequence[Condition]) -> str:
    """A claim's numbers in words, two at most: those that keep it from holding, if any does."""
    kept = [condition for condition in conditions if condition.holds is not True]
    said = "; ".join(map(str, (kept or conditions)[:2]))
    if not kept or len(conditions) < 2:
        return f": {said}" if said else ""
    words = dict.fromkeys("open" if c.holds is None else "not met" for c in kept)
    return f", {_met(conditions)}; {' or '.join(words)}: {said}"


def _met(conditions: Sequence[Condition]) -> str:
    """How many of several conditions hold: "3 of 4 conditions met"."""
    met = sum(condition.holds is True for condition in conditions)
    return f"{met} of {len(conditions)} conditions met"


def _still_open(conditions: Sequence[Condition]) -> str:
    """Which of several conditions keep a claim from being settled."""
    kept = [condition.says for condition in conditions if condition.holds is None]
    rest = len(conditions) - len(kept)
    also = f"; the other {rest} conditions are met" if rest > 1 else "; the other one is met" * rest
    return f"Open: {', '.join(kept)}{also}."


def scoreboard(store: Store, book: bool = False) -> str:
    """The takeaways as a Markdown table of eight rows.

    Args:
        book: with coloured badges and links to chapters, for a page in `book/`; otherwise plain.
    """
    rows, runs = [], store.runs()
    for v in judge_named(store, *PLAIN):
        number, why, words = v.claim.name.split()[-1], reason(v), f"{ICONS[v.verdict]} {v.verdict}"
        if v.verdict == OPEN and v.finding and len(v.finding.conditions) > 1:
            why += f" {_still_open(v.finding.conditions)}"
        if book:
            link = "What is seen so far" if v.verdict == NONE else "Why"
            why += f" [{link}](chapters/{chapter_of(v.claim)}.ipynb)"
            words = f"{{bdg-{COLOURS[v.verdict]}}}`{words}`"
        rows.append((number, words + mark(v, runs), v.claim.says, why))
    shown = table(["", "Verdict", "The paper says", "Our runs"], rows, left=(1, 2, 3))
    page = "[verdict page](chapters/verdicts.ipynb)" if book else "verdict page"
    for sign, told in (
        (MARK, "The test was changed after the runs were known"),
        (AGAIN, "The test was rewritten after a first verdict, and judged on younger runs alone"),
    ):
        if any(sign in words for _, words, *_ in rows):
            shown += f"\n\n{sign} {told}; the {page} has both."
    return f":::{{container}} scoreboard\n{shown}\n:::" if book else shown


def mark(verdict: Verdict, runs: pd.DataFrame) -> str:
    """`MARK` where some of the runs of a verdict are older than its test, `AGAIN` where none is and
    the test had been another; else nothing."""
    told = pd.to_datetime(changes().query("claim == @verdict.claim.name")["time"])
    if verdict.verdict == NONE or told.empty:
        return ""
    keys = {spec.key for spec in verdict.claim.specs()}
    older = runs[runs["key"].isin(keys)]["timestamp"] < told.max()
    return MARK if older.any() else AGAIN
