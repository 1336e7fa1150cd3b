"""An explorer's sliders in a browser: what they say, moving them, whether the picture follows."""

import numpy as np

from lib.circuits.simulation import Setting, simulate

SAID = """root => [...root.querySelectorAll('input[type=range]')].map(slider => [
    [...root.querySelectorAll(`label[for="${slider.id}"]`)].map(label => label.innerText),
    slider.getAttribute('aria-valuetext')])"""


def setting(root):
    """What the sliders say, by their labels, of which each has one; asked at once."""
    return {label: text for (label,), text in root.evaluate(SAID)}


def whole(text):
    return int(text.replace(",", ""))


def on_the_picture(root, chart, name, values):
    """The line drawn is that of the values: its heights are a straight function of them."""
    line = root.locator(".gc-chart").nth(chart).locator(f"polyline[data-name='{name}']").first
    heights = [float(p.split(",")[1]) for p in line.get_attribute("points").split()]
    values = np.array([v for v in values if v is not None and np.isfinite(v)])
    assert len(heights) == len(values)
    if np.ptp(values) > 0.01:
        slope, offset = np.polyfit(values, heights, 1)
        assert slope < 0 and abs(slope * values + offset - heights).max() < 0.2


def moves(slider, keys=2):
    """Moves a slider to its start, on, to its end, then with the mouse; yields each time."""
    low, high, step = (float(slider.get_attribute(a)) for a in ("min", "max", "step"))
    places = round((high - low) / step)
    slider.scroll_into_view_if_needed()
    slider.focus()
    slider.press("Home")
    yield
    for _ in range(min(places, keys)):
        before = slider.input_value()
        slider.press("ArrowRight")
        assert slider.input_value() != before, "the keyboard does not move it"
        yield
    slider.press("End")
    yield
    box = slider.bounding_box()
    seen = set()
    for part in (0.1, 0.9):
        slider.page.mouse.click(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
        seen.add(slider.input_value())
        yield
    assert len(seen) > 1 or not places, "the mouse does not move it"


def check_competition(root, stored):
    """The browser's race is scipy's, at the setting that its controls name."""
    drawn, said = root.evaluate("e => e.drawn"), setting(root)
    race = Setting(**drawn["setting"])
    assert said["norm cost of memorizing"] == f"{race.cost:.2f}"
    assert float(said["weight decay"]) == race.decay
    assert float(said["start of generalizing"]) == race.start
    grokked = root.get_by_label("start from a network that has generalized").is_checked()
    assert grokked == race.grokked
    for name, values in simulate(race, np.array(drawn["time"])).items():
        assert np.abs(np.array(drawn[name]) - values).max() < 1e-3, name
    on_the_picture(root, 0, "generalizing", drawn["generalizing"])
    on_the_picture(root, 1, "validation", drawn["val_loss"])
    wins = drawn["generalizing"][-1] > drawn["memorizing"][-1]
    words = root.get_by_role("status").inner_text()
    assert ("Memorization leads" in words) != wins
    return True
