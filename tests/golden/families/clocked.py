"""Makes clocked.json: cells whose units have clocks, or whose units do not read one another.

    clockwork                       Koutník et al. 2014, arXiv 1402.3511
    phased-lstm                     Neil et al. 2016, arXiv 1610.09513, unit time steps, no peepholes
    ind-rnn                         Li et al. 2018, arXiv 1803.04831, equation 2
    indy-lstm, indy-gru             Gonnet and Deselaers 2019, arXiv 1903.08023
    sru                             Lei et al. 2017, arXiv 1709.02755
    qrnn                            Bradbury et al. 2016, arXiv 1611.01576, section 2

Equations:

    clockwork    module j of period base^j, when it is due: h_j = tanh(W x + U h_{j and slower} + b)
    phased-lstm  φ = (t / τ - shift) mod 1; k = 2φ/r, 2 - 2φ/r or leak φ; c = k c̃ + (1 - k) c, the same for h
    ind-rnn      h = relu(W x + u h + b); indy-lstm, indy-gru: u h in place of U h
    sru          f = σ(W x + v c + b), r alike, c = f c + (1 - f) W x, output r c + (1 - r) x
    qrnn         z, f, o of W x_t + V x_{t-1} + b; c = f c + (1 - f) z; output o c

Checked: clockwork with a masked full matrix, the phase with the paper's time and modulo, indy cells and ind-rnn with diagonal
matrices in the LSTM and GRU of cells.py and in torch.nn.RNN, qrnn (and sru without v) with all gates computed before the loop and
the state as a sum over earlier steps.
"""

import torch

from common import STEPS, Case, blocks, relu, select, shapes, sigmoid, write
from common import cells as classic

H = 4


def lstm(a, c):
    i, f, g, o = blocks(a, 4)
    c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
    return sigmoid(o) * torch.tanh(c), c


