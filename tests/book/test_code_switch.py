"""The switch for a page's code: one instead of a bar for each cell, and it is remembered."""

from browsing import new_context

CELL = """<div class="cell">
<details class="hide above-input"><summary>Show</summary><pre>x = 1</pre></details>
<div class="cell_output">1</div></div>"""
PAGE = f"""<!doctype html><html><head><link rel="stylesheet" href="book.css"></head><body>
<main class="bd-content"><article class="bd-article"><h1>A chapter</h1>{CELL}{CELL}</article>
</main><script src="code-switch.js"></script></body></html>"""


def open_page(context, folder):
    page = context.new_page()
    page.goto((folder / "page.html").as_uri())
    return page


def test_one_switch_shows_all_code_and_is_remembered(browser, tmp_path, request):
    static = request.config.rootpath / "book" / "static"
    for name in ("code-switch.js", "book.css"):
        (tmp_path / name).write_bytes((static / name).read_bytes())
    (tmp_path / "page.html").write_text(PAGE)
    context = new_context(browser)
    page = open_page(context, tmp_path)
    code, switch = page.locator("pre"), page.get_by_role("button")
    assert [line.is_visible() for line in code.all()] == [False, False]
    assert (
        page.locator("summary").first.is_hidden()
        and page.locator(".cell_output").first.is_visible()
    )
    switch.focus()
    page.keyboard.press("Enter")
    assert [line.is_visible() for line in code.all()] == [True, True]
    assert switch.inner_text() == "Hide the code"
    assert switch.get_attribute("aria-pressed") is None  # words and a state would contradict
    again = open_page(context, tmp_path)
    assert again.locator("pre").first.is_visible()
    again.get_by_role("button").click()
    assert open_page(context, tmp_path).locator("pre").first.is_hidden()
    context.close()
