"""The values that a network starts from, drawn by NumPy: no engine has to load another for them."""

import math

import numpy as np

from lib.data import Dataset, stream
from lib.spec import RunSpec


def shapes(spec: RunSpec, data: Dataset) -> dict[str, tuple[int, ...]]:
    """The parameters of `lib.model.Transformer` by name, in its order."""
    d, a, m = spec.d_model, spec.n_heads * spec.head_width, spec.mlp_width
    found = {"W_E": (data.n_tokens, d), "W_pos": (data.length, d)}
    if not spec.tied:
        found["W_U"] = d, data.n_classes
    layer = dict.fromkeys(("W_Q", "W_K", "W_V"), (d, a)) | {"W_O": (a, d)}
    mlp = {"W_in": (d, m), "b_in": (m,), "W_out": (m, d), "b_out": (d,)}
    for n in range(spec.n_layers):
        found |= {f"blocks.{n}.attention.{name}": shape for name, shape in layer.items()}
        found |= {f"blocks.{n}.mlp.{name}": shape for name, shape in mlp.items()}
    return found


def initial_values(
    spec: RunSpec, data: Dataset, parameters: dict[str, tuple[int, ...]] | None = None
) -> dict[str, np.ndarray]:
    """Starting values by parameter name, float32, from the stream "init" of the seed.

    Every matrix W_… is N(0, 1/d_model), the unembedding N(0, 1/n_classes), all else is 0.
    Drawn in float64 in the order of the names.  With `residual="scaled"` what is added to the
    residual stream, W_O and W_out, is divided by √(2 n_layers), as in GPT-2.  `init_scale` is a
    factor of all.

    Args:
        parameters: names and shapes, by default those of `shapes`.
    """
    rng, values = stream(spec, "init"), {}
    for name, shape in (parameters or shapes(spec, data)).items():
        short = name.rsplit(".", 1)[-1]
        if short.startswith("W_"):
            variance = 1 / data.n_classes if short == "W_U" else 1 / spec.d_model
            if spec.residual == "scaled" and short in ("W_O", "W_out"):
                variance /= 2 * spec.n_layers
            deviation = math.sqrt(variance) * (spec.init_scale or 1)
            draw = rng.standard_normal(tuple(shape)) * deviation
            values[name] = draw.astype(np.float32)
        else:
            values[name] = np.zeros(shape, np.float32)
    return values
