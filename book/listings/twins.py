"""The NumPy side of parts I to III: each function is a listing of a page, and `check.py` compares it with the program's
numbers. Vectors are columns, as in the lectures; `p` is a dictionary of parameters under the names of the formulas.
"""

import numpy as np

rng = np.random.default_rng(0)


# ANCHOR: vocabulary
def vocabulary(text):
    symbols = sorted(set(text.lower()))
    return symbols, {symbol: number for number, symbol in enumerate(symbols)}


def example(name, number):
    tokens = [number[letter] for letter in name]
    return [None] + tokens, tokens + [number["\n"]]  # X, Y
# ANCHOR_END: vocabulary


# ANCHOR: bigram
def bigram(examples, size):
    counts = np.ones((size + 1, size))  # one more than seen, so that no pair is impossible
    for X, Y in examples:
        for x, y in zip(X, Y):
            counts[size if x is None else x, y] += 1
    return counts / counts.sum(axis=1, keepdims=True)


def nats(table, examples):
    pairs = [(x, y) for X, Y in examples for x, y in zip(X, Y)]
    return -np.mean([np.log(table[-1 if x is None else x, y]) for x, y in pairs])
# ANCHOR_END: bigram


# ANCHOR: vanilla
def vanilla(p, x, a):
    return np.tanh(p["W_ax"] @ x + p["W_aa"] @ a + p["b_a"])
# ANCHOR_END: vanilla


# ANCHOR: softmax
def softmax(z):
    e = np.exp(z - z.max())  # the largest exponent is 0: nothing overflows
    return e / e.sum()
# ANCHOR_END: softmax


# ANCHOR: one-hot
def one_hot(number, size):
    x = np.zeros((size, 1))
    if number is not None:
        x[number] = 1
    return x
# ANCHOR_END: one-hot


# ANCHOR: forward
def forward(p, X, Y, a):
    loss, states, outputs = 0.0, [a], []
    for number, target in zip(X, Y):
        a = vanilla(p, one_hot(number, len(p["b_y"])), a)
        y = softmax(p["W_ya"] @ a + p["b_y"])
        loss -= np.log(y[target, 0])
        states.append(a)
        outputs.append(y)
    return loss, states, outputs
# ANCHOR_END: forward


# ANCHOR: backward
def backward(p, X, Y, states, outputs):
    d = {name: np.zeros_like(matrix) for name, matrix in p.items()}
    later = np.zeros_like(states[0])  # what the time steps after this one ask of its state
    for t in reversed(range(len(X))):
        dz = outputs[t] - one_hot(Y[t], len(p["b_y"]))
        ds = (1 - states[t + 1] ** 2) * (p["W_ya"].T @ dz + later)
        later = p["W_aa"].T @ ds
        d["W_ya"] += dz @ states[t + 1].T; d["b_y"] += dz
        d["W_ax"] += ds @ one_hot(X[t], len(p["b_y"])).T
        d["W_aa"] += ds @ states[t].T; d["b_a"] += ds
    return d
# ANCHOR_END: backward


# ANCHOR: update
def update(p, X, Y, a, rate, limit):
    loss, states, outputs = forward(p, X, Y, a)
    d = backward(p, X, Y, states, outputs)
    d = clip_values(d, limit)
    p = {name: p[name] - rate * d[name] for name in p}
    return p, loss, d, states[-1]
# ANCHOR_END: update


# ANCHOR: smoothing
def smoothed(losses, symbols=27, length=7):
    s = length * np.log(symbols)
    for loss in losses:
        s = 0.999 * s + 0.001 * loss
        yield s
# ANCHOR_END: smoothing


# ANCHOR: clip-values
def clip_values(d, limit):
    return {name: np.clip(g, -limit, limit) for name, g in d.items()}
# ANCHOR_END: clip-values


# ANCHOR: clip-norm
def clip_norm(d, limit):
    norm = np.sqrt(sum((g**2).sum() for g in d.values()))
    return {name: g * min(1, limit / (norm + 1e-6)) for name, g in d.items()}
# ANCHOR_END: clip-norm


