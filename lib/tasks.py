"""Tasks: how a pair (a, b) is labelled (§2.1, §2.3, §4.3, §5).

A new task is one registered function:

    @task("multiply")
    def multiply(a, b, modulus, rng):
        return a * b % modulus
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Labels = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Task:
    """How a task labels the pair (a, b).

    `labels(a, b, modulus, rng)` gets two int64 arrays of length P² and returns the classes
    in 0 … modulus - 1.  With `memorize`, a second labelling stands beside it under an
    operator of its own, and inputs read [a, op, b, =] instead of [a, b, =].  `commutes`: whether
    (b, a) has the label of (a, b), which a network can learn without the rule.
    """

    labels: Labels
    memorize: Labels | None = None
    commutes: bool = True


TASKS: dict[str, Task] = {}


def task(
    name: str, memorize: Labels | None = None, commutes: bool = True
) -> Callable[[Labels], Labels]:
    """Decorator that registers a labelling function as the task `name`."""

    def register(labels: Labels) -> Labels:
        TASKS[name] = Task(labels, memorize, commutes)
        return labels

    return register


@task("add")
def add(a, b, modulus, rng):
    """(a + b) mod P, the paper's main task (§2.1)."""
    return (a + b) % modulus


@task("subtract", commutes=False)
def subtract(a, b, modulus, rng):
    """(a − b) mod P, which does not commute."""
    return (a - b) % modulus


@task("square")
def square(a, b, modulus, rng):
    """(a + b)² mod P, the harder task (§4.3, figure 7)."""
    return (a + b) ** 2 % modulus


@task("random")
def random(a, b, modulus, rng):
    """Random labels, the same for (a, b) and (b, a): nothing to generalize (§2.3, figure 4)."""
    table = rng.integers(0, modulus, size=(modulus, modulus))
    return table[np.minimum(a, b), np.maximum(a, b)]


@task("random_square")
def random_square(a, b, modulus, rng):
    """Random labels distributed like the squared task's: `random`'s own, squared (§4.3)."""
    return random(a, b, modulus, rng) ** 2 % modulus


def random_ordered(a, b, modulus, rng):
    """Random labels for every ordered pair on its own: subtraction does not commute (§5)."""
    return rng.integers(0, modulus, size=(modulus, modulus))[a, b]


@task("multitask", memorize=random_ordered)
def multitask(a, b, modulus, rng):
    """Addition under `+`, beside random labels under `-` (§5, figure 8)."""
    return add(a, b, modulus, rng)
