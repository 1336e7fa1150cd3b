"""The lab: networks that train in the reader's browser, on the kernel compiled for it.

`bundle` is one classic script with all that it needs inside, the compiled kernel and the
workers' code too, so that it works from file:// and without a network.  A page that has an
element of class `grokking-lab` gets it (`book/_ext/in_page.py`).
"""

import base64
import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lib.analysis import dynamics
from lib.circuits import fourier
from lib.engines.wasm import module as wasm
from lib.paper.recipe import BASE, DYNAMICS, STOP_AFTER
from lib.runs.store import Store
from lib.widgets.packing import pack
from lib.widgets.presets import CHOICES, GRID, PRESETS, RACES

JS = Path(__file__).parent / "js"
WORKER = ("schedule", "engine", "worker")
ONE = ("schedule", "run", "setting", "pictures", "inside", "single")
PAGE = (*ONE, "page", "race", "grid", "mount")
NOTEBOOK = (*ONE, "notebook")

RECIPE = ("beta1", "beta2", "eps")
STORED_SEEDS = 3
"""Of the book's four dynamics so many runs each travel with the lab, for comparison."""


_SCRIPT = "const SCRIPT = document.currentScript && document.currentScript.src;"


def _read(name: str) -> str:
    return (JS / name).read_text("utf-8")


def code(names: tuple[str, ...]) -> str:
    """Some files of the front end after what draws: `NOTEBOOK` is an ES module for `anywidget`."""
    return "\n".join([_read("draw.js"), *(_read(f"lab/{name}.js") for name in names)])


def stored_runs(store: Store | None = None) -> tuple[list[int], list[dict[str, Any]]]:
    """Epochs, and the book's own runs of the four dynamics, accuracies packed as text."""
    store, found, epochs = store or Store(), [], []
    keys = store.keys()
    for d, size in DYNAMICS.values():
        for seed in range(STORED_SEEDS):
            spec = BASE.replace(d_model=d, train_size=size, seed=seed)
            specs = [s for s in (spec, spec.replace(stop_after=STOP_AFTER)) if s.key in keys]
            if not specs:
                continue
            curve = store.curve(specs[0])
            own = np.asarray(curve["epoch"]).tolist()
            epochs = max(epochs, own, key=len)
            names = ("task", "modulus", "train_size", "d_model", "lr", "weight_decay", "seed")
            found.append(
                {name: getattr(spec, name) for name in names}
                | {"n": len(own)}
                | {part: _packed(curve[f"{part}_accuracy"]) for part in ("train", "val")}
            )
    return epochs, found


def _packed(values) -> str:
    return base64.b64encode(pack(np.asarray(values), "accuracy").tobytes()).decode()


def facts(page: str | None = None, store: Store | None = None) -> dict[str, Any]:
    """What the front end has to know of the project.

    page: where links to a setting lead, from the script on; by default to the same page.
    """
    epochs, stored = stored_runs(store)
    recipe = {name: value for name, value in asdict(BASE).items() if value is not None}
    thresholds = dict(
        perfect=dynamics.PERFECT, generalized=dynamics.GENERALIZED, zero=dynamics.ZERO,
        together=dynamics.TOGETHER, no_zone=dynamics.NO_ZONE,
        key_share=fourier.KEY_SHARE, above_noise=fourier.ABOVE_NOISE,
    )  # fmt: skip
    return dict(
        **wasm.noted()["layout"], recipe=recipe, fixed={name: recipe[name] for name in RECIPE},
        thresholds=thresholds, choices=CHOICES, presets=PRESETS, races=RACES, grid=GRID,
        stored_epochs=epochs, stored=stored, page=page,
    )  # fmt: skip


def _compressed(module: bytes) -> str:
    return base64.b64encode(gzip.compress(module, 9, mtime=0)).decode()


def bundle(page: str | None = None, store: Store | None = None) -> str:
    """The whole script."""
    kernels = [_compressed(path.read_bytes()) for path in (wasm.RELAXED, wasm.MODULE)]
    worker = "\n".join(_read(f"lab/{name}.js") for name in WORKER)
    constants = dict(KERNELS=kernels, FACTS=facts(page, store), WORKER=worker, STYLE=style())
    head = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    return "\n".join(['(function () {\n"use strict";', _SCRIPT, *head, code(PAGE), "})();\n"])


def style() -> str:
    """The style sheet of the lab."""
    return _read("widgets.css") + _read("lab/lab.css")
