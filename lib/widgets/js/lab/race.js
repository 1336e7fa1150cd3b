// Two settings side by side, with a common clock: neither is ever ahead of the other by more
// than a few evaluations.

const AHEAD = 3; // evaluations

function raceView(root) {
  const lanes = ["first", "second"].map((name) => raceLane(name, own));
  let state = "idle";
  let schedule = [];
  let drawn = -Infinity;
  const chosen = element("div", { class: "gc-choice", role: "group", "aria-label": "races" });
  const about = element("p", { class: "lab-caption" });
  for (const race of FACTS.races) {
    const button = element("button", { type: "button", "data-race": race.name, onclick: () => take(race) }, race.name);
    chosen.append(button);
  }
  const go = element("button", { type: "button", class: "lab-go", onclick: press }, "Race");
  const reset = element("button", { type: "button", onclick: clear }, "Reset");
  const status = statusLine();
  root.append(
    chosen, about, element("div", { class: "gc-choice" }, go, reset), status.node, curveLegend(),
    element("div", { class: "gc-pair" }, ...lanes.map((lane) => lane.node)),
  );

  function take(race) {
    race.lanes.forEach((one, i) => lanes[i].take({ ...FACTS.recipe, ...race.common, ...one }));
    for (const b of chosen.children) b.setAttribute("aria-pressed", String(b.dataset.race === race.name));
    about.textContent = race.about;
    clear();
  }

  // A reader has changed a lane's setting.
  function own() {
    for (const b of chosen.children) b.setAttribute("aria-pressed", "false");
    about.textContent = "A race of your own.";
    clear();
  }

  function clear() {
    for (const lane of lanes) lane.clear();
    show("idle");
    status.say("Two networks, one clock. Press Race.", true);
  }

  function show(next) {
    state = next;
    root.dataset.phase = state;
    go.textContent = { idle: "Race", racing: "Pause", paused: "Resume", done: "Race" }[state];
    if (state === "idle" && document.activeElement === reset) go.focus();
    reset.disabled = state === "idle";
  }

  function press(click) {
    if (state === "racing" || state === "paused") {
      for (const lane of lanes) lane.run.phase !== "done" && (state === "racing" ? lane.run.pause() : lane.run.resume());
      show(state === "racing" ? "paused" : "racing");
      if (state === "paused") status.say(`Paused. ${words()}`, true);
      return;
    }
    if (late(click, lanes.map((lane) => lane.run))) return;
    const epochs = Math.max(...lanes.map((lane) => lane.setting.epochs));
    schedule = evalEpochs(epochs, FACTS.recipe.n_evals);
    drawn = -Infinity;
    for (const lane of lanes) lane.start({ ...lane.setting, epochs }, hear);
    show("racing");
    reveal(lanes[0].picture);
  }

  // The slower one leads: the other may be so many evaluations ahead of it.
  function hear() {
    const failed = lanes.find((lane) => lane.run.phase === "failed");
    if (failed) {
      for (const lane of lanes) lane.run.end(); // alone, the other would wait for ever
      show("done");
      return status.say(sentence(failed.run), true);
    }
    const behind = schedule.filter((epoch) => epoch <= at()).length;
    const until = schedule[Math.min(schedule.length - 1, behind + AHEAD)];
    for (const lane of lanes) lane.run.send({ do: "until", epoch: until });
    const over = lanes.every((lane) => lane.run.phase === "done");
    if (over && state !== "done") show("done");
    const still = over || state === "paused";
    if (still || performance.now() - drawn >= (calm() ? 1000 : 100)) {
      drawn = performance.now(); // the clock waits for it
      for (const lane of lanes) lane.draw(schedule.at(-1));
      const zones = over ? ` ${lanes.map((lane) => lane.run.zone).join(" against ")}.` : "";
      status.say(`${state === "paused" ? "Paused. " : ""}${words()}${zones}`, still);
    }
    root.drawn = lanes.map((lane) => ({ curve: lane.run.curve, zone: lane.run.zone, phase: lane.run.phase }));
  }

  // The epoch of the slower one.
  const at = () => Math.min(...lanes.map((lane) => lane.run.epoch));

  // Where the two stand.
  function words() {
    const each = lanes.map((lane, i) => `${i ? "second" : "first"} ${share(lane.run.curve.val_accuracy)}`);
    return `Epoch ${number(at())} of ${number(schedule.at(-1))}: validation ${each.join(", ")}.`;
  }

  take(FACTS.races[0]);
  return { stop: () => state === "racing" && press() };
}

function raceLane(name, changed) {
  let setting = possible({});
  const title = element("p", { class: "lab-caption" });
  const sliders = settingControls(setting, (next) => {
    setting = next;
    title.textContent = inWords(setting);
    changed();
  }, ["task", "modulus", "train_size", "d_model", "weight_decay", "seed"]);
  const picture = accuracyPicture();
  const field = fieldPicture(220);
  const file = saveButton(() => lane.run);
  const lane = {
    node: element(
      "section", { class: "lab-panel", "aria-label": `the ${name} network` }, title, picture.node, field.node,
      element("details", { class: "lab-more" }, element("summary", {}, `Change the ${name} network`), sliders.node),
      element("div", { class: "lab-more" }, file.node),
    ),
    picture: picture.node,
    run: null,
    get setting() {
      return setting;
    },
    take(next) {
      setting = possible(next);
      sliders.value = setting;
      title.textContent = inWords(setting);
    },
    clear() {
      lane.run?.end();
      lane.run = null;
      field.clear(setting.modulus);
      lane.draw(setting.epochs);
    },
    start(chosen, hear) {
      lane.run?.end();
      lane.run = new Run(workerPort, chosen, (what) => {
        if (what === "view") field.draw(lane.run.view.field, chosen.modulus);
        hear();
      }, { until: 0, plain: true });
    },
    draw(epochs) {
      picture.draw(lane.run?.curve, epochs);
      file.draw();
    },
  };
  return lane;
}
