"""The kernel in a page against its opponents, in headless Chromium and in one sitting.

`python -m lib bench --browser`.  Ours in the page; ours native, one core; the same algebra in
plain JavaScript with typed arrays (`js/plain.js`); the textbook model in jax-js on its
WebAssembly backend (`js/jax.js`; installed by npm into the cache).  All start from the same
weights, and their first losses are compared before anything is timed.  Times are processor
time, the best of five batches, so that other work on the machine counts as little as it can;
ratios are to our build with fused multiply-adds, where a browser has them.
"""

import base64
import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from lib.data import build
from lib.engines.kernel.engine import Engine
from lib.engines.wasm.module import MODULE, RELAXED, noted
from lib.errors import UserError
from lib.initial import initial_values
from lib.paths import default_cache
from lib.spec import RunSpec
from lib.widgets.lab import JS

HERE = Path(__file__).parent / "js"
WIDTHS = (8, 16, 32, 64)
JAX = "@jax-js/jax@0.1.25"
SCRIPTS = (JS / "lab/schedule.js", JS / "lab/engine.js", HERE / "plain.js", HERE / "page.js")
_HYPER = ("lr", "weight_decay", "beta1", "beta2", "eps")
_SETTING = ("task", "modulus", "train_size", "memorize_size", "d_model", "seed", *_HYPER)


@dataclass(frozen=True)
class Row:
    """Milliseconds an epoch at one width; None where an opponent does not run."""

    d_model: int
    page: float
    relaxed: float  # of the build that a browser with fused multiply-adds takes: ours
    native: float
    plain: float
    jax: float | None


def job(spec: RunSpec) -> dict:
    """Data and starting weights of a run, for a page."""
    data = build(spec)
    values = initial_values(spec, data)
    return dict(
        d=spec.d_model, heads=spec.n_heads, modulus=spec.modulus,
        tokens=data.train.tokens[:, :2].ravel().tolist(), labels=data.train.labels.tolist(),
        parameters={name.split(".")[-1]: v.ravel().tolist() for name, v in values.items()},
        shapes={name.split(".")[-1]: list(v.shape) for name, v in values.items()},
        setting={name: getattr(spec, name) for name in _SETTING},
        **{name: getattr(spec, name) for name in _HYPER},
    )  # fmt: skip


def best(clock, epochs, seconds: float) -> float:
    """Milliseconds of processor time an epoch, the best of five batches.

    clock: seconds so far; epochs(n): trains so many; seconds: of one batch, about.
    """
    epochs(3)  # warm up
    count, spent = 1, 0.0
    while spent < seconds / 4:
        if count > 1 << 24:
            raise UserError("no time is counted: the browser's processes are not found by name")
        count, began = 2 * count, clock()
        epochs(count)
        spent = clock() - began
    count, least = max(1, int(count * seconds / spent)), float("inf")
    for _ in range(5):
        began = clock()
        epochs(count)
        least = min(least, (clock() - began) / count)
    return 1e3 * least


def native(spec: RunSpec, seconds: float) -> tuple[float, list[float]]:
    """Milliseconds an epoch on one core, and the first losses."""
    engine, losses = Engine(spec, build(spec)), []
    for _ in range(4):
        losses.append(engine.evaluate("train")[0])
        engine.advance(1)
    return best(time.thread_time, engine.advance, seconds), losses


def _processor_seconds() -> float:
    """Of all processes of the browser."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name().lower():  # "Google Chrome" on macOS
                total += sum(process.cpu_times()[:2])
    return total


def jax_js() -> Path | None:
    """The folder of jax-js, installed once into the cache; None where npm cannot."""
    folder = default_cache() / "jax-js"
    found = folder / "node_modules/@jax-js/jax/dist"
    if not found.is_dir() and shutil.which("npm"):
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), JAX]
        subprocess.run(command, check=False, capture_output=True)
    return found if found.is_dir() else None


@contextlib.contextmanager
def _page(folder: Path):
    """An open page with the scripts, from a server of its own: modules do not load from files."""
    from playwright.sync_api import sync_playwright

    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, filter(None, names))), None)
    if path is None:
        raise UserError("no browser: install Chromium, or name one in CHROMIUM")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(0)
            page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
            yield page
            browser.close()
        server.shutdown()


def measure(widths=WIDTHS, seconds: float = 0.5) -> Iterator[Row]:
    """One `Row` a width.  Raises UserError where losses differ: then times mean nothing."""
    jax = jax_js()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripts = "\n".join(path.read_text("utf-8") for path in SCRIPTS)
        (folder / "bench.js").write_text(scripts, "utf-8")
        (folder / "index.html").write_text('<script src="bench.js"></script>', "utf-8")
        shutil.copy(HERE / "jax.js", folder)
        if jax:
            shutil.copytree(jax, folder / "jax-js")
        with _page(folder) as page:
            for width in widths:
                yield _row(page, RunSpec(d_model=width, train_size=3000), jax, seconds)


def _row(page, spec: RunSpec, jax: Path | None, seconds: float) -> Row:
    work, facts = job(spec), noted()["layout"]
    ms, expected = native(spec, seconds)
    found = {}
    for kind, build_ in (("page", MODULE), ("relaxed", RELAXED), ("plain", None), ("jax", None)):
        if kind == "jax" and not jax:
            continue
        more = [facts, base64.b64encode(build_.read_bytes()).decode()] if build_ else []
        name = "page" if build_ else kind
        losses = page.evaluate("a => start(...a)", [name, work, *more])
        if not np.allclose(losses, expected, rtol=1e-3):
            raise UserError(f"{kind} at d_model {spec.d_model} is another model: {losses}")
        epochs = functools.partial(page.evaluate, "n => epochs(n)")
        found[kind] = best(_processor_seconds, epochs, seconds)
    return Row(spec.d_model, native=ms, jax=found.pop("jax", None), **found)


def table(widths=WIDTHS) -> Iterator[str]:
    """The lines of the table, each as soon as it is measured."""
    yield "| d_model | page, ms | relaxed SIMD | native, one core | plain JavaScript | jax-js |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for row in measure(widths):
        jax = "–" if row.jax is None else f"{row.jax:.0f} ({row.jax / row.relaxed:.0f}×)"
        yield (
            f"| {row.d_model} | {row.page:.2f} | {row.relaxed:.2f} "
            f"| {row.native:.2f} ({row.native / row.relaxed:.0%}) "
            f"| {row.plain:.1f} ({row.plain / row.relaxed:.1f}×) | {jax} |"
        )
