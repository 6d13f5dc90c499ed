// What the page shows of its model. Every text is put into it as text, never as HTML.
"use strict";

(() => {
const at = (id) => document.getElementById(id);
const model = new Model(JSON.parse(at("model").textContent));

// Characters without a picture of their own, or that change the picture of others: those of `hatchery`'s own output.
const HIDDEN = new RegExp(
  "[\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u200b-\\u200f\\u2028-\\u202e" +
    "\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]",
  "gu",
);
const visible = (text) => text.replace(HIDDEN, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);

// A symbol alone: a space or a line end would not be seen.
function symbol(token) {
  const one = model.symbols[token];
  const name = { " ": "␣", "\n": "\\n", "\t": "\\t" }[one] ?? visible(one);
  return model.bytes && one.codePointAt(0) > 127 ? `x${one.codePointAt(0).toString(16)}` : name;
}

function element(name, text = "", children = []) {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  made.append(...children);
  return made;
}

function percent(probability) {
  const share = 100 * probability;
  if (share > 0 && share < 0.01) return "< 0.01 %";
  return `${share.toFixed(share < 1 ? 2 : share < 10 ? 1 : 0)} %`;
}

// What is known after each beginning of the text, so that a longer text is not read from its start again.
const reader = {
  tokens: [],
  known: [model.after([])],
  read(tokens) {
    let same = 0;
    while (same < tokens.length && tokens[same] === this.tokens[same]) same += 1;
    this.known.length = same + 1;
    for (let length = same + 1; length <= tokens.length; length += 1) {
      const read = tokens.slice(0, length);
      this.known.push(length === 1 ? model.after(read) : model.next(this.known[length - 1], read));
    }
    this.tokens = tokens;
  },
};

const settings = () => ({
  temperature: Number(at("temperature").value),
  topP: Number(at("top-p").value),
  length: Math.min(Math.max(Math.trunc(Number(at("length").value)) || 1, 1), 5000),
});

function showNext() {
  const { temperature, topP } = settings();
  const all = probabilities(reader.known.at(-1).logits, temperature, topP);
  const bars = order(all, true).slice(0, 12).filter((token) => all[token] > 0);
  at("bars").replaceChildren(...bars.map((token) => {
    const isEnd = token === model.context.end;
    const bar = element("i");
    bar.style.width = `${100 * all[token]}%`;
    const name = isEnd ? "end" : symbol(token);
    const row = element("button", "", [element("bdi", name), bar, element("small", percent(all[token]))]);
    row.disabled = isEnd;
    row.addEventListener("click", () => write(at("text").value + model.decode([token])));
    return row;
  }));
}

// Characters shown at most: each is an element of the page.
const SHOWN = 400;

function showCharacters() {
  const { tokens, known } = reader;
  let [sum, count] = [0, 0];
  const spans = tokens.map((token, place) => {
    const isPredicted = place > 0 || model.predictsFirst;
    const probability = isPredicted ? softmax(known[place].logits)[token] : null;
    if (isPredicted) [sum, count] = [sum - Math.log(probability), count + 1];
    if (place < tokens.length - SHOWN) return null;
    const span = element("span", "", [element("bdi", symbol(token))]);
    span.append(element("small", isPredicted ? percent(probability).replace(" %", "") : "–"));
    span.style.setProperty("--share", isPredicted ? Math.min(-Math.log(probability) * 14, 100) : 0);
    span.title = isPredicted ? `probability ${probability.toPrecision(4)}, ${(-Math.log(probability)).toFixed(3)} nats` : "";
    return span;
  });
  at("characters").replaceChildren(...spans.filter((span) => span !== null));
  const mean = sum / count;
  at("mean").textContent = count === 0
    ? "Type a text: under each character stands its probability in percent, after those before it."
    : `In percent. ${count} characters, ${mean.toFixed(3)} nats each: a perplexity of ${Math.exp(mean).toFixed(2)}.`;
}

// The vectors that can be shown: of each layer its states, then its gates.
function vectors() {
  const { states, gates } = reader.known[0];
  return model.layers.flatMap(({ cell, names }, layer) => {
    const place = model.layers.length > 1 ? ` of layer ${layer + 1}, ${cell}` : ` of the ${cell}`;
    const state = names.map((name, index) => ({ name: `state ${name}${place}`, of: (known) => known.states[layer][index] }));
    const gate = gates[layer].map((_, index) => ({
      name: `gate ${index + 1}${place}`, of: (known) => known.gates[layer][index],
    }));
    return [...state, ...gate].filter((_, index) => (index < names.length ? states[layer] : gates[layer]).length > 0);
  });
}

const [CELL, ROW, LABELS] = [18, 7, 22];
let columns = [];

function showStates() {
  const canvas = at("map");
  const chosen = vectors()[at("vector").value];
  const room = Math.max(Math.floor((at("inside").clientWidth || 300) / CELL), 1);
  const first = Math.max(reader.tokens.length - room, 0);
  columns = reader.known.slice(1).map((known, place) => ({ token: reader.tokens[place], values: chosen.of(known).data }));
  columns = columns.slice(first);
  const rows = Math.min(chosen.of(reader.known[0]).data.length, 128);
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [Math.max(columns.length, 1) * CELL, rows * ROW + LABELS];
  Object.assign(canvas, { width: width * scale, height: height * scale });
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const brush = canvas.getContext("2d");
  brush.scale(scale, scale);
  const style = getComputedStyle(document.documentElement);
  const most = Math.max(1e-9, ...columns.map(({ values }) => largestSize(values.slice(0, rows))));
  columns.forEach(({ token, values }, column) => {
    for (let row = 0; row < rows; row += 1) {
      const share = Math.min(Math.abs(values[row]) / most, 1);
      brush.fillStyle = `rgba(${values[row] < 0 ? "222, 106, 48" : "47, 123, 191"}, ${share})`;
      brush.fillRect(column * CELL, row * ROW, CELL - 1, ROW - 1);
    }
    brush.fillStyle = style.color;
    brush.textAlign = "center";
    brush.font = "13px ui-monospace, monospace";
    brush.fillText(symbol(token).slice(0, 2), column * CELL + CELL / 2, height - 7);
  });
  at("unit").textContent = columns.length === 0
    ? "Type a text: each character adds a column, blue where a value is above 0, orange below."
    : `Blue above 0, orange below, darkest at ${most.toFixed(2)}. ${rows} units; point at one to see its value.`;
}

function point(event) {
  const column = columns[Math.floor(event.offsetX / CELL)];
  const row = Math.floor(event.offsetY / ROW);
  if (column && row < column.values.length) {
    at("unit").textContent = `Unit ${row + 1} after ${symbol(column.token)}: ${column.values[row].toFixed(4)}`;
  }
}

function show() {
  for (const id of ["temperature", "top-p"]) {
    document.querySelector(`output[for="${id}"]`).textContent = Number(at(id).value).toFixed(2);
  }
  const { tokens, lacking } = model.encode(at("text").value);
  const isRefused = lacking.length > 0 && model.reading.unknown === "error";
  at("problem").hidden = lacking.length === 0;
  at("problem").textContent = `The model has no ${lacking.map((one) => `“${visible(one)}”`).join(", ")}: ` +
    (model.reading.unknown === "token" ? "read as unknown." : "left out.");
  at("problem").dataset.refused = String(isRefused);
  reader.read(tokens);
  const parts = { next: showNext, read: showCharacters, inside: showStates };
  for (const [id, part] of Object.entries(parts)) if (!at(id).hidden) part();
}

function write(text) {
  at("text").value = text;
  show();
}

// Draws are numbered, so that each click gives another text.
let seed = 1;
// The number of the newest drawing. One that is under way ends when there is another.
let newest = 0;

// The tokens of a text and what is drawn behind them. `show` sees them now and then; null if another drawing has begun.
async function draw(text, settled, show) {
  const own = newest;
  const prefix = model.encode(text).tokens;
  const all = [...prefix];
  let begin = performance.now();
  for (const token of drawn(model, prefix, settled)) {
    all.push(token);
    if (performance.now() - begin > 12) {
      show(all);
      await new Promise((resolve) => { setTimeout(resolve, 0); });
      if (own !== newest) return null;
      begin = performance.now();
    }
  }
  return all;
}

function finish() {
  at("complete").textContent = "Complete";
  document.documentElement.dataset.done = "true";
}

async function complete() {
  newest += 1;
  if (at("complete").textContent === "Stop") {
    finish();
    return;
  }
  at("complete").textContent = "Stop";
  const put = (tokens) => write(model.decode(tokens));
  const all = await draw(at("text").value, { ...settings(), uniform: uniforms(seed) }, put);
  seed += 1;
  if (all === null) return;
  put(all);
  finish();
}

async function several() {
  newest += 1;
  const settled = settings();
  const first = 1000 * seed;
  seed += 1;
  at("complete").textContent = "Complete";
  at("samples").hidden = false;
  at("list").replaceChildren();
  for (let number = 0; number < 10; number += 1) {
    const all = await draw(at("text").value, { ...settled, uniform: uniforms(first + number) }, () => {});
    if (all === null) return;
    const text = model.decode(all);
    const shown = model.sample.capitalize ? text.replace(/^./u, (letter) => letter.toUpperCase()) : text;
    at("list").append(element("li", visible(shown)));
  }
  finish();
}

// What follows # in the address: text, temperature, top-p, length, vector, seed, run=complete or samples, theme=light or dark,
// and the sections to show: view=next,read.
function follow() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const view = wanted.get("view")?.split(",");
  document.querySelector("header").hidden = view !== undefined;
  for (const section of document.querySelectorAll("section")) {
    section.hidden = view ? !view.includes(section.id) : section.id === "samples" && at("list").children.length === 0;
  }
  document.documentElement.toggleAttribute("data-single", view?.length === 1);
  if (wanted.has("theme")) document.documentElement.dataset.theme = wanted.get("theme");
  for (const id of ["temperature", "top-p", "length", "text", "vector"]) {
    if (wanted.has(id)) at(id).value = wanted.get(id);
  }
  seed = Number(wanted.get("seed") ?? seed);
  show();
  if (wanted.get("run") === "complete") complete();
  if (wanted.get("run") === "samples") several();
}

function begin() {
  const { name, size: count, updates, layers } = JSON.parse(at("model").textContent);
  at("name").textContent = name;
  at("about").textContent = `${layers.map((layer) => layer.cell).join(" + ")}, ${count.toLocaleString("en")} parameters, ` +
    `${model.symbols.length} symbols, after ${updates.toLocaleString("en")} updates. It runs in this page.`;
  at("temperature").value = 1;
  at("length").value = model.sample.length;
  at("text").value = model.sample.prefix;
  at("vector").replaceChildren(...vectors().map((vector, index) => {
    return Object.assign(element("option", vector.name), { value: index });
  }));
  for (const id of ["text", "temperature", "top-p", "vector"]) at(id).addEventListener("input", show);
  at("complete").addEventListener("click", complete);
  at("several").addEventListener("click", several);
  at("clear").addEventListener("click", () => write(""));
  for (const kind of ["pointermove", "pointerdown"]) at("map").addEventListener(kind, point);
  window.addEventListener("resize", show);
  window.addEventListener("hashchange", follow);
  // A page that shows this one in a frame makes the frame as high as its content, and chooses its theme.
  const tell = () => parent.postMessage({ height: Math.ceil(document.body.getBoundingClientRect().bottom) + 8 }, "*");
  if (parent !== window) new ResizeObserver(tell).observe(document.body);
  window.addEventListener("message", ({ data }) => {
    if (data?.theme === "light" || data?.theme === "dark") {
      document.documentElement.dataset.theme = data.theme;
      show();
    }
  });
  follow();
}

begin();
})();
