"""Claims on made-up runs: each verdict can come out, and only from enough runs."""

import click
import numpy as np
import pytest
from worlds import BY_NAME, jump, store_with, verdict

from lib.analysis.dynamics import ZERO
from lib.chapters.report import BEGIN, END, README, with_section
from lib.chapters.tables import claims_table
from lib.paper.claims import judge
from lib.paper.experiments import EXPERIMENTS
from lib.paper.takeaways import CLAIMS
from lib.runs.store import Store


def test_nothing_stored_nothing_claimed(tmp_path):
    store = Store(tmp_path / "results")
    for claim in CLAIMS:
        result = judge(claim, store)
        assert result.verdict == "not enough runs"
        assert len(result.missing) == len(claim.specs()) > 0


def test_one_missing_run_is_not_enough(tmp_path):
    store = Store(tmp_path / "results")
    specs = BY_NAME["(64, 3000)"].specs()
    store.add_many(jump(s, val=1.0) for s in specs[:-1])
    result = judge(BY_NAME["(64, 3000)"], store)
    assert result.verdict == "not enough runs" and result.missing == specs[-1:]


def threshold(spec):
    """A world in which takeaways 1, 3, 5 and the sentences hold."""
    d, size = spec.d_model, spec.train_size
    if spec.task.startswith("random"):
        return dict(train=min(1, 0.02 * d + 0.001 * spec.seed))
    if d < 24:
        return dict(val=0.05 * d, train=0.8)
    critical = 4000 - (d - 32) * 32
    return dict(val=float(size >= critical))


def flat(spec):
    """A world in which size does not matter."""
    if spec.task.startswith("random"):
        return dict(train=0.5 + 0.01 * np.sin(7 * spec.d_model + spec.seed))
    return dict(val=float(spec.train_size >= 3000))


@pytest.mark.parametrize("world, word", [(threshold, "reproduced"), (flat, "not reproduced")])
@pytest.mark.parametrize("name", ["takeaway 1", "takeaway 2"])
def test_trends(tmp_path, name, world, word):
    assert verdict(store_with(tmp_path, [name], world), name) == word


def test_double_descent_and_its_absence(tmp_path):
    def deep(spec):
        d, size = spec.d_model, spec.train_size
        return dict(val=1.0 if size >= 4000 or d < 24 or (d > 40 and size == 3000) else 0.0)

    name = "takeaway 5"
    assert verdict(store_with(tmp_path / "a", [name], deep), name) == "reproduced"
    assert verdict(store_with(tmp_path / "b", [name], flat), name) == "not reproduced"


def test_norms(tmp_path):
    def paper(spec):
        return dict(
            val=0.9,
            norms=(10, 12 + 0.1 * spec.seed) if spec.d_model == 8 else (10, 7 - 0.05 * spec.seed),
        )

    def same(spec):
        return dict(val=0.9, norms=(10, 12 + 0.1 * spec.seed))

    def silent(spec):
        return dict(val=ZERO / 2)

    names = ["takeaway 4", "norm, progression", "norm, grokking"]
    for number, (world, words) in enumerate(
        [
            (paper, ["reproduced"] * 3),
            (same, ["not reproduced", "reproduced", "not reproduced"]),
            (silent, ["undecided"] * 3),
        ]
    ):
        store = store_with(tmp_path / str(number), names, world)
        assert [verdict(store, name) for name in names] == words


def test_sentences_can_fail(tmp_path):
    sentences = [c.name for c in CLAIMS if not c.name.startswith("takeaway")]
    good = {"(64, 3000)", "d = 32"}
    store = store_with(tmp_path, good, threshold)
    assert all(verdict(store, name) == "reproduced" for name in good)
    nothing = store_with(tmp_path / "none", sentences, lambda spec: dict(val=0.0, train=0.3))
    words = {name: verdict(nothing, name) for name in sentences}
    assert words["(64, 3000)"] == words["addition at 24"] == "not reproduced"
    assert words["2,600: ungrokking"] == words["squared at 24"] == "reproduced"


def test_every_judged_claim_of_the_sections_has_an_interval(tmp_path):
    """Of its statistic: two finite ends in order, whatever the runs say."""
    names = [c.name for c in CLAIMS[: [c.name for c in CLAIMS].index("norm, progression")]
             if c.name not in ("takeaway 4", "takeaway 7", "takeaway 8")]  # fmt: skip

    def noisy(spec):
        world = threshold(spec)
        return world | dict(val=float(np.clip(world.get("val", 0.0) - 0.01 * spec.seed, 0, 1)),
                            train=world.get("train", 1.0) - 0.001 * spec.seed)  # fmt: skip

    store = store_with(tmp_path, names, noisy)
    for name in names:
        found = judge(BY_NAME[name], store).finding
        assert np.isfinite([found.low, found.high]).all() and found.low <= found.high, name


