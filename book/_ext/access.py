"""Sphinx extension: what a reader who listens to a page needs, where themes leave it out.

Every table gets a caption (the heading that it stands under) and header cells for its rows, a
table of claims a class, for its form on a phone, and the list of references the roles that its
children may have.
"""

import re
from html import escape, unescape

HEADING = re.compile(r"<h[1-6][^>]*>(.*?)</h[1-6]>", re.DOTALL)
TABLE = re.compile(r'<table class="(?:table|docutils)[^>]*>.*?</table>', re.DOTALL)
FIRST_CELL = re.compile(r"(<tr[^>]*>\s*)<td([^>]*)>(.*?)</td>", re.DOTALL)
CLAIMS = re.compile(r"<p>Our runs</p></th>\s*<th[^>]*><p>Runs</p></th>")
CHANGES = re.compile(r"<p>before</p></th>\s*<th[^>]*><p>after</p></th>")
CHROME = re.compile(r'<a class="headerlink".*?</a>|<[^>]+>', re.DOTALL)  # of a heading


def described(body: str) -> str:
    """The HTML of a page with captions and row headers in its tables."""
    headings = [(h.start(), CHROME.sub("", h[1]).strip()) for h in HEADING.finditer(body)]
    seen: dict[str, int] = {}

    def mend(found: re.Match) -> str:
        table = FIRST_CELL.sub(r'\1<th scope="row"\2>\3</th>', found[0])
        table = table.replace('<th class="head', '<th scope="col" class="head')
        for form, name in ((CLAIMS, "claims"), (CHANGES, "claims changes")):
            if form.search(table):  # on a phone rows are blocks (book.css)
                table = table.replace('<table class="', f'<table class="{name} ', 1)
        if "<caption" in table:
            return table
        name = unescape(next((text for at, text in headings[::-1] if at < found.start()), "Table"))
        seen[name] = seen.get(name, 0) + 1
        words = name if seen[name] == 1 else f"{name}, table {seen[name]}"
        caption = f'<caption class="visually-hidden">{escape(words)}</caption>'
        return re.sub(r"(<table[^>]*>)", lambda start: start[1] + caption, table, count=1)

    return TABLE.sub(mend, body).replace('<div role="list" class="citation-list"', "<div")


def mend_body(app, pagename, templatename, context, doctree):
    if body := context.get("body"):
        context["body"] = described(body)


def setup(app):
    app.connect("html-page-context", mend_body)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
