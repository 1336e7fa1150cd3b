"""The chapter on circuit efficiency in a made-up world in which the theory holds."""

import pytest
from worlds import noise, settled

from lib.paper.experiments import EXPERIMENTS
from lib.runs.store import Store

NAMES = [
    name for name in EXPERIMENTS if name.startswith("circuits_") and name != "circuits_dynamics"
]
CROSSING, FOUND = 450, 2700  # what the two norms say, and what networks from scratch do


def theory(spec):
    """Memorizing costs norm with D; the rule is kept from `CROSSING` on, and found from `FOUND`."""
    if spec.task == "random":
        return dict(val=0.0, norm=10 * noise(spec) * spec.train_size**0.25)
    flat = dict(norm=10 * CROSSING**0.25 * noise(spec))
    if spec.init_from is not None:
        return flat | dict(val=float(spec.train_size >= CROSSING))
    late = spec.epochs > 50_000 and spec.train_size == 2800  # semi-grokking, and then it rises
    return flat | dict(val=float(spec.train_size >= FOUND), level=0.5 if late else 0.0)


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theory")
    specs = {s.key: s for name in NAMES for s in EXPERIMENTS[name]}
    specs |= {s.key: s for s in EXPERIMENTS["figure3"].specs(range(5)) if s.d_model == 48}
    Store(folder).add_many(settled(s, **theory(s)) for s in specs.values())
    return folder


def test_it_tells_the_story_that_the_runs_tell(page):
    made = page("circuit_efficiency")
    words = made.words
    at = float(words.split("generalizing at D = ")[1].split(" ")[0].replace(",", ""))
    assert at == pytest.approx(CROSSING, rel=0.1)
    assert "-fold apart: between them" in words
    assert "A rule that is there survives on less data" in words
    assert "8 of 8 of these networks had generalized" in words
    assert "between 500 points and 400 mean accuracy falls from 1.00 to 0.00." in words
    assert "No network stays half-way" in words
    (half,) = [line for line in words.splitlines() if "falls below 0.5 (P3" in line]
    assert "| 447 [447," in half  # √(400 · 500)
    cost = float(words.split("the power of D in it is ")[1].split()[0])
    assert cost == pytest.approx(0, abs=0.02)  # the rule's is the same
    rows = [line for line in words.splitlines() if line.startswith("| 2,800 |")]
    assert "epochs or more (8 of 32, in 8 seeds)" in words  # at 2,800, for a while, in all seeds
    assert any(row.startswith("| 2,800 | 8 | 0 | 8 |") for row in rows)  # late, but all of them
    assert "a part of the gap is patience" in words
    memorizing = next(line for line in words.splitlines() if line.startswith("| memorizing"))
    assert "27 of 27" in memorizing and float(memorizing.split("|")[3].split()[0]) == pytest.approx(
        0.25, abs=0.02
    )
    for figure in made.figures():
        figure.savefig(made.data / "drawn.svg")
