"""Makes dynamics.json: cells that discretize a differential equation or keep a running sum of what they read.

    antisymmetric, gated-antisymmetric   Chang et al. 2019, arXiv 1902.09689
    co-rnn      Rusch and Mishra 2020, arXiv 2010.00951, explicit in the damping as in the authors' code
    unicornn    Rusch and Mishra 2021, arXiv 2103.05487
    lem         Rusch et al. 2021, arXiv 2110.04744
    lmu         Voelker et al. 2019 (NeurIPS), section 2
    fast-rnn, fast-grnn   Kusupati et al. 2018, arXiv 1901.02358
    momentum-rnn          Nguyen et al. 2020, arXiv 2006.06919

Equations:

    antisymmetric  h = h + ε tanh((W - Wᵀ - γ I) h + V x + b); gated: ε σ(the same matrix, V, b of its own) tanh(…)
    co-rnn         z = z + Δt (tanh(W y + Z z + V x + b) - γ y - ε z), y = y + Δt z
    unicornn       z = z - Δt σ(c) (tanh(w y + V x + b) + α y), y = y + Δt σ(c) z
    lem            z = (1 - a) z + a tanh(z̃), y = (1 - d) y + d tanh(ỹ), a = Δt σ(ã), d = Δt σ(d̃); ỹ reads the new z
    lmu            m = Ā m + B̄ (e_x x + e_h h + e_m m), h = tanh(W_x x + W_h h + W_m m)
    fast-rnn       h = σ(α) tanh(W x + U h + b) + σ(β) h
    fast-grnn      z = σ(W x + U h + b_z), h = (σ(ζ) (1 - z) + σ(ν)) tanh(W x + U h + b_n) + z h
    momentum-rnn   v = μ v + s W x, h = tanh(U h + v + b)

Checked: the eigenvalues of W - Wᵀ - γ I, the exponential of lmu against PyTorch's, its memory against a numerical solution of its
differential equation and, by shifted Legendre polynomials, against the past it stands for, co-rnn and unicornn against the energy
of the undamped and undriven oscillator, fast-grnn against the gate of a GRU where its scalars are 1 and 0, momentum-rnn without
momentum against torch.nn.RNNCell, lem with open gates against its two activations.
"""

import torch

from common import Case, blocks, shapes, sigmoid, write

H = 4


def eye(size):
    return torch.eye(size, dtype=torch.float64)


def antisymmetric(step_size, diffusion, gated):
    def step(p, x, state):
        h = state["h"]
        seen = h @ (p["w"] - p["w"].T - diffusion * eye(H)).T
        given = x @ p["wx"].T + p["b"]
        z, n = blocks(given, 2) if gated else (None, given)
        change = torch.tanh(seen + n)
        if gated:
            change = sigmoid(seen + z) * change
        h = h + step_size * change
        return h, {"h": h}

    return step


def co_rnn(step_size, gamma, epsilon):
    def step(p, x, state):
        y, z = state["y"], state["z"]
        force = torch.tanh(y @ p["wy"].T + z @ p["wz"].T + x @ p["wx"].T + p["b"])
        z = z + step_size * (force - gamma * y - epsilon * z)
        y = y + step_size * z
        return y, {"y": y, "z": z}

    return step


def unicornn(step_size, alpha):
    def step(p, x, state):
        y, z = state["y"], state["z"]
        rate = step_size * sigmoid(p["c"])
        z = z - rate * (torch.tanh(p["w"] * y + x @ p["wx"].T + p["b"]) + alpha * y)
        y = y + rate * z
        return y, {"y": y, "z": z}

    return step


def lem(step_size):
    def step(p, x, state):
        xa, xd, xz, xy = blocks(x @ p["wx"].T + p["b"], 4)
        ya, yd, yz = blocks(state["y"] @ p["wh"].T, 3)
        a, d = step_size * sigmoid(xa + ya), step_size * sigmoid(xd + yd)
        z = (1 - a) * state["z"] + a * torch.tanh(xz + yz)
        y = (1 - d) * state["y"] + d * torch.tanh(xy + z @ p["wz"].T)
        return y, {"y": y, "z": z}

    return step


def legendre(order):
    """A and B of θ dm/dt = A m + B u."""
    a = [[(2 * i + 1) * (-1.0 if i < j else (-1.0) ** (i - j + 1)) for j in range(order)] for i in range(order)]
    return torch.tensor(a).double(), torch.tensor([[(2 * i + 1) * (-1.0) ** i] for i in range(order)]).double()


def exponential(a, terms=40):
    """Power series after halving, then squaring; PyTorch's function is only the check."""
    halvings = 6
    total = power = eye(len(a))
    for n in range(1, terms):
        power = power @ a / 2**halvings / n
        total = total + power
    for _ in range(halvings):
        total = total @ total
    return total


def delay(order, theta, discretization):
    a, b = legendre(order)
    if discretization == "euler":
        return a / theta + eye(order), b / theta
    discrete = exponential(a / theta)
    return discrete, torch.linalg.inv(a) @ (discrete - eye(order)) @ b


