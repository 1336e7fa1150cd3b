"""The four predictions of Varma et al. in our runs: norms, critical sizes, plateaus."""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from lib.analysis import efficiency
from lib.analysis.dynamics import GENERALIZED, first_epoch, with_curves
from lib.analysis.gather import Gathered
from lib.analysis.words import bracket, mean_words, number
from lib.analysis.zones.critical import critical_size, critical_sizes
from lib.chapters.page import Page
from lib.chapters.scoreboard import reason
from lib.chapters.tables import critical_words
from lib.circuits.simulation import Setting
from lib.figures.style import TRAIN, VAL, WAVES
from lib.paper.takeaways import judge_named
from lib.runs.store import Store

STYLES = ((TRAIN, "o"), (VAL, "s"), (WAVES, "^"), ("#CC79A7", "D"), ("#000000", "v"))
"""Colour and marker of a figure's first lines."""


COLUMNS = (
    *("weight_decay", "train_size", "seed", "epochs", "epoch", "train_accuracy", "val_accuracy"),
    *("train_loss", "param_norm", "key"),
)
"""What the chapter's tables for download say of each run."""


def both_kinds(
    page: Page, seeds: list[int], epochs: int, memorized: list[int], generalized: list[int]
) -> dict[str, Gathered]:
    """Networks that can only memorize, and networks that generalize, twice (P1): by kind."""
    long = dict(seed=seeds, epochs=epochs)
    return {
        "memorizing (random labels)": page.runs("circuits_memorize", train_size=memorized, **long),
        "generalizing": page.runs("circuits_generalize", train_size=generalized, seed=seeds),
        "generalizing, equally long": page.runs("circuits_settle", train_size=generalized, **long),
    }


def both_kinds_calm(
    page: Page, seeds: list[int], lr: float, epochs: int, memorized: list, generalized: list
) -> dict[str, Gathered]:
    """The same at a lower learning rate, once each."""
    calm = partial(page.runs, "circuits_calm", lr=lr, epochs=epochs, seed=seeds)
    mem, gen = calm(task="random", train_size=memorized), calm(task="add", train_size=generalized)
    which = f"learning rate {lr:g}"
    return {f"memorizing, {which}": mem, f"generalizing, {which}": gen}


NORM_HEADER = [
    *("circuit", "runs that settle so", "power of D in the norm"),
    *(f"power, lowest norm at loss {level:g}" for level in efficiency.LEVELS),
    *("largest drift", "restless"),
]


def norms(found: Gathered, **how) -> pd.DataFrame:
    """`efficiency.norms_needed` of some runs; on sums they count where they have generalized."""
    val = 0.0 if (found.runs["task"] == "random").all() else GENERALIZED
    return efficiency.norms_needed(with_curves(found.runs, found.curves), val=val, **how)


def norm_row(kind: str, found: Gathered) -> tuple:
    """How the norm that one kind of networks needs goes with D (`NORM_HEADER`)."""
    needed, how = norms(found), dict(norm=efficiency.lowest_norm)
    lowest = (_slope(norms(found, level=level, **how)) for level in efficiency.LEVELS)
    settled = f"{needed['norm'].notna().sum()} of {len(needed)}"
    ends = (
        number(needed["drift"].abs().max(), "{:.1%}"),
        number(needed["restless"].mean(), "{:.0%}"),
    )
    return kind, settled, _slope(needed), *lowest, *ends


def _slope(norms: pd.DataFrame) -> str:
    slopes = efficiency.elasticities(norms)
    return f"{mean_words(slopes, '{:+.3f}')} ({len(slopes)})"


def where_they_cross(mem: pd.DataFrame, gen: pd.DataFrame, whole: pd.DataFrame) -> str:
    """Where memorizing costs what generalizing costs, against D_crit as measured (P1).

    Args:
        mem, gen: norms needed, usual recipe.
        whole: the runs that D_crit is measured on, of one width.
    """
    crossing, side = efficiency.crossing(mem, gen)
    if not np.isfinite(crossing):
        return "Too few runs are stored to say where the two norms cross."
    if side:
        text = f"By these norms memorizing is the dearer way at D = {crossing:,.0f} already."
        if side == "≥":
            text = f"By these norms memorizing is the cheaper way up to D = {crossing:,.0f}."
    else:
        seeds = sorted(mem["seed"].unique())
        each = (efficiency.crossing(*(n[n["seed"] == seed] for n in (mem, gen))) for seed in seeds)
        each = sorted(size for size, bound in each if np.isfinite(size) and not bound)
        text = f"By these norms memorizing costs as much as generalizing at D = {crossing:,.0f} "
        text += f"(seed by seed: {', '.join(f'{size:,.0f}' for size in each) or 'none'}). This "
        text += "takes the rule's norm at that size to be its mean over the sizes measured"
        text += f"{_if_it_rose(mem, gen)}."
    if whole.empty:
        return text
    critical = critical_sizes(whole).iloc[0]
    ends = bracket(critical["low"], critical["high"], "{:,.0f}")
    text += (
        f" Validation accuracy, from scratch and by epoch T, puts $D_{{\\text{{crit}}}}$ at "
        f"{critical['bound']}{critical['estimate']:,.0f}{ends} (width {critical['d_model']:.0f}, "
        "figure 3's grid). The theory has one number for both."
    )
    ratio = critical["estimate"] / crossing
    if ratio > 1.5 and side != "≥":
        text += (
            f" Here they are {'at least ' * (side == '≤')}{ratio:.1f}-fold apart: between them "
            "generalizing is the cheaper circuit by this measure, and most networks that start "
            "from scratch do not find it by epoch T."
        )
    return text


