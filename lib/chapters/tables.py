"""Cells and sentences of a chapter as words: what a Markdown table says of the runs."""

from collections.abc import Callable, Collection, Iterable, Sequence

import pandas as pd

from lib.analysis import dynamics
from lib.analysis.words import span
from lib.sweeps.plan import format_duration

ENOUGH = 3
"""Seeds that a cell needs before a chapter says that it agrees with a sentence or does not."""


def holds(
    cells: pd.DataFrame, keys: Iterable[tuple[int, int]], test: Callable[[float], bool]
) -> bool | None:
    """Whether the mean of every named cell passes a test; None where a cell has too few seeds.

    Args:
        cells: from `lib.analysis.statistics.cell_means`.
        keys: (d_model, train_size) of the cells.
        test: of a mean.
    """
    keys = list(keys)
    if not keys or not enough(cells, keys):
        return None
    return all(bool(test(cells.loc[key, "mean"])) for key in keys)


def enough(cells: pd.DataFrame, keys: Iterable[tuple[int, int]]) -> bool:
    """Whether every named cell has the seeds that a statement needs (`ENOUGH`)."""
    return all(key in cells.index and cells.loc[key, "seeds"] >= ENOUGH for key in keys)


def say(cells: pd.DataFrame, keys: Sequence[tuple[int, int]]) -> str:
    """The means of some cells in words, with their seeds; of many cells, their range."""
    there = [key for key in keys if key in cells.index]
    if not there:
        return "no run"
    count = span(cells.loc[there, "seeds"], "{:.0f}")
    seeds = f"{count} seed{'s' * (count != '1')}"
    if len(keys) > 4:
        lowest, highest = cells.loc[there, "mean"].min(), cells.loc[there, "mean"].max()
        some = "" if len(there) == len(keys) else f" of {len(keys)}"
        return f"from {lowest:.2f} to {highest:.2f} in {len(there)}{some} cells, {seeds} each"
    shown = [f"({d}, {size:,}): {cells.loc[(d, size), 'mean']:.2f}" for d, size in there]
    return ", ".join(shown) + f"; {seeds}" + (" each" if len(there) > 1 else "")


def table(header: Sequence[str], rows: Iterable[Sequence], left: Collection[int] = (0,)) -> str:
    """A Markdown table: columns of words, by number, to the left, the others to the right."""
    rows = [[str(value) for value in row] for row in rows]
    if not rows:
        return "*No run is stored for this table.*"
    rules = [":--" if i in left else "--:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rules, *rows))


def cost(*frames: pd.DataFrame) -> str:
    """What the stored runs of some frames took to train, in words.

    On a processor every thread is a core's time; on a GPU the threads only wait for it.
    """
    runs = pd.concat(frames).drop_duplicates("key") if frames else pd.DataFrame()
    if runs.empty:
        return "No run behind this page is stored yet."
    runs = runs.assign(device=runs["device"].fillna("cpu"))  # an older file does not say
    parts, end = [], ""
    for device, own in runs.groupby("device"):
        if device != "cpu":
            parts.append(f"{format_duration(own['wall_seconds'].sum())} on {device}")
            continue
        seconds = float((own["wall_seconds"] * own["threads"]).sum())
        parts.insert(0, f"{format_duration(seconds)} of one core")
        end = f", so about {format_duration(seconds / 2)} on two"
    if end:
        parts[0] += end
    return f"The {len(runs):,} stored runs behind this page took {'; and '.join(parts)}."


def zone_rules() -> str:
    """The thresholds of `lib.analysis.dynamics.zone` in words, as a Markdown list."""
    perfect, zero = f"{dynamics.PERFECT:g}", f"{dynamics.ZERO:g}"
    good, together = f"{dynamics.GENERALIZED:g}", f"{dynamics.TOGETHER:g}"
    memorized = f"training accuracy reaches {perfect} while validation is below {together}"
    return "\n".join(
        [
            f"* *ungrokking*: {memorized}, and validation ends below {zero};",
            f"* *semi-grokking*: the same start, and validation ends from {zero} to below {good};",
            f"* *grokking*: the same start, and validation ends at {good} or above;",
            f"* *progression*: validation ends at {zero} or above, and training either never "
            f"reaches {perfect} or validation was at {together} by then: the two rise together. "
            "That includes networks that could memorize everything and have so much data that "
            "they need not;",
            "* *unlearned*, which is no zone of the paper: training never reaches "
            f"{perfect}, validation ends below {zero}.",
        ]
    )


def check_table(rows: Iterable[tuple[str, str, bool | str | None]]) -> str:
    """A Markdown table of the paper's sentences, our numbers, and whether they agree.

    Args:
        rows: (the paper's sentence, our number in words, agrees; None where runs are missing,
            a word of its own where they are there and do not settle it).
    """
    words = {True: "agrees", False: "**does not agree**", None: "not enough runs"}
    lines = ["| The paper says | Our runs | |", "|:--|:--|:--|"]
    return "\n".join(lines + [f"| {a} | {b} | {words.get(c, c)} |" for a, b, c in rows])
