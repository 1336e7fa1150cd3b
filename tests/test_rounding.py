"""Runs that are stored in two precisions, side by side."""

from fake_train import fake_run

from lib.rounding import agreement, both_precisions
from lib.spec import RunSpec
from lib.store import Store


def with_end(spec, engine, value, last):
    run = fake_run(spec, last=last, engine=engine, digest=f"{engine:0<64}")
    run.curve["val_accuracy"][-1] = value
    return run


def test_only_runs_in_both_precisions_are_compared(tmp_path):
    store = Store(tmp_path)
    assert both_precisions(store).empty and agreement(both_precisions(store)) == (0, 0)
    a, b, c = (RunSpec(epochs=900, seed=seed) for seed in range(3))
    store.add_many(
        [
            with_end(a, "numba", 1.0, 400),
            with_end(a, "numba-bf16x3", 0.99, 500),
            with_end(b, "numba", 0.2, 900),
            with_end(b, "numba-bf16x3", 0.97, 900),
            with_end(c, "numba", 1.0, 900),
            with_end(c, "stacked", 1.0, 900),
        ]
    )
    both = both_precisions(store).set_index("seed")
    assert list(both.index) == [0, 1]
    assert (both.loc[0, "val_float32"], both.loc[0, "val_bf16x3"]) == (1.0, 0.99)
    assert both.loc[0, "epoch_float32"] <= 400 < both.loc[0, "epoch_bf16x3"] <= 500
    assert agreement(both) == (1, 2)
    shown = store.runs().set_index("seed")
    assert (shown["engine"] == "numba").all()  # figures go on to show float32
