// Shared by all explorers: controls, a chart in SVG, reading packed numbers.
// `lib.widgets` puts this file in front of each explorer's own, so nothing is imported:
// a module that is loaded from file:// could not be.

const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function shape(tag, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text != null) node.textContent = text;
  return node;
}

// 20000 -> "20,000"; 0.12345 -> "0.123"; 1e-7 -> "1e-7"
function number(value) {
  if (value == null || !Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1);
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(3);
}

// The last accuracy of a curve, as it reads in a sentence.
function share(values) {
  const last = values.at(-1);
  return last == null || !Number.isFinite(last) ? "–" : last.toFixed(3);
}

// ---- controls: native elements, so keyboard, touch and screen readers work -----------------

// Each explorer has its own copy of this module, so a counter alone would give two controls
// of a page the same id, and labels would lead to the wrong one.
const copy = Math.random().toString(36).slice(2, 8);
let controls = 0;

// A slider over a list of values, or over a range {min, max, step}.
function slider(label, values, value, change) {
  const listed = Array.isArray(values);
  const id = `gc-${copy}-${++controls}`;
  const { min, max, step } = listed ? { min: 0, max: values.length - 1, step: 1 } : values;
  const input = element("input", { id, type: "range", min, max, step });
  // The slider itself tells its value to screen readers (aria-valuetext).
  const output = element("span", { class: "gc-value", "aria-hidden": "true" });
  const read = () => (listed ? values[Number(input.value)] : Number(input.value));
  const say = () => {
    const text = (values.format || number)(read());
    output.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  const self = {
    node: element("div", { class: "gc-slider" }, element("label", { for: id }, label), input, output),
    input,
    get value() {
      return read();
    },
    set value(next) {
      input.value = listed ? values.indexOf(next) : next;
      say();
    },
  };
  // A finger that scrolls the page may land here: nothing is heard of it until it moves along the
  // slider or lifts, and what it found is put back if the page takes the gesture.
  let found = null;
  let still = null;
  input.addEventListener("pointerdown", (event) => {
    found = event.pointerType === "touch" ? input.value : null;
    still = found === null ? null : event.clientX;
  });
  input.addEventListener("pointermove", (event) => {
    if (still === null || input.value === found || Math.abs(event.clientX - still) <= 8) return;
    still = null;
    change(read());
  });
  input.addEventListener("pointerup", () => {
    const moved = still !== null && input.value !== found;
    still = null;
    if (moved) change(read());
  });
  input.addEventListener("pointercancel", () => {
    const heard = still === null;
    still = null;
    if (found === null || input.value === found) return;
    input.value = found;
    say();
    if (heard) change(read());
  });
  input.addEventListener("input", () => {
    say();
    if (still === null) change(read());
  });
  self.value = value;
  return self;
}

function checkbox(label, checked, change) {
  const input = element("input", { type: "checkbox", onchange: () => change(input.checked) });
  input.checked = checked;
  return { node: element("label", { class: "gc-check" }, input, label) };
}

// Buttons of which one is pressed (or none: pass null to `press`).
function choice(label, options, change) {
  const buttons = Object.entries(options).map(([name, text]) =>
    element("button", { type: "button", "data-name": name, onclick: () => change(name) }, text),
  );
  const press = (name) => {
    for (const b of buttons) b.setAttribute("aria-pressed", String(b.dataset.name === name));
  };
  press(null);
  const node = element("div", { class: "gc-choice", role: "group", "aria-label": label });
  node.append(element("span", {}, label), ...buttons);
  return { node, press };
}

// ---- packed numbers -------------------------------------------------------------------------

// 16-bit little-endian integers, as lib.widgets.packing.pack writes them.
function words(view) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return new Uint16Array(bytes.slice().buffer);
}

const SCALES = {
  accuracy: (v) => v / 65534,
  loss: (v) => 10 ** (-12 + (v / 65534) * 16),
  norm: (v, top) => (v / 65534) * top,
};

// One column of numbers; 65535 stands for "none".
function column(packed, start, count, scale, top) {
  const read = SCALES[scale];
  return Array.from(packed.subarray(start, start + count), (v) => (v === 65535 ? NaN : read(v, top)));
}

