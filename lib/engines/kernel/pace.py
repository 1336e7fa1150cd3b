"""How many threads a run takes now: all that it was given, or one where other cores are busy.

Threads meet after every epoch, so a run waits for the slowest of its cores.  On a machine that
does other things, or under a quota, that can take longer than the run would on one thread.
Both are timed now and then; the bits do not depend on it.
"""

import time
from collections.abc import Iterator

BLOCK, TRIAL = 1.0, 0.02
"""Seconds between two trials of the slower choice, and seconds that such a trial takes, where
an epoch is shorter; else a trial is an epoch, and the time between two as many times as long."""


class Pace:
    """One run's choice between one thread and all that it was given.

    Attributes:
        threads: the faster choice, as last seen.
    """

    def __init__(self, threads: int):
        self.threads = threads
        self._looks = [threads, 1] * 2  # at first each twice, for the first may compile
        self._seconds: dict[int, float] = {}  # threads -> seconds an epoch, as last seen
        self._due = 0.0

    def blocks(self, epochs: int) -> Iterator[tuple[int, int]]:
        """Some epochs in blocks: the threads and the number of epochs of each."""
        while epochs:
            threads, budget = self._next()
            count = max(1, min(epochs, int(budget / self._seconds.get(threads, 1.0))))
            start = time.perf_counter()
            yield threads, count
            self._seconds[threads] = (time.perf_counter() - start) / count
            epochs -= count

    def _next(self) -> tuple[int, float]:
        """The threads of the next block, and the seconds that it may take."""
        if self._looks:
            return self._looks.pop(0), 0.0
        self.threads, slower = sorted(self._seconds, key=self._seconds.get)
        now = time.perf_counter()
        if now < self._due:
            return self.threads, self._due - now
        # A trial takes an epoch at least, which in a large network is longer than a block.
        self._due = now + BLOCK * max(1.0, self._seconds[slower] / TRIAL)
        return slower, TRIAL
