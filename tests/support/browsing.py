"""What the browser tests share: a Chromium without a network, the built book, opening a page."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

HUNG = 600_000
"""Milliseconds after which a page counts as hung; how fast it is no test asks."""

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"


def missing(reason):
    """Skips, or fails where the environment says that the browser tests must run."""
    if os.environ.get("REQUIRE_BROWSER", "") not in ("", "0"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def pages():
    """Paths of all built pages, relative to the HTML folder."""
    if not (HTML / "index.html").is_file():
        missing("there is no built book: run `make book` first")
    found = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return sorted(path.as_posix() for path in found if path.parts[0] != "_static")


@pytest.fixture(scope="session")
def kinds(pages):
    """The same, with one page for all the listings of sources: they differ in their code alone."""
    sources = [path for path in pages if path.startswith("_modules/lib")]
    return [path for path in pages if path not in sources[1:]]


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that resolves no name and so reaches nothing but this machine."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, filter(None, names))), None)
    if path is None:
        missing(
            "no browser: install Chromium (Debian, Ubuntu: apt-get install chromium)"
            " or name one in the environment variable CHROMIUM"
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server():
    """Serves the built book; the value is its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            # A browser asks for this by itself where a page (the redirect) names no icon.
            if self.path == "/favicon.ico":
                self.send_response(204)
                self.end_headers()
            else:
                super().do_GET()

    handler = functools.partial(Quiet, directory=str(HTML))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=["http", "file"])
def base(request):
    """Where the book is read from: a local server, or the files themselves."""
    return HTML.as_uri() if request.param == "file" else request.getfixturevalue("server")


SERVED = pytest.mark.parametrize("base", ["http"], indirect=True)
"""For a test of what does not depend on where a page comes from."""


def new_context(browser, width=1280, height=900, **options):
    """A browser window of its own that waits for slow pages."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(HUNG)
    return context


@pytest.fixture(scope="module")
def context(browser):
    context = new_context(browser)
    yield context
    context.close()


def visit(context, base, path):
    """Opens a page and waits until it is drawn: the page, and the list of what goes wrong."""
    page, problems = context.new_page(), []

    def on_request(request):
        if not request.url.startswith((base, "data:", "blob:")):
            problems.append(f"request to {request.url}")

    def on_response(response):
        if response.status >= 400:
            problems.append(f"status {response.status} for {response.url}")

    def on_console(message):
        if message.type == "error":
            problems.append(f"console: {message.text}")

    page.on("request", on_request)
    page.on("response", on_response)

    def on_failure(request):
        swapped = request.url.endswith(".svg") and "ERR_ABORTED" in str(request.failure)
        if not swapped:  # a picture that gives way to its other variant while it loads
            problems.append(f"failed: {request.url} {request.failure}")

    page.on("requestfailed", on_failure)
    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.goto(f"{base}/{path}", wait_until="load")
    page.wait_for_function(DRAWN)
    page.evaluate(AT_REST)
    return page, problems


DRAWN = """() => {
    const places = [...document.querySelectorAll('.widget-subarea')];
    const views = "script[type='application/vnd.jupyter.widget-view+json']";
    return places.length === document.querySelectorAll(views).length
        && places.every(e => e.querySelector('*'));
}"""
"""Asked at every frame, so it asks no more than this."""

AT_REST = "() => new Promise(then => requestAnimationFrame(() => requestIdleCallback(then)))"
"""Icons become drawings in the frames after a page has loaded."""

FACTS = """async () => {
    const all = selector => [...document.querySelectorAll(selector)];
    await Promise.all(all('.bd-content img').map(e => e.decode().catch(() => null)));
    return {
        formulas: all('.math > *').length,
        broken_formulas: all('.math').filter(e => e.textContent.includes('\\\\')).length,
        images: all('.bd-content :is(figure img, div.cell_output img)').map(e => ({
            source: e.src.slice(0, 80), width: e.naturalWidth, alt: e.alt,
            widget: !!e.closest('.jupyter-widgets')})),
        drawings: all('.bd-content div.cell_output :is(img, svg, canvas, table)').length,
        downloads: all('a.download[download]').map(e => decodeURI(new URL(e.href).pathname)),
        over: document.documentElement.scrollWidth - window.innerWidth,
        loaded: performance.getEntriesByType('resource').map(e => e.name),
        icons: all('.fa-solid, .fa-lg').length, undrawn_icons: all('i.fa-solid').length,
    };
}"""