def lmu(order, theta, discretization):
    a, b = delay(order, theta, discretization)

    def step(p, x, state):
        h, m = state["h"], state["m"]
        u = x @ p["ex"].T + h @ p["eh"].T + m @ p["em"].T
        m = m @ a.T + u @ b.T
        h = torch.tanh(x @ p["wx"].T + h @ p["wh"].T + m @ p["wm"].T)
        return h, {"h": h, "m": m}

    return step


def matrix(p, name):
    return p[name] if name in p else p[f"{name}a"] @ p[f"{name}b"]


def fast_rnn(p, x, state):
    n = torch.tanh(x @ matrix(p, "wx").T + state["h"] @ matrix(p, "wh").T + p["b"])
    h = sigmoid(p["alpha"]) * n + sigmoid(p["beta"]) * state["h"]
    return h, {"h": h}


def fast_grnn(p, x, state):
    a = x @ matrix(p, "wx").T + state["h"] @ matrix(p, "wh").T
    bz, bn = blocks(p["b"], 2)
    z, n = sigmoid(a + bz), torch.tanh(a + bn)
    h = (sigmoid(p["zeta"]) * (1 - z) + sigmoid(p["nu"])) * n + z * state["h"]
    return h, {"h": h}


def momentum(mu, step_size):
    def step(p, x, state):
        v = mu * state["v"] + step_size * (x @ p["wx"].T)
        h = torch.tanh(state["h"] @ p["wh"].T + v + p["b"])
        return h, {"h": h, "v": v}

    return step


def cases():
    h = {"h": H}
    # A diagonal entry of w has no effect on the difference from the transpose: no gradient.
    for gated in (False, True):
        name = "gated-antisymmetric" if gated else "antisymmetric"
        count = 2 if gated else 1
        for keys in ({}, {"step-size": 0.5, "diffusion": 0.25}):
            yield Case(
                name,
                step=antisymmetric(keys.get("step-size", 0.1), keys.get("diffusion", 0.1), gated),
                states=h,
                keys=keys,
                params=shapes(w=(H, H), wx=(count * H, "x"), b=(1, count * H)),
                gates=["z", "n"] if gated else [],
                dead=True,
            )
    two = {"y": H, "z": H}
    for keys in ({}, {"step-size": 0.25, "gamma": 1.5, "epsilon": 0.75}):
        yield Case(
            "co-rnn",
            step=co_rnn(keys.get("step-size", 0.042), keys.get("gamma", 2.7), keys.get("epsilon", 4.7)),
            states=two,
            params=shapes(wx=(H, "x"), wy=(H, H), wz=(H, H), b=(1, H)),
            keys=keys,
        )
    for keys in ({}, {"step-size": 0.25, "alpha": 2.5}):
        yield Case(
            "unicornn",
            step=unicornn(keys.get("step-size", 0.1), keys.get("alpha", 1.0)),
            states=two,
            keys=keys,
            params=shapes(wx=(H, "x"), w=(1, H), c=(1, H), b=(1, H)),
        )
    for keys in ({}, {"step-size": 0.25}):
        yield Case(
            "lem",
            step=lem(keys.get("step-size", 1.0)),
            states=two,
            keys=keys,
            gates=["a", "d", "z", "y"],
            params=shapes(wx=(4 * H, "x"), wh=(3 * H, H), wz=(H, H), b=(1, 4 * H)),
        )
    order = 3
    params = shapes(ex=(1, "x"), eh=(1, H), em=(1, order), wx=(H, "x"), wh=(H, H), wm=(H, order))
    for kind in ("zoh", "euler"):
        keys = {"memory": order, "theta": 6.0} | ({} if kind == "zoh" else {"discretization": kind})
        yield Case("lmu", step=lmu(order, 6.0, kind), params=params, states=h | {"m": order}, keys=keys)
    for name, step, own in (
        ("fast-rnn", fast_rnn, {"b": (1, H), "alpha": (1, 1), "beta": (1, 1)}),
        ("fast-grnn", fast_grnn, {"b": (1, 2 * H), "zeta": (1, 1), "nu": (1, 1)}),
    ):
        gates = ["z", "n"] if name == "fast-grnn" else []
        yield Case(name, step=step, params=shapes(wx=(H, "x"), wh=(H, H), **own), states=h, gates=gates)
        low = shapes(wxa=(H, 2), wxb=(2, "x"), wha=(H, 1), whb=(1, H), **own)
        yield Case(name, step=step, params=low, states=h, gates=gates, keys={"input-rank": 2, "hidden-rank": 1})
    for keys in ({}, {"momentum": 0.25, "step-size": 1.5}):
        yield Case(
            "momentum-rnn",
            step=momentum(keys.get("momentum", 0.6), keys.get("step-size", 0.6)),
            keys=keys,
            params=shapes(wx=(H, "x"), wh=(H, H), b=(1, H)),
            states={"h": H, "v": H},
        )