def clockwork(modules, base):
    own = H // modules

    def step(p, x, state):
        h, t, parts = state["h"], state["t"], []
        for module in range(modules):
            place = slice(module * own, (module + 1) * own)
            a = x @ p["wx"][place].T + h[:, module * own :] @ p[f"wh{module}"].T + p["b"][:, place]
            parts.append(torch.where(t.remainder(base**module) == 0, torch.tanh(a), h[:, place]))
        h = torch.cat(parts, dim=1)
        return h, {"h": h, "t": (t + 1).remainder(base ** (modules - 1))}

    def sequence(p, inputs, initial, counters):
        """Row by row, with the whole matrix and absolute time."""
        matrix = torch.zeros(H, H).double()
        for module in range(modules):
            matrix[module * own : (module + 1) * own, module * own :] = p[f"wh{module}"]
        assert (torch.tril(matrix, -own) == 0).all()
        outputs = []
        for row in range(inputs.shape[1]):
            h, now = initial["h"][row], int(counters["t"][row])
            for t in range(STEPS):
                new = torch.tanh(p["wx"] @ inputs[t, row] + matrix @ h + p["b"][0])
                active = torch.tensor([(now + t) % base ** (unit // own) == 0 for unit in range(H)])
                h = torch.where(active, new, h)
                outputs.append((t, row, h))
        return torch.stack([torch.stack([h for t, _, h in outputs if t == step]) for step in range(STEPS)])

    return {"step": step, "sequence": sequence}


def openness(phase, ratio, leak):
    falling = select(phase - ratio, leak * phase, 2 - 2 * phase / ratio)
    return select(phase - ratio / 2, falling, 2 * phase / ratio)


def phased(leak):
    def step(p, x, state):
        period, shift, ratio = 1 + torch.exp(p["tau"]), sigmoid(p["s"]), sigmoid(p["r"])
        phase = state["p"] - shift
        phase = select(phase, phase, phase + 1)
        k = openness(phase, ratio, leak)
        h, c = lstm(x @ p["wx"].T + state["h"] @ p["wh"].T + p["b"], state["c"])
        h, c = k * h + (1 - k) * state["h"], k * c + (1 - k) * state["c"]
        following = state["p"] + 1 / period
        return h, {"h": h, "c": c, "p": select(following - 1, following - 1, following)}

    def sequence(p, inputs, initial, counters):
        """φ = ((t - s) mod τ) / τ; the initial phase is a time."""
        period, ratio = 1 + torch.exp(p["tau"]), sigmoid(p["r"])
        start, s = initial["p"] * period, sigmoid(p["s"]) * period
        h, c, outputs = initial["h"], initial["c"], []
        for t, x in enumerate(inputs):
            phase = torch.remainder(start + t - s, period) / period
            k = torch.where(phase < ratio / 2, 2 * phase / ratio, torch.where(phase < ratio, 2 - 2 * phase / ratio, leak * phase))
            new_h, new_c = torch._VF.lstm_cell(x, (h, c), p["wx"], p["wh"], p["b"][0], torch.zeros(4 * H).double())
            h, c = torch.lerp(h, new_h, k), torch.lerp(c, new_c, k)
            outputs.append(h)
        return torch.stack(outputs)

    return {"step": step, "sequence": sequence}


def ind_rnn(activation):
    def step(p, x, state):
        h = activation(x @ p["wx"].T + p["u"] * state["h"] + p["b"])
        return h, {"h": h}

    return step


def ind_rnn_by_torch(name):
    def sequence(p, inputs, initial, counters):
        module = torch.nn.RNN(inputs.shape[2], H, nonlinearity=name).double()
        weights = {
            "weight_ih_l0": p["wx"],
            "weight_hh_l0": torch.diag(p["u"][0]),
            "bias_ih_l0": p["b"][0],
            "bias_hh_l0": torch.zeros(H).double(),
        }
        return torch.func.functional_call(module, weights, (inputs, initial["h"][None]))[0]

    return sequence


def indy_lstm(p, x, state):
    h, c = lstm(x @ p["wx"].T + p["u"] * torch.cat([state["h"]] * 4, dim=1) + p["b"], state["c"])
    return h, {"h": h, "c": c}


def indy_gru(p, x, state):
    h = state["h"]
    (xr, xz, xn), (ur, uz, un) = blocks(x @ p["wx"].T + p["b"], 3), blocks(p["u"], 3)
    r, z = sigmoid(xr + ur * h), sigmoid(xz + uz * h)
    h = (1 - z) * torch.tanh(xn + un * (r * h)) + z * h
    return h, {"h": h}


def diagonals(step):
    """The same through a cell of full matrices."""

    def sequence(p, inputs, initial, counters):
        full = {"wx": p["wx"], "b": p["b"], "wh": torch.cat([torch.diag(u) for u in p["u"].reshape(-1, H)])}
        state, outputs = initial, []
        for x in inputs:
            y, state = step(full, x, state, lambda values: None)
            outputs.append(y)
        return torch.stack(outputs)

    return sequence


def unrolled(factors, terms, start):
    """c_t = f_t c_{t-1} + u_t as the sum over all steps up to t."""
    states = []
    for t in range(STEPS):
        total = start * torch.stack(factors[: t + 1]).prod(0) + terms[t]
        for s in range(t):
            total = total + torch.stack(factors[s + 1 : t + 1]).prod(0) * terms[s]
        states.append(total)
    return states


def sru(scale):
    def step(p, x, state):
        (n, f, r), c = blocks(x @ p["wx"].T, 3), state["c"]
        (vf, vr), (bf, br) = blocks(p["v"], 2), blocks(p["b"], 2)
        f, r = sigmoid(f + vf * c + bf), sigmoid(r + vr * c + br)
        c = f * c + (1 - f) * n
        skip = x @ p["wp"].T if "wp" in p else x
        return r * c + (1 - r) * skip * scale, {"c": c}

    return step


def qrnn(pooling, window):
    def gates(p, x, before):
        a = x @ p["wx"].T + p["b"]
        if window == 2:
            a = a + before @ p["wp"].T
        z, *others = blocks(a, 1 + len(pooling))
        return torch.tanh(z), dict(zip("foi", [sigmoid(part) for part in others]))

    def parts(gate, z):
        return gate["f"], (gate["i"] if "i" in gate else 1 - gate["f"]) * z

    def step(p, x, state):
        z, gate = gates(p, x, state.get("x"))
        f, u = parts(gate, z)
        c = f * state["c"] + u
        return gate["o"] * c if "o" in gate else c, {"c": c} | ({"x": x} if window == 2 else {})

    def sequence(p, inputs, initial, counters):
        """The convolution over the whole sequence, then the pooling."""
        before = torch.cat([initial["x"][None], inputs[:-1]]) if window == 2 else inputs
        z, gate = gates(p, inputs.flatten(0, 1), before.flatten(0, 1))
        z, gate = z.unflatten(0, inputs.shape[:2]), {name: part.unflatten(0, inputs.shape[:2]) for name, part in gate.items()}
        f, u = parts(gate, z)
        c = torch.stack(unrolled(list(f), list(u), initial["c"]))
        return gate["o"] * c if "o" in gate else c

    return {"step": step, "sequence": sequence}


def cases():
    ifgo, hc = ["i", "f", "g", "o"], {"h": H, "c": H}
    for modules, base, times in ((2, 2, [[0], [1]]), (4, 2, [[0], [3]]), (2, 3, [[1], [2]])):
        own = H // modules
        keys = ({} if modules == 4 else {"modules": modules}) | ({} if base == 2 else {"period-base": base})
        weights = {f"wh{module}": (own, H - module * own) for module in range(modules)}
        yield Case(
            "clockwork",
            **clockwork(modules, base),
            params=shapes(wx=(H, "x"), b=(1, H), **weights),
            keys=keys,
            states={"h": H, "t": 1},
            counters={"t": lambda batch, times=times: torch.tensor(times)},
        )
    for leak in (0.001, 0.25):
        keys = {} if leak == 0.001 else {"leak": leak}
        # Open for about half of the cycle, so that units are seen in every part of it.
        ranges = {"p": (0, 1), "tau": (0, 1.5), "r": (-0.5, 0.5)}
        yield Case(
            "phased-lstm",
            **phased(leak),
            keys=keys,
            states=hc | {"p": H},
            gates=ifgo,
            ranges=ranges,
            corners=True,
            params=shapes(wx=(4 * H, "x"), wh=(4 * H, H), b=(1, 4 * H), tau=(1, H), s=(1, H), r=(1, H)),
        )
    one = shapes(wx=(H, "x"), u=(1, H), b=(1, H))
    for name, activation in (("relu", relu), ("tanh", torch.tanh)):
        yield Case(
            "ind-rnn",
            step=ind_rnn(activation),
            params=one,
            states={"h": H},
            keys={} if name == "relu" else {"activation": name},
            sequence=ind_rnn_by_torch(name),
            corners=name == "relu",
        )
    yield Case(
        "indy-lstm",
        step=indy_lstm,
        params=shapes(wx=(4 * H, "x"), u=(1, 4 * H), b=(1, 4 * H)),
        states=hc,
        gates=ifgo,
        sequence=diagonals(classic.lstm(torch.sigmoid)),
    )
    yield Case(
        "indy-gru",
        step=indy_gru,
        params=shapes(wx=(3 * H, "x"), u=(1, 3 * H), b=(1, 3 * H)),
        states={"h": H},
        gates=["r", "z", "n"],
        sequence=diagonals(classic.gru_before),
    )
    for inputs, scale in ((3, 1.0), (4, 1.0), (4, 1.75)):
        params = {"wx": (3 * H, "x"), "v": (1, 2 * H), "b": (1, 2 * H)} | ({"wp": (H, "x")} if inputs != H else {})
        yield Case(
            "sru",
            step=sru(scale),
            params=shapes(**params),
            states={"c": H},
            gates=["n", "f", "r"],
            inputs=inputs,
            keys={} if scale == 1 else {"scale": scale},
            note=f"inputs={inputs}",
        )
    for pooling, window in (("fo", 2), ("f", 2), ("ifo", 2), ("fo", 1)):
        gates = ["z", *"foi"[: len(pooling)]]
        params = {"wx": (len(gates) * H, "x"), "b": (1, len(gates) * H)}
        if window == 2:
            params["wp"] = params["wx"]
        keys = ({} if pooling == "fo" else {"pooling": pooling}) | ({} if window == 2 else {"window": window})
        states = {"c": H} | ({"x": lambda inputs: inputs} if window == 2 else {})
        yield Case("qrnn", **qrnn(pooling, window), params=shapes(**params), states=states, keys=keys, gates=gates)


def check_sru():
    """Without v the gates do not read the state."""
    torch.manual_seed(0)
    p = {name: torch.randn(shape).double() for name, shape in (("wx", (3 * H, H)), ("b", (1, 2 * H)))}
    p["v"] = torch.zeros(1, 2 * H).double()
    x, start = torch.randn(STEPS, 2, H).double(), torch.randn(2, H).double()
    n, f, r = (x @ p["wx"].T).chunk(3, 2)
    f, r = (f + p["b"][:, :H]).sigmoid(), (r + p["b"][:, H:]).sigmoid()
    states = torch.stack(unrolled(list(f), list((1 - f) * n), start))
    state, step = {"c": start}, sru(1.5)
    for t in range(STEPS):
        y, state = step(p, x[t], state)
        torch.testing.assert_close(y, torch.lerp(1.5 * x[t], states[t], r[t]))


if __name__ == "__main__":
    check_sru()
    write(__file__, list(cases()))
