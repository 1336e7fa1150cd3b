"""How the claims on mixtures are judged (§5, appendix B; takeaways 7 and 8).

The paper reports the best of three seeds; ours is read by the highest on the way and by the last,
at several levels, and a claim holds or fails only if it does by every reading.  An emergent
size lies between two sizes tried, so what is asked of it is asked of both.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd

from lib.analysis.emergence import EMERGED, Size, emergent_size, paired, sizes, times
from lib.analysis.growth import AMOUNTS, extended_capacity, fit_law, turns
from lib.paper.criteria.rules import HALF, Condition, Finding, envelope, share

FACTOR = 3.0
"""How many times more parameters the mixture has to need: one step of two in width, which is
less than a factor of four because embeddings count, too."""


PROPORTIONAL = (0.5, 2.0)
"""Powers of all facts with which capacity at the emergent size may grow: a fixed factor is 1."""


LEVELS = (EMERGED, 0.5, 0.8, 0.95)
READINGS = ("best", "val_accuracy")  # the highest on the way, and the last


def _with_best(*frames: pd.DataFrame) -> pd.DataFrame:
    runs = pd.concat(frames)
    return runs.assign(best=[curve["val_accuracy"].max() for curve in runs["curve"]])


def _read(runs: pd.DataFrame, column: str, level: float) -> Size:
    return emergent_size(runs.assign(val_accuracy=runs[column]), level, seeds=1)


def emerges(*frames):
    """From some size on alone, with the mixture only from a much larger one on, but there.

    Args:
        frames: runs of addition alone and of the mixture, in any order.
    """
    runs = _with_best(*frames)
    alone, mixed = runs[runs["memorize_size"] == 0], runs[runs["memorize_size"] > 0]
    table, names = sizes(mixed), ["n_layers", "d_model"]
    readings, words = [], {}
    for level, column in itertools.product(LEVELS, READINGS):
        small, large = (_read(runs, column, level) for runs in (alone, mixed))
        own = mixed.merge(table[[*names, "parameters"]], on=names)
        between = own[own["parameters"].between(small.parameters, large.span[0])]
        words.setdefault(f"alone from {small.words}, mixed from {large.words}", []).append(column)
        readings.append((
            Condition("times as many parameters with the mixture as alone",
                      large.parameters / small.parameters, *times(large, small), least=FACTOR,
                      by_steps=True),
            Condition("parameters from which on the mixture emerges", large.parameters,
                      *large.span, most=table["parameters"].max(), by_steps=True),
            share(f"runs in between at {level:g} on the way", between[column] >= level,
                  most=HALF),
        ))  # fmt: skip
    said = "; ".join(f"{text} ({len(n)} of {len(readings)} readings)" for text, n in words.items())
    return Finding(tuple(envelope(own) for own in zip(*readings)), said)


def split_is_earlier(*frames, looks=1):
    """Seed by seed, whether the split MLP has the higher accuracy, mean over sizes.

    Args:
        frames: the shared MLP's runs, then as many frames of the split one's.
        looks: how often it is asked while seeds are added; each interval is widened for it.
    """
    half = len(frames) // 2
    shared, split = _with_best(*frames[:half]), _with_best(*frames[half:])
    readings = []
    for column in READINGS:
        pairs = paired(split, shared, column).groupby(level="seed").mean()
        gain = pairs["one"] - pairs["other"]
        says = "seeds in which the split MLP is higher"
        readings.append(share(says, gain > 0, looks, least=HALF))
    sizes_ = ", ".join(f"{name} from {_read(own, 'best', EMERGED).words}"
                       for name, own in (("split", split), ("shared", shared)))  # fmt: skip
    return Finding((envelope(readings),), f"{sizes_}, by the highest accuracy on the way")


def amount_hardly_matters(*frames):
    """The emergent sizes of all amounts of memorization data lie within a step of two."""
    mixtures, readings = [own for _, own in _with_best(*frames).groupby("memorize_size")], []
    for column in READINGS:
        found = [_read(own, column, EMERGED) for own in mixtures]
        widths = [size.d_model for size in found]
        least, most = np.transpose([size.widths for size in found])
        low, high = max(1.0, least.max() / most.min()), most.max() / least.min()
        readings.append(Condition("largest emergent width over the smallest",
                                  max(widths) / min(widths), low, high, most=2,
                                  by_steps=True))  # fmt: skip
    amounts = (f"{int(own['memorize_size'].iloc[0]):,}: {size.words}"
               for own, size in zip(mixtures, found))  # fmt: skip
    return Finding((envelope(readings),), "by the last accuracy with " + "; ".join(amounts))


def capacity_is_a_fixed_factor(*frames):
    """Whether capacity where addition emerges grows as all facts do, seed by seed.

    How capacity goes with width is taken as known: its own interval is far narrower.

    Args:
        frames: addition alone, then with each amount of memorization data; at last the runs of
            figure 4, which say how capacity goes with width.
    """
    *mixtures, random = frames
    capacity, runs = extended_capacity(random), _with_best(*mixtures)
    readings = itertools.product(LEVELS, READINGS)
    found = [turns(runs, column, level) for level, column in readings]
    laws = [fit_law(rows) for rows in found]
    if capacity is None or None in laws:
        return Finding((), "capacity is not known, or addition emerges with fewer than "
                           f"{AMOUNTS} amounts within the widths tried")  # fmt: skip
    grows = (
        Condition("power of all facts with which capacity at the emergent width grows",
                  capacity.power * law.power, capacity.power * law.low, capacity.power * law.high,
                  least=PROPORTIONAL[0], most=PROPORTIONAL[1])
        for law in laws
    )  # fmt: skip
    return Finding((envelope(list(grows)),), "; ".join(_factors(found[0], capacity)))


def _factors(rows: pd.DataFrame, capacity) -> Iterator[str]:
    """Capacity over all facts at the emergent width of each amount's middle seed, in words: it
    turns between two widths tried, or beyond the widest, or below the narrowest."""
    for amount, own in rows.groupby("memorize_size"):
        middle = own.sort_values(["high", "low"]).iloc[(len(own) - 1) // 2]
        low, high = capacity(middle[["low", "high"]].to_numpy(float)) / middle["facts"]
        factor = f"{low:.2g} to {high:.2g}"
        if not np.isfinite(high):
            factor = f"more than {low:.2g}"
        elif not low:
            factor = f"at most {high:.2g}"
        yield f"{f'+ {amount:,}' if amount else 'alone'}: capacity over all facts {factor}"
