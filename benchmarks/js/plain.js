// The same model in plain JavaScript with typed arrays: the opponent of the compiled kernel.
//
// The same algebra (tables of values and scores, the last position alone), whole batches, and
// products in blocks of 4 × 4 sums that stay in registers.  Matrices are (inputs, outputs), row by
// row.

const zeros = (n) => new Float32Array(n);

// C (rows, m) = A (rows, terms) B (terms, m); from row to row of A it is `down`, from term to term
// `along`, so that A may lie transposed.
function product(A, down, along, B, C, rows, terms, m) {
  for (let i = 0; i < rows; i += 4) {
    for (let j = 0; j < m; j += 4) {
      if (i + 4 <= rows && j + 4 <= m) block(A, i * down, down, along, B, C, i, j, terms, m);
      else edge(A, down, along, B, C, i, Math.min(i + 4, rows), j, Math.min(j + 4, m), terms, m);
    }
  }
}

function block(A, at, down, along, B, C, i, j, terms, m) {
  let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
  let [c0, c1, c2, c3, d0, d1, d2, d3] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let p = 0, from = j; p < terms; p++, at += along, from += m) {
    const [x0, x1, x2, x3] = [B[from], B[from + 1], B[from + 2], B[from + 3]];
    const [a, b, c, d] = [A[at], A[at + down], A[at + 2 * down], A[at + 3 * down]];
    a0 += a * x0; a1 += a * x1; a2 += a * x2; a3 += a * x3;
    b0 += b * x0; b1 += b * x1; b2 += b * x2; b3 += b * x3;
    c0 += c * x0; c1 += c * x1; c2 += c * x2; c3 += c * x3;
    d0 += d * x0; d1 += d * x1; d2 += d * x2; d3 += d * x3;
  }
  let to = i * m + j;
  C[to] = a0; C[to + 1] = a1; C[to + 2] = a2; C[to + 3] = a3;
  to += m;
  C[to] = b0; C[to + 1] = b1; C[to + 2] = b2; C[to + 3] = b3;
  to += m;
  C[to] = c0; C[to + 1] = c1; C[to + 2] = c2; C[to + 3] = c3;
  to += m;
  C[to] = d0; C[to + 1] = d1; C[to + 2] = d2; C[to + 3] = d3;
}

function edge(A, down, along, B, C, i, iEnd, j, jEnd, terms, m) {
  for (let r = i; r < iEnd; r++) {
    for (let c = j; c < jEnd; c++) {
      let sum = 0;
      for (let p = 0; p < terms; p++) sum += A[r * down + p * along] * B[p * m + c];
      C[r * m + c] = sum;
    }
  }
}

// C (n, m) = A (n, k) B (k, m)
const times = (A, B, C, n, k, m) => product(A, k, 1, B, C, n, k, m);

// C (k, m) = Aᵀ (k, n) B (n, m)
const transposedTimes = (A, B, C, n, k, m) => product(A, 1, k, B, C, k, n, m);

// C (n, k) = A (n, m) Bᵀ (m, k)
function timesTransposed(A, B, C, n, m, k) {
  const T = zeros(k * m);
  for (let p = 0; p < k; p++) for (let j = 0; j < m; j++) T[j * k + p] = B[p * m + j];
  times(A, T, C, n, m, k);
}

class PlainTrainer {
  // parameters: Float32Arrays by name; tokens: Int32Array (n, 2); labels: Int32Array (n,)
  constructor({ d, heads, modulus, tokens, labels, parameters, lr, weight_decay, beta1, beta2, eps }) {
    Object.assign(this, { d, heads, P: modulus, m: 4 * d, n: labels.length, tokens, labels });
    Object.assign(this, { lr, weight_decay, beta1, beta2, eps, w: parameters, step: 0 });
    this.g = {};
    this.M = {};
    this.V = {};
    for (const [name, value] of Object.entries(parameters)) {
      for (const all of [this.g, this.M, this.V]) all[name] = zeros(value.length);
    }
    const { n, m, P } = this;
    const tables = { E: d, K: d, V: d, dV: d, dE: d };
    this.t = Object.fromEntries(Object.entries(tables).map(([name, width]) => [name, zeros((2 * P + 1) * width)]));
    this.t.S = zeros((2 * P + 1) * heads);
    this.t.dS = zeros((2 * P + 1) * heads);
    this.x = { A: zeros(n * 3 * heads), O: zeros(n * d), X: zeros(n * d), H: zeros(n * m), Y: zeros(n * d), L: zeros(n * P) };
    this.dx = { O: zeros(n * d), X: zeros(n * d), H: zeros(n * m), Y: zeros(n * d) };
  }

