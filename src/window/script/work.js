// Proof of work (services/proof-of-work.ts says what it is for): finds a number whose SHA-256 with the challenge begins with
// enough zero bits, in slices so short that typing goes on. On any page with
//
//   <input type="hidden" name="work_id" value="…">
//   <input type="hidden" name="work_answer" data-challenge="…" data-bits="16" data-working="One moment …" data-done="Ready">
//   <p role="status" data-work-status></p>
//
// the answer is put into the input, and a form that is sent before that is held until then. SHA-256 is our own, because
// crypto.subtle is slow for small texts and not there at all where the page is not secure.
(() => {
  const slice_ms = 8;
  const pause_ms = 2;
  const input = document.querySelector("input[name=work_answer][data-challenge]");
  if (!input) return;

  // FIPS 180-4, section 4.2.2: of the first 64 primes the cube roots' fractions, of the first eight the square roots'.
  const fraction = (n) => ((n - Math.floor(n)) * 2 ** 32) | 0;
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const K = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
  const H = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));
  const W = new Int32Array(64);

  /** The first 32 bits of the hash of an ASCII text of at most 55 characters: one block. */
  function head(text) {
    W.fill(0, 0, 16);
    for (let i = 0; i < text.length; i++) W[i >> 2] |= text.charCodeAt(i) << (24 - 8 * (i & 3));
    W[text.length >> 2] |= 128 << (24 - 8 * (text.length & 3));
    W[15] = 8 * text.length;
    let [a, b, c, d, e, f, g, h] = H;
    for (let i = 0; i < 64; i++) {
      if (i > 15) {
        const x = W[i - 15];
        const y = W[i - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        W[i] = W[i - 16] + s0 + W[i - 7] + s1;
      }
      const e1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + e1 + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
      const a0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (a0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    return (a + H[0]) >>> 0;
  }

  const { challenge, bits, working, done } = input.dataset;
  const say = (text) => {
    const status = document.querySelector("[data-work-status]");
    if (status) status.textContent = text || "";
  };
  let counter = 0;
  let held = null;

  function solved() {
    input.value = counter;
    say(done);
    if (held) held.form.requestSubmit(held.submitter);
  }

  function slice() {
    const end = performance.now() + slice_ms;
    do {
      // A look at the clock costs more than a hash.
      for (let i = 0; i < 64; i++, counter++)
        if (head(`${challenge}:${counter}`) >>> (32 - bits) === 0) return solved();
    } while (performance.now() < end);
    setTimeout(slice, pause_ms);
  }

  // Before anybody else hears of it: a form that is held was not sent.
  document.addEventListener(
    "submit",
    (event) => {
      if (event.target !== input.form || input.value) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      held = { form: event.target, submitter: event.submitter };
      say(working);
    },
    true,
  );
  slice();
})();
