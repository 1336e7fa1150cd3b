"""What this process may use: processors by affinity and quota, memory by limit."""

import os

import psutil
import pytest

from lib.runs.machine import cores, memory

QUOTAS = {  # /proc/self/cgroup, files under /sys/fs/cgroup -> processors of 64, bytes of memory
    "no control groups": ("", {}, 64, None),
    "no limit": ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/memory.max": "max"}, 64, None),
    "two processors": ("0::/a/b\n", {"a/b/cpu.max": "200000 100000"}, 2, None),
    "a share of one": ("0::/\n", {"cpu.max": "50000 100000", "memory.max": "1000"}, 1, 1000),
    "one and a half": ("0::/a\n", {"a/cpu.max": "150000 100000"}, 1, None),
    "set further up": (
        "0::/a/b\n",
        {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000", "a/memory.max": "5000"},
        3,
        5000,
    ),
    "version 1": (
        "5:memory:/x\n4:cpu,cpuacct:/x\n",
        {
            "cpu,cpuacct/x/cpu.cfs_quota_us": "400000",
            "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            "memory/x/memory.limit_in_bytes": "7000",
        },
        4,
        7000,
    ),
    "version 1 without limit": (
        "4:cpu:/x\n",
        {"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"},
        64,
        None,
    ),
}


@pytest.mark.parametrize("name", QUOTAS)
def test_what_control_groups_allow(tmp_path, monkeypatch, name):
    text, files, processors, limit = QUOTAS[name]
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    files = {f"sys/fs/cgroup/{path}": value for path, value in files.items()}
    for path, value in (files | ({"proc/self/cgroup": text} if text else {})).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(value + ("" if value.endswith("\n") else "\n"))
    assert cores(tmp_path) == processors
    assert memory(tmp_path) == (limit or psutil.virtual_memory().total)


def test_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 6}, raising=False)
    assert cores(tmp_path) == 3
