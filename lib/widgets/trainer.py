"""The trainer behind sliders: with a kernel it trains, in a static page it shows a record.

The training runs in a thread; its compiled loops release the interpreter, so the kernel
answers meanwhile and the Stop button works.  It ends at the next evaluation.
"""

import threading
import time
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from lib.analysis import dynamics
from lib.paper.recipe import BASE
from lib.runs.store import Store
from lib.spec import RunSpec, SpecError
from lib.widgets.explorers import JS, source

CHOICES = {
    "task": ("add", "square", "random"),
    "d_model": (4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 100),
    "train_size": tuple(range(1000, 6001, 200)),
    "lr": (3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2),
    "weight_decay": (0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0),
    "epochs": (500, 1000, 2000, 5000, 10_000, 20_000, 40_000),
    "seed": tuple(range(21)),
}
"""What the sliders offer, by field of `RunSpec`."""


_SHOWN = ("train_accuracy", "val_accuracy", "train_loss", "val_loss", "param_norm")
_EVERY = 0.15  # seconds between two drawings


class _Stopped(Exception):
    """Raised in the training thread when Stop was pressed."""


class Trainer(anywidget.AnyWidget):
    """Sliders for a `RunSpec`, a Train and a Stop button, curves that grow, a Keep button.

    Attributes:
        meta: the choices, the start values and, if there is one, the recorded run.
        run: what the front end draws: `phase` ("idle", "training", "done", "stopped",
            "failed"), the curve so far, seconds spent and left, the zone, a message.
        finished: the last whole `lib.runs.run.Run`, or None.
    """

    _esm = source("trainer")
    _css = (JS / "widgets.css").read_text("utf-8")
    meta = traitlets.Dict().tag(sync=True)
    run = traitlets.Dict().tag(sync=True)

    def __init__(self, start: RunSpec = BASE, store: Store | None = None, threads: int = 1):
        super().__init__(run={"phase": "idle"})
        self._store, self._threads = store, threads
        self.finished = None
        self._thread, self._stop = None, threading.Event()
        self.meta = dict(
            choices={name: sorted({*values, getattr(start, name)}) if name != "task"
                     else list(values) for name, values in CHOICES.items()},
            start={name: getattr(start, name) for name in CHOICES},
            recorded=self._recorded(start),
        )  # fmt: skip
        self.on_msg(self._receive)

    def _recorded(self, spec: RunSpec) -> dict | None:
        """The stored run of a spec as the front end draws it, or None."""
        try:
            curve = (self._store or Store()).curve(spec)
        except KeyError:
            return None
        return _drawn(spec, curve) | {"phase": "recorded", "zone": dynamics.zone(curve)}

    def _receive(self, _, content: dict, buffers=None) -> None:
        """A message from the front end: the kernel is there, so something can be done."""
        match content.get("do"):
            case "hello":  # a static page gets no answer
                self.send({"alive": True})
            case "train":
                self.train(**content["values"])
            case "stop":
                self.stop()
            case "keep":
                self.keep()

    def train(self, **values) -> None:
        """Start training in a thread; does nothing while one trains."""
        if self._thread and self._thread.is_alive():
            return
        try:
            spec = RunSpec(**values)
        except SpecError as error:
            self.run = {"phase": "failed", "message": str(error)}
            return
        self._stop.clear()
        self.finished = None
        # Set here: the front end must not see "idle" again after a press of the button.
        self.run = _drawn(spec) | {"phase": "training", "message": "starting …"}
        self._thread = threading.Thread(target=self._work, args=(spec,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the training at its next evaluation."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the training has ended (for scripts and tests)."""
        if self._thread:
            self._thread.join(timeout)

    def keep(self) -> Path | None:
        """Put the finished run into the store.  Returns its file, None if there is no run."""
        if self.finished is None:
            return None
        try:
            path = (self._store or Store()).add(self.finished)
        except OSError as error:
            self.run = self.run | {"message": f"it could not be kept: {error.strerror or error}"}
            return None
        self.run = self.run | {"kept": True, "message": f"kept: {self.finished.spec.label()}"}
        return path

    def _work(self, spec: RunSpec) -> None:
        from lib.train import train  # compiles: not before it is needed

        rows, shown = [], 0.0

        def progress(now):
            nonlocal shown
            if self._stop.is_set():
                raise _Stopped
            rows.append((now.epoch, now.train_accuracy, now.val_accuracy, now.seconds))
            if time.monotonic() - shown >= _EVERY:
                shown = time.monotonic()
                state = {"phase": "training", "left": _left(rows, spec)}
                self.run = _drawn(spec, _so_far(rows)) | state

        try:
            run = train(spec, threads=self._threads, on_progress=progress)
        except _Stopped:
            curve = _so_far(rows)
            zone = dynamics.zone(curve) if rows else "unlearned"
            self.run = _drawn(spec, curve) | {"phase": "stopped", "zone": zone}
        except Exception as error:  # whatever it is, the reader has to see it
            self.run = {"phase": "failed", "message": f"{type(error).__name__}: {error}"}
        else:
            self.finished = run
            state = {"phase": "done", "zone": dynamics.zone(run.curve), "seconds": run.wall_seconds}
            self.run = _drawn(spec, run.curve) | state


def _so_far(rows: list[tuple]) -> dict:
    """The curve of a training that has not ended: accuracies only."""
    table = np.array(rows, float).reshape(-1, 4)
    names = ("epoch", "train_accuracy", "val_accuracy")
    # No loss is reported on the way; the accuracies decide the zone.
    return dict(zip(names, table.T)) | {"train_loss": np.zeros(len(table))}


def _left(rows: list[tuple], spec: RunSpec) -> float | None:
    """Seconds until epoch T, from the pace of the last evaluations."""
    if len(rows) < 3:
        return None
    before, last = rows[-min(len(rows), 20)], rows[-1]
    return (last[3] - before[3]) / (last[0] - before[0]) * (spec.epochs - last[0])


def _drawn(spec: RunSpec, curve=None) -> dict:
    """A curve as plain JSON, NaN as None, with the values that the sliders had."""
    found = {}
    for name in ("epoch", *_SHOWN):
        values = np.asarray([] if curve is None or name not in curve else curve[name], float)
        found[name] = [float(f"{v:.6g}") if np.isfinite(v) else None for v in values]
    if not any(found["val_loss"]):  # a curve on the way
        found["train_loss"] = []
    return {"curve": found, "spec": {name: getattr(spec, name) for name in CHOICES}}


def trainer(start: RunSpec = BASE, **options) -> Trainer:
    """The widget for a chapter: `start` is the setting that it opens with, and the record."""
    return Trainer(start, **options)
