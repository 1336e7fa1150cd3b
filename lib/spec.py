"""What to train: `RunSpec` describes one training run, `Grid` a product of runs.

A spec says everything that can change a run's result and nothing else.  Its key is the
name under which the run is stored.
"""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lib.errors import UserError
from lib.tasks import TASKS

NUMERICS_VERSION = 1
"""Raised whenever a change to kernel, data or initialization can change a result."""


class SpecError(UserError, ValueError):
    """A spec that describes no possible run."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One training run, complete and hashable.

    The defaults are the setting of §2.1 where the paper states one; the rest is the
    project's recipe (`lib.paper.recipe.RECIPE`), which the paper leaves open.

    Raises:
        SpecError: if a value is out of range or two values do not fit together.
    """

    task: str = "add"  # a name registered in lib.tasks.TASKS
    modulus: int = 113  # P: tokens 0 … P-1, and as many classes
    train_size: int = 3000  # D: training points of the algorithmic task, of P² in all
    memorize_size: int = 0  # random-label points beside them (task "multitask" only, §5)
    d_model: int = 32  # d_h, the paper's model size
    n_heads: int = 4
    n_layers: int = 1
    lr: float = 3e-3
    weight_decay: float = 1.5
    beta1: float = 0.9
    beta2: float = 0.98
    eps: float = 1e-8
    epochs: int = 20_000  # T; one epoch is one full-batch step
    seed: int = 0
    n_evals: int = 300  # points of the stored curve, at most (see `eval_epochs`)
    stop_after: int | None = None  # epochs of val_accuracy >= STOP_ACCURACY before stopping
    # None is the plain model: what stands below came later, and None keeps the older keys
    init_from: "RunSpec | None" = None  # start from this run's final weights, moments at 0
    split_mlp: bool | None = None  # half of d_mlp for each task of a mixture (appendix B)
    norm: str | None = None  # "pre": LayerNorm before each sublayer and the unembedding
    residual: str | None = None  # "scaled": W_O and W_out start (2 n_layers)^-½ as large
    warmup: int | None = None  # epochs over which the learning rate rises to lr, linearly

    def __post_init__(self):
        if isinstance(self.init_from, dict):  # as `to_dict` writes it
            object.__setattr__(self, "init_from", RunSpec(**self.init_from))
        problem = _problem(self)
        if problem:
            raise SpecError(problem)

    @property
    def d_mlp(self) -> int:
        """Width of the MLP's hidden layer."""
        return 4 * self.d_model

    @property
    def plain(self) -> bool:
        """Whether this is the paper's one-layer model, without LayerNorm."""
        return self.n_layers == 1 and self.norm is None

    @property
    def n_pairs(self) -> int:
        """All ordered pairs (a, b): P²."""
        return self.modulus**2

    @property
    def key(self) -> str:
        """20 hex digits that name this run: a hash of the whole spec and `NUMERICS_VERSION`.

        Fields that are None are left out, so that a field added later with None as its
        default does not orphan the runs stored before.
        """
        values = {name: value for name, value in self.to_dict().items() if value is not None}
        if self.init_from:
            values["init_from"] = self.init_from.key
        values["numerics_version"] = NUMERICS_VERSION
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, as plain JSON values; `init_from` as a dict of its own."""
        return dataclasses.asdict(self)

    def replace(self, **changes: Any) -> "RunSpec":
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def with_seed(self, seed: int) -> "RunSpec":
        """The same run with another seed, and so its parents: splits stay nested."""
        parent = self.init_from and self.init_from.with_seed(seed)
        return self.replace(seed=seed, init_from=parent)

    def eval_epochs(self) -> np.ndarray:
        """Epochs at which the run is evaluated, rising, at most `n_evals` of them (int64).

        0 and T are always among them.  A third of the points is spaced evenly in the
        logarithm, which shows the first epochs; the rest evenly, which shows the end.
        """
        n_log = self.n_evals // 3
        early = np.geomspace(1, self.epochs, n_log) if n_log > 1 else np.empty(0)
        late = np.linspace(0, self.epochs, self.n_evals - n_log)
        epochs = np.unique(np.concatenate([early, late]).round().astype(np.int64))
        return epochs

    def label(self) -> str:
        """A short name for progress bars and messages."""
        layers = f"{self.n_layers}x" if self.n_layers > 1 else ""
        mixed = f"+{self.memorize_size}" if self.memorize_size else ""
        split = " split" if self.split_mlp else ""
        parent = f" from D={self.init_from.train_size}" if self.init_from else ""
        size = f"d={layers}{self.d_model} D={self.train_size}{mixed}"
        return f"{self.task} {size}{split} seed={self.seed}{parent}"


STOP_ACCURACY = 0.999
"""Validation accuracy that has to hold for `stop_after` epochs before a run stops early."""


CHOICES = {"norm": ("pre",), "residual": ("scaled",)}
"""What the fields that are words may say, beside None."""


def _problem(s: RunSpec) -> str | None:
    """The first thing that is wrong with a spec, in one line, or None."""
    for name in (f.name for f in dataclasses.fields(RunSpec)):
        value, want = getattr(s, name), RunSpec.__annotations__[name]
        if want is int and (isinstance(value, bool) or not isinstance(value, int)):
            return f"{name} must be a whole number, got {value!r}"
        if want is float:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return f"{name} must be a number, got {value!r}"
            if not math.isfinite(value):
                return f"{name} must be finite, got {value!r}"
            object.__setattr__(s, name, float(value))  # 1 and 1.0 are one spec
    if s.task not in TASKS:
        return f"unknown task {s.task!r}; known: {', '.join(sorted(TASKS))}"
    if not 2 <= s.modulus <= 1000:
        return f"modulus must be from 2 to 1000, got {s.modulus}"
    mixed = TASKS[s.task].memorize is not None
    if not 1 <= s.train_size <= s.n_pairs:
        return f"train_size must be from 1 to modulus² = {s.n_pairs}, got {s.train_size}"
    if mixed and not 1 <= s.memorize_size <= s.n_pairs:
        return f"task {s.task!r} needs a memorize_size from 1 to {s.n_pairs}, got {s.memorize_size}"
    if not mixed and s.memorize_size != 0:
        return f"memorize_size is for tasks with a memorization part, not for {s.task!r}"
    if s.n_heads < 1:
        return f"n_heads must be at least 1, got {s.n_heads}"
    if s.d_model < 1 or s.d_model % s.n_heads:
        return f"d_model must be a positive multiple of n_heads = {s.n_heads}, got {s.d_model}"
    if s.d_model > 4096:
        return f"d_model must be at most 4096, got {s.d_model}"
    if not 1 <= s.n_layers <= 64:
        return f"n_layers must be from 1 to 64, got {s.n_layers}"
    if s.lr <= 0:
        return f"lr must be positive, got {s.lr:g}"
    if s.weight_decay < 0:
        return f"weight_decay must not be negative, got {s.weight_decay:g}"
    for name in ("beta1", "beta2"):
        if not 0 <= getattr(s, name) < 1:
            return f"{name} must be at least 0 and below 1, got {getattr(s, name):g}"
    if s.eps <= 0:
        return f"eps must be positive, got {s.eps:g}"
    if not 1 <= s.epochs <= 100_000_000:
        return f"epochs must be from 1 to 100,000,000, got {s.epochs}"
    if not 0 <= s.seed < 2**32:
        return f"seed must be from 0 to 2^32 - 1, got {s.seed}"
    if not 2 <= s.n_evals <= 10_000:
        return f"n_evals must be from 2 to 10,000, got {s.n_evals}"
    for name in ("stop_after", "warmup"):
        value = getattr(s, name)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int):
                return f"{name} must be a whole number of epochs, got {value!r}"
            if value < 1:
                return f"{name} must be at least 1 epoch, got {value}"
    for name, known in CHOICES.items():
        if getattr(s, name) not in (None, *known):
            return f"{name} must be {' or '.join(map(repr, known))}, got {getattr(s, name)!r}"
    if not isinstance(s.split_mlp, (bool, type(None))):
        return f"split_mlp must be true or false, got {s.split_mlp!r}"
    if s.split_mlp and not mixed:
        return f"split_mlp is for tasks with a memorization part, not for {s.task!r}"
    object.__setattr__(s, "split_mlp", s.split_mlp or None)  # False and None are one spec
    return _parent_problem(s)


def _parent_problem(s: RunSpec) -> str | None:
    """Why a run cannot start from its parent's weights, or None."""
    if s.init_from is None:
        return None
    if not isinstance(s.init_from, RunSpec):
        return f"init_from must be a RunSpec, got {s.init_from!r}"
    for name in ("modulus", "d_model", "n_heads", "n_layers", "norm", "split_mlp"):
        own, parent = getattr(s, name), getattr(s.init_from, name)
        if own != parent:
            return f"init_from must have the same {name}: {parent} there, {own} here"
    if (TASKS[s.task].memorize is None) != (TASKS[s.init_from.task].memorize is None):
        return f"init_from is a run of {s.init_from.task!r}, whose inputs {s.task!r} does not have"
    return None


