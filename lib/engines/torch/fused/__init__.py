"""Parts of a training step as one GPU kernel each, in Triton, which PyTorch for CUDA brings along.

In small models a step's time is not in its matrix products: it goes into passes over the
activations and into launches.  Each function here takes one launch and crosses the memory once,
where PyTorch's own operations take three to twenty.  The products stay cuBLAS's.

Shapes are those of `lib.engines.torch.forward`.  Sums over inputs are added atomically, in no
fixed order.  Without a GPU all of it runs in Triton's interpreter (TRITON_INTERPRET=1), as its
tests do.
"""

import triton

from lib.engines.torch.fused.nodes import AttendNodes
from lib.engines.torch.fused.products import CHUNK, Product
from lib.engines.torch.fused.step import adamw, loss_gradient
from lib.engines.torch.fused.sublayers import Hidden, Residual
from lib.engines.torch.fused.table import AttendTable

__all__ = [
    "CHUNK",
    "AttendNodes",
    "AttendTable",
    "Hidden",
    "Product",
    "Residual",
    "adamw",
    "loss_gradient",
    "prepare",
]


def prepare() -> None:
    """Have Triton build what it needs to start kernels; raises what it raises where it cannot."""
    triton.runtime.driver.active.get_current_target()
