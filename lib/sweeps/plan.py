"""What training costs, in seconds, and which runs are missing.

An estimate is the work of a run (`flops`) divided by the rate at which one core of this
machine does such work (`lib.sweeps.speed`), with early stops expected where neighbours stopped.
"""

import functools
import heapq
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from lib.engines.flops import evaluated_logits, flops
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps.speed import PYTORCH, Rate, deep_rates


def estimate(specs: Sequence[RunSpec], rate: Rate, runs: pd.DataFrame | None = None) -> np.ndarray:
    """Seconds that each spec takes on one core, float64 (len(specs),).

    Args:
        rate: this machine's speed (`machine_rate`).
        runs: stored runs (`Store.runs`), which tell where an early stop is to be expected
            (`expected_parts`), and what the PyTorch engine does (`lib.sweeps.speed.deep_rates`),
            where `rate` is the kernel's.
    """
    runs = pd.DataFrame() if runs is None else runs
    ask = len(runs) and not (_of_pytorch(rate) or all(s.n_layers == 1 for s in specs))
    deep = deep_rates(runs) if ask else {}
    seconds, per_logit = [], getattr(rate, "per_logit", 0.0)
    for s, part in zip(specs, expected_parts(specs, runs), strict=True):
        speed = rate(s.d_model) if s.n_layers == 1 else _deep_rate(s, rate, deep)
        logits = evaluated_logits(s) if s.n_layers == 1 else 0  # in the rate of the others
        seconds.append(flops(s, part) / speed + part * logits * per_logit)
    return np.array(seconds, dtype=float)


def costs_of(
    specs: Iterable[RunSpec], rate: Rate, store: Store, shared: bool = True
) -> dict[RunSpec, float]:
    """Seconds that each spec takes on one core (`estimate`), with the parents that it has to train.

    Args:
        shared: a parent that is not one of the specs is trained for the first run that needs it,
            or not at all where its weights are kept (`lib.sweeps.weights`).  On a cluster each
            run trains its own.
    """
    lines = {spec: list(ancestors(spec)) for spec in specs}
    every = list(dict.fromkeys([*lines, *itertools.chain.from_iterable(lines.values())]))
    own = dict(zip(every, estimate(every, rate, store.runs()).tolist(), strict=True))
    costs, trained = {}, set(lines)
    for spec, parents in lines.items():
        costs[spec] = own[spec]
        for parent in parents:
            if shared and (parent in trained or store.load_weights(parent) is not None):
                break  # and so none of its own parents
            trained.add(parent)
            costs[spec] += own[parent]
    return costs


def ancestors(spec: RunSpec) -> Iterator[RunSpec]:
    """The run that a run starts from, the one that this starts from, and so on."""
    while spec := spec.init_from:
        yield spec


def _deep_rate(spec: RunSpec, rate: Rate, known: dict[tuple[int, int], float]) -> float:
    """The PyTorch engine's speed at a size: of the nearest size that stored runs have."""
    if not known:
        return rate(spec.d_model) * (1 if _of_pytorch(rate) else PYTORCH)
    own = np.log([spec.n_layers, spec.d_model])
    return known[min(known, key=lambda shape: np.abs(np.log(shape) - own).sum())]


def _of_pytorch(rate: Rate) -> bool:
    """Whether it was measured with an engine that trains deep runs as it trains others."""
    return getattr(rate, "engine", None) not in (None, "numba")


NEAR = np.log([1.08, 1.05])
"""Logarithms of factors in width and in training size: less than a step of the grids."""


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


def at_once(jobs: int | None, runs: int) -> int:
    """Processes for so many runs: `jobs`, by default one a core, and beyond the cores one a run.

    Fewer runs than cores are no reason for less: the cores' speed is kept for all of them.
    """
    return min(jobs or cores(), max(runs, cores()))


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
    all cores end together.  But a run that another one starts from comes before it: its weights
    are kept, and it is trained once.

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
    todo.sort(key=lambda spec: (group.get(spec, len(first)), rank[spec], -costs[spec]))
    lines = ([*reversed([*ancestors(spec)]), spec] for spec in todo)
    return [s for s in dict.fromkeys(itertools.chain.from_iterable(lines)) if s in costs]


def format_duration(seconds: float) -> str:
    """About how long, for people: "12 s", "45 min", "3.2 h"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def missing(specs: Iterable[RunSpec], store: Store) -> list[RunSpec]:
    """Those specs that are not in the store, in their order and each once."""
    stored = store.keys()
    return [spec for key, spec in {s.key: s for s in specs}.items() if key not in stored]
