"""The trainer that a reader would write in JAX: one jitted `scan` over the steps.

`pip install jax` for `python -m lib bench --jax`; the project does not need it.  One layer, no
LayerNorm, on all three positions; the textbook's cross-entropy, or the exact one of `lib.model`.
It is the opponent of the bench, and trains stored runs again (`python -m benchmarks.again`).
"""

import os
from collections.abc import Callable
from functools import partial

os.environ.setdefault("NPROC", "1")  # threads of XLA: one core, as the others

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from lib.data import Dataset  # noqa: E402
from lib.initial import initial_values  # noqa: E402
from lib.spec import RunSpec, SpecError  # noqa: E402


def textbook_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross-entropy of logits (n, classes): 0 in float32 where the right one's probability is 1."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1).mean()


def exact_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The same without cancellation (`lib.model.exact_cross_entropy`): JAX differentiates it."""
    top = jax.lax.stop_gradient(logits.max(axis=1, keepdims=True))  # the loss does not depend on it
    own = jnp.arange(logits.shape[1]) == labels[:, None]
    right = jnp.where(own, logits, 0).sum(axis=1) - top[:, 0]  # log
    wrong = jnp.where(own, 0, jnp.exp(logits - top)).sum(axis=1)
    small = jnp.log1p(wrong * jnp.exp(-jnp.where(right == 0, right, 0)))
    return jnp.where(right == 0, small, jnp.log(wrong + jnp.exp(right)) - right).mean()


def logits_of(p: dict, tokens: jax.Array, n_heads: int) -> jax.Array:
    """The answer at the last position, (batch, classes).  tokens (batch, time)."""
    x = p["W_E"][tokens] + p["W_pos"]
    batch, time, d_model = x.shape
    heads = (batch, time, n_heads, d_model // n_heads)
    q, k, v = ((x @ p[f"blocks.0.attention.W_{name}"]).reshape(heads) for name in "QKV")
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(heads[-1])
    weights = jax.nn.softmax(jnp.where(jnp.tri(time, dtype=bool), scores, -jnp.inf))
    mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape)
    x = x + mixed @ p["blocks.0.attention.W_O"]
    hidden = jax.nn.relu(x @ p["blocks.0.mlp.W_in"] + p["blocks.0.mlp.b_in"])
    x = x + hidden @ p["blocks.0.mlp.W_out"] + p["blocks.0.mlp.b_out"]
    return x[:, -1] @ p["W_U"]


@partial(jax.jit, static_argnames=("spec", "count", "loss"), donate_argnames="state")
def train(
    state: tuple, tokens: jax.Array, labels: jax.Array, spec: RunSpec, count: int,
    loss: Callable = textbook_loss,
) -> tuple:  # fmt: skip
    """`count` steps of AdamW on (parameters, first moments, second moments, step)."""

    def step(state, _):
        p, m, v, t = state
        g, t = jax.grad(lambda p: loss(logits_of(p, tokens, spec.n_heads), labels))(p), t + 1
        m = jax.tree.map(lambda m, g: spec.beta1 * m + (1 - spec.beta1) * g, m, g)
        v = jax.tree.map(lambda v, g: spec.beta2 * v + (1 - spec.beta2) * g * g, v, g)
        first, second = 1 - spec.beta1**t, 1 - spec.beta2**t

        def moved(p, m, v):
            step = spec.lr * (m / first) / (jnp.sqrt(v / second) + spec.eps)
            return p * (1 - spec.lr * spec.weight_decay) - step

        return (jax.tree.map(moved, p, m, v), m, v, t), None

    return jax.lax.scan(step, state, None, length=count)[0]


BLOCKS = (64, 8, 1)
"""Steps of one call: each count is compiled, so there are few."""


@partial(jax.jit, static_argnames="n_heads")
def measured(p: dict, tokens: jax.Array, labels: jax.Array, n_heads: int) -> tuple:
    """Mean exact loss of a split, and how many answers are right; a tie is not."""
    logits = logits_of(p, tokens, n_heads)
    own = jnp.arange(logits.shape[1]) == labels[:, None]
    best = jnp.where(own, -jnp.inf, logits).max(axis=1)
    right = jnp.where(own, logits, 0).sum(axis=1) > best
    return exact_loss(logits, labels), right.sum()


class Engine:
    """A network in training, as far as `lib.train.Training` needs one (`lib.engines.choose`).

    Args:
        exact: train with the exact loss instead of the textbook's.

    Raises:
        SpecError: for what this trainer does not know.
    """

    name = "jax"

    def __init__(self, spec: RunSpec, data: Dataset, exact: bool = False):
        others = ("init_from", "split_mlp", "warmup", "batch", "d_head", "tied", "decayed")
        if not spec.plain or any(getattr(spec, name) for name in others):
            raise SpecError(
                f"{spec.label()}: JAX trains one plain layer from its first weights, on all "
                "points at once"
            )
        self.spec, self.epoch = spec, 0
        self.device = "cpu" if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
        p = {name: jnp.array(value) for name, value in initial_values(spec, data).items()}
        zeros = [jax.tree.map(jnp.zeros_like, p) for _ in range(2)]
        self.state = (p, *zeros, jnp.zeros((), jnp.int32))
        splits = {"train": data.train, "val": data.val, "memorize": data.memorize}
        self._splits = {n: (jnp.array(s.tokens), jnp.array(s.labels)) for n, s in splits.items()}
        self.data, loss = self._splits["train"], exact_loss if exact else textbook_loss
        lowered = {
            count: train.lower(self.state, *self.data, spec, count, loss) for count in BLOCKS
        }
        self.steps = {count: own.compile() for count, own in lowered.items()}

    def advance(self, count: int) -> None:
        """Train for some epochs: one full-batch step each."""
        self.epoch += count
        for block, steps in self.steps.items():
            for _ in range(count // block):
                self.state = steps(self.state, *self.data)
            count %= block
        jax.block_until_ready(self.state)

    def evaluate(self, split: str) -> tuple[float, float]:
        """Mean loss and accuracy on "train", "val" or "memorize"; NaN where it is empty."""
        tokens, labels = self._splits[split]
        if not len(labels):
            return np.nan, np.nan
        loss, right = measured(self.state[0], tokens, labels, self.spec.n_heads)
        return float(loss), int(right) / len(labels)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The present parameters by their names in `lib.model`, copies."""
        return {name: np.array(value) for name, value in self.state[0].items()}

    @property
    def param_norm(self) -> float:
        """The Euclidean norm of all parameters together."""
        squares = (np.square(p, dtype=float).sum() for p in self.parameters.values())
        return float(np.sqrt(sum(squares)))
