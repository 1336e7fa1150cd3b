"""Which runs are in flight, so that two sweeps of one store share the work."""

import contextlib

from filelock import FileLock, Timeout

from lib.runs.store import Store

MOST = 200
"""Locks held at once, at most: each is an open file, of which a process may have some 1,000.

Beyond them a run that others hold is still seen, but others do not see ours."""


class Locks:
    """Locks on runs, a file in the cache for each.

    The operating system drops them when the process ends, however it ends, so that nothing
    has to be cleaned up after a kill.  Where they cannot be had (no cache, a file system
    without locks), every run counts as free: it may be trained twice, and readers drop one.
    """

    def __init__(self, store: Store):
        self._folder = store.own / "locks"
        self._held: dict[str, FileLock] = {}

    def take(self, key: str) -> bool:
        """Whether the run is now ours to train."""
        # A soft lock would outlive a process that is killed.
        lock = FileLock(self._folder / key, blocking=False, fallback_to_soft=False)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            if len(self._held) < MOST:
                self._held[key] = lock
            else:
                lock.release()
        except Timeout:
            return False
        except OSError:
            pass
        return True

    def release(self, key: str) -> None:
        """Let others have it."""
        if lock := self._held.pop(key, None):
            with contextlib.suppress(OSError):
                lock.release(force=True)

    def close(self) -> None:
        """Let others have all of them."""
        for key in list(self._held):
            self.release(key)
