"""This machine's speed: measured once and kept, or, unasked, what stored runs tell of it."""

import contextlib
import functools
import json
import math
import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.engines.flops import epoch_flops, evaluated_logits, flops
from lib.engines.precision import name_of
from lib.errors import UserError
from lib.runs.files import keep
from lib.runs.machine import code, cores, cpu_model
from lib.spec import KNOBS, RunSpec, SpecError
from lib.sweeps.workers import end_with_parent, on_their_own
from lib.tasks import TASKS

Rate = Callable[[int], float]
"""d_model -> operations a second on one core while all cores train; mostly a `Speed`."""


WIDEST = 128
"""Wider models run at the machine's limit; this is close to it and quick to time."""


PYTORCH = 0.2
"""What the PyTorch engine reaches of the kernel's rate on a processor, roughly, where no stored
run tells: it trains what the kernel does not cover.  A sweep learns from its first runs."""


USUAL = (None, "float32", "cpu")
"""Trainer, engine, precision and device that a measurement's name does not say."""


QUIET, ENOUGH = 0.75, 10
"""The quantile of stored rates that counts, as other work beside a run only slows it; from how many
runs of this processor on others are left out."""


@dataclass(frozen=True)
class Speed:
    """What one core does while all cores train.

    Attributes:
        rates: operations a second by width.
        per_logit: seconds for one logit of an evaluation beside them: softmax and loss, whose
            time no count of operations tells, and which rule where the model is small.
        engine: the one that was asked for; None: the fastest for each run, here the kernel.
    """

    rates: dict[int, float]
    per_logit: float = 0.0
    engine: str | None = None

    def __call__(self, width: int) -> float:
        return self.rates[min(width, WIDEST)]


def machine_rate(
    widths: Iterable[int],
    cache: Path,
    *,
    jobs: int | None = None,
    train: Callable | None = None,
    how: dict | None = None,
    say: Callable[[str], None] = lambda message: None,
) -> Speed:
    """This machine's speed for some widths, measured in about a second each and then kept.

    `jobs` processes measure at once, because cores that share caches and clock slow each
    other down.  Kept in `cache`/speed.json for this processor and this trainer code.

    Args:
        train: the trainer to time, `lib.train.train` by default.
        how: engine, precision and device, as `lib.train.train` takes them.
        say: told in one line what is being waited for, where anything is.

    Raises:
        UserError: if a process that measures dies.
    """
    jobs, path = jobs or cores(), cache / "speed.json"
    name, known, speed = _kept(path, jobs, train, how)
    if missing := _lacking(widths, speed):
        say(f"measuring this machine's speed (d_model {', '.join(map(str, missing))}; kept)")
        new = together(missing, _at_once(jobs, missing, train, how))
        speed = Speed(speed.rates | new.rates, new.per_logit, speed.engine)
        keep(path, json.dumps(known | {name: asdict(speed)}, indent=1).encode(), cache)
    return speed


def _at_once(jobs: int, *work) -> list[list[float]]:
    """What `measure` tells in each of several processes that measure at the same time."""
    others, context = multiprocessing.active_children(), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, end_with_parent) as pool:
        try:
            with on_their_own():
                asked = [pool.submit(measure, *work) for _ in range(jobs)]
            return [one.result() for one in asked]
        except BrokenProcessPool as error:  # a pool of multiprocessing would wait for ever
            why = "a process that measured this machine's speed has died: is there enough memory?"
            raise UserError(why) from error
        except KeyboardInterrupt:  # which they do not see: nobody waits for them
            for process in {*multiprocessing.active_children()} - {*others}:
                process.kill()
            raise


def known_rate(
    widths: Iterable[int], cache: Path, runs: pd.DataFrame, jobs: int, how: dict | None = None
) -> tuple[Speed, str] | None:
    """What is known of this machine's speed without measuring it, and in words from where.

    A kept measurement where there is one; else what stored runs took that were trained in the
    same way (`how`).  None where there are none.
    """
    _, _, speed = _kept(cache / "speed.json", jobs, None, how)
    if not _lacking(widths, speed):
        return speed, "as measured on this machine"
    device, engine, precision = map((how or {}).get, ("device", "engine", "precision"))
    on_cpu = device in (None, "cpu")
    name = name_of(engine or ("numba" if on_cpu else "stacked"), precision or "float32")
    own = runs[(runs["engine"] == name) & ((runs["device"] == "cpu") == on_cpu)]
    own = own[(own["n_layers"] == 1) & own["norm"].isna() & own["task"].isin(TASKS)]
    own = own[own["d_head"].isna() & own["d_mlp"].isna()]  # as wide as the model says
    per_logit = 4e-9  # seconds, as on most machines: `--measure` measures it
    known = _usual_rates(own, "d_model", per_logit)
    if not known:
        return None
    nearest = {w: min(known, key=lambda d: abs(math.log(d / w))) for w in {*widths, WIDEST}}
    rates = {min(w, WIDEST): known[d] for w, d in nearest.items()}
    return Speed(rates, per_logit, engine), "from stored runs; --measure measures it here"


