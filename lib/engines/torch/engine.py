"""Many models in one: the PyTorch engine for depth and CUDA.

Runs of the same shape are stacked along a leading dimension, so that one matrix product
serves all of them.  The mathematics is `lib.model`'s (`lib.engines.torch.forward`).

On a CPU the bits of a run that is trained alone do not depend on when it was interrupted, nor
do those of a stack in which no run has ended by then, if all states were saved at one epoch.
Otherwise runs are stacked anew, padded to another length, and may differ in the last bits:
products add up in an order that depends on the length.  So do those of a training step that is
compiled, as those of long runs are (`lib.engines.torch.gradient`).  On CUDA sums over equal
tokens are added in no fixed order, and the last bits vary from run to run.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lib.data import Dataset, Split
from lib.engines.flops import A_LOGIT
from lib.engines.known import unknown_to
from lib.engines.precision import name_of
from lib.engines.torch.cuda import captured, kernels
from lib.engines.torch.forward import Forward
from lib.engines.torch.gradient import Gradient, exact_losses, loss_gradient, pays
from lib.engines.torch.inputs import Batch, make_batch
from lib.initial import initial_values
from lib.spec import RunSpec, SpecError
from lib.tasks import TASKS

EVALUATED = 1 << 26
"""Floats of the widest activation that an evaluation may hold at once."""


def shape_of(spec: RunSpec) -> tuple:
    """What runs must have in common to be stacked: what their arrays' shapes follow from."""
    mixed = TASKS[spec.task].memorize is not None
    sizes = spec.modulus, spec.d_model, spec.n_heads, spec.head_width, spec.mlp_width, spec.n_layers
    return (*sizes, mixed, spec.norm, bool(spec.split_mlp))


