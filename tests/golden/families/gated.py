"""Makes gated.json: the keys of the LSTM, and cells with gates that came after it or after the GRU.

    lstm              Greff et al. 2015, arXiv 1503.04069, section 3 (without, coupled; here the input gate is 1 - f); layer norm:
                      Ba et al. 2016, arXiv 1607.06450, equations 20 to 22; cell-clip: the cell before its output
    janet             van der Westhuizen and Lasenby 2018, arXiv 1804.04849
    mut1, mut2, mut3  Jozefowicz et al. 2015, section 4.2; where x itself is added, a matrix times x
    mgu               Zhou et al. 2016, arXiv 1603.09420
    li-gru            Ravanelli et al. 2018, arXiv 1803.10225, without batch normalization
    ugrnn             Collins et al. 2016, arXiv 1611.09913, section 2.4; intersection-rnn: the same section, +RNN
    cfn               Laurent and von Brecht 2016, arXiv 1612.06212
    ran               Lee et al. 2017, arXiv 1705.07393
    atr               Zhang et al. 2018, arXiv 1810.12546
    star              Turkoglu et al. 2019, arXiv 1911.11033
    minimal-rnn       Chen 2017, arXiv 1711.06788
    brc, nbrc         Vecoven et al. 2020, arXiv 2006.05252

Equations (σ and tanh of W x + U h + b where nothing else is said):

    janet             h = σ(s) h + (1 - σ(s - β)) tanh(g)
    mut1              h = z tanh(U (r h) + tanh(W x) + b) + (1 - z) h, z without h; mut2: W x for tanh(W x); mut3: z reads tanh(h)
    mgu               h = (1 - f) h + f tanh(W x + U (f h) + b)
    li-gru            h = z h + (1 - z) relu(n)
    ugrnn             h = g h + (1 - g) tanh(c)
    intersection-rnn  y = gy x + (1 - gy) relu(y), h = gn h + (1 - gn) tanh(n); output y
    cfn               h = f tanh(h) + i tanh(W x)
    ran               c = i W x + f c, h = tanh(c) or c
    atr               h = σ(p + q) p + σ(p - q) h, p = W x, q = U h
    star              h = tanh((1 - k) h + k tanh(W x + b)), k = σ
    minimal-rnn       z = tanh(W x + b), u = σ(U h + V z + b), h = u h + (1 - u) z
    brc, nbrc         h = c h + (1 - c) tanh(W x + a h), a = 1 + tanh(W x + w h), c = σ(W x + w h); nbrc: matrices for w

Checked: the LSTM without keys against torch.nn.LSTM and with peepholes against cells.py, mut2 (which is a GRU with other letters
once x has a matrix) against the GRU of cells.py, coupled and clipped LSTMs against the plain one where both are the same, and layer
norm against PyTorch's function.
"""

import torch
from torch.nn import functional as F

from common import Case, blocks, clip, layer_norm, relu, rows, shapes, sigmoid, write
from common import cells as classic

H = 4
SHUT = {"input-gate": "i", "forget-gate": "f", "output-gate": "o"}


def total(p, x, h, count):
    return blocks(x @ p["wx"].T + h @ p["wh"].T + p["b"], count)


def lstm_gates(keys):
    gone = "i" if keys.get("coupled") else SHUT.get(keys.get("without"))
    return [gate for gate in "ifgo" if gate != gone]


def lstm(keys):
    gates, without = lstm_gates(keys), keys.get("without")

    def step(p, x, state):
        h, c = state["h"], state["c"]
        given, seen = x @ p["wx"].T, h @ p["wh"].T
        if keys.get("layer-norm"):
            given, seen = layer_norm(given, p["gx"], 0), layer_norm(seen, p["gh"], 0)
        a = dict(zip(gates, blocks(given + seen + p["b"], len(gates))))
        if keys.get("peepholes"):
            a |= {gate: a[gate] + p[f"p{gate}"] * c for gate in "if" if gate in a}
        f = sigmoid(a["f"]) if "f" in a else 1
        i = sigmoid(a["i"]) if "i" in a else 1 - f if keys.get("coupled") else 1
        g = a["g"] if without == "input-activation" else torch.tanh(a["g"])
        c = f * c + i * g
        if keys.get("cell-clip"):
            c = clip(c, keys["cell-clip"])
        if keys.get("peepholes") and "o" in a:
            a["o"] = a["o"] + p["po"] * c
        o = sigmoid(a["o"]) if "o" in a else 1
        read = layer_norm(c, p["gc"], p["bc"]) if keys.get("layer-norm") else c
        h = o * (read if without == "output-activation" else torch.tanh(read))
        return h, {"h": h, "c": c}

    return step


