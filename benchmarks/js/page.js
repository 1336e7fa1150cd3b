// What the benchmark's page does: `start` makes a trainer and tells its first losses, `epochs`
// trains it on.  The time is taken outside, as processor time.

let trainer = null; // a function that trains one epoch and returns its loss, or a promise of it

const MAKERS = {
  async page(job, facts, kernel) {
    const bytes = Uint8Array.from(atob(kernel), (c) => c.charCodeAt(0));
    const network = new Network(await WebAssembly.compile(bytes), job.setting, facts);
    return (quick) => {
      const loss = quick ? null : network.evaluate().train_loss;
      network.advance(1);
      return loss;
    };
  },
  async plain(job) {
    const made = new PlainTrainer(job);
    return () => made.epoch();
  },
  async jax(job) {
    const { jaxTrainer } = await import("./jax.js");
    return jaxTrainer(job);
  },
};

async function start(kind, job, ...more) {
  const parameters = Object.fromEntries(
    Object.entries(job.parameters).map(([name, values]) => [name, new Float32Array(values)]),
  );
  const [tokens, labels] = [new Int32Array(job.tokens), new Int32Array(job.labels)];
  trainer = await MAKERS[kind]({ ...job, parameters, tokens, labels }, ...more);
  const losses = [];
  for (let i = 0; i < 4; i++) losses.push(await trainer());
  return losses;
}

async function epochs(count) {
  for (let i = 0; i < count; i++) await trainer(true);
}
