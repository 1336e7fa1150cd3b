// The lab in a notebook: the view of one network, trained by the notebook's kernel.

const SCRIPT = null;
let FACTS; // the same for every widget of this module
let runs = Date.now(); // a kernel may still train one from before a reload

// `lib.widgets.trainer` hears the worker's messages and gives its answers.
const kernelPort = (model) => (receive) => {
  const run = ++runs;
  const hear = (content, buffers) => {
    if (content.run !== run) return;
    const { buffer, byteOffset, byteLength } = buffers?.[0] ?? {};
    receive(buffer ? { ...content, field: new Uint8Array(buffer, byteOffset, byteLength) } : content);
  };
  const send = (message) => model.send({ ...message, run });
  model.on("msg:custom", hear);
  const end = () => {
    send({ do: "end" });
    model.off("msg:custom", hear);
  };
  return { ready: Promise.resolve({}), send, end };
};

function render({ model, el }) {
  FACTS = model.get("facts");
  const root = frame(el, "Train it yourself", "trainer");
  root.classList.add("lab");
  const part = element("div", { class: "lab-single" });
  root.append("This page has no kernel, so nothing is trained here. The page \u201cThe lab\u201d of the book trains in the browser.");
  const alive = ({ what }) => {
    if (what !== "alive" || view) return;
    root.replaceChildren(part);
    const keep = (run) => run.send({ do: "keep" });
    view = singleView(part, model.get("start"), kernelPort(model), { keep });
  };
  let view = null;
  model.on("msg:custom", alive);
  model.send({ do: "hello" });
  return () => {
    view?.end(); // paused, its thread would wait in the kernel for ever
    model.off("msg:custom", alive);
  };
}

export default { render };
