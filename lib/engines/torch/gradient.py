"""The gradient of many training losses at once, eager or compiled (`torch.compile`)."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from lib.engines.flops import epoch_flops
from lib.engines.torch.inputs import Batch
from lib.spec import RunSpec

PAYS = 1e13
"""Operations of a run from which compiling its step, about a minute, pays on a CPU."""


def pays(specs: Iterable[RunSpec], device: str) -> bool:
    """Whether runs are long enough, and there is a C++ compiler.  (CUDA has its graphs.)"""
    long = max(epoch_flops(spec) * spec.epochs for spec in specs) >= PAYS
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    return device == "cpu" and long and shutil.which(compiler) is not None


def loss_gradient(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """The gradient of `lib.model.exact_cross_entropy` of every run with respect to its logits.

    logits: (runs, inputs, classes); labels, weights: (runs, inputs) -> as the logits.
    """
    exps = (logits - logits.amax(-1, keepdim=True)).exp_()
    place = labels[..., None]
    right = exps.gather(-1, place)
    wrong = exps.scatter_(-1, place, 0.0).sum(-1, keepdim=True)
    scale = weights[..., None] / (wrong + right)
    return exps.mul_(scale).scatter_(-1, place, -wrong * scale)


class Gradient:
    """The gradient of the exact loss, parameter by parameter.

    Args:
        logits: a function of the parameters by name and a batch.
        compile: compile it at its first call for each shape; where that fails, say so and go on.
        loss_gradient: of the logits.
    """

    def __init__(self, logits: Callable, compile: bool, loss_gradient: Callable = loss_gradient):
        self._plain = self._logits = logits
        self._loss_gradient = loss_gradient
        if compile:
            from torch._dynamo import config as dynamo
            from torch._inductor import config

            config.compile_threads = 1  # no pool of processes: a sweep has a worker on each core
            # By default the ninth shape of a process is not compiled, and its bits would hang on
            # what was trained before.
            dynamo.cache_size_limit = dynamo.accumulated_cache_size_limit = 1 << 20
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
        logits = self._logits(p, batch)
        upstream = self._loss_gradient(logits.detach(), batch.labels, batch.weights)
        return torch.autograd.grad(logits, list(p.values()), upstream)


class Gather(torch.autograd.Function):
    """Rows of x (runs, rows, width) by index, whose gradient is summed row by row."""

    @staticmethod
    def forward(ctx, x, index):
        ctx.save_for_backward(index)
        ctx.shape = x.shape
        return x.flatten(0, 1).index_select(0, index)

    @staticmethod
    def backward(ctx, upstream):
        (index,) = ctx.saved_tensors
        runs, rows, width = ctx.shape
        if upstream.is_cuda:
            total = upstream.new_zeros(runs * rows, width).index_add_(0, index, upstream)
        else:  # many times faster than index_add_ on a CPU, and in a fixed order
            total = torch.ops.aten.embedding_dense_backward(upstream, index, runs * rows, -1, False)
        return total.view(ctx.shape), None


def exact_losses(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Exact loss (float64) of each input and whether its class is the one argmax.

    logits: (runs, inputs, classes); labels: (runs, inputs).  A tie is not right.
    """
    place = labels[..., None]
    own = logits.gather(-1, place).squeeze(-1)
    others = logits.scatter(-1, place, -torch.inf)
    best = others.amax(-1)
    top = torch.maximum(own, best)
    wrong = (others - top[..., None]).double().exp().sum(-1)
    right = own > best
    gap = (top - own).double()
    loss = torch.where(right, torch.log1p(wrong), torch.log(wrong + (-gap).exp()) + gap)
    return loss.where(logits.sum(-1).isfinite(), torch.nan), right
