"""Every page for those who listen, who type and who read on a phone: axe-core, and our own."""

from axe_playwright_python.sync_playwright import Axe
from browsing import visit

DESKTOP, PHONE = (1280, 900), (390, 800)
AXE = {"resultTypes": ["violations"], "preload": False}  # it would ask for the theme's imports
CONTRAST = {"runOnly": ["color-contrast"]}
LOOKS = (  # in the dark only colours differ, on a phone only sizes and what is folded away
    (DESKTOP, "light", {}),
    (DESKTOP, "dark", CONTRAST),
    (PHONE, "dark", {}),
)
WIDE = """() => [...document.querySelectorAll('.bd-article *')].filter(element => {
    const box = element.getBoundingClientRect();
    if (!box.width || box.right <= innerWidth + 1) return false;
    for (let e = element; e; e = e.parentElement) {
        const style = getComputedStyle(e);
        if (style.overflowX !== 'visible' || style.position === 'fixed') return false;
    }
    return true;
}).map(element => element.outerHTML.slice(0, 100))"""
"""Elements that reach beyond the page and have no scroll of their own."""

BARE_TABLES = """() => [...document.querySelectorAll('.bd-article table')]
    .filter(table => !table.closest('.indextable, .grokking-lab'))
    .filter(table => !table.caption?.textContent.trim() || !table.tHead?.querySelector('th')
        || ![...table.tBodies].every(body => body.querySelector('th[scope=row]')))
    .map(table => table.textContent.slice(0, 60))"""
"""Tables without a caption, or without header cells above and beside."""


def grave(page, **options):
    """What axe-core finds serious or critical, in words."""
    found = Axe().run(page, options=AXE | options).response
    return [
        f"{rule['id']}: {node['html'][:120]}: {node['failureSummary'].splitlines()[1].strip()}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def look(page, size, scheme, options):
    """What is wrong with a page on one screen."""
    page.set_viewport_size(dict(zip(("width", "height"), size)))
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector(f"html[data-theme={scheme}]", state="attached")
    page.wait_for_timeout(300)  # colours that fade
    # The list of the library has thousands of names, in the colours of the page before it.
    if page.url.endswith("book/api.html"):
        if options == CONTRAST:
            return page.evaluate(WIDE)
        options = {"rules": {"color-contrast": {"enabled": False}}}
    return page.evaluate(WIDE) + grave(page, **options)


def test_every_page_in_light_and_dark_on_desktop_and_phone(kinds, context, server):
    wrong = {}
    for path in kinds:
        page, problems = visit(context, server, path)
        for switch in page.locator(".code-switch").all():
            switch.click()  # code that is hidden has no contrast
        for size, scheme, options in LOOKS:
            if found := look(page, size, scheme, options):
                wrong[path, size, scheme] = found
        if problems or (bare := page.evaluate(BARE_TABLES)):
            wrong[path] = problems or bare
        page.close()
    assert wrong == {}


def test_a_finding_is_found(context, server):
    page, _ = visit(context, server, "book/lab.html")
    page.evaluate("""() => document.querySelector('.bd-article').insertAdjacentHTML('beforeend',
        `<button></button><p style="color:#ccc;background:#fff">pale</p>
         <div style="width:3000px">wide</div><table><tr><td>1</td></tr></table>`)""")
    found = grave(page)
    assert any(text.startswith("button-name") for text in found)
    assert any(text.startswith("color-contrast") for text in found)
    assert page.evaluate(WIDE) and page.evaluate(BARE_TABLES)
    page.close()


def test_the_first_figure_is_within_ten_tab_stops(pages, context, server):
    tried = 0
    for path in pages:
        if not path.startswith("book/chapters/"):
            continue
        page, _ = visit(context, server, path)
        if not page.locator(".bd-article figure").count():
            page.close()
            continue
        for _ in range(10):
            page.keyboard.press("Tab")
            if "first figure" in page.evaluate("document.activeElement.textContent"):
                break
        page.keyboard.press("Enter")
        page.wait_for_function(
            "() => document.activeElement.matches('.bd-article *')"
            " && document.activeElement.getBoundingClientRect().top < innerHeight"
        )
        tried += 1
        page.close()
    assert tried
