"""Stand-ins for `lib.train.train` that cost nothing, for tests of what is around it.

They live in a module of their own because worker processes import them by name.
"""

import itertools
import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from made_up import Run, fake_run

from lib.runs.run import CURVE, Progress


def train(spec, *, threads=1, on_progress=None, checkpoints=None) -> Run:
    """Instant."""
    if on_progress:
        for epoch in spec.eval_epochs()[::50]:
            on_progress(_progress(spec, int(epoch)))
    return fake_run(spec, threads=threads)


def slow(spec, *, threads=1, on_progress=None) -> Run:
    """About 0.2 s a run; leaves a mark for each run begun where `FAKE_MARKS` says."""
    if folder := os.environ.get("FAKE_MARKS"):
        (Path(folder) / f"{spec.seed}-{os.getpid()}-{spec.train_size}").touch()
    for epoch in np.linspace(0, spec.epochs, 20):
        time.sleep(0.01)
        if on_progress:
            on_progress(_progress(spec, int(epoch)))
    return fake_run(spec, threads=threads)


def endless(spec, *, threads=1, on_progress=None) -> Run:
    """Seed 0 is instant, any other never ends; leaves marks like `slow`."""
    if spec.seed == 0:
        return fake_run(spec)
    (Path(os.environ["FAKE_MARKS"]) / f"{spec.seed}-{os.getpid()}").touch()
    while True:
        time.sleep(0.05)


def failing(spec, *, threads=1, on_progress=None) -> Run:
    """Seed 1 raises, seed 2 kills its own process, the others are instant."""
    if spec.seed == 1:
        raise RuntimeError("no luck\nat all")
    if spec.seed == 2:
        os._exit(7)
    return fake_run(spec)


def full_disk(spec, *, threads=1, on_progress=None) -> Run:
    """From seed 1 on the disk is full: the files that this process can write are tiny."""
    import resource

    if spec.seed:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    return fake_run(spec)


def _progress(spec, epoch):
    return Progress(epoch, spec.epochs, 0.1, dict.fromkeys(CURVE, 0.25) | {"epoch": epoch})


def timed(spec, *, threads=1, on_progress=None) -> Run:
    """20 ms an epoch."""
    time.sleep(0.02 * spec.epochs)
    return fake_run(spec)


def dying(spec, *, threads=1, on_progress=None) -> Run:
    os._exit(9)


def patient(spec, *, threads=1, on_progress=None) -> Run:
    """Never ends, but tells of its progress; leaves marks like `slow`."""
    (Path(os.environ["FAKE_MARKS"]) / f"{spec.seed}-{spec.train_size}").touch()
    while True:
        time.sleep(0.02)
        on_progress(_progress(spec, 0))


def in_the_past(spec, *, threads=1, on_progress=None):
    """The real trainer, on a machine whose clock goes back by an hour at each look."""
    set_clock_back()
    from lib.train import train

    return train(spec, threads=threads, on_progress=on_progress)


def set_clock_back():
    """In this process; only `time.time` and the store's time stamps, as durations need neither."""
    from datetime import UTC, datetime, timedelta

    from lib.runs import shard

    if time.time.__name__ == "past":
        return
    now, looks = time.time, itertools.count()

    def past():
        return now() - 3600 * next(looks)

    def stamp(zone):
        return datetime.now(UTC) - timedelta(hours=next(looks))

    time.time, shard.datetime = past, SimpleNamespace(now=stamp)
