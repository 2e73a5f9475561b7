// Brings the payment window's pages to life: ours, and those of merchants' brandings, which have no script of their own
// (reference: branding-templates). A page works without it; so each part looks for what it needs and else does nothing.
// Every text comes from the page. A classic script, loaded with `defer`.
// @ts-check

/**
 * The issuer's ranges of src/domain/card.ts, by the first digits alone; the first that fits.
 * @type {readonly { brand: string, pattern: RegExp, lengths: readonly number[] }[]}
 */
const ranges = [
  { brand: "visa-dankort", pattern: /^4571/, lengths: [16] },
  { brand: "dankort", pattern: /^5019/, lengths: [16] },
  { brand: "visa-electron", pattern: /^(4026|417500|4405|4508|4844|4913|4917)/, lengths: [16] },
  { brand: "visa", pattern: /^4/, lengths: [13, 16, 19] },
  { brand: "fbg1886", pattern: /^600722/, lengths: [16, 17, 18, 19] },
  { brand: "mastercard", pattern: /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, lengths: [16] },
  { brand: "american-express", pattern: /^3[47]/, lengths: [15] },
  { brand: "diners", pattern: /^(30[0-5]|3095|36|38|39)/, lengths: [14, 15, 16, 17, 18, 19] },
  { brand: "jcb", pattern: /^(352[89]|35[3-8])/, lengths: [16, 17, 18, 19] },
  { brand: "maestro", pattern: /^(5[06-9]|6(?!011|2|4[4-9]|5))/, lengths: [12, 13, 14, 15, 16, 17, 18, 19] },
];

// Test cards: `1000 BB…`, in the order of src/domain/test-cards.ts.
const test_brands = [
  ...["visa", "mastercard", "dankort", "american-express", "maestro", "visa-electron"],
  ...["visa-dankort", "diners", "fbg1886", "jcb", "mastercard-debet"],
];

const digits_min = 12;
const digits_max = 19;

/** @param {string} text */
const digitsOf = (text) => text.replace(/\D/g, "");

/** The test card's brand, null for other numbers. @param {string} digits */
const testBrand = (digits) => test_brands[Number(/^1000(\d\d)/.exec(digits)?.[1] ?? -1)] ?? null;

/** Whom numbers with these first digits belong to, while they are typed; null while it is open. @param {string} digits */
function brandFor(digits) {
  return testBrand(digits) ?? ranges.find(({ pattern }) => pattern.test(digits))?.brand ?? null;
}

/** The brand of a whole number. @param {string} digits */
function brandOf(digits) {
  const fits = ranges.find(({ pattern, lengths }) => pattern.test(digits) && lengths.includes(digits.length));
  return digits.length === 16 ? (testBrand(digits) ?? fits?.brand ?? null) : (fits?.brand ?? null);
}

/** @param {string} digits */
function isLuhn(digits) {
  let sum = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = Number(digits[digits.length - 1 - place]);
    const weighed = place % 2 === 1 ? digit * 2 : digit;
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return sum % 10 === 0;
}

/** @param {string} digits */
function isCardNumber(digits) {
  if (digits.length < digits_min || digits.length > digits_max || !isLuhn(digits)) return false;
  // Of ranges that we do not know the server may.
  return brandOf(digits) !== null || brandFor(digits) === null;
}

/**
 * As it is printed on the card: 4-4-4-4, American Express 4-6-5.
 * @param {string} text
 */
function formatNumber(text) {
  const digits = digitsOf(text);
  if (/^3[47]/.test(digits)) {
    return [digits.slice(0, 4), digits.slice(4, 10), digits.slice(10, 15)].filter((group) => group !== "").join(" ");
  }
  return (
    digits
      .slice(0, digits_max)
      .match(/.{1,4}/g)
      ?.join(" ") ?? ""
  );
}

/**
 * `MM / YY`, from `3`, `1229`, `12/29` and `12/2029`. Where something was just deleted, no separator comes back, and while a
 * month is typed anew its year stays.
 * @param {string} text
 * @param {string} [how] as the browser calls it: `insertText`, `deleteContentBackward`, …
 */
