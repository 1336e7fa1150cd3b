"""Finished runs in a folder of Parquet files, read back as tidy frames.

What is read is verified: a damaged file is named on stderr and left out, every other run
still loads.  `lib.runs.shard` says what a file holds and how it is written.
"""

import contextlib
import hashlib
import io
import itertools
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lib.errors import StoreError
from lib.paths import default_cache, default_results
from lib.runs import shard
from lib.runs.compaction import compact
from lib.runs.files import keep, publish
from lib.runs.run import Run, kept_as
from lib.runs.shard import CURVE, CURVE_COLUMNS, IDENTITY, NEEDED, RUN_COLUMNS, SCHEMA, BrokenFile
from lib.spec import KNOBS, NUMERICS_VERSION, RunSpec

_ORDER = ["task", "d_model", "train_size", "memorize_size", "seed", "key"]
PREFERRED = (
    *("numba", "stacked", "reference", "jax"),
    *("numba-bf16x6", "numba-bf16x3", "stacked-bf16"),
)
"""Engines by what is read where a run exists several times: float32 first, then by rounding."""


class Store:
    """The finished runs of one results folder (which need not exist yet).

    They are written into its folder `runs`, which holds nothing else.  Files that lie in the
    results folder itself, where older versions wrote them, are read as well.

    Attributes:
        folder: the results folder.
        runs_folder: where the Parquet files are.
        cache: where what can be made again is kept on this machine.
        own: the part of it that serves this folder alone: final weights, states of unfinished
            runs, locks.  An edited model whose runs go elsewhere meets none of the others'.
        broken: file name -> what is wrong with it, as of the last reading.

    Raises:
        StoreError: if `folder` exists and is not a folder.
    """

    # of a file; what `tables` reads of it; what tells one of its rows from another
    schema, needs, columns, identity = SCHEMA, NEEDED, RUN_COLUMNS, IDENTITY

    def __init__(self, folder: str | Path | None = None, cache: str | Path | None = None):
        self.folder = Path(folder) if folder else default_results()
        self.runs_folder = self.folder / "runs"
        self.cache = Path(cache) if cache else default_cache()
        name = hashlib.sha256(os.fsencode(os.path.realpath(self.folder))).hexdigest()[:16]
        self.own = self.cache / "stores" / name
        self.broken: dict[str, str] = {}
        self._then: dict[str, tuple] = {}  # size and time of a broken file when it was read
        self._known: dict[str, pa.Table] = {}  # file name -> its rows without curves
        self._made: dict = {}  # what was made of which files: keys and frames
        if self.folder.exists() and not self.folder.is_dir():
            raise StoreError(f"the results folder {self.folder} is not a folder")

    # Writing

    def add(self, run: Run) -> Path:
        """Keep one run.  Returns its file, which is on disk when this returns.

        Raises:
            OSError: if it cannot be written (disk full, no permission); nothing is left then.
        """
        return self.add_many([run])

    def add_many(self, runs: Iterable[Run]) -> Path:
        """Keep several runs in one new file.  Returns and raises as `add`."""
        return shard.write(self.runs_folder, shard.table(runs))

    def probe(self) -> None:
        """Raise OSError if nothing can be written here; better before training than after."""
        probe = self.runs_folder / f".probe-{os.getpid()}"
        publish(probe, b"?")
        probe.unlink(missing_ok=True)

    def compact(self, names: Iterable[str] | None = None) -> list[str]:
        """Merge small files into few; see `lib.runs.compaction.compact`."""
        return compact(self, names)

    # Reading

    def path(self, name: str) -> Path:
        """Where a file is; its name tells its content, wherever it lies."""
        path = self.runs_folder / name
        return path if os.path.lexists(path) else self.folder / name

    def try_read(self, name: str, columns: list[str] | None = None) -> pa.Table | None:
        """One file, or None where it is broken (said on stderr, once) or gone."""
        then = self._stamp(name)
        try:
            return shard.read(self.path(name), columns, self.schema, self.needs)
        except FileNotFoundError:
            return None
        except BrokenFile as error:
            if name not in self.broken:
                message = f"warning: {self.path(name)} is broken and left out: {error}"
                sys.stderr.write(f"{message}\n")  # at once: threads read
            self.broken[name], self._then[name] = str(error), then
            return None

    def _stamp(self, name: str) -> tuple | None:
        with contextlib.suppress(OSError):
            found = self.path(name).stat()
            return found.st_size, found.st_mtime_ns
        return None

    def _read_all(self, names: list[str]) -> list[pa.Table | None]:
        if len(names) < 4:
            return [self.try_read(name, self.columns) for name in names]
        with ThreadPoolExecutor() as pool:  # reading and hashing leave Python free
            return list(pool.map(lambda name: self.try_read(name, self.columns), names))

    def tables(self) -> dict[str, pa.Table]:
        """File name -> its rows without curves, for all good files.

        Good files never change, so each is read once.  Another process may compact meanwhile; the
        listing is therefore repeated until it stays the same, and no run slips through.
        """
        listed = None
        while (names := self.files()) != listed:
            listed = names
            self.broken = {name: why for name, why in self.broken.items() if name in names}
            bad = {name for name in self.broken if self._stamp(name) == self._then[name]}
            new = sorted(names - self._known.keys() - bad)  # copied in full by now, perhaps
            for name, table in zip(new, self._read_all(new)):
                if table is not None:
                    self._known[name] = table
                    self.broken.pop(name, None)
            self._known = {name: t for name, t in self._known.items() if name in names}
        return self._known

    def files(self) -> set[str]:
        """The names of all files of runs, good or broken; a name with a leading dot is none."""
        found = set()
        for folder in (self.folder, self.runs_folder):
            with contextlib.suppress(FileNotFoundError):  # nothing stored yet
                found |= {n for n in os.listdir(folder) if n.endswith(".parquet") and n[0] != "."}
        return found

    def _index(self, every: bool = False) -> pd.DataFrame:
        """`runs()` with the file and the row where each run is."""
        return self._of_files(every, lambda tables: self._frame(tables, every))

    def _of_files(self, name: object, make: Callable) -> Any:
        """Something that is made of the tables, and made again only when the files change."""
        tables = self.tables()
        if self._made.get(name, [None])[0] != tables.keys():
            self._made[name] = [set(tables), make(tables)]
        return self._made[name][1]

    @staticmethod
    def _frame(tables: dict[str, pa.Table], every: bool) -> pd.DataFrame:
        empty = pa.schema([*map(SCHEMA.field, RUN_COLUMNS)]).empty_table()
        table = pa.concat_tables([empty, *tables.values()], promote_options="default")
        frame = table.to_pandas(integer_object_nulls=False)
        counts = {name: table.num_rows for name, table in tables.items()}
        files = [name for name, count in counts.items() for _ in range(count)]
        rows = [row for count in counts.values() for row in range(count)]
        frame = frame.assign(file=pd.Series(files, dtype=str), row=pd.Series(rows, dtype="int64"))
        kinds = dict.fromkeys(("train_loss", "val_loss", "param_norm"), float)
        nullable = {int: "Int64", bool: "boolean"}  # else a gap makes floats of whole numbers
        optional = {n: nullable.get(k.kind) for n, k in KNOBS.items() if k.optional}
        kinds |= {name: kind for name, kind in optional.items() if kind}
        frame = frame.assign(**{name: frame[name].astype(kind) for name, kind in kinds.items()})
        parents = frame["init_from"].astype(object)
        frame["init_from"] = parents.where(parents.notna(), None)
        frame = frame[frame["numerics_version"] == NUMERICS_VERSION]
        if frame["key"].duplicated().any():
            order = ["rank", "timestamp", "digest", "file"]
            rank = frame["engine"].map({name: i for i, name in enumerate(PREFERRED)})
            frame = frame.assign(rank=rank.fillna(len(PREFERRED))).sort_values(order)
            frame = frame.drop(columns="rank").drop_duplicates(IDENTITY if every else "key")
        return frame.sort_values(_ORDER, kind="stable", ignore_index=True)

    def keys(self) -> set[str]:
        """The keys of all runs that are stored and not stale."""
        return set(self._of_files("keys", self._keys))

    @staticmethod
    def _keys(tables: dict[str, pa.Table]) -> set[str]:
        fresh = (
            t.filter(pc.equal(t["numerics_version"], NUMERICS_VERSION)) for t in tables.values()
        )
        return {key for table in fresh for key in table["key"].to_pylist()}

    @property
    def stale(self) -> int:
        """How many stored runs are left out because a change of the numerics outdated them."""
        versions = [version for t in self.tables().values() for version in t["numerics_version"]]
        return sum(version.as_py() != NUMERICS_VERSION for version in versions)

    def runs(self, every: bool = False) -> pd.DataFrame:
        """All runs, one row each.

        Columns: `key`; every field of `RunSpec`; `status` ("finished", "stopped", "diverged");
        the values at the last evaluation (`epoch`, `train_loss`, `val_loss`,
        `train_accuracy`, `val_accuracy`, `memorize_accuracy`, `param_norm`); the provenance
        (`engine`, `device`, `cpu`, `threads`, `wall_seconds`, `timestamp` in UTC, …); `digest`.

        Args:
            every: keep all trainings of a spec, in the order of `PREFERRED`; by default the
                first of them, and of equal ones the earliest.
        """
        return self._index(every).drop(columns=["file", "row"])

    def curves(self, keys: Iterable[str] | None = None, engine: str | None = None) -> pd.DataFrame:
        """All curves, one row per evaluation: `key` and the columns `CURVE`.

        Args:
            keys: of these runs only; those that are not stored are passed over.
            engine: as this one trained them; by default as `runs` shows them.
        """
        index = self._index(every=engine is not None)
        if engine is not None:
            index = index[index["engine"] == engine].drop_duplicates("key")
        if keys is not None:
            index = index[index["key"].isin(list(keys))]
        parts = []
        for name, group in index.groupby("file"):
            table = self.try_read(name, ["key", *CURVE_COLUMNS])
            if table is None:  # compacted away since it was listed, or gone bad: look again
                self._known.pop(name, None)
                return self.curves(index["key"], engine)
            table = table.take(pa.array(group["row"])).combine_chunks()
            lengths = table["curve_epoch"].combine_chunks().value_lengths()
            part = {"key": np.repeat(table["key"].to_numpy(), lengths.to_numpy())}
            for short, column in zip(CURVE, CURVE_COLUMNS, strict=True):
                values = table[column].combine_chunks().flatten().to_numpy()
                part[short] = values.astype(np.int64 if short == "epoch" else np.float64)
            parts.append(pd.DataFrame(part))
        if not parts:
            return pd.DataFrame({"key": pd.Series(dtype="str")} | {name: [] for name in CURVE})
        return pd.concat(parts, ignore_index=True)

    def curve(self, spec: RunSpec) -> pd.DataFrame:
        """The curve of one run, one row per evaluation.  Raises KeyError if it is not stored."""
        frame = self.curves([spec.key])
        if frame.empty:
            raise KeyError(f"no stored run of {spec.label()}")
        return frame.drop(columns="key")

    # Weights, on this machine only

    def _weights(self, spec: RunSpec, engine: str, device: str) -> Path:
        return self.own / "weights" / f"{spec.key}-{kept_as(engine, device)}.npz"

    def save_weights(self, run: Run) -> Path:
        """Keep the final weights of a run in the local cache, where that can be written."""
        buffer = io.BytesIO()
        np.savez(buffer, **run.parameters)
        path = self._weights(run.spec, run.engine, run.device)
        keep(path, buffer.getvalue(), self.cache)
        return path

    def load_weights(
        self, spec: RunSpec, engine: str | None = None, device: str = "cpu"
    ) -> dict | None:
        """The final weights by parameter name (float32), or None if they are not in the cache.

        engine, device: as this one trained them there; by default as the first of `PREFERRED`
            did, on a processor if possible.
        """
        ways = [(engine, device)] if engine else itertools.product(PREFERRED, ("cpu", "gpu"))
        for way in ways:
            with contextlib.suppress(Exception):  # damaged in a dozen ways: it can be made again
                content = self._weights(spec, *way).read_bytes()
                with np.load(io.BytesIO(content), allow_pickle=False) as file:
                    return dict(file)
        return None
