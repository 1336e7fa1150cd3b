"""One run of a stack, used like the kernel's engine (`lib.engines.choose.Engine`)."""

import numpy as np

from lib.data import Dataset
from lib.engines.torch.engine import StackedEngine
from lib.spec import RunSpec


class Member:
    """The run at a place of a stack that somebody else trains."""

    def __init__(self, stack: StackedEngine, place: int):
        self.stack, self.place = stack, place
        self.name, self.device = stack.name, stack.device_name

    @property
    def epoch(self) -> int:
        """Epochs trained so far."""
        return self.stack.epoch

    def evaluate(self, split: str) -> tuple[float, float]:
        """Mean loss and accuracy on "train", "val" or "memorize"; NaN where it is empty."""
        loss, accuracy = self.stack.evaluate(split)
        return float(loss[self.place]), float(accuracy[self.place])

    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of the training loss at the present parameters, by name."""
        return self.stack.gradients()[self.place]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The present parameters by their names in `lib.model`, float32 copies."""
        return self.stack.parameters[self.place]

    @property
    def param_norm(self) -> float:
        """The Euclidean norm of all parameters together."""
        return float(self.stack.param_norms[self.place])

    def state(self) -> dict[str, np.ndarray]:
        """All that the run needs to go on from here."""
        return self.stack.state(self.place)


class Engine(Member):
    """A stack of one; the arguments are those of `StackedEngine`, for one run."""

    def __init__(
        self, spec: RunSpec, data: Dataset, threads: int = 1, parameters=None,
        device: str = "cpu", precision: str = "float32",
    ):  # fmt: skip
        own = None if parameters is None else [parameters]
        super().__init__(StackedEngine([spec], [data], threads, own, device, precision), 0)

    def advance(self, count: int) -> None:
        """Train for some epochs: one full-batch step each."""
        self.stack.advance(count)

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state.  Raises ValueError if it does not fit."""
        self.stack.restore([state])
