// The textbook model in jax-js (npm @jax-js/jax) on its WebAssembly backend: all three positions,
// jitted value and gradient, AdamW leaf by leaf.  jax-js frees an array at its last use; `ref` keeps it.
import { init, defaultDevice, jit, valueAndGrad, nn, numpy as np, blockUntilReady } from "./jax-js/index.js";

const HEADS = 4;

function lossOf(oneHot, answers, mask, d) {
  const [n] = oneHot.shape;
  const width = d / HEADS;
  const split = (x) => x.reshape([n, 3, HEADS, width]);
  return (w) => {
    let x = np.matmul(oneHot.ref, w.W_E).add(w.W_pos);
    const q = split(np.matmul(x.ref, w.W_Q));
    const k = split(np.matmul(x.ref, w.W_K));
    const v = split(np.matmul(x.ref, w.W_V));
    const scores = np.einsum("nqhd,nkhd->nhqk", q, k).mul(1 / Math.sqrt(width)).add(mask.ref);
    const mixed = np.einsum("nhqk,nkhd->nqhd", nn.softmax(scores, -1), v).reshape([n, 3, d]);
    x = x.add(np.matmul(mixed, w.W_O));
    const hidden = nn.relu(np.matmul(x.ref, w.W_in).add(w.b_in));
    x = x.add(np.matmul(hidden, w.W_out)).add(w.b_out);
    const logits = np.matmul(x.slice([], 2), w.W_U);
    return nn.logSoftmax(logits, -1).mul(answers.ref).sum().mul(-1 / n);
  };
}

function adamw({ lr, weight_decay, beta1, beta2, eps }) {
  return jit((p, g, m, v, c1, c2) => {
    const M = m.mul(beta1).add(g.ref.mul(1 - beta1));
    const V = v.mul(beta2).add(np.square(g).mul(1 - beta2));
    const step = M.ref.mul(c1).div(np.sqrt(V.ref.mul(c2)).add(eps));
    return [p.mul(1 - lr * weight_decay).sub(step.mul(lr)), M, V];
  });
}

export async function jaxTrainer(job) {
  await init("wasm");
  defaultDevice("wasm");
  const { d, modulus, tokens, labels, shapes } = job;
  const n = labels.length;
  const rows = new Float32Array(n * 3 * (modulus + 1));
  const right = new Float32Array(n * modulus);
  for (let i = 0; i < n; i++) {
    const input = [tokens[2 * i], tokens[2 * i + 1], modulus];
    input.forEach((token, p) => (rows[(i * 3 + p) * (modulus + 1) + token] = 1));
    right[i * modulus + labels[i]] = 1;
  }
  const array = (values, shape) => np.array(values).reshape(shape);
  const mask = np.array([[0, -1e9, -1e9], [0, 0, -1e9], [0, 0, 0]]);
  const loss = lossOf(array(rows, [n, 3, modulus + 1]), array(right, [n, modulus]), mask, d);
  const gradient = jit(valueAndGrad(loss));
  const update = adamw(job);
  let step = 0;
  let w = {};
  const state = {};
  for (const [name, shape] of Object.entries(shapes)) {
    w[name] = array(job.parameters[name].slice(), shape);
    state[name] = [np.zeros(shape), np.zeros(shape)];
  }
  const keep = (tree) => Object.fromEntries(Object.entries(tree).map(([name, x]) => [name, x.ref]));
  return async () => {
    step += 1;
    const [value, grads] = gradient(keep(w));
    const [c1, c2] = [1 / (1 - job.beta1 ** step), 1 / (1 - job.beta2 ** step)];
    for (const name of Object.keys(w)) {
      const [p, M, V] = update(w[name], grads[name], ...state[name], c1, c2);
      [w[name], state[name]] = [p, [M, V]];
    }
    await blockUntilReady(w);
    return (await value.data())[0];
  };
}
