// Validation accuracy over (d_model, training size) at one epoch; a slider moves the epoch.

const PACE = 90; // milliseconds a frame while it plays

function render({ model, el }) {
  const meta = model.get("meta");
  const packed = words(model.get("data"));
  const root = frame(el, "Phase diagram over time", "phase");
  const { frames, d_models: widths, train_sizes: sizes } = meta;
  const n = frames.length;
  const cells = new Map();
  meta.cells.forEach((cell, i) => {
    const read = (k) => column(packed, (2 * i + k) * n, n, "accuracy");
    cells.set(`${cell.d_model} ${cell.train_size}`, { ...cell, val: read(0), train: read(1) });
  });
  const state = { frame: n - 1, x: widths.length - 1, y: Math.max(0, sizes.indexOf(3000)) };

  const epochs = Object.assign([...frames], { format: (e) => number(e) });
  const time = slider("epoch", epochs, frames[n - 1], (epoch) => {
    stop();
    state.frame = frames.indexOf(epoch);
    draw();
  });
  const play = element("button", { type: "button", onclick: () => (timer ? stop() : start()) }, "Play");
  play.disabled = n < 2;
  let timer = null;
  function start() {
    if (state.frame === n - 1) state.frame = -1;
    play.textContent = "Pause";
    status.setAttribute("aria-live", "off"); // not a sentence for each frame
    timer = setInterval(() => {
      state.frame += 1;
      time.value = frames[state.frame];
      if (state.frame >= n - 1) stop();
      draw();
    }, PACE);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    status.removeAttribute("aria-live");
  }

  const height = 60 + 30 * Math.max(4, sizes.length);
  const map = shape("svg", { role: "application", tabindex: 0, height, width: "100%" });
  const help = "Mean validation accuracy by d_model and training points; arrow keys choose a cell";
  map.setAttribute("aria-label", help);
  const host = element("div", { class: "gc-chart" }, map);
  const status = element("p", { class: "gc-status", role: "status" });
  const shades = [0, 0.25, 0.5, 0.75, 1].map(cividis).join(", ");
  const strip = element("span", { class: "gc-strip", style: `background: linear-gradient(to right, ${shades})` });
  const scale = element("p", { class: "gc-legend" }, "mean validation accuracy: 0", strip, "1");
  const one = chart("Accuracies of the chosen cell against epoch", 200);
  root.append(
    element("div", { class: "gc-controls" }, play, time.node),
    host,
    legend(
      { name: "D_crit by this epoch", colour: "var(--gc-val)" },
      { name: "D_mem by this epoch", colour: "var(--gc-third)", dash: "7 3" },
    ),
    scale,
    status,
    legend({ name: "training", colour: COLOURS.train }, { name: "validation", colour: COLOURS.val, dash: "7 3" }),
    one.node,
  );

  map.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    state.x = Math.min(Math.max(state.x + step[0], 0), widths.length - 1);
    state.y = Math.min(Math.max(state.y + step[1], 0), sizes.length - 1);
    draw();
  });
  const choose = (event) => {
    const at = event.target.dataset && event.target.dataset.cell;
    if (!at || at === `${state.x} ${state.y}`) return; // the same sentence again is a nuisance
    [state.x, state.y] = at.split(" ").map(Number);
    draw();
  };
  // A mouse may hover; a finger taps, and scrolls past.
  map.addEventListener("pointermove", (event) => event.pointerType === "mouse" && choose(event));
  map.addEventListener("click", choose);

  function draw() {
    const epoch = frames[state.frame];
    const width = Math.max(240, host.clientWidth || 640);
    const box = { left: 56, top: 6, right: width - 4, bottom: height - 38 };
    const [w, h] = [(box.right - box.left) / (widths.length || 1), (box.bottom - box.top) / (sizes.length || 1)];
    const px = (i) => box.left + i * w;
    const py = (j) => box.bottom - (j + 1) * h;
    map.setAttribute("viewBox", `0 0 ${width} ${height}`);
    map.replaceChildren();
    const shown = [];
    sizes.forEach((size, j) => {
      map.append(shape("text", { x: box.left - 6, y: py(j) + h / 2 + 4, "text-anchor": "end" }, number(size)));
      widths.forEach((d, i) => {
        const cell = cells.get(`${d} ${size}`);
        const chosen = i === state.x && j === state.y;
        const rect = { x: px(i), y: py(j), width: w - 1, height: h - 1, "data-cell": `${i} ${j}` };
        const mean = cell ? cell.val[state.frame] : null;
        rect.fill = cell ? cividis(mean) : "transparent";
        rect.class = `gc-cell${chosen ? " gc-chosen" : ""}${cell ? "" : " gc-none"}`;
        map.append(shape("rect", rect));
        if (!cell) return;
        shown.push({ d_model: d, train_size: size, mean, seeds: cell.seeds });
        if (w < 27) return;
        const style = `fill: ${mean < 0.47 ? "#fff" : "#000"}; pointer-events: none; font-size: 11px`;
        const text = { x: px(i) + w / 2, y: py(j) + h / 2 + 4, "text-anchor": "middle", style };
        map.append(shape("text", text, mean.toFixed(2)));
      });
    });
    widths.forEach((d, i) => {
      if (w < 20 && i % 2) return;
      const at = { x: px(i) + w / 2, y: box.bottom + 14, "text-anchor": "middle" };
      map.append(shape("text", at, String(d)));
    });
    map.append(shape("text", { x: (box.left + box.right) / 2, y: height - 6, "text-anchor": "middle" }, "d_model (up: training points)"));
    const lines = { critical: line(meta.critical, "var(--gc-val)", ""), memory: line(meta.memory, "var(--gc-third)", "7 3") };
    root.drawn = { epoch, cells: shown, ...lines };
    const [d, size] = [widths[state.x], sizes[state.y]];
    const cell = cells.get(`${d} ${size}`);
    const told = cell
      ? `d_model ${d}, D = ${number(size)}, at epoch ${number(epoch)}: training ${cell.train[state.frame].toFixed(3)}, ` +
        `validation ${cell.val[state.frame].toFixed(3)}; mean of ${cell.seeds} seed${cell.seeds > 1 ? "s" : ""}.`
      : "No run of this cell is stored.";
    if (status.textContent !== told) status.textContent = told; // a resize is nothing to say
    one.draw({
      x: { label: "epoch", low: 0, high: frames[n - 1] || 1, log: "epochs" },
      y: { label: "mean accuracy", low: 0, high: 1 },
      series: cell
        ? [
            { name: "training", x: frames, y: cell.train, colour: COLOURS.train },
            { name: "validation", x: frames, y: cell.val, colour: COLOURS.val, dash: "7 3" },
          ]
        : [],
      marks: [{ x: epoch, text: "" }],
      note: cell ? null : "not stored",
    });

    // Sizes lie between the rows' middles; what lies outside of them is not drawn.
    function line(table, colour, dash) {
      const stretches = [[]]; // a width of which it is not known interrupts the line
      const values = {};
      widths.forEach((width, i) => {
        const value = table[width] && table[width][state.frame];
        if (value == null) return stretches.push([]);
        values[width] = value;
        const j = sizes.findIndex((size) => size >= value);
        if (j < 0 || (j === 0 && value < sizes[0])) return stretches.push([]);
        const part = j ? (value - sizes[j - 1]) / (sizes[j] - sizes[j - 1]) : 1;
        stretches.at(-1).push([px(i) + w / 2, py(Math.max(j - 1, 0)) + h / 2 - (j ? part * h : 0)]);
      });
      const strokes = [["#fff", 5], [colour, 2.5]];
      for (const [points, [colour_, extra]] of strokes.flatMap((s) => stretches.map((p) => [p, s]))) {
        const path = { points: points.join(" "), fill: "none", stroke: colour_, "stroke-width": extra };
        path["stroke-dasharray"] = dash || "none";
        path.style = "pointer-events: none";
        map.append(shape("polyline", path));
      }
      for (const [cx, cy] of stretches.flat()) {
        map.append(shape("circle", { cx, cy, r: 4, fill: colour, stroke: "#fff", style: "pointer-events: none" }));
      }
      return values;
    }
  }

  new ResizeObserver(() => draw()).observe(host);
  draw();
  return () => stop();
}

export default { render };
