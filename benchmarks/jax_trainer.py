"""The trainer that a reader would write in JAX: one jitted `scan` over the steps.

`pip install jax` for `python -m lib bench --jax`; the project does not need it.  One layer, no
LayerNorm, the textbook's cross-entropy, on all three positions.
"""

import os
from functools import partial

os.environ.setdefault("NPROC", "1")  # threads of XLA: one core, as the others

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

from lib.data import Dataset  # noqa: E402
from lib.initial import initial_values  # noqa: E402
from lib.spec import RunSpec  # noqa: E402


def loss_of(p: dict, tokens: jax.Array, labels: jax.Array, n_heads: int) -> jax.Array:
    """Mean cross-entropy at the last position.  tokens (batch, time), labels (batch,)."""
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
    logits = jax.nn.log_softmax(x[:, -1] @ p["W_U"])
    return -jnp.take_along_axis(logits, labels[:, None], axis=1).mean()


@partial(jax.jit, static_argnames=("spec", "count"), donate_argnames="state")
def train(state: tuple, tokens: jax.Array, labels: jax.Array, spec: RunSpec, count: int) -> tuple:
    """`count` steps of AdamW on (parameters, first moments, second moments, step)."""

    def step(state, _):
        p, m, v, t = state
        g, t = jax.grad(loss_of)(p, tokens, labels, spec.n_heads), t + 1
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


class Engine:
    """A network in training: `advance` and `parameters` as in `lib.engines.choose.Engine`."""

    def __init__(self, spec: RunSpec, data: Dataset):
        p = {name: jnp.array(value) for name, value in initial_values(spec, data).items()}
        zeros = [jax.tree.map(jnp.zeros_like, p) for _ in range(2)]
        self.state = (p, *zeros, jnp.zeros((), jnp.int32))
        self.data = jnp.array(data.train.tokens), jnp.array(data.train.labels)
        lowered = {block: train.lower(self.state, *self.data, spec, block) for block in BLOCKS}
        self.steps = {block: own.compile() for block, own in lowered.items()}

    def advance(self, count: int) -> None:
        """Train for some epochs: one full-batch step each."""
        for block, steps in self.steps.items():
            for _ in range(count // block):
                self.state = steps(self.state, *self.data)
            count %= block
        jax.block_until_ready(self.state)

    @property
    def parameters(self) -> dict[str, jax.Array]:
        """The present parameters by their names in `lib.model`."""
        return self.state[0]