// Which of `n` evaluations are kept: every `step`-th and the last.
function kept(n, step) {
  const indices = [];
  for (let i = 0; i < n - 1; i += step) indices.push(i);
  return [...indices, n - 1];
}

// ---- a chart ----------------------------------------------------------------------------------

function scale(low, high, from, to, log) {
  // "log" of epochs has to show epoch 0: log(1 + x)
  const f = log === "epochs" ? Math.log1p : log ? Math.log10 : (x) => x;
  const [a, b] = [f(low), f(high)];
  return (x) => from + ((f(x) - a) / (b - a || 1)) * (to - from);
}

function ticks(low, high, log, room) {
  if (log) {
    const found = log === "epochs" && low <= 0 ? [0] : [];
    const [a, b] = [Math.ceil(Math.log10(Math.max(low, log === "epochs" ? 1 : 0)) - 1e-9), Math.log10(high)];
    const step = Math.max(1, Math.ceil((b - a + 1) / room));
    for (let k = a; k <= b + 1e-9; k += step) found.push(10 ** k);
    return found;
  }
  const rough = (high - low) / room || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

const tickText = (value) =>
  value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e6)
    ? value.toExponential(0).replace("+", "")
    : String(Number(value.toFixed(3))).replace(/\B(?=(\d{3})+(?!\d))/g, value >= 1000 ? "," : "");

// `draw({series, x, y, bands, marks, note})`: series are {name, x: [], y: [], colour, dash, dots},
// x and y {label, low, high, log, at}.  The picture is redrawn when the width changes.
function chart(label, height = 220) {
  const svg = shape("svg", { role: "img", "aria-label": label, height, width: "100%", tabindex: 0 });
  const hover = element("div", { class: "gc-hover", role: "status", "aria-hidden": "true" });
  const node = element("div", { class: "gc-chart" }, svg, hover);
  let last = null;
  let place = null;

  function paint({ series, x, y, bands = [], marks = [], note = null }) {
    const width = Math.max(240, node.clientWidth || 640);
    const box = { left: 52, right: width - 10, top: 10, bottom: height - 36 };
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    const px = scale(x.low, x.high, box.left, box.right, x.log);
    const py = scale(y.low, y.high, box.bottom, box.top, y.log);
    place = { px, box };
    for (const value of x.at || ticks(x.low, x.high, x.log, width / 75)) {
      const at = px(value);
      svg.append(shape("line", { x1: at, x2: at, y1: box.top, y2: box.bottom, class: "gc-grid" }));
      const text = { x: at, y: box.bottom + 15, "text-anchor": "middle" };
      svg.append(shape("text", text, tickText(value)));
    }
    for (const value of ticks(y.low, y.high, y.log, height / 40)) {
      const at = py(value);
      svg.append(shape("line", { x1: box.left, x2: box.right, y1: at, y2: at, class: "gc-grid" }));
      svg.append(shape("text", { x: box.left - 6, y: at + 4, "text-anchor": "end" }, tickText(value)));
    }
    const middle = { x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" };
    svg.append(shape("text", middle, x.label));
    const side = `translate(12 ${(box.top + box.bottom) / 2}) rotate(-90)`;
    svg.append(shape("text", { transform: side, "text-anchor": "middle" }, y.label));
    const point = (s, i) => `${px(s.x[i]).toFixed(1)},${py(clamp(s.y[i], y)).toFixed(1)}`;
    for (const band of bands) {
      const up = band.x.map((_, i) => point({ x: band.x, y: band.high }, i));
      const down = band.x.map((_, i) => point({ x: band.x, y: band.low }, i)).reverse();
      const path = { points: [...up, ...down].join(" "), fill: band.colour, class: "gc-band" };
      svg.append(shape("polygon", path));
    }
    for (const mark of marks) {
      const at = px(mark.x);
      svg.append(shape("line", { x1: at, x2: at, y1: box.top, y2: box.bottom, class: "gc-mark" }));
      svg.append(shape("text", { x: at + 4, y: box.top + 10, class: "gc-mark" }, mark.text));
    }
    for (const s of series) {
      const good = s.x.map((_, i) => i).filter((i) => Number.isFinite(s.y[i]));
      if (!s.dots) {
        const path = { points: good.map((i) => point(s, i)).join(" "), fill: "none", stroke: s.colour };
        path["stroke-dasharray"] = s.dash || "none";
        path["data-name"] = s.name;
        path.class = "gc-line";
        svg.append(shape("polyline", path));
      }
      if (s.dots || s.markers) {
        for (const i of good) {
          const [cx, cy] = point(s, i).split(",");
          const r = s.markers ? 3 : 2.5;
          svg.append(shape("circle", { cx, cy, r, fill: s.colour, "data-name": s.name }));
        }
      }
    }
    if (note) {
      const at = { x: middle.x, y: (box.top + box.bottom) / 2, "text-anchor": "middle" };
      svg.append(shape("text", { ...at, class: "gc-note" }, note));
    }
  }

  let pointer = null; // what lies under it changes with every picture
  function tell() {
    hover.textContent = "";
    if (pointer === null || !last || last.note) return;
    const { box, px } = place;
    const at = pointer - svg.getBoundingClientRect().left;
    const [first] = last.series;
    if (at < box.left || at > box.right || !first || !first.x.length) return;
    const near = (xs) =>
      xs.reduce((best, v, i) => (Math.abs(px(v) - at) < Math.abs(px(xs[best]) - at) ? i : best), 0);
    const x = first.x[near(first.x)];
    const parts = last.series
      .filter((s) => !s.dots && s.name && s.x.length)
      .map((s) => [s, near(s.x)])
      .filter(([s, i]) => Math.abs(px(s.x[i]) - px(x)) < 6) // others end before, or lie elsewhere
      .map(([s, i]) => `${s.name} ${number(s.y[i])}`);
    hover.textContent = `${last.x.label} ${number(x)}: ${parts.join(", ")}`;
  }
  const point = (x) => {
    pointer = x;
    tell();
  };
  // A pointer may hover; a finger taps, and leaves at once.
  for (const kind of ["pointermove", "pointerdown"]) svg.addEventListener(kind, (event) => point(event.clientX));
  svg.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && point(null));
  // The arrow keys read a chart, too, and what they read is spoken.
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !place) return;
    event.preventDefault();
    const { left } = svg.getBoundingClientRect();
    const [low, high] = [left + place.box.left, left + place.box.right];
    const from = pointer ?? (step > 0 ? low : high);
    point(clamp(from + (step * (high - low)) / 50, { low, high }));
  });
  svg.addEventListener("focus", () => hover.removeAttribute("aria-hidden"));
  svg.addEventListener("blur", () => {
    hover.setAttribute("aria-hidden", "true");
    point(null);
  });
  new ResizeObserver(() => last && paint(last)).observe(node);
  const draw = (what) => {
    paint((last = what));
    tell();
  };
  return { node, draw };
}

