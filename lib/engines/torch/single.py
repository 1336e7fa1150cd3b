"""One network on the PyTorch engine, used like the kernel's: a stack of one."""

import numpy as np

from lib.data import Dataset
from lib.engines.torch.engine import StackedEngine, engine_name
from lib.spec import RunSpec


class Engine:
    """One network in training; the arguments are those of `StackedEngine`, for one run."""

    def __init__(
        self, spec: RunSpec, data: Dataset, threads: int = 1, parameters=None,
        device: str = "cpu", precision: str = "float32",
    ):  # fmt: skip
        self.spec, self.name = spec, engine_name(precision)
        own = None if parameters is None else [parameters]
        self._stack = StackedEngine([spec], [data], threads, own, device, precision)

    @property
    def epoch(self) -> int:
        """Epochs trained so far."""
        return self._stack.epoch

    def advance(self, count: int) -> None:
        """Train for some epochs: one full-batch step each."""
        self._stack.advance(count)

    def evaluate(self, split: str) -> tuple[float, float]:
        """Mean loss and accuracy on "train", "val" or "memorize"; NaN where it is empty."""
        loss, accuracy = self._stack.evaluate(split)
        return float(loss[0]), float(accuracy[0])

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of the training loss at the present parameters, by name."""
        return self._stack.gradients()[0]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The present parameters by their names in `lib.model`, float32 copies."""
        return self._stack.parameters[0]

    @property
    def param_norm(self) -> float:
        """The Euclidean norm of all parameters together."""
        return float(self._stack.param_norms[0])

    def state(self) -> dict[str, np.ndarray]:
        """All that the run needs to go on from here."""
        return self._stack.state(0)

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.  Raises ValueError if it does not fit."""
        self._stack.restore([state])
