"""How the claims on mixtures are judged (§5, appendix B; takeaways 7 and 8).

The thresholds were written down before the runs that decide them (`lib.paper.takeaways`).
The mixture's sizes go up in steps of two, so its emergent size is known to within such a
step, and a ratio of emergent sizes is printed as the two factors between which it lies.
"""

import numpy as np

from lib.analysis.emergence import Size, emergent_size, larger, paired, times
from lib.analysis.statistics import student
from lib.paper.criteria.rules import Finding, unsettled

FACTOR = 3.0
"""How many times more parameters the mixture has to need: one step of two in width, which is
less than a factor of four because embeddings count, too."""


def _times(large: Size, small: Size) -> str:
    """Between which factors the parameters differ, in words; "" where nothing is known."""
    low, high = times(large, small)
    if np.isfinite(high):
        return f": {f'{low:,.3g} to' if low else '≤'} {high:,.3g} times the parameters"
    return f": ≥ {low:,.3g} times the parameters" if low else ""


def _by_seed(values) -> tuple[float, float, float]:
    """Mean and Student's 95% interval over seeds of their means over sizes.

    Most sizes are far from a boundary and say nothing; seeds are what is independent.
    """
    return student(values.groupby(level="seed").mean())


def suppressed_then_emerges(alone, mixed):
    """Alone from a small size on, mixed only from a larger one on, and not in between."""
    small, large = emergent_size(alone), emergent_size(mixed)
    text = f"alone from {small.words}, mixed from {large.words}"
    if small.bound == ">":
        return unsettled(text)
    text += _times(large, small)
    pairs = paired(alone, mixed)
    widths = pairs.index.get_level_values("d_model")
    top = np.inf if large.bound == ">" else large.d_model
    between = pairs[(widths >= small.d_model) & (widths < top)]
    if between.empty:
        return Finding(text, np.nan, np.nan, False)
    mean, low, high = _by_seed(between["one"] - between["other"])
    text += f"; in between validation accuracy lower by {mean:.2f}"
    if not low > 0:
        return Finding(text, low, high, False)
    if large.bound == ">":  # suppressed; whether it comes back is beyond the sizes tried
        return Finding(text, low, high, None)
    least, most = times(large, small)
    open_ = least < FACTOR <= most  # the sizes tried are too coarse to tell
    return Finding(text, low, high, None if open_ else least >= FACTOR)


def amount_hardly_matters(*mixtures):
    """The emergent sizes of all amounts of memorization data lie within a step of two.

    A bound is an interval of widths, and decides only what holds for all of it.
    """
    found = {int(m["memorize_size"].iloc[0]): emergent_size(m) for m in mixtures}
    text = "; ".join(f"{amount:,}: {size.words}" for amount, size in sorted(found.items()))
    widths = {"": lambda d: (d, d), "≤": lambda d: (1, d), ">": lambda d: (d + 1, np.inf)}
    least, most = np.transpose([widths[size.bound](size.d_model) for size in found.values()])
    near = None
    if least.max() > 2 * most.min():
        near = False
    elif not any(size.bound for size in found.values()):
        near = True
    return Finding(f"emergent size with {text}", np.nan, np.nan, near)


def split_is_earlier(mixed, split):
    """The split MLP's emergent size is smaller, and its accuracy higher, size by size."""
    plain, sparse = emergent_size(mixed), emergent_size(split)
    gain = paired(split, mixed)
    mean, low, high = _by_seed(gain["one"] - gain["other"])
    text = f"split from {sparse.words}, shared from {plain.words}; validation accuracy higher "
    text += f"by {mean:.2f}"
    earlier = larger(plain, sparse)
    if earlier is None:
        return Finding(text, low, high, None)  # both beyond the sizes tried, or both below
    return Finding(text, low, high, bool(earlier and low > 0))
