"""Merging small files of runs into few, while other processes read and write."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from lib.errors import StoreError
from lib.runs import shard
from lib.runs.files import forgotten
from lib.runs.shard import BrokenFile, identities

SHARD = 500
"""Runs in a file from which on `compact` leaves it alone: git keeps every file for ever."""


CANNOT_MERGE = (OSError, StoreError, BrokenFile, pa.ArrowException)
"""What `compact` may raise: of a disk that is full or fails, or files that are damaged."""


def compact(store, names: Iterable[str] | None = None) -> list[str]:
    """Merge small files (of less than `SHARD` runs) into few; no run is ever lost.

    A new file is written and read back before those it replaces are removed, so a crash
    in between leaves runs twice at worst, which readers do not mind and the next
    `compact` mends.  Broken files are left alone, and so are stale runs.

    Args:
        names: merge these files only; all by default.

    Returns:
        The names of the files that now hold the runs of the small files.
    """
    for folder in (store.runs_folder, store.own):
        with contextlib.suppress(OSError):  # a cache of someone else's, say
            _sweep_up(folder)
    tables = store.tables()
    # Runs in a large file are safe there: no one ever removes a large file.
    large = {name for name, table in tables.items() if table.num_rows >= SHARD}
    safe = {row for name in large for row in identities(tables[name], store.identity)}
    small = [n for n in sorted(tables) if n not in large and (names is None or n in set(names))]
    groups, rows = [[]], 0
    for name in small:
        if rows >= SHARD:
            groups, rows = [*groups, []], 0
        groups[-1].append(name)
        rows += tables[name].num_rows
    return [name for group in groups for name in _merge(store, group, safe)]


def _sweep_up(folder: Path) -> None:
    """Remove what killed writers left, and states of runs that nobody went on with for a month."""
    for pattern, days in ((".*.tmp", 1), ("*.state", 30)):
        for path in folder.rglob(pattern):
            with contextlib.suppress(FileNotFoundError):  # a live one has just renamed its own
                if forgotten(path, days):
                    path.unlink()


def _merge(store, names: list[str], safe: set[tuple]) -> list[str]:
    sources = {name: table for name in names if (table := store.try_read(name)) is not None}
    if not sources:
        return []
    rows = {name: sorted(identities(table, store.identity)) for name, table in sources.items()}
    needed = sorted(set().union(*rows.values()) - safe)
    # Of files with the same runs (written by another version of pyarrow, say) every process
    # keeps the same one: if each kept its own and removed the other's, none would be left.
    merged = [min(same)] if needed and (same := [n for n in rows if rows[n] == needed]) else []
    if needed and not merged:
        merged = [_write(store, sources.values(), set(needed)).name]
    for name in sources:
        if name not in merged:
            store.path(name).unlink(missing_ok=True)
    return merged


def _write(store, tables: Iterable[pa.Table], needed: set[tuple]) -> Path:
    """A new file of the needed rows, each once; it has been read back."""
    table, left, keep = pa.concat_tables(tables, promote_options="default"), set(needed), []
    for row in identities(table, store.identity):
        keep.append(row in left)
        left.discard(row)
    # Sorted, so that the same runs give the same file whoever merges them.
    order = [(name, "ascending") for name in store.identity]
    path = shard.write(store.runs_folder, table.filter(pa.array(keep)).sort_by(order))
    whole = shard.read(path, None, store.schema, store.needs)
    if set(identities(whole, store.identity)) != needed:
        raise StoreError(f"{path} does not hold what was written; nothing was removed")
    return path
