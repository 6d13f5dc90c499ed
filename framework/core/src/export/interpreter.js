// Runs a recorded graph: a list of Burn's operations on tensors. Everything is computed in 64 bits; integers and booleans are
// numbers too. A tensor is its shape and its elements, row by row.
"use strict";

const size = (shape) => shape.reduce((product, length) => product * length, 1);
const tensor = (shape, data = new Float64Array(size(shape))) => ({ shape, data });
const full = (shape, value) => tensor(shape, new Float64Array(size(shape)).fill(value));

// The distance between neighbors along each axis.
function strides(shape) {
  const steps = new Array(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; axis -= 1) {
    steps[axis] = step;
    step *= shape[axis];
  }
  return steps;
}

// The elements of `data` at `start` plus the index times `steps`, for every index of `shape`.
function gathered(shape, data, steps, start = 0) {
  const out = new Float64Array(size(shape));
  const index = new Array(shape.length).fill(0);
  for (let at = 0, from = start; at < out.length; at += 1) {
    out[at] = data[from];
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      from += steps[axis];
      index[axis] += 1;
      if (index[axis] < shape[axis]) break;
      from -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return out;
}

// A tensor repeated along the axes where it has length 1, or that it lacks in front.
function expanded(input, shape) {
  if (size(input.shape) === size(shape)) return tensor(shape, input.data);
  const missing = shape.length - input.shape.length;
  const steps = strides(input.shape);
  const own = shape.map((_, axis) => (axis < missing || input.shape[axis - missing] === 1 ? 0 : steps[axis - missing]));
  return tensor(shape, gathered(shape, input.data, own));
}

function broadcast(one, other) {
  const length = Math.max(one.length, other.length);
  const at = (shape, axis) => shape[axis - length + shape.length] ?? 1;
  return Array.from({ length }, (_, axis) => (at(one, axis) === 1 ? at(other, axis) : at(one, axis)));
}

const map = (input, f) => tensor(input.shape, input.data.map((value) => f(value)));

function zip(lhs, rhs, f) {
  const shape = broadcast(lhs.shape, rhs.shape);
  const [a, b] = [expanded(lhs, shape).data, expanded(rhs, shape).data];
  const out = tensor(shape);
  for (let at = 0; at < a.length; at += 1) out.data[at] = f(a[at], b[at]);
  return out;
}

// Calls `f` with each line of a tensor along an axis, as an array; what it returns is that line of the result.
function lines(input, axis, f) {
  const { shape, data } = input;
  const step = size(shape.slice(axis + 1));
  const length = shape[axis];
  let out = null;
  const line = new Float64Array(length);
  for (let first = 0, number = 0; first < data.length; first += 1) {
    if (Math.floor(first / step) % length !== 0) continue;
    for (let at = 0; at < length; at += 1) line[at] = data[first + at * step];
    const made = f(line);
    out ??= tensor(shape.map((own, at) => (at === axis ? made.length : own)));
    const begin = Math.floor(number / step) * step * made.length + (number % step);
    for (let at = 0; at < made.length; at += 1) out.data[begin + at * step] = made[at];
    number += 1;
  }
  return out;
}

// Matrices in the last two axes; those before are broadcast. Zeros are skipped: a one-hot row is a look-up.
function matmul(lhs, rhs) {
  const [rows, inner] = lhs.shape.slice(-2);
  const columns = rhs.shape.at(-1);
  const many = broadcast(lhs.shape.slice(0, -2), rhs.shape.slice(0, -2));
  const a = expanded(lhs, [...many, rows, inner]).data;
  const b = expanded(rhs, [...many, inner, columns]).data;
  const out = tensor([...many, rows, columns]);
  for (let matrix = 0; matrix < size(many); matrix += 1) {
    for (let row = 0; row < rows; row += 1) {
      const to = (matrix * rows + row) * columns;
      for (let k = 0; k < inner; k += 1) {
        const factor = a[(matrix * rows + row) * inner + k];
        if (factor === 0) continue;
        const from = (matrix * inner + k) * columns;
        for (let column = 0; column < columns; column += 1) out.data[to + column] += factor * b[from + column];
      }
    }
  }
  return out;
}

function permuted(input, axes) {
  const steps = strides(input.shape);
  const shape = axes.map((axis) => input.shape[axis]);
  return tensor(shape, gathered(shape, input.data, axes.map((axis) => steps[axis])));
}

// For each axis where a slice starts, its step, and how many elements it has.
function ranges(shape, slices) {
  return shape.map((length, axis) => {
    const { start, end, step } = slices[axis] ?? { start: 0, end: null, step: 1 };
    const within = (at) => Math.min(Math.max(at < 0 ? at + length : at, 0), length);
    const [first, last] = [within(start), within(end ?? length)];
    const count = Math.max(Math.ceil((last - first) / Math.abs(step)), 0);
    return { first: step < 0 ? last - 1 : first, step, count };
  });
}

function sliced(input, slices) {
  const parts = ranges(input.shape, slices);
  const steps = strides(input.shape);
  const shape = parts.map((part) => part.count);
  const start = parts.reduce((sum, part, axis) => sum + part.first * steps[axis], 0);
  return tensor(shape, gathered(shape, input.data, parts.map((part, axis) => part.step * steps[axis]), start));
}

function assigned(input, slices, value) {
  // The places of the slice, found by slicing the numbers of all places.
  const places = sliced(tensor(input.shape, Float64Array.from(input.data.keys())), slices);
  const out = tensor(input.shape, input.data.slice());
  const values = expanded(value, places.shape).data;
  places.data.forEach((place, at) => { out.data[place] = values[at]; });
  return out;
}

function concatenated(parts, axis) {
  const after = size(parts[0].shape.slice(axis + 1));
  const widths = parts.map((part) => part.shape[axis] * after);
  const width = widths.reduce((sum, one) => sum + one, 0);
  const out = tensor(parts[0].shape.map((length, at) => (at === axis ? width / after : length)));
  let begin = 0;
  parts.forEach((part, number) => {
    for (let row = 0; row * widths[number] < part.data.length; row += 1) {
      out.data.set(part.data.subarray(row * widths[number], (row + 1) * widths[number]), row * width + begin);
    }
    begin += widths[number];
  });
  return out;
}

function selected(input, axis, indices) {
  return lines(input, axis, (line) => indices.data.map((index) => line[index]));
}

function picked(input, axis, indices) {
  const steps = strides(input.shape);
  const own = strides(indices.shape);
  const out = tensor(indices.shape);
  for (let at = 0; at < out.data.length; at += 1) {
    let from = 0;
    for (let other = 0; other < steps.length; other += 1) {
      const index = other === axis ? indices.data[at] : Math.floor(at / own[other]) % indices.shape[other];
      from += index * steps[other];
    }
    out.data[at] = input.data[from];
  }
  return out;
}

// 2 / √π · x · exp(−x²) · Σ (2x²)ⁿ / (1 · 3 · … · (2n + 1)): all terms have one sign, so that nothing cancels.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [sum, term] = [0, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
    sum += term;
    term *= (2 * x * x) / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function toEven(x) {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

// `%` has the sign of its left side; Burn's remainder has that of its right side.
function remainder(a, b) {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const logSigmoid = (x) => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
const total = (line) => line.reduce((sum, value) => sum + value, 0);
const product = (line) => line.reduce((all, value) => all * value, 1);
const largest = (line) => line.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most), -Infinity);
const smallest = (line) => -largest(line.map((value) => -value));
const largestSize = (line) => largest(line.map(Math.abs));
const mean = (line) => total(line) / line.length;
const placeOf = (line, value) => line.findIndex((own) => own === value || (Number.isNaN(own) && Number.isNaN(value)));
const truth = (is) => (is ? 1 : 0);

function softmax(line) {
  const top = largest(line);
  const weights = line.map((value) => Math.exp(value - top));
  const sum = total(weights);
  return weights.map((weight) => weight / sum);
}

function logSoftmax(line) {
  const top = largest(line);
  const log = Math.log(total(line.map((value) => Math.exp(value - top))));
  return line.map((value) => value - top - log);
}

const running = (f) => (line) => {
  const out = line.slice();
  for (let at = 1; at < out.length; at += 1) out[at] = f(out[at - 1], out[at]);
  return out;
};

// The indices of a line in the order of its values; equal ones keep their order.
function order(line, descending) {
  const indices = [...line.keys()];
  return indices.sort((a, b) => (descending ? line[b] - line[a] : line[a] - line[b]) || a - b);
}

function normalized(input, gamma, beta, epsilon) {
  return lines(input, input.shape.length - 1, (line) => {
    const middle = mean(line);
    const scale = 1 / Math.sqrt(mean(line.map((value) => (value - middle) ** 2)) + epsilon);
    return line.map((value, at) => (value - middle) * scale * gamma.data[at] + (beta ? beta.data[at] : 0));
  });
}

// Functions of one number.
const UNARY = {
  Abs: Math.abs,
  Neg: (x) => -x,
  Sign: Math.sign,
  Exp: Math.exp,
  Log: Math.log,
  Log1p: Math.log1p,
  Erf: erf,
  Sqrt: Math.sqrt,
  Recip: (x) => 1 / x,
  Sin: Math.sin,
  Cos: Math.cos,
  Tan: Math.tan,
  Sinh: Math.sinh,
  Cosh: Math.cosh,
  Tanh: Math.tanh,
  ArcSin: Math.asin,
  ArcCos: Math.acos,
  ArcTan: Math.atan,
  ArcSinh: Math.asinh,
  ArcCosh: Math.acosh,
  ArcTanh: Math.atanh,
  Round: toEven,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Trunc: Math.trunc,
  IsNan: (x) => truth(Number.isNaN(x)),
  IsInf: (x) => truth(Math.abs(x) === Infinity),
  IntoInt: Math.trunc,
  IntoFloat: (x) => x,
  Cast: (x) => x,
  Not: (x) => 1 - x,
  Relu: (x) => Math.max(x, 0),
  Gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  Sigmoid: sigmoid,
  LogSigmoid: logSigmoid,
};

// Functions of two numbers. `NameScalar` and `NameElem` are those of an element and a number.
const BINARY = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Rem: remainder,
  Powi: (a, b) => a ** b,
  Powf: (a, b) => a ** b,
  Hypot: Math.hypot,
  ArcTan2: Math.atan2,
  Greater: (a, b) => truth(a > b),
  GreaterEqual: (a, b) => truth(a >= b),
  Lower: (a, b) => truth(a < b),
  LowerEqual: (a, b) => truth(a <= b),
  Equal: (a, b) => truth(a === b),
  NotEqual: (a, b) => truth(a !== b),
  And: (a, b) => a && b,
  Or: (a, b) => a || b,
  Xor: (a, b) => truth(a !== b),
  ClampMin: Math.max,
  ClampMax: Math.min,
  LeakyRelu: (a, b) => (a < 0 ? a * b : a),
  PRelu: (a, b) => (a < 0 ? a * b : a),
};

