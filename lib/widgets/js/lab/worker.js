// The thread that trains one network.  It works in slices and listens between them.
//
// In: start {module, setting, epochs, evals, facts, quiet, plain, every}, pause, resume, until {epoch},
// ask {a, b}, lesion {frequencies}.  Out: points, view, done, failed, answer, lesion.

const SLICE = 40; // milliseconds of training between two looks at the messages
let network, schedule, next, points, told, paused, until, viewed, every, quiet, plain, clock, pace;

const say = (what, rest) => self.postMessage({ what, ...rest });

function start({ module, setting, epochs, evals, facts, quiet: silent, plain: bare, every: pause }) {
  network = new Network(module, setting, facts);
  schedule = evalEpochs(epochs, evals);
  [next, points, told, paused, until, viewed, quiet] = [0, [], -1, false, Infinity, -Infinity, silent];
  [every, plain] = [pause, bare];
  clock = { spent: 0, done: 0 }; // of training alone: how many epochs a slice has
  pace = { spent: 0, done: 0 }; // with all that comes beside it: when it will have ended
  turn();
}

// The pictures; they may take a fifth of the time.
function view() {
  const began = performance.now();
  const found = { epoch: network.epoch, field: network.field() };
  if (!plain && network.modulus % 2 && network.setting.task !== "multitask") found.spectra = network.spectra();
  say("view", found);
  const now = performance.now();
  viewed = now + Math.max(0, 4 * (now - began) - every);
}

function report() {
  if (!points.length) return;
  say("points", { points, speed: pace.spent ? (1000 * pace.done) / pace.spent : 0 });
  points = [];
}

// Trains up to the next evaluation, or for one slice.  How many epochs a slice has is learnt.
function step() {
  const goal = schedule[next];
  if (network.epoch < goal) {
    const rate = clock.spent ? clock.done / clock.spent : 0.02;
    const began = performance.now();
    const count = Math.min(goal - network.epoch, Math.max(1, Math.floor(SLICE * rate)));
    network.advance(count);
    tick(clock, performance.now() - began, count);
  }
  if (network.epoch < goal) return;
  evaluate();
  next += 1;
}

function evaluate(extra = false) {
  if (network.epoch === told) return;
  told = network.epoch;
  points.push({ ...network.evaluate(), extra });
}

// Adds to a clock, which fades: the present speed counts.
function tick(which, spent, done) {
  which.spent = 0.9 * which.spent + spent;
  which.done = 0.9 * which.done + done;
}

function turn() {
  if (!network || paused) return;
  const began = performance.now();
  const from = network.epoch;
  try {
    while (next < schedule.length && schedule[next] <= until && performance.now() - began < SLICE) step();
  } catch (error) {
    say("failed", { message: String(error.message || error) });
    network = null;
    return;
  }
  const over = next >= schedule.length;
  if (!quiet && (over || performance.now() - viewed > every)) view();
  tick(pace, performance.now() - began, network.epoch - from);
  report();
  if (over) return say("done");
  if (schedule[next] <= until) later();
}

// A message to itself: browsers slow timers down, messages they do not.  One at a time: two
// would go on as two, and tell the end twice.
const channel = new MessageChannel();
let queued = false;
channel.port1.onmessage = () => {
  queued = false;
  turn();
};
const later = () => {
  if (!queued) channel.port2.postMessage(0);
  queued = true;
};

const DO = {
  start,
  pause: () => {
    paused = true;
    if (!network || quiet) return;
    evaluate(true); // between two of the schedule, too: what is said of it now is of this epoch
    report();
    view();
  },
  resume: () => {
    paused = false;
    if (next < schedule?.length) later(); // else it has ended, and has said so
  },
  until: ({ epoch }) => {
    until = epoch;
    if (network && !paused && schedule[next] <= until) later();
  },
  ask: ({ a, b }) => say("answer", { a, b, ...network.ask(a, b) }),
  lesion: ({ frequencies }) => say("lesion", { frequencies, epoch: network.epoch, ...network.lesion(frequencies) }),
};
self.onmessage = ({ data }) => {
  try {
    DO[data.do](data);
  } catch (error) {
    say("failed", { message: String(error.message || error) });
  }
};
