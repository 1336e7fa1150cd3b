"""One Parquet file of finished runs: its columns, how it is written, how it is verified.

A file holds one or more runs, one row each: the spec, the final values, the provenance and
the whole curve as list columns.  It is named by the hash of its content, appears whole or
not at all, and is never changed, so any number of processes may write into one folder.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lib.runs import run
from lib.runs.files import publish
from lib.runs.machine import machine
from lib.runs.run import Run
from lib.spec import NUMERICS_VERSION, RunSpec

CURVE = {"epoch": pa.int64()} | {n: pa.from_numpy_dtype(kind) for n, kind in run.CURVE.items()}

PROVENANCE = (
    {"numerics_version": pa.int64()}
    | dict.fromkeys(("library_version", "git_commit", "engine", "device", "cpu"), pa.string())
    | {"threads": pa.int64(), "wall_seconds": pa.float64(), "timestamp": pa.timestamp("us", "UTC")}
)

_ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
_ARROW |= {kind | None: arrow for kind, arrow in _ARROW.items()}

# Of `init_from` this is the parent's key; the column `spec` has all of it.
_SPEC = {f.name: _ARROW.get(f.type, pa.string()) for f in fields(RunSpec)}

SCHEMA = pa.schema(
    {
        "key": pa.string(),
        **_SPEC,
        "status": pa.string(),
        **CURVE,  # the values at the last evaluation
        **PROVENANCE,
        "digest": pa.string(),
        "spec": pa.string(),
        **{f"curve_{name}": pa.list_(kind) for name, kind in CURVE.items()},
    }
)

CURVE_COLUMNS = [f"curve_{name}" for name in CURVE]
RUN_COLUMNS = [name for name in SCHEMA.names if name not in ("spec", *CURVE_COLUMNS)]
IDENTITY = ["key", "engine", "digest", "timestamp"]  # equal in all: one and the same training
LATER = ["device", *(f.name for f in fields(RunSpec) if f.default is None)]
NEEDED = [name for name in SCHEMA.names if name not in LATER]  # LATER: columns of younger files


class BrokenFile(Exception):
    """A file that does not hold what was once written there; says why in one line."""


def table(runs: Iterable[Run]) -> pa.Table:
    """Runs as rows of `SCHEMA`, with the provenance of this process."""
    return pa.Table.from_pylist([_row(run) for run in runs], schema=SCHEMA)


def _row(run: Run) -> dict[str, Any]:
    spec = run.spec.to_dict()
    parent = run.spec.init_from and run.spec.init_from.key
    own = ("status", "engine", "device", "threads", "wall_seconds", "digest")
    return (
        {"key": run.spec.key, **spec, "init_from": parent, "spec": json.dumps(spec)}
        | {name: run.curve[name][-1] for name in CURVE}
        | {f"curve_{name}": run.curve[name] for name in CURVE}
        | {name: getattr(run, name) for name in own}
        | {"numerics_version": NUMERICS_VERSION, "timestamp": datetime.now(UTC), **machine()}
    )


def write(folder: Path, table: pa.Table) -> Path:
    """Write a new file.  Returns its path; raises OSError and leaves nothing if it fails."""
    return put(folder, encode(table))


def encode(table: pa.Table) -> bytes:
    """The content of a file."""
    buffer = io.BytesIO()
    # Statistics would double the size of a file of one run, and nobody searches by them.
    options = dict(compression="zstd", compression_level=9, write_statistics=False)
    pq.write_table(table, buffer, write_page_checksum=True, **options)
    return buffer.getvalue()


def put(folder: Path, data: bytes) -> Path:
    """Write the content of a file under its name.  Returns and raises as `write`."""
    path = folder / _file_name(data)
    publish(path, data)
    return path


def read(
    path: Path,
    columns: list[str] | None = None,
    schema: pa.Schema = SCHEMA,
    needs: Collection[str] = NEEDED,
) -> pa.Table:
    """One file, verified: its name against its content, its pages' checksums, its schema.

    Args:
        columns: read these only; those that the file was written without are left out.
        schema: the types that columns of these names must have.
        needs: columns without which the file is broken.

    Raises:
        FileNotFoundError: if there is no such file (another process may have compacted it).
        BrokenFile: if it cannot be read, or does not hold what was written.
    """
    if path.is_symlink() and not path.exists():
        raise BrokenFile("it is a link to nothing: not fetched?")
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise BrokenFile("it is no file")
    try:
        data = path.read_bytes()
        if _file_name(data) != path.name:
            raise BrokenFile("its content does not match its name")
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        _check_schema(file, schema, needs)
        table = file.read(columns, use_threads=False)
    except FileNotFoundError:
        raise
    except MemoryError as error:
        raise BrokenFile("it does not fit into this machine's memory") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise BrokenFile(str(error).splitlines()[0]) from error
    there = set(table.column_names)  # which makes a list anew each time
    if empty := [n for n in needs if n in there and table[n].null_count]:
        raise BrokenFile(f"its column {empty[0]} has empty places")
    _check_lengths(table)
    return table


def _check_schema(file: pq.ParquetFile, schema: pa.Schema, needs: Collection[str]) -> None:
    """Raise BrokenFile unless each needed column is there, once and with its type.

    The curves' lengths are told by the metadata as far as they go: how many values each has.
    """
    there, names = file.schema_arrow, file.schema_arrow.names
    if missing := set(needs) - set(names):
        raise BrokenFile(f"it has no column {min(missing)}")
    for name in set(names) & set(schema.names):
        if names.count(name) > 1:
            raise BrokenFile(f"its column {name} is there {names.count(name)} times")
        if there.field(name).type != schema.field(name).type:
            raise BrokenFile(
                f"its column {name} holds {there.field(name).type}, not {schema.field(name).type}"
            )
    for i in range(file.num_row_groups):
        group = file.metadata.row_group(i)
        columns = map(group.column, range(group.num_columns))
        if len({c.num_values for c in columns if c.path_in_schema.startswith("curve_")}) > 1:
            raise BrokenFile("its curves differ in length")


def _check_lengths(table: pa.Table) -> None:
    """Raise BrokenFile unless the curves that were read have equal lengths, 1 at least."""
    lengths = {
        name: table[name].combine_chunks().value_lengths()
        for name in CURVE_COLUMNS
        if name in table.column_names and len(table)
    }
    for name, own in lengths.items():
        if own.null_count or not min(own.to_pylist()):
            raise BrokenFile(f"its column {name} has a run without a curve")
        if table[name].combine_chunks().flatten().null_count:
            raise BrokenFile(f"its column {name} has empty places")
        if own != next(iter(lengths.values())):
            raise BrokenFile(f"its column {name} is not as long as {next(iter(lengths))}")


def identities(table: pa.Table, names: Iterable[str] = IDENTITY) -> list[tuple]:
    """For each row what tells it from another: of runs the columns `IDENTITY`."""
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def _file_name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16] + ".parquet"
