"""Makes linear.json: cells whose state is a vector and enters the next one without an activation.

    min-gru, min-lstm   Feng et al. 2024, arXiv 2410.01201, sections 3.1 and 3.2; `positive`: appendix B
    lru                 Orvieto et al. 2023, arXiv 2303.06349, section 3
    rg-lru              De et al. 2024, arXiv 2402.19427, equations 1 to 4
    hgrn                Qin et al. 2023, arXiv 2311.04823, section 3
    s4d                 Gu et al. 2022, arXiv 2206.11893, B = 1
    s5                  Smith et al. 2022, arXiv 2208.04933
    rwkv4               Peng et al. 2023, arXiv 2305.13048, time mixing without the output matrix

Equations:

    min-gru   h = (1 - z) h + z n, z = σ(x), n = x or g(x); g(x) = x + 1/2 for x >= 0, else σ(x)
    min-lstm  h = f/(f + i) h + i/(f + i) n, or f h + i n
    lru       z = λ z + exp(γ) B x, λ = exp(-exp(ν) + i exp(θ)); y = Re(C z) + D x
    rg-lru    a = σ(Λ)^(scale r); h = a h + sqrt(1 - a²) i u
    hgrn      h = f exp(iθ) h + (1 - f) c; y = W LN([Re h, Im h] g), or real without θ and W
    s4d, s5   z = exp(ΔA) z + (exp(ΔA) - 1)/A B u; y = 2 Re(C z) + D u (s4d: an A, B, C for every unit of u = W x + b)
    rwkv4     y = σ(r) (Σ_s exp(k_s - decay) v_s + exp(u + k) v) / (the same without v)

Every recurrence is checked against its sum over all earlier steps, in complex numbers where it has them; rwkv4 against the
sums that the paper prints.
"""

import torch

from common import STEPS, Case, blocks, layer_norm, maximum, rows, select, shapes, sigmoid, write

H = 4


def unrolled(factors, terms, start):
    """h_t = f_t h_{t-1} + u_t as the sum over all steps up to t."""
    states = []
    for t in range(len(terms)):
        total = start * torch.stack(factors[: t + 1]).prod(0)
        for s in range(t + 1):
            decay = torch.stack(factors[s + 1 : t + 1]).prod(0) if s < t else 1
            total = total + decay * terms[s]
        states.append(total)
    return states


def affine(p, x, count):
    return blocks(x @ p["wx"].T + p["b"], count)


def candidate(n, kind):
    return select(n, n + 0.5, sigmoid(n)) if kind == "positive" else n


def min_gru(kind):
    def parts(p, x):
        z, n = affine(p, x, 2)
        return 1 - sigmoid(z), sigmoid(z) * candidate(n, kind)

    return elementwise(parts)


def min_lstm(kind, normalized):
    def parts(p, x):
        f, i, n = affine(p, x, 3)
        f, i = sigmoid(f), sigmoid(i)
        if normalized:
            f, i = f / (f + i), i / (f + i)
        return f, i * candidate(n, kind)

    return elementwise(parts)


def rg_lru(scale):
    def parts(p, x):
        r, i, u = affine(p, x, 3)
        a = sigmoid(p["lambda"]) ** (scale * sigmoid(r))
        return a, (1 - a**2).sqrt() * sigmoid(i) * u

    return elementwise(parts)


def elementwise(parts):
    """Step and unrolled sequence of h = f h + u."""

    def step(p, x, state):
        f, u = parts(p, x)
        h = f * state["h"] + u
        return h, {"h": h}

    def sequence(p, inputs, initial, counters):
        factors, terms = zip(*(parts(p, x) for x in inputs))
        return torch.stack(unrolled(list(factors), list(terms), initial["h"]))

    return {"step": step, "sequence": sequence}


def lru_step(p, x, state):
    size, angle = torch.exp(-torch.exp(p["nu"])), torch.exp(p["theta"])
    re = size * (torch.cos(angle) * state["re"] - torch.sin(angle) * state["im"]) + torch.exp(p["gamma"]) * (x @ p["br"].T)
    im = size * (torch.sin(angle) * state["re"] + torch.cos(angle) * state["im"]) + torch.exp(p["gamma"]) * (x @ p["bi"].T)
    return re @ p["cr"].T - im @ p["ci"].T + x @ p["d"].T, {"re": re, "im": im}


def lru_sequence(p, inputs, initial, counters):
    factor = torch.exp(torch.complex(-torch.exp(p["nu"]), torch.exp(p["theta"])))
    b, c = torch.complex(p["br"], p["bi"]), torch.complex(p["cr"], p["ci"])
    terms = [torch.exp(p["gamma"]) * (x.to(b.dtype) @ b.T) for x in inputs]
    states = unrolled([factor] * STEPS, terms, torch.complex(initial["re"], initial["im"]))
    return torch.stack([(z @ c.T).real + x @ p["d"].T for z, x in zip(states, inputs)])


