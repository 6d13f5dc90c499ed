"""Makes orthogonal.json: cells whose recurrent matrix is orthogonal or unitary, whatever their parameters are.

    scornn   Helfrich et al. 2017, arXiv 1707.09520
    exp-rnn  Lezcano-Casado and Martínez-Rubio 2019, arXiv 1901.08428
    goru     Jing et al. 2017, arXiv 1706.02761; rotations of neighbors as in Jing et al. 2016, arXiv 1612.05231
    u-rnn    Arjovsky et al. 2015, arXiv 1511.06464, with a fixed permutation that is not drawn

Equations, modReLU(y) = y relu(|y| + b) / |y|:

    scornn   h = modReLU(W h + V x), W = (I + A)⁻¹ (I - A) D, A = a - aᵀ, D = diag(-1 …, 1 …)
    exp-rnn  h = modReLU(W h + V x), W = exp(a - aᵀ)
    goru     h = z h + (1 - z) modReLU(V x + r (U h)), U = rotations of the pairs (0, 1), (2, 3) …, then of (1, 2), (3, 4) …
    u-rnn    h = modReLU(W h + V x), W = D R F⁻¹ D Π R F D; output [Re h, Im h]

Checked: W Wᵀ = I and the determinant, the exponential against PyTorch's, the product of u-rnn's factors against torch.fft and
reflections of vectors, goru's rotations against exponentials of planes.
"""

import math

import torch

from common import Case, blocks, relu, shapes, sigmoid, sign, write
from dynamics import exponential, eye

H = 4


def mod_relu(z, b):
    return sign(z) * relu(z.abs() + b)


def cayley(p, negative):
    """(I + A)⁻¹ (I - A) D"""
    a = p["a"] - p["a"].T
    size = len(a)
    count = math.floor(negative * size + 0.5)
    signs = torch.tensor([-1.0] * count + [1.0] * (size - count)).double()
    return torch.linalg.solve(eye(size) + a, eye(size) - a) * signs


def plain(matrix_of):
    def step(p, x, state):
        h = mod_relu(state["h"] @ matrix_of(p).T + x @ p["wx"].T, p["b"])
        return h, {"h": h}

    return step


def rotations(p):
    """The matrix U of goru."""
    size, u = 2 * p["ta"].shape[1], eye(2 * p["ta"].shape[1])
    for first, second in zip(p["ta"], p["tb"]):
        for angles, offset in ((first, 0), (second, 1)):
            factor = eye(size)
            for pair, angle in enumerate(angles):
                a, b = 2 * pair + offset, 2 * pair + offset + 1
                plane = torch.zeros(size, size).double()
                plane[a, a] = plane[b, b] = 1
                turned = torch.zeros(size, size).double()
                turned[b, a], turned[a, b] = 1, -1
                factor = factor @ (eye(size) - plane + torch.cos(angle) * plane + torch.sin(angle) * turned)
            u = factor @ u
    return u


def goru(p, x, state):
    h = state["h"]
    xr, xz, xn = blocks(x @ p["wx"].T, 3)
    r, z = (sigmoid(part) for part in blocks(torch.cat([xr, xz], dim=1) + h @ p["wh"].T + p["b"], 2))
    n = mod_relu(xn + r * (h @ rotations(p).T), p["bm"])
    h = z * h + (1 - z) * n
    return h, {"h": h}


def stride(size):
    step = math.isqrt(size) + 1
    while math.gcd(step, size) != 1:
        step += 1
    return step


def unitary(p):
    """W of u-rnn as a matrix."""
    size = p["d1"].shape[1]
    j = torch.arange(size).double()
    fourier = torch.exp(-2j * math.pi * torch.outer(j, j) / size) / size**0.5
    permutation = eye(size)[[stride(size) * unit % size for unit in range(size)]].to(fourier.dtype)
    d1, d2, d3 = (torch.diag(torch.exp(1j * p[name][0])) for name in ("d1", "d2", "d3"))
    mirrors = []
    for name in ("r1", "r2"):
        v = torch.complex(p[name][0], p[name][1])
        mirrors.append(eye(size) - 2 * torch.outer(v, v.conj()) / (v.abs() ** 2).sum())
    return d3 @ mirrors[1] @ fourier.conj() @ d2 @ permutation @ mirrors[0] @ fourier @ d1


def u_rnn(p, x, state):
    h, w = torch.complex(state["re"], state["im"]), unitary(p)
    y = h @ w.T + torch.complex(x @ p["wr"].T, x @ p["wi"].T)
    size = (y.real**2 + y.imag**2 + 1e-10).sqrt()
    y = y * relu(size + p["b"]) / size
    return torch.cat([y.real, y.imag], dim=1), {"re": y.real, "im": y.imag}


