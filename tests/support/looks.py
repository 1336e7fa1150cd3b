"""What a page is asked for those who listen, type or read on a phone: by axe-core, and by us."""

from axe_playwright_python.sync_playwright import Axe

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}

BREACHES = """changed => {
    const off = (rule) => rule.id === 'color-contrast' || /minor|moderate/.test(rule.impact);
    for (const rule of axe._audit.rules) rule.enabled &&= !off(rule);  // contrast is asked apart
    return axe.run({ resultTypes: ['violations'], preload: false, ...changed });
}"""  # `preload` would ask for the theme's imports
FOLDED = ["scrollable-region-focusable", "button-name", "link-name", "label", "aria-hidden-focus"]
"""What a phone can change: sizes, and what is folded away."""

PALE = """() => {
    const grounds = new Map(), alike = {};
    const ground = (e) => {
        if (e && !grounds.has(e)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(e);
            const own = [backgroundColor, backgroundImage, opacity].join();
            const seen = own === 'rgba(0, 0, 0, 0),none,1' ? '' : own;
            grounds.set(e, ground(e.parentElement) + seen);
        }
        return grounds.get(e) ?? '';
    };
    for (const e of document.querySelectorAll('body *')) {
        const written = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!written && !e.matches('input, select, textarea')) continue;
        if (!e.checkVisibility({ visibilityProperty: true }) || e.clientWidth === 1) continue;
        const { color, fontSize, fontWeight } = getComputedStyle(e);
        const group = (alike[[ground(e), color, fontSize, fontWeight]] ??= []);
        if (group.length < 3) group.push(e);
    }
    const include = Object.values(alike).flat();
    const asked = { runOnly: ['color-contrast'], resultTypes: ['violations'], preload: false };
    return axe.run({ include }, asked);
}"""
"""Contrast, of three texts of each ink on each ground: a page has thousands that look alike."""

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

DARK_INK = """() => [...document.querySelectorAll('.gc-explorer')]
    .map(e => getComputedStyle(e).color)
    .filter(ink => ink.match(/\\d+/g).slice(0, 3).reduce((sum, v) => sum + +v, 0) <= 384)"""
"""Inks of explorers that stay dark in the dark: axe-core passes over what an SVG writes."""

THIN = """() => {
    const seen = new Set();
    for (const token of document.querySelectorAll('.highlight span:not(:has(*))'))
        if (seen.has(token.className)) token.replaceWith(...token.childNodes);
        else seen.add(token.className);
    document.querySelectorAll('section > dl.py ~ dl.py').forEach(name => name.remove());
}"""
"""Leaves of every kind of code token one, of the library's list one name a section: thousands
of places that differ in their text alone."""

OVER = "document.documentElement.scrollWidth - window.innerWidth"
SETTLED = "() => new Promise(then => requestAnimationFrame(() => setTimeout(then, 350)))"
"""The theme makes focusable what scrolls 300 ms after a resize."""


def grave(page, asked=BREACHES, **changed):
    """What axe-core finds serious or critical, in words."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    return [
        f"{rule['id']}: {node['html'][:120]}: {node['failureSummary'].splitlines()[1].strip()}"
        for rule in page.evaluate(asked, changed)["violations"]
        for node in rule["nodes"]
    ]


def look(page):
    """What is wrong with a page, on a phone, on a desktop, in the dark; everything unfolded."""
    page.add_style_tag(content="* { transition: none !important; }")  # colours that fade
    if page.locator("html.code-hidden").count():  # another page may have shown it already
        page.locator(".code-switch").first.click()  # code that is hidden has no contrast
    page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    found = {"wide": page.evaluate(WIDE), "tables": page.evaluate(BARE_TABLES)}
    page.set_viewport_size(PHONE)
    page.evaluate(SETTLED)
    found |= {"wide on a phone": page.evaluate(WIDE), "over on a phone": page.evaluate(OVER) > 0}
    page.evaluate(THIN)
    found["on a phone"] = grave(page, runOnly=FOLDED)
    page.set_viewport_size(DESKTOP)  # what scrolls here scrolls on a phone, and is focusable
    found |= {"light": grave(page), "pale": grave(page, PALE)}
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-theme=dark]", state="attached")
    return found | {"pale in the dark": grave(page, PALE), "ink": page.evaluate(DARK_INK)}


def first_figure(page):
    """Whether ten tab stops of a page just opened reach its first figure; None if it has none."""
    if not page.locator(".bd-article figure").count():
        return None
    for _ in range(10):
        page.keyboard.press("Tab")
        if "first figure" in page.evaluate("document.activeElement.textContent"):
            page.keyboard.press("Enter")
            page.wait_for_function(
                "() => document.activeElement.matches('.bd-article *')"
                " && document.activeElement.getBoundingClientRect().top < innerHeight"
            )
            return True
    return False
