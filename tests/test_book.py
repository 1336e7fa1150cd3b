"""The built book in a real browser: every page works, alone and without a network."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"

SHOWN = """() => [...document.querySelectorAll('.bd-content div.cell_output')].map(cell =>
    [...cell.querySelectorAll('img, svg, canvas, .jupyter-widgets')]
        .filter(e => e.getClientRects().length && !e.closest('.widget-readout, .noUi-target'))
        .map(e => e.tagName === 'CANVAS' ? e.toDataURL() : e.src || e.innerHTML)
        .join('\\n'))"""
"""What each output cell shows, as text: pictures, drawings, canvases."""


def missing(reason):
    """Skips, or fails where the environment says that the browser tests must run."""
    if os.environ.get("REQUIRE_BROWSER", "") not in ("", "0"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def pages():
    """Paths of all built pages, relative to the HTML folder."""
    if not (HTML / "index.html").is_file():
        missing("there is no built book: run `make book` first")
    found = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return sorted(path.as_posix() for path in found if path.parts[0] != "_static")


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


@pytest.fixture(scope="module")
def server():
    """Serves the built book; the value is its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

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


@pytest.fixture(scope="module")
def context(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
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
    page.on("requestfailed", lambda r: problems.append(f"failed: {r.url} {r.failure}"))
    page.on("console", on_console)
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.goto(f"{base}/{path}", wait_until="load")
    page.wait_for_function(f"() => ({FACTS})().drawn", timeout=20_000)
    page.wait_for_load_state("networkidle")
    return page, problems


FACTS = """() => {
    const all = selector => [...document.querySelectorAll(selector)];
    const views = all("script[type='application/vnd.jupyter.widget-view+json']").length;
    const formulas = all('.math').length;
    return {
        drawn: all('.widget-subarea').length === views
            && all('.math mjx-container').length >= formulas
            && all('.widget-subarea').every(e => e.querySelector('*')),
        views, formulas, broken_formulas: all('mjx-merror').length,
        images: all('.bd-content :is(figure img, div.cell_output img)').map(e => ({
            source: e.src.slice(0, 80), width: e.naturalWidth, alt: e.alt,
            widget: !!e.closest('.jupyter-widgets')})),
        drawings: all('.bd-content div.cell_output :is(img, svg, canvas)').length,
        downloads: all('a.download[download]').map(e => decodeURI(new URL(e.href).pathname)),
        over: document.documentElement.scrollWidth - window.innerWidth,
    };
}"""


@pytest.fixture(scope="module")
def facts(pages, context, base):
    """Path -> what a page holds once it is drawn, and what went wrong meanwhile."""
    found = {}
    for path in pages:
        page, problems = visit(context, base, path)
        for image in page.locator(".bd-content img").all():
            image.evaluate("e => e.decode().catch(() => null)")
        found[path] = page.evaluate(FACTS)
        page.set_viewport_size({"width": 390, "height": 800})
        page.wait_for_timeout(100)
        found[path] |= {"over_on_a_phone": page.evaluate(FACTS)["over"], "problems": problems}
        page.close()
    return found


def chapters(facts):
    found = {path: fact for path, fact in facts.items() if path.startswith("book/chapters/")}
    assert found
    return found.items()


def test_no_page_has_an_error_or_asks_another_host(facts):
    assert {path: fact["problems"] for path, fact in facts.items() if fact["problems"]} == {}


def test_every_formula_is_typeset(facts):
    assert sum(fact["formulas"] for fact in facts.values())
    assert {path for path, fact in facts.items() if fact["broken_formulas"]} == set()


def test_every_figure_is_there_and_described(facts):
    images = [(path, image) for path, fact in facts.items() for image in fact["images"]]
    assert images
    for path, image in images:
        assert image["width"] > 0, f"{path}: {image['source']} does not load"
        described = len(image["alt"]) > 20 and "_images/" not in image["alt"]
        assert image["widget"] or described, f"{path}: {image['source']} has no alternative text"


def test_every_chapter_has_a_figure_and_its_downloads(facts):
    for path, fact in chapters(facts):
        assert fact["drawings"], f"{path} shows nothing"
        assert {".ipynb", ".py"} <= {Path(target).suffix for target in fact["downloads"]}, path
        for target in fact["downloads"]:
            assert (HTML / target[target.index("_downloads/") :]).is_file(), f"{path}: {target}"


@pytest.mark.parametrize("where", ["over", "over_on_a_phone"])
def test_no_page_scrolls_sideways(facts, where):
    assert {path: fact[where] for path, fact in facts.items() if fact[where] > 0} == {}


def test_sliders_answer_to_the_keyboard(facts, context, base):
    moved = 0
    for path, _ in chapters(facts):
        page, problems = visit(context, base, path)
        for slider in page.locator(".jupyter-widgets [role=slider]").all():
            before, value = page.evaluate(SHOWN), slider.get_attribute("aria-valuenow")
            at_end = value == slider.get_attribute("aria-valuemax")
            slider.focus()
            page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
            page.wait_for_timeout(300)
            assert slider.get_attribute("aria-valuenow") != value, f"{path}: a slider is stuck"
            assert page.evaluate(SHOWN) != before, f"{path}: a slider moves, nothing changes"
            moved += 1
        assert not problems, path
        page.close()
    assert moved
