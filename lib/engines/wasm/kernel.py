"""What the page's engine takes from the native one: the only imports of the kernel here."""

from numba import njit

from lib import data, simd
from lib.epochs import evaluate_serial, train_serial
from lib.kernel import column_at, element_at, forward
from lib.layout import LINE, TILE, sizes
from lib.simd import LANES

add, square = njit(data.add), njit(data.square)

__all__ = [
    *("LANES", "LINE", "TILE", "add", "column_at", "element_at", "evaluate_serial", "forward"),
    *("simd", "sizes", "square", "train_serial"),
]