def test_a_mean_beside_its_limit_says_so(tmp_path):
    name = "addition at 24"
    store = store_with(tmp_path, [name], lambda spec: dict(val=0.9 if spec.seed == 2 else 0.02))
    found = judge(BY_NAME[name], store)
    assert found.verdict == "reproduced"
    assert "the limit lies in the interval" in found.finding.text and found.finding.low == 0


def test_the_span_of_semi_grokking_ends_where_all_means_are_good(tmp_path):
    name = "semi-grokking interval"

    def slow(spec):  # 800 points from the first mean off zero to the first good one
        return dict(
            val=float(np.interp(spec.train_size, [2400, 2600, 3200, 3400], [0, 0.2, 0.9, 1]))
        )

    found = judge(BY_NAME[name], store_with(tmp_path, [name], slow))
    assert found.verdict == "reproduced" and "32: 800" in found.finding.text

    def sharp(spec):
        return dict(val=float(spec.train_size >= 3000))

    found = judge(BY_NAME[name], store_with(tmp_path / "sharp", [name], sharp))
    assert found.verdict == "not reproduced" and "32: 0" in found.finding.text


def test_zones(tmp_path):
    name = "takeaway 3"

    def four(spec):
        """The world of `threshold`, with runs that generalize in part just below it."""
        world = threshold(spec)
        if spec.task == "add" and spec.d_model >= 24:
            beyond = spec.train_size - (4000 - (spec.d_model - 32) * 32)
            world["val"] = 1.0 if beyond >= 100 else 0.5 if beyond >= -200 else 0.0
        return world

    found = judge(BY_NAME[name], store_with(tmp_path / "a", [name], four))
    assert found.verdict == "reproduced" and "4 of the four types seen" in str(found.finding)
    assert verdict(store_with(tmp_path / "b", [name], flat), name) == "not reproduced"


def test_the_harder_task(tmp_path):
    name = "takeaway 6"

    def harder(spec):
        later = 600 if spec.task == "square" else 0
        world = threshold(spec.replace(train_size=max(1, spec.train_size - later)))
        return world if spec.task != "add" or spec.d_model != 28 else dict(val=1.0)

    assert verdict(store_with(tmp_path / "a", [name], harder), name) == "reproduced"
    assert verdict(store_with(tmp_path / "b", [name], flat), name) == "not reproduced"


def test_every_claim_names_cells_that_exist():
    for claim in CLAIMS:
        for experiment, _cells, seeds in claim.needs:
            assert experiment in EXPERIMENTS
            assert len(claim.specs()) >= seeds


def test_the_readme_has_a_section_for_the_claims():
    text = README.read_text()
    written = with_section(text, f"{BEGIN}\nnew\n{END}")
    assert written.split(BEGIN)[0] == text.split(BEGIN)[0] and f"{BEGIN}\nnew\n{END}" in written
    with pytest.raises(click.ClickException, match="no claims section"):
        with_section("a README without it", "new")


def test_table_shows_every_claim(tmp_path):
    table = claims_table([judge(c, Store(tmp_path)) for c in CLAIMS])
    assert all(c.name in table for c in CLAIMS)


@pytest.mark.parametrize(
    "name, world, word",
    [
        ("(64, 2000–2800)", lambda s: dict(val=0.5), "reproduced"),
        ("(64, 2000–2800)", lambda s: dict(val=0.5 * (s.train_size > 2200)), "not reproduced"),
        (
            "3,000: no ungrokking",
            lambda s: dict(val=1 - 0.8 * (28 <= s.d_model <= 36)),
            "reproduced",
        ),
        ("3,000: no ungrokking", lambda s: dict(val=float(s.d_model < 28)), "not reproduced"),
        ("3,000: no ungrokking", lambda s: dict(val=s.d_model / 200), "not reproduced"),  # no dip
    ],
)
def test_what_the_chapters_used_to_judge(tmp_path, name, world, word):
    assert verdict(store_with(tmp_path, [name], world), name) == word


def test_grokking_by_width(tmp_path):
    def world(good):
        """Training is perfect from d = 16 on, validation at 3,000 from `good` on."""

        def outcome(spec):
            edge = good if spec.train_size == 3000 else 16
            return dict(train=float(spec.d_model >= 16), val=float(spec.d_model >= edge))

        return outcome

    name = "model-wise grokking"
    for edge, word in ((32, "reproduced"), (20, "not reproduced"), (999, "undecided")):
        store = store_with(tmp_path / str(edge), [name], world(edge))
        assert verdict(store, name) == word
