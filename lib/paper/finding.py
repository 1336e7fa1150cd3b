"""What a criterion found, as numbers and as a sentence."""

from dataclasses import dataclass

import numpy as np

from lib.analysis import statistics

ALPHA = 0.05


@dataclass(frozen=True)
class Finding:
    """What the runs give for one claim: a statistic with a 95% interval, and whether it holds."""

    text: str
    low: float
    high: float
    holds: bool | None  # None: the runs are there, but too few of them speak to the claim

    def __str__(self) -> str:
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            return self.text
        return f"{self.text} [{_number(self.low)}, {_number(self.high)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _mean(values) -> tuple[float, float, float]:
    values = np.asarray(values, float)
    half = statistics.student_half(values)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)