  // Rows of the tables: token a at place 0, b at place 1 (from row P on), "=" last.
  tables() {
    const { d, heads, P, w, t } = this;
    const rows = 2 * P + 1;
    for (let r = 0; r < rows; r++) {
      const [token, place] = r < P ? [r, 0] : r < 2 * P ? [r - P, 1] : [P, 2];
      for (let j = 0; j < d; j++) t.E[r * d + j] = w.W_E[token * d + j] + w.W_pos[place * d + j];
    }
    this.xEq = t.E.subarray(2 * P * d);
    this.q = zeros(d);
    times(this.xEq, w.W_Q, this.q, 1, d, d);
    times(t.E, w.W_K, t.K, rows, d, d);
    times(t.E, w.W_V, t.V, rows, d, d);
    const width = d / heads;
    for (let r = 0; r < rows; r++) {
      for (let h = 0; h < heads; h++) {
        let sum = 0;
        for (let j = h * width; j < (h + 1) * width; j++) sum += t.K[r * d + j] * this.q[j];
        t.S[r * heads + h] = sum / Math.sqrt(width);
      }
    }
  }

  rowsOf(i) {
    return [this.tokens[2 * i], this.P + this.tokens[2 * i + 1], 2 * this.P];
  }

  attend() {
    const { n, d, heads, t, x } = this;
    const width = d / heads;
    x.O.fill(0);
    for (let i = 0; i < n; i++) {
      const rows = this.rowsOf(i);
      for (let h = 0; h < heads; h++) {
        const s = rows.map((r) => t.S[r * heads + h]);
        const top = Math.max(s[0], s[1], s[2]);
        const e = [Math.exp(s[0] - top), Math.exp(s[1] - top), Math.exp(s[2] - top)];
        const whole = e[0] + e[1] + e[2];
        for (let p = 0; p < 3; p++) {
          const a = e[p] / whole;
          x.A[(i * heads + h) * 3 + p] = a;
          const v = rows[p] * d;
          for (let j = h * width; j < (h + 1) * width; j++) x.O[i * d + j] += a * t.V[v + j];
        }
      }
    }
  }