// From a line to one number; `NameDim` is along an axis, `Name` of the whole tensor.
const REDUCTIONS = {
  Sum: total,
  Mean: mean,
  Prod: product,
  Max: largest,
  Min: smallest,
  MaxAbs: largestSize,
};

// From a line along an axis to a line.
const LINES = {
  ArgMax: (line) => [placeOf(line, largest(line))],
  ArgMin: (line) => [placeOf(line, smallest(line))],
  CumSum: running((a, b) => a + b),
  CumProd: running((a, b) => a * b),
  CumMin: running(Math.min),
  CumMax: running(Math.max),
  Sort: (line, { descending }) => order(line, descending).map((at) => line[at]),
  ArgSort: (line, { descending }) => order(line, descending),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  Softmin: (line) => softmax(line.map((value) => -value)),
};

// All others, each of its fields and the shape of its result.
const OTHERS = {
  Reshape: ({ input }, shape) => tensor(shape, input.data),
  Expand: ({ input }, shape) => expanded(input, shape),
  SwapDims: ({ input, dim1, dim2 }) => {
    const axes = [...input.shape.keys()];
    [axes[dim1], axes[dim2]] = [dim2, dim1];
    return permuted(input, axes);
  },
  Permute: ({ input, axes }) => permuted(input, axes),
  Flip: ({ input, axes }) => axes.reduce((made, axis) => lines(made, axis, (line) => line.slice().reverse()), input),
  Slice: ({ tensor: input, ranges: slices }) => sliced(input, slices),
  SliceAssign: ({ tensor: input, ranges: slices, value }) => assigned(input, slices, value),
  Select: ({ tensor: input, dim, indices }) => selected(input, dim, indices),
  Gather: ({ tensor: input, dim, indices }) => picked(input, dim, indices),
  Embedding: ({ weights, indices }, shape) => tensor(shape, selected(weights, 0, indices).data),
  MaskWhere: ({ tensor: input, mask, value }, shape) => {
    const [own, is, other] = [input, mask, value].map((one) => expanded(one, shape).data);
    return tensor(shape, own.map((element, at) => (is[at] ? other[at] : element)));
  },
  MaskFill: ({ tensor: input, mask, value }, shape) => {
    const [own, is] = [input, mask].map((one) => expanded(one, shape).data);
    return tensor(shape, own.map((element, at) => (is[at] ? value : element)));
  },
  RepeatDim: ({ tensor: input, dim, times }) => concatenated(new Array(times).fill(input), dim),
  Cat: ({ tensors, dim }) => concatenated(tensors, dim),
  Empty: (_, shape) => tensor(shape),
  Zeros: (_, shape) => tensor(shape),
  Ones: (_, shape) => full(shape, 1),
  Full: ({ value }, shape) => full(shape, Number(value)),
  Clamp: ({ tensor: input, min, max }) => map(input, (x) => Math.min(Math.max(x, min), max)),
  HardSigmoid: ({ input, tensor: other, alpha, beta }) => {
    return map(input ?? other, (x) => Math.min(Math.max(alpha * x + beta, 0), 1));
  },
  SumDims: ({ input, axes }) => axes.reduce((made, axis) => lines(made, axis, (line) => [total(line)]), input),
  Matmul: ({ lhs, rhs }) => matmul(lhs, rhs),
  Linear: ({ x, weight, bias }, shape) => {
    const rows = tensor([size(x.shape) / x.shape.at(-1), x.shape.at(-1)], x.data);
    const made = matmul(rows, weight);
    return tensor(shape, bias ? zip(made, bias, BINARY.Add).data : made.data);
  },
  LayerNorm: ({ input, gamma, beta, epsilon }) => normalized(input, gamma, beta, epsilon),
};

