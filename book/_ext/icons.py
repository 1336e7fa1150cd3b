"""Sphinx extension: of the theme's two thousand icons those that the pages show.

The theme ships all of Font Awesome, as a script and as fonts, which is more than half of what a
plain page weighs.
"""

import re
from pathlib import Path

from fontTools import subset

SCRIPT = Path("_static", "scripts", "fontawesome.js")
OTHERS = ("pydata-sphinx-theme.js", "sphinx-book-theme.js", "togglebutton.js")
"""Scripts that put icons on a page."""

USED = re.compile(r"\bfa-([a-z0-9-]+)")
ICON = re.compile(
    r'(?:"(?P<quoted>[\w-]+)"|(?P<bare>\w+)):'  # its name
    r'\[\d+,\d+,\[(?P<others>[^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?'
)

STYLES = Path("_static", "styles", "pydata-sphinx-theme.css")
FONT = Path("_static", "vendor", "fontawesome", "webfonts", "fa-solid-900.ttf")
NAMED = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
DRAWN = re.compile(r'--pst-icon-[\w-]+:\s*"([^"\\])"')
"""Characters that the styles take from the font, for a download or an admonition."""


def keep_used(text: str, used: set[str]) -> str:
    """Font Awesome's script with the icons of these names, or of other names that are these."""

    def kept(icon: re.Match) -> str:
        names = {icon["quoted"] or icon["bare"], *re.findall(r'"([\w-]+)"', icon["others"])}
        return icon[0] if names & used else ""

    return ICON.sub(kept, text)


def thin_font(styles: Path, font: Path, used: set[str]):
    """The font in `font` with the characters of these names, and the styles that load it."""
    text = styles.read_text("utf-8")
    drawn = {ord(character) for character in DRAWN.findall(text)}
    drawn |= {int(code, 16) for names, code in NAMED.findall(text) if used & {*USED.findall(names)}}
    if not drawn:
        return
    options = subset.Options()
    whole = subset.load_font(font, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=drawn)
    subsetter.subset(whole)
    subset.save_font(whole, font, options)
    other = font.with_suffix(".woff2")
    other.unlink(missing_ok=True)
    pattern = rf'url\([^)]*{re.escape(other.name)}\)\s*format\("woff2"\),\s*'
    styles.write_text(re.sub(pattern, "", text), "utf-8")


def thin(app, error):
    """Shortens script and font in the built book; what it does not understand stays whole."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    script = out / SCRIPT
    scripts = [path for path in out.glob("_static/**/*.js") if path.name in OTHERS]
    texts = (path.read_text("utf-8") for path in [*out.rglob("*.html"), *scripts])
    used = {name for text in texts for name in USED.findall(text)}
    if script.exists():
        script.write_text(keep_used(script.read_text("utf-8"), used), "utf-8")
        script.with_suffix(".js.map").unlink(missing_ok=True)
    if (out / FONT).exists():
        thin_font(out / STYLES, out / FONT, used)


def setup(app):
    app.connect("build-finished", thin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
