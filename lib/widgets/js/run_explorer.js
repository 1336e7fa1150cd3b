// Every stored run of a grid: pick a width, a training size and a seed, see its curves.

function render({ model, el }) {
  const meta = model.get("meta");
  const packed = words(model.get("data"));
  const root = frame(el, "Run explorer", "runs");
  const runs = new Map(meta.runs.map((run) => [`${run.d_model} ${run.train_size} ${run.seed}`, run]));
  const state = { log: true, logLoss: true, ...meta.start };

  const update = (changes) => {
    Object.assign(state, changes);
    for (const name of ["d_model", "train_size", "seed"]) sliders[name].value = state[name];
    const at = meta.presets.find((p) => p.d_model === state.d_model && p.train_size === state.train_size);
    presets.press(at ? at.name : null);
    draw();
  };
  const names = Object.fromEntries(
    meta.presets.map((p) => [p.name, `${p.name} (${p.d_model}, ${number(p.train_size)})`]),
  );
  const presets = choice("The paper's four:", names, (name) => {
    const { d_model, train_size, seed } = meta.presets.find((p) => p.name === name);
    update({ d_model, train_size, seed });
  });
  const plain = Object.assign(meta.d_models, { format: String });
  const sliders = {
    d_model: slider("d_model", plain, state.d_model, (v) => update({ d_model: v })),
    train_size: slider("training points D", meta.train_sizes, state.train_size, (v) =>
      update({ train_size: v }),
    ),
    seed: slider("seed", meta.seeds, state.seed, (v) => update({ seed: v })),
  };
  const logEpoch = checkbox("epochs on a logarithmic axis", state.log, (log) => update({ log }));
  const logLoss = checkbox("losses on a logarithmic axis", true, (v) => update({ logLoss: v }));
  const status = element("p", { class: "gc-status", role: "status" });
  const charts = {
    accuracy: chart("Training and validation accuracy against epoch", 240),
    loss: chart("Training and validation loss against epoch", 190),
    norm: chart("Parameter norm against epoch", 190),
  };
  root.append(
    presets.node,
    element("div", { class: "gc-controls" }, ...Object.values(sliders).map((s) => s.node)),
    element("div", { class: "gc-controls" }, logEpoch.node, logLoss.node),
    status,
    legend({ name: "training", colour: COLOURS.train }, { name: "validation", colour: COLOURS.val, dash: "7 3" }),
    charts.accuracy.node,
    element("div", { class: "gc-pair" }, charts.loss.node, charts.norm.node),
  );

  function curve(run) {
    const epochs = meta.grids[run.grid];
    const at = kept(run.evaluations, meta.step);
    const found = { epoch: at.map((i) => epochs[i]) };
    meta.columns.forEach(([name, kind], k) => {
      found[name] = column(packed, run.start + k * at.length, at.length, kind, meta.norm_top);
    });
    return found;
  }

  function draw() {
    const run = runs.get(`${state.d_model} ${state.train_size} ${state.seed}`);
    const where = `d_model ${state.d_model}, D = ${number(state.train_size)}, seed ${state.seed}`;
    const found = run ? curve(run) : null;
    root.drawn = found && { ...found, zone: run.zone, where };
    if (found) {
      const early = run.status === "stopped" ? " (stopped early: validation had stayed at 0.999)" : "";
      status.replaceChildren(
        `${where}: `,
        element("strong", {}, run.zone),
        ` by epoch ${number(found.epoch.at(-1))}${early}. Training accuracy ` +
          `${share(found.train_accuracy)}, validation accuracy ${share(found.val_accuracy)}.`,
      );
    } else {
      const seeds = meta.seeds.filter((s) => runs.has(`${state.d_model} ${state.train_size} ${s}`));
      const others = seeds.length ? ` Of this cell, seeds ${seeds.join(", ")} are.` : " Nor is any other seed of this cell.";
      status.textContent = `${where}: this run is not stored.${others}`;
    }
    const empty = { epoch: [0], train_accuracy: [], val_accuracy: [], train_loss: [], val_loss: [], param_norm: [] };
    const shown = found || empty;
    const x = { label: "epoch", low: 0, high: Math.max(1, found ? shown.epoch.at(-1) : meta.epochs), log: state.log && "epochs" };
    const note = found ? null : "not stored";
    const line = (name, y, colour, dash) => ({ name, x: shown.epoch, y, colour, dash });
    const pair = (what) =>
      found
        ? [line("training", shown[`train_${what}`], COLOURS.train), line("validation", shown[`val_${what}`], COLOURS.val, "7 3")]
        : [];
    charts.accuracy.draw({ x, note, series: pair("accuracy"), y: { label: "accuracy", low: 0, high: 1 } });
    const losses = [...shown.train_loss, ...shown.val_loss].filter((v) => v > 0 && Number.isFinite(v));
    const decade = (round, v) => (state.logLoss ? 10 ** round(Math.log10(v)) : v);
    const top = decade(Math.ceil, Math.max(1, ...losses));
    const low = state.logLoss ? decade(Math.floor, Math.min(0.1, ...losses)) : 0;
    const loss = { label: "loss (nats)", low, high: top, log: state.logLoss };
    charts.loss.draw({ x, note, series: pair("loss"), y: loss });
    const norms = shown.param_norm.filter(Number.isFinite);
    const norm = { label: "parameter norm", low: 0, high: 1.05 * Math.max(1, ...norms) };
    charts.norm.draw({ x, note, series: found ? [line("norm", shown.param_norm, COLOURS.third)] : [], y: norm });
  }

  update({});
}

export default { render };
