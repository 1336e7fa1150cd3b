"""What a chapter asks for: stored runs, of whole seeds where that matters."""

from dataclasses import replace

from made_up import fake_run

from lib.analysis.gather import gather, of_whole_seeds
from lib.spec import RunSpec

CELLS = [RunSpec(modulus=5, d_model=4, train_size=size, epochs=20) for size in (5, 10)]


def seeds(*wanted):
    return [spec.with_seed(seed) for seed in wanted for spec in CELLS]


def test_a_half_swept_seed_is_no_whole_one(store):
    for spec in [*seeds(0, 1), CELLS[0].with_seed(2)]:
        store.add(fake_run(spec))
    found = gather(seeds(0, 1, 2) + seeds(1), store=store)  # some asked for twice
    whole = found.whole()
    assert len(found.runs) == 5 and found.wanted == 6
    assert sorted(whole.runs["seed"]) == [0, 0, 1, 1]
    assert set(whole.curves["key"]) == set(whole.runs["key"])
    assert "4 of 6 runs, seeds 0–1" in whole.provenance()


def test_specs_that_share_cells_count_them_once(store):
    for spec in [*seeds(0), CELLS[0].with_seed(1)]:
        store.add(fake_run(spec))
    assert set(of_whole_seeds(store.runs(), seeds(0, 1) + seeds(0, 1))["seed"]) == {0}


def test_without_a_whole_seed_what_is_there_counts(store):
    store.add(fake_run(CELLS[0]))
    assert len(gather(seeds(0, 1), store=store).whole().runs) == 1


def test_what_a_gpu_trained_is_said_under_the_figure(store):
    ours, theirs = map(fake_run, CELLS)
    store.add(ours)
    store.add(replace(theirs, engine="stacked", device="NVIDIA X"))
    assert "; 1 of them on an NVIDIA X." in gather(CELLS, store=store).provenance()