  forward() {
    const { n, d, m, P, w, x } = this;
    this.tables();
    this.attend();
    times(x.O, w.W_O, x.X, n, d, d);
    for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) x.X[i * d + j] += this.xEq[j];
    times(x.X, w.W_in, x.H, n, d, m);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        const v = x.H[i * m + j] + w.b_in[j];
        x.H[i * m + j] = v > 0 ? v : 0;
      }
    }
    times(x.H, w.W_out, x.Y, n, m, d);
    for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) x.Y[i * d + j] += x.X[i * d + j] + w.b_out[j];
    times(x.Y, w.W_U, x.L, n, d, P);
  }

  // Mean loss; the logits become their gradient (with the exact one of the right class).
  loss() {
    const { n, P, labels, x } = this;
    let whole = 0;
    for (let i = 0; i < n; i++) {
      const row = x.L.subarray(i * P, (i + 1) * P);
      let top = -Infinity;
      for (let c = 0; c < P; c++) if (row[c] > top) top = row[c];
      const right = Math.exp(row[labels[i]] - top);
      let wrong = 0;
      for (let c = 0; c < P; c++) {
        row[c] = Math.exp(row[c] - top);
        if (c !== labels[i]) wrong += row[c];
      }
      const scale = 1 / ((wrong + right) * n);
      whole += Math.log1p(wrong / right);
      for (let c = 0; c < P; c++) row[c] *= scale;
      row[labels[i]] = -wrong * scale;
    }
    return whole / n;
  }

  backward() {
    const { n, d, m, P, w, g, x, dx } = this;
    transposedTimes(x.Y, x.L, g.W_U, n, d, P);
    timesTransposed(x.L, w.W_U, dx.Y, n, P, d);
    sumRows(dx.Y, g.b_out, n, d);
    transposedTimes(x.H, dx.Y, g.W_out, n, m, d);
    timesTransposed(dx.Y, w.W_out, dx.H, n, d, m);
    for (let i = 0; i < n * m; i++) if (x.H[i] <= 0) dx.H[i] = 0;
    sumRows(dx.H, g.b_in, n, m);
    transposedTimes(x.X, dx.H, g.W_in, n, d, m);
    timesTransposed(dx.H, w.W_in, dx.X, n, m, d);
    for (let i = 0; i < n * d; i++) dx.X[i] += dx.Y[i];
    transposedTimes(x.O, dx.X, g.W_O, n, d, d);
    timesTransposed(dx.X, w.W_O, dx.O, n, d, d);
    this.attendBackward();
  }

  attendBackward() {
    const { n, d, heads, P, w, g, t, x, dx } = this;
    const width = d / heads;
    t.dV.fill(0);
    t.dS.fill(0);
    for (let i = 0; i < n; i++) {
      const rows = this.rowsOf(i);
      for (let h = 0; h < heads; h++) {
        const at = (i * heads + h) * 3;
        const grown = [0, 0, 0];
        for (let p = 0; p < 3; p++) {
          const v = rows[p] * d;
          const a = x.A[at + p];
          for (let j = h * width; j < (h + 1) * width; j++) {
            grown[p] += dx.O[i * d + j] * t.V[v + j];
            t.dV[v + j] += a * dx.O[i * d + j];
          }
        }
        const mean = x.A[at] * grown[0] + x.A[at + 1] * grown[1] + x.A[at + 2] * grown[2];
        for (let p = 0; p < 3; p++) t.dS[rows[p] * heads + h] += x.A[at + p] * (grown[p] - mean);
      }
    }
    this.tablesBackward(2 * P + 1, width, zeros(d), w, g, t);
  }

  tablesBackward(rows, width, dq, w, g, t) {
    const { d, heads, P } = this;
    const dK = zeros(rows * d);
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < d; j++) {
        const s = t.dS[r * heads + Math.floor(j / width)] / Math.sqrt(width);
        dK[r * d + j] = s * this.q[j];
        dq[j] += s * t.K[r * d + j];
      }
    }
    transposedTimes(t.E, dK, g.W_K, rows, d, d);
    transposedTimes(t.E, t.dV, g.W_V, rows, d, d);
    timesTransposed(t.dV, w.W_V, t.dE, rows, d, d);
    const more = zeros(rows * d);
    timesTransposed(dK, w.W_K, more, rows, d, d);
    for (let i = 0; i < more.length; i++) t.dE[i] += more[i];
    transposedTimes(this.xEq, dq, g.W_Q, 1, d, d);
    const dEq = zeros(d);
    timesTransposed(dq, w.W_Q, dEq, 1, d, d);
    const residual = zeros(d);
    sumRows(this.dx.X, residual, this.n, d);
    for (let j = 0; j < d; j++) t.dE[2 * P * d + j] += dEq[j] + residual[j];
    g.W_E.fill(0);
    g.W_pos.fill(0);
    for (let r = 0; r < rows; r++) {
      const [token, place] = r < P ? [r, 0] : r < 2 * P ? [r - P, 1] : [P, 2];
      for (let j = 0; j < d; j++) {
        g.W_E[token * d + j] += t.dE[r * d + j];
        g.W_pos[place * d + j] += t.dE[r * d + j];
      }
    }
  }

  adamw() {
    this.step += 1;
    const { lr, weight_decay, beta1, beta2, eps } = this;
    const size = lr / (1 - beta1 ** this.step);
    const root = 1 / Math.sqrt(1 - beta2 ** this.step);
    for (const [name, p] of Object.entries(this.w)) {
      const [g, M, V] = [this.g[name], this.M[name], this.V[name]];
      for (let i = 0; i < p.length; i++) {
        M[i] += (1 - beta1) * (g[i] - M[i]);
        V[i] = beta2 * V[i] + (1 - beta2) * g[i] * g[i];
        p[i] = (1 - lr * weight_decay) * p[i] - (size * M[i]) / (Math.sqrt(V[i]) * root + eps);
      }
    }
  }

  epoch() {
    this.forward();
    const found = this.loss();
    this.backward();
    this.adamw();
    return found;
  }
}

function sumRows(A, out, n, m) {
  out.fill(0);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) out[j] += A[i * m + j];
}
