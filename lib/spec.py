"""What to train: `RunSpec` describes one training run.

A spec says everything that can change a run's result and nothing else.  Its key is the
name under which the run is stored.
"""

import dataclasses
import functools
import hashlib
import json
import sys
from dataclasses import dataclass, field
from operator import ge, gt, le, lt
from typing import Any, NamedTuple

import numpy as np

from lib.errors import UserError
from lib.tasks import TASKS

NUMERICS_VERSION = 1
"""Raised whenever a change to kernel, data or initialization can change a result."""

MANY = 100_000_000
"""The most that is counted in a spec: epochs, points.  Far below what the store can hold."""

LARGE = 1_000_000
"""The most that a float32 is multiplied by: none overflows on the way into an engine."""

TINY = 1.2e-38
"""The least positive number: engines take a smaller float32 for 0."""


class SpecError(UserError, ValueError):
    """A spec that describes no possible run."""


def knob(default: Any, help: str, low=None, high=None, above=None, below=None, words=()) -> Any:
    """A field with all that is said of it: what it is, and which values it may have.

    Validation, the command line and the book's table of fields read it here.

    `low` and `high` belong to its range, `above` and `below` do not; `words`: what text may say.
    """
    limits = dict(low=low, high=high, above=above, below=below, words=words)
    return field(default=default, metadata=dict(help=help) | limits)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One training run, complete and hashable.

    The defaults are the setting of §2.1 where the paper states one; the rest is the
    project's recipe (`lib.paper.recipe.RECIPE`), which the paper leaves open.

    Raises:
        SpecError: if a value is out of range or two values do not fit together.
    """

    task: str = knob(
        "add", "Add, subtract, square, random, random_square, multitask, or a task of your own."
    )
    modulus: int = knob(113, "P: tokens 0 to P-1, and as many classes.", low=2, high=1000)
    train_size: int = knob(3000, "D: training points of the task, of the P² pairs.", low=1)
    memorize_size: int = knob(0, "Random-label points beside them (multitask, §5).", low=0)
    d_model: int = knob(32, "Model size d_h, a multiple of the heads.", low=1, high=4096)
    n_heads: int = knob(4, "Attention heads.", low=1)
    n_layers: int = knob(1, "Layers.", low=1, high=64)
    lr: float = knob(3e-3, "Learning rate.", low=TINY, high=LARGE)
    weight_decay: float = knob(1.5, "Weight decay of AdamW.", low=0, high=LARGE)
    beta1: float = knob(0.9, "Decay of AdamW's first moment.", low=0, below=1)
    beta2: float = knob(0.98, "Decay of AdamW's second moment.", low=0, below=1)
    eps: float = knob(1e-8, "AdamW's epsilon.", low=TINY, high=LARGE)
    epochs: int = knob(20_000, "T: passes over the training set.", low=1, high=MANY)
    seed: int = knob(0, "Of the split, the labels and the initial weights.", low=0, high=2**32 - 1)
    n_evals: int = knob(300, "Points of the stored curve, at most.", low=2, high=10_000)
    stop_after: int | None = knob(
        None, "Stop when validation accuracy was 0.999 for so many epochs.", low=1, high=MANY
    )
    # None is the plain model: what stands below came later, and None keeps the older keys
    init_from: "RunSpec | None" = knob(None, "The run whose final weights this one starts from.")
    split_mlp: bool | None = knob(
        None, "Half of the MLP for each task of a mixture (appendix B): true or false."
    )
    norm: str | None = knob(None, "pre: LayerNorm before all sublayers and W_U.", words=("pre",))
    residual: str | None = knob(
        None, "scaled: W_O and W_out start (2 n_layers)^-½ as large.", words=("scaled",)
    )
    warmup: int | None = knob(
        None, "Epochs over which the learning rate rises to its value, linearly.", low=1, high=MANY
    )
    loss: str | None = knob(None, "float32: gradient of a plain softmax.", words=("float32",))
    init_scale: float | None = knob(None, "Factor of all initial weights.", low=TINY, high=LARGE)
    batch: int | None = knob(None, "Points a step, shuffled; else all.", low=1, high=MANY)
    d_head: int | None = knob(None, "Width of a head; else d_model / n_heads.", low=1, high=4096)
    d_mlp: int | None = knob(None, "Hidden units; else 4 d_model.", low=1, high=16_384)
    tied: bool | None = knob(None, "The numbers' embeddings unembed, too: true or false.")
    decayed: str | None = knob(None, "matrices: biases do not decay.", words=("matrices",))

    def __post_init__(self):
        if isinstance(self.init_from, dict):  # as `to_dict` writes it
            object.__setattr__(self, "init_from", RunSpec(**self.init_from))
        problem = _problem(self)
        if problem:
            raise SpecError(problem)

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.d_head or self.d_model // self.n_heads

    @property
    def mlp_width(self) -> int:
        """Hidden units of the MLP."""
        return self.d_mlp or 4 * self.d_model

    @property
    def plain(self) -> bool:
        """Whether this is the paper's one-layer model, without LayerNorm."""
        return self.n_layers == 1 and self.norm is None

    @property
    def n_pairs(self) -> int:
        """All ordered pairs (a, b): P²."""
        return self.modulus**2

    @property
    def steps(self) -> int:
        """Steps of one epoch: one, or one for each batch of the training points."""
        points = self.train_size + self.memorize_size
        return -(-points // (self.batch or points))

    @property
    def key(self) -> str:
        """20 hex digits that name this run: a hash of the whole spec and `NUMERICS_VERSION`.

        Fields that are None are left out, so that a field added later with None as its
        default does not orphan the runs stored before.
        """
        return _key(self, NUMERICS_VERSION)

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
        return _eval_epochs(self.epochs, self.n_evals)

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


@functools.cache  # an estimate asks for the same ones thousands of times
def _eval_epochs(epochs: int, n_evals: int) -> np.ndarray:
    n_log = n_evals // 3
    early = np.geomspace(1, epochs, n_log) if n_log > 1 else np.empty(0)
    late = np.linspace(0, epochs, n_evals - n_log)
    found = np.unique(np.concatenate([early, late]).round().astype(np.int64))
    found.flags.writeable = False
    return found


@functools.cache
def _key(spec: RunSpec, numerics_version: int) -> str:
    values = {name: getattr(spec, name) for name in KNOBS}
    values = {name: value for name, value in values.items() if value is not None}
    if spec.init_from:
        values["init_from"] = spec.init_from.key
    values["numerics_version"] = numerics_version
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


_WITHIN = {"low": ge, "high": le, "above": gt, "below": lt, "words": lambda v, known: v in known}
_ENDS = {"low": "at least", "below": "below"}
_KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


class Knob(NamedTuple):
    """A field of `RunSpec` as a user meets it."""

    name: str
    kind: type  # int, float, str, bool or RunSpec
    optional: bool
    default: Any
    help: str
    allowed: str  # its values, in words
    limits: dict[str, Any]


def _knob_of(f: dataclasses.Field) -> Knob:
    kinds = [k for k in getattr(f.type, "__args__", (f.type,)) if k is not type(None)]
    kind = kinds[0] if isinstance(kinds[0], type) else RunSpec
    limits = {k: v for k, v in f.metadata.items() if k != "help" and v not in (None, ())}
    if {"low", "high"} <= limits.keys():
        words = f"from {limits['low']:,} to {limits['high']:,}"
    elif limits.get("above") == 0:
        words = "positive" + (f", at most {limits['high']:,}" if "high" in limits else "")
    elif "words" in limits:
        words = " or ".join(map(repr, limits["words"]))
    else:
        words = " and ".join(f"{_ENDS[end]} {limit:,}" for end, limit in limits.items())
    return Knob(f.name, kind, f.default is None, f.default, f.metadata["help"], words, limits)


KNOBS = {f.name: _knob_of(f) for f in dataclasses.fields(RunSpec)}


def problem_of(name: str, value: Any) -> str | None:
    """What is wrong with the value of one field alone, in one line, or None."""
    knob = KNOBS[name]
    if value is None and knob.optional:
        return None
    kinds = (int, float) if knob.kind is float else knob.kind
    if not isinstance(value, kinds) or (isinstance(value, bool) and knob.kind is not bool):
        return f"{name} must be {_KINDS.get(knob.kind, 'a RunSpec')}, got {value!r}"
    if knob.kind is float and not abs(value) <= sys.float_info.max:
        return f"{name} must be finite, got {value!r}"
    for end, limit in knob.limits.items():
        if not _WITHIN[end](value, limit):
            return f"{name} must be {knob.allowed}, got {value!r}"
    return None


def _problem(s: RunSpec) -> str | None:
    """The first thing that is wrong with a spec, in one line, or None."""
    for name, knob in KNOBS.items():
        value = getattr(s, name)
        if isinstance(value, np.generic):  # of a range or a column by NumPy
            object.__setattr__(s, name, value := value.item())
        if problem := problem_of(name, value):
            return problem
        if knob.kind is float and value is not None:
            object.__setattr__(s, name, float(value) + 0.0)  # 1 and 1.0, 0.0 and -0.0 are one spec
        elif knob.kind is bool and knob.optional:  # False and None are one spec
            object.__setattr__(s, name, value or None)
    return _task_problem(s) or _parent_problem(s)


def _task_problem(s: RunSpec) -> str | None:
    """Why task, data and model do not fit together, or None."""
    if s.task not in TASKS:
        return f"unknown task {s.task!r}; known: {', '.join(sorted(TASKS))}"
    if s.train_size > s.n_pairs:
        return f"train_size must be from 1 to modulus² = {s.n_pairs}, got {s.train_size}"
    mixed = TASKS[s.task].memorize is not None
    if mixed and not 1 <= s.memorize_size <= s.n_pairs:
        return f"task {s.task!r} needs a memorize_size from 1 to {s.n_pairs}, got {s.memorize_size}"
    if not mixed and s.memorize_size != 0:
        return f"memorize_size is for tasks with a memorization part, not for {s.task!r}"
    if s.split_mlp and not mixed:
        return f"split_mlp is for tasks with a memorization part, not for {s.task!r}"
    if s.split_mlp and s.mlp_width % 2:
        return f"d_mlp must be even to be split, got {s.d_mlp}"
    if s.d_model % s.n_heads and not s.d_head:
        return f"d_model must be a multiple of n_heads = {s.n_heads}, got {s.d_model}"
    return None


def _parent_problem(s: RunSpec) -> str | None:
    """Why a run cannot start from its parent's weights, or None."""
    if s.init_from is None:
        return None
    widths = {"d_head": "head_width", "d_mlp": "mlp_width"}
    shape = ("modulus", "d_model", "n_heads", *widths, "n_layers", "norm", "split_mlp", "tied")
    for name in shape:
        own, parent = (getattr(run, widths.get(name, name)) for run in (s, s.init_from))
        if own != parent:
            return f"init_from must have the same {name}: {parent} there, {own} here"
    if (TASKS[s.task].memorize is None) != (TASKS[s.init_from.task].memorize is None):
        return f"init_from is a run of {s.init_from.task!r}, whose inputs {s.task!r} does not have"
    return None
