// A setting: what the sliders say, as a link, as a command, as a file.

const TASKS = {
  add: "a + b",
  subtract: "a − b",
  square: "(a + b)²",
  random: "random labels",
  multitask: "a + b with random labels",
};
const LABELS = {
  modulus: "modulus P",
  train_size: "training points D",
  memorize_size: "random labels beside them",
  d_model: "d_model",
  lr: "learning rate",
  weight_decay: "weight decay",
  epochs: "epochs",
  seed: "seed",
};
const MOST_SEEDS = 20; // of the slider; a link may name any
const NAMES = ["task", ...Object.keys(LABELS)];

// A setting that is possible: every value one that its control offers, D within P².
function possible(wanted) {
  const setting = { ...FACTS.recipe, ...wanted };
  for (const name of ["modulus", "d_model", "lr", "weight_decay", "epochs"]) {
    const near = (a, b) => (Math.abs(b - setting[name]) < Math.abs(a - setting[name]) ? b : a);
    setting[name] = FACTS.choices[name].reduce(near);
  }
  const whole = (value, low, high) => Math.min(high, Math.max(low, Math.round(value) || 0));
  const pairs = setting.modulus ** 2;
  if (!Object.hasOwn(TASKS, setting.task)) setting.task = "add";
  setting.train_size = whole(setting.train_size, 1, pairs);
  setting.memorize_size = setting.task === "multitask" ? whole(setting.memorize_size || pairs / 4, 1, pairs) : 0;
  setting.seed = whole(setting.seed, 0, 2 ** 32 - 1);
  return setting;
}

const shown = (setting) => Object.fromEntries(NAMES.map((name) => [name, setting[name]]));

function toHash(setting) {
  return `#lab?${new URLSearchParams(shown(setting))}`;
}

// What a link asks for, or null.
function fromHash(hash) {
  if (!hash.startsWith("#lab?")) return null;
  const read = Object.fromEntries(new URLSearchParams(hash.slice(5)));
  const found = {};
  for (const name of NAMES) {
    if (!(name in read)) continue;
    if (name === "task") found.task = read.task;
    else if (Number.isFinite(Number(read[name]))) found[name] = Number(read[name]);
  }
  return found;
}

function toCommand(setting) {
  const options = Object.entries({ ...shown(setting), ...FACTS.fixed })
    .filter(([name, value]) => name !== "memorize_size" || value > 0)
    .map(([name, value]) => `--${name.replaceAll("_", "-")} ${value}`);
  return `grokking train ${options.join(" ")}`;
}

// The curve as the store has it, one row an evaluation; what does not exist is empty.
function toCsv(curve) {
  const cell = (value) => (Number.isFinite(value) ? String(value) : "");
  const rows = curve.epoch.map((_, i) => COLUMNS.map((name) => cell(curve[name][i])).join(","));
  return [COLUMNS.join(","), ...rows].join("\n") + "\n";
}

function toName(s, epoch) {
  const rote = s.memorize_size ? `+${s.memorize_size}` : "";
  return `grokking-${s.task}-P${s.modulus}-d${s.d_model}-D${s.train_size}${rote}-lr${s.lr}-wd${s.weight_decay}-seed${s.seed}-epoch${epoch}.csv`;
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// A button that hands out a run's curve, and what says whether there is one.
function saveButton(run) {
  const save = () => download(toName(run().setting, run().epoch), toCsv(run().whole));
  const node = element("button", { type: "button", onclick: save }, "Download CSV");
  return { node, draw: () => (node.disabled = !run()?.curve.epoch.length) };
}

function inWords(s) {
  const mixed = s.task === "multitask" ? ` + ${number(s.memorize_size)} random` : "";
  return (
    `${TASKS[s.task]} mod ${s.modulus}, d_model ${s.d_model}, D = ${number(s.train_size)}${mixed}, ` +
    `learning rate ${s.lr}, weight decay ${s.weight_decay}, seed ${s.seed}`
  );
}

// The sliders of a setting.  `change` hears every new setting.  What a smaller modulus does not
// have room for comes back with a larger one.
function settingControls(setting, change, names = NAMES) {
  let [wanted, now] = [setting, setting];
  const set = (name, value) => {
    if (value === now[name]) return; // a run goes on until something changes
    wanted = { ...wanted, [name]: value };
    now = possible(wanted);
    if (name === "task") wanted.memorize_size ||= now.memorize_size; // what was proposed stays
    sync();
    change(now);
  };
  const node = element("div", { class: "gc-controls" });
  const made = {};
  const tasks = choice("task:", TASKS, (name) => set("task", name));
  const build = () => {
    node.replaceChildren();
    for (const name of names) {
      if (name === "task") continue;
      const pairs = now.modulus ** 2;
      const ranges = { train_size: pairs, memorize_size: pairs };
      const values = name in ranges
        ? { min: 1, max: ranges[name], step: 1 }
        : name === "seed" ? { min: 0, max: Math.max(MOST_SEEDS, now.seed), step: 1 } : [...FACTS.choices[name]];
      values.format = ["train_size", "memorize_size", "epochs"].includes(name) ? number : String;
      made[name] = slider(LABELS[name], values, now[name], (value) => set(name, value));
      made[name].input.dataset.name = name;
      node.append(made[name].node);
    }
  };
  const sync = () => {
    tasks.press(now.task);
    for (const [name, control] of Object.entries(made)) {
      if (["train_size", "memorize_size"].includes(name)) control.input.max = now.modulus ** 2;
      if (name === "seed") control.input.max = Math.max(MOST_SEEDS, now.seed);
      control.value = now[name]; // always: with another maximum the browser has moved it by itself
    }
    if (made.memorize_size) made.memorize_size.node.hidden = now.task !== "multitask";
  };
  build();
  sync();
  return {
    node: names.includes("task") ? element("div", {}, tasks.node, node) : node,
    get value() {
      return now;
    },
    set value(next) {
      wanted = next;
      now = possible(next);
      build();
      sync();
    },
  };
}
