"""Claims on made-up runs: each verdict can come out, and only from enough runs."""

import functools
import math
import re
import zlib

import click
import made_up
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from worlds import BY_NAME, jump, store_with, verdict

from lib.analysis.dynamics import ZERO
from lib.analysis.zones import boundaries
from lib.analysis.zones.capacity import distinct_pairs
from lib.chapters.report import README, with_section
from lib.chapters.tables import claims_table
from lib.paper.claims import Verdict, judge, specs_of
from lib.paper.criteria import addition, rules, zones
from lib.paper.experiments import EXPERIMENTS
from lib.paper.takeaways import CLAIMS
from lib.runs.store import Store


def test_nothing_stored_nothing_claimed(store):
    for claim in CLAIMS:
        result = judge(claim, store)
        assert result.verdict == "not enough runs"
        assert len(result.missing) == len(claim.specs()) > 0


def test_one_missing_run_is_not_enough(store):
    specs = BY_NAME["(64, 3000)"].specs()
    store.add_many(jump(s, val=1.0) for s in specs[:-1])
    result = judge(BY_NAME["(64, 3000)"], store)
    assert result.verdict == "not enough runs" and result.missing == specs[-1:]


def luck(spec):
    """A number from −1 to 1, of a width and a seed."""
    return zlib.crc32(f"{spec.d_model} {spec.seed}".encode()) % 201 / 100 - 1


def framework(spec, later=0, scatter=60):
    """A world as the paper has it: D_mem = 100 d facts, D_crit falls from 3,300 at d = 32."""
    d, size = spec.d_model, spec.train_size
    if spec.task.startswith("random"):
        return dict(train=min(1, 0.0155 * d + 0.001 * spec.seed))
    if d < 24 and size < 4000:
        return dict(val=0.03 * d + 0.1 + 0.05 * luck(spec), train=0.8)
    if d < 24:
        return dict(val=0.9 + 0.05 * luck(spec), train=0.8)
    critical = 3300 * (d / 32) ** -0.3 + later + scatter * luck(spec)
    learned = 0.98 if distinct_pairs(size) > 100 * d else 1.0  # more facts than it can hold
    return dict(val=1.0 if size >= critical else 0.02, train=learned)


def upside_down(spec):
    """A world in which wider networks hold less and need more."""
    if spec.task.startswith("random"):
        return dict(train=0.9 - 0.005 * spec.d_model + 0.001 * spec.seed)
    return dict(val=float(spec.train_size >= 2400 + 15 * spec.d_model + 60 * luck(spec)))


def flat(spec):
    """A world in which width does not matter."""
    if spec.task.startswith("random"):
        return dict(train=0.5 + 0.02 * np.sin(7 * spec.d_model + spec.seed))
    return dict(val=float(spec.train_size >= 3000 + 400 * luck(spec)))


def val(accuracy):
    """A world that is told by final validation accuracy alone."""
    return lambda spec: dict(val=float(accuracy(spec)))


def square_further(spec):
    return framework(spec, later=800 if spec.task == "square" else 0)


def square_by_luck(spec):
    return framework(spec, later=(spec.task == "square") * 900 * (-1) ** spec.seed)


def perfect_from(small, much=16):
    """Training is perfect from d = 16 on, validation from a width that depends on D."""
    return lambda s: dict(
        train=float(s.d_model >= 16),
        val=float(s.d_model >= (small if s.train_size == 3000 else much)),
    )


def spans(points):
    """A world in which the seeds' D_crit lies evenly over so many points, at each width in another
    order."""
    return val(lambda s: s.train_size >= 3000 + points * ((s.seed + s.d_model) % 11 / 10 - 0.5))


