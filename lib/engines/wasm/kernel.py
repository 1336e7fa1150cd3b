"""What the page's engine takes from the native one: the only imports of the kernel here."""

from numba import njit

from lib import tasks
from lib.engines.kernel.epochs import evaluate_serial, train_serial
from lib.engines.kernel.layout import LINE, TILE, column_at, element_at, sizes
from lib.engines.kernel.memory import Recipe, Samples, Scratch, State, Work
from lib.engines.kernel.network import forward
from lib.engines.kernel.vocabulary import prepare as prepare_tables
from lib.engines.simd import vectors
from lib.engines.simd.processor import LANES

add, subtract, square = njit(tasks.add), njit(tasks.subtract), njit(tasks.square)

__all__ = [
    "LANES",
    "LINE",
    "TILE",
    "Recipe",
    "Samples",
    "Scratch",
    "State",
    "Work",
    "add",
    "column_at",
    "element_at",
    "evaluate_serial",
    "forward",
    "prepare_tables",
    "sizes",
    "square",
    "subtract",
    "train_serial",
    "vectors",
]