class StackedEngine:
    """Networks of one shape in training together, each with its own data and recipe.

    Args:
        specs: what to train; `shape_of` is the same for all.
        datas: their data, from `lib.data.build`.
        threads: threads of a CPU.
        parameters: starting values by name for each run (default: `lib.initial.initial_values`).
        device: "cpu" or "cuda".
        precision: of the matrix products.  In "bf16" operands and result of each, in the
            gradient, too, are rounded to bfloat16 (8 significant bits); what a product adds up
            inside, parameters, moments, all other sums, softmax and loss are float32 in both.
        compile: whether a CPU's training step is compiled (default: where that pays).
        fuse: whether parts of a step are GPU kernels of their own (`lib.engines.torch.fused`;
            default: on CUDA).
    """

    def __init__(
        self,
        specs: Sequence[RunSpec],
        datas: Sequence[Dataset],
        threads: int = 1,
        parameters: Sequence[dict] | None = None,
        device: str = "cpu",
        precision: str = "float32",
        compile: bool | None = None,
        fuse: bool | None = None,
    ):
        if any(unknown_to("stacked", spec) for spec in specs):
            raise SpecError("a run is not for the engine stacked")
        self.specs, self.epoch, self.precision = list(specs), 0, precision
        self.name = name_of("stacked", precision)
        self.device, self._graphs = torch.device(device), {}
        self.device_name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
        if self.device.type == "cpu":
            torch.set_num_threads(threads)
        elif precision == "bf16":  # PyTorch would let cuBLAS round parts of a sum, too
            torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        first, data = specs[0], datas[0]
        self.n_tokens = data.n_tokens
        self._fused = kernels(fuse) if fuse or (fuse is None and device == "cuda") else None
        self._forward = Forward(first, data, self.device, precision, self._fused)
        values = parameters or [initial_values(s, d) for s, d in zip(specs, datas)]
        values = [{n: np.asarray(v, np.float32) for n, v in own.items()} for own in values]
        self._shapes = {name: value.shape for name, value in values[0].items()}
        flat = np.stack([np.concatenate([v.ravel() for v in own.values()]) for own in values])
        self._set_state(*(flat, *np.zeros((2, *flat.shape), np.float32)))
        self._datas = list(datas)
        self._train = self._batch([d.train for d in datas])
        self._evaluated: dict[tuple, Batch] = {}
        self._set_hyper()
        compile = pays(specs, device) if compile is None else compile
        own = self._fused.loss_gradient if self._fused else loss_gradient
        self._parts = Gradient(self._forward.logits, compile, own)
        if compile:
            self._gradient()  # compiles: not the run's own time

    # The state: parameters and AdamW's moments, flat, (runs, parameters) each

    def _set_state(self, flat: np.ndarray, m: np.ndarray, v: np.ndarray) -> None:
        self._flat, self._m, self._v = (
            torch.tensor(x, dtype=torch.float32, device=self.device) for x in (flat, m, v)
        )
        self._g = torch.zeros_like(self._flat)
        self._measured: dict[str, tuple] = {}  # split, or "norm" -> epoch and values
        views = self._views(self._flat)
        self._p = {name: view.detach().requires_grad_() for name, view in views.items()}

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        sizes = [math.prod(shape) for shape in self._shapes.values()]
        parts = flat.split(sizes, dim=1)
        return {n: p.unflatten(1, s) for (n, s), p in zip(self._shapes.items(), parts)}

    def _set_hyper(self) -> None:
        rows = [(s.lr, s.weight_decay, s.warmup or 1, s.beta1, s.beta2, s.eps) for s in self.specs]
        self._hyper = torch.tensor(rows, dtype=torch.float64, device=self.device)
        self._step = torch.tensor(float(self.epoch), dtype=torch.float64, device=self.device)

    def state(self, run: int) -> dict[str, np.ndarray]:
        """All that one run needs to go on from here: parameters, moments, epoch."""
        parts = dict(flat=self._flat, m=self._m, v=self._v)
        return {n: x[run].cpu().numpy().copy() for n, x in parts.items()} | {
            "epoch": np.array(self.epoch)
        }

    def restore(self, states: Sequence[dict[str, np.ndarray]]) -> None:
        """Go on from the states of all runs, which are at one epoch.

        Raises:
            ValueError: if they do not fit.
        """
        shape = tuple(self._flat.shape[1:])
        if any(state[n].shape != shape for state in states for n in ("flat", "m", "v")):
            raise ValueError("it is of another network")
        (self.epoch,) = {int(state["epoch"]) for state in states}
        self._set_state(*(np.stack([state[n] for state in states]) for n in ("flat", "m", "v")))
        self._set_hyper()
        self._graphs = {}

    def keep(self, runs: Sequence[int]) -> None:
        """Go on with some of the runs only."""
        states = [self.state(r) for r in runs]
        self.specs, self._datas = ([x[r] for r in runs] for x in (self.specs, self._datas))
        self._train, self._evaluated = self._batch([d.train for d in self._datas]), {}
        self.restore(states)

    # Training

    def advance(self, count: int) -> None:
        """Train for some epochs: one full-batch step each."""
        if self.device.type == "cpu":
            torch.set_flush_denormal(True)  # moments decay into numbers that x86 is slow with
        try:
            for _ in range(count):
                self._replay() if self.device.type == "cuda" else self._one_step()
        finally:
            if self.device.type == "cpu":
                torch.set_flush_denormal(False)
        self.epoch += count

    def _gradient(self) -> None:
        parts = self._parts(self._p, self._train)
        torch.cat([part.flatten(1) for part in parts], dim=1, out=self._g)

    def _one_step(self) -> None:
        self._gradient()
        with torch.no_grad():
            self._adamw()

    def _adamw(self) -> None:
        """One step as `torch.optim.AdamW` takes it; the step's number lives on the device."""
        step = self._step.add_(1)
        if self._fused:
            self._fused.adamw(self._flat, self._m, self._v, self._g, self._hyper, step)
            return
        lr, decay, warmup, beta1, beta2, eps = self._hyper[..., None].unbind(1)
        lr = lr * (step / warmup).clamp_max(1)
        keep = (1 - lr * decay).float()
        size = (lr / (1 - beta1**step)).float()
        root = (1 - beta2**step).rsqrt().float()
        g = self._g
        self._m.lerp_(g, (1 - beta1).float().expand_as(g))
        self._v.mul_(beta2.float()).addcmul_(g * (1 - beta2).float(), g)
        below = self._v.sqrt().mul_(root).add_(eps.float())
        self._flat.mul_(keep).sub_(self._m / below * size)

    def _replay(self) -> None:
        """The same step as one CUDA graph, captured at the first call."""
        if "step" not in self._graphs:
            state = self._flat, self._m, self._v, self._step
            before = [x.clone() for x in state]
            self._graphs["step"] = captured(self._one_step)
            for x, old in zip(state, before):  # captured after some steps
                x.copy_(old)
        self._graphs["step"][0].replay()

    # What is measured

    @torch.no_grad()
    def evaluate(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss and accuracy of each run on "train", "val" or "memorize" (float64).

        NaN where a run's split is empty.  Kept until the parameters change: each run asks.
        """
        if self._measured.get(split, (None,))[0] == self.epoch:
            return self._measured[split][1]
        found = [self._means(split, runs) for runs in self._slices(split)]
        both = np.full((2, len(self.specs)), np.nan)
        if found:
            both[:] = torch.cat(found, 1).cpu()
        self._measured[split] = self.epoch, (both[0], both[1])
        return self._measured[split][1]

    def _means(self, split: str, runs: slice) -> Tensor:
        """`_measure` of some runs, on CUDA as one graph."""
        key = split, runs.start
        if key not in self._evaluated:
            self._evaluated[key] = self._batch([getattr(d, split) for d in self._datas[runs]])
        batch = self._evaluated[key]
        if self.device.type == "cpu":
            return self._measure(runs, batch)
        if key not in self._graphs:
            self._graphs[key] = captured(lambda: self._measure(runs, batch))
        graph, found = self._graphs[key]
        graph.replay()
        return found

    def _measure(self, runs: slice, batch: Batch) -> Tensor:
        """Mean loss and accuracy of some runs over their own inputs, (2, runs) float64."""
        p = {name: value[runs] for name, value in self._p.items()}
        losses, right = exact_losses(self._forward.logits(p, batch), batch.labels)
        if self.device.type == "cpu":
            own = zip(losses, right.double(), batch.counts)
            return torch.tensor([[x[:n].mean(), y[:n].mean()] for x, y, n in own]).double().T
        sums = [x.double().where(batch.own, 0.0).sum(1) for x in (losses, right)]
        return torch.stack(sums) / batch.own.sum(1)

    def _slices(self, split: str) -> list[slice]:
        """Runs that are evaluated together: as many as fit."""
        longest = max(len(getattr(d, split)) for d in self._datas)
        if not longest:
            return []
        width = max(2 * self.specs[0].mlp_width, A_LOGIT * self.specs[0].modulus) * longest
        n = max(1, EVALUATED // width)
        return [slice(i, i + n) for i in range(0, len(self.specs), n)]

    def _batch(self, splits: Sequence[Split]) -> Batch:
        multiple = self._fused.CHUNK if self._fused else 1
        halves = bool(self.specs[0].split_mlp)
        return make_batch(splits, self.n_tokens, halves, self.device, multiple)

    def gradients(self) -> list[dict[str, np.ndarray]]:
        """The gradient of each run's training loss at the present parameters, by name."""
        self._gradient()
        return self._named(self._g)

    @property
    def parameters(self) -> list[dict[str, np.ndarray]]:
        """The present parameters of each run by their names in `lib.model`, float32 copies."""
        return self._named(self._flat)

    def _named(self, flat: Tensor) -> list[dict[str, np.ndarray]]:
        views = {n: v.detach().cpu().numpy() for n, v in self._views(flat).items()}
        return [{n: v[r].copy() for n, v in views.items()} for r in range(len(flat))]

    @property
    def param_norms(self) -> np.ndarray:
        """The Euclidean norm of all parameters of each run (float64).  Kept as evaluations are."""
        if self._measured.get("norm", (None,))[0] != self.epoch:
            norms = self._flat.double().square().sum(1).sqrt().cpu().numpy()
            self._measured["norm"] = self.epoch, norms
        return self._measured["norm"][1]
