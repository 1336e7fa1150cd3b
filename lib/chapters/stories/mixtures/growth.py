"""How the emergent width grows with what must be memorized: rows, picture and words (§5)."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.analysis.dynamics import with_best
from lib.analysis.growth import AMOUNTS as LEAST
from lib.analysis.growth import MISFIT, Law, extended_capacity, fit_law, misfit, turns
from lib.chapters.stories.mixtures.curves import Curve
from lib.figures.mixtures import SHARED, SPLIT, emergent_width
from lib.paper.mixtures import AMOUNTS_113, LAW_AMOUNTS

AMOUNTS = (0, *LAW_AMOUNTS, min(AMOUNTS_113))
"""Memorization points of the law."""


def turns_of(found: Sequence[Curve], curves: pd.DataFrame, split: bool) -> pd.DataFrame:
    """Each seed's emergent width, by the highest accuracy on the way, for the law's amounts.

    Args:
        found: the curves of the study at modulus 113.
        curves: evaluations of its runs.
        split: of the split MLP; otherwise of the shared one.  Addition alone stands in both.
    """
    own = [c for c in found if c.amount in AMOUNTS and (c.split == split or not c.amount)]
    return turns(with_best(pd.concat([c.runs for c in own]), curves))


def rows(found: Sequence[Curve], curves: pd.DataFrame) -> pd.DataFrame:
    """Both kinds of MLP for download, in columns of `lib.chapters.export.MEANING`."""
    shared, split = (turns_of(found, curves, k).assign(split_mlp=k) for k in (False, True))
    names = {"facts": "facts_unordered", "low": "width_above", "high": "width_up_to"}
    # alone there is nothing to split
    return pd.concat([shared, split[split["memorize_size"] > 0]]).rename(columns=names)


def picture(found: Sequence[Curve], curves: pd.DataFrame, random: pd.DataFrame) -> Figure:
    """The emergent width against the amount, shared and split, with the shared one's law."""
    shared, split = (turns_of(found, curves, kind) for kind in (False, True))
    shown = {"shared MLP": (shared, SHARED)}
    if (split["memorize_size"] > 0).any():
        shown["split MLP"] = (split[split["memorize_size"] > 0], SPLIT)
    return emergent_width(shown, fit_law(shared), extended_capacity(random))


def words(found: Sequence[Curve], curves: pd.DataFrame, random: pd.DataFrame) -> str:
    """What the law says, with its interval, and what capacity would be a fixed factor of."""
    shared = turns_of(found, curves, split=False)
    law, capacity = fit_law(shared), extended_capacity(random)
    if shared.empty:
        return "No run of it is stored yet."
    parts = [_of_amount(amount, own) for amount, own in shared.groupby("memorize_size")]
    text = f"The seeds' emergent widths with the shared MLP: {'; '.join(parts)}."
    lacking = [f"{amount:,}" for amount in AMOUNTS if amount not in set(shared["memorize_size"])]
    if lacking:
        text += f" With {', '.join(lacking)} points no run is stored yet."
    split = turns_of(found, curves, split=True)
    if len(split := split[split["memorize_size"] > 0]):
        parts = [_of_amount(amount, own) for amount, own in split.groupby("memorize_size")]
        text += f" With a split one: {'; '.join(parts)}."
    if law is None:
        return f"{text} That is no law yet: one is fitted from {LEAST} amounts on."
    least, most = shared["facts"].min(), shared["facts"].max()
    summary = (
        "The law through the shared ones: the emergent width grows as a power of the number of "
        f"facts to be learned, addition's included, with exponent {_range(law, 1)}. Addition alone "
        f"has {least:,.0f} different facts; with the most to memorize there are {most:,.0f}. So "
        f"{most / least - 1:.0%} more facts make it {law(most) / law(least):.1f} times as large"
    )
    if capacity is None:
        summary += ". What that is in capacity cannot be said without figure 4's runs."
        return f"{text}\n\n{summary}"
    return (
        f"{text}\n\n{summary}. Capacity at the emergent width (figure 4's law, continued beyond "
        f"its widths) goes with exponent {_range(law, capacity.power)}. If addition came once "
        "capacity is a fixed factor of all data, that exponent would be 1. "
        f"{_excess(shared, capacity)}{_misfit_words(shared, law)}{_trainers_words(found)} All of "
        "this is by the highest accuracy on the way, with all widths that are stored; the verdict "
        "below asks the last accuracy, too, and other levels than 0.9, so its interval is another."
    )