def check_matrices():
    torch.manual_seed(0)
    w, a = torch.randn(5, 5).double(), torch.randn(5, 5).double() / 3
    real = torch.linalg.eigvals(w - w.T - 0.25 * eye(5)).real
    torch.testing.assert_close(real, torch.full((5,), -0.25).double())
    torch.testing.assert_close(exponential(a), torch.linalg.matrix_exp(a), rtol=1e-13, atol=1e-14)


def check_delay():
    """The memory of u(t) = 1 + t, solved in small steps, and read at a delay by shifted Legendre polynomials."""
    order, theta, ticks = 6, 10.0, 30
    a, b = legendre(order)
    discrete_a, discrete_b = delay(order, theta, "zoh")
    m, small, parts = torch.zeros(order, 1).double(), torch.zeros(order, 1).double(), 2000
    for tick in range(ticks):
        m = discrete_a @ m + discrete_b * (1.0 + tick)
        for _ in range(parts):
            middle = small + (a @ small + b * (1.0 + tick)) / theta / parts / 2
            small = small + (a @ middle + b * (1.0 + tick)) / theta / parts
    torch.testing.assert_close(m, small, rtol=1e-5, atol=1e-5)
    # The past of r θ ago. A staircase is, on average, half a tick behind the line.
    for share in (0.25, 0.5, 0.75):
        x, values = 1 - 2 * share, [1.0, 1 - 2 * share]
        for n in range(1, order - 1):
            values.append(((2 * n + 1) * x * values[n] - n * values[n - 1]) / (n + 1))
        read = sum((-1) ** i * value * float(m[i]) for i, value in enumerate(values))  # P_i(2 r - 1)
        assert abs(read - (1 + ticks - share * theta - 0.5)) < 0.2
    euler_a, euler_b = delay(order, 1e4, "euler")
    fine_a, fine_b = delay(order, 1e4, "zoh")
    torch.testing.assert_close(euler_a, fine_a, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(euler_b, fine_b, rtol=5e-2, atol=1e-5)


def check_relations():
    torch.manual_seed(0)
    zero = {name: torch.zeros(shape).double() for name, shape in (("wx", (H, 3)), ("wy", (H, H)), ("wz", (H, H)), ("b", (1, H)))}
    x = torch.zeros(2, 3).double()
    start = {"y": torch.randn(2, H).double(), "z": torch.randn(2, H).double()}
    # Symplectic Euler: without damping and force, y² γ + z² stays within a factor of 1 ± Δt √γ.
    state, energies = start, []
    for _ in range(2000):
        _, state = co_rnn(0.02, 2.7, 0.0)(zero, x, state)
        energies.append(2.7 * state["y"] ** 2 + state["z"] ** 2)
    energies, first = torch.stack(energies), 2.7 * start["y"] ** 2 + start["z"] ** 2
    assert ((energies / first - 1).abs() < 0.05).all()
    # UnICORNN is the same oscillator with γ = α and the step Δt σ(c).
    p = {"wx": zero["wx"], "b": zero["b"], "w": torch.zeros(1, H).double(), "c": torch.zeros(1, H).double()}
    torch.testing.assert_close(unicornn(0.04, 2.7)(p, x, start)[0], co_rnn(0.02, 2.7, 0.0)(zero, x, start)[0])
    # FastGRNN with ζ = 1 and ν = 0 is h between n and h.
    p = {"wx": torch.randn(H, 3).double(), "wh": torch.randn(H, H).double(), "b": torch.randn(1, 2 * H).double()}
    p |= {"zeta": torch.full((1, 1), 60.0).double(), "nu": torch.full((1, 1), -60.0).double()}
    x, h = torch.randn(2, 3).double(), torch.randn(2, H).double()
    a = x @ p["wx"].T + h @ p["wh"].T
    expected = torch.lerp((a + p["b"][:, H:]).tanh(), h, (a + p["b"][:, :H]).sigmoid())
    torch.testing.assert_close(fast_grnn(p, x, {"h": h})[0], expected)
    module = torch.nn.RNNCell(3, H).double()
    p = {"wx": module.weight_ih, "wh": module.weight_hh, "b": (module.bias_ih + module.bias_hh)[None]}
    torch.testing.assert_close(momentum(0.0, 1.0)(p, x, {"h": h, "v": h})[0], module(x, h))
    # LEM with Δt → 0 keeps its state, and with gates wide open forgets it.
    p = {"wx": torch.randn(4 * H, 3).double(), "wh": torch.randn(3 * H, H).double(), "wz": torch.randn(H, H).double()}
    p["b"] = torch.cat([torch.full((1, 2 * H), 60.0), torch.zeros(1, 2 * H)], dim=1).double()
    y, after = lem(1.0)(p, x, start)
    z = (x @ p["wx"][2 * H : 3 * H].T + start["y"] @ p["wh"][2 * H :].T).tanh()
    torch.testing.assert_close(after["z"], z)
    torch.testing.assert_close(y, (x @ p["wx"][3 * H :].T + z @ p["wz"].T).tanh())


if __name__ == "__main__":
    check_matrices()
    check_delay()
    check_relations()
    write(__file__, list(cases()))
