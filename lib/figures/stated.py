"""What the paper's figures show, in words, and where that lies in ours: drawn as marks.

One table of statements; `panel_words` is the panel beside a figure, `mark` draws the places.
The numbers are the paper's; "up to" and "from" of an accuracy are our reading of its words.
"""

from collections import namedtuple
from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lib.paper.recipe import DYNAMICS, STATED

LABEL = "the paper (our reading)"
LOOK = dict(fc="#f2e3a8", ec="#7a6a2a", alpha=0.55, lw=1, ls=(0, (2, 1.5)), zorder=0.5)
SQUARED = "validation, D = 3,000"  # the panel of figure 7
RING = dict(marker="o", ms=13, mfc="none", mec="#7a6a2a", mew=2, ls="", zorder=8)


Statement = namedtuple("Statement", "says panel x y", defaults=(None, None, None))
"""One thing that a figure of the paper shows.

Attributes:
    says: in words, with its section.
    panel: which panel of ours it belongs to (a training size, a width, a name); None: all.
    x, y: where it lies there, as (from, to); None: nothing to draw, or the whole axis.
"""


def _ends() -> tuple[Statement, ...]:
    """Figure 2's four cells: in which range each run ends (`lib.paper.recipe.STATED`)."""
    words = {
        "progression": "first a part is memorized, then both accuracies rise",
        "ungrokking": "training perfect, validation about zero",
        "grokking": "training perfect early, validation long after it",
        "semi-grokking": "training perfect, validation stays at a moderate value",
    }
    return tuple(
        Statement(f"{name}, ({d}, {size:,}): {words[name]}", name, y=STATED[d, size][:2])
        for name, (d, size) in DYNAMICS.items()
    )


FIGURES: dict[int, tuple[str, tuple[Statement, ...]]] = {
    1: ("A sketch: over model size a falling D_crit and a rising D_mem, which cross; four zones.",
        (Statement("no numbers; the ring is D_crit of d = 64, about 3,000 (§2.2)", "D_crit",
                   (64, 64), (3000, 3000)),)),
    2: ("One run of each of four cells (d_model, D), against epoch.", _ends()),
    3: ("Final validation accuracy against D, mean of 11 seeds, one line a width (§2.2).", (
        Statement("d = 64 is near-perfect with just 3,000", 64, (3000, 3000), (0.99, 0.99)),
        Statement("d = 32 needs 4,000", 32, (4000, 4000), (0.99, 0.99)),
        Statement("(64, 2,000–3,000) is semi-grokking, D_crit(64) ≈ 3,000"),
        Statement("semi-grokking spans about 1,000 points for all models"))),
    4: ("Accuracy on random labels against size, mean of 3 seeds with a 95% band (§2.3).",
        (Statement("it rises with size"), Statement("the band is narrow"))),
    5: ("Five runs of (8, 3,000), training and validation accuracy against epoch (§3).", (
        Statement("progression “is not consistent across all runs”: its speed differs"),
        Statement("training accuracy has bumps"))),
    6: ("Final accuracy against size, a panel for each D, mean of 11 seeds with a 95% band (§4).", (
        Statement("2,600: validation is zero for d 24–40", 2600, (24, 40), (0, 0.1)),
        Statement("2,600: no grokking yet in this range of sizes (footnote 2)"),
        Statement("3,000: a dip around d 28–36, no ungrokking", 3000, (28, 36)),
        Statement("4,000 and 5,000: it only rises, progression passes into grokking"))),
    7: ("Final accuracy on (a + b)² against size at 3,000 points, mean of 11 seeds (§4.3).", (
        Statement("zero at d = 24, where addition is not", SQUARED, (24, 24), (0, 0)),
        Statement("a deeper dip than addition's"))),
    8: ("Validation accuracy on addition against size, 1 layer × 64 to 8 layers × 1024, the best "
        "of 3 seeds, for 3,000 to 6,000 points to memorize (§5).", (
        Statement("about zero, up to a model “about 1570 times larger” than the one that addition "
                  "alone needs"),
        Statement("the amount of memorization data hardly moves that size"))),
    9: ("The parameter norm (we take all parameters) against epoch, (8, 3,000) and (64, 3,000), "
        "several seeds (appendix A).", (
        Statement("progression: the norm rises when generalization comes, for one seed "
                  "between epochs 30,000 and 40,000", "progression", (30_000, 40_000)),
        Statement("grokking: the norm falls"))),
    10: ("Validation accuracy on addition against size at 3,000 + 3,000 points, with a shared and "
         "a split MLP; how many seeds is not stated (appendix B).",
         (Statement("split, addition emerges at a much smaller size"),)),
}  # fmt: skip
"""Figure of the paper -> its form, and what it shows."""


def panel_words(figure: int) -> str:
    """The panel beside our version of a figure, in MyST Markdown."""
    form, statements = FIGURES[figure]
    drawn = any(s.x or s.y for s in statements)
    lines = [f"* {s.says};" for s in statements]
    lines[-1] = lines[-1][:-1] + "."
    after = ["", "*In our figure: the straw-coloured marks.*"] if drawn else []
    head = [f":::{{admonition}} The paper's figure {figure} shows", ":class: paper-panel"]
    return "\n".join([*head, "", form, "", *lines, *after, ":::"])


def mark(ax: Axes, figure: int, panel: object, unit: Callable = float) -> None:
    """Draws what the paper's figure shows in one panel: a box, a band or a ring.

    Args:
        unit: from the table's y to that of the panel.
    """
    for statement in FIGURES[figure][1]:
        if statement.panel != panel or not (statement.x or statement.y):
            continue
        x, y = statement.x, statement.y
        if x and y and x[0] == x[1]:
            ax.plot(x[0], unit(y[0]), label=LABEL, **RING)
            if isinstance(panel, int):  # one line of several
                beside = dict(xytext=(0, -18), textcoords="offset points", ha="center", fontsize=8)
                ax.annotate(f"d = {panel}", (x[0], y[0]), color=RING["mec"], zorder=8, **beside)
        elif x and not y:
            ax.axvspan(*x, label=LABEL, **LOOK)
        elif y and not x:
            ax.axhspan(*y, 0.93, 1, label=LABEL, **LOOK)
        else:
            low = y[0] - 0.03
            ax.add_patch(Rectangle((x[0], low), x[1] - x[0], y[1] - low, label=LABEL, **LOOK))
