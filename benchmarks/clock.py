"""Times that cannot mislead: processor time, opponents in turn, the spread of repeats shown."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Timing:
    """What some repeats took: seconds of one call each."""

    each: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.each)

    @property
    def spread(self) -> float:
        """From the shortest to the longest, as a share of the median."""
        return (max(self.each) - min(self.each)) / self.median


def in_turn(calls: dict[str, Callable[[int], None]], seconds: float, repeats: int = 5):
    """A `Timing` for each of some calls, by name; what disturbs the machine disturbs them all.

    Processor time counts, of all threads together: what else runs takes none of it, though it
    slows a core that it shares.

    Args:
        calls: each does its work so many times.
        seconds: of one repeat of one of them, about.
    """
    counts = {}
    for name, call in calls.items():
        call(1)  # allocates, compiles
        count, spent = 1, _spent(call, 1)
        while spent < seconds / 4:
            count *= 2
            spent = _spent(call, count)
        counts[name] = max(1, int(count * seconds / spent))
    found = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            found[name].append(_spent(call, counts[name]) / counts[name])
    return {name: Timing(tuple(each)) for name, each in found.items()}


def _spent(call: Callable[[int], None], count: int) -> float:
    began = time.process_time()
    call(count)
    return time.process_time() - began


def busy() -> str | None:
    """A warning where other work runs on this machine: seen for half a second."""
    count = os.cpu_count() or 1
    taken = psutil.cpu_percent(0.5) / 100 * count
    if taken < 0.15:
        return None
    return (
        f"warning: the machine is busy ({taken:.1f} of {count} processors are taken): cores and "
        "caches are shared, so times are too long and shares of the limit too small"
    )
