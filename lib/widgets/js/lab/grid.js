// The mini grid: widths by training sizes, trained in the page, filling in like figure 3.

function gridView(root) {
  const { widths, sizes, common, about } = FACTS.grid;
  let cells = [];
  let queue = [];
  let running = new Set();
  let paused = false;
  const table = element("table", { class: "lab-table lab-grid" });
  const go = element("button", { type: "button", class: "lab-go", onclick: press }, "Train all");
  const reset = element("button", { type: "button", onclick: clear }, "Reset");
  const seed = slider("seed", { min: 0, max: 20, step: 1 }, 0, () => clear());
  const status = statusLine();
  const picture = accuracyPicture();
  const title = element("p", { class: "lab-caption" });
  let shown = null;
  const file = saveButton(() => shown?.run);
  root.append(
    element("p", { class: "lab-caption" }, about),
    element("div", { class: "gc-choice" }, go, reset, seed.node), status.node,
    element("div", { class: "lab-scroll" }, table), curveLegend(), title, picture.node,
    element("div", { class: "lab-more" }, file.node),
  );

  function build() {
    const head = element("tr", {}, element("th", { scope: "col" }, "D \\ d_model"), ...widths.map((d) => element("th", { scope: "col" }, String(d))));
    cells = [];
    const rows = [...sizes].reverse().map((size) =>
      element("tr", {}, element("th", { scope: "row" }, number(size)), ...widths.map((d) => {
        const button = element("button", { type: "button", class: "lab-cell", onclick: () => look(cell) }, "·");
        const setting = possible({ ...FACTS.recipe, ...common, d_model: d, train_size: size, seed: seed.value });
        const cell = { d, size, button, setting, run: null, curve: null };
        cells.push(cell);
        return element("td", {}, button);
      })),
    );
    table.replaceChildren(head, ...rows);
  }

  function paint(cell) {
    const value = cell.curve?.val_accuracy.at(-1);
    const known = Number.isFinite(value);
    const failed = cell.run?.phase === "failed";
    cell.button.textContent = known ? value.toFixed(2) : failed ? "×" : "·";
    cell.button.style.background = known ? cividis(value) : "";
    cell.button.style.color = known ? (value > 0.47 ? "#000" : "#fff") : "";
    const state = cell.zone ? `, ${cell.zone}` : failed ? ", failed" : cell.run ? (paused ? ", paused" : ", training") : "";
    cell.button.setAttribute("aria-label", `d_model ${cell.d}, D ${cell.size}: ${known ? value.toFixed(2) : "not trained"}${state}`);
    cell.button.classList.toggle("lab-done", Boolean(cell.zone));
    if (shown === cell) look(cell);
  }

  function look(cell) {
    shown = cell;
    for (const one of cells) one.button.setAttribute("aria-pressed", String(one === cell));
    const c = cell.curve;
    title.textContent = `${inWords(cell.setting)}${cell.zone ? `: ${cell.zone} by epoch ${number(c.epoch.at(-1))}` : ""}`;
    picture.draw(c, cell.setting.epochs);
    file.draw();
  }

  function show(phase) {
    root.dataset.phase = phase;
    if (phase === "idle" && document.activeElement === reset) go.focus();
    reset.disabled = phase === "idle";
    go.textContent = { idle: "Train all", training: "Pause", paused: "Resume", done: "Train all" }[phase];
    const done = cells.filter((cell) => cell.zone).length;
    const failed = cells.find((cell) => cell.run?.phase === "failed");
    const why = failed ? ` ${sentence(failed.run).replace(/\.?$/, ".")}` : "";
    const busy = running.size ? `, ${running.size} at a time` : "";
    status.say(`${done} of ${cells.length} networks trained${busy}.${why}`, phase !== "training");
    root.drawn = cells.map((cell) => ({ d: cell.d, size: cell.size, zone: cell.zone, val: cell.curve?.val_accuracy.at(-1) }));
  }

  function clear() {
    for (const cell of running) cell.run.end();
    [running, queue, paused] = [new Set(), [], false];
    build();
    look(cells[0]);
    for (const cell of cells) paint(cell);
    show("idle");
  }

  function press(click) {
    const phase = root.dataset.phase;
    if (phase === "training" || phase === "paused") {
      paused = phase === "training";
      for (const cell of running) paused ? cell.run.pause() : cell.run.resume();
      for (const cell of running) paint(cell);
      return show(paused ? "paused" : "training");
    }
    if (late(click, cells.map((cell) => cell.run))) return;
    clear();
    queue = [...cells];
    const workers = Math.max(2, Math.min(6, (navigator.hardwareConcurrency || 2) - 1));
    for (let i = 0; i < workers; i++) next();
    show("training");
  }

  function next() {
    const cell = queue.shift();
    if (!cell) return running.size || show("done");
    running.add(cell);
    cell.run = new Run(workerPort, cell.setting, (what) => hear(cell, what), { quiet: true });
    cell.curve = cell.run.curve;
    if (paused) cell.run.pause(); // one that was about to end when it was paused made room
  }

  function hear(cell, what) {
    const { phase } = cell.run;
    const due = performance.now() - (cell.drawn ?? -Infinity) >= (calm() ? 1000 : 100);
    if ((what === "points" && due) || phase === "done") {
      cell.drawn = performance.now();
      paint(cell);
    }
    if (!["done", "failed"].includes(phase) || !running.delete(cell)) return;
    if (phase === "done") cell.zone = cell.run.zone;
    cell.run.end();
    paint(cell);
    show(paused ? "paused" : "training");
    next();
  }

  clear();
  return { stop: () => root.dataset.phase === "training" && press() };
}
