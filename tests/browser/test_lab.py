"""The lab in a real Chromium, from file:// and without a network: every control, and its curves.

The page is made here from the bundle, so that this needs no built book; where there is one,
its pages are opened too.
"""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browsing import HTML, HUNG, ROOT, new_context
from native_at_four_lanes import COLUMNS, at_four_lanes, named
from zone_settings import ZONES

from lib.analysis.dynamics import NO_ZONE, zone
from lib.circuits.fourier import key_frequencies
from lib.paper.recipe import BASE, DYNAMICS
from lib.spec import RunSpec
from lib.widgets.lab import bundle
from lib.widgets.presets import PRESETS

GROKKING = PRESETS[0]["setting"]
SHORT = dict(GROKKING, epochs=500, d_model=12, train_size=500, seed=0)
LONG = dict(SHORT, epochs=20_000)  # for what has to be done before it ends
PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>The lab</title>
<div class="grokking-lab" data-views="single race many"></div><script src="lab.js" defer></script>
"""


@pytest.fixture(scope="module")
def script():
    return bundle()


@pytest.fixture(scope="module")
def address(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    (folder / "lab.html").write_text(PAGE, "utf-8")
    (folder / "lab.js").write_text(script, "utf-8")
    return (folder / "lab.html").as_uri()


@pytest.fixture
def visit(browser, address):
    """Opens the lab, at a link's setting if there is one; no error may come up meanwhile."""
    contexts, problems = [], []

    def go(setting=None, **options):
        context = new_context(browser, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        page.on("requestfailed", lambda request: problems.append(request.url))
        values = "&".join(f"{name}={value}" for name, value in (setting or {}).items())
        page.goto(f"{address}#lab?{values}" if setting else address)
        page.wait_for_selector(".lab-go")
        return page

    yield go
    for context in contexts:
        context.close()
    assert problems == []


def drawn(page, view="single"):
    return page.evaluate(f"document.querySelector('.lab-{view}').drawn")


def until(page, phase, view="single"):
    page.wait_for_function(
        f"document.querySelector('.lab-{view}').dataset.phase === '{phase}'", timeout=HUNG
    )


def test_from_the_first_click_to_the_rule_as_the_native_kernel(visit, tmp_path):
    """Must show 1: the preset generalizes, and its curve is the native kernel's."""
    page = visit()
    page.get_by_role("button", name="Train", exact=True).click()
    until(page, "done")
    found = drawn(page)
    curve = {name: np.array(found["curve"][name], float) for name in COLUMNS}
    assert curve["val_accuracy"][-1] >= 0.99
    assert found["zone"] == zone(curve) == "grokking"
    expected = named(at_four_lanes([GROKKING], tmp_path / "native.npz")["curve0"])
    assert np.array_equal(curve["epoch"], expected["epoch"])
    memorized = int(np.argmax(expected["train_accuracy"] >= 0.99))
    for name in COLUMNS:  # rounding has not parted them yet
        own, native = (values[name][: memorized // 2] for values in (curve, expected))
        np.testing.assert_allclose(own, native, rtol=0.01, atol=0.01, err_msg=name)
    assert zone(expected) == found["zone"]


def test_zones_in_a_browser_are_those_of_the_native_kernel(visit, tmp_path):
    """In the build that this browser takes, through the page's own controls."""
    settings = [on_the_sliders(setting) for setting in ZONES[:3]]
    native = at_four_lanes(settings, tmp_path / "native.npz")
    for i, setting in enumerate(settings):
        page = visit(setting)
        page.locator(".lab-single .lab-go").click()
        until(page, "done")
        assert drawn(page)["zone"] == zone(named(native[f"curve{i}"])), setting
        page.close()


def on_the_sliders(setting):
    """The whole setting that the lab trains; its curve has more points than the test's."""
    return {name: value for name, value in setting.items() if name != "n_evals"}


def test_the_mouse_works_every_control(visit):
    page = visit(LONG)
    assert drawn(page)["setting"]["d_model"] == 12
    go = page.locator(".lab-single .lab-go")
    go.click()
    page.wait_for_function("document.querySelector('.lab-single').drawn.curve?.epoch.length > 2")
    go.click()
    until(page, "paused")
    assert go.inner_text() == "Resume"
    at = len(drawn(page)["curve"]["epoch"])
    go.click()
    page.wait_for_function(f"document.querySelector('.lab-single').drawn.curve.epoch.length > {at}")
    page.get_by_role("button", name="Stop").click()
    until(page, "stopped")
    ask(page)
    lesion(page, "top 2")
    page.get_by_role("button", name="Reset").click()
    until(page, "idle")
    for preset in PRESETS:
        page.get_by_role("button", name=preset["name"], exact=True).click()
        shown = drawn(page)["setting"]
        assert {name: shown[name] for name in preset["setting"]} == preset["setting"]
    page.locator("summary").first.click()
    for name in ("subtract", "square", "random", "multitask", "add"):
        page.locator(f"[data-name={name}]").first.click()
        assert drawn(page)["setting"]["task"] == name
    for slider in page.locator(".lab-single input[type=range]:visible").all():
        slider.evaluate("e => { e.value = e.max; e.dispatchEvent(new Event('input')); }")
    setting = drawn(page)["setting"]
    assert (setting["modulus"], setting["d_model"], setting["epochs"]) == (113, 128, 60_000)


def test_a_pause_that_is_taken_back_at_once_changes_nothing(visit):
    page = visit(dict(SHORT, epochs=1500))
    page.evaluate("() => (window.Real = Worker, window.heard = [])")
    page.evaluate("""() => window.Worker = function (address) {
        window.made = new Real(address);
        made.addEventListener("message", ({ data }) => heard.push(data.what));
        return made;
    }""")
    page.evaluate("""async () => {  // from here each click takes its time, and it ends before them
        const single = document.querySelector(".lab-single"), go = single.querySelector(".lab-go");
        const later = () => new Promise((then) => setTimeout(then, 5));
        go.click();
        while (!(single.drawn.curve?.epoch.length > 2)) await later();
        const ended = () => single.dataset.phase === "done";  // a click would begin anew
        for (let i = 0; i < 20 && !ended(); i++, await later()) [1, 2].forEach(() => go.click());
    }""")
    until(page, "done")
    too_late = "['pause', 'resume'].forEach((what) => made.postMessage({ do: what }))"
    page.evaluate(too_late)
    ask(page)  # answered after all that the worker had to say
    page.wait_for_timeout(200)  # and after what it has queued
    spec = RunSpec(epochs=drawn(page)["setting"]["epochs"])
    assert saved(page)["epoch"].tolist() == spec.eval_epochs().tolist()
    assert page.evaluate("heard").count("done") == 1
    epochs = drawn(page)["trig"]["epoch"]
    assert epochs == sorted(set(epochs))


def test_a_pause_that_comes_too_late_does_not_begin_anew(visit):
    page = visit(SHORT)
    after = page.evaluate("""() => new Promise((then) => {
        const single = document.querySelector(".lab-single"), go = single.querySelector(".lab-go");
        go.click();
        new MutationObserver((_, seen) => {
            if (go.textContent !== "Train") return;
            seen.disconnect();
            go.click();
            then(single.dataset.phase);
        }).observe(go, { childList: true });
    })""")
    assert after == "done" and drawn(page)["zone"]
    page.wait_for_timeout(400)
    page.locator(".lab-single .lab-go").click()
    page.wait_for_function("document.querySelector('.lab-single').dataset.phase !== 'done'")


def ask(page):
    page.get_by_label("a", exact=True).fill("3")
    page.get_by_label("b", exact=True).fill("29")
    page.get_by_role("button", name="Ask").click()
    said = page.locator("[aria-label='Ask it'] [role=status]")
    said.filter(has_text="3 + 29 mod 31").wait_for()
    assert "% sure" in said.inner_text()


def lesion(page, frequencies):
    page.get_by_label("frequencies", exact=False).fill(frequencies)
    page.get_by_role("button", name="Remove").click()
    page.locator("[aria-label='Lesion it'] td").first.wait_for()
    assert page.locator("[aria-label='Lesion it'] td").count() == 6


def test_the_keyboard_works_every_control(visit):
    page = visit(SHORT)
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    before = drawn(page)["setting"]
    for name in ("modulus", "train_size", "d_model", "lr", "weight_decay", "epochs", "seed"):
        page.locator(f".lab-single input[data-name={name}]").focus()
        page.keyboard.press("ArrowRight")
        assert drawn(page)["setting"][name] > before[name], name
        page.locator(f".lab-single input[data-name={name}]").focus()
        page.keyboard.press("ArrowLeft")
    assert drawn(page)["setting"] == before
    page.locator(".lab-single .lab-go").focus()
    page.keyboard.press("Enter")
    until(page, "done")
    page.get_by_label("b", exact=True).focus()
    page.keyboard.press("Enter")
    page.locator("[aria-label='Ask it'] [role=status]").filter(has_text="mod 31").wait_for()
    page.get_by_label("frequencies", exact=False).focus()
    page.keyboard.press("Enter")
    page.locator("[aria-label='Lesion it'] td").first.wait_for()
    check_what_is_taken_away(page)
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Space")
    until(page, "idle")


def saved(page, button=None):
    """The file that a button hands out."""
    button = button or page.locator(".lab-single button:text-is('Download CSV')")
    with page.expect_download() as waiting:
        button.click()
    return pd.read_csv(waiting.value.path())


def check_what_is_taken_away(page):
    """The file holds the run; the link and the command hold its setting, `SHORT`."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    name = waiting.value.suggested_filename  # else two settings gave one name
    assert f"-lr{SHORT['lr']}-wd{SHORT['weight_decay']:g}-seed0-epoch500.csv" in name
    rows = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text())))
    spec, curve = RunSpec(**SHORT), drawn(page)["curve"]
    assert curve["epoch"] == spec.eval_epochs().tolist()
    for name in COLUMNS:
        assert [float(row[name]) for row in rows] == curve[name], name
    link = page.locator(".lab-link").get_attribute("href")
    held = dict(part.split("=") for part in link.split("#lab?")[1].split("&"))
    assert {name: _value(held[name]) for name in SHORT} == SHORT
    words = page.locator(".lab-command").inner_text().split()
    assert words[:2] == ["grokking", "train"]
    said = dict(zip(words[2::2], words[3::2]))
    assert RunSpec(**{n[2:].replace("-", "_"): _value(v) for n, v in said.items()}).key == spec.key


def _value(text):
    try:
        return int(text)
    except ValueError:
        return float(text) if text[0].isdigit() else text


def test_the_books_own_run_stands_behind_in_grey(visit):
    d, size = DYNAMICS["grokking"]
    names = ("modulus", "lr", "weight_decay", "epochs")
    same = dict(d_model=d, train_size=size, seed=0, **{n: getattr(BASE, n) for n in names})
    grey = ".lab-single polyline[data-name='the book\\'s validation']"
    page = visit(same)
    assert page.locator(grey).first.get_attribute("points")
    assert page.get_by_text("In grey: the book's own run of this setting.").is_visible()
    page = visit(same | {"weight_decay": 0.3})
    assert page.locator(grey).count() == 0
    assert not page.get_by_text("In grey: the book's own run of this setting.").is_visible()


def test_the_pages_links_are_the_papers_cells_in_the_books_recipe():
    links = re.findall(r'"#lab\?([^"]*)"', (ROOT / "book" / "lab.md").read_text("utf-8"))
    read = (dict(part.split("=") for part in link.split("&amp;")) for link in links)
    found = [{name: _value(value) for name, value in setting.items()} for setting in read]
    names = ("task", "modulus", "lr", "weight_decay", "epochs")
    same = dict(seed=0, **{name: getattr(BASE, name) for name in names})
    wanted = [same | dict(d_model=d, train_size=size) for d, size in DYNAMICS.values()]
    assert len(found) == len(wanted) and all(setting in found for setting in wanted)


def test_a_race_has_one_clock_and_the_grid_fills_in(visit):
    page = visit()
    page.get_by_role("button", name="Race", exact=True).first.click()
    page.locator("[data-race='width 16 or 64']").click()
    page.locator(".lab-race .lab-go").click()
    page.wait_for_function(
        "document.querySelector('.lab-race').drawn?.every(r => r.curve.epoch.length > 20)"
    )
    counts = page.evaluate(
        "document.querySelector('.lab-race').drawn.map(r => r.curve.epoch.length)"
    )
    assert abs(counts[0] - counts[1]) <= 8
    for state in ("paused", "racing", "paused"):  # a pause adds a point, and the clock goes on
        page.locator(".lab-race .lab-go").click()
        until(page, state, "race")
    page.wait_for_function("""() => {  // both have said where they stand
        const root = document.querySelector(".lab-race");
        const at = Math.min(...root.drawn.map(({ curve }) => curve.epoch.at(-1)));
        const said = root.querySelector(".gc-status").textContent;
        return said.startsWith(`Paused. Epoch ${at.toLocaleString("en")} of`);
    }""")
    spec = RunSpec(epochs=page.evaluate("grokkingLab.FACTS.races[1].common.epochs"))
    for button in page.locator(".lab-race button:text-is('Download CSV')").all():
        told = saved(page, button)["epoch"]  # no point that a pause has added, but for the last
        assert told[0] == 0 and told[:-1].isin(spec.eval_epochs()).all()
    page.get_by_role("button", name="Grid", exact=True).click()
    page.locator(".lab-many .lab-go").click()
    page.wait_for_function(
        "[...document.querySelectorAll('.lab-cell')].some(c => /\\d/.test(c.textContent))"
    )
    page.locator(".lab-many").get_by_role("button", name="Pause").click()
    page.locator(".lab-cell", has_text=".").first.click()
    assert len(saved(page, page.locator(".lab-many button:text-is('Download CSV')")))
    page.locator(".lab-many").get_by_role("button", name="Reset").click()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_what_a_press_sets_going_comes_into_view(visit, motion):
    page = visit(LONG, width=1000, height=400, reduced_motion=motion)
    for name, view in (("One network", "single"), ("Race", "race")):
        page.get_by_role("button", name=name, exact=True).first.click()
        go, picture = f".lab-{view} .lab-go", f".lab-{view} .gc-chart"
        page.evaluate("scrollTo(0, 0)")
        bottom = f"document.querySelector('{picture}').getBoundingClientRect().bottom"
        inside = f"{bottom} < innerHeight + 1"
        assert not page.evaluate(inside)
        page.evaluate(f"document.querySelector('{go}').click()")
        page.wait_for_function(f"({inside}) && scrollY > 0")


def test_a_race_of_ones_own_ends_the_one_that_runs(visit):
    """A slider keeps the focus, and nothing hears of the race that was."""
    page = visit()
    page.get_by_role("button", name="Race", exact=True).first.click()
    page.locator(".lab-race summary").first.click()
    page.locator(".lab-race .lab-go").click()
    page.wait_for_function("document.querySelector('.lab-race').drawn?.[0].curve.epoch.length > 2")
    width = page.locator(".lab-race [data-name=d_model]").first
    width.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.name") == "d_model"
    until(page, "idle", "race")
    assert "of your own" in page.locator(".lab-race").inner_text()
    page.locator(".lab-race .lab-go").click()
    until(page, "racing", "race")
    page.get_by_role("button", name="One network", exact=True).click()
    until(page, "paused", "race")


def test_what_is_shown_is_of_the_network_that_is_there(visit):
    """The slider's text after a smaller modulus, answers after another setting, where it stands."""
    page = visit(dict(LONG, modulus=113, train_size=3000))
    page.locator(".lab-single summary").first.click()
    modulus = page.locator(".lab-single [data-name=modulus]")
    modulus.focus()
    page.keyboard.press("Home")
    size, P = drawn(page)["setting"]["train_size"], drawn(page)["setting"]["modulus"]
    shown = page.locator(".lab-single [data-name=train_size]").get_attribute("aria-valuetext")
    assert shown == f"{size:,}" and size <= P**2 < 3000
    page.keyboard.press("End")
    setting = drawn(page)["setting"]
    assert (setting["modulus"], setting["train_size"]) == (113, 3000), "what was asked for is lost"
    page.locator("[data-name=multitask]").first.click()
    proposed = drawn(page)["setting"]["memorize_size"]
    modulus.press("ArrowLeft")
    setting = drawn(page)["setting"]
    assert setting["modulus"] < 113 and setting["memorize_size"] == proposed, "it has room"
    page.close()
    page = visit(LONG)
    page.locator(".lab-single .lab-go").click()
    page.wait_for_function("document.querySelector('.lab-single').drawn.curve?.epoch.length > 5")
    page.locator(".lab-single .lab-go").click()
    until(page, "paused")
    page.wait_for_function("""() => {  // the worker has said all: the field is of the epoch said
        const [wrong, right] = document.querySelector(".lab-single .lab-field").drawn;
        const said = document.querySelector(".lab-single").drawn.curve.val_accuracy.at(-1);
        return Math.abs(right / (wrong + right) - said) < 1e-6;
    }""")
    page.get_by_role("button", name="Remove", exact=True).click()
    page.wait_for_function("document.querySelectorAll('.lab-single .lab-table tr').length === 4")
    said = page.locator(".lab-single .gc-status").first.inner_text()
    curve = drawn(page)["curve"]
    whole = page.locator(".lab-single .lab-table td").all_inner_texts()[:2]
    assert f"Paused at epoch {curve['epoch'][-1]:,} of" in said
    assert whole == [f"{curve[f'{split}_accuracy'][-1]:.3f}" for split in ("train", "val")]
    page.locator("[data-preset=progression]").click()
    assert page.locator(".lab-single .lab-table tr").count() == 0
    page.close()
    assert drawn(visit(dict(LONG, task="toString")))["setting"]["task"] == "add"


def test_a_link_to_what_no_control_offers_says_so(visit):
    assert "nearest" not in visit(LONG).locator(".lab-single").inner_text()
    page = visit(dict(LONG, lr=0.004))
    assert "It is the nearest to what was asked for" in page.locator(".lab-single").inner_text()


def test_the_legend_names_the_lines_that_are_drawn(visit):
    """A mixture's third line is its random labels; the rule's share is of one operator."""
    for task, third in (("multitask", "random labels"), ("add", "trigonometric share")):
        page = visit(dict(LONG, task=task, modulus=31))
        page.locator(".lab-single .lab-go").click()
        page.wait_for_function(
            "name => document.querySelector(`.lab-main [data-name='${name}']`)", arg=third
        )
        assert third in page.locator(".lab-single .gc-legend").first.inner_text()
        page.close()


def test_what_is_set_already_ends_no_run(visit):
    page = visit(LONG)
    page.locator(".lab-single summary").first.click()
    page.locator(".lab-single .lab-go").click()
    until(page, "training")
    page.locator(".lab-single [data-name=add]").click()
    assert page.locator(".lab-single").get_attribute("data-phase") == "training"


def test_a_tap_leaves_a_slider_to_the_keyboard(visit):
    """A finger that lifts where it came down, or that scrolls, has set nothing."""
    page = visit(LONG)
    page.locator(".lab-single summary").first.click()
    width = page.locator(".lab-single [data-name=d_model]")
    for last in ("pointerup", "pointercancel"):
        before = drawn(page)["setting"]["d_model"]
        width.evaluate("""(input, last) => {
            const finger = { clientX: 5, pointerType: "touch" };
            for (const kind of ["pointerdown", last])
                input.dispatchEvent(new PointerEvent(kind, finger));
            input.focus();
        }""", last)  # fmt: skip
        page.keyboard.press("ArrowRight")
        assert drawn(page)["setting"]["d_model"] > before, last
    shown = drawn(page)["setting"]["d_model"]
    page.mouse.move(*(width.bounding_box()[side] + 4 for side in "xy"))
    page.mouse.move(*(width.bounding_box()[side] + 40 for side in "xy"))
    assert drawn(page)["setting"]["d_model"] == shown


def test_the_arrow_keys_read_a_chart(visit):
    page = visit(SHORT)
    page.locator(".lab-single .lab-go").click()
    until(page, "done")
    read, seen = page.locator(".lab-main .gc-hover").first, []
    page.locator(".lab-main svg[role=img]").first.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
        seen.append(read.inner_text())
    assert all(text.startswith("epoch ") for text in seen) and seen[0] == seen[2] != seen[1]
    assert read.get_attribute("aria-hidden") is None
    page.keyboard.press("Tab")
    assert read.inner_text() == "" and read.get_attribute("aria-hidden") == "true"


def test_a_finger_reads_a_chart(visit):
    """It taps, and is gone before anything could be read."""
    page = visit(SHORT)
    page.locator(".lab-single .lab-go").click()
    until(page, "done")
    page.evaluate("""() => {
        const svg = document.querySelector(".lab-main svg[role=img]");
        const { left, width } = svg.getBoundingClientRect();
        const how = { clientX: left + width / 2, pointerType: "touch" };
        for (const kind of ["pointerdown", "pointerleave"])
            svg.dispatchEvent(new PointerEvent(kind, how));
    }""")
    assert page.locator(".lab-main .gc-hover").first.inner_text().startswith("epoch ")


AT_REST = """e => new Promise(done => {
    let [last, calm] = [NaN, 0];
    const look = () => {
        const { top } = e.getBoundingClientRect();
        calm = top === last ? calm + 1 : 0;
        last = top;
        calm < 10 ? requestAnimationFrame(look) : done();
    };
    look();
})"""


def swipe(page, control, across, down, moved):
    """A finger lands in the middle of a control and goes so many pixels, until it has moved it.

    It waits until the page is still: a finger on a page that rolls on only stops it. And a
    browser that is short of time drops a touch, so it tries again, as a reader would.
    """
    for _ in range(5):
        if not moved():
            touch_along(page, control, across, down)


def touch_along(page, control, across, down):
    control.evaluate("e => e.scrollIntoView({ block: 'center' })")
    control.evaluate(AT_REST)
    box, touch = control.bounding_box(), page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for i in range(11):
        at = dict(x=x + across * i / 10, y=y + down * i / 10)
        kind = "touchMove" if i else "touchStart"
        touch.send("Input.dispatchTouchEvent", dict(type=kind, touchPoints=[at]))
    touch.send("Input.dispatchTouchEvent", dict(type="touchEnd", touchPoints=[]))
    page.evaluate("() => new Promise(then => setTimeout(then, 300))")


def test_a_finger_that_scrolls_past_a_slider_leaves_the_run_alone(visit):
    page = visit(LONG, width=390, height=500, has_touch=True, is_mobile=True)
    page.get_by_text("Change the setting").first.tap()
    page.locator(".lab-single .lab-go").tap()
    until(page, "training")
    epochs = page.locator(".lab-single input[data-name=epochs]")
    epochs.evaluate("e => e.scrollIntoView({ block: 'center' })")
    before, top = epochs.input_value(), page.evaluate("scrollY")
    swipe(page, epochs, 0, -150, lambda: page.evaluate("scrollY") > top)
    assert page.evaluate("scrollY") > top and epochs.input_value() == before
    assert page.locator(".lab-single").get_attribute("data-phase") == "training"
    swipe(page, epochs, -100, 0, lambda: int(epochs.input_value()) < int(before))
    until(page, "idle")
    assert int(epochs.input_value()) < int(before)


NO_LUCK = """() => {
  let made = 0;
  const point = { epoch: 0, train_loss: 1, train_accuracy: 0, val_accuracy: 0 };
  window.Worker = class {
    constructor() { this.lucky = made++ !== 1; }
    postMessage(message) {
      const end = this.lucky ? { what: "done" } : { what: "failed", message: "no luck" };
      const said = this.lucky ? [{ what: "points", points: [point], speed: 1 }, end] : [end];
      if (message.do === "start") setTimeout(() => said.map((data) => this.onmessage({ data })));
    }
    terminate() {}
  };
}"""  # stands for the threads: the second fails, the others are done at once


@pytest.mark.parametrize("view, name", [("race", "Race"), ("many", "Grid")])
def test_a_network_that_fails_ends_itself_alone(visit, view, name):
    page = visit()
    page.evaluate(NO_LUCK)
    page.get_by_role("button", name=name, exact=True).first.click()
    go = page.locator(f".lab-{view} .lab-go")
    for _ in range(2):  # and one can begin again
        go.click()
        until(page, "done", view)
        assert go.inner_text() in ("Race", "Train all")
        said = page.locator(f".lab-{view} .gc-status").inner_text()
        assert "It did not work: no luck" in said
        page.evaluate(NO_LUCK)
    if view == "many":
        cells = drawn(page, view)
        assert [cell["zone"] for cell in cells].count(None) == 1 and f"{len(cells) - 1} of" in said


def test_what_was_trained_stays_when_the_reader_comes_back_from_a_heading(visit):
    page = visit(SHORT)
    page.get_by_text("Change the setting").first.click()
    page.get_by_role("slider", name="seed").first.press("ArrowRight")
    page.evaluate("location.hash = document.querySelector('.lab-link').hash")  # the page's own
    page.get_by_role("slider", name="seed").first.press("ArrowRight")
    page.locator(".lab-single .lab-go").click()
    until(page, "done")
    page.evaluate("window.stays = true; location.hash = '#a-heading'")
    page.go_back()
    page.wait_for_timeout(300)
    assert page.evaluate("window.stays && location.hash.startsWith('#lab?')")
    assert drawn(page)["zone"]
    page.evaluate("location.hash = '#lab?d_model=16&modulus=31&train_size=400'")  # another's link
    page.wait_for_function("!window.stays", timeout=HUNG)


def test_pictures_follow_the_theme_and_the_pointer_what_is_drawn(visit):
    page = visit(SHORT)
    page.locator(".lab-single .lab-go").click()
    until(page, "done")
    look = """() => {
        const canvas = document.querySelector('.lab-single .lab-field'), size = canvas.width;
        const { data } = canvas.getContext('2d').getImageData(0, 0, size, size);
        const found = new Set();
        for (let i = 0; i < data.length; i += 4)
            found.add(`rgb(${[...data.subarray(i, i + 3)].join(', ')})`);
        const legend = [...document.querySelectorAll('.lab-single .lab-swatch')];
        return [[...found], legend.map(e => getComputedStyle(e).backgroundColor)];
    }"""
    light, legend = page.evaluate(look)
    assert set(light) <= set(legend)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"before => JSON.stringify(({look})()[0]) !== before",
                           arg=json.dumps(light, separators=(",", ":")), timeout=HUNG)  # fmt: skip
    dark, legend = page.evaluate(look)
    assert set(dark) <= set(legend)
    chart = page.locator(".lab-single .gc-chart").first
    chart.locator("svg").hover()
    assert "validation" in chart.locator(".gc-hover").inner_text()
    page.evaluate("""[...document.querySelectorAll('.lab-single button')]
        .find(b => b.textContent === 'Reset').click()""")  # the pointer rests where it was
    assert chart.locator(".gc-hover").inner_text() == ""


def test_a_race_that_is_taken_back_before_it_fails_says_nothing(visit):
    page = visit()
    page.evaluate("WebAssembly.validate = () => false")
    page.get_by_role("button", name="Race", exact=True).first.click()
    race = page.locator(".lab-race")
    page.evaluate("""() => {
        const buttons = [...document.querySelectorAll('.lab-race button')];
        for (const name of ['Race', 'Reset']) buttons.find(b => b.textContent === name).click();
    }""")
    page.wait_for_timeout(300)
    assert race.get_attribute("data-phase") == "idle"
    assert race.locator(".gc-status").first.inner_text() == "Two networks, one clock. Press Race."


def test_schedules_zones_and_key_frequencies_are_those_of_lib(visit):
    page, rng = visit(), np.random.default_rng(0)
    plans = [(4000, 300), (20_000, 300), (500, 60), (60_000, 300), (7, 2)]
    found = page.evaluate("plans => plans.map((plan) => grokkingLab.evalEpochs(...plan))", plans)
    assert found == [RunSpec(epochs=e, n_evals=n).eval_epochs().tolist() for e, n in plans]
    call = "list => list.map((x) => grokkingLab.{}(x, grokkingLab.FACTS.thresholds))"
    accuracies = np.sort(rng.uniform(0, 1.1, (200, 2, 6))).clip(max=1).tolist()
    curves = [dict(train_accuracy=t, val_accuracy=v, train_loss=[1.0] * 6) for t, v in accuracies]
    nothing = "[{ train_accuracy: [0, 1], val_accuracy: [NaN, NaN], train_loss: [1, 0] }]"
    assert page.evaluate(f"({call.format('zone')})({nothing})") == [NO_ZONE]  # of all P² pairs
    assert page.evaluate(call.format("zone"), curves) == [zone(curve) for curve in curves]
    spectra = rng.exponential(size=(200, 15)) ** 6
    found = page.evaluate(call.format("keyFrequencies"), spectra.tolist())
    assert found == [key_frequencies(spectrum) for spectrum in spectra]


COUNTED = """() => {
    window.draws = [];
    Object.defineProperty(document.querySelector(".lab-single"), "drawn", {
        set({ phase }) { if (phase === "training") draws.push(performance.now() / 1000); },
    });
}"""  # when it is drawn anew while it trains, in seconds


def test_a_phone_and_still_pictures(visit):
    """Nothing sticks out; curve and field are drawn once a second each, not ten and five times."""
    page = visit(LONG, width=390, height=800, reduced_motion="reduce")
    page.evaluate(COUNTED)
    page.locator(".lab-single .lab-go").click()
    page.wait_for_function("draws.at(-1) - draws[0] > 2")
    page.get_by_role("button", name="Stop").click()
    until(page, "stopped")
    draws = page.evaluate("draws")
    assert len(draws) <= 2 * (draws[-1] - draws[0]) + 3
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_the_own_files_are_small(script):
    assert len(gzip.compress(script.encode(), 9)) < 150_000


@pytest.mark.parametrize("path", ["book/index.html", "book/lab.html"])
def test_the_books_pages_have_it(pages, browser, path):
    assert path in pages
    context = new_context(browser)
    page = context.new_page()
    page.goto(f"{HTML.as_uri()}/{path}")
    page.locator(".lab-go").click()
    page.wait_for_function("document.querySelector('.lab-single').drawn.curve?.epoch.length > 2")
    context.close()
