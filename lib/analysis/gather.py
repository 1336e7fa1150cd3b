"""What every chapter asks for: the runs of some specs, where they come from, their data.

A chapter never trains by hand.  It asks for specs and gets the stored runs; with
`train_missing` the rest is trained on the spot, after an estimate.
"""

import os
import sys
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import pandas as pd

from lib.analysis.words import seeds_phrase
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.spec import RunSpec
from lib.sweeps.plan import costs_of, format_duration, makespan, missing
from lib.sweeps.speed import machine_rate
from lib.sweeps.sweep import sweep


@dataclass(frozen=True)
class Gathered:
    """The stored runs of the specs that were asked for.

    Attributes:
        runs: one row a run, as `Store.runs`.
        curves: one row an evaluation, with the run's d_model, train_size, task and seed.
        wanted: how many runs were asked for.
        specs: these.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    wanted: int
    specs: tuple[RunSpec, ...] = ()

    def whole(self) -> "Gathered":
        """Its runs of whole seeds (`of_whole_seeds`), as far as there are any."""
        return self.of(of_whole_seeds(self.runs, self.specs)["key"])

    def of(self, keys: Iterable[str]) -> "Gathered":
        """Its runs of some keys alone."""
        runs, curves = (frame[frame["key"].isin(set(keys))] for frame in (self.runs, self.curves))
        return replace(self, runs=runs.reset_index(drop=True), curves=curves)

    def provenance(self, paper_seeds: int | None = None) -> str:
        """One sentence for under a figure: runs, seeds, recipe, epoch T."""
        runs = self.runs
        if runs.empty:
            return f"None of the {self.wanted:,} runs asked for is stored."
        of = f" (the paper: {paper_seeds})" if paper_seeds else ""

        def values(column, form="{:,}"):
            *most, last = (form.format(v) for v in sorted(runs[column].unique()))
            return " or ".join(filter(None, (", ".join(most), last)))

        return (
            f"{len(runs):,} of {self.wanted:,} runs, {seeds_phrase(runs['seed'])}{of}; "
            f"learning rate {values('lr', '{:g}')}, "
            f"weight decay {values('weight_decay', '{:g}')}, "
            f"by epoch {values('epochs')}" + _precision(runs["engine"]) + _on_gpus(runs) + "."
        )


def of_whole_seeds(runs: pd.DataFrame, specs: Collection[RunSpec]) -> pd.DataFrame:
    """Of some runs those among `specs` whose seed has them all; every one if no seed has.

    A seed that is half swept has other cells than the others, and would tilt every mean.
    """
    seeds = {spec.key: spec.seed for spec in specs}  # figures share cells
    own, wanted = runs[runs["key"].isin(seeds)], Counter(seeds.values())
    there = own["seed"].value_counts()
    whole = [seed for seed, count in there.items() if count == wanted[seed]]
    return own[own["seed"].isin(whole)] if whole else own


def _precision(engines: pd.Series) -> str:
    """What is not float32, in words: engines are named after the precision of their products."""
    rounded = engines[engines.str.contains("-bf16")].str.split("-").str[-1].value_counts()
    return "".join(
        f"; {'all' if n == len(engines) else f'{n:,} of them'} with {name} products"
        for name, n in rounded.items()
    )


def _on_gpus(runs: pd.DataFrame) -> str:
    """Which runs a GPU trained, in words; of runs without a device nothing is known."""
    if "device" not in runs:
        return ""
    devices = runs.loc[runs["device"] != "cpu", "device"].dropna().value_counts()
    return "".join(f"; {n:,} of them on an {name}" for name, n in devices.items())


def gather(
    specs: Iterable[RunSpec], *, train_missing: bool = False, store: Store | None = None
) -> Gathered:
    """The stored runs of some specs; what is missing is trained if so asked.

    Args:
        specs: the runs to show; duplicates count once.
        train_missing: train what the store lacks, with an estimate first and a progress bar.
        store: the results folder, by default the project's (or `GROKKING_RESULTS`).

    Raises:
        RuntimeError: if a training fails.
    """
    specs = list({spec.key: spec for spec in specs}.values())
    store = store or Store()
    lacking = missing(specs, store)
    if lacking and train_missing:
        rate = machine_rate({s.d_model for s in lacking}, store.cache, jobs=cores())
        seconds = makespan(costs_of(lacking, rate, store).values(), cores())
        told = f"training {len(lacking):,} missing runs: about {format_duration(seconds)}"
        print(told, file=sys.stderr, flush=True)
        patient = "GROKKING_DATA" not in os.environ  # else Ctrl-C ends `run`, and this with it
        report = sweep(lacking, store, rate=rate, progress=True, patient=patient)
        if report.fatal or report.failed:
            raise RuntimeError(report.fatal or report.failed[0])
    keys = {spec.key for spec in specs}
    runs = store.runs()
    runs = runs[runs["key"].isin(keys)].reset_index(drop=True)
    labels = runs[["key", "task", "d_model", "train_size", "memorize_size", "seed"]]
    return Gathered(runs, store.curves(keys).merge(labels, on="key"), len(specs), tuple(specs))