# name, world, what it comes to with eleven seeds
WORLDS = [
    ("takeaway 1", framework, "reproduced"),
    ("takeaway 1", upside_down, "not reproduced"),
    ("takeaway 1", flat, "undecided"),
    ("takeaway 2", framework, "reproduced"),
    ("takeaway 2", upside_down, "not reproduced"),
    ("takeaway 2", flat, "undecided"),
    ("takeaway 2", lambda s: dict(train=1.0), "undecided"),  # all widths hold all pairs
    ("takeaway 3", framework, "reproduced"),
    ("takeaway 3", flat, "not reproduced"),
    ("takeaway 3", val(lambda s: 0), "undecided"),  # no D_crit: one of its boundaries is missing
    ("takeaway 5", framework, "reproduced"),
    ("takeaway 5", val(lambda s: s.d_model / 100), "not reproduced"),
    ("takeaway 5", val(lambda s: luck(s) > 0), "undecided"),
    ("double descent, tied", framework, "reproduced"),
    ("double descent, tied", val(lambda s: s.d_model / 100), "not reproduced"),
    ("double descent, tied", val(lambda s: luck(s) > 0), "undecided"),
    ("takeaway 6", square_further, "reproduced"),
    ("takeaway 6", framework, "not reproduced"),
    ("takeaway 6", val(lambda s: s.train_size >= 3500 - 400 * (s.task == "square")),
     "not reproduced"),
    ("takeaway 6", square_by_luck, "undecided"),
    ("(64, 3000)", val(lambda s: 1), "reproduced"),
    ("(64, 3000)", val(lambda s: 0.9), "not reproduced"),
    ("(64, 3000)", val(lambda s: s.seed > 0), "undecided"),
    ("d = 32", val(lambda s: s.train_size >= 3800), "reproduced"),
    ("d = 32", val(lambda s: s.train_size >= 3400), "not reproduced"),
    ("d = 32", val(lambda s: s.train_size >= 3400 + 400 * (s.seed % 2)), "undecided"),
    ("(64, 2000–2800)", val(lambda s: 0.5), "reproduced"),
    ("(64, 2000–2800)", val(lambda s: s.train_size > 2400), "not reproduced"),
    ("semi-grokking interval", spans(1000), "reproduced"),
    ("semi-grokking interval", spans(100), "not reproduced"),
    ("semi-grokking interval", spans(600), "undecided"),
    ("D_crit(64)", val(lambda s: s.train_size >= 3000 + 100 * luck(s)), "reproduced"),
    ("D_crit(64)", val(lambda s: s.train_size >= 2400), "not reproduced"),
    ("D_crit(64)", val(lambda s: s.train_size >= 2600 + 400 * (s.seed % 2)), "undecided"),
    ("2,600: ungrokking", framework, "reproduced"),
    ("2,600: ungrokking", val(lambda s: 0.5), "not reproduced"),
    ("2,600: ungrokking", val(lambda s: s.seed % 3 == 0), "undecided"),
    ("2,600: no grokking", val(lambda s: s.d_model == 100 and s.seed < 4), "reproduced"),
    ("2,600: no grokking", val(lambda s: s.d_model > 44), "not reproduced"),
    ("2,600: no grokking", val(lambda s: s.d_model == 100), "not reproduced"),  # not outvoted
    ("3,000: dip", framework, "reproduced"),
    ("3,000: dip", val(lambda s: s.d_model / 100), "not reproduced"),
    ("3,000: no ungrokking", val(lambda s: s.seed > 0), "reproduced"),
    ("3,000: no ungrokking", val(lambda s: s.seed % 3 > 0), "undecided"),  # by seeds
    ("3,000: no ungrokking", val(lambda s: 0.2), "not reproduced"),  # mirrored pairs give as much
    ("3,000: no ungrokking", val(lambda s: s.d_model < 24), "not reproduced"),
    ("4,000 and 5,000", framework, "reproduced"),
    ("4,000 and 5,000", val(lambda s: not 28 <= s.d_model <= 36), "not reproduced"),
    ("4,000 and 5,000", val(lambda s: s.d_model < 28 or s.d_model > 36 or s.seed % 3),
     "undecided"),
    ("model-wise grokking", perfect_from(32), "reproduced"),
    ("model-wise grokking", perfect_from(999), "not reproduced"),  # not late, but never
    ("model-wise grokking", perfect_from(20), "not reproduced"),
    ("model-wise grokking", perfect_from(32, 32), "not reproduced"),
    ("squared at 24", val(lambda s: 0), "reproduced"),
    ("squared at 24", val(lambda s: s.seed > 0), "not reproduced"),
    ("squared at 24", val(lambda s: s.seed < 1), "undecided"),
    ("addition at 24", val(lambda s: s.seed > 0), "reproduced"),
    ("addition at 24", val(lambda s: 0), "not reproduced"),
    ("progression varies", val(lambda s: s.seed / 5), "reproduced"),
    ("progression varies", val(lambda s: 0.5 + s.seed / 500), "not reproduced"),
    ("progression varies", val(lambda s: 0.5 + s.seed / 20), "undecided"),
    ("capacity is sharp", lambda s: dict(train=0.5 + s.seed / 1e5), "reproduced"),
    ("capacity is sharp", lambda s: dict(train=0.2 + 0.4 * s.seed), "not reproduced"),
    ("capacity is sharp", lambda s: dict(train=0.5 + 0.01 * s.seed), "undecided"),
]  # fmt: skip


