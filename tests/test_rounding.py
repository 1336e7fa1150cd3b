"""Runs that are stored in two precisions, side by side."""

from fake_train import fake_run

from lib.rounding import COLUMNS, alike, two_precisions
from lib.spec import RunSpec
from lib.store import Store


def with_end(spec, engine, value, last):
    run = fake_run(spec, last=last, engine=engine, digest=f"{engine:0<64}")
    run.curve["val_accuracy"][-1] = value
    return run


def test_only_runs_in_two_precisions_are_compared(tmp_path):
    store = Store(tmp_path)
    nothing = two_precisions(store)
    assert list(nothing) == COLUMNS and len(nothing) == alike(nothing) == 0
    a, b, c = (RunSpec(epochs=900, seed=seed) for seed in range(3))
    store.add_many(
        [
            with_end(a, "numba", 1.0, 400),
            with_end(a, "numba-bf16x3", 0.99, 500),
            with_end(a, "numba-bf16x6", 0.98, 450),
            with_end(b, "numba", 0.2, 900),
            with_end(b, "numba-bf16x3", 0.97, 900),
            with_end(c, "numba", 1.0, 900),
            with_end(c, "stacked", 1.0, 900),
        ]
    )
    both = two_precisions(store)
    assert list(both["precision"] + both["seed"].astype(str)) == ["bf16x30", "bf16x31", "bf16x60"]
    first = both.iloc[0]
    assert (first["val_float32"], first["val"]) == (1.0, 0.99)
    assert first["epoch_float32"] <= 400 < first["epoch"] <= 500
    assert alike(both) == 2
    assert (store.runs()["engine"] != "numba-bf16x3").all()  # figures go on to show float32
