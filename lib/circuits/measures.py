"""Measures of circuits, kept: a small table beside the runs, and the command that fills it.

Weights are not kept, and a book is built where none are.  So what a chapter says of weights
stands in `results/circuits/`, one row for a run and epoch, in files like those of the runs:
named by their content, whole or not there, verified when read.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from lib.data import build
from lib.runs import machine, shard
from lib.runs.checkpoints import Checkpoints
from lib.runs.machine import cores
from lib.runs.run import Run
from lib.runs.store import Store
from lib.spec import NUMERICS_VERSION, RunSpec, SpecError
from lib.sweeps.plan import ancestors, costs_of, format_duration
from lib.sweeps.speed import known_rate
from lib.sweeps.weights import start_of
from lib.tasks import TASKS

if TYPE_CHECKING:
    from lib.circuits.fourier import Measures

CHECKPOINTS = 40
"""Moments of a run that are measured, by default."""


_NUMBERS = (
    *("trig_share", "held_out_share", "restricted_loss", "excluded_loss", "margin", "val_margin"),
    *("mirrored_accuracy", "unmirrored_accuracy", "unseen_accuracy"),
)
_HALVES = ("ablated_val", "ablated_memorize", "spared_val", "spared_memorize")
_MEASURES = (
    dict.fromkeys(_NUMBERS, pa.float64())
    | {"frequencies": pa.list_(pa.int64())}
    | dict.fromkeys(("logit_spectrum", "embedding_spectrum"), pa.list_(pa.float32()))
    | dict.fromkeys(_HALVES, pa.list_(pa.float64()))
)

_CURVE = tuple(name for name in shard.CURVE if name != "epoch")

SCHEMA = pa.schema(
    {"key": pa.string(), "epoch": pa.int64(), "last": pa.bool_()}
    | {name: shard.CURVE[name] for name in _CURVE}
    | _MEASURES
    | {"numerics_version": pa.int64(), "git_commit": pa.string(), "cpu": pa.string()}
    | {"timestamp": pa.timestamp("us", "UTC"), "digest": pa.string()}
)

_NEEDED = ("key", "epoch", "last", "digest", "numerics_version", "timestamp")


class Measured(Store):
    """The measures beside a store's runs: files like theirs, with columns of their own."""

    schema, needs, columns = SCHEMA, _NEEDED, SCHEMA.names
    identity = ("key", "epoch", "digest", "timestamp")

    def __init__(self, store: Store):
        super().__init__(folder_of(store), store.cache)
        self.runs_folder = self.folder


def folder_of(store: Store) -> Path:
    """Where the measures of a store's runs are."""
    return store.folder / "circuits"


def measures(store: Store) -> pd.DataFrame:
    """All measures that are not stale, one row for a run and epoch, in that order.

    Args:
        store: of the runs, or `Measured` itself, which warns of a broken file once.

    Columns: `key`, `epoch`, `last` (the run's end), the curve's values there, the fields of
    `lib.circuits.fourier.Measures`, provenance.  Of several trainings of a run the one that was
    measured at the most epochs is taken, then the earliest; what a measurement of it lacks, a
    later one says.
    """
    measured = store if isinstance(store, Measured) else Measured(store)
    tables = measured.tables().values()
    table = pa.concat_tables([SCHEMA.empty_table(), *tables], promote_options="default")
    frame = table.to_pandas()
    frame = frame[frame["numerics_version"] == NUMERICS_VERSION]
    if frame.empty:
        return frame
    count = frame.groupby(["key", "digest"])["epoch"].transform("nunique")
    frame = frame.assign(few=-count).sort_values(["key", "few", "timestamp", "epoch"])
    chosen = frame.groupby("key")["digest"].transform("first")
    frame = frame[frame["digest"] == chosen].drop(columns="few")
    return frame.groupby(["key", "epoch"], as_index=False)[list(frame)].first()


def checkpoints_of(spec: RunSpec, count: int) -> set[int]:
    """Which evaluations are measured: the first, the last, and evenly between them."""
    epochs = spec.eval_epochs()
    return set(epochs[np.linspace(0, len(epochs) - 1, count).round().astype(int)].tolist())


def measure_run(
    spec: RunSpec,
    store: Store,
    checkpoints: int = CHECKPOINTS,
    threads: int = 1,
    on_progress: Callable | None = None,
) -> Path:
    """Measure a run at some of its epochs and keep that; returns the file.

    The run is trained again as `lib.train.train` does by itself, on an equal machine to the bits
    of a stored run that was trained so; a training that was not stored is stored.  With one
    checkpoint only the end is measured, from weights that this machine has kept if it has, and a
    training that was interrupted goes on where it was.

    Args:
        checkpoints: epochs that are measured.
        on_progress: who watches the training.

    Raises:
        OSError: if it cannot be written.
        SpecError: if `lib.circuits.fourier` cannot measure such a run.
    """
    check(spec)
    stored = store.runs().set_index("key")
    row = stored.loc[spec.key] if checkpoints == 1 and spec.key in stored.index else None
    weights = store.load_weights(spec, row["engine"], row["device"]) if row is not None else None
    if weights is not None and _are_of(weights, row):
        taken, digest = {int(row["epoch"]): weights}, row["digest"]
        curve = {name: [row[name]] for name in ("epoch", *_CURVE)}
    else:
        run, taken = _train_again(spec, store, checkpoints, threads, on_progress)
        curve, digest = run.curve, run.digest
        store.save_weights(run)
        if run.digest not in set(store.runs(every=True)["digest"]):
            store.add(run)
        Checkpoints(store.own).remove(spec)
    rows = []
    for epoch, found in _look(spec, taken):
        at = list(curve["epoch"]).index(epoch)
        rows.append(
            {"key": spec.key, "epoch": epoch, "last": not rows, "digest": digest}
            | {name: curve[name][at] for name in _CURVE}
            | {name: getattr(found, name) for name in _MEASURES}
            | {"numerics_version": NUMERICS_VERSION, "timestamp": datetime.now(UTC)}
            | {name: machine.machine()[name] for name in ("git_commit", "cpu")}
        )
    return shard.write(folder_of(store), pa.Table.from_pylist(rows[::-1], schema=SCHEMA))


