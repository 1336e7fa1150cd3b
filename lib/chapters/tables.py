"""What several chapters say of runs: the one place for each form of table and sentence."""

from collections.abc import Collection, Iterable, Sequence
from importlib.resources import files

import pandas as pd
from tabulate import tabulate

from lib.analysis import dynamics
from lib.analysis.descent import Dip
from lib.analysis.words import bracket, number, seeds_phrase
from lib.analysis.zones.boundaries import Map
from lib.paper import criteria
from lib.paper.claims import Claim, Verdict
from lib.sweeps.plan import format_duration


def table(header: Sequence[str], rows: Iterable[Sequence], left: Collection[int] = (0,)) -> str:
    """A Markdown table: columns of words, by number, to the left, the others to the right."""
    rows = [[str(value) for value in row] for row in rows]
    if not rows:
        return "*No run is stored for this table.*"
    sides = ["left" if i in left else "right" for i in range(len(header))]
    return tabulate(rows, header, "pipe", colalign=sides, disable_numparse=True)


def claims_table(verdicts: Iterable[Verdict], who: str = "The claim") -> str:
    """Claims: what is said, what we found, on how many runs, the verdict."""
    rows = ((v.claim.name, v.claim.says, _found(v), f"{v.runs:,}", v.verdict) for v in verdicts)
    return table(["", who, "Our runs", "Runs", "Verdict"], rows, left=(0, 1, 2, 4))


def _found(verdict: Verdict) -> str:
    """A number a line, of several each with what it comes to; last what decides nothing."""
    if not verdict.finding:
        lack = len(verdict.missing)
        return f"{lack:,} run{'s' * (lack != 1)} missing"
    asked, outcome = verdict.finding.conditions, {True: "met", None: "open", False: "not met"}
    lines = [f"*{outcome[c.holds]}:* {c}" if len(asked) > 1 else str(c) for c in asked]
    return "<br>".join(filter(None, (*lines, verdict.finding.note)))


def conditions(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Each number that some claims ask for: a row with its interval and the paper's range."""
    return pd.DataFrame(
        dict(claim=v.claim.name)
        | {name: value for name, value in vars(condition).items() if name not in ("draws", "again")}
        | dict(holds=condition.holds)
        for v in verdicts if v.finding for condition in v.finding.conditions
    )  # fmt: skip


def needs_words(claim: Claim) -> list[str]:
    """The runs that decide a claim: experiment, cells, seeds, and whether they are new."""
    short = {"task": "task", "d_model": "d", "train_size": "D", "memorize_size": "memorized"}
    needs = []
    for experiment, cells, seeds in claim.needs:
        words = [f"{short[name]} " + ", ".join(v if name == "task" else f"{v:,}" for v in values)
                 for name, values in cells.items() if name in short]  # fmt: skip
        where = "; ".join(words + ["split"] * (cells.get("split_mlp") == (True,)))
        which = f"{seeds} seeds" if isinstance(seeds, int) else seeds_phrase(seeds)
        age = ", younger than the test" * (experiment in claim.later)
        needs.append(f"{experiment}{f' ({where})' if where else ''}, {which}{age}")
    return needs


def changes() -> pd.DataFrame:
    """The tests that were changed after runs that they judge: when, what, the verdicts by both."""
    return pd.read_csv(files(criteria) / "changes.csv")


def changes_table(rows: pd.DataFrame) -> str:
    """Some of `changes`: claim, the verdict before and after, what was changed."""
    cells = rows[["claim", "before", "after", "what"]].itertuples(index=False)
    return table(["claim", "before", "after", "what was changed"], cells, left=(0, 1, 2, 3))


def younger(claims: Iterable[Claim], changed: pd.DataFrame) -> str:
    """Which tests are older than runs that they ask for, and which others were never changed."""
    claims = list(claims)
    listed = set(changed["claim"])
    later = [f"*{claim.name}*" for claim in claims if claim.later]
    never = [f"*{c.name}*" for c in claims if not c.later and c.name not in listed]
    rest = len(claims) - len(later) - len(never)
    text = (
        "Some or all runs are younger than the first form of these "
        f"{len(later)} tests, or will be: {'; '.join(later)}. Of the {rest + len(never)} others "
    )
    if not never:
        return f"{text}all were changed after runs were stored."
    return f"{text}{rest} were changed after runs were stored, and not {'; '.join(never)}."


def cost(*frames: pd.DataFrame) -> str:
    """What the stored runs of some frames took to train, in words.

    On a processor every thread is a core's time; on a GPU the threads only wait for it.
    """
    runs = pd.concat(frames).drop_duplicates("key") if frames else pd.DataFrame()
    if runs.empty:
        return "No run behind this page is stored yet."
    runs = runs.assign(device=runs["device"].fillna("cpu"))  # an older file does not say
    parts = []
    for device, own in sorted(runs.groupby("device"), key=lambda pair: pair[0] != "cpu"):
        threads = own["threads"] if device == "cpu" else 1
        seconds = float((own["wall_seconds"] * threads).sum())
        two = f"of one core, so about {format_duration(seconds / 2)} on two"
        parts.append(f"{format_duration(seconds)} {two if device == 'cpu' else f'on {device}'}")
    return f"The {len(runs):,} stored runs behind this page took {'; and '.join(parts)}."


def zone_rules() -> str:
    """The thresholds of `lib.analysis.dynamics.zone` in words, as a Markdown list."""
    perfect, zero = f"{dynamics.PERFECT:g}", f"{dynamics.ZERO:g}"
    good, together = f"{dynamics.GENERALIZED:g}", f"{dynamics.TOGETHER:g}"
    return f"""\
* *ungrokking*: training accuracy reaches {perfect} while validation is below {together}, and \
validation ends below {zero};
* *semi-grokking*: the same start, and validation ends from {zero} to below {good} (that it stays \
there, as the paper's does, is not asked);
* *grokking*: the same start, and validation ends at {good} or above;
* *progression*: validation ends at {zero} or above, and training either never reaches {perfect} \
or validation was at {together} by then: the two rise together. This is wider than the paper's \
word: it does not ask that a part is memorized first, with validation at about zero, and it has \
networks, too, that could memorize everything and have so much data that they need not;
* *unlearned*, which is no zone of the paper: training never reaches {perfect}, validation ends \
below {zero}. It may be the low end of progression, where the paper has accuracy fall towards zero \
(§4.4), or a network too slow by T."""


def dip_cells(dip: Dip) -> tuple:
    """A dip in a row of a table: depth, interval, first peak, valley, whole seeds."""
    ends = bracket(dip.low, dip.high).strip() or "–"
    places = number(dip.peak, "{:.0f}"), number(dip.valley, "{:.0f}")
    return number(dip.depth), ends, *places, dip.seeds


def crossing_words(found: Map) -> tuple[str, str]:
    """Where figure 1's curves cross: width and training size, each with its interval."""
    if not found.star:
        return "not known", "not known"
    widths, sizes = found.star_intervals()
    return (f"{found.star[0]:.1f}{bracket(*widths, '{:.1f}')}",
            f"{found.star[1]:,.0f}{bracket(*sizes, '{:,.0f}')}")  # fmt: skip


def critical_words(points: pd.DataFrame, d_model: int | None = None) -> str:
    """D_crit of a width with its bound or its interval, from `critical_sizes`."""
    own = points if d_model is None else points[points["d_model"] == d_model]
    if own.empty:
        return "no run"
    c = own.iloc[0]
    size = f"{c['estimate']:,.0f}"
    return f"{c['bound']} {size}" if c["bound"] else size + bracket(c["low"], c["high"], "{:,.0f}")
