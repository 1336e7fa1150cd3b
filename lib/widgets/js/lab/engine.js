// The compiled kernel and the memory of one network; `lib.engines.wasm.memory` says what is where.

class Network {
  // setting: the fields of `Setting` by name, `task` as a word.
  constructor(module, setting, facts) {
    const env = {};
    for (const { name } of WebAssembly.Module.imports(module)) env[name] = Math[name];
    this.calls = new WebAssembly.Instance(module, { env }).exports;
    this.base = Math.ceil(this.calls.__heap_base.value / 64) * 64;
    this.setting = setting;
    this.modulus = setting.modulus;
    this.grow(4 * facts.header);
    const numbers = facts.setting.map((name) => (name === "task" ? facts.tasks.indexOf(setting.task) : setting[name]));
    this.view(Float64Array, 0, numbers.length).set(numbers);
    this.grow(4 * this.calls.places(this.base));
    const places = this.view(Int32Array, facts.plan_at, facts.plan.length);
    this.places = Object.fromEntries(facts.plan.map((name, i) => [name, places[i]]));
    this.reset();
  }

  grow(bytes) {
    const missing = this.base + bytes - this.calls.memory.buffer.byteLength;
    if (missing > 0) this.calls.memory.grow(Math.ceil(missing / 65536));
  }

  // Memory that grows is another buffer, so views are made when they are needed.
  view(kind, at, count) {
    return new kind(this.calls.memory.buffer, this.base + 4 * at, count);
  }

  reset() {
    this.calls.prepare(this.base);
    this.epoch = 0;
    this.logitsOf = -1;
  }

  advance(count) {
    this.calls.train(this.base, this.epoch + 1, count, this.setting.lr);
    this.epoch += count;
  }

  evaluate() {
    const point = { epoch: this.epoch };
    for (const [i, split] of ["train", "val", "memorize"].entries()) {
      this.calls.evaluate(this.base, i);
      const [loss, accuracy] = this.view(Float64Array, this.places.result, 2);
      point[`${split}_loss`] = loss;
      point[`${split}_accuracy`] = accuracy;
    }
    point.param_norm = this.calls.norm(this.base);
    return point;
  }

  // For every pair a P + b, as the last `evaluate` found it: 1 right, 2 trained on, or both.
  field() {
    const { modulus, places } = this;
    const size = this.setting.train_size;
    const order = this.view(Int32Array, places.order, modulus ** 2);
    const train = this.view(Uint8Array, places.train_right, size);
    const val = this.view(Uint8Array, places.val_right, modulus ** 2 - size);
    const found = new Uint8Array(modulus ** 2);
    for (let i = 0; i < order.length; i++) found[order[i]] = i < size ? 2 | train[i] : val[i - size];
    return found;
  }

  logits() {
    if (this.logitsOf !== this.epoch) this.calls.logits(this.base);
    this.logitsOf = this.epoch;
  }

  // Shares of the embedding and of the logits at the frequencies 1 … (P − 1) / 2.
  spectra() {
    this.logits();
    this.calls.embedding_spectrum(this.base);
    this.calls.logit_spectrum(this.base);
    const count = (this.modulus - 1) / 2;
    const embedding = this.view(Float64Array, this.places.embedding, count).slice();
    const logits = this.view(Float64Array, this.places.spectrum, count).slice();
    return { embedding, logits, trig: logits.reduce((sum, v) => sum + v, 0) };
  }

  // Logits of one pair, less their mean.
  ask(a, b) {
    this.logits();
    const at = this.places.logits + (a * this.modulus + b) * this.modulus;
    return { answers: this.view(Float32Array, at, this.modulus).slice(), right: this.answer(a, b) };
  }

  answer(a, b) {
    return this.view(Int32Array, this.places.answers + a * this.modulus + b, 1)[0];
  }

  // Accuracies as it is, without the waves of some frequencies, and with them alone.
  lesion(frequencies) {
    const { train_accuracy: train, val_accuracy: val } = this.evaluate();
    this.logits();
    const chosen = this.view(Int32Array, this.places.chosen, this.modulus).fill(0);
    for (const k of frequencies) chosen[k - 1] = 1;
    this.calls.lesion(this.base);
    const found = this.view(Float64Array, this.places.result, 4);
    return {
      whole: { train, val },
      excluded: { train: found[0], val: found[1] },
      restricted: { train: found[2], val: found[3] },
    };
  }
}
