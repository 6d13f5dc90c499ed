"""Makes recurrences.json: forward values and every gradient of the cells in plugins/examples/recurrences.

    pip install torch==2.15.0
    python tests/golden/recurrences.py        # rewrites recurrences.json beside this file

Written from the equations of the papers, head by head and without a common factor taken out, in float64. Layout, objective and
numbers as in cells.py; two heads where there are heads. The entries of `n`, by which an output is divided, are from [0.5, 1.5].

    layer-norm-lstm   Ba et al. 2016, arXiv 1607.06450, equations 20 to 22
    min-gru           Feng et al. 2024, arXiv 2410.01201, section 3.1
    slstm, mlstm      Beck et al. 2024, arXiv 2405.04517, equations 8 to 27
    gated-delta-net   Yang et al. 2024, arXiv 2412.06464, equation 10
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

from cells import BATCH, HIDDEN, INPUTS, LAYERS, STEPS, draw, leaves, plain, rebuilt, unroll

HEADS = 2
OWN = HIDDEN // HEADS


def heads(x):
    """The columns of each head."""
    return x.split(x.shape[1] // HEADS, dim=1)


def layer_norm_lstm(p, x, state, note):
    def norm(x, gain, shift):
        return F.layer_norm(x, x.shape[1:], gain.squeeze(0), shift, eps=1e-5)

    h, c = state["h"], state["c"]
    total = norm(x @ p["wx"].T, p["gx"], None) + norm(h @ p["wh"].T, p["gh"], None) + p["b"]
    i, f, g, o = total.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(norm(c, p["gc"], p["bc"].squeeze(0)))
    return h, {"h": h, "c": c}


def min_gru(p, x, state, note):
    z, n = (x @ p["wx"].T + p["b"]).chunk(2, dim=1)
    z = torch.sigmoid(z)
    h = (1 - z) * state["h"] + z * n
    return h, {"h": h}


def slstm(p, x, state, note):
    h, m = state["h"], state["m"]
    seen = [part @ u.T for part, u in zip(heads(h), p["wh"].chunk(HEADS, dim=0))]  # each [batch, 4 own]: i, f, z, o
    recurrent = [torch.cat([part.chunk(4, dim=1)[gate] for part in seen], dim=1) for gate in range(4)]
    i, f, z, o = (given + own for given, own in zip((x @ p["wx"].T + p["b"]).chunk(4, dim=1), recurrent))
    # As the paper has it without m: the true gates are exp(i) and σ(f), the true memories exp(m) c and exp(m) n.
    c = torch.sigmoid(f) * torch.exp(m) * state["c"] + torch.exp(i) * torch.tanh(z)
    n = torch.sigmoid(f) * torch.exp(m) * state["n"] + torch.exp(i)
    m = torch.maximum(torch.log(torch.sigmoid(f)) + m, i)
    h = torch.sigmoid(o) * c / n
    return h, {"h": h, "c": c / torch.exp(m), "n": n / torch.exp(m), "m": m}


def mlstm(p, x, state, note):
    q, k, v, o = (heads(part) for part in (x @ p["wx"].T + p["b"]).chunk(4, dim=1))
    i, f = (x @ p["wg"].T + p["bg"]).chunk(2, dim=1)
    outputs, ends = [], {"c": [], "n": [], "m": []}
    for head in range(HEADS):
        c = heads(state["c"])[head].reshape(BATCH, OWN, OWN)
        n, m = heads(state["n"])[head], state["m"][:, head : head + 1]
        key, gate, keep = k[head] / OWN**0.5, torch.exp(i[:, head : head + 1]), torch.sigmoid(f[:, head : head + 1]) * torch.exp(m)
        c = keep[..., None] * c + gate[..., None] * torch.einsum("br,bc->brc", v[head], key)
        n = keep * n + gate * key
        m = torch.maximum(torch.log(torch.sigmoid(f[:, head : head + 1])) + m, i[:, head : head + 1])
        norm = torch.clamp((n * q[head]).sum(1, keepdim=True).abs(), min=1)
        outputs.append(torch.sigmoid(o[head]) * torch.einsum("brc,bc->br", c, q[head]) / norm)
        ends["c"].append((c / torch.exp(m)[..., None]).flatten(1))
        ends["n"].append(n / torch.exp(m))
        ends["m"].append(m)
    return torch.cat(outputs, dim=1), {name: torch.cat(parts, dim=1) for name, parts in ends.items()}


def gated_delta_net(p, x, state, note):
    q, k, v, g = (heads(part) for part in (x @ p["wx"].T).chunk(4, dim=1))
    d, b = (x @ p["wg"].T + p["bg"]).chunk(2, dim=1)
    outputs, ends = [], []
    for head in range(HEADS):
        s = heads(state["s"])[head].reshape(BATCH, OWN, OWN)
        query, key = (F.silu(part[head]) / (F.silu(part[head]).pow(2).sum(1, keepdim=True) + 1e-6).sqrt() for part in (q, k))
        decay = torch.exp(-torch.exp(p["a"][0, head]) * F.softplus(d[:, head]))[:, None, None]
        strength = torch.sigmoid(b[:, head])[:, None, None]
        outer = torch.einsum("br,bc->brc", key, key)
        s = decay * s @ (torch.eye(OWN, dtype=s.dtype) - strength * outer)
        s = s + strength * torch.einsum("br,bc->brc", F.silu(v[head]), key)
        y = torch.einsum("brc,bc->br", s, query)
        gain = p["gain"].split(OWN, dim=1)[head]
        outputs.append(y / (y.pow(2).mean(1, keepdim=True) + 1e-6).sqrt() * gain * F.silu(g[head]))
        ends.append(s.flatten(1))
    return torch.cat(outputs, dim=1), {"s": torch.cat(ends, dim=1)}


def params(**shapes):
    """Shapes for an input width; "x" stands for it."""
    return lambda inputs: {name: tuple(inputs if length == "x" else length for length in shape) for name, shape in shapes.items()}


H, MATRIX = HIDDEN, HIDDEN * OWN
QKV = {"wx": (4 * H, "x"), "wg": (2 * HEADS, "x"), "bg": (1, 2 * HEADS)}
# name: (seed, step, params, width of each state)
CASES = {
    "layer-norm-lstm": (
        21,
        layer_norm_lstm,
        params(wx=(4 * H, "x"), wh=(4 * H, H), b=(1, 4 * H), gx=(1, 4 * H), gh=(1, 4 * H), gc=(1, H), bc=(1, H)),
        {"h": H, "c": H},
    ),
    "min-gru": (22, min_gru, params(wx=(2 * H, "x"), b=(1, 2 * H)), {"h": H}),
    "slstm": (23, slstm, params(wx=(4 * H, "x"), wh=(4 * H, OWN), b=(1, 4 * H)), {"h": H, "c": H, "n": H, "m": H}),
    "mlstm": (24, mlstm, params(b=(1, 4 * H), **QKV), {"c": MATRIX, "n": H, "m": HEADS}),
    "gated-delta-net": (25, gated_delta_net, params(a=(1, HEADS), gain=(1, H), **QKV), {"s": MATRIX}),
}


def run_case(name):
    seed, step, declare, states = CASES[name]
    torch.manual_seed(seed)
    params = [{key: draw(*shape) for key, shape in declare(INPUTS if layer == 0 else HIDDEN).items()} for layer in range(LAYERS)]
    inputs = draw(STEPS, BATCH, INPUTS)
    initial = [{state: draw(BATCH, width) for state, width in states.items()} for _ in range(LAYERS)]
    with torch.no_grad():
        for state in initial:
            if "n" in state:
                state["n"].abs_().add_(0.5)
    r = draw(STEPS, BATCH, HIDDEN).detach()
    s = [{state: draw(BATCH, width).detach() for state, width in states.items()} for _ in range(LAYERS)]
    wanted = {"params": params, "inputs": inputs, "initial": initial}
    output, final = unroll(step, params, inputs, initial, None)
    loss = (output * r).sum() + sum((a * b).sum() for a, b in zip(leaves(final), leaves(s)))
    gradients = torch.autograd.grad(loss, leaves(wanted))
    assert all((gradient != 0).all() for gradient in gradients), f"{name}: a dead unit tests nothing, take another seed"
    return {
        "name": name,
        "sizes": {"inputs": INPUTS, "hidden": HIDDEN, "batch": BATCH, "steps": STEPS, "layers": LAYERS},
        "params": plain(params),
        "inputs": plain(inputs),
        "initial": plain(initial),
        "R": plain(r),
        "S": plain(s),
        "output": plain(output),
        "final": plain(final),
        "loss": loss.item(),
        "gradients": plain(rebuilt(wanted, iter(gradients))),
    }


def main():
    golden = {"versions": {"torch": torch.__version__.split("+")[0]}, "cases": [run_case(name) for name in CASES]}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for case in golden["cases"]:
        print(f"{case['name']}: loss {case['loss']}")


if __name__ == "__main__":
    main()