// The largest and the smallest of each line, with their places.
const EXTREMES = { MaxDimWithIndices: largest, MinDimWithIndices: smallest };

// The result of an operation: of its family, its name, its fields and the shape that it declares.
function compute(family, name, fields, shape) {
  if (Object.hasOwn(OTHERS, name)) return OTHERS[name](fields, shape);
  const first = fields.input ?? fields.lhs ?? fields.tensor;
  if (Object.hasOwn(UNARY, name)) return map(first, UNARY[name]);
  const axis = fields.axis ?? fields.dim;
  if (Object.hasOwn(LINES, name)) return lines(first, axis, (line) => LINES[name](line, fields));
  const isWhole = family.endsWith("Int");
  const rounded = (value) => (isWhole ? Math.trunc(value) : value);
  const reduction = name.replace(/Dim$/, "");
  if (Object.hasOwn(REDUCTIONS, reduction)) {
    const reduce = (line) => Float64Array.of(rounded(REDUCTIONS[reduction](line)));
    return axis === undefined ? tensor(shape, reduce(first.data)) : lines(first, axis, reduce);
  }
  const base = name.replace(/(Scalar|Elem)$/, "");
  if (!Object.hasOwn(BINARY, base)) throw new Error(`this page has no operation ${family}.${name}`);
  const f = isWhole && base === "Div" ? (a, b) => Math.trunc(a / b) : BINARY[base];
  if (typeof fields.rhs !== "object") return map(first, (value) => f(value, Number(fields.rhs)));
  return zip(first, fields.rhs, f);
}

