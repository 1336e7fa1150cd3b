"""What training costs: floating-point operations, this machine's speed, seconds.

An estimate is the work of a run (`flops`) divided by the rate at which one core of this
machine does such work (`machine_rate`), with early stops expected where neighbours stopped.
"""

import functools
import hashlib
import heapq
import json
import math
import multiprocessing
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from lib.shard import cpu_model, publish
from lib.spec import NUMERICS_VERSION, RunSpec
from lib.worker import on_their_own

Rate = Callable[[int], float]
"""d_model -> operations a second on one core while all cores train; mostly a `Speed`."""

WIDEST = 128
"""Wider models run at the machine's limit; this is close to it and quick to time."""


PYTORCH = 0.2
"""What the PyTorch engine reaches of the kernel's rate on a processor, roughly: it trains what
the kernel does not cover.  A sweep corrects its estimates by its first runs."""


@dataclass(frozen=True)
class Speed:
    """What one core does while all cores train.

    Attributes:
        rates: operations a second by width.
        per_logit: seconds for one logit of an evaluation beside them: softmax and loss, whose
            time no count of operations tells, and which rule where the model is small.
    """

    rates: dict[int, float]
    per_logit: float = 0.0

    def __call__(self, width: int) -> float:
        return self.rates[min(width, WIDEST)]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def epoch_flops(spec: RunSpec) -> float:
    """Operations of one training epoch, forward and backward."""
    return 3 * _forward_flops(spec) * (spec.train_size + spec.memorize_size)


def flops(spec: RunSpec, part: float = 1.0) -> float:
    """Operations of a run, or of the first `part` of its epochs, evaluations included."""
    evaluations = evaluated_logits(spec) / spec.modulus * _forward_flops(spec)
    return part * (spec.epochs * epoch_flops(spec) + evaluations)


def evaluated_logits(spec: RunSpec) -> int:
    """Logits that all evaluations of a run look at: each sees every point that there is."""
    return len(spec.eval_epochs()) * (spec.n_pairs + spec.memorize_size) * spec.modulus


def _forward_flops(spec: RunSpec) -> float:
    """Operations for one sample: one matrix-vector product is 2 x its size.

    The last layer is read at its last token only, which leaves W_O, the MLP and the
    unembedding (lib/kernel.py); layers below are done at the last two positions, as what
    stands before is shared by many inputs (lib/prefixes.py).  The kernel leaves out the half
    of a split MLP that a sample does not use.
    """
    below = 12 * spec.d_model**2 * 2 * (spec.n_layers - 1)
    last = 5 if spec.plain and spec.split_mlp else 9
    return 2 * (last * spec.d_model**2 + spec.modulus * spec.d_model + below)


def floats_of(spec: RunSpec) -> int:
    """About how many floats a run on the PyTorch engine holds: activations, for the most part.

    A node (`lib.prefixes`) keeps some d_model × (4 length + 12) floats a layer: the query,
    keys and values of its ancestors, their mixture, hidden units, the stream; an input its
    logits, three times.
    """
    length = 4 if spec.memorize_size else 3
    inputs = spec.train_size + spec.memorize_size
    nodes = inputs * (2 * spec.n_layers - 1)
    parameters = 12 * spec.d_model**2 * spec.n_layers
    a_node = (4 * length + 12) * spec.d_model
    return nodes * a_node + 3 * inputs * spec.modulus + 5 * parameters


def estimate(specs: Sequence[RunSpec], rate: Rate, runs: pd.DataFrame | None = None) -> np.ndarray:
    """Seconds that each spec takes on one core, float64 (len(specs),).

    Args:
        rate: this machine's speed (`machine_rate`).
        runs: stored runs (`Store.runs`), which tell where an early stop is to be expected
            (`expected_parts`).
    """
    parts = expected_parts(specs, pd.DataFrame() if runs is None else runs)
    seconds, per_logit = [], getattr(rate, "per_logit", 0.0)
    for s, part in zip(specs, parts, strict=True):
        speed = rate(s.d_model) * (1 if s.plain else PYTORCH)
        seconds.append(flops(s, part) / speed + part * evaluated_logits(s) * per_logit)
    return np.array(seconds, dtype=float)


NEAR = np.log([1.08, 1.05])
"""Factors in width and in training size between neighbours: less than a step of the grids."""


def expected_parts(specs: Sequence[RunSpec], runs: pd.DataFrame) -> list[float]:
    """The part of its epochs that each spec is expected to take, 1 without an early stop.

    A mean over the stored runs that may stop and differ in seed, width and training size
    alone, weighted by nearness (a normal curve over the logarithms, in units of `NEAR`).
    Where the nearest is more than seven units away, nothing is expected.
    """
    skip = ("seed", "n_evals", "init_from")  # of a parent it only matters that there is one
    names = [f.name for f in fields(RunSpec) if f.name not in skip]
    others = [name for name in names if name not in ("d_model", "train_size")]
    runs = runs[runs["stop_after"].notna()] if len(runs) else runs
    known = defaultdict(list)  # what must be equal -> (ln d_model, ln train_size, part) each
    if len(runs):
        columns = [*(runs[name].to_list() for name in others), runs["init_from"].notna().to_list()]
        places = np.log(runs[["d_model", "train_size"]].to_numpy(float))
        parts = (runs["epoch"] / runs["epochs"]).to_numpy(float)
        for key, place, part in zip(zip(*columns, strict=True), places, parts, strict=True):
            known[tuple(None if pd.isna(value) else value for value in key)].append((*place, part))
    tables = {key: np.array(rows) for key, rows in known.items()}

    @functools.cache
    def expected(key: tuple, d_model: int, train_size: int) -> float:
        if key not in tables:
            return 1.0
        steps = (tables[key][:, :2] - np.log([d_model, train_size])) / NEAR
        far = np.square(steps).sum(axis=1)
        if far.min() > 49:
            return 1.0
        return float(np.average(tables[key][:, 2], weights=np.exp((far.min() - far) / 2)))

    keys = ((*(getattr(s, n) for n in others), s.init_from is not None) for s in specs)
    return [expected(key, s.d_model, s.train_size) for key, s in zip(keys, specs, strict=True)]


