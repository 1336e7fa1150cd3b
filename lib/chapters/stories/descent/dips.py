"""Double descent in words: what the mean curves do."""

import itertools
from collections.abc import Mapping, Sequence

import pandas as pd

from lib.analysis.descent import Dip
from lib.analysis.dynamics import PERFECT
from lib.paper.criteria.addition import DIP


def seen(means: Mapping[int, pd.Series], dips: Mapping[int, Dip]) -> str:
    """Where mean accuracy falls and returns with width, and where it hardly falls.

    Args:
        means: of each training size, by width.
        dips: the deepest of each training size.
    """
    deep = {size: dip for size, dip in sorted(dips.items()) if dip.depth >= DIP}
    flat = {size: dip for size, dip in sorted(dips.items()) if dip.depth < DIP}
    said = []
    if deep:
        *rest, last = (f"{n:,} points ({_course(means[n], dip)})" for n, dip in deep.items())
        courses = " and with ".join(filter(None, (", with ".join(rest), last)))
        said.append(f"falls and returns with {courses}")
    if flat:
        most = max(dip.depth for dip in flat.values())
        said.append(f"dips by {most:.2f} at most with {' and '.join(f'{n:,}' for n in flat)}")
    return f"mean accuracy over seeds {'; it '.join(said)}." if said else "no width is stored."


def _course(mean: pd.Series, dip: Dip) -> str:
    top, valley, beyond = mean[dip.peak], mean[dip.valley], mean[mean.index > dip.valley].max()
    return (
        f"{top:.2f} at width {dip.peak:.0f}, {valley:.2f} at {dip.valley:.0f}, up to "
        f"{beyond:.2f} beyond"
    )


def in_turn(zones: pd.DataFrame) -> str:
    """Which zone most runs show at each width, in the widths' order, by training size: Markdown.

    The paper's cause of double descent is such a sequence, progression, ungrokking, grokking.

    Args:
        zones: `train_size`, `d_model` and `zone` of each run.
    """
    lines = []
    for size, own in zones.groupby("train_size"):
        most = own.groupby("d_model")["zone"].agg(lambda of_width: of_width.mode()[0])
        turns = []
        for zone, widths in itertools.groupby(most.items(), key=lambda pair: pair[1]):
            first, *_, last = 2 * [d for d, _ in widths]
            turns.append(f"{zone} at {first}" + f" to {last}" * (first != last))
        count = (own["zone"] == "ungrokking").sum()
        lines.append(f"* {size:,} points: {', '.join(turns)}; {count} of {len(own)} ungrokking")
    return "\n".join(lines)


CLOSE = 0.2
"""Share of the crossing's training points within which a size below it is not well below it."""


def beside_crossing(crossing: float, words: str, sizes: Sequence[int]) -> str:
    """Where training sizes lie beside the place where figure 1's curves cross.

    Args:
        crossing, words: its training points, as a number and with the interval.
    """
    places = [
        f"{size:,} is {abs(size / crossing - 1):.0%} {'below' if size < crossing else 'above'}"
        for size in sorted(sizes)
    ]
    close = [f"{size:,}" for size in sorted(sizes) if (1 - CLOSE) * crossing < size < crossing]
    text = f"In our runs they cross at {words} training points: {', '.join(places)} that."
    if close:
        text += (
            f" “Well below” has no number in the paper. With {' and '.join(close)} points, so near "
            "it, a dip need not be deep; one that is left open says little against the picture."
        )
    return text


def in_progression(size: int, train: pd.Series, val: pd.Series) -> str:
    """How mean accuracy goes with width as long as networks do not hold their training set (§4.4).

    Args:
        train, val: mean accuracies at a training size, by width.
    """
    partly = val[train < PERFECT]
    if len(partly) < 3:
        return f"{size:,} points: fewer than three widths are known that do not hold them."
    top, fall = partly.idxmax(), partly.max() - partly.iloc[-1]
    course = ", ".join(f"{mean:.2f} at {d}" for d, mean in partly.items())
    falls = f"falls by {fall:.2f} from width {top} on" if fall >= DIP else "hardly falls"
    return f"{size:,} points: **{falls}** ({course})."
