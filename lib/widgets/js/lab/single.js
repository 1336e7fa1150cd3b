// One network: sliders, buttons, pictures.

const PHASES = { idle: "Train", starting: "Pause", training: "Pause", paused: "Resume", stopped: "Train", done: "Train", failed: "Train" };

function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// A button for each preset.
function presetButtons(take) {
  const node = element("div", { class: "gc-choice", role: "group", "aria-label": "presets" });
  for (const preset of FACTS.presets) {
    const button = element("button", { type: "button", title: preset.about, "data-preset": preset.name, onclick: () => take(preset) }, preset.name);
    node.append(button);
  }
  const press = (name) => {
    for (const b of node.children) b.setAttribute("aria-pressed", String(b.dataset.preset === name));
  };
  return { node, press };
}

// What is seen at once and what is spoken: the second at most once a second.
function statusLine() {
  const seen = element("p", { class: "gc-status", "aria-hidden": "true" });
  const spoken = element("p", { class: "lab-spoken", role: "status", "aria-live": "polite" });
  let last = -Infinity;
  const say = (text, important) => {
    seen.textContent = text;
    if (!important && performance.now() - last < 5000) return;
    if (performance.now() - last < 1000) return void setTimeout(() => seen.textContent === text && say(text, true), 1000);
    last = performance.now();
    spoken.textContent = text;
  };
  return { node: element("div", {}, seen, spoken), say };
}

function sentence(run) {
  const c = run.curve;
  const ends = c.epoch.length
    ? ` Training accuracy ${share(c.train_accuracy)}, validation accuracy ${share(c.val_accuracy)}.` : "";
  const rate = run.speed < 10 ? run.speed.toFixed(1) : number(Math.round(run.speed));
  const speed = run.speed ? `, ${rate} epochs a second` : "";
  const at = `epoch ${number(run.epoch)} of ${number(run.setting.epochs)}`;
  const zoneWords = run.zone ? `${run.zone} by epoch ${number(run.epoch)}` : "nothing yet";
  switch (run.phase) {
    case "starting": return "Starting …";
    case "training": return `Training: ${at}${speed}${run.left == null ? "" : `, about ${duration(run.left)} left`}.${ends}`;
    case "paused": return `Paused at ${at}.${ends}`;
    case "stopped": return `Stopped: ${zoneWords}.${ends}`;
    case "done": return `Done: ${zoneWords}.${ends}${run.kept ? ` ${run.kept.problem || `Kept: ${run.kept.label}`}.` : ""}`;
    default: return `It did not work: ${run.message}`;
  }
}