function formatExpiry(text, how = "") {
  const deleted = how.startsWith("delete");
  const [before = "", ...after] = text.split(/[/.-]/);
  let month = digitsOf(before);
  let year = digitsOf(after.join(""));
  if (month.length > 2) {
    year = month.slice(2) + year;
    month = month.slice(0, 2);
  } else if (
    month.length === 1 &&
    !deleted &&
    (month > "1" || (after.length > 0 && (how !== "insertText" || year === "")))
  )
    month = `0${month}`;
  if (month.length < 2 ? year === "" : deleted && year === "") return month;
  // A year of four digits while it is typed; two are kept.
  if (/^20\d\d/.test(year)) year = year.slice(2, 4);
  else year = year.slice(0, year.startsWith("20") ? 3 : 2);
  return `${month} / ${year}`;
}

/**
 * What is wrong with an expiry date, null for nothing.
 * @param {string} text
 * @param {Date} now
 */
function expiryProblem(text, now) {
  const parts = /^(\d\d) \/ (\d\d)$/.exec(formatExpiry(text));
  if (parts === null || Number(parts[1]) < 1 || Number(parts[1]) > 12) return "invalid";
  const months_left = (2000 + Number(parts[2]) - now.getFullYear()) * 12 + Number(parts[1]) - 1 - now.getMonth();
  return months_left < 0 ? "past" : null;
}

/** `4:05`, `25:00:00`. @param {number} seconds */
function asClock(seconds) {
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const [first = 0, ...others] = seconds < 3_600 ? parts.slice(1) : parts;
  return [first, ...others.map((part) => String(part).padStart(2, "0"))].join(":");
}

/** Brands of which a card may be one more: their pictures stay lit. @type {Readonly<Record<string, readonly string[]>>} */
const also = { "visa-dankort": ["visa", "dankort"], "visa-electron": ["visa"], "mastercard-debet": ["mastercard"] };

function start() {
  const parts = [cards, testCards, countdown, polling, links, toggles, guardForms, threeDSecure, summary, goOn];
  // One that fails must not take the others with it.
  for (const part of parts) {
    try {
      part();
    } catch (error) {
      console.error(error);
    }
  }
}

// What all of them use.

function sessionId() {
  const told =
    document.body.dataset.session ?? document.querySelector("[data-session-id]")?.getAttribute("data-session-id");
  return told ?? field("session_id")?.value ?? "";
}

function isFramed() {
  return window.top !== window.self;
}

/** @param {string} selector */
function all(selector) {
  return /** @type {HTMLElement[]} */ ([...document.querySelectorAll(selector)]);
}

/** @param {string} name @returns {HTMLInputElement | null} */
function field(name) {
  return document.querySelector(`input[name="${name}"]`);
}

/** @param {string} id */
function input(id) {
  const found = document.getElementById(id);
  return found instanceof HTMLInputElement ? found : null;
}

/** @param {string} tag @param {(Node | string)[]} content */
function made(tag, ...content) {
  const element = document.createElement(tag);
  element.append(...content);
  return element;
}

/** @param {HTMLElement | null} element */
function isShown(element) {
  return element !== null && getComputedStyle(element).display !== "none";
}

/** Merchants hide with `style="display: none"` or in their stylesheet, we with `hidden`. @param {HTMLElement | null} element @param {boolean} on */
function show(element, on) {
  if (element === null) return;
  element.hidden = !on;
  element.style.display = on ? "" : "none";
  if (on && !isShown(element)) element.style.display = "block";
}

/** @param {HTMLFormElement} form */
function send(form) {
  // A field may be called `submit`.
  HTMLFormElement.prototype.submit.call(form);
}

/** Out of the window, and out of the frame where we may. @param {string} url */
function leave(url) {
  if (!isFramed()) return window.location.assign(url);
  try {
    if (window.top !== null) window.top.location.href = url;
  } catch {
    return window.location.assign(url);
  }
  // A sandbox may refuse without a word.
  setTimeout(() => window.location.assign(url), leave_patience_ms);
}

// In this time a browser that leaves has left.
const leave_patience_ms = 2_000;

// Cards.

// Somebody who types is faster than this; somebody who has finished does not wait long.
const lookup_pause_ms = 250;

/** @typedef {{ brand: string | null, brands?: string[], accepted: boolean, three_d_secure?: boolean, fee: number | null, fee_text?: string | null, total_text?: string | null }} Lookup */

