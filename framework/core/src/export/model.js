// A model over its symbols: how it reads a text, what it expects next, and how a text is drawn from it.

class Model {
  constructor(json) {
    this.name = json.name;
    this.symbols = json.symbols;
    this.bytes = json.bytes;
    this.reading = json.reading;
    this.sample = json.sample;
    this.context = json.context;
    this.tokens = new Map(json.symbols.map((symbol, token) => [symbol, token]));
    const parameters = Object.fromEntries(Object.entries(json.parameters).map(([name, one]) => [name, decoded(one)]));
    this.embedding = json.embedding && parameters[json.embedding];
    this.layers = json.layers.map((layer) => new Layer(layer, parameters));
    this.head = program(json.head.graph, [null, ...json.head.parameters.map((name) => parameters[name])]);
  }

  // The states of all layers before the first symbol.
  start() {
    return this.layers.map((layer) => layer.start);
  }

  // Reads one token, or the zero vector: the next states, the logits of what follows, and the gates of each layer.
  step(states, token) {
    const made = this.layers.map(() => null);
    let x = this.input(token);
    this.layers.forEach((layer, at) => {
      made[at] = layer.step(x, states[at]);
      x = made[at].output;
    });
    const [logits] = this.head([x]);
    return { states: made.map((one) => one.state), gates: made.map((one) => one.gates), logits: logits.data };
  }

  // The input of a token: a row of the embedding, or one-hot. The number of symbols stands for the zero vector.
  input(token) {
    const width = this.embedding ? this.embedding.shape[1] : this.symbols.length;
    const x = tensor([1, width]);
    if (token < this.symbols.length) {
      if (this.embedding) x.data.set(this.embedding.data.subarray(token * width, (token + 1) * width));
      else x.data[token] = 1;
    }
    return x;
  }

  // What is known after a whole text: as `step` returns it.
  after(tokens) {
    const { bare, prefixed, window } = this.context;
    const first = tokens.length > 0 ? prefixed : bare;
    let inputs = first === null ? tokens : [first, ...tokens];
    if (window !== null) {
      const filler = new Array(Math.max(window - tokens.length, 0)).fill(first ?? 0);
      inputs = [...filler, ...tokens.slice(Math.max(tokens.length - window, 0))];
    }
    return inputs.reduce((known, token) => this.step(known.states, token), { states: this.start() });
  }

  // What is known after one more token.
  next(known, tokens) {
    return this.context.window === null ? this.step(known.states, tokens.at(-1)) : this.after(tokens);
  }

  // Whether the first symbol of a text is predicted: not where training begins with a symbol of the text.
  get predictsFirst() {
    return this.context.window === null && this.context.prefixed !== null;
  }

  // The tokens of a text, as the experiment has it read, and the characters that the vocabulary lacks.
  encode(text) {
    const { lowercase, newlines, normalize, remove, unknown } = this.reading;
    const tokens = [];
    const lacking = [];
    let whole = newlines === "fold" ? text.replace(/\r\n?/g, "\n") : text;
    if (normalize !== "none") whole = whole.normalize(normalize.toUpperCase());
    for (const character of whole) {
      if (remove.includes(character)) continue;
      for (const symbol of this.parts(lowercase ? character.toLowerCase() : character)) {
        const token = this.tokens.get(symbol) ?? (unknown === "token" ? this.tokens.get("\ufffd") : undefined);
        if (token !== undefined) tokens.push(token);
        if (!this.tokens.has(symbol) && !lacking.includes(character)) lacking.push(character);
      }
    }
    return { tokens, lacking };
  }

  // A character as symbols: where those are bytes, outside ASCII the characters of its bytes' numbers.
  parts(text) {
    const characters = [...text];
    if (!this.bytes) return characters;
    const bytes = (one) => [...new TextEncoder().encode(one)].map((byte) => String.fromCodePoint(byte));
    return characters.flatMap((one) => (one.codePointAt(0) < 128 ? [one] : bytes(one)));
  }

  decode(tokens) {
    const symbols = tokens.map((token) => this.symbols[token] ?? "");
    if (!this.bytes) return symbols.join("");
    return new TextDecoder().decode(Uint8Array.from(symbols, (symbol) => symbol.codePointAt(0)));
  }
}

// One layer: its step with the parameters in place, and its starting state.
class Layer {
  constructor({ cell, fixed, derive, noise, step, state }, parameters) {
    const value = (source) => (typeof source === "string" ? parameters[source] : full(source.shape, source.value));
    const given = fixed.map(value);
    const matrices = derive ? program(derive)(given) : given;
    this.cell = cell;
    this.names = state.map((vector) => vector.name);
    this.run = program(step, [null, ...matrices, ...noise.map(value)]);
    this.before = new Array(matrices.length + noise.length).fill(null);
    this.start = state.map((vector) => {
      if (typeof vector.start === "string") return parameters[vector.start];
      return full([1, vector.width], vector.start);
    });
  }

  // The output, the next state, and the results of logistic functions: a cell's gates.
  step(x, state) {
    const gates = [];
    const watch = (name, result) => { if (name === "Sigmoid") gates.push(result); };
    const [output, ...next] = this.run([x, ...this.before, ...state], watch);
    return { output, state: next, gates };
  }
}

// The probabilities of logits at a temperature, of which 0 leaves the most likely, with all but the most likely of
// probability `topP` together set to 0.
function probabilities(logits, temperature = 1, topP = 1) {
  const top = largest(logits);
  if (temperature === 0) {
    const likeliest = logits.indexOf(top);
    return logits.map((_, token) => truth(token === likeliest));
  }
  const all = softmax(logits.map((logit) => logit / temperature));
  if (topP >= 1) return all;
  let reached = 0;
  for (const token of order(all, true)) {
    const isOver = reached >= topP;
    reached += all[token];
    if (isOver) all[token] = 0;
  }
  const sum = total(all);
  return all.map((probability) => probability / sum);
}

// The token at `uniform`, in [0, 1), of the cumulative distribution.
function choice(distribution, uniform) {
  const sum = total(distribution);
  let running = 0;
  const found = distribution.findIndex((probability) => {
    running += probability;
    return running / sum > uniform;
  });
  return found < 0 ? distribution.length - 1 : found;
}

// Numbers in [0, 1) from a seed: mulberry32, of Tommy Ettinger.
function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Draws tokens one by one behind those of a prefix, until the end symbol or `length`.
function* drawn(model, prefix, { temperature, topP, length, uniform }) {
  const tokens = [...prefix];
  let known = model.after(tokens);
  for (let count = 0; count < length; count += 1) {
    if (count > 0) known = model.next(known, tokens);
    if (!known.logits.some(Number.isFinite) || known.logits.some(Number.isNaN)) throw new Error("the model has diverged");
    const token = choice(probabilities(known.logits, temperature, topP), uniform());
    if (token === model.context.end) return;
    tokens.push(token);
    yield token;
  }
}

// A whole text, its prefix included.
function generate(model, text, settings) {
  const prefix = model.encode(text).tokens;
  return model.decode([...prefix, ...drawn(model, prefix, settings)]);
}
