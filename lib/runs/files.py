"""Files that appear whole or not at all."""

import contextlib
import multiprocessing
import os
import secrets
import sys
import time
from pathlib import Path

_warned: set[str] = set()


def publish(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and durably.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path.parent), None  # not a name that nobody knows
        raise
    if os.name != "posix":  # elsewhere a folder is no file that could be opened
        return
    folder = os.open(path.parent, os.O_RDONLY)  # the name is on disk only when its folder is
    try:
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(folder)
    finally:
        os.close(folder)


def forgotten(path: Path, days: float = 1) -> bool:
    """Whether a killed process left it: nobody has touched it for so long.  Raises OSError."""
    return time.time() - path.stat().st_mtime > days * 86400


def keep(path: Path, data: bytes, cache: Path) -> None:
    """`publish` for what can be made again, into a cache.

    A cache that cannot be written costs time and nothing else: one warning, no error.
    """
    try:
        publish(path, data)
    except OSError as error:
        # A sweep's workers meet what their parent has met.
        if str(cache) not in _warned and multiprocessing.parent_process() is None:
            why = error.strerror or error
            told = f"warning: nothing is kept in the cache {cache} ({why})"
            print(f"{told}; GROKKING_CACHE names another", file=sys.stderr)
        _warned.add(str(cache))