function cards() {
  const number = input("cardnumber");
  if (number === null) return;
  const fields = [
    number,
    ...["expiration", "expiration-month", "expiration-year", "cvd", "cardholder"].map(input),
  ].filter((one) => one !== null);
  const brand_selector = document.getElementById("brand-selector");
  const wrong_summary = document.getElementById("wrong-summary");
  const fee_field = document.getElementById("fee-field");
  const totals = all("#total-field, [data-total]");
  const texts_before = new Map([fee_field, ...totals].map((one) => [one, one?.textContent ?? ""]));
  // Tells the server which fee the page has shown.
  const shown_fee = field("fee");
  const fee_before = shown_fee?.value ?? "";
  let pause = 0;
  let asked = "";
  let controller = new AbortController();

  for (const one of fields) {
    one.addEventListener("input", (event) => {
      const how = event instanceof InputEvent ? event.inputType : "";
      format(one, how);
      mark(one);
      if (one.value === "" || problemOf(one) === null) tell(one, null);
      if (one === number) numberChanged();
      if (!how.startsWith("delete") && event.isTrusted) jump(one);
    });
    // Left: now it can be said what is wrong. An empty field is told of when the form is sent.
    one.addEventListener("change", () => format(one));
    one.addEventListener("blur", ({ relatedTarget: next }) => {
      // The button would move away under the finger, and is about to tell all that is wrong.
      if (next instanceof HTMLButtonElement && next.form === one.form) return;
      if (one.value.trim() !== "") tell(one, problemOf(one));
    });
  }
  // In test mode the CVD names the issuing country, on which a fee may depend.
  input("cvd")?.addEventListener("blur", lookUp);
  for (const radio of all('input[name="brand"]')) radio.addEventListener("change", lookUp);

  number.form?.addEventListener("submit", (event) => {
    if (number.form !== null) number.form.noValidate = true;
    const wrong = fields.filter((one) => {
      const problem = problemOf(one);
      tell(one, problem);
      // Where the page has no words for it, the server has.
      return problem !== null && messageOf(one, problem) !== undefined;
    });
    summarize(wrong);
    if (wrong.length === 0) return;
    event.preventDefault();
    if (!isShown(wrong_summary)) wrong[0]?.focus();
  });
  // The browser's own checks would speak first, in its own words.
  if (number.form !== null) number.form.noValidate = true;

  // What the server or the browser has filled in.
  for (const one of fields) {
    if (one.value !== "") format(one);
    if (one.getAttribute("aria-invalid") !== "true") mark(one);
  }
  numberChanged();

  /** @param {HTMLInputElement} one @returns {string | null} */
  function problemOf(one) {
    const value = one.value.trim();
    if (value === "") return one.required ? "missing" : null;
    const digits = digitsOf(value);
    switch (one.id) {
      case "cardnumber":
        if (one.dataset.refused === digits) return "not_accepted";
        return isCardNumber(digits) ? null : "invalid";
      case "cvd":
        return /^\d{3,4}$/.test(value) ? null : "invalid";
      case "expiration":
        return expiryProblem(value, new Date());
      case "expiration-month":
        return Number(digits) >= 1 && Number(digits) <= 12 ? null : "invalid";
      case "expiration-year": {
        const month = input("expiration-month")?.value || "12";
        return expiryProblem(`${month}/${digits}`, new Date());
      }
      default:
        return null;
    }
  }

  /** @param {HTMLInputElement} one @param {string} problem */
  function messageOf(one, problem) {
    return one.getAttribute(`data-error-${problem.replace(/_/g, "-")}`) ?? undefined;
  }

  /** @param {HTMLInputElement} one @param {string | null} problem */
  function tell(one, problem) {
    if (problem === null) one.removeAttribute("aria-invalid");
    else one.setAttribute("aria-invalid", "true");
    const place = document.getElementById(`${one.id}-error`);
    const message = problem === null ? "" : (messageOf(one, problem) ?? "");
    if (place !== null && place.textContent !== message) place.textContent = message;
  }

  /** All that is wrong in one place, in place of what the server has said there. @param {readonly HTMLInputElement[]} wrong */
  function summarize(wrong) {
    if (wrong_summary === null) return;
    const title = made("p", made("strong", wrong_summary.dataset.title ?? ""));
    const items = wrong.map((one) => {
      const link = made("a", messageOf(one, problemOf(one) ?? "") ?? "");
      link.setAttribute("href", `#${one.id}`);
      return made("li", link);
    });
    wrong_summary.replaceChildren(title, made("ul", ...items));
    show(wrong_summary, wrong.length > 0);
    if (wrong.length === 0) return;
    show(document.getElementById("error-summary"), false);
    wrong_summary.focus();
  }

  /** Marks what is right; what is wrong is told when the field is left. @param {HTMLInputElement} one */
  function mark(one) {
    const right = one.value.trim() !== "" && problemOf(one) === null;
    show(document.getElementById(`${one.id}-check`), right);
    show(document.getElementById(`${one.id}-sr`), right);
    const complete = fields.every(
      (each) => problemOf(each) === null && (each.value !== "" || each.id === "cardholder"),
    );
    for (const element of all("[data-card-valid-swap]")) {
      const [on = "", off = ""] = (element.dataset.cardValidSwap ?? "").split(",").map((name) => name.trim());
      if (on !== "") element.classList.toggle(on, complete);
      if (off !== "") element.classList.toggle(off, !complete);
    }
  }

  /** @param {HTMLInputElement} one @param {string} [how] */
  function format(one, how = "") {
    const formatted = formattedOf(one, how);
    if (formatted === null || formatted === one.value) return;
    const caret = one.selectionStart ?? one.value.length;
    const at_end = caret >= one.value.length;
    const digits_before = digitsOf(one.value.slice(0, caret)).length;
    one.value = formatted;
    if (document.activeElement !== one) return;
    let place = at_end ? formatted.length : 0;
    for (let seen = 0; !at_end && seen < digits_before && place < formatted.length; place += 1) {
      if (/\d/.test(formatted[place] ?? "")) seen += 1;
    }
    // A blank that was deleted is there again: the next time it is the digit behind it.
    while (how === "deleteContentForward" && /\D/.test(formatted[place] ?? "")) place += 1;
    one.setSelectionRange(place, place);
  }

  /** @param {HTMLInputElement} one @param {string} how @returns {string | null} */
  function formattedOf(one, how) {
    if (one.id === "cardnumber") return formatNumber(one.value);
    if (one.id === "expiration") return formatExpiry(one.value, how);
    const mask = one.dataset.mask ?? (one.id === "cvd" ? "9999" : "");
    if (mask === "#") return formatNumber(one.value);
    if (/^9+$/.test(mask)) return digitsOf(one.value).slice(0, mask.length);
    return null;
  }

  /** Where the branding wants it: a field that is full hands on to the next. @param {HTMLInputElement} one */
  function jump(one) {
    if (document.body.dataset.autojump === undefined) return;
    if (one.selectionStart !== one.value.length || problemOf(one) !== null) return;
    const digits = digitsOf(one.value);
    const full =
      one.id === "cardnumber"
        ? digits.length === (/^3[47]/.test(digits) ? 15 : 16) && brandFor(digits) !== "maestro"
        : /^expiration/.test(one.id) && digits.length === (one.id === "expiration" ? 4 : 2);
    if (full) fields[fields.indexOf(one) + 1]?.focus();
  }

  function numberChanged() {
    if (number === null) return;
    const digits = digitsOf(number.value);
    light(brandFor(digits));
    clearTimeout(pause);
    if (isCardNumber(digits)) pause = setTimeout(lookUp, lookup_pause_ms);
    else if (asked !== "") {
      controller.abort();
      asked = "";
      for (const [element, text] of texts_before) if (element != null) element.textContent = text;
      if (shown_fee !== null) shown_fee.value = fee_before;
      show(brand_selector, false);
    }
  }

  /** @param {string | null} brand */
  function light(brand) {
    const logos = all("[data-card-brand-logo]");
    const lit = logos.filter((logo) => {
      const name = (logo.dataset.cardBrandLogo ?? "").replace(/^3d-/, "");
      return name === brand || also[brand ?? ""]?.includes(name);
    });
    for (const logo of logos) logo.style.opacity = lit.length === 0 || lit.includes(logo) ? "" : "0.25";
  }

  async function lookUp() {
    if (number === null) return;
    const cardnumber = digitsOf(number.value);
    if (!isCardNumber(cardnumber)) return;
    // A real one is nobody's business before the form is sent.
    const typed_cvd = input("cvd")?.value ?? "";
    const cvd = testBrand(cardnumber) !== null && /^\d{3,4}$/.test(typed_cvd) ? typed_cvd : "";
    /** @type {HTMLInputElement | null} */
    const chosen = document.querySelector('input[name="brand"]:checked');
    const brand = chosen !== null && isShown(brand_selector) ? chosen.value : "";
    const question = new URLSearchParams({
      cardnumber,
      ...(cvd === "" ? {} : { cvd }),
      ...(brand === "" ? {} : { brand }),
    });
    if (asked === question.toString()) return;
    asked = question.toString();
    controller.abort();
    controller = new AbortController();
    try {
      const response = await fetch(`/${sessionId()}/card`, {
        method: "POST",
        body: question,
        signal: controller.signal,
      });
      if (response.ok) answered(await response.json(), cardnumber);
    } catch {
      // Changed meanwhile, or no connection: nothing is lost, the server looks again when the form comes.
    }
  }

  /** @param {Lookup} answer @param {string} cardnumber */
  function answered(answer, cardnumber) {
    if (number === null || digitsOf(number.value) !== cardnumber) return;
    number.dataset.refused = answer.accepted ? "" : cardnumber;
    tell(number, problemOf(number));
    mark(number);
    if (answer.brand !== null) light(answer.brand);
    show(brand_selector, (answer.brands ?? []).length > 1);
    show(document.getElementById("3d-field"), answer.three_d_secure !== false);
    if (fee_field !== null) {
      fee_field.textContent = answer.fee === null ? (fee_field.dataset.none ?? "–") : (answer.fee_text ?? "");
    }
    if (shown_fee !== null) shown_fee.value = String(answer.fee ?? 0);
    for (const total of totals) {
      const bracketed = /^\s*\(/.test(texts_before.get(total) ?? "");
      // What is not known stays as the page has said it.
      if (!answer.total_text) total.textContent = texts_before.get(total) ?? "";
      else total.textContent = bracketed ? `(${answer.total_text})` : answer.total_text;
    }
  }
}

/** Fills the form with a test card, so that all that is left to do is to pay. */
function testCards() {
  for (const button of all("[data-test-card]")) {
    show(button, true);
    button.addEventListener("click", () => {
      const year = String(new Date().getFullYear() + 1).slice(-2);
      fill("cardnumber", button.dataset.testCard ?? "");
      fill("expiration", `12 / ${year}`);
      fill("expiration-month", "12");
      fill("expiration-year", year);
      // Names no country.
      fill("cvd", "123");
      if (input("cardholder")?.value === "") fill("cardholder", "Test");
      /** @type {HTMLElement | null | undefined} */
      const pay = input("cardnumber")?.form?.querySelector('button[type="submit"], button:not([type])');
      pay?.focus();
      pay?.scrollIntoView({ block: "center" });
    });
  }

  /** @param {string} id @param {string} value */
  function fill(id, value) {
    const one = input(id);
    if (one === null) return;
    one.value = value;
    one.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

// Time.

const announced_s = 60;

/** Seconds in `time_left`, shown as minutes and seconds; at the end the server says how it goes on. */
function countdown() {
  const clock = document.getElementById("time_left");
  if (clock === null) return;
  const [seconds = "", minutes = "0", hours = "0"] = (clock.dataset.seconds ?? clock.textContent ?? "")
    .trim()
    .split(":")
    .reverse();
  const left = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  // Over already: the page says so, and asking for it again would end nowhere.
  if (!Number.isFinite(left) || seconds === "" || left <= 0) return;
  const end_ms = Date.now() + left * 1_000;
  let announced = false;
  const timer = setInterval(tick, 500);
  tick();

  function tick() {
    if (clock === null) return;
    const now_left = Math.max(0, Math.ceil((end_ms - Date.now()) / 1_000));
    clock.textContent = asClock(now_left);
    clock.classList.toggle("soon", now_left <= announced_s);
    if (now_left <= announced_s && !announced) {
      announced = true;
      const place = document.getElementById("time_left-sr");
      if (place !== null) place.textContent = clock.dataset.announce ?? "";
    }
    if (now_left > 0) return;
    clearInterval(timer);
    // Its clock may be a little behind ours.
    setTimeout(() => window.location.assign(`/${sessionId()}`), 1_000);
  }
}

const poll_first_ms = 1_000;
const poll_max_ms = 5_000;

/** Asks where the session is, until it has moved. Who comes back from an app is told at once. */
function polling() {
  if (document.body.dataset.polls === undefined || sessionId() === "") return;
  let pause_ms = poll_first_ms;
  let was_waiting = false;
  let timer = setTimeout(poll, pause_ms);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    clearTimeout(timer);
    void poll();
  });

  async function poll() {
    clearTimeout(timer);
    try {
      const response = await fetch(`/${sessionId()}/state`, { cache: "no-store" });
      // An end of its own: the page that is shown says so.
      if (response.status >= 400 && response.status < 500 && response.status !== 429) return;
      if (response.ok) {
        const { state, location } = await response.json();
        if (state === "moved" || (was_waiting && state === "open")) {
          return window.location.replace(location ?? `/${sessionId()}`);
        }
        was_waiting ||= state === "waiting";
      }
    } catch {
      // No connection: later.
    }
    pause_ms = Math.min(pause_ms * 1.3, poll_max_ms);
    clearTimeout(timer);
    timer = setTimeout(poll, pause_ms);
  }
}

// Links and buttons.

function links() {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || event.defaultPrevented) return;
    const href = link.getAttribute("href") ?? "";
    if (href.startsWith("#")) {
      // Under `<base href="/">` it would be another page.
      event.preventDefault();
      document.getElementById(href.slice(1))?.focus();
    } else if (link.dataset.confirm !== undefined && !isFramed()) {
      // A frame may be forbidden to ask; there the server does.
      event.preventDefault();
      if (!window.confirm(link.dataset.confirm)) return;
      const url = new URL(link.href);
      url.searchParams.set("sure", "1");
      window.location.assign(url);
    } else if (link.dataset.leave !== undefined && isFramed()) {
      event.preventDefault();
      leave(link.dataset.leave);
    }
  });
}