def lstm_case(**keys):
    keys = {name.replace("_", "-"): value for name, value in keys.items()}
    gates = lstm_gates(keys)
    n = len(gates)
    given = {"wx": (n * H, "x"), "wh": (n * H, H), "b": (1, n * H)}
    if keys.get("peepholes"):
        given |= {f"p{gate}": (1, H) for gate in gates if gate != "g"}
    if keys.get("layer-norm"):
        given |= {"gx": (1, n * H), "gh": (1, n * H), "gc": (1, H), "bc": (1, H)}
    clipped = {"cell-clip"} <= set(keys)
    return Case(
        "lstm",
        step=lstm(keys),
        params=shapes(**given),
        states={"h": H, "c": H},
        keys=keys,
        gates=gates,
        corners=clipped,
        ranges={"inputs": (-3, 3)} if clipped else {},
    )


def through_steps(step):
    """A sequence by another step function."""

    def sequence(p, inputs, initial, counters):
        state, outputs = initial, []
        for x in inputs:
            y, state = step(p, x, state)
            outputs.append(y)
        return torch.stack(outputs)

    return sequence


def torch_lstm(p, inputs, initial, counters):
    module = torch.nn.LSTM(inputs.shape[2], H).double()
    weights = {"weight_ih_l0": p["wx"], "weight_hh_l0": p["wh"], "bias_ih_l0": p["b"][0] / 2, "bias_hh_l0": p["b"][0] / 2}
    return torch.func.functional_call(module, weights, (inputs, (initial["h"][None], initial["c"][None])))[0]


def torch_layer_norm_lstm(p, x, state):
    def norm(x, gain, shift=None):
        return F.layer_norm(x, x.shape[1:], gain[0], None if shift is None else shift[0], eps=1e-5)

    a = norm(F.linear(x, p["wx"]), p["gx"]) + norm(F.linear(state["h"], p["wh"]), p["gh"]) + p["b"]
    i, f, g, o = a.chunk(4, 1)
    c = f.sigmoid() * state["c"] + i.sigmoid() * g.tanh()
    h = o.sigmoid() * norm(c, p["gc"], p["bc"]).tanh()
    return h, {"h": h, "c": c}


def janet(beta):
    def step(p, x, state):
        s, g = total(p, x, state["h"], 2)
        h = sigmoid(s) * state["h"] + (1 - sigmoid(s - beta)) * torch.tanh(g)
        return h, {"h": h}

    return step


def mut(variant):
    def step(p, x, state):
        h = state["h"]
        xz, xr, xn = blocks(x @ p["wx"].T, 3)
        bz, br, bn = blocks(p["b"], 3)
        *uz, ur, un = rows(p["wh"], 2 if variant == 1 else 3)
        seen = 0 if variant == 1 else (h if variant == 2 else torch.tanh(h)) @ uz[0].T
        z, r = sigmoid(xz + seen + bz), sigmoid(xr + h @ ur.T + br)
        n = torch.tanh((r * h) @ un.T + (torch.tanh(xn) if variant == 1 else xn) + bn)
        h = n * z + h * (1 - z)
        return h, {"h": h}

    return step


def gru_for_mut2(p, x, state):
    """The rows z, r, n as r, -z, n."""
    order = lambda m, dim: torch.cat(
        [part * sign for part, sign in zip([m.chunk(3, dim)[i] for i in (1, 0, 2)], (1, -1, 1))], dim
    )
    q = {"wx": order(p["wx"], 0), "wh": order(p["wh"], 0), "b": order(p["b"], 1)}
    return classic.gru_before(q, x, state, None)


