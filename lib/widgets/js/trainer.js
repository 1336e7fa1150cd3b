// The live trainer.  With a kernel it trains; without one it shows the recorded run.

const LABELS = {
  d_model: "d_model",
  train_size: "training points D",
  lr: "learning rate",
  weight_decay: "weight decay",
  epochs: "epochs",
  seed: "seed",
};
const TASKS = { add: "a + b", square: "(a + b)²", random: "random labels" };

function render({ model, el }) {
  const meta = model.get("meta");
  const root = frame(el, "Train it yourself", "trainer");
  const values = { ...meta.start };
  let alive = false;

  const tasks = choice("task (mod 113):", TASKS, (name) => {
    values.task = name;
    tasks.press(name);
  });
  tasks.press(values.task);
  const sliders = Object.entries(LABELS).map(([name, label]) => {
    const list = Object.assign([...meta.choices[name]], {
      format: (v) => (name === "lr" || name === "weight_decay" || name === "d_model" ? String(v) : number(v)),
    });
    return slider(label, list, values[name], (v) => (values[name] = v));
  });
  const go = element("button", { type: "button", onclick: () => press() }, "Train");
  const keep = element("button", { type: "button", onclick: () => model.send({ do: "keep" }) }, "Keep this run");
  const bar = element("progress", { max: 1, value: 0, "aria-label": "progress of the training" });
  const status = element("p", { class: "gc-status", role: "status" });
  const charts = {
    accuracy: chart("Training and validation accuracy against epoch", 240),
    loss: chart("Training and validation loss against epoch", 190),
    norm: chart("Parameter norm against epoch", 190),
  };
  const inputs = [...tasks.node.querySelectorAll("button"), ...sliders.map((s) => s.input)];
  root.append(
    tasks.node,
    element("div", { class: "gc-controls" }, ...sliders.map((s) => s.node)),
    element("div", { class: "gc-choice" }, go, keep, bar),
    status,
    legend({ name: "training", colour: COLOURS.train }, { name: "validation", colour: COLOURS.val, dash: "7 3" }),
    charts.accuracy.node,
    element("div", { class: "gc-pair" }, charts.loss.node, charts.norm.node),
  );

  const training = () => model.get("run").phase === "training";
  function press() {
    model.send(training() ? { do: "stop" } : { do: "train", values });
    if (training()) status.textContent = "stopping at the next evaluation …";
  }

  const duration = (s) => (s < 100 ? `${number(Math.round(s))} s` : `${Math.round(s / 60)} min`);

  function sentence(run) {
    const c = run.curve;
    const end = c && c.epoch.length && c.epoch.at(-1);
    const ends = end
      ? ` Training accuracy ${share(c.train_accuracy)}, validation accuracy ${share(c.val_accuracy)}.`
      : "";
    const setting = run.spec
      ? `${TASKS[run.spec.task]}, d_model ${run.spec.d_model}, D = ${number(run.spec.train_size)}, ` +
        `learning rate ${run.spec.lr}, weight decay ${run.spec.weight_decay}, seed ${run.spec.seed}`
      : "";
    switch (run.phase) {
      case "training":
        if (!end) return "Starting; the first time the trainer is compiled, which takes some seconds …";
        return (
          `Epoch ${number(end)} of ${number(run.spec.epochs)}` +
          `${run.left == null ? "" : `, about ${duration(run.left)} left`}.${ends}`
        );
      case "done":
        return `${setting}: ${run.zone} by epoch ${number(end)}, in ${duration(run.seconds)}.${ends} ${run.message || ""}`;
      case "stopped":
        return `Stopped. ${setting}: ${run.zone} by epoch ${number(end || 0)}.${ends}`;
      case "failed":
        return `It did not work: ${run.message}`;
      case "recorded":
        return `A recorded run. ${setting}: ${run.zone} by epoch ${number(end)}.${ends}`;
    }
    return "Choose a setting, then press Train.";
  }

  function draw() {
    let run = model.get("run");
    if (run.phase === "idle" && meta.recorded) run = meta.recorded;
    root.dataset.phase = run.phase;
    root.drawn = { ...run.curve, zone: run.zone };
    const busy = run.phase === "training";
    go.textContent = busy ? "Stop" : "Train";
    go.disabled = !alive;
    keep.disabled = !alive || run.phase !== "done" || Boolean(run.kept);
    keep.textContent = run.kept ? "Kept" : "Keep this run";
    for (const input of inputs) input.disabled = !alive || busy;
    bar.hidden = !busy;
    const c = run.curve;
    const some = c && c.epoch.length > 0;
    bar.value = some && run.spec ? c.epoch.at(-1) / run.spec.epochs : 0;
    status.textContent = sentence(run);
    if (!alive) {
      const link = element("a", { href: "../reading.html#train-in-the-notebook" }, "Run it yourself");
      status.append(" This page has no kernel, so nothing is trained here: ", link, " says how to.");
    }
    const T = run.spec ? run.spec.epochs : values.epochs;
    const x = { label: "epoch", low: 0, high: T, log: "epochs" };
    const line = (name, key, colour, dash) => ({ name, x: c.epoch, y: c[key].map((v) => v ?? NaN), colour, dash });
    const pair = (what) => [
      line("training", `train_${what}`, COLOURS.train),
      line("validation", `val_${what}`, COLOURS.val, "7 3"),
    ];
    charts.accuracy.draw({
      x,
      y: { label: "accuracy", low: 0, high: 1 },
      series: some ? pair("accuracy") : [],
      note: some ? null : "nothing trained yet",
    });
    const whole = some && c.param_norm.length > 0;
    for (const one of [charts.loss, charts.norm]) one.node.hidden = !whole;
    if (!whole) return;
    const losses = [...c.train_loss, ...c.val_loss].filter((v) => v > 0);
    const low = 10 ** Math.floor(Math.log10(Math.min(0.1, ...losses)));
    const high = 10 ** Math.ceil(Math.log10(Math.max(1, ...losses)));
    charts.loss.draw({ x, y: { label: "loss (nats)", low, high, log: true }, series: pair("loss") });
    const norms = c.param_norm.filter((v) => v != null);
    const y = { label: "parameter norm", low: 0, high: 1.05 * Math.max(1, ...norms) };
    charts.norm.draw({ x, y, series: [line("norm", "param_norm", COLOURS.third)] });
  }

  const redraw = () => draw();
  const hear = (message) => {
    if (!message.alive) return;
    alive = true;
    draw();
  };
  model.on("change:run", redraw);
  model.on("msg:custom", hear);
  draw();
  model.send({ do: "hello" });
  return () => {
    model.off("change:run", redraw);
    model.off("msg:custom", hear);
  };
}

export default { render };