def _if_it_rose(mem: pd.DataFrame, gen: pd.DataFrame) -> str:
    """Where the two would cross if the rule's norm went on as it goes over the sizes measured."""
    slopes = efficiency.elasticities(gen)
    if not len(slopes):
        return ""
    at, side = efficiency.crossing(mem, gen, slopes.mean())
    where = {"": f"at {at:,.0f}", "≤": f"below {at:,.0f}", "≥": f"beyond {at:,.0f}"}[side]
    sizes = gen.dropna(subset="norm")["train_size"]
    text = f", {sizes.min():,} to {sizes.max():,}; if it goes on with D as it does there "
    return f"{text}({slopes.mean():+.3f}), they cross {where}"


def lines(groups: Mapping[str, pd.DataFrame], sizes: Sequence[int]) -> dict[str, tuple]:
    """One panel of `lib.figures.accuracy.success_by_size`: runs by label, with their D_crit."""
    return {
        label: (runs, critical_size(runs) if len(runs) else np.nan, *style, sizes)
        for (label, runs), style in zip(groups.items(), itertools.cycle(STYLES))
    }


def by_decay(runs: pd.DataFrame, decays: Sequence[float]) -> dict[str, pd.DataFrame]:
    """Runs by their weight decay, in words."""
    return {f"weight decay {w:g}": runs[runs["weight_decay"] == w] for w in decays}


MOSTLY_LOST = 0.2
"""Mean validation accuracy below which a rule counts as all but lost."""


KEPT_HEADER = ["D", "runs", "validation accuracy", "mirrored pairs", "other pairs", "never seen",
               "waves on held-out pairs", "norm"]  # fmt: skip


def control_rows(runs: pd.DataFrame, controls: Mapping[str, tuple[int, float]]) -> list[tuple]:
    """The controls, by training size and weight decay (`KEPT_HEADER`), without a look inside."""
    rows = []
    for label, (size, decay) in controls.items():
        own = runs[(runs["train_size"] == size) & (runs["weight_decay"] == decay)]
        rows.append(_kept_row(f"control: {label}", own, ["–"] * 4))
    return rows


def kept_rows(runs: pd.DataFrame, measured: pd.DataFrame, sizes: Sequence[int]) -> list[tuple]:
    """What networks are whose training went on with a subset, size by size (`KEPT_HEADER`)."""
    rows, ends = [], measured[measured["last"]]
    for size in sizes:
        own, seen = (frame[frame["train_size"] == size] for frame in (runs, ends))
        inside = ("mirrored_accuracy", "unmirrored_accuracy", "unseen_accuracy", "held_out_share")
        rows.append(_kept_row(f"{size:,}", own, [number(seen[name].mean()) for name in inside]))
    return rows


def fading(runs: pd.DataFrame, curves: pd.DataFrame) -> str:
    """How gradually a rule is lost with the subset's size, and who stays half-way, in words."""
    means = runs.groupby("train_size")["val_accuracy"].mean()
    kept = means.index[means >= GENERALIZED].min()
    lost = means.index[(means < MOSTLY_LOST) & (means.index < kept)].max()
    if np.isnan([kept, lost]).any():
        return "The sizes that are stored do not show how gradually the rule is lost."
    step = not ((means.index > lost) & (means.index < kept)).any()
    text = (
        f"{'Within one step of the sizes tried' if step else 'The rule fades rather than snaps'}: "
        f"between {kept:,} points and {lost:,} mean accuracy falls from {means[kept]:.2f} to "
        f"{means[lost]:.2f}. (Varma et al. predict a sharp transition, in §4, and see a smooth "
        "one, in appendix A.2.)"
    )
    own = with_curves(runs, curves)
    stays = pd.Series([plateau is not None for plateau in efficiency.plateaus(own)], own.index)
    sizes = own["train_size"][stays]
    if sizes.empty:
        return f"{text} No network stays half-way (as P4 asks, below)."
    within = stays[own["train_size"].between(sizes.min(), sizes.max())]
    return (
        f"{text} {within.sum()} of the {len(within)} networks that go on with {sizes.min():,} to "
        f"{sizes.max():,} points stay half-way for {efficiency.LASTING:,} epochs or more: a "
        "plateau, which P4, below, asks of networks from scratch alone."
    )