@pytest.mark.parametrize("name, world, word", WORLDS)
def test_every_verdict_can_come_out(tmp_path, name, world, word):
    found = judge(BY_NAME[name], store_with(tmp_path, [name], world, seeds=11))
    assert found.verdict == word, found.finding


def hill(spec, loss):
    """A run that ends with a validation loss."""
    return made_up.run(
        spec, [0, spec.epochs], val_loss=[4.7, loss + 0.3 * ((spec.seed + spec.d_model) % 3)]
    )


@pytest.mark.parametrize(
    "losses, word",
    [
        ((3.0, 0.7, 20.0, 1.0), "reproduced"),
        ((3.0, 4.0, 20.0, 1.0), "not reproduced"),  # no first descent
        ((3.0, 0.7, 4.0, 1.0), "not reproduced"),  # climbs by less than guessing costs
        ((3.0, 0.7, 20.0, 19.0), "not reproduced"),  # stays up
        ((3.0, 0.7, 5.45, 0.6), "undecided"),
    ],
)
def test_double_descent_in_the_loss(tmp_path, losses, word):
    def world(spec):
        return dict(loss=losses[np.searchsorted([4, 16, 36], spec.d_model)])

    store = store_with(tmp_path, ["3,000: loss"], world, run=hill)
    assert {s.seed for s in BY_NAME["3,000: loss"].specs()} == set(range(5, 11))
    assert verdict(store, "3,000: loss") == word


def test_five_seeds_settle_no_share(tmp_path):
    name = "(64, 3000)"
    assert verdict(store_with(tmp_path, [name], val(lambda s: 1)), name) == "undecided"


def test_norms(tmp_path):
    """Controls rise by 10 → 11; progression by 10 → 12, grokking by 10 → 7, or both as they do."""

    def world(progression, grokking, good=0.9):
        def outcome(spec):
            if spec.task == "random":
                return dict(val=0.01, norms=(10, 11 + 0.02 * (-1) ** spec.seed))
            end = progression if spec.d_model == 8 else grokking
            return dict(val=good, norms=(10, end + 0.1 * spec.seed))

        return outcome

    names = ["takeaway 4", "norm, progression", "norm, grokking"]
    for number, (outcome, words) in enumerate(
        [
            (world(12, 7), ["reproduced"] * 3),
            (world(12, 12), ["not reproduced", "reproduced", "not reproduced"]),
            (world(10.8, 7), ["undecided", "reproduced", "reproduced"]),  # no more than controls
            (world(12, 7, good=ZERO / 2), ["undecided"] * 3),
        ]
    ):
        store = store_with(tmp_path / str(number), names, outcome)
        assert [verdict(store, name) for name in names] == words


def test_the_same_sentence_has_the_same_statistic(tmp_path):
    """Takeaway 5 and the sentences that it is made of read one dip."""
    names = ["takeaway 5", "3,000: dip", "4,000 and 5,000"]
    store = store_with(tmp_path, names, framework, seeds=11)
    whole, *parts = (judge(BY_NAME[name], store).finding.conditions for name in names)
    values = {c.says: c.value for c in whole}
    assert all(values[c.says] == c.value for own in parts for c in own)


def test_takeaway_3_tells_what_single_runs_do(tmp_path):
    name = "takeaway 3"
    finding = judge(BY_NAME[name], store_with(tmp_path, [name], framework, seeds=11)).finding
    assert len(finding.conditions) == 3 and "semi-grokking" in finding.note
    by_heart = finding.note.split("rightly, and ")[1]
    assert 90 <= int(by_heart.split("%")[0]) <= 100
    lines = re.search(r"sizes tells (\d+) of (\d+), .* widths (\d+) of (\d+)", finding.note)
    width, cells, size, beyond = map(int, lines.groups())
    assert 0 < width <= cells and 0 < size <= beyond <= cells


def test_takeaway_3_tells_what_its_neighbours_would_change():
    """Six wrong cells of 120 in one row, or one in each of six rows."""
    names = ["d_model", "train_size"]
    cells = pd.MultiIndex.from_product([range(10), range(1000, 13000, 1000)], names=names)
    widths, sizes = map(cells.get_level_values, names)
    row = pd.Series((sizes > 1000) | (widths > 5), index=cells)
    apart = pd.Series((widths > 0) | (sizes > 6000), index=cells)
    assert row.sum() == apart.sum() == 114 and rules.share("", row, 3, least=0.8).holds
    assert "wrong at 1,000 (d 0, 1, 2, 3, 4, 5);" in zones._neighbours(row)
    assert zones._neighbours(row).endswith("which does not settle it")
    assert "wrong at 1,000 (d 0), 2,000 (d 0), 3,000" in zones._neighbours(apart)
    assert not zones._neighbours(apart).endswith("settle it")


