"""Makes composite.json: cells that multiply, repeat or nest the parts of a simpler cell.

    scrn                 Mikolov et al. 2014, arXiv 1412.7753, section 4
    nas                  Zoph and Le 2016, arXiv 1611.01578; the cell as TensorFlow's NASCell has it
    multiplicative-rnn   Sutskever et al. 2011; multiplicative-lstm: Krause et al. 2016, arXiv 1609.07959
    mi-rnn, -lstm, -gru  Wu et al. 2016, arXiv 1606.06630
    rhn                  Zilly et al. 2016, arXiv 1607.03474, equations 6 to 9
    fast-slow            Mujika et al. 2017, arXiv 1705.08639, equations 1 to 4, LSTMs without layer norm
    mogrifier-lstm       Melis et al. 2019, arXiv 1909.01792, equations 1 and 2
    on-lstm              Shen et al. 2018, arXiv 1810.09536, section 4
    hyper-lstm           Ha et al. 2016, arXiv 1609.09106, appendix A.2; z from the new state of the small LSTM

Equations (LSTM: gates i, f, g, o, c = σ(f) c + σ(i) tanh(g), h = σ(o) tanh(c)):

    scrn            s = (1 - α) B x + α s, h = σ(P s + A x + R h); output [h, s]
    multiplicative  m = (M x) (N h) in place of h; gate-inside: h = tanh(σ(o) c), as the paper prints it
    mi              α (W x) (U h) + β₁ U h + β₂ W x + b in place of the sum
    rhn             depth times s = n t + s c, x in the first only; c = 1 - t or a gate of its own
    fast-slow       h = F_k(… F_2(S(F_1(x, h)), F_1) …), an LSTM each
    mogrifier       x = 2σ(Q h) x, h = 2σ(R x) h in turn, then an LSTM
    on-lstm         f̃ = cumsum(softmax), ĩ = 1 - cumsum(softmax), ω = f̃ ĩ, f = σ(f) ω + f̃ - ω, i = σ(i) ω + ĩ - ω
    hyper-lstm      (D z) (U h) + (D z) (W x) + D z + b in place of the sum, z from a small LSTM that reads x, h

Checked: multiplicative integration with α = 0 against torch.nn.LSTM and the GRU of cells.py, a mogrifier of no rounds, a fast-slow
cell's parts and the small LSTM of hyper-lstm against torch.nn.LSTMCell, a highway of depth 1 against the coupled gate written out.
"""

import torch

from common import Case, blocks, layer_norm, relu, rows, shapes, sigmoid, write
from common import cells as classic

H = 4


def lstm(a, c, read=lambda c: c):
    """From the four gates and the old cell."""
    i, f, g, o = a if isinstance(a, list) else blocks(a, 4)
    c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
    return sigmoid(o) * torch.tanh(read(c)), c


def through_steps(step):
    def sequence(p, inputs, initial, counters):
        state, outputs = initial, []
        for x in inputs:
            y, state = step(p, x, state)
            outputs.append(y)
        return torch.stack(outputs)

    return sequence


def lstm_cell(wx, wh, b, x, h, c):
    """PyTorch's."""
    return torch._VF.lstm_cell(x, (h, c), wx, wh, b[0], torch.zeros_like(b[0]))


def scrn(alpha):
    def step(p, x, state):
        s = (1 - alpha) * (x @ p["wb"].T) + alpha * state["s"]
        h = sigmoid(s @ p["wp"].T + x @ p["wx"].T + state["h"] @ p["wh"].T)
        return torch.cat([h, s], dim=1), {"h": h, "s": s}

    return step


def nas(p, x, state):
    a, m = blocks(x @ p["wx"].T, 8), blocks(state["h"] @ p["wh"].T + p["b"], 8)
    tanh = torch.tanh
    first = [
        sigmoid(a[0] + m[0]),
        relu(a[1] + m[1]),
        sigmoid(a[2] + m[2]),
        relu(a[3] * m[3]),
        tanh(a[4] + m[4]),
        sigmoid(a[5] + m[5]),
        tanh(a[6] + m[6]),
        sigmoid(a[7] + m[7]),
    ]
    second = [tanh(first[0] * first[1]), tanh(first[2] + first[3]), tanh(first[4] * first[5]), sigmoid(first[6] + first[7])]
    c = tanh(second[0] + state["c"]) * second[1]
    h = tanh(c * tanh(second[2] + second[3]))
    return h, {"h": h, "c": c}


def multiplicative(gated, inside=False):
    def step(p, x, state):
        m = (x @ p["mx"].T) * (state["h"] @ p["mh"].T)
        a = x @ p["wx"].T + m @ p["wm"].T + p["b"]
        if not gated:
            return torch.tanh(a), {"h": torch.tanh(a)}
        h, c = lstm(a, state["c"])
        if inside:
            h = torch.tanh(sigmoid(blocks(a, 4)[3]) * c)
        return h, {"h": h, "c": c}

    return step


