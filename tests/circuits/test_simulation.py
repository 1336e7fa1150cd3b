"""The race of two circuits: by scipy, and in the browser by the same equations."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from sliders import check_competition, moves

from lib.circuits.simulation import TIMES, Setting, equilibrium, first_weights, simulate, slope
from lib.widgets.explorers import COSTS, DECAYS, JS, STARTS, competition, source

SETTINGS = [
    Setting(),
    Setting(cost=1.2),
    Setting(cost=1.0),
    Setting(cost=0.7),
    Setting(cost=0.7, grokked=True),
    Setting(cost=3.0, grokked=True),
    Setting(cost=0.5, decay=0.05, start=1.0),
    Setting(cost=3.0, decay=0.05, start=0.0005),
    Setting(cost=1.1, decay=0.0005, start=0.0005),
    Setting(cost=2.0, decay=0.0005, start=1.0, grokked=True),
]


def loss(w, s):
    gen, mem = w[0] * w[1], w[2] * w[3]
    penalty = gen ** (2 / s.power) + s.cost**2 * mem ** (2 / s.power)
    return np.log1p((s.classes - 1) * np.exp(-(gen + mem))) + s.decay / 2 * penalty


def test_the_slope_is_the_loss_s():
    rng, s, h = np.random.default_rng(0), Setting(cost=1.7, decay=0.03), 1e-6
    for w in rng.uniform(0.1, 2, (20, 4)):
        up = [loss(w + h * unit, s) for unit in np.eye(4)]
        down = [loss(w - h * unit, s) for unit in np.eye(4)]
        assert slope(0, w, s) == pytest.approx(-(np.array(up) - down) / (2 * h), abs=1e-7)


def test_the_cheaper_circuit_wins_and_the_slower_one_comes_late():
    run = simulate(Setting(), TIMES)
    known = TIMES[np.argmax(run["train_loss"] < 0.1)]
    learned = TIMES[np.argmax(run["generalizing"] > run["memorizing"])]
    assert 0 < 5 * known < learned  # grokking: training long before validation
    assert run["val_probability"][-1] > 0.9 and run["val_probability"][:60].max() < 0.1
    assert simulate(Setting(cost=0.7), TIMES)["val_probability"][-1] < 0.1
    lost = simulate(Setting(cost=0.7, grokked=True), TIMES)
    assert lost["val_probability"][0] > 0.9 and lost["val_probability"][-1] < 0.1
    kept = simulate(Setting(cost=2, grokked=True), TIMES)
    assert kept["val_probability"].min() > 0.9


def test_where_it_ends_does_not_depend_on_where_it_starts():
    for cost in (0.7, 1.0, 2.0):
        ends = [simulate(Setting(cost=cost, grokked=g), TIMES) for g in (False, True)]
        assert ends[0]["generalizing"][-1] == pytest.approx(ends[1]["generalizing"][-1], abs=0.05)


def test_alone_it_rests():
    s = Setting()
    w = first_weights(Setting(grokked=True))
    w[3] = 0.0
    assert np.abs(slope(0, w, s)).max() < 1e-9 and equilibrium(s) == pytest.approx(w[0] * w[1])


WRONG = [dict(cost=0), dict(decay=-1), dict(start=0), dict(classes=2), dict(power=2.5)]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_impossible_race_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Setting(**wrong)


@pytest.fixture(scope="module")
def in_page(browser):
    """The equations of competition.js, in a page of their own."""
    page = browser.new_page()
    code = (JS / "competition.js").read_text("utf-8").replace("export default { render };", "")
    page.add_script_tag(content=code + "\nwindow.simulate = simulate;")
    yield lambda s, times: page.evaluate("([s, times]) => simulate(s, times)", [s, times])
    page.close()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: f"{s.cost}-{s.decay}-{s.start}")
def test_the_browser_agrees_with_scipy(in_page, setting):
    ours, theirs = simulate(setting, TIMES), in_page(asdict(setting), TIMES.tolist())
    for name, values in ours.items():
        assert np.abs(np.array(theirs[name]) - values).max() < 1e-3, name


def test_the_widget_offers_what_it_opens_with():
    meta = competition().meta
    start = meta["start"]
    assert start["cost"] in COSTS and start["decay"] in DECAYS and start["start"] in STARTS
    assert meta["times"] == TIMES.tolist()


def test_its_sliders_draw_the_race(browser):
    """The module alone in a page: every control moved, what is drawn compared with scipy."""
    page, problems = browser.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_content("<div id=here style='width: 800px'></div>")
    meta = json.dumps(competition().meta)
    code = source("competition").replace("export default { render };", "")
    start = f"render({{ model: {{ get: () => ({meta}) }}, el: document.getElementById('here') }});"
    page.add_script_tag(content=code + start)
    root = page.locator(".gc-explorer[data-kind=competition]")
    assert check_competition(root, None)
    words = set()
    for grokked in (False, True):
        if grokked:
            root.get_by_label("start from a network that has generalized").check()
        for slider in root.locator("input[type=range]").all():
            for _ in moves(slider, keys=12):
                assert check_competition(root, None)
                words.add(root.get_by_role("status").inner_text().split(": ")[-1].split(". ")[-1])
    told = " ".join(words)
    assert {"semi-grokking", "grokking"} <= {word.rstrip(".") for word in words}
    assert "ungrokking in Varma et al.'s sense" in told
    assert "it never generalizes" in told and "It goes on generalizing" in told
    for control in root.locator("input").all():
        assert control.evaluate("e => [...e.labels].map(l => l.innerText).join(' ')").strip()
    assert not problems
    page.close()
