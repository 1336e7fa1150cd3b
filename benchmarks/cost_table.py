"""The table of costs in `book/cluster.md`: `python -m benchmarks.cost_table`.

Each run is taken to its last epoch, and counted once, in the first experiment that has it.
"""

from lib.engines.flops import flops
from lib.paper.experiments import EXPERIMENTS
from lib.paper.mixtures import FOR_A_GPU
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.sweeps.plan import estimate
from lib.sweeps.speed import machine_rate


def own_runs() -> dict:
    """The runs of each experiment that none above it has; without those for a GPU."""
    seen, own = set(), {}
    for name, grid in EXPERIMENTS.items():
        if name not in FOR_A_GPU:
            own[name] = [spec for spec in grid if spec not in seen]
            seen.update(grid)
    return own


def rows(rate=None) -> list[str]:
    """The table's rows in Markdown; core-hours at `rate` (`lib.sweeps.speed.machine_rate`), if
    given."""
    own, lines = own_runs(), []
    for name, specs in [*own.items(), ("all", sum(own.values(), []))]:
        hours = f" {estimate(specs, rate).sum() / 3600:.1f} |" if rate else ""
        lines.append(f"| {name} | {len(specs):,} | {sum(map(flops, specs)) / 1e15:.1f} |{hours}")
    return lines


if __name__ == "__main__":
    widths = {spec.d_model for specs in own_runs().values() for spec in specs}
    print("\n".join(rows(machine_rate(widths, Store().cache, jobs=cores(), say=print))))
