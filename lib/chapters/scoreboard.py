"""The eight takeaways in plain words: the scoreboard of the front page and of the README.

What a row says depends on the verdict alone; the numbers behind it are on the verdict page.
"""

from lib.chapters.tables import table
from lib.paper.claims import NONE, OPEN, Verdict
from lib.paper.takeaways import judge_named
from lib.runs.store import Store

ICONS = {"reproduced": "✔", "not reproduced": "✘", OPEN: "?", NONE: "…"}
COLOURS = {"reproduced": "success", "not reproduced": "danger", OPEN: "warning", NONE: "light"}

# takeaway -> its chapter, and a reason for each verdict: reproduced, not reproduced, undecided
PLAIN = {
    "takeaway 1": (
        "grokking_grid",
        "Wider networks find the rule from fewer sums.",
        "Wider networks do not find the rule from fewer sums.",
        "Whether wider networks need fewer sums, these runs do not settle.",
    ),
    "takeaway 2": (
        "memorization_capacity",
        "Wider networks learn more random labels by heart.",
        "Wider networks do not learn more random labels by heart.",
        "Whether wider networks learn more by heart, these runs do not settle.",
    ),
    "takeaway 3": (
        "framework_zones",
        "All four kinds of training appear, each where the two curves put it.",
        "A kind of training is missing, or the two curves tell too seldom which one a run shows.",
        "The four kinds appear; how well the two curves tell them apart is open.",
    ),
    "takeaway 4": (
        "parameter_norms",
        "Weights grow while a small network generalizes, and shrink while a large one does.",
        "Weights do not grow in small networks and shrink in large ones while they generalize.",
        "Too few runs generalize, or too unlike each other, to say how their weights move.",
    ),
    "takeaway 5": (
        "double_descent",
        "With little data accuracy falls with width and returns; with more it does not fall.",
        "Accuracy does not fall and return with width where the paper sees it, or falls elsewhere.",
        "Whether accuracy falls and returns as the paper says, these runs do not settle.",
    ),
    "takeaway 6": (
        "squared_task",
        "The harder task needs more sums, and accuracy falls more deeply with width.",
        "The harder task does not show both: a need for more sums and a deeper fall.",
        "Whether the harder task falls more deeply, these runs do not settle.",
    ),
    "takeaway 7": (
        "multitask_emergence",
        "Data to memorize keep networks from the rule until they are several times larger.",
        "Data to memorize do not move the size from which on networks find the rule.",
        "Data to memorize keep networks from the rule; from what size on it returns is open.",
    ),
    "takeaway 8": (
        "split_ffn",
        "With an MLP for each task the rule comes at a smaller size.",
        "With an MLP for each task the rule does not come at a smaller size.",
        "Whether an MLP for each task brings the rule earlier is open.",
    ),
}


def reason(verdict: Verdict) -> str:
    """Why a takeaway has its verdict, in one plain sentence."""
    _, *reasons = PLAIN[verdict.claim.name]
    if verdict.verdict == NONE:
        return f"{len(verdict.missing):,} runs are missing."
    return reasons[["reproduced", "not reproduced", OPEN].index(verdict.verdict)]


def scoreboard(store: Store, book: bool = False) -> str:
    """The takeaways as a Markdown table of eight rows.

    Args:
        book: with coloured badges and links to chapters, for a page in `book/`; otherwise plain.
    """
    rows = []
    for v in judge_named(store, *PLAIN):
        number, why, words = v.claim.name.split()[-1], reason(v), f"{ICONS[v.verdict]} {v.verdict}"
        if book:
            why += f" [Why](chapters/{PLAIN[v.claim.name][0]}.ipynb)"
            words = f"{{bdg-{COLOURS[v.verdict]}}}`{words}`"
        rows.append((number, v.claim.says, why, words))
    return table(["", "The paper says", "Our runs", "Verdict"], rows, left=(1, 2, 3))
