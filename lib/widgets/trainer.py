"""The lab in a notebook: the front end of `lib.widgets.lab`, trained by the notebook's kernel.

In a page a worker trains; here a thread does, and says the same things in the same words
(`js/lab/worker.js`).  Its compiled loops release the interpreter, so the kernel answers
meanwhile; Pause and Stop take effect at the next evaluation.
"""

import math
import threading
import time
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lib.data import build
from lib.paper.recipe import BASE
from lib.runs.run import Progress, Run
from lib.runs.store import Store
from lib.spec import KNOBS, RunSpec, SpecError
from lib.widgets import lab
from lib.widgets.inside import Inside
from lib.widgets.presets import CHOICES

WIDER = CHOICES | {"d_model": [*CHOICES["d_model"], 160, 192, 256]}
"""What the sliders offer where a kernel trains."""


class _Ended(Exception):
    """Raised in the training thread when nobody wants the rest."""


class Training:
    """One run in its thread.

    Attributes:
        finished: the whole `lib.runs.run.Run`, once there is one.
    """

    def __init__(self, message: dict[str, Any], threads: int, say):
        setting = dict(message["setting"], epochs=message["epochs"], n_evals=message["evals"])
        self.spec, self._threads, self._say = RunSpec(**setting), threads, say
        self._every = message.get("every", 200) / 1000
        self._inside, self._lock = Inside(self.spec, build(self.spec)), threading.Lock()
        self._go, self._ended = threading.Event(), threading.Event()
        self._points: list[dict] = []
        self._viewed, self._pace = -math.inf, (0, 0.0, 0.0)
        self.finished: Run | None = None
        self.thread = threading.Thread(target=self._work, daemon=True)
        self._go.set()

    def receive(self, message: dict[str, Any]) -> None:
        """What the front end asks of a run that has begun."""
        match message["do"]:
            case "pause":
                self._go.clear()
            case "resume":
                self._go.set()
            case "end":
                self._ended.set()
                self._go.set()
            case "ask":
                with self._lock:
                    self._say("answer", **self._inside.ask(message["a"], message["b"]))
            case "lesion":
                with self._lock:
                    self._say("lesion", **self._inside.lesion(message["frequencies"]))

    def _work(self) -> None:
        from lib.train import train  # compiles: not before it is needed

        how = dict(threads=self._threads, on_evaluation=self._look, on_progress=self._tell)
        try:
            self.finished = train(self.spec, **how)
        except _Ended:
            return
        except Exception as error:  # whatever it is, the reader has to see it
            return self._say("failed", message=f"{type(error).__name__}: {error}")
        self._report()
        self._view()
        self._say("done")

    def _look(self, epoch: int, weights: dict) -> None:
        with self._lock:
            self._inside.load(epoch, weights)

    def _tell(self, now: Progress) -> None:
        finite = {n: v if math.isfinite(v) else None for n, v in now.latest.items()}
        self._points.append(finite)
        epoch, seconds, shown = self._pace
        if time.monotonic() - shown >= self._every / 2:
            rate = (now.epoch - epoch) / max(now.seconds - seconds, 1e-9)
            self._report(rate if now.epoch else 0.0)
            self._pace = now.epoch, now.seconds, time.monotonic()
        if time.monotonic() - self._viewed > self._every:
            self._view()
        if not self._go.is_set():
            self._report()  # so that the page shows where it stands
            self._view()
        self._go.wait()
        if self._ended.is_set():
            raise _Ended

    def _report(self, speed: float = 0.0) -> None:
        if self._points:
            self._say("points", points=self._points, speed=speed)
        self._points = []

    def _view(self) -> None:
        """The pictures; they may take a fifth of the time."""
        began = time.monotonic()
        with self._lock:
            rest = dict(spectra=self._inside.spectra()) if self._inside.waves else {}
            self._say("view", [self._inside.field().tobytes()], epoch=self._inside.epoch, **rest)
        now = time.monotonic()
        self._viewed = now + max(0.0, 4 * (now - began) - self._every)


class Trainer(anywidget.AnyWidget):
    """The lab's view of one network, with this kernel as its engine, and a Keep button.

    Attributes:
        facts: what the front end has to know (`lib.widgets.lab.facts`).
        start: the setting that it opens with.

    Raises:
        SpecError: for a start that differs from the book's in a field without a control.
    """

    _esm = lab.code(lab.NOTEBOOK)
    _css = lab.style()
    facts = traitlets.Dict().tag(sync=True)
    start = traitlets.Dict().tag(sync=True)

    def __init__(self, start: RunSpec = BASE, store: Store | None = None, threads: int = 1):
        facts = lab.facts(store=store) | {"choices": WIDER}
        names = ("task", *CHOICES, "train_size", "memorize_size", "seed")
        if lost := [n for n in KNOBS if n not in names and getattr(start, n) != getattr(BASE, n)]:
            raise SpecError(f"the trainer in a notebook has no {', '.join(lost)}")
        super().__init__(facts=facts, start={name: getattr(start, name) for name in names})
        self._store, self._threads = store, threads
        self._training: Training | None = None
        self._run = None  # its number
        self.on_msg(self._receive)

    @property
    def finished(self) -> Run | None:
        """The run that was trained last, if it was trained to its end."""
        return self._training and self._training.finished

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the training has ended (for scripts and tests)."""
        if self._training:
            self._training.thread.join(timeout)

    def keep(self) -> Path:
        """Put the finished run into the store.  Returns its file."""
        return (self._store or Store()).add(self.finished)

    def _receive(self, _, message: dict, buffers=None) -> None:
        """A message from the front end, of one run by its number."""
        run = message.get("run")

        def say(what, buffers=None, **rest):
            self.send(dict(what=what, run=run, **rest), buffers)

        if message["do"] == "hello":  # a static page gets no answer
            return say("alive")
        try:
            if message["do"] == "start":
                self._begin(message, say)
            elif run != self._run:  # of one that is over
                if message["do"] in ("ask", "lesion", "keep"):
                    say("failed", message="another view of this notebook has trained since")
            elif message["do"] == "keep":
                self.keep()
                say("kept", label=self.finished.spec.label())
            else:
                self._training.receive(message)
        except SpecError as error:
            say("failed", message=str(error))
        except OSError as error:
            say("kept", problem=f"it could not be kept: {error.strerror or error}")

    def _begin(self, message: dict, say) -> None:
        if self._training:  # one at a time: what nobody looks at any more ends
            if self._training.thread.is_alive():
                self._say("failed", message="another view of this notebook trains a network now")
            self._training.receive({"do": "end"})
            self._training.thread.join()
        self._training = Training(message, self._threads, say)
        self._run, self._say = message["run"], say
        self._training.thread.start()