def test_runs_that_a_number_rests_on_are_counted(tmp_path):
    store = store_with(tmp_path, ["takeaway 2"], framework)
    found = judge(BY_NAME["takeaway 2"], store)
    assert 0 < found.runs < len(BY_NAME["takeaway 2"].specs())  # some widths hold all pairs


def test_takeaway_6_looks_at_new_seeds_alone(tmp_path):
    specs = BY_NAME["takeaway 6"].specs()
    assert {spec.seed for spec in specs} == set(range(5, 11))

    def contrary_when_old(spec):
        return square_further(spec) if spec.seed >= 5 else dict(val=0.0)

    name = "takeaway 6"
    store = store_with(tmp_path, [name], contrary_when_old)
    store.add_many(jump(spec.replace(seed=0), val=0.0) for spec in specs[:50])
    assert verdict(store, name) == "reproduced"


def test_every_claim_names_cells_that_exist():
    for claim in CLAIMS:
        for experiment, _cells, seeds in claim.needs:
            assert experiment in EXPERIMENTS
            assert len(claim.specs()) >= (seeds if isinstance(seeds, int) else len(seeds))
        assert set(claim.later) <= {experiment for experiment, *_ in claim.needs}


@pytest.mark.parametrize("name", ["score", "claims"])
def test_the_readme_has_a_place_for_what_is_written(name):
    text = README.read_text("utf-8")
    begin, end = f"<!-- {name}: ", f"<!-- {name} end -->"
    written = with_section(text, name, "new")
    assert written.split(begin)[0] == text.split(begin)[0]
    assert written.split(end)[1] == text.split(end)[1] and f" -->\nnew\n{end}" in written
    with pytest.raises(click.ClickException, match=f"no {name} section"):
        with_section("a README without it", name, "new")


def test_table_shows_every_claim(store):
    table = claims_table([judge(c, store) for c in CLAIMS])
    assert all(c.name in table for c in CLAIMS)


def test_table_has_a_number_a_line_with_what_it_comes_to():
    of = functools.partial(rules.Condition, value=1, high=2, least=0)
    three = of("a", low=0.5), of("b", low=-1), of("c", low=1, most=0.5)
    made = Verdict(CLAIMS[0], "not reproduced", rules.Finding(three, "also this"), 3, [])
    assert (
        "*met:* a: 1 [0.5, 2], required: ≥ 0<br>*open:* b: 1 [-1, 2], required: ≥ 0"
        "<br>*not met:* c: 1 [1, 2], required: 0 to 0.5<br>also this"
    ) in claims_table([made])
    assert "| a: 1" in claims_table([Verdict(CLAIMS[0], "", rules.Finding(three[:1]), 3, [])])


def conditions(name, tmp_path, world):
    return judge(BY_NAME[name], store_with(tmp_path, [name], world, seeds=11)).finding.conditions


def test_takeaway_5_asks_for_all_that_it_says(tmp_path):
    found = conditions("takeaway 5", tmp_path, framework)
    assert [c.says.split(" beyond")[0] for c in found] == [
        "dip of validation at 3,000", "fall of validation at 2,600",
        "dip of validation at 4,000", "dip of validation at 5,000",
    ]  # fmt: skip
    assert [(c.least, c.most) for c in found] == [(0.1, math.inf)] * 2 + [(-math.inf, 0.1)] * 2


def test_takeaway_6_asks_for_all_that_it_says(tmp_path):
    found = conditions("takeaway 6", tmp_path, square_further)
    assert [c.least for c in found] == [0, -math.inf, 0.1, -math.inf]
    assert [c.most for c in found] == [math.inf, 0, math.inf, 0.1]


def dipping(spec):
    """Takeaway 6's world, but beyond seed 10 both tasks dip."""
    if spec.seed <= 10:
        return square_further(spec)
    return dict(val=float(spec.d_model not in (28, 32, 36)))


def hidden(spec):
    """Addition falls from a narrow peak, which a mean over all narrow networks would not show."""
    if spec.seed <= 10 or spec.task == "square":
        return dipping(spec)
    return dict(val={20: 1.0, 28: 0.5, 32: 0.9, 36: 0.9}.get(spec.d_model, 1.0))


