"""The built book in a real browser: every page works, alone and without a network."""

import functools
import gzip
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from browsing import FACTS, HTML, SERVED, visit
from looks import BARE_TABLES, PALE, WIDE, first_figure, grave, look

IN_FILES = ("book/chapters/", "book/index.html", "book/lab.html", "index.html", "search.html")
"""Pages that hold all kinds of things that a browser may refuse to load from a file."""

SHOWN = """() => [...document.querySelectorAll('.bd-content div.cell_output')].map(cell =>
    [...cell.querySelectorAll('img, svg, canvas, .jupyter-widgets')]
        .filter(e => e.getClientRects().length && !e.closest('.widget-readout, .noUi-target'))
        .map(e => e.tagName === 'CANVAS' ? e.toDataURL() : e.src || e.innerHTML)
        .join('\\n'))"""
"""What each output cell shows, as text: pictures, drawings, canvases."""

KEPT = f"() => {{ window.before = JSON.stringify(({SHOWN})()); }}"
CHANGED = f"() => JSON.stringify(({SHOWN})()) !== window.before"
"""It stays in the page: a flipbook's are megabytes."""


def moved(page):
    """How many sliders of ipywidgets a page has; the keyboard moves each, and its picture."""
    sliders = page.locator(".jupyter-widgets [role=slider]").all()
    for slider in sliders:
        page.evaluate(KEPT)
        value = slider.get_attribute("aria-valuenow")
        at_end = value == slider.get_attribute("aria-valuemax")
        slider.focus()
        page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
        page.wait_for_function(CHANGED)
        assert slider.get_attribute("aria-valuenow") != value, f"{page.url}: a slider is stuck"
    return len(sliders)


@pytest.fixture(scope="module")
def facts(kinds, context, base):
    """Path -> what a page holds once it is drawn, how it looks, and what went wrong meanwhile.

    One visit for all of it; in files only for what is loaded another way.
    """
    found, served, still_open = {}, not base.startswith("file:"), []
    for path in kinds:
        if not served and not path.startswith(IN_FILES):
            continue
        page, problems = visit(context, base, path)
        found[path] = {"problems": problems}
        if served:
            found[path] |= {"first figure": first_figure(page)}
        found[path] |= page.evaluate(FACTS)
        if served:
            found[path] |= {"sliders": moved(page), "wrong": look(page)}
            page.close()
        else:  # what fails late must have failed; the next page loads meanwhile
            still_open.append(page)
            leave(still_open, 1)
    leave(still_open)
    return found


def leave(pages, but=0):
    """Closes all but the last pages once they load nothing any more."""
    while len(pages) > but:
        page = pages.pop(0)
        page.wait_for_load_state("networkidle")
        page.close()


def chapters(facts):
    found = {path: fact for path, fact in facts.items() if path.startswith("book/chapters/")}
    assert found
    return found.items()


def test_no_page_has_an_error_or_asks_another_host(facts):
    assert {path: fact["problems"] for path, fact in facts.items() if fact["problems"]} == {}


@functools.cache
def weight(file):
    return len(gzip.compress(file.read_bytes()))


@SERVED  # browsers do not say what a page loads from files
def test_a_page_weighs_less_than_two_megabytes_in_all(facts, base):
    """Compressed: the page, and every script, style, font and picture that it loads."""
    for path, fact in facts.items():
        files = {HTML / path}
        for url in fact["loaded"]:
            if url.startswith(f"{base}/"):
                files.add(HTML / unquote(url.removeprefix(f"{base}/").split("?")[0]))
        total = sum(map(weight, files))
        assert len(files) > 5 and total < 2_000_000, f"{path}: {total:,} bytes"


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


def test_no_page_scrolls_sideways(facts):
    assert {path: fact["over"] for path, fact in facts.items() if fact["over"] > 0} == {}


@SERVED
def test_sliders_answer_to_the_keyboard(facts):
    assert sum(fact["sliders"] for fact in facts.values())


@SERVED
def test_the_first_figure_is_within_ten_tab_stops(facts):
    reached = {path: fact["first figure"] for path, fact in chapters(facts)}
    assert True in reached.values() and False not in reached.values(), reached


@SERVED
def test_every_page_in_light_and_dark_on_desktop_and_phone(facts):
    wrong = {
        (path, where): what
        for path, fact in facts.items()
        for where, what in fact["wrong"].items()
        if what
    }
    assert wrong == {}


@SERVED
def test_a_finding_is_found(context, base):
    page = context.new_page()
    page.set_content("""<html lang=en><title>Bad</title><main class=bd-article><button></button>
        <p style="color:#ccc;background:#fff">pale</p><div style="width:3000px">wide</div>
        <table><tr><td>1</td></tr></table></main>""")
    assert [text.split(":")[0] for text in grave(page)] == ["button-name"]
    assert [text.split(":")[0] for text in grave(page, PALE)] == ["color-contrast"]
    assert page.evaluate(WIDE) and page.evaluate(BARE_TABLES)
    page.close()
