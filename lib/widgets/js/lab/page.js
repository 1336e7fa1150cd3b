// What trains a run in the page: a worker, and the kernel compiled for it.

let compiled = null; // the module, compiled once a page

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// The first build that the browser understands: the one with fused multiply-adds comes first.
async function chosen() {
  if (typeof DecompressionStream !== "function") {
    throw new Error("this browser is too old for it (needed: Chrome 91, Firefox 113 or Safari 16.4)");
  }
  for (const text of KERNELS) {
    const code = await unpacked(text);
    if (WebAssembly.validate(code)) return WebAssembly.compile(code);
  }
  throw new Error("this browser has no SIMD in WebAssembly");
}

function kernel() {
  compiled ||= chosen();
  return compiled;
}

let workerAddress = null;

function newWorker() {
  workerAddress ||= URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
  return new Worker(workerAddress);
}

function workerPort(receive, fail) {
  const worker = newWorker();
  worker.onmessage = ({ data }) => receive(data);
  worker.onerror = (event) => fail(event.message || "the worker could not start");
  const ready = kernel().then((module) => ({ module }));
  return { ready, send: (message) => worker.postMessage(message), end: () => worker.terminate() };
}
