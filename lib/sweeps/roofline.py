"""A model of the stacked engine's time: operations, bytes, and what a device does of either.

An epoch takes at least its operations over the rate of matrix products, and at least its
bytes over the memory's bandwidth; the model adds the two, for the products and the rest of
the work alternate.  Launches and Python are not in it: where models are small, they rule.
So it is an expectation, not a bound: of bytes there is a rough count, and of early stops what
stored neighbours did.
"""

import timeit
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lib.engines.flops import epoch_flops, evaluated_logits, floats_of, flops
from lib.spec import RunSpec

PASSES = 8
"""Times that a float of activation crosses the memory in an epoch: written and read forward,
read, written and read backward, beside what look-ups and softmax need.  A rough count, of PyTorch's
own operations: with one layer a GPU needs less than half (`lib.engines.torch.fused`)."""


@dataclass(frozen=True)
class Work:
    """What a device is measured on: products of size³, copies of so many bytes, so many at once.

    A GPU takes microseconds for what keeps a core busy for a while.  It is given so much that
    launching it and waiting for it do not count, and copies that no cache holds.
    """

    size: int
    copied: int
    calls: int


WORK = {"cpu": Work(2048, 1 << 26, 1), "cuda": Work(8192, 1 << 30, 20)}


@dataclass(frozen=True)
class Device:
    """What a device does: operations a second in matrix products, bytes a second copied."""

    name: str
    rate: float
    bandwidth: float


H100 = {
    "float32": Device("an H100 SXM by its data sheet, float32", 67e12, 3.35e12),
    "bf16": Device("an H100 SXM by its data sheet, bf16", 989e12, 3.35e12),
}
"""What a person with a GPU may expect at best."""


def measure_device(device: str = "cpu", precision: str = "float32") -> Device:
    """Matrix products and copies (`WORK`), the best of five each (about a second).

    Args:
        device: "cpu" or "cuda".
        precision: of the products.
    """
    import torch  # seconds, which who only asks the model need not wait

    work = WORK[device]
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(work.size, work.size, device=device).to(kind) for _ in range(2))
    result = torch.empty_like(a)
    source = torch.zeros(work.copied // 4, device=device)
    target = torch.empty_like(source)
    product = _best(lambda: torch.mm(a, b, out=result), device, work.calls)
    copy = _best(lambda: target.copy_(source), device, work.calls)
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    return Device(name, 2 * work.size**3 / product, 2 * source.nbytes / copy)


def _best(call, device: str, calls: int) -> float:
    """Seconds of one call, the least of some repetitions of several; the first one warms up."""
    import torch  # loaded already

    def several():
        for _ in range(calls):
            call()
        if device == "cuda":
            torch.cuda.synchronize()

    return min(timeit.repeat(several, number=1, repeat=6)[1:]) / calls


def epoch_bytes(spec: RunSpec) -> float:
    """Bytes that one epoch of one run moves, by `PASSES`."""
    return 4.0 * PASSES * floats_of(spec)


def epoch_seconds(spec: RunSpec, device: Device) -> float:
    """The model's time of one epoch of one run in a stack."""
    return epoch_flops(spec) / device.rate + epoch_bytes(spec) / device.bandwidth


def seconds(spec: RunSpec, device: Device, part: float = 1.0) -> float:
    """The model's time for a run in a stack, evaluations included.

    Args:
        part: of its epochs, less than 1 where an early stop is expected
            (`lib.sweeps.plan.expected_parts`).
    """
    whole = flops(spec) / epoch_flops(spec) * epoch_seconds(spec, device)
    return part * (whole + 4.0 * 3 * evaluated_logits(spec) / device.bandwidth)


def hours(
    parts: Mapping[str, Collection[RunSpec]], expected: Mapping[RunSpec, float]
) -> list[tuple[str, int, int, int, float, float]]:
    """What a sweep does when, a row for each size: part, n_layers, d_model, runs, hours, by then.

    Args:
        parts: runs by name, in the order of the sweep; within each the cheapest size is first.
        expected: seconds that each run takes.
    """
    rows, total = [], 0.0
    for name, part in parts.items():
        sizes = defaultdict(list)
        for spec in part:
            sizes[spec.n_layers, spec.d_model].append(expected[spec] / 3600)
        for size, each in sorted(sizes.items(), key=lambda item: max(item[1])):
            total += sum(each)
            rows.append((name, *size, len(each), sum(each), total))
    return rows
