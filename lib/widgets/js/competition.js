// Two circuits that compete: the equations of lib/circuits/simulation.py, by Runge and Kutta's method.

function slope(w, s) {
  const gen = Math.max(w[0] * w[1], 0);
  const mem = Math.max(w[2] * w[3], 0);
  const wrong = (s.classes - 1) * Math.exp(-(gen + mem));
  const pull = wrong / (1 + wrong);
  const r = 2 / s.power;
  const drag = s.decay / s.power;
  const byGen = pull - drag * gen ** (r - 1);
  const byMem = pull - drag * s.cost ** 2 * mem ** (r - 1);
  return [byGen * w[1], byGen * w[0], byMem * w[3], byMem * w[2]];
}

// The logit at which a lone generalizing circuit stays.
function equilibrium(s) {
  let [low, high] = [0, 100];
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    const wrong = (s.classes - 1) * Math.exp(-middle);
    if (wrong / (1 + wrong) > (s.decay / s.power) * middle ** (2 / s.power - 1)) low = middle;
    else high = middle;
  }
  return low;
}

function firstWeights(s) {
  const root = Math.sqrt(equilibrium(s));
  return s.grokked ? [root, root, 0, 1] : [0, s.start, 0, 1];
}

// One step of the classic method of fourth order.
function step(w, dt, s) {
  const add = (k, part) => w.map((v, i) => v + part * k[i]);
  const a = slope(w, s);
  const b = slope(add(a, dt / 2), s);
  const c = slope(add(b, dt / 2), s);
  const d = slope(add(c, dt), s);
  return w.map((v, i) => v + (dt / 6) * (a[i] + 2 * b[i] + 2 * c[i] + d[i]));
}

const STEP = 0.1; // of time: rates stay near 1, so a step's error is near 1e-7
const EARLY = 1e-4; // the first steps are smaller: logits start at 0, where the drag has no slope

function simulate(s, times) {
  const found = { time: times, generalizing: [], memorizing: [], train_loss: [], val_loss: [], val_probability: [] };
  let [w, t] = [firstWeights(s), 0];
  for (const time of times) {
    while (t < time) {
      const dt = Math.min(Math.max(EARLY, Math.min(STEP, t / 20)), time - t);
      w = step(w, dt, s);
      t = time - t - dt < 1e-12 ? time : t + dt;
    }
    const [gen, mem] = [w[0] * w[1], w[2] * w[3]];
    const val = Math.log1p(Math.exp(mem - gen) + (s.classes - 2) * Math.exp(-gen));
    found.generalizing.push(gen);
    found.memorizing.push(mem);
    found.train_loss.push(Math.log1p((s.classes - 1) * Math.exp(-(gen + mem))));
    found.val_loss.push(val);
    found.val_probability.push(Math.exp(-val));
  }
  return found;
}

function render({ model, el }) {
  const meta = model.get("meta");
  const root = frame(el, "Two circuits that compete", "competition");
  const setting = { ...meta.start };

  const change = (name) => (value) => {
    setting[name] = value;
    draw();
  };
  const plain = (values, format) => Object.assign(values, { format });
  const cost = slider("norm cost of memorizing", plain([...meta.costs], (v) => v.toFixed(2)), setting.cost, change("cost"));
  const decay = slider("weight decay", plain([...meta.decays], String), setting.decay, change("decay"));
  const start = slider("start of generalizing", plain([...meta.starts], String), setting.start, change("start"));
  const grokked = checkbox("start from a network that has generalized", setting.grokked, change("grokked"));
  const status = element("p", { class: "gc-status", role: "status" });
  const logits = chart("Logits of the two circuits against time", 220);
  const losses = chart("Training and validation loss against time", 220);
  const gen = { name: "generalizing", colour: COLOURS.third };
  const mem = { name: "memorizing", colour: "currentColor", dash: "2 4" };
  const train = { name: "training", colour: COLOURS.train };
  const val = { name: "validation", colour: COLOURS.val, dash: "6 4" };
  root.append(
    element("div", { class: "gc-controls" }, cost.node, decay.node, start.node, grokked.node),
    status,
    element(
      "div",
      { class: "gc-pair" },
      element("div", {}, legend(gen, mem), logits.node),
      element("div", {}, legend(train, val), losses.node),
    ),
  );

  // The first moment from which a list stays at or above (or below) a value; null if none.
  const settled = (values, test) => {
    let i = values.length;
    while (i > 0 && test(values[i - 1])) i--;
    return i < values.length ? meta.times[i] : null;
  };

  function words(run) {
    const last = run.generalizing.length - 1;
    const wins = run.generalizing[last] > run.memorizing[last];
    const known = settled(run.train_loss, (v) => v < 0.1);
    const learned = settled(run.generalizing.map((v, i) => v - run.memorizing[i]), (v) => v > 0);
    const gone = settled(run.generalizing.map((v, i) => run.memorizing[i] - v), (v) => v > 0);
    const share = `the right class gets probability ${run.val_probability[last].toFixed(2)} on held-out points`;
    const end = `At time ${number(meta.times[last])} ${share}. `;
    const name = run.val_probability[last] < 0.9 ? "semi-grokking" : "grokking"; // half way, or there
    if (wins && setting.grokked) return `${end}It goes on generalizing.`;
    if (wins && known != null) return `${end}Training loss is low from time ${number(Math.round(known))}, generalization leads from ${number(Math.round(learned))}: ${learned > known ? name : "no delay"}.`;
    if (wins) return `${end}Generalization leads, and training loss stays above 0.1.`;
    if (setting.grokked) return `${end}Memorization leads from time ${number(Math.round(gone))}: ungrokking in Varma et al.'s sense.`;
    return `${end}Memorization leads: it never generalizes.`;
  }

  function draw() {
    const run = simulate(setting, meta.times);
    root.drawn = { setting: { ...setting }, ...run };
    status.textContent = words(run);
    const x = { label: "time", low: 0, high: meta.times.at(-1), log: "epochs" };
    const line = (kind, name) => ({ ...kind, x: run.time, y: run[name] });
    const top = Math.max(10, ...run.generalizing, ...run.memorizing);
    logits.draw({
      series: [line(gen, "generalizing"), line(mem, "memorizing")],
      x,
      y: { label: "logit", low: 0, high: top },
    });
    const high = Math.max(6, ...run.val_loss);
    losses.draw({
      series: [line(train, "train_loss"), line(val, "val_loss")],
      x,
      y: { label: "loss", low: 0, high },
    });
  }

  draw();
}

export default { render };
