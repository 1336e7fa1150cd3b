"""The textbook trainer: `lib.model`, the exact loss, autograd and `torch.optim.AdamW`.

Whatever is changed in `lib/model.py` is trained by it at once, on a CPU or a GPU.  It is slow,
and plain enough to be right: the tests hold the other engines against it.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lib.data import Dataset, Split, batches
from lib.model import build_model, exact_cross_entropy
from lib.spec import RunSpec


class Engine:
    """A network in training (`lib.engines.choose.Engine`).

    Args:
        spec: what to train.
        data: its data, from `lib.data.build`.
        threads: threads of a CPU.
        parameters: starting values by name (default: those of `lib.model.build_model`).
        device: "cpu" or "cuda".
        dtype: of parameters and sums; float64 makes an oracle of it.
    """

    name = "reference"

    def __init__(
        self, spec: RunSpec, data: Dataset, threads: int = 1, parameters=None,
        device: str = "cpu", dtype: torch.dtype = torch.float32,
    ):  # fmt: skip
        torch.set_num_threads(threads)
        self.spec, self.epoch, self._to = spec, 0, device
        self.device = torch.cuda.get_device_name() if device == "cuda" else "cpu"
        self._random = {
            kind: torch.Generator(kind).manual_seed(spec.seed).get_state()
            for kind in dict.fromkeys(("cpu", device))
        }
        with self._own_random_numbers():  # for what `build_model` does not draw
            self.model = build_model(spec, data).to(device, dtype)
        if parameters is not None:
            self.model.load_state_dict({n: torch.from_numpy(v) for n, v in parameters.items()})
        self.optimizer = torch.optim.AdamW(
            self._parameters(),
            lr=spec.lr,
            betas=(spec.beta1, spec.beta2),
            eps=spec.eps,
            weight_decay=spec.weight_decay,
        )
        splits = {"train": data.train, "val": data.val, "memorize": data.memorize}
        self._splits = {name: self._tensors(split) for name, split in splits.items()}

    def _parameters(self):
        """What the optimizer moves; where biases do not decay, each in a group of its own."""
        if self.spec.decayed is None:
            return self.model.parameters()
        return [
            dict(params=[p], weight_decay=0.0 if ".b_" in name else self.spec.weight_decay)
            for name, p in self.model.named_parameters()
        ]

    def _tensors(self, split: Split) -> tuple[Tensor, Tensor]:
        return tuple(torch.from_numpy(x).long().to(self._to) for x in (split.tokens, split.labels))

    @contextlib.contextmanager
    def _own_random_numbers(self) -> Iterator[None]:
        """PyTorch's random numbers from a stream of the seed: a Dropout, say, is repeated.

        Nobody else's are touched, and a state has how far the stream has come.
        """
        on_gpu = "cuda" in self._random
        with torch.random.fork_rng([torch.cuda.current_device()] if on_gpu else []):
            torch.set_rng_state(self._random["cpu"])
            if on_gpu:
                torch.cuda.set_rng_state(self._random["cuda"])
            yield
            self._random["cpu"] = torch.get_rng_state()
            if on_gpu:
                self._random["cuda"] = torch.cuda.get_rng_state()

    def _backward(self, batch: Tensor | slice = slice(None)) -> None:
        """The gradient of the loss on all training points, or on some."""
        tokens, labels = (part[batch] for part in self._splits["train"])
        loss = F.cross_entropy if self.spec.loss == "float32" else exact_cross_entropy
        self.optimizer.zero_grad()
        loss(self.model(tokens)[:, -1], labels).backward()

    def _step(self) -> None:
        """One epoch: a step of AdamW on the whole training set, or one on each batch of it."""
        self.epoch += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.spec.lr * min(1.0, self.epoch / (self.spec.warmup or 1))
        for batch in self._batches():
            self._backward(batch)
            self.optimizer.step()

    def _batches(self) -> list[Tensor | slice]:
        """This epoch's batches, as places in the training set."""
        if self.spec.batch is None:
            return [slice(None)]
        found = batches(self.spec, self.epoch, len(self._splits["train"][1]))
        return [torch.from_numpy(part).to(self._to) for part in found]

    def advance(self, count: int) -> None:
        """Train for some epochs."""
        torch.set_flush_denormal(True)  # moments decay into numbers that x86 is slow with
        try:
            with self._own_random_numbers():
                for _ in range(count):
                    self._step()
        finally:
            torch.set_flush_denormal(False)

    @torch.no_grad()
    def evaluate(self, split: str) -> tuple[float, float]:
        """Mean loss and accuracy on "train", "val" or "memorize"; NaN where it is empty.

        A tie is not right.  Layers that behave otherwise in training (Dropout, say) do not here.
        """
        tokens, labels = self._splits[split]
        if not len(labels):
            return np.nan, np.nan
        self.model.eval()
        logits = self.model(tokens)[:, -1].double()
        self.model.train()
        own = logits.gather(1, labels[:, None])[:, 0]
        others = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
        loss = exact_cross_entropy(logits, labels).item()
        return loss if logits.isfinite().all() else np.nan, (own > others).double().mean().item()

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of the training loss at the present parameters, by name."""
        self._backward()
        return {name: p.grad.cpu().numpy() for name, p in self.model.named_parameters()}

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The present parameters (and buffers) by their names in `lib.model`, copies."""
        return {n: p.cpu().numpy().copy() for n, p in self.model.state_dict().items()}

    @property
    def param_norm(self) -> float:
        """The Euclidean norm of all parameters together."""
        own = (p.detach().cpu().numpy() for p in self.model.parameters())
        return float(np.sqrt(sum(np.square(p, dtype=float).sum() for p in own)))

    def state(self) -> dict[str, np.ndarray]:
        """All that the run needs to go on from here."""
        found = self.model.state_dict()  # buffers, too
        found |= {f"random {kind}": value for kind, value in self._random.items()}
        for name, p in self.model.named_parameters():
            found |= {f"{name} {kind}": value for kind, value in self.optimizer.state[p].items()}
        found = {name: value.cpu().numpy().copy() for name, value in found.items()}
        return found | {"epoch": np.array(self.epoch)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.  Raises KeyError or ValueError if it does not fit."""
        own = self.model.state_dict()
        if any(state[name].shape != value.shape for name, value in own.items()):
            raise ValueError("it is of another network")
        there = {name: torch.from_numpy(value.copy()) for name, value in state.items()}
        self._random = {kind: there[f"random {kind}"] for kind in self._random}
        self.model.load_state_dict({name: there[name] for name in own})
        moments = {}
        for i, (name, _) in enumerate(self.model.named_parameters()):
            kinds = [key.split()[1] for key in there if key.startswith(name + " ")]
            moments[i] = {kind: there[f"{name} {kind}"] for kind in kinds}
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
        self.epoch = int(state["epoch"])