// A field as an operation uses it. A tensor is written "t" and its number; the largest finite number stands for an infinity,
// which JSON has not.
function field(value, tensors) {
  if (typeof value === "string") return tensors[value.slice(1)];
  if (Array.isArray(value)) return value.map((item) => field(item, tensors));
  if (typeof value === "number") return Math.abs(value) === Number.MAX_VALUE ? value * 2 : value;
  return value;
}

// The numbers of the tensors that an operation reads.
function reads(fields) {
  const isRead = ([name, value]) => name !== "out" && name !== "out_indices" && value !== null;
  const all = Object.entries(fields).filter(isRead).flatMap(([, value]) => value);
  return all.filter((value) => typeof value === "string").map((value) => Number(value.slice(1)));
}

function execute([family, name, fields], tensors, shapes) {
  const number = (made) => Number(made.slice(1));
  const given = {};
  for (const [key, value] of Object.entries(fields)) given[key] = field(value, tensors);
  const out = number(fields.out);
  if (Object.hasOwn(EXTREMES, name)) {
    const places = lines(given.tensor, given.dim, (line) => [placeOf(line, EXTREMES[name](line))]);
    tensors[number(fields.out_indices)] = places;
    tensors[out] = picked(given.tensor, given.dim, places);
  } else {
    tensors[out] = compute(family, name, given, shapes[out]);
  }
  return tensors[out];
}

// A tensor from base64 of its elements, little-endian.
function decoded({ shape, f32, f64 }) {
  const bytes = Uint8Array.from(atob(f32 ?? f64), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const out = tensor(shape);
  for (let at = 0; at < out.data.length; at += 1) {
    out.data[at] = f32 === undefined ? view.getFloat64(8 * at, true) : view.getFloat32(4 * at, true);
  }
  return out;
}

// A function of a graph's inputs, which returns its outputs and shows `watch` every result. What follows from the inputs that
// are known already is computed once.
function program(graph, known = []) {
  const { inputs, outputs, shapes, constants, operations } = graph;
  const fixed = new Array(shapes.length);
  for (const { tensor: number, content } of constants) fixed[number] = decoded(content);
  known.forEach((value, at) => { if (value) fixed[inputs[at]] = value; });
  const remaining = operations.filter((operation) => {
    const isKnown = reads(operation[2]).every((number) => fixed[number]);
    if (isKnown) execute(operation, fixed, shapes);
    return !isKnown;
  });
  return (given, watch = () => {}) => {
    const tensors = fixed.slice();
    given.forEach((value, at) => { if (value) tensors[inputs[at]] = value; });
    for (const operation of remaining) watch(operation[1], execute(operation, tensors, shapes));
    return outputs.map((number) => tensors[number]);
  };
}