def _kept_row(label: str, runs: pd.DataFrame, inside: list[str]) -> tuple:
    val, norm = runs["val_accuracy"].mean(), runs["param_norm"].mean()
    return label, len(runs), number(val), *inside, number(norm, "{:.1f}")


def crossings(needed: Mapping[str, pd.DataFrame]) -> tuple[tuple[float, str], ...]:
    """Where the norms of both kinds cross, as usual and calm (`efficiency.crossing`)."""
    mem, gen, _, mem_calm, gen_calm = needed.values()
    return efficiency.crossing(mem, gen), efficiency.crossing(mem_calm, gen_calm)


def norm_lines(needed: Mapping[str, pd.DataFrame]) -> dict[str, tuple[pd.DataFrame, dict]]:
    """The lines of `lib.figures.circuits.norms_by_size`: both kinds, as usual and calm (dashed)."""
    lines = {}
    for kind, rows in needed.items():
        colour, marker = (VAL, "s") if kind.startswith("memor") else (WAVES, "o")
        calm = dict(ls="--", mfc="white") if "learning rate" in kind else {}
        lines[kind] = rows, dict(color=colour, marker=marker) | calm
    return {kind: line for kind, line in lines.items() if "equally" not in kind}


def marks(needed: Mapping[str, pd.DataFrame], whole: pd.DataFrame) -> dict[str, float]:
    """Two training sizes that should be one: where norms cross, and D_crit; NaN if unknown."""
    (size, side), _ = crossings(needed)
    critical = critical_size(whole) if len(whole) else np.nan
    return {f"crossing {side or '='}": size, "D_crit measured =": critical}


def place_rows(needed: Mapping[str, pd.DataFrame], runs: Mapping[str, pd.DataFrame]) -> list[tuple]:
    """Places that should be one: where norms cross, and critical sizes of runs, each in words."""
    calm = list(needed)[-1].split(", ")[-1]
    names = "norms of memorizing and generalizing cross (P1)", f"the same at {calm}"
    rows = [
        (name, f"{side} {number(at, '{:,.0f}')}".strip())
        for name, (at, side) in zip(names, crossings(needed))
    ]
    return rows + [(name, critical_words(critical_sizes(own))) for name, own in runs.items()]


def said(store: Store, name: str) -> str:
    """What a claim comes to, in words: the verdict's, and the places behind it."""
    (verdict,) = judge_named(store, name)
    places = verdict.finding.note.split(";")[0] if verdict.finding else ""
    return f"**{reason(verdict)}**" + f" {places[:1].upper()}{places[1:]}." * bool(places)


def kept_on_less(kept: pd.DataFrame, found: pd.DataFrame) -> str:
    """Whether a rule survives on less data than it takes to find it; "" where it does not."""
    if kept.empty or found.empty or not critical_size(found) > 1.5 * critical_size(kept):
        return ""
    return (
        "A rule that is there survives on less data than it takes to find it by epoch T. So the "
        "place where networks from scratch begin to generalize is not the place where the cheaper "
        "circuit changes; whether more time closes the gap is seen under P4. Varma et al. found "
        "such a gap, too, about twofold at width 128, and call $D_\\text{crit}$ an oversimplified "
        "concept (appendix A.2)."
    )


def patience(curves: pd.DataFrame, usual: int, longer: int) -> tuple[list[tuple], str]:
    """How many runs had generalized by the usual end and by the longer one, and what it says."""
    rows, soon, late = [], 0, 0
    for size, own in curves.groupby("train_size"):
        runs = [run for _, run in own.groupby("key")]
        first = [first_epoch(run["epoch"], run["val_accuracy"], GENERALIZED) for run in runs]
        there = [epoch for epoch in first if np.isfinite(epoch)]
        early = sum(epoch <= usual for epoch in there)
        last = f"{max(there):,.0f}" if there else "–"
        rows.append((f"{size:,}", len(first), early, len(there), last))
        soon, late = soon + early, late + len(there)
    if not rows:
        return rows, ""
    text = f"Together {soon} runs by epoch {usual:,} and {late} by epoch {longer:,}. "
    if late > soon:
        text += "So a part of the gap is patience: with more time the rule is found on less data."
    elif late:
        text += "More time finds the rule no more often."
    return rows, text


def race_table(ran: Mapping[str, dict], settings: Mapping[str, Setting]) -> pd.DataFrame:
    """Races (`lib.circuits.simulation.simulate`) as one table, with what raced."""
    return pd.concat(
        pd.DataFrame(run).assign(cost=settings[title].cost, grokked=settings[title].grokked)
        for title, run in ran.items()
    )
