"""One answer to each exercise in which a function is written. `grade.py` knows what must come out."""

import numpy as np


# ANCHOR: example
def example(name, number):
    tokens = [number[letter] for letter in name]
    return [None] + tokens, tokens + [number["\n"]]
# ANCHOR_END: example


# ANCHOR: trigram
def trigram(examples, size):
    counts = np.ones((size + 1, size + 1, size))
    for X, Y in examples:
        context = [size if x is None else x for x in [None] + X]
        for before, x, y in zip(context, context[1:], Y):
            counts[before, x, y] += 1
    return counts / counts.sum(axis=2, keepdims=True)
# ANCHOR_END: trigram


# ANCHOR: smooth
def smooth(losses, symbols, length):
    s, curve = length * np.log(symbols), []
    for loss in losses:
        s = 0.999 * s + 0.001 * loss
        curve.append(s)
    return curve
# ANCHOR_END: smooth


# ANCHOR: clip-rows
def clip_rows(gradients, limit):
    def shorten(g):
        norms = np.linalg.norm(g, axis=1, keepdims=True)
        return g * np.minimum(1, limit / np.maximum(norms, 1e-12))

    return {name: shorten(g) for name, g in gradients.items()}
# ANCHOR_END: clip-rows


# ANCHOR: top-k
def top_k(z, k):
    kept = np.argsort(-z, kind="stable")[:k]
    result = np.full_like(z, -np.inf)
    result[kept] = z[kept]
    return result
# ANCHOR_END: top-k


# ANCHOR: stop
def stop(validation, patience):
    best = 0
    for report, loss in enumerate(validation):
        if loss < validation[best]:
            best = report
        if report - best == patience:
            break
    return best, report
# ANCHOR_END: stop


def sigma(x):
    return 1 / (1 + np.exp(-x))


# ANCHOR: lstm
def lstm(p, x, a, c):
    gate = {g: sigma(p[f"W_{g}x"] @ x + p[f"W_{g}a"] @ a + p[f"b_{g}"]) for g in "ufo"}
    candidate = np.tanh(p["W_cx"] @ x + p["W_ca"] @ a + p["b_c"])
    c = gate["u"] * candidate + gate["f"] * c
    return gate["o"] * np.tanh(c), c
# ANCHOR_END: lstm


# ANCHOR: masked-loss
def masked_loss(log_probabilities, counts):
    return -(log_probabilities * counts).sum() / counts.sum()
# ANCHOR_END: masked-loss


# ANCHOR: log-softmax
def log_softmax(z):
    z = z - z.max()
    return z - np.log(np.exp(z).sum())
# ANCHOR_END: log-softmax


# ANCHOR: sample
def sample(p, prefix, uniforms):
    a, name, uniforms = np.zeros_like(p["b_a"]), list(prefix), iter(uniforms)
    inputs = [None] + name
    while True:
        for number in inputs:
            x = np.zeros_like(p["b_y"])
            if number is not None:
                x[number] = 1
            a = np.tanh(p["W_ax"] @ x + p["W_aa"] @ a + p["b_a"])
        e = np.exp(log_softmax(p["W_ya"] @ a + p["b_y"]))
        number = int(np.argmax(np.cumsum(e) > next(uniforms)))
        if number == 0:
            return name
        name.append(number)
        inputs = [number]
# ANCHOR_END: sample


# ANCHOR: gru-before
def gru_before(p, x, a):
    reset = sigma(p["W_rx"] @ x + p["W_ra"] @ a + p["b_r"])
    keep = sigma(p["W_zx"] @ x + p["W_za"] @ a + p["b_z"])
    candidate = np.tanh(p["W_nx"] @ x + p["W_na"] @ (reset * a) + p["b_n"])
    return (1 - keep) * candidate + keep * a
# ANCHOR_END: gru-before


# ANCHOR: jacobian
def jacobian(W_aa, a):
    return (1 - a**2) * W_aa
# ANCHOR_END: jacobian


# ANCHOR: norm
def norm(gradients):
    return np.sqrt(sum((g**2).sum() for g in gradients.values()))
# ANCHOR_END: norm
