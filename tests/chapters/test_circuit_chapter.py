"""The chapter on circuit efficiency where runs are stored and circuits were measured."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from worlds import like_the_paper

from lib.circuits.measures import SCHEMA, folder_of
from lib.paper.experiments import EXPERIMENTS
from lib.runs import shard
from lib.runs.store import Store
from lib.spec import NUMERICS_VERSION

NAMES = [name for name in EXPERIMENTS if name.startswith("circuits_")]
EPOCHS = np.array([0, 10, 100, 1000, 20_000])


def course(spec):
    """Waves come before accuracy in networks that generalize; the others have none."""
    good = spec.train_size >= 3000 and spec.d_model >= 28
    waves = np.array([0.01, 0.02, 0.5, 0.9, 0.95]) if good else np.full(5, 0.02)
    val = np.array([0.01, 0.01, 0.02, 0.9, 1.0]) if good else np.full(5, 0.02)
    spectrum = np.zeros(56, np.float32)
    spectrum[[2, 9]] = 0.4
    for i, epoch in enumerate(EPOCHS):
        yield dict(
            key=spec.key, epoch=int(epoch), last=i == 4, train_loss=0.1, val_loss=0.1,
            train_accuracy=1.0, val_accuracy=val[i], param_norm=10.0, trig_share=waves[i],
            held_out_share=waves[i], restricted_loss=0.1, excluded_loss=5.0, margin=9.0,
            val_margin=9.0, mirrored_accuracy=0.9, unmirrored_accuracy=val[i],
            unseen_accuracy=val[i],
            frequencies=[3, 10], logit_spectrum=spectrum, embedding_spectrum=spectrum,
            numerics_version=NUMERICS_VERSION, git_commit="none", cpu="none",
            timestamp=datetime.now(UTC), digest="d" * 64,
        )  # fmt: skip


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Made-up runs of all the chapter's experiments, with made-up measures of circuits."""
    folder = tmp_path_factory.mktemp("stored")
    store = Store(folder)
    specs = {s.key: s for name in NAMES for s in EXPERIMENTS[name]}
    store.add_many(like_the_paper(spec) for spec in specs.values())
    looked = [s for n in ("circuits_dynamics", "circuits_ungrok") for s in EXPERIMENTS[n]]
    rows = [row for spec in looked for row in course(spec)]
    shard.write(folder_of(store), pa.Table.from_pylist(rows, schema=SCHEMA))
    return folder


def test_it_tells_what_was_measured(page):
    made = page("circuit_efficiency")
    words = made.words
    assert "Measured runs: 15 of 15, each at 5 of its epochs" in words
    assert "key frequencies 5, 17, 40" in words  # of the network built by hand
    assert "| grokking | 0 | " in words and "| 100 | waves |" in words
    assert "not measured" not in words
    # No made-up run reaches the loss at which norms are compared.
    assert "Too few runs are stored to say where the two norms cross" in words
    assert len(made.figures()) == 8
    rows = [line for line in words.splitlines() if line.startswith("| 3,000 | 8 |")]
    assert rows and "0.95" in rows[0]  # waves on held-out pairs, after training on
    for figure in made.figures():
        figure.draw_without_rendering()
    columns = (made.data / "circuit_course.csv").read_text().splitlines()[0].split(",")
    assert {"trig_share", "epoch", "d_model", "seed"} <= set(columns)
