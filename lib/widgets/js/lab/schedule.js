// What `lib` says of a run, again in the page; tests hold each function against its original.

// `round` of NumPy: halves to the even side.
function roundEven(x) {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 ? low + 1 : low;
}

// `RunSpec.eval_epochs`: a third of the points evenly in the logarithm, the rest evenly.
function evalEpochs(epochs, count) {
  const early = Math.floor(count / 3);
  const late = count - early;
  const found = new Set();
  for (let i = 0; early > 1 && i < early; i++) {
    const power = (i * Math.log10(epochs)) / (early - 1);
    found.add(i === early - 1 ? epochs : roundEven(10 ** power));
  }
  for (let i = 0; i < late; i++) found.add(i === late - 1 ? epochs : roundEven(i * (epochs / (late - 1))));
  return [...found].sort((a, b) => a - b);
}

// `lib.analysis.dynamics.zone`, with its thresholds.
function zone(curve, { perfect, generalized, zero, together, no_zone: none }) {
  if (!Number.isFinite(curve.train_loss.at(-1))) return "diverged";
  if (!curve.val_accuracy.some(Number.isFinite)) return none;
  const first = curve.train_accuracy.findIndex((value) => value >= perfect);
  const last = curve.val_accuracy.at(-1);
  const end = Number.isFinite(last) ? last : 0;
  if (first < 0) return end >= zero ? "progression" : "unlearned";
  if (end >= zero && curve.val_accuracy[first] >= together) return "progression";
  if (end < zero) return "ungrokking";
  return end >= generalized ? "grokking" : "semi-grokking";
}

// `lib.circuits.fourier.key_frequencies`: those that stand out, strongest first.
function keyFrequencies(spectrum, { key_share, above_noise }) {
  const whole = spectrum.reduce((sum, v) => sum + v, 0);
  const share = Array.from(spectrum, (v) => v / whole);
  const ordered = [...share].sort((a, b) => a - b);
  const middle = ordered.length / 2;
  const median = (ordered[Math.ceil(middle) - 1] + ordered[Math.floor(middle)]) / 2;
  const least = Math.max(key_share, above_noise * median);
  const order = share.map((_, i) => i).sort((a, b) => share[b] - share[a] || a - b);
  return order.filter((k) => share[k] >= least).map((k) => k + 1);
}
