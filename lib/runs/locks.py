"""Which runs are in flight, so that two sweeps of one store share the work."""

import contextlib
import hashlib
import os

from lib.runs.store import Store

try:
    import fcntl
except ImportError:  # not a POSIX system: two sweeps train some runs twice, and readers drop one
    fcntl = None


class Locks:
    """Locks on runs, one byte of one file in the cache for each.

    The operating system drops them when the process ends, however it ends, so that nothing
    has to be cleaned up after a kill.  Where they cannot be had, every run counts as free.
    """

    def __init__(self, store: Store):
        name = hashlib.sha256(os.fsencode(store.folder.resolve())).hexdigest()[:16]
        path = store.cache / "locks" / name
        self._file = None
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab") if fcntl else None

    def take(self, key: str) -> bool:
        """Whether the run is now ours to train."""
        try:
            return self._lock(key, "LOCK_EX", "LOCK_NB")
        except OSError as error:
            # EACCES or EAGAIN: somebody has it.  Anything else: no locks on this file system.
            return not isinstance(error, (PermissionError, BlockingIOError))

    def release(self, key: str) -> None:
        """Let others have it."""
        with contextlib.suppress(OSError):
            self._lock(key, "LOCK_UN")

    def close(self) -> None:
        """Let others have all of them."""
        if self._file:
            self._file.close()

    def _lock(self, key: str, *flags: str) -> bool:
        if self._file:
            operation = sum(getattr(fcntl, flag) for flag in flags)
            fcntl.lockf(self._file, operation, 1, int(key[:15], 16))
        return True
