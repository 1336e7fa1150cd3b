"""Numbers in words, for captions and tables."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lib.analysis import statistics


def span(values: Iterable[float], form: str = "{:.2f}") -> str:
    """Finite values as "low–high", or the one value that they are; "–" where there are none."""
    values = [value for value in values if np.isfinite(value)]
    if not values:
        return "–"
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low}–{high}"


def number(value: float, form: str = "{:.2f}") -> str:
    """A number, or "–" where it is missing."""
    return "–" if value is None or pd.isna(value) else form.format(value)


def bracket(low: float, high: float, form: str = "{:.2f}") -> str:
    """An interval as " [low, high]", or nothing where it is missing."""
    if pd.isna(low) or pd.isna(high):
        return ""
    return f" [{form.format(low)},\N{NO-BREAK SPACE}{form.format(high)}]"


def unbroken(text: str) -> str:
    """A text in which no line ends between a sign of order and its number."""
    return text.replace("≥ ", "≥\N{NO-BREAK SPACE}").replace("≤ ", "≤\N{NO-BREAK SPACE}")


def mean_words(values: np.ndarray, form: str = "{:.2f}") -> str:
    """A mean with Student's 95% interval in brackets; "–" where there is no value."""
    mean, low, high = statistics.student(values)
    return number(mean, form) + bracket(low, high, form)


def seeds_phrase(seeds: Sequence[int]) -> str:
    """[0, 1, 2] -> "seeds 0–2", for captions."""
    seeds = sorted({int(seed) for seed in seeds})
    if not seeds:
        return "no seeds"
    if len(seeds) > 1 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds {seeds[0]}–{seeds[-1]}"
    return ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds))