def mgu(p, x, state):
    h = state["h"]
    (xf, xn), (uf, un) = blocks(x @ p["wx"].T + p["b"], 2), rows(p["wh"], 2)
    f = sigmoid(xf + h @ uf.T)
    h = (1 - f) * h + f * torch.tanh(xn + (f * h) @ un.T)
    return h, {"h": h}


def li_gru(p, x, state):
    z, n = total(p, x, state["h"], 2)
    h = sigmoid(z) * state["h"] + (1 - sigmoid(z)) * relu(n)
    return h, {"h": h}


def ugrnn(p, x, state):
    g, c = total(p, x, state["h"], 2)
    h = sigmoid(g) * state["h"] + (1 - sigmoid(g)) * torch.tanh(c)
    return h, {"h": h}


def intersection(p, x, state):
    if "wp" in p:
        x = x @ p["wp"].T
    y, n, gy, gn = total(p, x, state["h"], 4)
    y = sigmoid(gy) * x + (1 - sigmoid(gy)) * relu(y)
    h = sigmoid(gn) * state["h"] + (1 - sigmoid(gn)) * torch.tanh(n)
    return y, {"h": h}


def cfn(p, x, state):
    xf, xi, xn = blocks(x @ p["wx"].T, 3)
    f, i = (sigmoid(part) for part in blocks(torch.cat([xf, xi], dim=1) + state["h"] @ p["wh"].T + p["b"], 2))
    h = f * torch.tanh(state["h"]) + i * torch.tanh(xn)
    return h, {"h": h}


def ran(activation):
    def step(p, x, state):
        n, xi, xf = blocks(x @ p["wx"].T, 3)
        i, f = (sigmoid(part) for part in blocks(torch.cat([xi, xf], dim=1) + state["h"] @ p["wh"].T + p["b"], 2))
        c = i * n + f * state["c"]
        h = activation(c)
        return h, {"h": h, "c": c}

    return step


def atr(p, x, state):
    a, b = x @ p["wx"].T, state["h"] @ p["wh"].T
    h = sigmoid(a + b) * a + sigmoid(a - b) * state["h"]
    return h, {"h": h}


def star(p, x, state):
    z, k = blocks(x @ p["wx"].T + p["b"], 2)
    k = sigmoid(k + state["h"] @ p["wh"].T)
    h = torch.tanh((1 - k) * state["h"] + k * torch.tanh(z))
    return h, {"h": h}


def minimal(p, x, state):
    bz, bu = blocks(p["b"], 2)
    z = torch.tanh(x @ p["wx"].T + bz)
    u = sigmoid(state["h"] @ p["wh"].T + z @ p["wz"].T + bu)
    h = u * state["h"] + (1 - u) * z
    return h, {"h": h}


def bistable(neuromodulated):
    def step(p, x, state):
        h = state["h"]
        xa, xc, xn = blocks(x @ p["wx"].T, 3)
        seen_a, seen_c = blocks(h @ p["wh"].T, 2) if neuromodulated else (p["wa"] * h, p["wc"] * h)
        a, c = 1 + torch.tanh(xa + seen_a), sigmoid(xc + seen_c)
        h = c * h + (1 - c) * torch.tanh(xn + a * h)
        return h, {"h": h}

    return step


