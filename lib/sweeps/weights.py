"""The weights that a continued run starts from: kept on this machine, or trained again."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lib.engines.choose import engine_of
from lib.engines.precision import name_of
from lib.runs.locks import Locks
from lib.runs.machine import cores
from lib.runs.store import Store
from lib.spec import RunSpec

if TYPE_CHECKING:
    from lib.model import Transformer
    from lib.runs.checkpoints import Checkpoints


def start_of(
    spec: RunSpec,
    store: Store,
    train: Callable,
    threads: int = 1,
    how: dict | None = None,
    on_wait: Callable[[float], None] = lambda seconds: None,
    checkpoints: "Checkpoints | None" = None,
) -> dict[str, dict[str, np.ndarray]]:
    """What `lib.train.train` has to be told to start a run: {} or {"start": weights by name}.

    The weights of `spec.init_from` come from the store's cache, if they were trained as this
    run is going to be (`how`: engine, device, precision).  Where they are not there, that run is
    trained, to the bits that it always had, and its weights are kept; of several processes that
    want the same parent one trains it, and the others wait, and tell `on_wait` how long.  It goes
    on from its own state in `checkpoints`, which only `lib.train.train` knows of.
    """
    parent = spec.init_from
    if parent is None:
        return {}
    how = how or {}
    device = how.get("device") or "cpu"
    engine = engine_of(parent, how.get("engine"), device)
    way = name_of(engine, how.get("precision") or "float32"), device
    weights, locks = store.load_weights(parent, *way), Locks(store)
    try:
        while weights is None and not locks.take(parent.key):
            time.sleep(0.5)
            on_wait(0.5)
            weights = store.load_weights(parent, *way)
        weights = weights or store.load_weights(parent, *way)  # kept just before our lock
        if weights is None:
            start = start_of(parent, store, train, threads, how, on_wait, checkpoints)
            states = {} if checkpoints is None else {"checkpoints": checkpoints}
            run = train(parent, threads=threads, **how, **start, **states)
            store.save_weights(run)
            weights = run.parameters
            if checkpoints is not None:
                checkpoints.remove(parent)
    finally:
        locks.close()
    return {"start": weights}


def load_model(
    spec: RunSpec, store: Store | None = None, *, threads: int | None = None, train=None
) -> "Transformer":
    """The trained PyTorch model of a run, from this machine's cache or else trained again.

    Training again gives the same bits on the same machine and takes as long as it took
    (`lib.sweeps.plan.estimate`); on another machine the model is as good but not the same.
    """
    import torch

    from lib.data import build
    from lib.model import build_model

    store = store or Store()
    weights = store.load_weights(spec)
    if weights is None:
        if train is None:
            from lib.train import train
        start = start_of(spec, store, train, threads or cores())
        run = train(spec, threads=threads or cores(), **start)
        store.save_weights(run)
        weights = run.parameters
    model = build_model(spec, build(spec))
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return model
