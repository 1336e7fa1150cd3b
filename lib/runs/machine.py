"""The machine and the code that a run was trained with: its provenance."""

import functools
import os
import platform
import subprocess
from pathlib import Path

import lib
from lib.paths import ROOT


@functools.cache
def machine() -> dict[str, str]:
    """Where and with which code this process trains: library_version, git_commit, cpu."""
    return {
        "library_version": getattr(lib, "__version__", "unknown"),
        "git_commit": _git_commit(),
        "cpu": cpu_model(),
    }


def _git_commit() -> str:
    """The commit of the working tree, with a "+" where lib differs from it."""

    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True)

    try:
        head = git("rev-parse", "--short=12", "HEAD") if (ROOT / ".git").exists() else None
        if head is None or head.returncode:
            return "unknown"
        return head.stdout.strip() + ("+" if git("status", "--porcelain", "lib").stdout else "")
    except OSError:  # no git here
        return "unknown"


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


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