def integrated(p, a, u, part=slice(None)):
    return p["alpha"][:, part] * a * u + p["beta1"][:, part] * u + p["beta2"][:, part] * a + p["b"][:, part]


def mi_rnn(p, x, state):
    h = torch.tanh(integrated(p, x @ p["wx"].T, state["h"] @ p["wh"].T))
    return h, {"h": h}


def mi_lstm(p, x, state):
    h, c = lstm(integrated(p, x @ p["wx"].T, state["h"] @ p["wh"].T), state["c"])
    return h, {"h": h, "c": c}


def mi_gru(p, x, state):
    h, a = state["h"], x @ p["wx"].T
    ur, uz, un = rows(p["wh"], 3)
    places = [slice(gate * H, (gate + 1) * H) for gate in range(3)]
    r, z = (sigmoid(integrated(p, a[:, place], h @ u.T, place)) for place, u in zip(places, (ur, uz)))
    n = torch.tanh(integrated(p, a[:, places[2]], (r * h) @ un.T, places[2]))
    h = (1 - z) * n + z * h
    return h, {"h": h}


def rhn(depth, coupled):
    count = 2 if coupled else 3

    def step(p, x, state):
        s, given = state["h"], blocks(x @ p["wx"].T, count)
        for layer, (w, b) in enumerate(zip(rows(p["wh"], depth), blocks(p["b"], depth))):
            a = [s @ gate.T + bias for gate, bias in zip(rows(w, count), blocks(b, count))]
            if layer == 0:
                a = [own + from_x for own, from_x in zip(a, given)]
            t = sigmoid(a[1])
            c = 1 - t if coupled else sigmoid(a[2])
            s = torch.tanh(a[0]) * t + s * c
        return s, {"h": s}

    return step


def fast_slow(fast):
    def step(p, x, state):
        after = {}
        h, after["c1"] = lstm(x @ p["wx1"].T + state["h"] @ p["wh1"].T + p["b1"], state["c1"])
        slow, after["cs"] = lstm(h @ p["wxs"].T + state["hs"] @ p["whs"].T + p["bs"], state["cs"])
        for cell in range(2, fast + 1):
            a = h @ p[f"wh{cell}"].T + p[f"b{cell}"]
            if cell == 2:
                a = a + slow @ p["wx2"].T
            h, after[f"c{cell}"] = lstm(a, state[f"c{cell}"])
        return h, {"h": h, "hs": slow} | after

    return step


def fast_slow_by_cells(p, x, state):
    h1, c1 = lstm_cell(p["wx1"], p["wh1"], p["b1"], x, state["h"], state["c1"])
    hs, cs = lstm_cell(p["wxs"], p["whs"], p["bs"], h1, state["hs"], state["cs"])
    h, c2 = lstm_cell(p["wx2"], p["wh2"], p["b2"], hs, h1, state["c2"])
    return h, {"h": h, "hs": hs, "c1": c1, "c2": c2, "cs": cs}


def mogrifier(rounds, rank):
    def step(p, x, state):
        h = state["h"]
        for round in range(1, rounds + 1):
            name = f"{'q' if round % 2 else 'r'}{round}"
            matrix = p[f"{name}a"] @ p[f"{name}b"] if rank else p[name]
            if round % 2:
                x = 2 * sigmoid(h @ matrix.T) * x
            else:
                h = 2 * sigmoid(x @ matrix.T) * h
        h, c = lstm(x @ p["wx"].T + h @ p["wh"].T + p["b"], state["c"])
        return h, {"h": h, "c": c}

    return step


def mogrifier_params(rounds, rank):
    given = {"wx": (4 * H, "x"), "wh": (4 * H, H), "b": (1, 4 * H)}
    for round in range(1, rounds + 1):
        name, (out, into) = ("q", ("x", H)) if round % 2 else ("r", (H, "x"))
        if rank:
            given |= {f"{name}{round}a": (out, rank), f"{name}{round}b": (rank, into)}
        else:
            given[f"{name}{round}"] = (out, into)
    return shapes(**given)


