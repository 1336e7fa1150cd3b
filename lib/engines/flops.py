"""Floating-point operations and memory of a run, counted from its spec alone."""

from lib.spec import RunSpec

A_LOGIT = 6
"""Floats that an evaluation on PyTorch holds for each logit: copies, and sums in float64."""


A_STEP, A_CALL = 500, 5e6
"""What each further step of an epoch in batches takes: operations a parameter, for AdamW and for
what a step prepares, and some for the call; as measured on the kernel at widths 8 to 100."""


def epoch_flops(spec: RunSpec) -> float:
    """Operations of one training epoch, forward and backward."""
    products = 3 * _forward_flops(spec) * (spec.train_size + spec.memorize_size)
    return products + (spec.steps - 1) * (A_STEP * _parameters(spec) + A_CALL)


def flops(spec: RunSpec, part: float = 1.0) -> float:
    """Operations of a run, or of the first `part` of its epochs, evaluations included."""
    evaluations = evaluated_logits(spec) / spec.modulus * _forward_flops(spec)
    return part * (spec.epochs * epoch_flops(spec) + evaluations)


def evaluated_logits(spec: RunSpec) -> int:
    """Logits that all evaluations of a run look at: each sees every point that there is.

    What is to be memorized it sees twice.
    """
    points = spec.n_pairs + 2 * spec.memorize_size  # with the training set and by themselves
    return len(spec.eval_epochs()) * points * spec.modulus


def _forward_flops(spec: RunSpec) -> float:
    """Operations for one sample: one matrix-vector product is 2 x its size.

    The last layer is read at its last token only, which leaves W_O, the MLP and the
    unembedding (lib/engines/kernel/network.py); layers below are done at the last two
    positions, as what stands before is shared by many inputs (lib/engines/torch/inputs.py).
    The kernel leaves out the half of a split MLP that a sample does not use.
    """
    below = 2 * _widths(spec) * (spec.n_layers - 1)
    mlp = spec.mlp_width * (1 if spec.n_layers == 1 and spec.split_mlp else 2)
    return 2 * spec.d_model * (_heads(spec) + mlp + spec.modulus + below)


def _parameters(spec: RunSpec) -> int:
    """About how many parameters a model has."""
    return spec.d_model * (_widths(spec) * spec.n_layers + 2 * spec.modulus)


def _widths(spec: RunSpec) -> int:
    """How often a layer has d_model weights: four matrices of attention, two of the MLP."""
    return 4 * _heads(spec) + 2 * spec.mlp_width


def _heads(spec: RunSpec) -> int:
    """How wide all heads are together."""
    return spec.n_heads * spec.head_width


def bytes_of(spec: RunSpec, engine: str, threads: int = 1) -> int:
    """About how much memory a run takes on a processor, on one of `lib.engines.choose`'s engines.

    The kernel's: parameters, moments and packs; a gradient, of the table of all numbers, too, for
    each chunk of some 256 points (two in turn on one thread); a chunk's activations on each
    thread; and for all pairs their tokens, places and weights.
    """
    if engine != "numba":
        if engine != "stacked":
            return 4 * _textbook_floats(spec)
        inputs = spec.train_size + spec.memorize_size
        looked_at = max(inputs, spec.n_pairs - spec.train_size)
        return 4 * max(floats_of(spec), A_LOGIT * looked_at * spec.modulus)
    chunks = -(-(spec.train_size + spec.memorize_size) // 256) if threads > 1 else 2
    heads, length = _heads(spec), 4 if spec.memorize_size else 3
    table = spec.modulus * heads * (length - 1 if spec.norm else 1)
    a_point = (length + 1) * heads + spec.mlp_width + 4 * spec.d_model + spec.modulus
    gradients = chunks * (_parameters(spec) + table) + table
    kept = 4 * _parameters(spec) + 12 * (spec.n_pairs + spec.memorize_size)
    return 4 * (kept + gradients + threads * 256 * a_point)


def floats_of(spec: RunSpec) -> int:
    """About how many floats a run on the PyTorch engine holds: activations, for the most part.

    A node (`lib.engines.torch.inputs`) keeps the keys and values of its ancestors in a layer, its
    hidden units and four times the stream, with what is as wide; an input its logits, three times.
    With heads as wide as the model and an MLP of four times that: d_model × (4 length + 12).
    """
    length = 4 if spec.memorize_size else 3
    inputs = spec.train_size + spec.memorize_size
    nodes = inputs * (2 * spec.n_layers - 1)
    parameters = spec.d_model * _widths(spec) * spec.n_layers
    a_node = 4 * length * _heads(spec) + 2 * spec.mlp_width + 4 * spec.d_model
    return nodes * a_node + 3 * inputs * spec.modulus + 5 * parameters


def _textbook_floats(spec: RunSpec) -> int:
    """About how many floats a run on the textbook engine holds, as measured at widths 16 to 256.

    A step keeps some 18 d_model of them for each token and layer until the gradient has come (8 of
    them hidden units, 6 of heads); an evaluation of many points has 12, in one layer at a time.
    """
    length = 4 if spec.memorize_size else 3
    inputs = spec.train_size + spec.memorize_size
    step = min(inputs, spec.batch or inputs)
    looked_at = max(inputs, spec.n_pairs - spec.train_size)
    trained = 2 * spec.mlp_width + 6 * _heads(spec) + 4 * spec.d_model
    evaluated = 2 * spec.mlp_width + 4 * _heads(spec)
    activations = max(trained * spec.n_layers * step, evaluated * looked_at)
    parameters = spec.d_model * _widths(spec) * spec.n_layers
    return length * activations + A_LOGIT * looked_at * spec.modulus + 5 * parameters