def test_takeaway_6_on_new_seeds_takes_its_dips_from_them(tmp_path):
    name = "a harder task, new seeds"
    found = {
        world: conditions(name, tmp_path / world.__name__, world)
        for world in (square_further, dipping, hidden)
    }
    before = conditions("takeaway 6", tmp_path / "before", dipping)
    assert found[dipping][:2] == found[square_further][:2] == before[:2]
    assert [c.draws for c in found[dipping]] == [6, 6, 20, 20]
    assert [c.value for c in found[dipping][2:]] == [1, 1] and found[dipping][3].holds is False
    assert found[hidden][3].value == 1 and found[hidden][3].holds is False
    assert all(c.holds for c in found[square_further])


@pytest.mark.parametrize("cells", [dict(d_model=(7,)), dict(d_model=64), dict(d_modell=(64,))])
def test_a_claim_that_names_no_cell_says_so(cells):
    with pytest.raises(ValueError, match="cells? of .*(figure3|d_mod)"):
        specs_of("figure3", cells, 5)


def test_so_many_seeds_are_counted_from_an_experiments_first():
    grid = EXPERIMENTS["beyond_3000"]
    assert {spec.seed for spec in specs_of(grid.name, {}, 2)} == set(grid.seed_range[:2]) == {5, 6}


def test_the_fall_is_taken_over_24_to_40():
    widths = [8, 20, 24, 28, 32, 36, 40, 48, 64, 100]
    rows = [
        (d, seed, size, 0.9 if d < 24 else 0.0 if d in (24, 40) else 0.6)
        for d in widths for seed in range(3) for size in (2600, 3000, 4000, 5000)
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["d_model", "seed", "train_size", "val_accuracy"])
    assert addition.double_descent(frame).conditions[1].value == pytest.approx(0.9 - 0.36)


@pytest.mark.parametrize(
    "at",
    [{3000: 32, 4000: 16, 5000: 32}, {3000: 32, 4000: 32, 5000: 16},
     {3000: 32, 4000: 28, 5000: 28}],
)  # fmt: skip
def test_model_wise_grokking_asks_each_size_for_its_factor(tmp_path, at):
    name = "model-wise grokking"

    def world(spec):
        train = float(spec.d_model >= 16)
        return dict(train=train, val=float(spec.d_model >= at[spec.train_size]))

    assert verdict(store_with(tmp_path, [name], world, seeds=11), name) == "not reproduced"


def test_capacity_is_held_to_its_worst_width():
    rows = [(d, s, 0.5 + s * step) for d, step in ((4, 0.0), (8, 0.03)) for s in range(3)]
    frame = pd.DataFrame(rows, columns=["d_model", "seed", "train_accuracy"])
    (found,) = addition.narrow(frame).conditions
    own = frame[frame["d_model"] == 8]["train_accuracy"]
    half = stats.t.ppf(0.975, 2) * own.std() / 3**0.5
    assert "d = 8" in found.says and found.value == pytest.approx(half)


def test_a_claim_looks_at_whole_seeds_alone(tmp_path):
    """One run of a further seed is no seed."""
    name = "takeaway 5"
    store = store_with(tmp_path, [name], framework)
    before = judge(BY_NAME[name], store).runs
    further = max(EXPERIMENTS["figure6"].seed_range) - 2
    spec = next(iter(EXPERIMENTS["figure6"].specs([further])))
    assert spec.key not in store.keys()
    store.add(made_up.run(spec, [0, spec.epochs], val_accuracy=[0, 1]))
    assert judge(BY_NAME[name], Store(store.folder, store.cache)).runs == before


def test_the_place_of_a_cell_does_not_hang_on_its_own_runs():
    """D_crit is fitted without the cell that is judged by it."""
    rows = [
        (d, size, seed, float(size >= 3400 - 25 * d + 100 * (seed - 1)))
        for d in (32, 40, 48, 56) for size in range(1800, 3401, 200) for seed in range(3)
    ]  # fmt: skip
    runs = pd.DataFrame(rows, columns=["d_model", "train_size", "seed", "val_accuracy"])
    points = pd.Series({d: 100.0 * d for d in (32, 40, 48, 56)})
    cell = (runs["d_model"] == 40) & (runs["train_size"] == 2400)
    flipped = runs.assign(val_accuracy=runs["val_accuracy"].mask(cell, 0.0))
    assert not flipped.equals(runs)
    places = [zones._place(one, points) for one in (runs, flipped)]
    half = [boundaries.span(one[one["d_model"] == 40]) for one in (runs, flipped)]
    assert half[0] != half[1]  # the band's width is not without it
    others = [boundaries.span(runs[runs["d_model"] == d]) for d in (32, 48, 56)]
    widths = [(sum(others) + own) / 4 / 2 for own in half]
    own = [place[40, 2400] * width for place, width in zip(places, widths)]
    assert own[0] == pytest.approx(own[1]) and abs(own[0]) < 200
