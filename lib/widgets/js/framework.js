// What the two curves of figure 1 predict; the formula is that of lib/analysis/zones/prediction.py.

function render({ model, el }) {
  const meta = model.get("meta");
  const root = frame(el, "What the framework predicts", "framework");
  const state = { difficulty: 1, size: 3000 };

  const percent = Object.assign({ min: 0.6, max: 1.6, step: 0.02 }, { format: (v) => `× ${v.toFixed(2)}` });
  const difficulty = slider("difficulty (D_crit)", percent, 1, (v) => {
    state.difficulty = v;
    draw();
  });
  const size = slider("training points D", { min: 1000, max: 6000, step: 100 }, 3000, (v) => {
    state.size = v;
    draw();
  });
  const status = element("p", { class: "gc-status", role: "status" });
  const picture = chart("Predicted and measured validation accuracy against d_model", 280);
  root.append(
    element("div", { class: "gc-controls" }, difficulty.node, size.node),
    status,
    legend({ name: "predicted", colour: COLOURS.third }, { name: "measured, addition", colour: COLOURS.val, dash: "7 3" }),
    picture.node,
  );

  const sigma = (x) => 1 / (1 + Math.exp(-x));
  // Unordered pairs among D random ordered ones (lib.analysis.zones.capacity.distinct_pairs).
  const facts = (D, P = 113) => {
    const share = D / P ** 2;
    return P * share + ((P * (P - 1)) / 2) * (1 - (1 - share) ** 2);
  };

  function predict(i) {
    const room = meta.capacity[i];
    const forced = sigma(Math.log(facts(state.size) / room) / meta.force);
    const enough = sigma((state.size - state.difficulty * meta.critical[i]) / meta.step);
    return (1 - Math.exp(-room / meta.rule)) * (forced + (1 - forced) * enough);
  }

  // First peak less valley, as far as the curve rises again.
  function depth(y) {
    let best = 0;
    for (let j = 1; j < y.length - 1; j++) {
      best = Math.max(best, Math.min(Math.max(...y.slice(0, j)), Math.max(...y.slice(j + 1))) - y[j]);
    }
    return best;
  }

  function draw() {
    const x = meta.d_model;
    const y = x.map((_, i) => predict(i));
    const own = meta.measured.filter((cell) => cell.train_size === state.size).sort((a, b) => a.d_model - b.d_model);
    const measured = { x: own.map((cell) => cell.d_model), y: own.map((cell) => cell.mean) };
    const dip = depth(y);
    root.drawn = { ...state, d_model: x, predicted: y, measured };
    status.textContent =
      `D = ${number(state.size)}, D_crit × ${state.difficulty.toFixed(2)}: the predicted curve ` +
      (dip >= 0.1 ? `dips by ${dip.toFixed(2)}: double descent. ` : "has no dip of 0.1 or more: no double descent. ") +
      (own.length ? `${own.length} measured widths (addition).` : "Nothing was measured at this training size.");
    const widths = [x[0], x.at(-1), ...measured.x];
    picture.draw({
      series: [
        { name: "predicted", x, y, colour: COLOURS.third },
        { name: "measured", ...measured, colour: COLOURS.val, dash: "7 3", markers: true },
      ],
      x: { label: "d_model", low: Math.min(...widths) * 0.93, high: Math.max(...widths) * 1.08, log: true, at: [4, 8, 16, 32, 64, 100] },
      y: { label: "validation accuracy", low: 0, high: 1 },
    });
  }

  draw();
}

export default { render };
