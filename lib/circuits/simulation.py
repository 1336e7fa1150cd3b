"""Two circuits that compete, in four numbers: the minimal model of Varma et al. 2023.

Each circuit's logit is the product of two weights, so that it grows slowly from a small
start.  Both lift the right class of a training point; on a point that was held out the
memorizing circuit lifts a wrong one.  Weight decay charges each circuit for the norm that
its logit takes.  The chapter on circuit efficiency states the equations and their source.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy.integrate import solve_ivp

NAMES = ("G1", "G2", "M1", "M2")
"""The four weights: of the generalizing circuit, then of the memorizing one."""


@dataclass(frozen=True)
class Setting:
    """One race.

    Attributes:
        cost: P_M, the norm that memorizing takes for a logit of 1; generalizing takes 1.
        decay: α, the weight decay.
        start: the weight that the generalizing circuit starts from; memorizing starts from 1.
        grokked: start from a network that has generalized: the generalizing circuit at its
            own equilibrium.
        classes: q.
        power: κ, a circuit's logit grows as its norm to the κ.
    """

    cost: float = 2.0
    decay: float = 0.005
    start: float = 0.005
    grokked: bool = False
    classes: int = 113
    power: float = 1.2

    def __post_init__(self):
        for name in ("cost", "decay", "start", "power"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.power > 2:  # the slope is infinite at a weight of 0
            raise ValueError(f"power must be at most 2, got {self.power}")
        if self.classes < 3:
            raise ValueError(f"classes must be at least 3, got {self.classes}")


RACES = {
    "grokking: $P_M$ = 2": Setting(),
    "semi-grokking: $P_M$ = 1.2": Setting(cost=1.2),
    "never: $P_M$ = 0.7": Setting(cost=0.7),
    "ungrokking: $P_M$ = 0.7": Setting(cost=0.7, grokked=True),
}
"""The races that the book shows."""

TIMES = np.append(np.expm1(np.linspace(0, np.log1p(4000), 160)[:-1]), 4000)
"""When they are looked at: at 0, then evenly in ln(1 + t)."""


def slope(_, w: np.ndarray, s: Setting) -> np.ndarray:
    """dw/dt = −∂L/∂w of the training loss with its penalty: (4,), in the order of `NAMES`.

    L = ln(1 + (q − 1) e^−(o_G + o_M)) + α/2 · (o_G^(2/κ) + P_M² o_M^(2/κ)), o = product.
    """
    gen, mem = max(w[0] * w[1], 0.0), max(w[2] * w[3], 0.0)
    wrong = (s.classes - 1) * np.exp(-(gen + mem))
    pull = wrong / (1 + wrong)  # −∂(cross-entropy)/∂(logit), the same for both
    r = 2 / s.power
    drag = s.decay / s.power
    by_gen = pull - drag * gen ** (r - 1)
    by_mem = pull - drag * s.cost**2 * mem ** (r - 1)
    return np.array([by_gen * w[1], by_gen * w[0], by_mem * w[3], by_mem * w[2]])


def equilibrium(s: Setting) -> float:
    """The logit at which a lone generalizing circuit stays: pull and drag are equal.

    0 where the drag is the stronger from the start.
    """

    def surplus(logit):
        wrong = (s.classes - 1) * np.exp(-logit)
        return wrong / (1 + wrong) - s.decay / s.power * logit ** (2 / s.power - 1)

    if surplus(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(surplus, 0.0, 100.0, xtol=1e-14))


def first_weights(s: Setting) -> np.ndarray:
    """The weights at time 0: (4,)."""
    if s.grokked:
        root = np.sqrt(equilibrium(s))
        return np.array([root, root, 0.0, 1.0])
    return np.array([0.0, s.start, 0.0, 1.0])


def simulate(s: Setting, times: np.ndarray) -> dict[str, np.ndarray]:
    """Run a race by scipy.

    Args:
        s: what races.
        times: rising, from 0; gradient descent with rate η takes t / η steps to time t.

    Returns:
        "time"; "generalizing" and "memorizing", the circuits' logits; "train_loss" and
        "val_loss" in nats, without the penalty; "val_probability" of the right class.
    """
    found = solve_ivp(
        slope, (0, times[-1]), first_weights(s), "LSODA", times, args=(s,), rtol=1e-9, atol=1e-12
    )
    if not found.success:
        raise RuntimeError(f"the race could not be followed: {found.message}")
    gen, mem = found.y[0] * found.y[1], found.y[2] * found.y[3]
    q = s.classes
    val = np.log1p(np.exp(mem - gen) + (q - 2) * np.exp(-gen))
    return {
        "time": np.asarray(times, float),
        "generalizing": gen,
        "memorizing": mem,
        "train_loss": np.log1p((q - 1) * np.exp(-(gen + mem))),
        "val_loss": val,
        "val_probability": np.exp(-val),
    }
