"""Sphinx extension: where the book stands online, and what follows from it.

The repository's address stands in one place, `repository: url` in `_config.yml`; a workflow
that knows it says it in `GROKKING_ADDRESS` (and the site's in `GROKKING_SITE`).  From it follow
the theme's buttons, the card of a page in social networks, the links of the 404 page and the
site map.  Without it none of these is shown.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

CHAPTER = "book/chapters/"


def address(config) -> str:
    """The repository's address without a slash at the end, or ""."""
    said = os.environ.get("GROKKING_ADDRESS") or config.html_theme_options.get("repository_url")
    return (said or "").rstrip("/")


def site_of(address: str) -> str:
    """Where the book is read, with a slash at the end: GitHub's pages of a repository there."""
    said = os.environ.get("GROKKING_SITE")
    place = urlsplit(address)
    if not said and place.netloc == "github.com":
        owner, _, name = place.path.strip("/").partition("/")
        name, host = name.removesuffix(".git"), f"{owner.lower()}.github.io"
        said = f"https://{host}/{'' if name.lower() == host else name}"
    return said.rstrip("/") + "/" if said else ""


def apply(app, config):
    """The settings of the theme and of the other extensions that depend on an address."""
    there = address(config)
    site = site_of(there)
    buttons = ("use_repository_button", "use_issues_button", "use_edit_page_button")
    config.html_theme_options |= dict.fromkeys(buttons, bool(there)) | {"repository_url": there}
    config.html_baseurl = config.ogp_site_url = site
    config.ogp_social_cards = {"enable": bool(site)}
    config.notfound_urls_prefix = urlsplit(site).path or "/"


def edit_the_source(app, pagename, templatename, context, doctree):
    """A chapter is edited where it is written, not in the executed notebook."""
    wrong = f"{pagename}.ipynb"
    right = f"notebooks/{pagename.removeprefix(CHAPTER)}.py"
    for group in context.get("header_buttons", ()):
        for button in group.get("buttons", ()):
            url = button.get("url", "")  # that of the download is a file of the book
            if pagename.startswith(CHAPTER) and url.startswith("http") and url.endswith(wrong):
                button["url"] = url.replace(wrong, right)


def site_map(app, error):
    """sitemap.xml: the address of every page, for search engines."""
    site = app.config.html_baseurl
    if error or not site or app.builder.format != "html":
        return
    pages = sorted(app.builder.get_target_uri(name) for name in app.env.found_docs)
    rows = "".join(f"  <url><loc>{escape(site + page)}</loc></url>\n" for page in pages)
    names = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {names}>\n{rows}</urlset>\n'
    Path(app.outdir, "sitemap.xml").write_text(text, encoding="utf-8")


def setup(app):
    app.setup_extension("sphinxext.opengraph")
    app.setup_extension("notfound.extension")
    app.connect("config-inited", apply, priority=100)  # before all who read what it sets
    app.connect("html-page-context", edit_the_source, priority=700)  # after the theme's buttons
    app.connect("build-finished", site_map)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