/** `data-toggle` and `data-hide` name elements; pictures and texts that carry them become buttons. */
function toggles() {
  for (const element of all("[data-toggle], [data-hide]")) {
    const toggled = targetOf(element.dataset.toggle);
    if (!(element instanceof HTMLButtonElement) && !(element instanceof HTMLAnchorElement)) {
      element.setAttribute("role", "button");
      element.tabIndex = 0;
    }
    const tellState = () => toggled !== null && element.setAttribute("aria-expanded", String(isShown(toggled)));
    const act = (/** @type {Event} */ event) => {
      event.preventDefault();
      show(targetOf(element.dataset.hide), false);
      if (toggled !== null) show(toggled, !isShown(toggled));
      tellState();
    };
    tellState();
    element.addEventListener("click", act);
    element.addEventListener("keydown", (event) => {
      if (element.getAttribute("role") === "button" && (event.key === "Enter" || event.key === " ")) act(event);
    });
  }

  /** @param {string | undefined} selector @returns {HTMLElement | null} */
  function targetOf(selector) {
    return selector?.startsWith("#") === true ? document.getElementById(selector.slice(1)) : null;
  }
}

// A page that has not come by then can be asked for again; the server takes a form once.
const busy_max_ms = 30_000;

/** A second click on the way is none. */
function guardForms() {
  /** @type {Set<HTMLFormElement>} */
  const sent = new Set();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || event.defaultPrevented) return;
    const target = form.getAttribute("target") ?? "";
    if (target !== "" && !target.startsWith("_")) return;
    if (sent.has(form)) return event.preventDefault();
    sent.add(form);
    // After the form is on its way: a disabled button is not part of it.
    setTimeout(() => busy(form, true));
    setTimeout(() => free(form), busy_max_ms);
  });
  // Back from the next page, which the browser has kept as it was.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of sent) free(form);
  });

  /** @param {HTMLFormElement} form */
  function free(form) {
    sent.delete(form);
    busy(form, false);
  }

  /** @param {HTMLFormElement} form @param {boolean} on */
  function busy(form, on) {
    /** @type {NodeListOf<HTMLButtonElement>} */
    const buttons = form.querySelectorAll('button:not([type="button"])');
    for (const button of buttons) {
      button.disabled = on;
      if (on) button.setAttribute("aria-busy", "true");
      else button.removeAttribute("aria-busy");
    }
  }
}