def cases():
    plain = lstm_case()
    plain.sequence = torch_lstm
    yield plain
    yield lstm_case(coupled=True)
    yield lstm_case(coupled=True, peepholes=True)
    peepholes = lstm_case(peepholes=True)
    theirs = classic.lstm(torch.sigmoid, peepholes=True)
    peepholes.sequence = through_steps(lambda p, x, state: theirs(p, x, state, lambda values: None))
    yield peepholes
    for part in ("input-gate", "forget-gate", "output-gate", "input-activation", "output-activation"):
        yield lstm_case(without=part)
    normed = lstm_case(layer_norm=True)
    normed.sequence = through_steps(torch_layer_norm_lstm)
    yield normed
    yield lstm_case(layer_norm=True, coupled=True)
    yield lstm_case(cell_clip=0.5)
    yield lstm_case(peepholes=True, cell_clip=0.5, layer_norm=True)
    two, three = ({"wx": (n * H, "x"), "wh": (n * H, H), "b": (1, n * H)} for n in (2, 3))
    h = {"h": H}
    for keys, beta in (({}, 1.0), ({"beta": 0.25}, 0.25)):
        yield Case("janet", step=janet(beta), params=shapes(**two), states=h, keys=keys, gates=["f", "g"])
    for variant in (1, 2, 3):
        params = three | ({"wh": (2 * H, H)} if variant == 1 else {})
        sequence = through_steps(gru_for_mut2) if variant == 2 else None
        yield Case(
            f"mut{variant}", step=mut(variant), params=shapes(**params), states=h, gates=["z", "r", "n"], sequence=sequence
        )
    yield Case("mgu", step=mgu, params=shapes(**two), states=h, gates=["f", "n"])
    yield Case("li-gru", step=li_gru, params=shapes(**two), states=h, gates=["z", "n"], corners=True)
    yield Case("ugrnn", step=ugrnn, params=shapes(**two), states=h, gates=["g", "c"])
    for inputs in (3, 4):
        params = {"wx": (4 * H, H), "wh": (4 * H, H), "b": (1, 4 * H)} | ({"wp": (H, "x")} if inputs != H else {})
        yield Case(
            "intersection-rnn",
            step=intersection,
            params=shapes(**params),
            states=h,
            gates=["y", "n", "gy", "gn"],
            inputs=inputs,
            corners=True,
            note=f"inputs={inputs}",
        )
    yield Case("cfn", step=cfn, params=shapes(wx=(3 * H, "x"), wh=(2 * H, H), b=(1, 2 * H)), states=h, gates=["f", "i", "n"])
    for name, activation in (("tanh", torch.tanh), ("identity", lambda c: c)):
        yield Case(
            "ran",
            step=ran(activation),
            params=shapes(wx=(3 * H, "x"), wh=(2 * H, H), b=(1, 2 * H)),
            states={"h": H, "c": H},
            gates=["g", "i", "f"],
            keys={} if name == "tanh" else {"activation": name},
        )
    yield Case("atr", step=atr, params=shapes(wx=(H, "x"), wh=(H, H)), states=h)
    yield Case("star", step=star, params=shapes(wx=(2 * H, "x"), wh=(H, H), b=(1, 2 * H)), states=h, gates=["z", "k"])
    yield Case(
        "minimal-rnn", step=minimal, params=shapes(wx=(H, "x"), wh=(H, H), wz=(H, H), b=(1, 2 * H)), states=h, gates=["z", "u"]
    )
    yield Case("brc", step=bistable(False), params=shapes(wx=(3 * H, "x"), wa=(1, H), wc=(1, H)), states=h, gates=["a", "c", "n"])
    yield Case("nbrc", step=bistable(True), params=shapes(wx=(3 * H, "x"), wh=(2 * H, H)), states=h, gates=["a", "c", "n"])


def check_relations():
    """Keys that change nothing in a special case: a clip that is never reached, an LSTM whose input gate is set to 1 - f."""
    torch.manual_seed(0)
    x, h, c = (torch.randn(2, n, dtype=torch.float64) for n in (3, H, H))
    p = {"wx": torch.randn(4 * H, 3), "wh": torch.randn(4 * H, H), "b": torch.randn(1, 4 * H)}
    p = {name: values.double() for name, values in p.items()}
    p = {name: torch.cat([-m.chunk(4, dim)[1], *m.chunk(4, dim)[1:]], dim) for (name, m), dim in zip(p.items(), (0, 0, 1))}
    state = {"h": h, "c": c}
    plain, _ = lstm({})(p, x, state)
    torch.testing.assert_close(lstm({"cell-clip": 100.0})(p, x, state)[0], plain)
    cut = {name: torch.cat(m.chunk(4, dim)[1:], dim) for (name, m), dim in zip(p.items(), (0, 0, 1))}
    torch.testing.assert_close(lstm({"coupled": True})(cut, x, state)[0], plain)  # σ(-f) = 1 - σ(f)


if __name__ == "__main__":
    check_relations()
    write(__file__, list(cases()))