const clamp = (v, { low, high }) => Math.min(Math.max(v, low), high);

function legend(...entries) {
  const node = element("div", { class: "gc-legend" });
  for (const { name, colour, dash } of entries) {
    const line = shape("svg", { width: 26, height: 10, "aria-hidden": "true" });
    const path = { x1: 0, x2: 26, y1: 5, y2: 5, stroke: colour, class: "gc-line" };
    line.append(shape("line", { ...path, "stroke-dasharray": dash || "none" }));
    node.append(element("span", {}, line, name));
  }
  return node;
}

const COLOURS = { train: "var(--gc-train)", val: "var(--gc-val)", third: "var(--gc-third)" };

// The cividis colour map at ten points, 0 … 1.
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];

function cividis(value) {
  const at = Math.min(Math.max(value, 0), 1) * (CIVIDIS.length - 1);
  const i = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  const mix = (k) => Math.round(part(CIVIDIS[i], k) + (at - i) * (part(CIVIDIS[i + 1], k) - part(CIVIDIS[i], k)));
  return `rgb(${mix(0)}, ${mix(1)}, ${mix(2)})`;
}

// The frame of every explorer.  What it draws is also its property `drawn`.
function frame(el, label, kind) {
  const root = element("div", { class: "gc-explorer", role: "group", "aria-label": label, "data-kind": kind });
  el.append(root);
  return root;
}