def deep_rates(runs: pd.DataFrame) -> dict[tuple[int, int], float]:
    """(n_layers, d_model) -> operations a second and core that stored runs of the PyTorch engine
    reached on a processor."""
    own = runs[(runs["engine"] == "stacked") & (runs["device"] == "cpu")]
    own = own[own["task"].isin(TASKS)]  # not those of a task that is registered elsewhere
    return _usual_rates(own, ["n_layers", "d_model"], 0.0)


def _usual_rates(runs: pd.DataFrame, by: str | list[str], per_logit: float) -> dict:
    """`_usual_rate` for each shape of which there are runs that tell."""
    rates = {shape: _usual_rate(some, per_logit) for shape, some in runs.groupby(by)}
    return {shape: rate for shape, rate in rates.items() if rate}


def _usual_rate(runs: pd.DataFrame, per_logit: float) -> float | None:
    """Operations a second and core in some runs of one shape: a few tell as much as all.

    Those of this processor, if there are `ENOUGH`; their `QUIET` quantile.  Runs of another
    version, with values that this one does not know, tell nothing.
    """
    here = runs[runs["cpu"] == cpu_model()]
    runs = here if len(here) >= ENOUGH else runs
    found = []
    for row in runs.sort_values("key").head(30).to_dict("records"):
        values = {name: row[name] for name in KNOBS if name in row and name != "init_from"}
        try:
            spec = RunSpec(**{name: value for name, value in values.items() if not pd.isna(value)})
        except SpecError:
            continue
        part = row["epoch"] / spec.epochs
        seconds = row["wall_seconds"] * row["threads"] - part * evaluated_logits(spec) * per_logit
        found.append(flops(spec, part) / max(seconds, 1e-9))
    return float(np.quantile(found, QUIET)) if found else None


def _lacking(widths: Iterable[int], speed: Speed) -> list[int]:
    return sorted({min(width, WIDEST) for width in widths} - speed.rates.keys())


def _kept(
    path: Path, jobs: int, train: Callable | None, how: dict | None
) -> tuple[str, dict, Speed]:
    """The name of a measurement, all that is kept, and what is kept under that name."""
    told = [str(word) for word in (train, *(how or {}).values()) if word not in USUAL]
    name = f"{cpu_model()}, {jobs} at once, {', '.join([code(), *told])}"
    known, engine = {}, (how or {}).get("engine")
    # None is kept yet, or a hand has been at it: it is measured again.
    with contextlib.suppress(OSError, AttributeError, TypeError, ValueError):
        known = dict(json.loads(path.read_text()))
        kept = known.get(name, {})
        rates = {int(width): float(rate) for width, rate in kept.get("rates", {}).items()}
        per_logit = float(kept.get("per_logit", 0.0))
        if all(0 < rate < math.inf for rate in rates.values()) and 0 <= per_logit < math.inf:
            return name, known, Speed(rates, per_logit, engine)
    return name, known, Speed({}, 0.0, engine)


def together(widths: list[int], measured: list[list[float]]) -> Speed:
    """The mean of what several cores measured at the same time."""
    *rates, per_logit = np.mean(measured, axis=0).tolist()
    return Speed(dict(zip(widths, rates, strict=True)), per_logit)


def measure(widths: list[int], train: Callable | None, how: dict | None = None) -> list[float]:
    """Operations a second for each width, and seconds for one logit (see `Speed`).

    Each is the slope between a short and a longer run, without what every run costs.
    """
    if train is None:
        from lib.train import train

        train = functools.partial(train, **how or {})

    def seconds(spec: RunSpec) -> float:
        start = time.perf_counter()
        train(spec, threads=1)
        return time.perf_counter() - start

    rates = []
    for width in widths:
        short = RunSpec(d_model=width, n_heads=math.gcd(width, 4), epochs=2, n_evals=2)
        seconds(short)  # compiles
        overhead, epochs, spent = seconds(short), 8, 0.0
        while spent < 0.4 and epochs < 10_000:  # at least 0.4 s, so that timers do not matter
            epochs *= 4
            spent = seconds(short.replace(epochs=epochs)) - overhead
        rates.append((epochs - 2) * epoch_flops(short) / max(spent, 1e-9))
    few, many = short.replace(epochs=24), short.replace(epochs=24, n_evals=24)
    products = (flops(many) - flops(few)) / rates[-1]
    extra = evaluated_logits(many) - evaluated_logits(few)
    return [*rates, max(0.0, seconds(many) - seconds(few) - products) / extra]
