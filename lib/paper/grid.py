"""Named experiments: combinations of spec fields, times seeds."""

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lib.spec import KNOBS, RunSpec, SpecError


@dataclass(frozen=True, eq=False)
class Grid:
    """A named experiment: every combination of some values, times seeds.

    Attributes:
        name: the experiment's name on the command line, e.g. "figure3".
        title: what it is, with the paper's section and figure.
        base: the fields that all runs share.
        axes: field name -> values; runs are ordered with the first axis slowest.
        cells: instead of `axes`, explicit combinations (dicts of fields).
        seeds: how many it has; where the paper says how many, so many.
        first_seed: the lowest of them; from 1,000 on: calibration.
    """

    name: str
    title: str
    base: RunSpec
    axes: dict[str, tuple] = field(default_factory=dict)
    cells: tuple[dict, ...] = ()
    seeds: int = 1
    first_seed: int = 0

    def __post_init__(self):
        fields = {*self.axes, *(name for cell in self.cells for name in cell)}
        if unknown := sorted(fields - KNOBS.keys()):
            raise ValueError(f"experiment {self.name}: no such field: {', '.join(unknown)}")
        if self.axes and self.cells:
            raise ValueError(f"experiment {self.name}: axes or cells, and not both")
        if single := [n for n, values in self.axes.items() if not isinstance(values, tuple)]:
            raise ValueError(f"experiment {self.name}: a tuple of values for {', '.join(single)}")

    @property
    def seed_range(self) -> range:
        """The experiment's own seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)

    def points(self) -> list[dict]:
        """The cells of the grid: one dict of fields each, without seeds."""
        if self.cells:
            return [dict(cell) for cell in self.cells]
        return [dict(zip(self.axes, values)) for values in itertools.product(*self.axes.values())]

    def specs(self, seeds: "range | list[int] | None" = None) -> list[RunSpec]:
        """One spec for each cell and seed, seed by seed (so that early seeds finish first)."""
        seeds = self.seed_range if seeds is None else seeds
        return [spec for seed in seeds for spec in _of_seed(self, seed)]

    def __iter__(self) -> Iterator[RunSpec]:
        return iter(self.specs())

    def __len__(self) -> int:
        return len(self.points()) * self.seeds


@functools.cache  # a command asks for the specs of an experiment a hundred times
def _of_seed(grid: Grid, seed: int) -> tuple[RunSpec, ...]:
    base = grid.base.with_seed(seed)
    try:
        return tuple(base.replace(**point) for point in grid.points())
    except SpecError as error:
        raise SpecError(f"experiment {grid.name}: {error}") from error


def by_name(grids: Iterable[Grid]) -> dict[str, Grid]:
    """Experiments by name.  Raises ValueError for a name that two of them have."""
    found = {}
    for grid in grids:
        if found.setdefault(grid.name, grid) is not grid:
            raise ValueError(f"two experiments are called {grid.name}")
    return found