# ANCHOR: draw
def draw(probabilities, u):
    return int(np.argmax(np.cumsum(probabilities) > u))
# ANCHOR_END: draw


# ANCHOR: sample
def sample(p, uniforms, newline=0):
    a, number, name = np.zeros_like(p["b_a"]), None, []
    for u in uniforms:
        a = vanilla(p, one_hot(number, len(p["b_y"])), a)
        number = draw(softmax(p["W_ya"] @ a + p["b_y"]), u)
        if number == newline:
            break
        name.append(number)
    return name
# ANCHOR_END: sample


# ANCHOR: temperature
def at_temperature(z, tau):
    return softmax(z / tau)
# ANCHOR_END: temperature


# ANCHOR: patience
def stop(validation, patience):
    best = 0
    for report, loss in enumerate(validation):
        if loss < validation[best]:
            best = report
        if report - best == patience:
            break
    return best, report
# ANCHOR_END: patience


# ANCHOR: dropout
def dropout(a, rate):
    keep = rng.random(a.shape) >= rate
    return a * keep / (1 - rate)
# ANCHOR_END: dropout


def sigma(x):
    return 1 / (1 + np.exp(-x))


# ANCHOR: lstm
def lstm(p, x, a, c):
    update, forget, output = (
        sigma(p[f"W_{g}x"] @ x + p[f"W_{g}a"] @ a + p[f"b_{g}"]) for g in "ufo"
    )
    candidate = np.tanh(p["W_cx"] @ x + p["W_ca"] @ a + p["b_c"])
    c = update * candidate + forget * c
    return output * np.tanh(c), c
# ANCHOR_END: lstm


# ANCHOR: hard-sigmoid
def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)
# ANCHOR_END: hard-sigmoid


# ANCHOR: gru
def gru(p, x, a):
    reset = sigma(p["W_rx"] @ x + p["W_ra"] @ a + p["b_r"])
    keep = sigma(p["W_zx"] @ x + p["W_za"] @ a + p["b_z"])
    candidate = np.tanh(p["W_nx"] @ x + p["b_n"] + reset * (p["W_na"] @ a + p["d_n"]))
    return (1 - keep) * candidate + keep * a
# ANCHOR_END: gru


# ANCHOR: windows
def windows(text, length=40, stride=3):
    starts = range(0, len(text) - length, stride)
    return [(text[i : i + length], text[i + length]) for i in starts]
# ANCHOR_END: windows


# ANCHOR: embedding
def embed(E, tokens):
    return E[tokens]  # the same as one_hot(token).T @ E, one row for each
# ANCHOR_END: embedding


# ANCHOR: dense
def dense(W, b, x, h):
    return np.tanh(W @ np.concatenate([x, h]) + b)
# ANCHOR_END: dense


# ANCHOR: padded
def padded(names, number, start=" ", pad="#"):
    longest = max(len(name) for name in names) + 1
    rows = [(start + name).ljust(longest + 1, pad) for name in names]
    tokens = np.array([[number[symbol] for symbol in row] for row in rows])
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    counts = np.arange(longest) <= np.array([[len(name)] for name in names])
    return inputs, targets, counts
# ANCHOR_END: padded


# ANCHOR: masked-loss
def masked_loss(log_probabilities, counts):
    return -(log_probabilities * counts).sum() / counts.sum()
# ANCHOR_END: masked-loss


# ANCHOR: log-softmax
def log_softmax(z):
    z = z - z.max()
    return z - np.log(np.exp(z).sum())
# ANCHOR_END: log-softmax


# ANCHOR: adam
def adam(W, g, m, v, k, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    W = W - rate * (m / (1 - beta1**k)) / (np.sqrt(v / (1 - beta2**k)) + epsilon)
    return W, m, v
# ANCHOR_END: adam


# ANCHOR: jacobians
def back_through_time(W_aa, states, dL_da):
    norms = [np.linalg.norm(dL_da)]
    for a in reversed(states):
        dL_da = dL_da @ ((1 - a**2) * W_aa)  # a row times the Jacobian of one time step
        norms.append(np.linalg.norm(dL_da))
    return norms
# ANCHOR_END: jacobians