// keep: what a button beside the others does with a whole run, where there is somewhere to keep it.
// short: what looks inside the network is folded away.
function singleView(root, start, connect, { keep = null, short = false } = {}) {
  let setting = possible(start || FACTS.presets[0].setting);
  let run = null;
  let drawn = 0;
  const presets = presetButtons((preset) => {
    sliders.value = { ...FACTS.recipe, ...preset.setting };
    choose(sliders.value);
    presets.press(preset.name);
    about.textContent = preset.about;
  });
  const about = element("p", { class: "lab-caption" }, FACTS.presets[0].about);
  const sliders = settingControls(setting, (next) => {
    choose(next);
    presets.press(null);
    about.textContent = "A setting of your own.";
  });
  const button = (text, press) => element("button", { type: "button", onclick: press }, text);
  const go = button("Train", press);
  go.classList.add("lab-go");
  const stop = button("Stop", () => run?.stop());
  const reset = button("Reset", () => clear());
  const kept = keep && button("Keep this run", () => keep(run));
  const bar = element("progress", { max: 1, value: 0, "aria-label": "progress of the training" });
  const status = statusLine();
  const curves = curvePictures();
  const [field, spectrum] = [fieldPicture(), spectrumPicture()];
  const [ask, lesion] = [askPanel(() => run), lesionPanel(() => run)];
  const names = element("div");
  const grey = element("p", { class: "lab-caption" }, "In grey: the book's own run of this setting.");
  const share_ = shareRow(() => setting, () => run);
  const folded = (name, ...parts) =>
    element("details", { class: "lab-more" }, element("summary", {}, name), ...parts);
  const charts = element("div", { class: "gc-pair" },
    element("div", {}, spectrumLegend(), spectrum.node), curves.charts.norm.node, curves.charts.loss.node);
  const questions = element("div", { class: "gc-pair" }, ask.node, lesion.node);
  root.append(
    presets.node, about, folded("Change the setting", sliders.node),
    element("div", { class: "gc-choice" }, go, stop, reset, ...(kept ? [kept] : []), bar), status.node,
    element("div", { class: "lab-main" },
      element("div", {}, names, grey, curves.charts.accuracy.node),
      element("div", {}, field.node, fieldLegend())),
    ...(short ? [] : [charts]),
    ...(short
      ? [folded("Look inside, ask it, remove a part of it, take it with you", charts, questions, share_.node)]
      : [questions, share_.node]),
  );

  // The third line is of the rule, or of what has none.
  function nameLines() {
    const rule = { name: short ? "the rule, seen inside" : "trigonometric share", colour: COLOURS.third, dash: "2 3" };
    names.replaceChildren(curveLegend(setting.task === "multitask" ? { name: "random labels", colour: COLOURS.third } : rule));
  }

  function choose(next) {
    setting = next;
    clear();
  }

  function clear() {
    run?.end();
    run = null;
    nameLines();
    field.clear(setting.modulus);
    spectrum.clear();
    ask.clear();
    lesion.clear();
    draw();
    status.say(`${inWords(setting)}. Press Train.`, true);
  }

  function press(click) {
    if (run?.phase === "training" || run?.phase === "starting") return run.pause();
    if (run?.phase === "paused") return run.resume();
    if (late(click, [run])) return;
    run?.end();
    ask.clear();
    lesion.clear();
    run = new Run(connect, setting, hear);
    draw();
    reveal(curves.charts.accuracy.node);
  }

  function hear(what) {
    if (what === "view") {
      field.draw(run.view.field, setting.modulus);
      spectrum.draw(run.view.spectra);
    }
    const wait = calm() ? 1000 : 100;
    if (what === "points" && run.phase === "training" && performance.now() - drawn < wait) return;
    draw();
  }

  function draw() {
    drawn = performance.now();
    const phase = run?.phase ?? "idle";
    root.dataset.phase = phase;
    go.textContent = PHASES[phase];
    const busy = ["starting", "training", "paused"].includes(phase);
    const keeps = kept && document.activeElement === kept && run?.kept?.label;
    const leaves = keeps || (!busy && document.activeElement === stop) || (!run && document.activeElement === reset);
    if (leaves) go.focus();
    stop.disabled = !busy;
    reset.disabled = !run;
    if (kept) kept.disabled = phase !== "done" || Boolean(run.kept?.label);
    if (kept) kept.textContent = run?.kept?.label ? "Kept" : "Keep this run";
    bar.value = run ? run.epoch / setting.epochs : 0;
    const stored = storedRun(setting);
    grey.hidden = !stored;
    curves.draw(run, setting.epochs, stored);
    ask.sign(setting.task);
    share_.draw();
    if (run) status.say(sentence(run), !["training"].includes(phase));
    root.drawn = { setting, phase, curve: run?.curve, zone: run?.zone, trig: run?.trig, speed: run?.speed };
  }

  presets.press(start ? null : FACTS.presets[0].name);
  const moved = start && Object.keys(start).some((name) => start[name] !== setting[name]);
  const nearest = moved ? " It is the nearest to what was asked for that the controls offer." : "";
  if (start) about.textContent = (keep ? "This notebook's kernel trains it." : "A setting from a link.") + nearest;
  clear();
  return { stop: () => ["starting", "training"].includes(run?.phase) && run.pause(), end: () => run?.end() };
}

const TWO = [
  { name: "training", colour: COLOURS.train },
  { name: "validation", colour: COLOURS.val, dash: "7 3" },
];
const curveLegend = (...more) => legend(...TWO, ...more);

const spectrumLegend = () =>
  legend({ name: "embedding", colour: COLOURS.third }, { name: "logits", colour: COLOURS.val, dash: "6 3" });

// The link, the file, the command.
function shareRow(setting, run) {
  const there = FACTS.page && SCRIPT && new URL(FACTS.page, SCRIPT).pathname !== location.pathname;
  // In another page, so in another tab: what is trained in this one stays.
  const link = element("a", { href: "#", class: "lab-link", target: there && "_blank" }, "Link to this setting");
  const file = saveButton(run);
  const command = element("code", { class: "lab-command", tabindex: 0 });
  const copy = element("button", { type: "button", onclick: write }, "Copy command");
  const node = element(
    "section", { class: "lab-panel", "aria-label": "Take it with you" },
    element("div", { class: "gc-choice" }, ...(SCRIPT ? [link] : []), file.node, copy), command,
  );
  async function write() {
    try {
      await navigator.clipboard.writeText(command.textContent);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(command); // the reader presses Ctrl-C
      copy.textContent = "Selected";
    }
    setTimeout(() => (copy.textContent = "Copy command"), 2000);
  }
  function draw() {
    const page = FACTS.page && SCRIPT ? new URL(FACTS.page, SCRIPT).href : location.href.split("#")[0];
    link.href = page + toHash(setting());
    const words = toCommand(setting());
    if (command.textContent !== words) command.textContent = words; // a selection in it stays
    file.draw();
  }
  return { node, draw };
}