def makespan(seconds: Iterable[float], jobs: int) -> float:
    """Wall-clock seconds until all runs are done, each given to the first free core."""
    free = [0.0] * jobs
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def in_order(
    costs: dict[RunSpec, float],
    specs: Iterable[RunSpec] = (),
    first: Sequence[Collection[RunSpec]] = (),
) -> list[RunSpec]:
    """The runs of `costs` in the order in which to train them, what matters most first.

    First the groups of `first`, then the rest.  Within each those of the cells (a cell is a
    spec without its seed) that have the fewest seeds; the longest first among these, so that
    all cores end together.

    Args:
        costs: seconds for each run that is missing.
        specs: the whole experiment, stored runs included.
        first: groups of runs that matter more than the others, the most important one first.
    """
    seeds, rank = defaultdict(int), {}
    group = {spec: i for i, some in reversed(list(enumerate(first))) for spec in some}
    todo = sorted(costs, key=lambda spec: (group.get(spec, len(first)), spec.seed))
    for spec in [*(set(specs) - costs.keys()), *todo]:
        cell = spec.with_seed(0)
        rank[spec] = seeds[cell]
        seeds[cell] += 1
    return sorted(todo, key=lambda spec: (group.get(spec, len(first)), rank[spec], -costs[spec]))


def machine_rate(
    widths: Iterable[int],
    cache: Path,
    *,
    jobs: int | None = None,
    train: Callable | None = None,
    precision: str = "float32",
    say: Callable[[str], None] = lambda message: None,
) -> Speed:
    """This machine's speed for some widths, measured in about a second each and then kept.

    `jobs` processes measure at once, because cores that share caches and clock slow each
    other down.  Kept in `cache`/speed.json for this processor and this trainer code.

    Args:
        train: the trainer to time, `lib.train.train` by default.
        precision: of its products (`lib.processor.PRECISIONS`).
        say: told in one line what is being waited for, where anything is.
    """
    jobs = jobs or cores()
    code = _trainer_code(train) + (f", {precision}" if precision != "float32" else "")
    path, name = cache / "speed.json", f"{cpu_model()}, {jobs} at once, {code}"
    known = _load(path)
    kept = known.get(name, {})
    rates = {int(width): rate for width, rate in kept.get("rates", {}).items()}
    speed = Speed(rates, kept.get("per_logit", 0.0))
    if missing := sorted({min(width, WIDEST) for width in widths} - rates.keys()):
        say(f"measuring this machine's speed (d_model {', '.join(map(str, missing))}; kept)")
        with on_their_own():
            pool = multiprocessing.get_context("spawn").Pool(jobs)
        with pool:
            work = [(missing, train, precision)] * jobs
            new = together(missing, pool.starmap(measure, work, chunksize=1))
        speed = Speed(rates | new.rates, new.per_logit)
        publish(path, json.dumps(known | {name: asdict(speed)}, indent=1).encode())
    return speed


def together(widths: list[int], measured: list[list[float]]) -> Speed:
    """The mean of what several cores measured at the same time."""
    *rates, per_logit = np.mean(measured, axis=0).tolist()
    return Speed(dict(zip(widths, rates, strict=True)), per_logit)


def measure(widths: list[int], train: Callable | None, precision: str = "float32") -> list[float]:
    """Operations a second for each width, and seconds for one logit (see `Speed`).

    Each is the slope between a short and a longer run, without what every run costs.
    """
    if train is None:
        from lib.train import train

        train = functools.partial(train, precision=precision)

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


TRAINER = (
    *("processor", "simd", "blocks", "amx", "tiles", "layout", "products", "kernel", "epochs"),
    *("engine", "train"),
)
"""Modules that an epoch's time depends on."""


def _trainer_code(train: Callable | None) -> str:
    """A short hash of the trainer's sources: new code, new speed."""
    digest = hashlib.sha256(f"{NUMERICS_VERSION} {train}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in TRAINER:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _load(path: Path) -> dict:
    try:
        known = json.loads(path.read_text())
        return known if isinstance(known, dict) else {}
    except (OSError, ValueError):  # none yet, or damaged: measure again
        return {}


def parse_duration(text: str) -> float:
    """Seconds in "90s", "45m", "2h", "1h30m" or "90".  Raises ValueError."""
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text.strip())
    if not match or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration such as 90s, 45m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 3600.0 * hours + 60 * minutes + seconds


def format_duration(seconds: float) -> str:
    """About how long, for people: "12 s", "45 min", "3.2 h"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