@dataclass(frozen=True)
class Grid:
    """A named experiment: every combination of some values, times seeds.

    Attributes:
        name: the experiment's name on the command line, e.g. "figure3".
        title: what it is, with the paper's section and figure.
        base: the fields that all runs share.
        axes: field name -> values; runs are ordered with the first axis slowest.
        cells: instead of `axes`, explicit combinations (dicts of fields).
        seeds: how many seeds the paper has.
        first_seed: the lowest of them: 0, or 1,000 for calibration.
    """

    name: str
    title: str
    base: RunSpec
    axes: dict[str, tuple] = field(default_factory=dict)
    cells: tuple[dict, ...] = ()
    seeds: int = 1
    first_seed: int = 0

    @property
    def seed_range(self) -> range:
        """The experiment's own seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def points(self) -> list[dict]:
        """The cells of the grid: one dict of fields each, without seeds."""
        if self.cells:
            return [dict(cell) for cell in self.cells]
        names = list(self.axes)
        return [dict(zip(names, values)) for values in itertools.product(*self.axes.values())]

    def specs(self, seeds: "range | list[int] | None" = None) -> list[RunSpec]:
        """One spec for each cell and seed, seed by seed (so that early seeds finish first)."""
        seeds = self.seed_range if seeds is None else seeds
        cells = [self.base.replace(**point) for point in self.points()]
        return [cell.with_seed(seed) for seed in seeds for cell in cells]

    def __iter__(self) -> Iterator[RunSpec]:
        return iter(self.specs())

    def __len__(self) -> int:
        return len(self.points()) * self.seeds
