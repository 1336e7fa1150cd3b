// The pictures of one run: curves, the field of pairs, the spectrum.

// All P × P pairs: light where the network is right; what it was trained on is crossed out
// by a darker shade of its own colour.
function fieldPicture(size = 300) {
  const canvas = element("canvas", { class: "lab-field", width: 113, height: 113, role: "img" });
  const caption = element("p", { class: "lab-caption" });
  const node = element("figure", { class: "lab-figure" }, canvas, caption);
  canvas.style.maxWidth = `${size}px`;
  const colour = (name) => {
    const probe = element("span", { style: `color: var(${name})` });
    node.append(probe);
    const found = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
    probe.remove();
    return found;
  };

  let last = null;
  // Its legend follows the theme by itself.
  new MutationObserver(() => last && draw(...last)).observe(document.documentElement, {
    attributes: true, subtree: true, attributeFilter: ["data-theme", "data-jp-theme-light"],
  });

  function draw(field, modulus) {
    last = [field, modulus];
    canvas.width = canvas.height = modulus;
    const shades = ["--lab-wrong", "--lab-right", "--lab-wrong-train", "--lab-right-train"].map(colour);
    const context = canvas.getContext("2d");
    const image = context.createImageData(modulus, modulus);
    const count = [0, 0, 0, 0];
    for (let i = 0; i < field.length; i++) {
      count[field[i]] += 1;
      image.data.set([...shades[field[i]], 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
    const [wrong, right, wrongTrain, rightTrain] = count;
    caption.textContent =
      `All ${number(modulus ** 2)} pairs, a down, b across. Held out: ${number(right)} of ` +
      `${number(wrong + right)} right; trained on: ${number(rightTrain)} of ${number(wrongTrain + rightTrain)}.`;
    canvas.setAttribute("aria-label", caption.textContent);
    canvas.drawn = count;
  }

  function clear(modulus) {
    last = null;
    canvas.width = canvas.height = modulus;
    caption.textContent = "Every pair (a, b) is one point here, once it trains.";
    canvas.setAttribute("aria-label", caption.textContent);
  }
  return { node, draw, clear };
}

const fieldLegend = () =>
  element(
    "div",
    { class: "gc-legend" },
    ...[
      ["--lab-right", "held out, right"],
      ["--lab-wrong", "held out, wrong"],
      ["--lab-right-train", "trained on, right"],
      ["--lab-wrong-train", "trained on, wrong"],
    ].map(([name, text]) =>
      element("span", {}, element("i", { class: "lab-swatch", style: `background: var(${name})` }), text),
    ),
  );

// Bars of the share at each frequency, of the embedding and of the logits.
function spectrumPicture() {
  const picture = chart("Share of each frequency in the embedding and in the logits", 190);
  function draw(spectra) {
    if (!spectra) return picture.draw({ ...empty, note: "needs one operator" });
    const k = Array.from(spectra.embedding, (_, i) => i + 1);
    const high = Math.max(0.1, ...spectra.embedding, ...spectra.logits);
    const line = (name, values, colour, dash) => ({ name, x: k, y: Array.from(values), colour, dash, markers: !dash });
    picture.draw({
      x: { label: "frequency k", low: 1, high: k.length },
      y: { label: "share", low: 0, high: 1.05 * high },
      series: [
        line("embedding", spectra.embedding, COLOURS.third),
        line("logits", spectra.logits, COLOURS.val, "6 3"),
      ],
    });
  }
  const empty = { x: { label: "frequency k", low: 1, high: 15 }, y: { label: "share", low: 0, high: 1 }, series: [] };
  const clear = () => picture.draw({ ...empty, note: "nothing trained yet" });
  return { node: picture.node, draw, clear };
}

const curveLine = (c, name, key, colour, dash) => ({ name, x: c.epoch, y: c[key], colour, dash });

const curvePair = (c, what) => [
  curveLine(c, "training", `train_${what}`, COLOURS.train),
  curveLine(c, "validation", `val_${what}`, COLOURS.val, "7 3"),
];

const epochAxis = (epochs) => ({ label: "epoch", low: 0, high: epochs, log: "epochs" });

// Accuracies of one curve, if there is one; other lines lie behind them and before them.
function accuracyPicture(label = "Training and validation accuracy against epoch") {
  const picture = chart(label, 260);
  const draw = (c, epochs, behind = [], before = []) => {
    const some = c?.epoch.length > 0;
    picture.draw({
      x: epochAxis(epochs),
      y: { label: "accuracy", low: 0, high: 1 },
      series: [...behind, ...(some ? [...curvePair(c, "accuracy"), ...before] : [])],
      note: some || behind.length ? null : "nothing trained yet",
    });
  };
  return { node: picture.node, draw };
}

// The three curves.  `stored`: the book's own run of the setting, in grey.
function curvePictures() {
  const charts = {
    accuracy: accuracyPicture("Training and validation accuracy, and share of the trigonometric subspace, against epoch"),
    loss: chart("Training and validation loss against epoch", 180),
    norm: chart("Parameter norm against epoch", 180),
  };

  function draw(run, epochs, stored) {
    const c = run?.curve;
    const some = c && c.epoch.length > 0;
    const x = epochAxis(epochs);
    const rote = some && c.memorize_accuracy.some(Number.isFinite)
      ? [curveLine(c, "random labels", "memorize_accuracy", COLOURS.third)] : [];
    const rule = run?.trig.epoch.length > 1
      ? [{ name: "trigonometric share", x: run.trig.epoch, y: run.trig.share, colour: COLOURS.third, dash: "2 3" }] : [];
    charts.accuracy.draw(c, epochs, stored ? storedLines(stored, epochs) : [], [...rote, ...rule]);
    const losses = some ? [...c.train_loss, ...c.val_loss].filter((v) => v > 0 && v < Infinity) : [];
    const low = 10 ** Math.floor(Math.log10(Math.min(0.1, ...losses)));
    const high = 10 ** Math.ceil(Math.log10(Math.max(1, ...losses)));
    charts.loss.draw({ x, y: { label: "loss (nats)", low, high, log: true }, series: some ? curvePair(c, "loss") : [] });
    const y = { label: "parameter norm", low: 0, high: 1.05 * Math.max(1, ...(some ? c.param_norm.filter(Number.isFinite) : [])) };
    charts.norm.draw({ x, y, series: some ? [curveLine(c, "norm", "param_norm", COLOURS.third)] : [] });
  }
  return { charts, draw };
}

function storedLines(stored, epochs) {
  const until = stored.epoch.filter((e) => e <= epochs).length;
  const line = (name, y, dash) => ({
    name, x: stored.epoch.slice(0, until), y: y.slice(0, until), colour: "var(--lab-grey)", dash,
  });
  return [
    line("the book's training", stored.train_accuracy),
    line("the book's validation", stored.val_accuracy, "7 3"),
  ];
}

// The run that the book has stored for a setting, unpacked, or null.
function storedRun(setting) {
  const names = ["task", "modulus", "train_size", "d_model", "lr", "weight_decay", "seed"];
  const found = FACTS.stored.find((run) => names.every((name) => run[name] === setting[name]));
  if (!found) return null;
  const read = (text) => Array.from(new Uint16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
  const accuracy = (text) => read(text).map((v) => (v === 65535 ? NaN : v / 65534));
  return {
    epoch: FACTS.stored_epochs.slice(0, found.n),
    train_accuracy: accuracy(found.train),
    val_accuracy: accuracy(found.val),
  };
}
