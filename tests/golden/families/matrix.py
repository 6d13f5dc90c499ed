"""Makes matrix.json: cells with a matrix as state, and sLSTM. Two heads; a state's columns are head after head, row after row.

    slstm, mlstm     Beck et al. 2024, arXiv 2405.04517, equations 8 to 27
    ret-net          Sun et al. 2023, arXiv 2307.08621, equations 5 to 8
    gla              Yang et al. 2023, arXiv 2312.06635, equation 3 and section 4.4
    hgrn2            Qin et al. 2024, arXiv 2404.07904
    delta-net        Yang et al. 2024, arXiv 2406.06484; Schlag et al. 2021, arXiv 2102.11174
    gated-delta-net  Yang et al. 2024, arXiv 2412.06464, equation 10
    mamba2           Dao and Gu 2024, arXiv 2405.21060, one group
    rwkv7            Peng et al. 2025, arXiv 2503.14456, section 4.1 without the value residual
    titans-linear    Behrouz et al. 2025, arXiv 2501.00663, equations 11 to 14 with a linear memory
    m2rnn            Mishra et al. 2026, arXiv 2603.14360, equations 10 to 12

Equations of one head, S: [values, keys]:

    ret-net          S = γ S R + v kᵀ, y = S q, R rotates pairs of keys; γ = 1 - 2^(-5 - head)
    gla              S = S diag(α) + v kᵀ, α = σ(low rank)^(1/temperature)
    hgrn2            S = S diag(f) + v (1 - f)ᵀ
    delta-net        S = S (I - β k kᵀ) + β v kᵀ; gated: α S (I - β k kᵀ) + β v kᵀ
    mamba2           S = exp(Δ A) S + Δ x bᵀ, y = S c + D x
    rwkv7            S = S (diag(w) - κ (a κ)ᵀ) + v kᵀ
    titans-linear    Z = η Z - θ (M k - v) kᵀ, M = (1 - α) M + Z, y = M q
    m2rnn            S = f S + (1 - f) tanh(S W + k vᵀ), y = Sᵀ q + d v

What the block around the recurrence has (short convolution, output matrix, feed-forward part) is left out. Checked: the linear ones
against the sum over all earlier steps of v kᵀ times the product of the later transitions, in which the transition is written
without the state; retention with rotated queries and keys as in the paper's parallel form; mLSTM against its parallel form.
"""

import torch

from common import STEPS, Case, blocks, maximum, rows, shapes, sigmoid, write

HEADS = 2


def heads(x):
    return x.chunk(HEADS, dim=1)


def matrices(state, height):
    """The matrix of each head: [batch, height, width]."""
    return [part.reshape(len(part), height, -1) for part in heads(state)]


def silu(x):
    return x * sigmoid(x)


def unit(x):
    return x / (x.pow(2).sum(1, keepdim=True) + 1e-6).sqrt()


