"""The kernel in a page against its opponents, in headless Chromium and in one sitting.

`python -m lib bench --browser`.  Ours in the page; ours native, one core; the same algebra in
plain JavaScript with typed arrays (`js/plain.js`); the textbook model in jax-js on its
WebAssembly backend (`js/jax.js`; installed by npm into the cache).  All start from the same
weights, and their first losses are compared before anything is timed.  Times are the best of
many single epochs, so that other work on the machine counts as little as it can.
"""

import base64
import functools
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from lib.data import build
from lib.engines.kernel.engine import Engine
from lib.engines.wasm.module import MODULE, noted
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


def native(spec: RunSpec, seconds: float) -> tuple[float, list[float]]:
    """Milliseconds an epoch on one core, and the first losses."""
    engine, losses, least = Engine(spec, build(spec)), [], float("inf")
    for _ in range(4):
        losses.append(engine.evaluate("train")[0])
        engine.advance(1)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not np.isfinite(least):
        began = time.perf_counter()
        engine.advance(1)
        least = min(least, time.perf_counter() - began)
    return 1e3 * least, losses


def jax_js() -> Path | None:
    """The folder of jax-js, installed once into the cache; None where npm cannot."""
    folder = default_cache() / "jax-js"
    found = folder / "node_modules/@jax-js/jax/dist"
    if not found.is_dir() and shutil.which("npm"):
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), JAX]
        subprocess.run(command, check=False, capture_output=True)
    return found if found.is_dir() else None


@contextmanager
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


def measure(widths=WIDTHS, seconds: float = 5.0) -> Iterator[Row]:
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
    work = json.dumps(job(spec))
    kernel = base64.b64encode(MODULE.read_bytes()).decode()
    facts = json.dumps(noted()["layout"])
    ms, losses = native(spec, seconds)
    own = page.evaluate(f"() => ours({work}, {facts}, '{kernel}', {seconds})")
    plain = page.evaluate(f"() => plain({work}, {seconds})")
    other = page.evaluate(f"() => jaxjs({work}, {seconds})") if jax else None
    for name, found in (("page", own), ("plain JavaScript", plain), ("jax-js", other)):
        if found and not np.allclose(found["losses"][:4], losses, rtol=1e-3):
            raise UserError(f"{name} at d_model {spec.d_model} is another model: {found['losses']}")
    return Row(spec.d_model, own["ms"], ms, plain["ms"], other and other["ms"])


def busy() -> str | None:
    """A warning where other work runs on this machine."""
    load, cores = os.getloadavg()[0], os.cpu_count()
    if load < 0.3 * cores:
        return None
    return f"warning: the machine is busy (load {load:.1f} on {cores} cores); times are too long"


def show(widths=WIDTHS) -> None:
    """Print the table."""
    if said := busy():
        click.echo(said, err=True)
    click.echo("| d_model | page, ms | native, one core | plain JavaScript | jax-js |")
    click.echo("|--:|--:|--:|--:|--:|")
    for row in measure(widths):
        jax = "–" if row.jax is None else f"{row.jax:.0f} ({row.jax / row.page:.0f}×)"
        click.echo(
            f"| {row.d_model} | {row.page:.2f} | {row.native:.2f} ({row.native / row.page:.0%}) "
            f"| {row.plain:.1f} ({row.plain / row.page:.1f}×) | {jax} |"
        )
