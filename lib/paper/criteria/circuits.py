"""The four predictions of Varma et al. 2023 as numeric criteria (arXiv 2309.02390).

`changes.csv` has what was changed after runs were known.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from lib.analysis import dynamics, efficiency
from lib.analysis.statistics import interval
from lib.analysis.zones import critical
from lib.paper.criteria.rules import Finding, clustered, mean, widened

FLAT = 0.10
"""Elasticity of the norm up to which it counts as flat: +7% a doubling of the data."""


NEAR = 600
"""Training points by which D_crit may move between weight decays and still count as one."""


FACTOR = 1.5
"""How far the size at which a rule is lost may move: a factor in D."""


SOME = 0.2
"""Share of runs that have to show a plateau."""


def costs_differ(memorize: pd.DataFrame, generalize: pd.DataFrame) -> Finding:
    """P1: the norm rises with D for memorization, and not for generalization."""
    mem = efficiency.norms_needed(memorize)
    gen = efficiency.norms_needed(generalize, val=dynamics.GENERALIZED)
    settled = [f"{norms['norm'].count()} of {len(norms)}" for norms in (mem, gen)]
    note = f"{settled[0]} memorizing and {settled[1]} generalizing runs settle at a training loss "
    note += f"of {efficiency.LEVEL:g} or less"
    rising, level = efficiency.elasticities(mem), efficiency.elasticities(gen)
    counts = gen.dropna(subset="norm").groupby("train_size").size()
    enough = len(counts) == gen["train_size"].nunique() and counts.min() >= 2
    found = (
        mean(f"power of D in the norm, memorizing ({len(rising)} seeds)", rising, 2, least=FLAT),
        mean(f"generalizing ({len(level)} seeds)", level, 2, least=-FLAT, most=FLAT),
    )
    also = {"memorizing": found[0].estimate} if len(rising) >= 3 and found[0].holds else {}
    if enough and len(rising) >= 3:
        return Finding(found, note, also)
    return Finding((), f"{note}; in those that do, {'; '.join(map(str, found))}", also)


def decay_moves_little(*frames: pd.DataFrame, looks: int = 1) -> Finding:
    """P2: D_crit from scratch at every two of the weight decays.

    Args:
        looks: how often it is asked while seeds are added; each interval is widened for it.
    """
    runs = pd.concat(frames)
    return _drift(runs, NEAR, "minus", lambda points: points, "±{:.0f}".format, looks)


def decay_keeps_the_rule(runs: pd.DataFrame) -> Finding:
    """Varma et al.'s own form of P2: where a rule is lost, at every two of the weight decays.

    Compared as logarithms, and told as factors.
    """
    runs = runs.assign(train_size=np.log(runs["train_size"]))
    return _drift(runs, np.log(FACTOR), "over", np.exp, "a factor of {:.3g}".format)


def _drift(
    runs: pd.DataFrame, near: float, against: str, shown: Callable, apart: Callable, looks: int = 1
) -> Finding:
    """Whether the critical size stays within `near` between every two weight decays.

    Args:
        against: what stands between two weight decays that are compared.
        shown: from what is compared to what is told.
        apart: a distance of two in words.
    """
    by_seed = critical.seed_thresholds(runs, "weight_decay").dropna()
    edges = {w: critical.bound(own) for w, own in runs.groupby("weight_decay")}
    places = shown(by_seed.mean()).items()
    note = ", ".join(f"{edges[w]}{place:,.0f} (weight decay {w:g})" for w, place in places)
    if any(edges.values()):
        return Finding((), f"critical D {note}; some lie outside the sizes tried")
    pairs = list(itertools.combinations(by_seed, 2))
    half = by_seed.apply(_half_gap, args=(np.unique(runs["train_size"]),)).mean()
    one, two = (apart(shown(half.max() * n)) for n in (1, 2))
    note += f"; sizes tried lie apart, so a seed's is known to {one} and two compared to {two}, "
    note += "by which the intervals are wider"
    found = (
        widened(mean(f"critical D at weight decay {b:g} {against} that at {a:g}",
                     by_seed[b] - by_seed[a], looks * len(pairs), least=-near, most=near),
                half[a] + half[b])
        for a, b in pairs
    )  # fmt: skip
    ends = ("value", "low", "high", "least", "most")
    told = (
        replace(c, again=lambda n, c=c: tuple(map(shown, c.again(n))),
                **{name: float(shown(getattr(c, name))) for name in ends})
        for c in found
    )  # fmt: skip
    used = int(runs["seed"].isin(by_seed.index).sum())
    return Finding(tuple(told), f"critical D {note}", used=used)


def _half_gap(places: pd.Series, sizes: np.ndarray) -> np.ndarray:
    """Half the distance of the two sizes tried between which each critical size lies."""
    at = np.searchsorted(sizes, places).clip(1, len(sizes) - 1)
    return (sizes[at] - sizes[at - 1]) / 2


def rule_is_lost(parents, continued: pd.DataFrame, scratch: pd.DataFrame) -> Finding:
    """P3: a network that has generalized loses it on too little data, and only there."""
    knew = parents[parents["val_accuracy"] >= dynamics.GENERALIZED]["seed"]
    own = continued[continued["seed"].isin(knew)]
    note = f"{len(knew)} of {len(parents)} networks had generalized"
    if own["seed"].nunique() < 3:
        return Finding((), note)
    place, sizes = critical.critical_size(own), own["train_size"]
    kept = own["val_accuracy"] >= dynamics.GENERALIZED
    also = {"found from": _from(scratch), "kept from": _from(own)}
    samples = map(critical.critical_samples, (own, scratch))
    (_, kept_to), (found_from, _) = map(interval, samples)
    also["kept on less"] = "yes" if kept_to < found_from else ""
    note += f"; from scratch the rule is found from {also['found from']} on, kept from "
    note += also["kept from"]
    below, above = sizes <= place / FACTOR, sizes >= place * FACTOR
    return Finding((
        clustered(f"runs that keep the rule at D ≤ {place / FACTOR:,.0f}",
                  kept[below], own["seed"][below], "seeds", 2, most=0.2),
        clustered(f"at D ≥ {place * FACTOR:,.0f}",
                  kept[above], own["seed"][above], "seeds", 2, least=0.8),
    ), note, also)  # fmt: skip


def _from(runs: pd.DataFrame) -> str:
    """The critical size of some runs in words, with a bootstrap's interval where seeds differ.

    With eight seeds it covers less than 95%, and the step between two sizes is not in it.
    """
    low, high = interval(critical.critical_samples(runs))
    bound = critical.bound(runs)
    ends = "" if bound or low == high else f" (bootstrap: {low:,.0f} to {high:,.0f})"
    return f"{bound}{critical.critical_size(runs):,.0f}{ends}"


def plateaus_exist(runs: pd.DataFrame) -> Finding:
    """P4: at D_crit some runs stay between failing and generalizing for long."""
    found = efficiency.plateaus(runs)
    then = [plateau[-1] for plateau in found if plateau]
    good = int((runs["val_accuracy"] >= dynamics.GENERALIZED).sum())
    note = f"{good} of {len(runs)} runs generalize"
    if then:
        kinds = [kind for kind in ("rises", "falls", "moves on", "open") if kind in then]
        note += "; after it " + ", ".join(f"{then.count(kind)} {kind}" for kind in kinds)
    elif good in (0, len(runs)):
        return Finding((), f"{note} and none has a plateau: these sizes are not at the boundary")
    says = f"runs with a plateau of {efficiency.LASTING:,} epochs or more"
    shown = pd.Series([plateau is not None for plateau in found], runs.index)
    failed = runs[runs["val_accuracy"] < dynamics.GENERALIZED]["train_size"]
    near = runs["train_size"].isin(failed)
    some = clustered(f"{says}, at sizes where some end without the rule",
                     shown[near], runs["seed"][near], "seeds", least=SOME)  # fmt: skip
    also = {"where some fail": f"{shown[near].sum()} of {near.sum()}: at most {some.high:.0%}"}
    whole = clustered(says, shown, runs["seed"], "seeds", least=SOME)
    return Finding((whole,), f"{note}; {some}", also)
