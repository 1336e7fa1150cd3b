"""Whether `lib.stacked` compiles its training step (torch.compile), and the compiling."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable

import torch

from lib.cost import epoch_flops
from lib.spec import RunSpec

PAYS = 1e13
"""Operations of a run from which compiling its step, about a minute, pays on a CPU."""


def pays(specs: Iterable[RunSpec], device: str) -> bool:
    """Whether runs are long enough, and there is a C++ compiler.  (CUDA has its graphs.)"""
    long = max(epoch_flops(spec) * spec.epochs for spec in specs) >= PAYS
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    return device == "cpu" and long and shutil.which(compiler) is not None


def compiled(function: Callable) -> Callable:
    """The function, to be compiled at its first call for each shape of its arguments."""
    from torch._inductor import config

    config.compile_threads = 1  # no pool of processes: a sweep has a worker on each core
    return torch.compile(function, dynamic=False)
