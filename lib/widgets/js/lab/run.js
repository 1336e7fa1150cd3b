// One run: what trains it (a worker of the page, a notebook's kernel), the curve so far, and who
// wants to hear of it.

const COLUMNS = [
  "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy",
  "memorize_loss", "memorize_accuracy", "param_norm",
];

const emptyCurve = () => Object.fromEntries(COLUMNS.map((name) => [name, []]));

// Whether a click comes a moment after one of these has ended: it was on its way to "Pause".
const late = (click, runs) => runs.some((run) => run && click.timeStamp - run.ended < 300);

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// What a press has set going comes into view, where it lies outside.
const reveal = (node) => node.scrollIntoView({ block: "nearest", behavior: calm() ? "instant" : "smooth" });

class Run {
  // connect: (receive, fail) => port, which has send(message), end() and ready, a promise of what
  // the start needs beside the setting.  setting: fields of RunSpec by name.
  // options: quiet (no pictures), plain (none of what is inside), until (a common clock).
  constructor(connect, setting, hear, options = {}) {
    Object.assign(this, { setting, hear, options, phase: "starting", curve: emptyCurve() });
    Object.assign(this, { trig: { epoch: [], share: [] }, view: null, speed: 0, waiting: [], extra: new Set() });
    const fail = (error) => this.fail(String(error.message || error));
    this.port = connect((message) => this.receive(message), fail);
    this.port.ready.then((needed) => this.begin(needed), fail);
  }

  begin(needed) {
    if (!this.port || this.over) return;
    const { epochs, n_evals: evals, ...setting } = this.setting;
    this.phase = this.phase === "starting" ? "training" : this.phase;
    const every = calm() ? 1000 : 200;
    const { quiet, plain } = this.options;
    this.send({ do: "start", ...needed, setting, epochs, evals, facts: FACTS, quiet, plain, every });
    if (this.options.until !== undefined) this.send({ do: "until", epoch: this.options.until });
    if (this.phase !== "training") this.send({ do: "pause" });
    this.hear("state");
  }

  send(message) {
    this.port?.send(message);
  }

  receive({ what, ...rest }) {
    if (!this.port) return; // ended, and this was on its way
    if (what === "points") {
      for (const point of rest.points) {
        if (point.extra) this.extra.add(this.curve.epoch.length);
        for (const name of COLUMNS) this.curve[name].push(point[name] ?? NaN);
      }
      this.speed = rest.speed;
    } else if (what === "view") {
      this.view = rest;
      if (rest.spectra && rest.epoch !== this.trig.epoch.at(-1)) {
        this.trig.epoch.push(rest.epoch);
        this.trig.share.push(rest.spectra.trig);
      }
    } else if (what === "done") {
      this.phase = "done";
      this.ended = performance.now();
    } else if (what === "kept") {
      this.kept = rest;
    } else if (what === "failed") {
      return this.fail(rest.message);
    } else {
      this.waiting.shift()?.(rest);
      return;
    }
    this.hear(what);
  }

  fail(message) {
    if (this.over) return; // ended, and this was on its way
    this.message = message;
    this.phase = "failed";
    this.ended = performance.now();
    this.end();
    this.hear("state");
  }

  // Questions are answered in their order.
  question(message) {
    return new Promise((answer) => {
      this.waiting.push(answer);
      this.send(message);
    });
  }

  get epoch() {
    return this.curve.epoch.at(-1) ?? 0;
  }

  // The curve as a run has it that was never paused: a pause adds a point between two others.
  get whole() {
    if (!this.extra.size) return this.curve;
    const last = this.curve.epoch.length - 1;
    const part = (values) => values.filter((_, i) => i === last || !this.extra.has(i));
    return Object.fromEntries(COLUMNS.map((name) => [name, part(this.curve[name])]));
  }

  get zone() {
    return this.curve.epoch.length ? zone(this.whole, FACTS.thresholds) : null;
  }

  get left() {
    return this.speed ? (this.setting.epochs - this.epoch) / this.speed : null;
  }

  pause() {
    this.phase = "paused";
    this.send({ do: "pause" });
    this.hear("state");
  }

  resume() {
    this.phase = "training";
    this.send({ do: "resume" });
    this.hear("state");
  }

  // Ends the training for good, but the network stays, to be asked.
  stop() {
    this.phase = "stopped";
    this.send({ do: "pause" });
    this.hear("state");
  }

  end() {
    this.over = true;
    this.port?.end();
    this.port = null;
  }
}