def hgrn(is_complex, bound):
    def gates(p, x):
        f, *others = affine(p, x, 5 if is_complex else 3)
        half = len(others) // 2
        f = bound + (1 - bound) * sigmoid(f)
        return f, [c * sigmoid(c) for c in others[:half]], torch.cat([sigmoid(g) for g in others[half:]], dim=1)

    def read(p, h, g):
        y = layer_norm(h * g, p["gain"], p["shift"])
        return y @ p["wo"].T if is_complex else y

    def step(p, x, state):
        f, c, g = gates(p, x)
        if not is_complex:
            h = f * state["h"] + (1 - f) * c[0]
            return read(p, h, g), {"h": h}
        cos, sin = torch.cos(p["theta"]), torch.sin(p["theta"])
        re = f * cos * state["re"] - f * sin * state["im"] + (1 - f) * c[0]
        im = f * sin * state["re"] + f * cos * state["im"] + (1 - f) * c[1]
        return read(p, torch.cat([re, im], dim=1), g), {"re": re, "im": im}

    def sequence(p, inputs, initial, counters):
        f, c, g = zip(*(gates(p, x) for x in inputs))
        if not is_complex:
            states = unrolled(list(f), [(1 - f) * c[0] for f, c in zip(f, c)], initial["h"])
            return torch.stack([read(p, h, g) for h, g in zip(states, g)])
        turn = torch.exp(1j * p["theta"])
        terms = [(1 - f) * torch.complex(*c) for f, c in zip(f, c)]
        states = unrolled([part * turn for part in f], terms, torch.complex(initial["re"], initial["im"]))
        return torch.stack([read(p, torch.cat([h.real, h.imag], dim=1), g) for h, g in zip(states, g)])

    return {"step": step, "sequence": sequence}


def discrete(step_size, a_re, a_im, kind):
    """Ā and B̄ / B of a diagonal A, as complex numbers."""
    a = torch.complex(a_re, a_im)
    if kind == "zoh":
        factor = torch.exp(step_size * a)
        return factor, (factor - 1) / a
    return (1 + step_size * a / 2) / (1 - step_size * a / 2), step_size / (1 - step_size * a / 2)


def diagonal(s4d, kind="zoh"):
    """S4D and S5 with complex numbers in the step; the sequence is the convolution with the kernel C Ā^t B̄ for a start of 0."""

    def parts(p, x):
        c = torch.complex(p["cr"], p["ci"])
        if not s4d:
            factor, b = discrete(torch.exp(p["dt"]), -torch.exp(p["ar"]), p["ai"], kind)
            u = b * (x.to(c.dtype) @ torch.complex(p["br"], p["bi"]).T)
            return factor, u, lambda z: 2 * (z @ c.T).real + x @ p["d"].T
        units, n = p["ar"].shape
        factor, b = discrete(torch.exp(p["dt"]).T, -torch.exp(p["ar"]), p["ai"], kind)
        u = x @ p["wx"].T + p["b"]
        terms = (b * u[..., None]).flatten(1)
        return factor.flatten()[None], terms, lambda z: 2 * (c * z.reshape(-1, units, n)).sum(2).real + p["d"] * u

    def step(p, x, state):
        factor, u, read = parts(p, x)
        z = factor * torch.complex(state["re"], state["im"]) + u
        return read(z), {"re": z.real, "im": z.imag}

    def sequence(p, inputs, initial, counters):
        start = torch.complex(initial["re"], initial["im"])
        listed = [parts(p, x) for x in inputs]
        outputs = []
        for t, (factor, _, read) in enumerate(listed):
            outputs.append(read(factor ** (t + 1) * start + sum(factor ** (t - s) * listed[s][1] for s in range(t + 1))))
        return torch.stack(outputs)

    return {"step": step, "sequence": sequence}


def rwkv4_inputs(p, x, before):
    mixed = (p[name] * x + (1 - p[name]) * before for name in ("mr", "mk", "mv"))
    return [part @ w.T for part, w in zip(mixed, rows(p["wx"], 3))]


def rwkv4_step(p, x, state):
    r, k, v = rwkv4_inputs(p, x, state["x"])
    num, den = state["num"] * torch.exp(state["max"]), state["den"] * torch.exp(state["max"])
    wkv = (num + torch.exp(p["u"] + k) * v) / (den + torch.exp(p["u"] + k))
    decay = torch.exp(-torch.exp(p["w"]))
    num, den = decay * num + torch.exp(k) * v, decay * den + torch.exp(k)
    largest = maximum(state["max"] - torch.exp(p["w"]), k)
    after = {"x": x, "num": num / torch.exp(largest), "den": den / torch.exp(largest), "max": largest}
    return sigmoid(r) * wkv, after


