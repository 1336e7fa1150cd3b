"""The gradient of `lib.stacked`, compiled (torch.compile) where that pays and works."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from lib.batches import Batch
from lib.cost import epoch_flops
from lib.spec import RunSpec
from lib.stack_ops import ExactLoss

PAYS = 1e13
"""Operations of a run from which compiling its step, about a minute, pays on a CPU."""


def pays(specs: Iterable[RunSpec], device: str) -> bool:
    """Whether runs are long enough, and there is a C++ compiler.  (CUDA has its graphs.)"""
    long = max(epoch_flops(spec) * spec.epochs for spec in specs) >= PAYS
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    return device == "cpu" and long and shutil.which(compiler) is not None


class Gradient:
    """The gradient of the exact loss, parameter by parameter.

    Args:
        logits: a function of the parameters by name and a batch.
        compile: compile it at its first call for each shape; where that fails, say so and go on.
    """

    def __init__(self, logits: Callable, compile: bool):
        self._plain = self._logits = logits
        if compile:
            from torch._inductor import config

            config.compile_threads = 1  # no pool of processes: a sweep has a worker on each core
            self._logits = torch.compile(logits, dynamic=False)

    def __call__(self, p: dict[str, Tensor], batch: Batch) -> tuple[Tensor, ...]:
        try:
            return self._take(p, batch)
        except Exception as error:  # a compiler that is there need not work
            if self._logits is self._plain:
                raise
            reason = str(error).strip().splitlines() or [type(error).__name__]
            print(f"the training step is not compiled: {reason[0]}", file=sys.stderr)
            self._logits = self._plain
            return self._take(p, batch)

    def _take(self, p, batch):
        loss = ExactLoss.apply(self._logits(p, batch), batch.labels, batch.weights)
        return torch.autograd.grad(loss, list(p.values()))