def rms(x):
    return x / (x.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()


def outer(a, b):
    return torch.einsum("bi,bj->bij", a, b)


def times(matrix, vector):
    return torch.einsum("bij,bj->bi", matrix, vector)


def softplus(x):
    return torch.log(1 + torch.exp(x))


def column(x, head):
    """The number of a head, beside a matrix."""
    return x[:, head, None, None]


def joined(parts):
    return torch.cat(parts, dim=1)


def stored(parts):
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def gated(y, p, g):
    """Norm of each head, gain, output gate."""
    return joined([rms(part) for part in y]) * p["gain"] * silu(g)


# sLSTM and mLSTM: the true memories are exp(m) times the stored ones, so m cannot change an output.


def slstm(exponential):
    def step(p, x, state):
        h, m = state["h"], state["m"]
        given = blocks(x @ p["wx"].T + p["b"], 4)
        seen = [part @ u.T for part, u in zip(heads(h), rows(p["wh"], HEADS))]
        i, f, z, o = (part + joined([blocks(head, 4)[gate] for head in seen]) for gate, part in enumerate(given))
        keep = torch.exp(f) if exponential else sigmoid(f)
        c = keep * torch.exp(m) * state["c"] + torch.exp(i) * torch.tanh(z)
        n = keep * torch.exp(m) * state["n"] + torch.exp(i)
        m = maximum(torch.log(keep) + m, i)
        h = sigmoid(o) * c / n
        return h, {"h": h, "c": c / torch.exp(m), "n": n / torch.exp(m), "m": m}

    return step


def mlstm_parts(p, x, exponential):
    q, k, v, o = (heads(part) for part in blocks(x @ p["wx"].T + p["b"], 4))
    i, f = blocks(x @ p["wg"].T + p["bg"], 2)
    return q, [part / part.shape[1] ** 0.5 for part in k], v, o, torch.exp(i), torch.exp(f) if exponential else sigmoid(f)


def mlstm(exponential):
    def step(p, x, state):
        q, k, v, o, i, f = mlstm_parts(p, x, exponential)
        outputs, ends = [], {"c": [], "n": []}
        largest = maximum(torch.log(f) + state["m"], torch.log(i))
        for head, (c, n) in enumerate(zip(matrices(state["c"], q[0].shape[1]), heads(state["n"]))):
            scale = torch.exp(state["m"])
            c = column(f * scale, head) * c + column(i, head) * outer(v[head], k[head])
            n = (f * scale)[:, head, None] * n + i[:, head, None] * k[head]
            size = maximum((n * q[head]).sum(1, keepdim=True).abs(), torch.ones(1, dtype=n.dtype))
            outputs.append(sigmoid(o[head]) * times(c, q[head]) / size)
            ends["c"].append(c / torch.exp(column(largest, head)))
            ends["n"].append(n / torch.exp(largest[:, head, None]))
        return joined(outputs), {"c": stored(ends["c"]), "n": joined(ends["n"]), "m": largest}

    def sequence(p, inputs, initial, counters):
        q, k, v, o, i, f = zip(*(mlstm_parts(p, x, exponential) for x in inputs))
        outputs = []
        for t in range(STEPS):
            parts = []
            for head in range(HEADS):

                def kept(since):
                    return torch.stack([f[r][:, head] for r in range(since, t + 1)] + [torch.ones_like(f[0][:, head])]).prod(0)

                old = kept(0) * torch.exp(initial["m"][:, head])
                query = q[t][head]
                above = old[:, None] * times(matrices(initial["c"], query.shape[1])[head], query)
                below = old * (heads(initial["n"])[head] * query).sum(1)
                for s in range(t + 1):
                    weight = kept(s + 1) * i[s][:, head] * (k[s][head] * query).sum(1)
                    above, below = above + weight[:, None] * v[s][head], below + weight
                parts.append(sigmoid(o[t][head]) * above / below.abs().clamp(min=1)[:, None])
            outputs.append(joined(parts))
        return torch.stack(outputs)

    return {"step": step, "sequence": sequence}


class Linear:
    """A cell S = S A_t + U_t, y = S q_t. A family gives `terms(p, x, before)`: per head A, U and q, and a function of the ys."""

    def __init__(self, terms, height):
        self.terms, self.height = terms, height

    def step(self, p, x, state):
        listed, read = self.terms(p, x, state.get("x"))
        after = [s @ a + u for s, (a, u, _) in zip(matrices(state["s"], self.height), listed)]
        y = read([times(s, q) for s, (_, _, q) in zip(after, listed)])
        return y, {"s": stored(after)} | ({"x": x} if "x" in state else {})

    def sequence(self, p, inputs, initial, counters):
        shifted = [initial["x"], *inputs[:-1]] if "x" in initial else [None] * STEPS
        steps = [self.terms(p, x, before) for x, before in zip(inputs, shifted)]
        outputs = []
        for t, (listed, read) in enumerate(steps):
            ys = []
            for head, start in enumerate(matrices(initial["s"], self.height)):
                query = listed[head][2]
                # Against the query from the latest transition back: A_{s+1} … A_t q.
                y = 0
                for s in range(t, -1, -1):
                    a, u, _ = steps[s][0][head]
                    y, query = y + times(u, query), times(a, query)
                ys.append(y + times(start, query))
            outputs.append(read(ys))
        return torch.stack(outputs)


def eye(size):
    return torch.eye(size, dtype=torch.float64)


def ret_net(rotary):
    def terms(p, x, before):
        q, k, v, g = blocks(x @ p["wx"].T, 4)
        d = q.shape[1] // HEADS
        turn = eye(d)
        for pair in range(d // 2 if rotary else 0):
            angle = torch.tensor(10000.0, dtype=torch.float64) ** (-2 * pair / d)
            cos, sin = torch.cos(angle), torch.sin(angle)
            turn[2 * pair : 2 * pair + 2, 2 * pair : 2 * pair + 2] = torch.tensor([[cos, -sin], [sin, cos]])
        listed = []
        for head, (query, key, value) in enumerate(zip(heads(q), heads(k), heads(v))):
            decay = 1 - 2.0 ** (-5 - head)
            listed.append((decay * turn.expand(len(x), d, d), outer(value, key / d**0.5), query))
        return listed, lambda y: gated(y, p, g)

    return terms


def ret_net_parallel(rotary):
    """Equation 5: rotated queries and keys, a mask of decays; the start is 0 here, its part is added by the recurrence."""

    def sequence(p, inputs, initial, counters):
        q, k, v, g = zip(*(blocks(x @ p["wx"].T, 4) for x in inputs))
        d = q[0].shape[1] // HEADS
        theta = 10000.0 ** (-2 * torch.arange(d // 2, dtype=torch.float64) / d)

        def turned(x, steps):
            if not rotary:
                return x
            even, odd = x[:, 0::2], x[:, 1::2]
            z = torch.complex(even, odd) * torch.exp(1j * theta * steps)
            return torch.stack([z.real, z.imag], dim=2).flatten(1)

        outputs = []
        for t in range(STEPS):
            ys = []
            for head in range(HEADS):
                decay, query = 1 - 2.0 ** (-5 - head), turned(heads(q[t])[head], t + 1)
                y = decay ** (t + 1) * times(matrices(initial["s"], d)[head], query)
                for s in range(t + 1):
                    key = turned(heads(k[s])[head], s + 1) / d**0.5
                    y = y + decay ** (t - s) * (key * query).sum(1, keepdim=True) * heads(v[s])[head]
                ys.append(y)
            outputs.append(gated(ys, p, g[t]))
        return torch.stack(outputs)

    return sequence


def gla(temperature):
    def terms(p, x, before):
        q, k, v, g = blocks(x @ p["wx"].T, 4)
        alpha = sigmoid(x @ p["w1"].T @ p["w2"].T + p["ba"]) ** (1 / temperature)
        d = q.shape[1] // HEADS
        parts = zip(heads(alpha), heads(v), heads(k), heads(q))
        listed = [(torch.diag_embed(a), outer(value, key), query / d**0.5) for a, value, key, query in parts]
        return listed, lambda y: gated(y, p, g)

    return terms


def hgrn2(bound):
    def terms(p, x, before):
        q, f, v = blocks(x @ p["wx"].T, 3)
        f = bound + (1 - bound) * sigmoid(f)
        parts = zip(heads(f), heads(v), heads(silu(q)))
        listed = [(torch.diag_embed(keep), outer(value, 1 - keep), query) for keep, value, query in parts]
        return listed, lambda y: rms(joined(y)) * p["gain"]

    return terms


def delta(scale, decays):
    def terms(p, x, before):
        q, k, v, *g = blocks(x @ p["wx"].T, 4 if decays else 3)
        gates = x @ p["wg"].T + p["bg"]
        if decays:
            d, b = blocks(gates, 2)
            decay = torch.exp(-torch.exp(p["a"]) * softplus(d))
        else:
            b, decay = gates, torch.ones_like(gates)
        beta, listed = scale * sigmoid(b), []
        for head, (query, key, value) in enumerate(zip(heads(q), heads(k), heads(v))):
            key = unit(silu(key))
            transition = column(decay, head) * (eye(key.shape[1]) - column(beta, head) * outer(key, key))
            listed.append((transition, column(beta, head) * outer(silu(value), key), unit(silu(query))))
        if decays:
            return listed, lambda y: gated(y, p, g[0])
        return listed, lambda y: joined([rms(part) for part in y]) * p["gain"]

    return terms


def mamba2(p, x, before):
    z, u = blocks(x @ p["wx"].T, 2)
    b, c = (silu(part) for part in blocks(x @ p["wbc"].T, 2))
    u, size = silu(u), softplus(x @ p["wd"].T + p["bd"])
    n, listed = b.shape[1], []
    for head, value in enumerate(heads(u)):
        decay = torch.exp(size[:, head] * -torch.exp(p["a"][0, head]))[:, None, None]
        listed.append((decay * eye(n), size[:, head, None, None] * outer(value, b), c))

    def read(y):
        y = joined([part + p["d"][0, head] * value for head, (part, value) in enumerate(zip(y, heads(u)))])
        return rms(y * silu(z)) * p["gain"]

    return listed, read


def rwkv7(p, x, before):
    xr, xw, xk, xv, xa, xg = (x + (before - x) * mix for mix in p["mix"])
    wr, wk, wv = rows(p["wx"], 3)
    r, k, v = xr @ wr.T, xk @ wk.T, xv @ wv.T
    w = torch.exp(-torch.exp(torch.tensor(-0.5, dtype=torch.float64)) * sigmoid(p["w0"] + torch.tanh(xw @ p["w1"].T) @ p["w2"].T))
    a = sigmoid(p["a0"] + xa @ p["a1"].T @ p["a2"].T)
    g = sigmoid(xg @ p["g1"].T) @ p["g2"].T
    kappa = [unit(part) for part in heads(k * p["kk"])]
    k = k * (1 + (a - 1) * p["ka"])
    listed = []
    for keep, removed, rate, key, value, query in zip(heads(w), kappa, heads(a), heads(k), heads(v), heads(r)):
        listed.append((torch.diag_embed(keep) - outer(removed, rate * removed), outer(value, key), query))

    def read(y):
        parts = []
        for part, gain, shift, bonus, query, key, value in zip(
            y, heads(p["gain"]), heads(p["shift"]), heads(p["rk"]), heads(r), heads(k), heads(v)
        ):
            centered = part - part.mean(1, keepdim=True)
            normed = centered / (centered.pow(2).mean(1, keepdim=True) + 64e-5).sqrt() * gain + shift
            parts.append(normed + (query * bonus * key).sum(1, keepdim=True) * value)
        return joined(parts) * g

    return listed, read


def titans_linear(p, x, state):
    q, k, v, g = blocks(x @ p["wx"].T, 4)
    alpha, eta, theta = blocks(sigmoid(x @ p["wg"].T + p["bg"]), 3)
    d = q.shape[1] // HEADS
    memory, momentum, ys = [], [], []
    for head, (m, z) in enumerate(zip(matrices(state["s"], d), matrices(state["z"], d))):
        query, key, value = (heads(part)[head] for part in (q, k, v))
        query, key, value = unit(silu(query)), unit(silu(key)), silu(value)
        z = column(eta, head) * z - column(theta, head) * outer(times(m, key) - value, key)
        m = (1 - column(alpha, head)) * m + z
        memory.append(m), momentum.append(z), ys.append(times(m, query))
    return gated(ys, p, g), {"s": stored(memory), "z": stored(momentum)}


def titans_by_autograd(p, inputs, initial, counters):
    """The gradient of ½ ‖M k − v‖² taken by autograd."""
    d = initial["s"].shape[1] // heads(p["gain"])[0].shape[1] // HEADS
    m = [part.detach() for part in matrices(initial["s"], d)]
    z = [part.detach() for part in matrices(initial["z"], d)]
    outputs = []
    for x in inputs:
        q, k, v, g = blocks(x @ p["wx"].T, 4)
        gates = [sigmoid(part) for part in blocks(x @ p["wg"].T + p["bg"], 3)]
        ys = []
        for head in range(HEADS):
            key, value = unit(silu(heads(k)[head])).detach(), silu(heads(v)[head]).detach()
            variable = m[head].clone().requires_grad_()
            loss = 0.5 * (times(variable, key) - value).pow(2).sum()
            (gradient,) = torch.autograd.grad(loss, variable)
            alpha, eta, theta = (gate[:, head, None, None].detach() for gate in gates)
            z[head] = eta * z[head] - theta * gradient
            m[head] = (1 - alpha) * m[head] + z[head]
            ys.append(times(m[head], unit(silu(heads(q)[head]))))
        outputs.append(gated(ys, p, g))
    return torch.stack(outputs)


def m2rnn(p, x, state):
    q, k, v, g = blocks(x @ p["wx"].T, 4)
    f = torch.exp(-torch.exp(p["a"]) * softplus(x @ p["wg"].T + p["bg"]))
    d = q.shape[1] // HEADS
    after, ys = [], []
    for head, (s, w) in enumerate(zip(matrices(state["s"], d), rows(p["w"], HEADS))):
        query, key, value = (heads(part)[head] for part in (q, k, v))
        new = torch.tanh(s @ w + outer(key, value))
        s = column(f, head) * s + (1 - column(f, head)) * new
        after.append(s)
        ys.append(torch.einsum("bkv,bk->bv", s, query) + heads(p["d"])[head] * value)
    return rms(joined(ys) * silu(g)) * p["gain"], {"s": stored(after)}


def linear_case(cell, terms, params, keys=None, hidden=6, width=None, states=None, **more):
    own = hidden // HEADS
    cell_of = Linear(terms, own)
    return Case(
        cell,
        step=cell_of.step,
        params=params,
        states={"s": width or hidden * own} | (states or {}),
        hidden=hidden,
        keys={"heads": HEADS} | (keys or {}),
        **({"sequence": cell_of.sequence} | more),
    )


def cases():
    h, d = 6, 3
    positive = {"n": (0.5, 1.5)}
    for exponential in (False, True):
        keys = {"heads": HEADS} | ({"forget-gate": "exp"} if exponential else {})
        yield Case(
            "slstm",
            hidden=h,
            step=slstm(exponential),
            keys=keys,
            gates=["i", "f", "z", "o"],
            ranges=positive,
            corners=True,
            params=shapes(wx=(4 * h, "x"), wh=(4 * h, d), b=(1, 4 * h)),
            states={name: h for name in "hcnm"},
        )
        yield Case(
            "mlstm",
            hidden=h,
            **mlstm(exponential),
            keys=keys,
            gates=["q", "k", "v", "o"],
            ranges={"n": (0.5, 2.5)},
            corners=True,
            params=shapes(wx=(4 * h, "x"), b=(1, 4 * h), wg=(2 * HEADS, "x"), bg=(1, 2 * HEADS)),
            states={"c": h * d, "n": h, "m": HEADS},
        )
    qkvg, qkv = ["q", "k", "v", "g"], ["q", "k", "v"]
    for rotary in (True, False):
        hidden = 8 if rotary else h
        yield linear_case(
            "ret-net",
            ret_net(rotary),
            shapes(wx=(4 * hidden, "x"), gain=(1, hidden)),
            {} if rotary else {"rotary": False},
            hidden,
            gates=qkvg,
            sequence=ret_net_parallel(rotary),
        )
    for temperature in (16.0, 4.0):
        keys = {"rank": 2} | ({} if temperature == 16 else {"temperature": temperature})
        params = shapes(wx=(4 * h, "x"), w1=(2, "x"), w2=(h, 2), ba=(1, h), gain=(1, h))
        yield linear_case("gla", gla(temperature), params, keys, gates=qkvg)
    for bound in (0.0, 0.25):
        keys = {"lower-bound": bound} if bound else {}
        yield linear_case("hgrn2", hgrn2(bound), shapes(wx=(3 * h, "x"), gain=(1, h)), keys, gates=["q", "f", "v"])
    for scale in (1.0, 2.0):
        keys = {} if scale == 1 else {"beta-scale": scale}
        params = shapes(wx=(3 * h, "x"), wg=(HEADS, "x"), bg=(1, HEADS), gain=(1, h))
        yield linear_case("delta-net", delta(scale, False), params, keys, gates=qkv)
        params = shapes(wx=(4 * h, "x"), wg=(2 * HEADS, "x"), bg=(1, 2 * HEADS), a=(1, HEADS), gain=(1, h))
        yield linear_case("gated-delta-net", delta(scale, True), params, keys, gates=qkvg)
    n = 4
    params = shapes(
        wx=(2 * h, "x"),
        wbc=(2 * n, "x"),
        wd=(HEADS, "x"),
        bd=(1, HEADS),
        a=(1, HEADS),
        d=(1, HEADS),
        gain=(1, h),
    )
    yield linear_case("mamba2", mamba2, params, {"state": n}, width=h * n, gates=["z", "x"])
    rank = 2
    low = {f"{name}{part}": (rank, "x") if part == 1 else (h, rank) for name in "wag" for part in (1, 2)}
    vectors = {name: (1, h) for name in ("w0", "a0", "kk", "ka", "rk", "gain", "shift")}
    params = shapes(mix=(6, "x"), wx=(3 * h, "x"), **low, **vectors)
    yield linear_case(
        "rwkv7",
        rwkv7,
        params,
        {"rank": rank},
        states={"x": lambda inputs: inputs},
        gates=["r", "k", "v"],
    )
    yield Case(
        "titans-linear",
        hidden=h,
        step=titans_linear,
        sequence=titans_by_autograd,
        keys={"heads": HEADS},
        gates=qkvg,
        params=shapes(wx=(4 * h, "x"), wg=(3 * HEADS, "x"), bg=(1, 3 * HEADS), gain=(1, h)),
        states={"s": h * d, "z": h * d},
    )
    yield Case(
        "m2rnn",
        hidden=h,
        step=m2rnn,
        keys={"heads": HEADS},
        gates=qkvg,
        states={"s": h * d},
        params=shapes(
            wx=(4 * h, "x"),
            wg=(HEADS, "x"),
            bg=(1, HEADS),
            a=(1, HEADS),
            w=(h, d),
            d=(1, h),
            gain=(1, h),
        ),
    )


if __name__ == "__main__":
    write(__file__, list(cases()))
