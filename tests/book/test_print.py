"""A chapter on paper: light, with wrapped code, nothing cut off at the page's edge."""

import re

import pytest
from browsing import new_context, visit

PAPER = {"width": 718, "height": 1047}  # what A4 has between margins of 1 cm, in CSS pixels

LONG = "values = " + " + ".join(f"number_{i}" for i in range(60))
PAGE = f"""<!doctype html><html data-theme="dark"><head><style>
html[data-theme="dark"] {{ --pst-color-text-base: #ddd; --pst-color-background: #111; }}
body {{ background: var(--pst-color-background); color: var(--pst-color-text-base); }}
html[data-theme="dark"] pre span {{ color: #fff; background: #222; }} pre {{ white-space: pre; }}
</style><link rel="stylesheet" href="book.css"></head><body><main class="bd-content">
<article class="bd-article"><h1>A chapter</h1><div class="cell"><pre><span>{LONG}</span></pre>
<div class="cell_output"><table><tr>{"<td>an_unbroken_heading</td>" * 12}</tr></table>
<div class="jupyter-widgets widget-subarea" style="width: 900px; height: 300px">widget</div>
<div style="height: 700px"></div><figure><svg width="600" height="500"></svg></figure></div></div>
</article></main></body></html>"""

CUT = """() => [...document.querySelectorAll(
    '.bd-article pre, .bd-article table, .bd-article figure, .bd-article .jupyter-widgets')]
  .filter(e => e.getClientRects().length)
  .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth
            || e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.tagName + ': ' + e.textContent.slice(0, 60))"""
DARK = """() => [...document.querySelectorAll('body, .bd-article pre, .bd-article pre span')]
  .map(e => getComputedStyle(e)).filter(style => {
    const light = colour => colour.match(/[\\d.]+/g).map(Number);
    const [r, g, b, a = 1] = light(style.backgroundColor), text = light(style.color);
    return (a > 0 && r + g + b < 600) || text[0] + text[1] + text[2] > 384;
  }).length"""


def check(page):
    """Nothing is cut, nothing is dark; the PDF itself has as many pages as its text needs."""
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    assert page.evaluate(CUT) == []
    assert page.evaluate(DARK) == 0
    pdf = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "1cm"))
    sheets = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert pdf.startswith(b"%PDF") and sheets
    return len(sheets)


def test_long_lines_wide_tables_and_dark_pages(browser, tmp_path, request):
    css = request.config.rootpath / "book" / "static" / "book.css"
    (tmp_path / "book.css").write_bytes(css.read_bytes())
    (tmp_path / "page.html").write_text(PAGE)
    page = new_context(browser).new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate(DARK) and page.locator("pre").evaluate("e => e.scrollWidth > innerWidth")
    assert check(page) >= 2
    page.context.close()


@pytest.mark.parametrize("chapter", ["grokking_grid"])
def test_a_chapter_of_the_built_book(browser, pages, server, chapter):
    context = new_context(browser)
    page, _ = visit(context, server, f"book/chapters/{chapter}.html")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert check(page) >= 3
    context.close()
