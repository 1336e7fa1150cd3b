"""Double descent in words: what the mean curves do, and how many seeds would settle the claim."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib.analysis.descent import Dip
from lib.paper.claims import Verdict
from lib.paper.criteria.addition import DIP
from lib.paper.search import SEEDS_OF_PAPER

MANY = 1_000
"""Seeds that nobody will train."""


def seen(means: pd.Series, dips: Mapping[int, Dip]) -> str:
    """Where mean accuracy falls and returns with width, and where it hardly falls.

    Args:
        means: by training size and width.
        dips: the deepest of each training size.
    """
    deep = {size: dip for size, dip in sorted(dips.items()) if dip.depth >= DIP}
    flat = {size: dip for size, dip in sorted(dips.items()) if dip.depth < DIP}
    said = [f"with {size:,} points {_course(means[size], dip)}" for size, dip in deep.items()]
    if flat:
        most = max(dip.depth for dip in flat.values())
        sizes = " and ".join(f"{size:,}" for size in flat)
        said.append(f"with {sizes} its deepest dip is {most:.2f}")
    return f"mean accuracy over seeds: {'; '.join(said)}." if said else "no width is stored."


def _course(mean: pd.Series, dip: Dip) -> str:
    top, valley, beyond = mean[dip.peak], mean[dip.valley], mean[mean.index > dip.valley].max()
    return (
        f"{top:.2f} at width {dip.peak:.0f}, {valley:.2f} at width {dip.valley:.0f}, "
        f"up to {beyond:.2f} beyond"
    )


def seeds_to_settle(verdict: Verdict) -> str:
    """About how many seeds would settle an open claim on one grid, if more scattered like these.

    An interval shrinks as the root of the number of seeds; it has to come clear of the end of the
    claim's range that it reaches across.
    """
    ((_, _, least),) = verdict.claim.needs
    seeds = verdict.runs * least // len(verdict.claim.specs())
    inside, outside = [], []
    for c in verdict.finding.conditions if verdict.finding else ():
        if c.holds is None and np.isfinite([c.low, c.high]).all():
            gap = min(abs(c.value - end) for end in (c.least, c.most))
            wanted = seeds * ((c.high - c.low) / 2 / gap) ** 2 if gap else np.inf
            (inside if c.least <= c.value <= c.most else outside).append(wanted)
    if not inside and not outside:
        return ""
    most = min(outside) if outside else max(inside)
    wanted = f"some {most:.0f} seeds" if most < MANY else "more seeds than anyone will train"
    return (
        f"The verdict has {seeds} seeds; the paper has {SEEDS_OF_PAPER}. If more of them scattered "
        f"like these, it would take {wanted} to settle it."
    )
