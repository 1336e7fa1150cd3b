// Puts a lab into every element of class `grokking-lab`; `data-views` says which views it has,
// `data-short` that one network is shown without what is inside it.

const VIEWS = { single: ["One network", (root, start, short) => singleView(root, start, workerPort, { short })], race: ["Race", raceView], many: ["Grid", gridView] };

function mount(place) {
  const root = element("div", { class: "gc-explorer lab", role: "group", "aria-label": "The lab: train a network in this page" });
  place.replaceChildren(root);
  if (typeof WebAssembly !== "object" || typeof Worker !== "function") {
    return root.append("This browser has no WebAssembly, so nothing can be trained here.");
  }
  const names = (place.dataset.views || "single").split(" ");
  const start = names.length > 1 || !document.querySelector(".grokking-lab[data-views~=race]") ? fromHash(location.hash) : null;
  const made = {};
  const body = element("div");
  const open = (name) => {
    for (const [other, view] of Object.entries(made)) if (other !== name) view.stop();
    if (!made[name]) {
      const part = element("div", { class: `lab-${name}` });
      body.append(part); // pictures ask the page for its colours
      made[name] = { node: part, ...VIEWS[name][1](part, name === "single" ? start : null, "short" in place.dataset) };
    }
    for (const [other, { node }] of Object.entries(made)) node.hidden = other !== name;
    tabs?.press(name);
  };
  const tabs = names.length > 1 ? choice("view:", Object.fromEntries(names.map((n) => [n, VIEWS[n][0]])), open) : null;
  if (tabs) root.append(tabs.node);
  root.append(body);
  open(names[0]);
}

function mountAll() {
  document.head.append(element("style", {}, STYLE));
  for (const place of document.querySelectorAll(".grokking-lab")) mount(place);
  const own = new Set([location.hash]); // Back from a heading leads here: what was trained stays
  addEventListener("hashchange", () => {
    if ([...document.querySelectorAll(".lab-link")].some((link) => link.hash === location.hash)) own.add(location.hash);
    if (fromHash(location.hash) && !own.has(location.hash)) location.reload(); // another's link, in an open page
  });
}
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
else mountAll();

// For the tests, which compare these with their originals in `lib`.
window.grokkingLab = { evalEpochs, zone, keyFrequencies, toCommand, possible, FACTS };
