"""Sphinx extension: a figure for each screen, from the one SVG that a chapter holds.

Figures have no ground of their own.  Each gets a dark variant, by its colours (`DARK`), and, where
it carries one (`lib.figures.style.for_all_screens`), a narrow one for phones; `access.js` chooses
between light and dark.  A figure without a narrow form scrolls on a phone instead.
"""

import base64
import re
from pathlib import Path

IMAGE = re.compile(r'<img ([^>]*?)src="([^"]*_images/([\w-]+))\.svg"([^>]*?)/?>')
CARRIED = re.compile(r'<metadata id="phone">(.*?)</metadata>\n?', re.DOTALL)
OURS = "Matplotlib"  # every figure names what drew it
PHONE = "(max-width: 600px)"

DARK = {
    "#000000": "#e4e4e4", "#ffffff": "#121212", "#e6e6e6": "#3a3a3a", "#d0d0d0": "#5a5a5a",
    "#f0f0f0": "#262626", "#666666": "#aaaaaa", "#999999": "#8c8c8c", "#0072b2": "#56b4e9",
    "#d55e00": "#ff8c42", "#009e73": "#3ecf9f", "#882e9c": "#d68be6", "#994f00": "#e0a060",
    "#117733": "#5fcf85", "#f2e3a8": "#6b5c1e", "#7a6a2a": "#d8c56a", "#440154": "#9d62b5",
}  # fmt: skip
"""A colour of the light figures -> what it is in the dark; others stay."""


STROKE = re.compile(r"stroke: (#[0-9a-f]{6})")


def luminance(colour: str) -> float:
    """The relative luminance of a colour (WCAG 2), 0 to 1."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def lightened(colour: str) -> str:
    """A colour, mixed with as little white as makes it stand out three to one on a dark page."""
    ground = luminance(DARK["#ffffff"]) + 0.05
    for share in range(0, 101, 5):
        parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        mixed = "#" + "".join(f"{round(p + (255 - p) * share / 100):02x}" for p in parts)
        if luminance(mixed) + 0.05 >= 3 * ground:
            break
    return mixed


def darkened(svg: str) -> str:
    """The text of an SVG with its colours for a dark page; what has none of its own is light.

    Lines of a scale of colours are lightened where they would not show; areas stay what they mean.
    """
    lines = {colour: lightened(colour) for colour in STROKE.findall(svg)} | DARK
    svg = re.sub(r"#[0-9a-f]{6}", lambda found: lines.get(found[0], found[0]), svg)
    return svg.replace("<svg ", f'<svg fill="{DARK["#000000"]}" ', 1)


def sources(app) -> dict[str, Path]:
    """Name of a picture in the book, without its ending -> the file that it comes from."""
    images = app.env.images.items()
    return {Path(name).stem: Path(app.srcdir, source) for source, (_, name) in images}


def choose(app, pagename, templatename, context, doctree):
    """Names the variants of every figure in the HTML of a page."""
    known = sources(app)

    def mend(found: re.Match) -> str:
        before, path, name, after = found.groups()
        text = known[name].read_text("utf-8") if name in known else ""
        if OURS not in text:
            return found[0]
        image = f'<img {before}src="{path}.svg"{after}data-dark="{path}-dark.svg">'
        if not CARRIED.search(text):
            return f'<span class="wide-picture" tabindex="0">{image}</span>'
        phone = f'srcset="{path}-phone.svg" data-dark="{path}-phone-dark.svg"'
        return f'<picture><source media="{PHONE}" {phone}>{image}</picture>'

    if body := context.get("body"):
        context["body"] = IMAGE.sub(mend, body)


def write(app, error):
    """The variants, beside the figures that Sphinx has copied."""
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir, "_images").glob("*.svg"):
        text = path.read_text("utf-8")
        if OURS not in text or path.stem.endswith(("-dark", "-phone")):
            continue
        forms = {"": CARRIED.sub("", text)}
        if carried := CARRIED.search(text):
            forms["-phone"] = base64.b64decode(carried[1]).decode()
        for name, form in forms.items():
            path.with_stem(path.stem + name).write_text(form, "utf-8")
            path.with_stem(f"{path.stem}{name}-dark").write_text(darkened(form), "utf-8")


def setup(app):
    app.connect("html-page-context", choose)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
