"""What the engine does on a GPU alone: kernels of its own, and work that is replayed as a graph."""

import contextlib
import functools
import sys
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

HELD = 0.4
"""Part of a GPU's memory that PyTorch may hold as a graph is captured: what earlier ones left
stays with it until then."""


@functools.cache
def kernels(needed: bool | None = None):
    """`lib.engines.torch.fused`; None, said once, where Triton is not there or cannot build.

    Args:
        needed: there is no doing without: what is not there raises ImportError.
    """
    # of autograd's thread, at its first product; it sets itself up
    warnings.filterwarnings("ignore", "Attempting to run cuBLAS", UserWarning)
    try:
        from lib.engines.torch import fused  # Triton, which PyTorch for CUDA brings along on Linux
    except ImportError as error:
        if needed:
            raise
        missing = str(error)
    else:
        if needed:
            return fused
        try:
            fused.prepare()
            return fused
        except Exception as error:  # no compiler, no Python.h, no libcuda that a linker finds …
            reason = str(error).strip().splitlines() or [type(error).__name__]
            missing = f"Triton, which needs a C compiler and Python's headers, says {reason[0]}"
    print(f"without kernels of its own a GPU is slower: {missing}", file=sys.stderr)
    return None


def captured(work: Callable[[], Tensor | None]) -> tuple[torch.cuda.CUDAGraph, Tensor | None]:
    """Some work, done a few times, as a CUDA graph, and where its replays leave the result."""
    side = here = torch.cuda.current_stream()
    if here == torch.cuda.default_stream():  # which cannot be captured
        side = torch.cuda.Stream()
    side.wait_stream(here)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(side):
        for _ in range(3):  # libraries set themselves up before a capture
            work()
        # torch.cuda.graph would have all streams wait, and the allocator begin anew, each time
        total = torch.cuda.get_device_properties(0).total_memory
        if torch.cuda.memory_reserved() > HELD * total:
            torch.cuda.empty_cache()  # within a capture nothing that is kept can be given back
        graph.capture_begin()
        try:
            found = work()
        except BaseException:  # memory that is full, say: whoever goes on needs the stream
            with contextlib.suppress(RuntimeError):
                graph.capture_end()
            raise
        graph.capture_end()
    here.wait_stream(side)
    return graph, found