def u_rnn_sequence(p, inputs, initial, counters):
    """Factor by factor on vectors."""
    h, outputs = torch.complex(initial["re"], initial["im"]), []
    order = [stride(H) * unit % H for unit in range(H)]

    def mirrored(h, name):
        v = torch.complex(*p[name])
        return h - 2 * (h @ v.conj())[:, None] / torch.linalg.vector_norm(v) ** 2 * v

    for x in inputs:
        h = mirrored(torch.fft.fft(h * torch.polar(torch.ones_like(p["d1"]), p["d1"]), norm="ortho"), "r1")[:, order]
        h = torch.fft.ifft(h * torch.polar(torch.ones_like(p["d2"]), p["d2"]), norm="ortho")
        y = mirrored(h, "r2") * torch.polar(torch.ones_like(p["d3"]), p["d3"]) + x.to(h.dtype) @ torch.complex(p["wr"], p["wi"]).T
        h = torch.polar(torch.relu((y.abs() ** 2 + 1e-10).sqrt() + p["b"]) * y.abs() / (y.abs() ** 2 + 1e-10).sqrt(), y.angle())
        outputs.append(torch.cat([h.real, h.imag], dim=1))
    return torch.stack(outputs)


def cases():
    h = {"h": H}
    params = shapes(a=(H, H), wx=(H, "x"), b=(1, H))
    # A diagonal entry of a has no effect on a - aᵀ: no gradient.
    for keys in ({}, {"negative": 0.25}):
        yield Case(
            "scornn",
            step=plain(lambda p, keys=keys: cayley(p, keys.get("negative", 0.5))),
            params=params,
            states=h,
            keys=keys,
            corners=True,
            dead=True,
        )
    yield Case("exp-rnn", step=plain(lambda p: exponential(p["a"] - p["a"].T)), params=params, states=h, corners=True, dead=True)
    for capacity in (2, 4):
        keys = {} if capacity == 2 else {"capacity": capacity}
        gates = {"wx": (3 * H, "x"), "wh": (2 * H, H), "b": (1, 2 * H), "bm": (1, H)}
        angles = {"ta": (capacity // 2, H // 2), "tb": (capacity // 2, H // 2 - 1)}
        yield Case(
            "goru",
            step=goru,
            params=shapes(**gates, **angles),
            states=h,
            keys=keys,
            gates=["r", "z", "n"],
            corners=True,
            ranges={"ta": (-3, 3), "tb": (-3, 3)},
        )
    vectors = {"d1": (1, H), "d2": (1, H), "d3": (1, H), "r1": (2, H), "r2": (2, H)}
    yield Case(
        "u-rnn",
        step=u_rnn,
        sequence=u_rnn_sequence,
        params=shapes(**vectors, wr=(H, "x"), wi=(H, "x"), b=(1, H)),
        output=2 * H,
        states={"re": H, "im": H},
        ranges={"d1": (-3, 3), "d2": (-3, 3), "d3": (-3, 3)},
        corners=True,
    )


def check_matrices():
    torch.manual_seed(0)
    p = {"a": torch.randn(5, 5).double()}
    for negative, determinant in ((0.0, 1), (0.2, -1), (0.5, -1), (0.4, 1)):
        w = cayley(p, negative)
        torch.testing.assert_close(w @ w.T, eye(5))
        torch.testing.assert_close(torch.det(w), torch.tensor(float(determinant)).double())
    w = exponential(p["a"] - p["a"].T)
    torch.testing.assert_close(w, torch.linalg.matrix_exp(p["a"] - p["a"].T), rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(w @ w.T, eye(5))
    torch.testing.assert_close(torch.det(w), torch.tensor(1.0).double())
    p = {"ta": torch.randn(3, 3).double(), "tb": torch.randn(3, 2).double()}
    u = rotations(p)
    torch.testing.assert_close(u @ u.T, eye(6))
    by_planes = eye(6)
    for first, second in zip(p["ta"], p["tb"]):
        for angles, offset in ((first, 0), (second, 1)):
            skew = torch.zeros(6, 6).double()
            for pair, angle in enumerate(angles):
                skew[2 * pair + offset + 1, 2 * pair + offset] = angle
            by_planes = torch.linalg.matrix_exp(skew - skew.T) @ by_planes
    torch.testing.assert_close(u, by_planes)
    p = {name: torch.randn(1, 6).double() for name in ("d1", "d2", "d3")}
    p |= {name: torch.randn(2, 6).double() for name in ("r1", "r2")}
    w = unitary(p)
    torch.testing.assert_close(w @ w.conj().T, eye(6).to(w.dtype))


if __name__ == "__main__":
    check_matrices()
    write(__file__, list(cases()))