def ordered(chunk):
    n = H // chunk

    def step(p, x, state):
        a = x @ p["wx"].T + state["h"] @ p["wh"].T + p["b"]
        (i, f, g, o), (mf, mi) = blocks(a[:, : 4 * H], 4), blocks(a[:, 4 * H :], 2)

        def cumax(values):
            shares = torch.exp(values) / torch.exp(values).sum(1, keepdim=True)
            sums = torch.stack([shares[:, : last + 1].sum(1) for last in range(n)], dim=1)
            return torch.stack([sums[:, unit // chunk] for unit in range(H)], dim=1)

        forget, insert = cumax(mf), 1 - cumax(mi)
        both = forget * insert
        f = sigmoid(f) * both + (forget - both)
        i = sigmoid(i) * both + (insert - both)
        c = f * state["c"] + i * torch.tanh(g)
        h = sigmoid(o) * torch.tanh(c)
        return h, {"h": h, "c": c}

    return step


def ordered_by_torch(chunk):
    """With PyTorch's softmax and cumsum, and the chunks as a dimension."""

    def step(p, x, state):
        a = torch.nn.functional.linear(x, p["wx"], p["b"][0]) + torch.nn.functional.linear(state["h"], p["wh"])
        i, f, g, o = a[:, : 4 * H].reshape(len(x), 4, H // chunk, chunk).unbind(1)
        mf, mi = a[:, 4 * H :].chunk(2, 1)
        forget, insert = mf.softmax(1).cumsum(1)[..., None], 1 - mi.softmax(1).cumsum(1)[..., None]
        old = state["c"].reshape(len(x), -1, chunk)
        shared = f.sigmoid() * old + i.sigmoid() * g.tanh()
        c = forget * insert * shared + forget * (1 - insert) * old + insert * (1 - forget) * g.tanh()
        h = (o.sigmoid() * c.tanh()).flatten(1)
        return h, {"h": h, "c": c.flatten(1)}

    return step


def hyper(normalized, theirs=False):
    def step(p, x, state):
        a = x @ p["hx"].T + state["h"] @ p["hm"].T + state["hh"] @ p["hh"].T + p["hb"]
        hh, hc = lstm(a, state["hc"])
        if theirs:
            both = torch.cat([x, state["h"]], dim=1)
            hh, hc = lstm_cell(torch.cat([p["hx"], p["hm"]], dim=1), p["hh"], p["hb"], both, state["hh"], state["hc"])
        zh, zx, zb = hh @ p["zh"].T + p["bzh"], hh @ p["zx"].T + p["bzx"], hh @ p["zb"].T
        gates = []
        for gate in range(4):
            own = slice(gate * H, (gate + 1) * H)
            dh, dx, db = (blocks(z, 4)[gate] @ p[name][own].T for z, name in ((zh, "dh"), (zx, "dx"), (zb, "db")))
            total = dh * (state["h"] @ p["wh"][own].T) + dx * (x @ p["wx"][own].T) + db + p["b"][:, own]
            gates.append(layer_norm(total, p["gain"][:, own], p["shift"][:, own]) if normalized else total)
        h, c = lstm(gates, state["c"], lambda c: layer_norm(c, p["gc"], p["bc"]) if normalized else c)
        return h, {"h": h, "c": c, "hh": hh, "hc": hc}

    return step


def cases():
    ifgo, h, hc = ["i", "f", "g", "o"], {"h": H}, {"h": H, "c": H}
    four = {"wx": (4 * H, "x"), "wh": (4 * H, H), "b": (1, 4 * H)}
    for keys, alpha in (({"context": 3}, 0.95), ({"context": 3, "alpha": 0.5}, 0.5)):
        yield Case(
            "scrn",
            step=scrn(alpha),
            keys=keys,
            states={"h": H, "s": 3},
            output=H + 3,
            params=shapes(wx=(H, "x"), wb=(3, "x"), wp=(H, 3), wh=(H, H)),
        )
    yield Case(
        "nas",
        step=nas,
        params=shapes(wx=(8 * H, "x"), wh=(8 * H, H), b=(1, 8 * H)),
        states=hc,
        corners=True,
        gates=[str(row) for row in range(8)],
    )
    for factors in (H, 3):
        keys = {} if factors == H else {"factors": factors}
        given = {"mx": (factors, "x"), "mh": (factors, H)}
        one = given | {"wx": (H, "x"), "wm": (H, factors), "b": (1, H)}
        yield Case("multiplicative-rnn", step=multiplicative(False), params=shapes(**one), states=h, keys=keys)
        all_gates = given | {"wx": (4 * H, "x"), "wm": (4 * H, factors), "b": (1, 4 * H)}
        yield Case("multiplicative-lstm", step=multiplicative(True), params=shapes(**all_gates), states=hc, keys=keys, gates=ifgo)
    yield Case(
        "multiplicative-lstm",
        step=multiplicative(True, True),
        params=shapes(**all_gates),
        states=hc,
        gates=ifgo,
        keys={"factors": 3, "gate-inside": True},
    )
    for name, step, count, states, gates in (
        ("mi-rnn", mi_rnn, 1, h, []),
        ("mi-lstm", mi_lstm, 4, hc, ifgo),
        ("mi-gru", mi_gru, 3, h, ["r", "z", "n"]),
    ):
        vectors = {vector: (1, count * H) for vector in ("b", "alpha", "beta1", "beta2")}
        params = shapes(wx=(count * H, "x"), wh=(count * H, H), **vectors)
        yield Case(name, step=step, params=params, states=states, gates=gates)
    for depth, coupled in ((3, True), (2, False)):
        keys = {"depth": depth} | ({} if coupled else {"coupled": False})
        gates = ["n", "t"] if coupled else ["n", "t", "c"]
        rows_of_layer = len(gates) * H
        params = shapes(wx=(rows_of_layer, "x"), wh=(depth * rows_of_layer, H), b=(1, depth * rows_of_layer))
        yield Case("rhn", step=rhn(depth, coupled), params=params, states=h, keys=keys, gates=gates)
    for fast, slow in ((2, 3), (3, H)):
        keys = {"fast": fast} | ({} if slow == H else {"slow": slow})
        params = {"wx1": (4 * H, "x"), "wxs": (4 * slow, H), "whs": (4 * slow, slow), "bs": (1, 4 * slow), "wx2": (4 * H, slow)}
        for cell in range(1, fast + 1):
            params |= {f"wh{cell}": (4 * H, H), f"b{cell}": (1, 4 * H)}
        states = {"h": H, "hs": slow, "cs": slow} | {f"c{cell}": H for cell in range(1, fast + 1)}
        sequence = through_steps(fast_slow_by_cells) if fast == 2 else None
        yield Case(
            "fast-slow", step=fast_slow(fast), params=shapes(**params), states=states, keys=keys, gates=ifgo, sequence=sequence
        )
    for rounds, rank in ((5, 0), (4, 2)):
        keys = {"rounds": rounds} | ({"rank": rank} if rank else {})
        yield Case(
            "mogrifier-lstm",
            step=mogrifier(rounds, rank),
            params=mogrifier_params(rounds, rank),
            states=hc,
            keys=keys,
            gates=ifgo,
        )
    for chunk in (1, 2):
        total = 4 * H + 2 * (H // chunk)
        params = shapes(wx=(total, "x"), wh=(total, H), b=(1, total))
        yield Case(
            "on-lstm",
            step=ordered(chunk),
            params=params,
            states=hc,
            keys={"chunk": chunk},
            gates=[*ifgo, "mf", "mi"],
            dead=True,
            sequence=through_steps(ordered_by_torch(chunk)),
        )
    k, e = 3, 2
    for normalized in (False, True):
        keys = {"hyper-hidden": k, "embedding": e} | ({"layer-norm": True} if normalized else {})
        params = four | {"hx": (4 * k, "x"), "hm": (4 * k, H), "hh": (4 * k, k), "hb": (1, 4 * k)}
        params |= {name: (4 * e, k) for name in ("zh", "zx", "zb")} | {"bzh": (1, 4 * e), "bzx": (1, 4 * e)}
        params |= {name: (4 * H, e) for name in ("dh", "dx", "db")}
        if normalized:
            params |= {"gain": (1, 4 * H), "shift": (1, 4 * H), "gc": (1, H), "bc": (1, H)}
        yield Case(
            "hyper-lstm",
            step=hyper(normalized),
            params=shapes(**params),
            states={"h": H, "c": H, "hh": k, "hc": k},
            keys=keys,
            gates=ifgo,
            sequence=through_steps(hyper(normalized, theirs=True)),
        )


def check_relations():
    """The cells that these become when their own part does nothing."""
    torch.manual_seed(0)
    x, h, c = (torch.randn(2, n).double() for n in (3, H, H))

    def params(count):
        return {
            "wx": torch.randn(count * H, 3).double(),
            "wh": torch.randn(count * H, H).double(),
            "b": torch.randn(1, count * H).double(),
        }

    p = params(4)
    expected = lstm_cell(p["wx"], p["wh"], p["b"], x, h, c)[0]
    off = {"alpha": torch.zeros_like(p["b"]), "beta1": torch.ones_like(p["b"]), "beta2": torch.ones_like(p["b"])}
    torch.testing.assert_close(mi_lstm(p | off, x, {"h": h, "c": c})[0], expected)
    torch.testing.assert_close(mogrifier(0, 0)(p, x, {"h": h, "c": c})[0], expected)
    p = params(3)
    off = {name: values[:, : 3 * H] for name, values in off.items()}
    torch.testing.assert_close(mi_gru(p | off, x, {"h": h})[0], classic.gru_before(p, x, {"h": h}, None)[0])
    p = params(2)
    n, t = (x @ p["wx"].T + h @ p["wh"].T + p["b"]).chunk(2, 1)
    torch.testing.assert_close(rhn(1, True)(p, x, {"h": h})[0], torch.lerp(h, n.tanh(), t.sigmoid()))


if __name__ == "__main__":
    check_relations()
    write(__file__, list(cases()))
