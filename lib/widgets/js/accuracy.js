// Final accuracy against width: pick the training size and the task, see mean, interval, seeds.

const TASKS = { add: "a + b", square: "(a + b)²", random: "random labels" };

function render({ model, el }) {
  const meta = model.get("meta");
  const root = frame(el, "Final accuracy by width", "accuracy");
  const state = { ...meta.start, seeds: true };

  const size = slider("training points D", [...meta.train_sizes], state.train_size, (v) => {
    state.train_size = v;
    draw();
  });
  const names = Object.fromEntries(meta.tasks.map((task) => [task, TASKS[task] || task]));
  const tasks = choice("task:", names, (task) => {
    state.task = task;
    draw();
  });
  const seeds = checkbox("single seeds as dots", state.seeds, (on) => {
    state.seeds = on;
    draw();
  });
  const status = element("p", { class: "gc-status", role: "status" });
  const picture = chart("Final training and validation accuracy against d_model", 280);
  if (meta.tasks.length > 1) root.append(tasks.node);
  root.append(
    element("div", { class: "gc-controls" }, size.node, seeds.node),
    status,
    legend({ name: "training", colour: COLOURS.train }, { name: "validation", colour: COLOURS.val, dash: "7 3" }),
    picture.node,
  );

  function draw() {
    tasks.press(state.task);
    const rows = meta.rows
      .filter((row) => row.task === state.task && row.train_size === state.train_size)
      .sort((a, b) => a.d_model - b.d_model);
    const x = rows.map((row) => row.d_model);
    const mean = (part) => rows.map((row) => row[part].mean);
    const dots = (part) => ({
      x: rows.flatMap((row) => row[part].values.map(() => row.d_model)),
      y: rows.flatMap((row) => row[part].values),
      dots: true,
      name: `${part} seed`,
      colour: COLOURS[part],
    });
    const bands = ["train"].map((part) => {
      const firm = rows.filter((row) => row[part].interval);
      const ends = (k) => firm.map((row) => row[part].interval[k]);
      return { x: firm.map((row) => row.d_model), low: ends(0), high: ends(1), colour: COLOURS[part] };
    });
    const series = [
      { name: "training", x, y: mean("train"), colour: COLOURS.train, markers: true },
      { name: "validation", x, y: mean("val"), colour: COLOURS.val, dash: "7 3", markers: true },
      ...(state.seeds ? [dots("train"), dots("val")] : []),
    ];
    root.drawn = { ...state, d_model: x, train: mean("train"), val: mean("val"), dots: state.seeds ? dots("val").y : [] };
    const counts = rows.map((row) => row.seeds.length);
    const few = Math.min(...counts);
    const many = Math.max(...counts);
    const setting = `${TASKS[state.task] || state.task}, D = ${number(state.train_size)}`;
    status.textContent = rows.length
      ? `${setting}: ${rows.length} width${rows.length > 1 ? "s" : ""}, ${few === many ? few : `${few} to ${many}`} ` +
        `seed${many > 1 ? "s" : ""} each. Lines: means; band: the 95% interval of training, from three seeds on.`
      : `${setting}: no run is stored.`;
    picture.draw({
      series: rows.length ? series : [],
      bands,
      note: rows.length ? null : "not stored",
      x: { label: "d_model", low: meta.d_models[0] * 0.93, high: meta.d_models.at(-1) * 1.08, log: true, at: ladder(meta.d_models) },
      y: { label: "final accuracy", low: 0, high: 1 },
    });
  }

  draw();
}

// Widths that have room for their labels on a logarithmic axis.
function ladder(widths) {
  const shown = [];
  for (const d of widths) if (!shown.length || d >= shown.at(-1) * 1.25) shown.push(d);
  return shown;
}

export default { render };
