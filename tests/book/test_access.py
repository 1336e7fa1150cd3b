"""Every page for those who listen, who type and who read on a phone: axe-core, and our own."""

from axe_playwright_python.sync_playwright import Axe
from browsing import visit

DESKTOP, PHONE = (1280, 900), (390, 800)
AXE = {"resultTypes": ["violations"], "preload": False}  # it would ask for the theme's imports
CONTRAST = {"runOnly": ["color-contrast"]}
LOOKS = (  # in the dark only colours differ, on a phone only sizes and what is folded away
    (PHONE, "dark", {"rules": {"color-contrast": {"enabled": False}}}),
    (DESKTOP, "dark", CONTRAST),
    (DESKTOP, "light", {}),
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

THIN = """() => {
    const seen = new Set();
    for (const token of document.querySelectorAll('.highlight span:not(:has(*))'))
        if (seen.has(token.className)) token.replaceWith(...token.childNodes);
        else seen.add(token.className);
    for (const names of document.querySelectorAll('section:has(> dl.py)'))
        [...names.querySelectorAll(':scope > dl.py')].slice(1).forEach(name => name.remove());
}"""
"""Leaves of every kind of code token one, of the library's list one name a section: thousands
of places that differ in their text alone."""

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


def screen(page, size, scheme):
    """Shows the page on a screen of this size and scheme."""
    page.set_viewport_size(dict(zip(("width", "height"), size)))
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector(f"html[data-theme={scheme}]", state="attached")
    page.wait_for_timeout(500)  # the theme makes focusable what scrolls, some time after a resize


def test_every_page_in_light_and_dark_on_desktop_and_phone(kinds, context, server):
    wrong = {}
    for path in kinds:
        page, problems = visit(context, server, path)
        page.add_style_tag(content="* { transition: none !important; }")  # colours that fade
        for switch in page.locator(".code-switch").all():
            switch.click()  # code that is hidden has no contrast
        found = {"problems": problems, "tables": page.evaluate(BARE_TABLES)}
        for size in (DESKTOP, PHONE):
            screen(page, size, "light")
            found["wide", size] = page.evaluate(WIDE)
        page.evaluate(THIN)
        for size, scheme, options in LOOKS:
            screen(page, size, scheme)
            found[size, scheme] = grave(page, **options)
        wrong |= {(path, where): what for where, what in found.items() if what}
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
