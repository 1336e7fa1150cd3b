"""The machine and the code that a run was trained with: its provenance."""

import contextlib
import functools
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

import lib
from lib.paths import ROOT


@functools.cache
def machine() -> dict[str, str]:
    """Where and with which code this process trains: library_version, git_commit, cpu."""
    return {
        "library_version": lib.__version__,
        "git_commit": _git_commit(),
        "cpu": cpu_model(),
    }


def _git_commit() -> str:
    """The commit of the working tree, with a "+" where lib differs from it."""
    head = _git("rev-parse", "--short=12", "HEAD").strip()
    return head + ("+" if _git("status", "--porcelain", "lib") else "") if head else "unknown"


TEXTBOOK, TASKS = ("lib/model.py", "lib/engines/reference.py"), "lib/tasks.py"
"""What a reader may edit and train, of which the key of a run does not know, or by name alone."""


def edited(*files: str) -> list[str]:
    """Those of some files (default: `TEXTBOOK`) that differ from the commit; none where that is
    unknown."""
    return _git("diff", "--name-only", "HEAD", "--", *(files or TEXTBOOK)).split()


def _git(*words: str) -> str:
    """What git says of the project; nothing without git, or where it says no."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True)
    except OSError:  # no git here
        return ""
    return "" if done.returncode else done.stdout


@functools.cache
def code() -> str:
    """A short hash of what computes a run: the files of `lib` itself, and the engines."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "lib").glob("*.py"), *(ROOT / "lib/engines").rglob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


@functools.cache
def cpu_model() -> str:
    """The name of this machine's processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def cores(root: Path = Path("/")) -> int:
    """How many processors this process may use, by its affinity and its share of their time.

    Args:
        root: where /proc and /sys are.
    """
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [text.split() for text in _of_groups("cpu.max", root)]
    quotas += zip(_of_groups("cpu.cfs_quota_us", root), _of_groups("cpu.cfs_period_us", root))
    shares = [int(q) / int(period) for q, period in quotas if q.strip().isdecimal()]
    return max(1, int(min([found, *shares])))


def memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may use."""
    limits = [*_of_groups("memory.max", root), *_of_groups("memory.limit_in_bytes", root)]
    limits = [int(limit) for limit in limits if limit.strip().isdecimal()]
    return min([psutil.virtual_memory().total, *limits])


def _of_groups(name: str, root: Path) -> Iterator[str]:
    """What the control groups of this process (its own, then those around it) say: Linux only."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:  # version 2: one line, 0::/path; version 1: one for each kind of limit
        _, kinds, path = line.split(":", 2)
        top = root / "sys/fs/cgroup" / kinds
        inside = top / path.lstrip("/")
        for folder in (inside, *inside.parents):
            with contextlib.suppress(OSError):
                yield (folder / name).read_text()
            if folder == top:
                break