/** Focus goes to what stands in the way of paying. */
function summary() {
  const alert = document.querySelector('#error-summary, [role="alert"][tabindex="-1"]:not([hidden])');
  if (alert instanceof HTMLElement) alert.focus();
}

/** Pages that only send on do so by themselves. */
function goOn() {
  const { leave: away, leaveAfter, tell, breakOut } = document.body.dataset;
  // In a frame that the window itself made: for the page around it.
  if (tell !== undefined) return window.parent.postMessage({ coolpay: tell }, window.location.origin);
  if (breakOut !== undefined) return window.parent.location.assign(breakOut);
  if (away !== undefined) return void setTimeout(() => leave(away), Number(leaveAfter ?? 0) * 1_000);
  /** @type {HTMLElement | null} */
  const link = document.querySelector("a.autoclick");
  if (link?.dataset.leave !== undefined) return leave(link.dataset.leave);
  // Not a step to come back to.
  if (link instanceof HTMLAnchorElement && link.getAttribute("href")) return window.location.replace(link.href);
  const element = document.querySelector("#redirect-form, .autosubmit");
  const form = element instanceof HTMLFormElement ? element : element?.closest("form");
  form?.requestSubmit();
}

// 3-D Secure 2 (EMV 3-D Secure, 3DS method and browser data).