def rwkv4_sequence(p, inputs, initial, counters):
    shifted = [initial["x"], *inputs[:-1]]
    r, k, v = zip(*(rwkv4_inputs(p, x, before) for x, before in zip(inputs, shifted)))
    w, outputs = torch.exp(p["w"]), []
    for t in range(STEPS):
        old = torch.exp(initial["max"] - t * w)
        weights = [torch.exp(-(t - 1 - s) * w + k[s]) for s in range(t)] + [torch.exp(p["u"] + k[t])]
        above = old * initial["num"] + sum(weight * v[s] for s, weight in enumerate(weights))
        outputs.append(sigmoid(r[t]) * above / (old * initial["den"] + sum(weights)))
    return torch.stack(outputs)


def cases():
    gru, lstm = shapes(wx=(2 * H, "x"), b=(1, 2 * H)), shapes(wx=(3 * H, "x"), b=(1, 3 * H))
    yield Case("min-gru", **min_gru("linear"), params=gru, states={"h": H}, gates=["z", "n"])
    yield Case(
        "min-gru",
        **min_gru("positive"),
        params=gru,
        states={"h": H},
        gates=["z", "n"],
        keys={"candidate": "positive"},
        starts={"h": 0.5},
        corners=True,
    )
    for kind, normalized in (("linear", True), ("linear", False), ("positive", True)):
        keys = ({} if kind == "linear" else {"candidate": kind}) | ({} if normalized else {"normalized": False})
        yield Case(
            "min-lstm",
            **min_lstm(kind, normalized),
            params=lstm,
            states={"h": H},
            gates=["f", "i", "n"],
            keys=keys,
            starts={"h": 0.5} if kind == "positive" else {},
            corners=kind == "positive",
        )
    for keys, n in (({}, H), ({"state": 6}, 6)):
        yield Case(
            "lru",
            step=lru_step,
            sequence=lru_sequence,
            states={"re": n, "im": n},
            keys=keys,
            params=shapes(nu=(1, n), theta=(1, n), gamma=(1, n), br=(n, "x"), bi=(n, "x"), cr=(H, n), ci=(H, n), d=(H, "x")),
        )
    for keys, scale in (({}, 8.0), ({"scale": 2.0}, 2.0)):
        yield Case(
            "rg-lru",
            **rg_lru(scale),
            states={"h": H},
            keys=keys,
            gates=["r", "i", "u"],
            ranges={"lambda": (1.5, 4)},
            params=shapes(wx=(3 * H, "x"), b=(1, 3 * H), **{"lambda": (1, H)}),
        )
    for is_complex, bound in ((True, 0.0), (True, 0.25), (False, 0.25)):
        keys = ({} if is_complex else {"complex": False}) | ({"lower-bound": bound} if bound else {})
        blocks_of_rows = ["f", "cr", "ci", "gr", "gi"] if is_complex else ["f", "c", "g"]
        width = 2 * H if is_complex else H
        extra = {"theta": (1, H), "wo": (H, 2 * H)} if is_complex else {}
        count = len(blocks_of_rows)
        yield Case(
            "hgrn",
            **hgrn(is_complex, bound),
            keys=keys,
            gates=blocks_of_rows,
            states={"re": H, "im": H} if is_complex else {"h": H},
            params=shapes(wx=(count * H, "x"), b=(1, count * H), gain=(1, width), shift=(1, width), **extra),
        )
    for kind in ("zoh", "bilinear"):
        n, small = 2, {"dt": (-2, 0), "ai": (-3, 3)}
        keys = {"state": n} | ({} if kind == "zoh" else {"discretization": kind})
        of_unit = {name: (H, n) for name in ("ar", "ai", "cr", "ci")}
        yield Case(
            "s4d",
            **diagonal(True, kind),
            keys=keys,
            states={"re": H * n, "im": H * n},
            ranges=small,
            params=shapes(wx=(H, "x"), b=(1, H), dt=(1, H), **of_unit, d=(1, H)),
        )
    for keys, n in (({}, H // 2), ({"state": 3}, 3)):
        yield Case(
            "s5",
            **diagonal(False),
            keys=keys,
            states={"re": n, "im": n},
            ranges={"dt": (-2, 0), "ai": (-3, 3)},
            params=shapes(
                dt=(1, n),
                ar=(1, n),
                ai=(1, n),
                br=(n, "x"),
                bi=(n, "x"),
                cr=(H, n),
                ci=(H, n),
                d=(H, "x"),
            ),
        )
    yield Case(
        "rwkv4",
        step=rwkv4_step,
        sequence=rwkv4_sequence,
        gates=["r", "k", "v"],
        ranges={"den": (0.5, 1.5)},
        corners=True,
        params=shapes(mr=(1, "x"), mk=(1, "x"), mv=(1, "x"), wx=(3 * H, "x"), w=(1, H), u=(1, H)),
        states={"x": lambda inputs: inputs, "num": H, "den": H, "max": H},
    )


if __name__ == "__main__":
    write(__file__, list(cases()))
