// Two ways into the trained network: ask it a pair, take frequencies away.

// Type a and b: its answer, how sure it is, and what would be right.
function askPanel(run) {
  const input = (label) => element("input", { type: "number", min: 0, value: 1, "aria-label": label, class: "lab-number" });
  const [a, b] = [input("a"), input("b")];
  const sign = element("span", {}, "+");
  const go = element("button", { type: "button", onclick: () => ask() }, "Ask");
  const answer = element("p", { class: "lab-answer", role: "status" });
  const node = element(
    "section", { class: "lab-panel", "aria-label": "Ask it" }, element("p", { class: "lab-title" }, "Ask it"),
    element("div", { class: "gc-choice" }, a, sign, b, go), answer,
  );
  for (const one of [a, b]) one.addEventListener("keydown", (event) => event.key === "Enter" && ask());

  async function ask() {
    const now = run();
    if (!now?.port || !now.curve.epoch.length) return (answer.textContent = "Train a network first.");
    const { modulus, task } = now.setting;
    const [x, y] = [a, b].map((one) => Math.min(modulus - 1, Math.max(0, Math.round(Number(one.value)) || 0)));
    [a.value, b.value] = [x, y];
    const { answers, right } = await now.question({ do: "ask", a: x, b: y });
    const top = Math.max(...answers);
    const weights = Array.from(answers, (v) => Math.exp(v - top));
    const whole = weights.reduce((sum, v) => sum + v, 0);
    const order = weights.map((_, i) => i).sort((i, j) => weights[j] - weights[i]);
    const sure = (i) => `${((100 * weights[i]) / whole).toFixed(1)}%`;
    const [first, second] = order;
    const seen = now.view ? (now.view.field[x * modulus + y] & 2 ? "a pair of its training set" : "a pair that it was never shown") : "";
    const verdict = first === right ? "right" : `wrong: it is ${right}`;
    const asked = task === "random" ? `the label of (${x}, ${y})` : TASKS[task === "multitask" ? "add" : task].replace("a", x).replace("b", y);
    answer.textContent =
      `${asked} mod ${modulus}: it says ${first}, ${sure(first)} sure ` +
      `(next ${second}, ${sure(second)}). That is ${verdict}; ${seen}.`;
  }
  const clear = () => (answer.textContent = "");
  return { node, clear, sign: (task) => (sign.textContent = { subtract: "−", random: "," }[task] || "+") };
}

// Nanda's restricted and excluded view: accuracies without some waves, and with them alone.
function lesionPanel(run) {
  const which = element("input", { type: "text", value: "top 3", class: "lab-number lab-wide", "aria-label": "frequencies, such as top 3 or 4, 9" });
  const go = element("button", { type: "button", onclick: () => cut() }, "Remove");
  const table = element("table", { class: "lab-table" });
  const note = element("p", { class: "lab-answer", role: "status" });
  const node = element(
    "section", { class: "lab-panel", "aria-label": "Lesion it" }, element("p", { class: "lab-title" }, "Lesion it"),
    element("div", { class: "gc-choice" }, element("label", {}, "frequencies ", which), go), note, table,
  );
  which.addEventListener("keydown", (event) => event.key === "Enter" && cut());

  function wanted(now) {
    const text = which.value.trim();
    const top = text.match(/^top\s*(\d*)$/i);
    const spectrum = now.view?.spectra?.logits;
    if (top && spectrum) {
      const order = Array.from(spectrum, (_, i) => i).sort((i, j) => spectrum[j] - spectrum[i]);
      return order.slice(0, Number(top[1] || 1)).map((i) => i + 1);
    }
    const most = (now.setting.modulus - 1) / 2;
    return [...new Set((text.match(/\d+/g) || []).map(Number))].filter((k) => k >= 1 && k <= most);
  }

  async function cut() {
    const now = run();
    if (!now?.port || !now.view) return (note.textContent = "Train a network first.");
    if (!now.view.spectra) return (note.textContent = "Waves are for tasks with one operator.");
    const frequencies = wanted(now);
    const keys = keyFrequencies(now.view.spectra.logits, FACTS.thresholds);
    if (!frequencies.length) return (note.textContent = `Name frequencies from 1 to ${(now.setting.modulus - 1) / 2}, or top 3.`);
    const found = await now.question({ do: "lesion", frequencies });
    note.textContent = `Frequencies ${frequencies.join(", ")}, epoch ${number(found.epoch)}. Key frequencies: ${keys.join(", ") || "none"}.`;
    const row = (name, values) =>
      element("tr", {}, element("th", { scope: "row" }, name), ...values.map((v) => element("td", {}, Number.isFinite(v) ? v.toFixed(3) : "–")));
    table.replaceChildren(
      element("tr", {}, ...["", "training", "validation"].map((t) => element("th", { scope: "col" }, t))),
      row("whole", [found.whole.train, found.whole.val]),
      row("without them", [found.excluded.train, found.excluded.val]),
      row("with them alone", [found.restricted.train, found.restricted.val]),
    );
  }
  const clear = () => {
    note.textContent = "";
    table.replaceChildren();
  };
  return { node, clear };
}
