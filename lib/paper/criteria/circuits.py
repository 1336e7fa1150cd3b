"""The four predictions of Varma et al. 2023 as numeric criteria (arXiv 2309.02390).

Written down before the runs that decide them.
"""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from lib.analysis import dynamics, efficiency, statistics
from lib.analysis.words import mean_words, number
from lib.analysis.zones import critical
from lib.paper.criteria.rules import ALPHA, Finding, unsettled

FLAT = 0.10
"""Elasticity of the norm up to which it counts as flat: +7% a doubling of the data."""


NEAR = 600
"""Training points by which D_crit may move between weight decays and still count as one."""


FACTOR = 1.5
"""How far the size at which a rule is lost may move, or its transition spread: a factor in D."""


SOME = 4
"""Runs of 20 that have to show a plateau, one in five."""


NORM = ["train_size", "seed", "norm"]


def costs_differ(memorize: pd.DataFrame, generalize: pd.DataFrame) -> Finding:
    """P1: the norm rises with D for memorization, and not for generalization."""
    mem = efficiency.norms_needed(memorize)[NORM]
    gen = efficiency.norms_needed(generalize, val=dynamics.GENERALIZED)[NORM]
    table = mem.pivot_table(index="seed", columns="train_size", values="norm").dropna(axis=1)
    counts = gen.dropna().groupby("train_size").size()
    enough = len(counts) == gen["train_size"].nunique() and counts.min() >= 2
    rising, level = efficiency.elasticities(mem), efficiency.elasticities(gen)
    rise, low, high = statistics.student(rising)
    text = f"d ln(norm)/d ln(D) = {mean_words(level, '{:.3f}')} generalizing ({len(level)} seeds), "
    text += f"{number(rise, '{:.3f}')} memorizing"
    # one seed's slope has no interval: two have to have three sizes each that settle
    if table.shape[0] < 3 or table.shape[1] < 5 or not enough or len(level) < 2:
        settled = " and ".join(
            f"{len(norms.dropna())} of {len(norms)} {kind}"
            for kind, norms in (("memorizing", mem), ("generalizing", gen))
        )
        level = f"a training loss of {efficiency.LEVEL:g} or less"
        text = f"{settled} runs settle at {level}; theirs: {text}"
        return Finding(text, low, high, None)
    p = stats.page_trend_test(table.to_numpy()).pvalue
    text += f" (Page's trend p = {p:.2g})"
    flat_low, flat_high = statistics.student(level)[1:]
    good = p < ALPHA and low > 0 and -FLAT <= flat_low and flat_high <= FLAT and low > flat_high
    return Finding(text, low, high, bool(good))


def decay_moves_little(runs: pd.DataFrame) -> Finding:
    """P2: D_crit from scratch at every two of the weight decays."""
    return _drift(runs, NEAR, "{:.0f}", "{:+.0f} points")


def decay_keeps_the_rule(runs: pd.DataFrame) -> Finding:
    """Varma et al.'s own form of P2: where a rule is lost, at every two of the weight decays."""
    logs = runs.assign(train_size=np.log(runs["train_size"]))
    return _drift(logs, np.log(FACTOR), "{:.2f}", "{:+.2f}", "ln D")


def _drift(runs, near, form, difference, what="D") -> Finding:
    """Whether the critical size stays within `near`, for the two decays that differ most."""
    by_seed = critical.seed_thresholds(runs, "weight_decay").dropna()
    edges = {w: efficiency.edge(own) for w, own in runs.groupby("weight_decay")}
    text = f"critical {what} " + ", ".join(
        f"{edges[w]}{form.format(v)} (weight decay {w:g})" for w, v in by_seed.mean().items()
    )
    if len(by_seed) < 3 or any(edges.values()):
        return unsettled(f"{text}; some lie outside the sizes tried")
    pairs = [
        statistics.student(by_seed[b] - by_seed[a]) for a, b in itertools.combinations(by_seed, 2)
    ]
    drift, low, high = max(pairs, key=lambda pair: abs(pair[0]))
    inside = all(-near <= low and high <= near for _, low, high in pairs)
    text += f"; between the two that differ most {difference.format(drift)}"
    return Finding(text, low, high, True if inside else False if abs(drift) > near else None)


def rule_is_lost(parents, continued: pd.DataFrame, scratch: pd.DataFrame) -> Finding:
    """P3: a network that has generalized loses it on too little data, and only there."""
    knew = parents[parents["val_accuracy"] >= dynamics.GENERALIZED]["seed"]
    own = continued[continued["seed"].isin(knew)]
    table = own.pivot_table(index="seed", columns="train_size", values="val_accuracy").dropna()
    text = f"{len(knew)} of {len(parents)} networks had generalized"
    if len(table) < 3:
        return unsettled(text)
    p = stats.page_trend_test(table.to_numpy()).pvalue
    kept = (table >= dynamics.GENERALIZED).mean()
    place = critical.critical_size(own)
    low, high = statistics.interval(critical.critical_samples(own))
    below, above = kept[kept.index <= place / FACTOR], kept[kept.index >= place * FACTOR]
    found = f"{efficiency.edge(scratch)}{critical.critical_size(scratch):.0f}"
    text += f"; the rule is kept by {kept.iloc[0]:.0%} of them at D = {kept.index[0]:,}, by "
    text += f"{kept.iloc[-1]:.0%} at {kept.index[-1]:,} (Page's trend p = {p:.2g}), found from "
    text += f"scratch from {found} on, kept from {efficiency.edge(own)}{place:.0f}"
    if not (len(below) and len(above)):
        return Finding(f"{text}, too near to the last size tried", low, high, None)
    sharp = below.max() <= 0.2 and above.min() >= 0.8
    return Finding(text, low, high, bool(p < ALPHA and sharp))


def plateaus_exist(runs: pd.DataFrame) -> Finding:
    """P4: at D_crit some runs stay between failing and generalizing for long."""
    floors = efficiency.symmetry_share(runs["train_size"], runs["modulus"]) + efficiency.MARGIN
    found = [
        efficiency.plateau(c, max(dynamics.ZERO, floor)) for c, floor in zip(runs["curve"], floors)
    ]
    then = [plateau.then for plateau in found if plateau]
    good = int((runs["val_accuracy"] >= dynamics.GENERALIZED).sum())
    ends = stats.binomtest(len(then), len(runs)).proportion_ci(method="wilson")
    text = f"{good} of {len(runs)} runs generalize; {len(then)} have a plateau of "
    text += f"{efficiency.LASTING:,} epochs or more"
    if then:
        kinds = [k for k in ("rises", "falls", "moves on", "open") if k in then]
        text += " (after it: " + ", ".join(f"{then.count(k)} {k}" for k in kinds) + ")"
    elif good in (0, len(runs)):
        text += ", so these sizes are not at the boundary"
    there = len(then) >= SOME
    settled = there or 0 < good < len(runs)
    return Finding(text + "; their share", ends.low, ends.high, there if settled else None)
