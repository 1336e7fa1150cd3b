"""Runs in training, kept now and then in this machine's cache, so that a kill costs little.

A checkpoint has the parameters, AdamW's moments, the epoch and the curve so far.  It appears
whole or not at all; a run that goes on from one ends with the same bits as if nothing had
happened (in a stack only under the conditions of `lib.engines.torch.engine`).  Code that was
edited since does not go on from it.  It goes when the run is stored.
"""

import contextlib
import hashlib
import io
import sys
import time
from pathlib import Path

import numpy as np

from lib.runs.files import keep
from lib.runs.machine import code
from lib.runs.run import CURVE
from lib.spec import RunSpec

EVERY = 60.0
"""Seconds of training after which a run saves its state, at its next evaluation."""


COST = 20
"""Times what saving takes that training goes on before the next: large states save less often."""


def _check(spec: RunSpec, state: dict[str, np.ndarray]) -> None:
    """Raise ValueError for a state that no training of the spec can have come to."""
    rows, epoch, seconds = state["rows"], int(state["epoch"]), float(state["seconds"])
    if rows.ndim != 2 or rows.shape[1] != 1 + len(CURVE):
        raise ValueError("its curve has other columns")
    at = spec.eval_epochs()  # a stack is saved where one of its runs is evaluated, not each
    if not np.array_equal(rows[:, 0], at[at <= epoch]):
        raise ValueError("its curve is of other epochs")
    if epoch >= spec.epochs or not 0 <= seconds < np.inf:
        raise ValueError("its epoch or its time is impossible")
    accuracies = rows[:, [i for i, name in enumerate(CURVE, 1) if "accuracy" in name]]
    if (rows < 0).any() or (accuracies > 1).any():
        raise ValueError("its curve has impossible values")
    for name, values in state.items():
        # A curve may have no validation; a moment may overflow, and a mask has infinities.
        if name != "rows" and np.isnan(values).any():
            raise ValueError(f"{name} has values that are no numbers")


class Checkpoints:
    """The states of unfinished runs in one cache folder.

    Args:
        cache: the folder, `lib.runs.store.Store.own` of the store that the runs are for.
        every: seconds between two savings of a run, by default `EVERY`, or `COST` times what one
            takes where that is longer.
    """

    def __init__(self, cache: Path, every: float | None = None):
        self._folder = Path(cache) / "checkpoints"
        self._least, self._cost = (EVERY, COST) if every is None else (every, 0)
        self.every = self._least
        self._saved = time.monotonic()

    def _path(self, spec: RunSpec, engine: str) -> Path:
        return self._folder / f"{spec.key}-{engine}-{code()}.state"

    def due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.every

    def save(
        self, spec: RunSpec, engine: str, state: dict[str, np.ndarray], rows: list, seconds: float
    ) -> None:
        """Keep a run's state, its curve so far and the seconds spent; a full disk is no error."""
        began = time.monotonic()
        buffer = io.BytesIO()
        np.savez(buffer, **state, rows=np.array(rows, np.float64), seconds=np.array(seconds))
        data = buffer.getvalue()
        keep(self._path(spec, engine), hashlib.sha256(data).digest() + data, self._folder.parent)
        self._saved = time.monotonic()
        self.every = max(self._least, self._cost * (self._saved - began))

    def load(self, spec: RunSpec, engine: str) -> dict[str, np.ndarray] | None:
        """What `save` kept, or None; a damaged file is named on stderr and not used."""
        path = self._path(spec, engine)
        try:
            content = path.read_bytes()
            digest, data = content[:32], content[32:]
            if hashlib.sha256(data).digest() != digest:
                raise ValueError("its content is damaged")
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                state = dict(file)
            _check(spec, state)
            return state
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, MemoryError) as error:  # it may be whole, and is left to a better time
            why = getattr(error, "strerror", None) or "too little memory"
            print(f"warning: {path} cannot be read, the run begins again: {why}", file=sys.stderr)
            return None
        except Exception as error:  # damaged in one of a dozen ways: the run can begin again
            self.reject(spec, engine, error)
            return None

    def reject(self, spec: RunSpec, engine: str, why: object) -> None:
        """Say that a run's checkpoint is of no use, and throw it away."""
        path = self._path(spec, engine)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        print(f"warning: {path} is not used, the run begins again: {why}", file=sys.stderr)

    def epochs(self) -> dict[str, int]:
        """Key -> where it stands, of every run that can go on from here."""
        found = {}
        with contextlib.suppress(OSError):  # none yet, or a cache of someone else's
            for path in self._folder.glob(f"*-{code()}.state"):
                with contextlib.suppress(Exception):  # `load` will say
                    content = path.read_bytes()
                    if hashlib.sha256(content[32:]).digest() == content[:32]:
                        state = np.load(io.BytesIO(content[32:]), allow_pickle=False)
                        found[path.name.partition("-")[0]] = int(state["epoch"])
        return found

    def remove(self, spec: RunSpec) -> None:
        """Forget a run, once it is stored."""
        with contextlib.suppress(OSError):  # it can stay; a cache of someone else's has none
            for path in self._folder.glob(f"{spec.key}-*.state"):
                path.unlink(missing_ok=True)
