"""The built book in a real browser: every page works, alone and without a network."""

import gzip
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from browsing import FACTS, HTML, visit

SHOWN = """() => [...document.querySelectorAll('.bd-content div.cell_output')].map(cell =>
    [...cell.querySelectorAll('img, svg, canvas, .jupyter-widgets')]
        .filter(e => e.getClientRects().length && !e.closest('.widget-readout, .noUi-target'))
        .map(e => e.tagName === 'CANVAS' ? e.toDataURL() : e.src || e.innerHTML)
        .join('\\n'))"""
"""What each output cell shows, as text: pictures, drawings, canvases."""

CHANGED = f"before => JSON.stringify(({SHOWN})()) !== JSON.stringify(before)"


@pytest.fixture(scope="module")
def facts(kinds, context, base):
    """Path -> what a page holds once it is drawn, and what went wrong meanwhile."""
    found = {}
    for path in kinds:
        if path == "404.html" and base.startswith("file:"):
            continue  # a server shows it at any address, so it is the one page with rooted links
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


def test_a_page_weighs_less_than_two_megabytes_in_all(facts, base):
    """Compressed: the page, and every script, style, font and picture that it loads."""
    if base.startswith("file:"):
        pytest.skip("browsers do not say what a page loads from files")
    for path, fact in chapters(facts):
        files = {HTML / path}
        for url in fact["loaded"]:
            if url.startswith(f"{base}/"):
                files.add(HTML / unquote(url.removeprefix(f"{base}/").split("?")[0]))
        weight = sum(len(gzip.compress(file.read_bytes())) for file in files)
        assert len(files) > 5 and weight < 2_000_000, f"{path}: {weight:,} bytes"


def test_every_icon_is_drawn(facts):
    """Font Awesome's script, of which only what is used is left, makes an SVG of each."""
    assert all(fact["icons"] and not fact["undrawn_icons"] for fact in facts.values())


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


def test_every_link_to_a_file_of_the_book_finds_it(pages):
    """The theme's buttons, too, which no page names."""
    local = re.compile(r'<a [^>]*href="(?![a-z]+:|/|#)([^"#?]+)')
    lost = {
        (path, target)
        for path in pages
        if path != "_modules/index.html"  # Sphinx lists `builtins`, and has no page of it
        for target in local.findall((HTML / path).read_text("utf-8"))
        if not (HTML / path).parent.joinpath(unquote(unescape(target))).exists()
    }
    assert lost == set()


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
            page.wait_for_function(CHANGED, arg=before)
            assert slider.get_attribute("aria-valuenow") != value, f"{path}: a slider is stuck"
            moved += 1
        assert not problems, path
        page.close()
    assert moved