// The specification's patience with an issuer's method.
const method_patience_ms = 10_000;

function threeDSecure() {
  const auth = document.getElementById("3ds_auth_form");
  const method = document.getElementById("3ds_method_form");
  const challenge = document.getElementById("3ds_challenge_form");
  if (challenge instanceof HTMLFormElement) startChallenge(challenge);
  if (!(auth instanceof HTMLFormElement)) return;
  for (const button of auth.querySelectorAll("button")) show(button, false);
  if (!(method instanceof HTMLFormElement)) return authenticate();

  let done = false;
  const finish = (/** @type {string} */ outcome) => {
    if (done) return;
    done = true;
    authenticate(outcome);
  };
  window.addEventListener("message", (event) => {
    if (event.origin === window.location.origin && event.data?.coolpay === "3ds-method-done") finish("done");
  });
  setTimeout(() => finish("timeout"), method_patience_ms);
  if (frameOf(method) === null) finish("timeout");
  else send(method);

  /** @param {string} [outcome] */
  function authenticate(outcome) {
    if (!(auth instanceof HTMLFormElement)) return;
    const told = {
      color_depth: window.screen.colorDepth,
      java_enabled: false,
      language: navigator.language,
      screen_height: window.screen.height,
      screen_width: window.screen.width,
      timezone: new Date().getTimezoneOffset(),
      ...(outcome === undefined ? {} : { method: outcome }),
    };
    for (const [name, value] of Object.entries(told)) {
      const hidden = document.createElement("input");
      Object.assign(hidden, { type: "hidden", name, value: String(value) });
      auth.append(hidden);
    }
    send(auth);
  }
}

/** @param {HTMLFormElement} form @returns {HTMLIFrameElement | null} */
function frameOf(form) {
  const name = form.getAttribute("target") ?? "";
  return name === "" ? null : document.querySelector(`iframe[name="${CSS.escape(name)}"]`);
}

/** @param {HTMLFormElement} form */
function startChallenge(form) {
  // EMV 3-D Secure, challenge window size 02.
  const [frame_width_px, frame_height_px] = [390, 400];
  const frame = frameOf(form);
  if (frame === null) form.removeAttribute("target");
  // The bank's page is what the shopper has to do next.
  frame?.addEventListener("load", () => frame.focus(), { once: true });
  // Published brandings give it no size and no name.
  if (frame !== null && (frame.clientHeight < frame_height_px || frame.clientWidth < frame_width_px)) {
    frame.style.inlineSize = "100%";
    frame.style.minBlockSize = `${frame_height_px}px`;
  }
  if (frame !== null && frame.title === "") frame.title = "3-D Secure";
  send(form);
  if (frame !== null) show(form, false);
}

// At the end: what it needs is above. Tests have no document.
if (typeof document !== "undefined") start();
