"""What the paper's one number of parameters says of its model's form (§5, figure 8)."""

from collections.abc import Callable

from lib.analysis.emergence import n_parameters
from lib.chapters.tables import table

STATED = 1570
"""How many times as many parameters as the smallest the largest model of figure 8 has: "about"."""

SMALLEST, LARGEST = (64, 1), (1024, 8)
"""Width and layers of the two (figure 8)."""

P = 113


def _ours(d: int, n_layers: int) -> int:
    return n_parameters(d, n_layers, P, mixed=True)


def _fixed(d: int, n_layers: int) -> int:
    """Four heads of 32 and 512 hidden units at every width."""
    attention, mlp = 4 * 128 * d, 2 * 512 * d + 512 + d
    return n_layers * (attention + mlp) + _ours(d, 0)


FORMS: dict[str, Callable[[int, int], int]] = {
    "the book's, heads and MLP that grow with the width, biases in the MLP, two embeddings": _ours,
    "without biases": lambda d, n: _ours(d, n) - 5 * d * n,
    "logits for the operators and =, too": lambda d, n: _ours(d, n) + 3 * d,
    "LayerNorm with gain and bias": lambda d, n: _ours(d, n) + 4 * d * n + 2 * d,
    "the same, and biases in attention": lambda d, n: _ours(d, n) + 8 * d * n + 2 * d,
    "one embedding (tied)": lambda d, n: _ours(d, n) - P * d,
    "heads of 32 and 512 hidden units at every width": _fixed,
}
"""A model's form -> how many parameters it has at a width and number of layers."""


def ratios() -> dict[str, float]:
    """How many times as many parameters the largest model has, by form."""
    return {name: count(*LARGEST) / count(*SMALLEST) for name, count in FORMS.items()}


def fits(ratio: float) -> bool:
    """Whether a ratio is the stated one, which is rounded to tens."""
    return round(ratio, -1) == STATED


def said() -> str:
    """The table, after what it says."""
    rows = [
        (name, *(f"{FORMS[name](*size):,}" for size in (SMALLEST, LARGEST)), f"{ratio:,.0f}",
         "yes" if fits(ratio) else "no")
        for name, ratio in ratios().items()
    ]  # fmt: skip
    agree = [name for name, ratio in ratios().items() if fits(ratio)]
    close = sum(abs(ratio / STATED - 1) < 0.01 for ratio in ratios().values())
    header = ["form", "1 × 64", "8 × 1024", "times", f"about {STATED}"]
    return (
        f"**{len(agree)} of {len(rows)} forms of the model gives the paper's ratio to its last "
        f"digit: {agree[0]}.** {close} are within 1% of it.\n\n"
        f"{table(header, rows, left=(0, 4))}"
    )