def _excess(shared: pd.DataFrame, capacity: Callable) -> str:
    """How far capacity exceeds all facts where addition is first there: the paper's own words."""
    there = shared[np.isfinite(shared["high"])]
    if there.empty:
        return ""
    times = capacity(there["high"].to_numpy(float)) / there["facts"].to_numpy()
    always = "" if times.min() > 1 else " not always"
    return (
        f"Capacity does{always} exceed the data there, as the paper has it: at the width from "
        f"which a seed has addition it is {times.min():.1f} to {times.max():.1f} times all facts."
    )


def _misfit_words(shared: pd.DataFrame, law: Law) -> str:
    """Whether the amounts follow the law; said of the design that `MISFIT` was simulated for."""
    seeds = shared.groupby("memorize_size")["seed"].nunique()
    if set(seeds.index) != set(AMOUNTS) or (seeds != 3).any():
        return ""
    found = misfit(shared, law)
    chance = (
        f"its misfit (deviance) is {found:.1f}; chance alone gives {MISFIT:.1f} or more in 5% of "
        "cases; "
        "we thought of this check when these runs were known"
    )
    if found < MISFIT:
        return f" That a width of each amount's own fits better is not shown: {chance}."
    if found < 1.25 * MISFIT:  # known from simulations, and moved by a single run
        return f" Whether it is a power at all, three seeds do not settle: {chance}."
    return (
        " A width of each amount's own fits these seeds better than any power of the facts "
        f"({chance}): read the exponent as a summary, and the bars as the finding."
    )


def _trainers_words(found: Sequence[Curve]) -> str:
    """Which amounts come from which machine and precision: a difference could be one of theirs."""
    runs = pd.concat([c.runs for c in found if c.amount in AMOUNTS and not c.split])
    where = runs["device"].mask(runs["device"] == "cpu", "a processor")
    products = runs["engine"].str.extract("-(bf16.*)", expand=False)
    where += (" with " + products + " products").fillna("")
    amounts = where.groupby(runs["memorize_size"]).agg(lambda own: " and ".join(sorted(set(own))))
    if amounts.nunique() < 2:
        return ""
    by_place = amounts.groupby(amounts).groups
    parts = [f"{', '.join(f'{a:,}' for a in own)} on {place}" for place, own in by_place.items()]
    return (
        f" The amounts were not trained alike: {'; '.join(parts)}. [](other_implementations.ipynb) "
        "has runs of both kinds side by side."
    )


def _of_amount(amount: int, own: pd.DataFrame) -> str:
    """From which width on the seeds have it: the least and the most of the widths that pass."""
    name = f"with {amount:,} points to memorize" if amount else "alone"
    found = own[np.isfinite(own["high"])]
    further = own.loc[np.isinf(own["high"]), "low"].min()
    beyond = f"{len(own) - len(found)} of {len(own)} beyond {further:,.0f}"
    if found.empty:
        return f"{name} {beyond}"
    least, most = found["high"].min(), found["high"].max()
    edge = "" if found["low"].min() else "≤ "  # 0: no width tried is too narrow
    within = f"{name} {edge}{least:,.0f}" + f" to {most:,.0f}" * bool(least < most)
    return within if len(found) == len(own) else f"{within}, {beyond}"


def _range(law: Law, factor: float) -> str:
    text = f"{factor * law.power:.1f} [{factor * law.low:.1f}, {factor * law.high:.1f}]"
    return text.replace("inf", "∞")