def _are_of(weights: dict[str, np.ndarray], row: pd.Series) -> bool:
    """Whether kept weights are of the stored run, and not of another training of its spec."""
    norm = np.sqrt(sum(np.square(values, dtype=float).sum() for values in weights.values()))
    return bool(np.isclose(norm, row["param_norm"], rtol=1e-6))


def check(spec: RunSpec) -> None:
    """Raise SpecError for a run that `lib.circuits.fourier` cannot measure."""
    if spec.modulus % 2 == 0 or not spec.plain or not TASKS[spec.task].commutes:
        raise SpecError(
            f"{spec.label()}: circuits are measured in one layer without LayerNorm, "
            "modulo an odd number, of tasks that commute"
        )


def _train_again(
    spec: RunSpec, store: Store, checkpoints: int, threads: int, on_progress: Callable | None
) -> tuple[Run, dict[int, dict]]:
    """A run, and its weights at the epochs that are measured."""
    from lib.train import train  # brings Numba: not for what only reads measures

    wanted = checkpoints_of(spec, checkpoints) if checkpoints > 1 else set()
    taken = {}

    def keep(epoch, parameters):
        if epoch in wanted:
            taken[epoch] = parameters

    # who goes on in the middle has no weights from before it
    states = None if wanted else Checkpoints(store.own)
    more = start_of(spec, store, train, threads) | dict(checkpoints=states)
    run = train(spec, threads=threads, on_progress=on_progress, on_evaluation=keep, **more)
    return run, taken | {int(run.curve["epoch"][-1]): run.parameters}


def _look(spec: RunSpec, taken: dict[int, dict]) -> Iterator[tuple[int, "Measures"]]:
    """What a network computes at each epoch, the end first: its frequencies are used before."""
    import torch  # heavy, and so are these: not for what only reads measures

    from lib.circuits.fourier import measure
    from lib.model import build_model

    data, earlier, keys = build(spec), list(map(build, ancestors(spec))), None
    model = build_model(spec, data)
    for epoch in sorted(taken, reverse=True):
        model.load_state_dict({k: torch.as_tensor(v) for k, v in taken[epoch].items()})
        found = measure(model, data, keys, earlier)
        keys = found.frequencies
        yield epoch, found


def lacking(specs: Iterable[RunSpec], store: Store, checkpoints: int) -> list[RunSpec]:
    """Those runs that are not measured yet, or at fewer epochs than are asked for."""
    found = measures(store).groupby("key")["epoch"].agg(set)

    def enough(spec):
        have = found.get(spec.key, set())
        if checkpoints == 1 or not have:
            return bool(have)
        wanted = {epoch for epoch in checkpoints_of(spec, checkpoints) if epoch <= max(have)}
        return len(have) >= max(2, len(wanted))  # a run may have stopped early

    return [spec for spec in {s.key: s for s in specs}.values() if not enough(spec)]


def gather_measures(specs: Iterable[RunSpec], train_missing: bool = False) -> pd.DataFrame:
    """The kept measures of some runs, with their task, d_model, train_size and seed.

    And with `shown`: whether the training that was measured is the one that figures show.

    Args:
        specs: the runs; those that are not measured are left out.
        train_missing: train and measure what is missing, at `CHECKPOINTS` epochs each.
    """
    store, specs = Store(), list(specs)
    if train_missing:
        todo = lacking(specs, store, CHECKPOINTS)
        for spec in todo:
            check(spec)  # all of them before hours are spent on the first
        if todo:
            known = known_rate({s.d_model for s in todo}, store.cache, store.runs(), cores())
            seconds = sum(costs_of(todo, known[0], store).values()) / cores() if known else 0
            took = f": about {format_duration(seconds)}" if known else ""
            print(f"training {len(todo):,} runs again, to look inside{took}", file=sys.stderr)
        for spec in tqdm(todo, unit="run", disable=not todo):
            measure_run(spec, store, threads=cores())
    labels = ["key", "task", "d_model", "train_size", "split_mlp", "seed"]
    rows = [[getattr(s, n) for n in labels] for s in {s.key: s for s in specs}.values()]
    found = measures(store).merge(pd.DataFrame(rows, columns=labels), on="key")
    return found.assign(shown=found["digest"].isin(store.runs()["digest"]))
